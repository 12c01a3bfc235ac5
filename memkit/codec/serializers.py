"""The two serializers: msgpack, and JSON for people who read their data with other languages.

Both write one array ``[schema, type, scope, id, created_us, updated_us, version, metadata, fields…]``; ids are 16 bytes
in msgpack and text in JSON.
"""

from __future__ import annotations

import base64
import json
import math
import re
import threading
from abc import ABC, abstractmethod
from itertools import pairwise
from typing import Any

import msgpack

from memkit.codec.bombs import SMALL, check_json, check_msgpack
from memkit.ids import pack_id, unpack_id
from memkit.values import MAX_VALUES

__all__ = ["SERIALIZERS", "JsonSerializer", "MsgpackSerializer", "Serializer", "packers", "refuse", "serializer_of"]

_ID = 3


class Serializer(ABC):
    """Plain values to bytes and back.

    Attributes:
        name: as it stands in settings.
    """

    name: str

    @abstractmethod
    def pack(self, values: list[Any]) -> bytes:
        """The bytes of one record."""

    @abstractmethod
    def unpack(self, raw: bytes) -> list[Any]:
        """The values of one record.

        Raises:
            ValueError: the bytes are damaged, or a bomb.
        """

    @abstractmethod
    def split(self, raw: bytes) -> list[bytes]:
        """Each element of a record as the bytes that it was written with."""

    @abstractmethod
    def join(self, elements: list[bytes]) -> bytes:
        """A record from the bytes of its elements.

        Raises:
            ValueError: together they hold too many values.
        """

    @abstractmethod
    def element(self, value: Any) -> bytes:
        """The bytes of one element."""


def refuse(code: int, data: bytes) -> Any:
    """What an extension type becomes."""
    raise ValueError(f"extension type {code} with {len(data)} bytes is not allowed")


class _Packers(threading.local):
    """One packer for each thread: a packer fills a buffer of its own."""

    def __init__(self) -> None:
        self.pack = msgpack.Packer(strict_types=True).pack


packers = _Packers()


class MsgpackSerializer(Serializer):
    """msgpack without extension types."""

    name = "msgpack"

    def element(self, value: Any) -> bytes:
        packed: bytes = packers.pack(value)
        if len(packed) > SMALL:
            check_msgpack(packed)
        return packed

    def pack(self, values: list[Any]) -> bytes:
        return self.element(values)

    def unpack(self, raw: bytes) -> list[Any]:
        size = len(raw)
        if size > SMALL:
            check_msgpack(raw)
        limit = min(size, MAX_VALUES)
        try:
            values = msgpack.unpackb(
                raw,
                raw=False,
                strict_map_key=True,
                ext_hook=refuse,
                max_array_len=limit,
                max_map_len=limit,
                max_str_len=size,
                max_bin_len=size,
                max_ext_len=0,
            )
        except (ValueError, TypeError, RecursionError) as error:
            # The text of the error could hold a piece of the data.
            raise ValueError(f"it is not valid msgpack ({type(error).__name__})") from None
        if type(values) is not list:
            raise ValueError("it is not an array")
        return values

    def split(self, raw: bytes) -> list[bytes]:
        unpacker = msgpack.Unpacker(max_buffer_size=max(len(raw), 1))
        unpacker.feed(raw)
        count = unpacker.read_array_header()
        edges = [unpacker.tell()]
        for _ in range(count):
            unpacker.skip()
            edges.append(unpacker.tell())
        return [raw[start:end] for start, end in pairwise(edges)]

    def join(self, elements: list[bytes]) -> bytes:
        header: bytes = msgpack.Packer().pack_array_header(len(elements))
        joined = header + b"".join(elements)
        if len(joined) > SMALL:
            check_msgpack(joined)
        return joined


class JsonSerializer(Serializer):
    """Compact UTF-8 JSON; bytes and floats that JSON lacks are tagged."""

    name = "json"

    def element(self, value: Any) -> bytes:
        return json.dumps(_to_json(value), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()

    def pack(self, values: list[Any]) -> bytes:
        values[_ID] = unpack_id(values[_ID])
        packed = self.element(values)
        if len(packed) > SMALL:
            check_json(packed)
        return packed

    def unpack(self, raw: bytes) -> list[Any]:
        if len(raw) > SMALL:
            check_json(raw)
        try:
            values = _from_json(json.loads(raw, object_pairs_hook=_unique, parse_constant=_constant))
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise ValueError(f"it is not valid JSON ({type(error).__name__})") from None
        if type(values) is not list or len(values) <= _ID or type(values[_ID]) is not str:
            raise ValueError("it is not an array with an id")
        values[_ID] = pack_id(values[_ID])
        return values

    def split(self, raw: bytes) -> list[bytes]:
        text, decode = raw.decode(), json.JSONDecoder().raw_decode
        elements, at = [], _next(text, 0)
        while at < len(text):
            _, end = decode(text, at)
            elements.append(text[at:end].encode())
            at = _next(text, end)
        return elements

    def join(self, elements: list[bytes]) -> bytes:
        joined = b"[" + b",".join(elements) + b"]"
        if len(joined) > SMALL:
            check_json(joined)
        return joined


_SEPARATOR = re.compile(r"\s*[\[,\]]?\s*")


def _next(text: str, at: int) -> int:
    """Where the next element of the outer array begins, at the end of another or of nothing."""
    found = _SEPARATOR.match(text, at)
    return found.end() if found else at


def _to_json(value: Any) -> Any:
    kind = type(value)
    if kind is bytes:
        return {"$bytes": base64.b64encode(value).decode()}
    if kind is float and not math.isfinite(value):
        return {"$float": repr(value)}
    if kind is list:
        return [_to_json(item) for item in value]
    if kind is dict:
        return {key: _to_json(item) for key, item in value.items()}
    return value


def _from_json(value: Any) -> Any:
    kind = type(value)
    if kind is list:
        return [_from_json(item) for item in value]
    if kind is not dict:
        return value
    if len(value) == 1:
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"], validate=True)
        if "$float" in value:
            return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[value["$float"]]
        if "$map" in value and type(value["$map"]) is dict:
            return {"$map": {key: _from_json(item) for key, item in value["$map"].items()}}
    return {key: _from_json(item) for key, item in value.items()}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a key stands twice")
    return out


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


SERIALIZERS: dict[str, type[Serializer]] = {"msgpack": MsgpackSerializer, "json": JsonSerializer}
"""The serializers by their names in settings."""

_reading = {name: make() for name, make in SERIALIZERS.items()}


def serializer_of(raw: bytes) -> Serializer:
    """The serializer that wrote these bytes, so that changing the setting loses nothing."""
    return _reading["json" if raw[:64].lstrip()[:1] == b"[" else "msgpack"]
