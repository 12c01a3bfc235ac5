"""The record in Redis: one string, a head and the bytes; see `lua/record_put.lua`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memkit.backends.redis.calls import ALL_DATA, Call, Ready, Token, Wiring, bulk, heading, life, scripted
from memkit.commands import PutResult, RecordDrop, RecordGet, RecordLoad, RecordPut, StoredRecord

__all__ = ["BUILDERS"]

_BIN16 = 0xC5
_HEAD = 3
_LEAST = 19


def _put(command: RecordPut, token: Token, wiring: Wiring) -> Call:
    owner, wire, number = command.owner, command.wire, b"%d" % token.number
    front = wiring.fronts("record_put", command.place.name, "wm about ops", 5, life(command), owner or "")
    expected = _ANY if command.expected is None else bulk(command.expected)
    created = command.created_us.to_bytes(8, "big", signed=True)
    said = (front, token.lane, len(number), number, expected, created, len(wire), wire)
    return Call(Ready(b"%b$8\r\n%b\r\n$%d\r\n%b\r\n%b$8\r\n%b\r\n$%d\r\n%b\r\n" % said), _put_result)


_ANY = bulk(-1)


def _put_result(reply: list[Any]) -> PutResult:
    done, version, created = reply
    return PutResult(done=bool(done), version=version, created_us=int.from_bytes(created, "big", signed=True))


def _get(command: RecordGet, token: Token, wiring: Wiring) -> Call:
    del token
    if command.owner is None:
        return Call(("GET", wiring.keys.key(command.place)), _stored)
    return scripted("record_get", wiring, command, "wm about", [command.owner], _stored)


def _stored(value: bytes | None) -> StoredRecord | None:
    if value is None:
        return None
    size = int.from_bytes(value[1:_HEAD], "big")
    if len(value) < _LEAST or value[0] != _BIN16 or len(value) < _HEAD + size:
        # No bytes are no record either: whoever decodes them says so, or reports it.
        return StoredRecord(1, 0, b"")
    version = int.from_bytes(value[3:11], "big")
    created = int.from_bytes(value[11:_LEAST], "big", signed=True)
    return StoredRecord(version, created, value[_HEAD + size :]) if version else None


def _drop(command: RecordDrop, token: Token, wiring: Wiring) -> Call:
    expected = -1 if command.expected is None else command.expected
    arguments = [*heading(command, token, wiring), expected]
    return scripted("record_drop", wiring, command, f"ops about {ALL_DATA}", arguments, _dropped)


def _dropped(reply: list[int]) -> PutResult:
    return PutResult(done=bool(reply[0]), version=reply[1])


def _load(command: RecordLoad, token: Token, wiring: Wiring) -> Call:
    stored = command.stored
    head = stored.version.to_bytes(8, "big") + stored.created_us.to_bytes(8, "big", signed=True)
    arguments = [*heading(command, token, wiring), head, stored.wire]
    return scripted("record_load", wiring, command, "wm about ops", arguments, bool)


BUILDERS: dict[type, Callable[[Any, Token, Wiring], Call]] = {
    RecordPut: _put,
    RecordGet: _get,
    RecordDrop: _drop,
    RecordLoad: _load,
}
