"""Ids of records: UUIDv7 (RFC 9562), rising within a process."""

from __future__ import annotations

import os
import struct
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["IdSource", "id_key", "key_id", "new_id", "pack_id", "unpack_id"]

_MS_SHIFT = 16
_COUNTER_MAX = 0xFFF
# A new millisecond starts low in the counter, so that a burst has room before it borrows the next millisecond.
_START_MASK = 0x3FF
_VERSION = 7 << 12
_VARIANT = 2 << 62
_RANDOM_MASK = (1 << 62) - 1
_UUID_TEXT = 36
_UUID_BYTES = 16
_split = struct.Struct(">HQ").unpack
_join = struct.Struct(">QQ").pack


def _system_ms() -> int:
    return time.time_ns() // 1_000_000


class IdSource:
    """Makes UUIDv7 that rise strictly within one process, also when the clock steps back.

    Args:
        now_ms: wall time in milliseconds.
        entropy: returns that many random bytes.
    """

    def __init__(self, now_ms: Callable[[], int] = _system_ms, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._now_ms = now_ms
        self._entropy = entropy
        self._lock = threading.Lock()
        # The first half of the last id: milliseconds, version and counter.
        self._first = _VERSION

    def fresh(self) -> bytes:
        """A new id as 16 bytes."""
        start, random = _split(self._entropy(10))
        with self._lock:
            now, first = self._now_ms(), self._first
            if now > first >> _MS_SHIFT:
                first = now << _MS_SHIFT | _VERSION | start & _START_MASK
            elif first & _COUNTER_MAX < _COUNTER_MAX:
                first += 1
            else:
                first = (first >> _MS_SHIFT) + 1 << _MS_SHIFT | _VERSION
            self._first = first
        return _join(first, _VARIANT | random & _RANDOM_MASK)


_default = IdSource()


def new_id() -> str:
    """A new record id: a UUIDv7 in its canonical text form."""
    return unpack_id(_default.fresh())


def pack_id(text: str) -> bytes | str:
    """The wire form of an id: 16 bytes for a canonical UUID, else the text itself."""
    if len(text) != _UUID_TEXT:
        return text
    try:
        packed = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return text
    return packed if len(packed) == _UUID_BYTES and unpack_id(packed) == text else text


def id_key(wire: bytes | str) -> bytes:
    """An id as bytes that order and compare the same everywhere: 16 for a UUID, never 16 for a text."""
    if isinstance(wire, bytes):
        return wire
    text = wire.encode()
    return b"x" + text + b"x" if len(text) == _UUID_BYTES - 1 else b"s" + text


def key_id(key: bytes) -> bytes | str:
    """The wire form of an id from what `id_key` made of it."""
    if len(key) == _UUID_BYTES:
        return key
    return (key[1:-1] if key[:1] == b"x" else key[1:]).decode()


def unpack_id(wire: bytes | str) -> str:
    """The text of an id from its wire form."""
    if isinstance(wire, str):
        return wire
    if type(wire) is bytes and len(wire) == _UUID_BYTES:
        return f"{wire[:4].hex()}-{wire[4:10].hex('-', 2)}-{wire[10:].hex()}"
    digits = wire.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
