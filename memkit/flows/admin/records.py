"""Stored records as JSON and back, also those of types and schemas that are not known here."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from memkit.clock import from_us
from memkit.codec.bombs import SMALL, check_json
from memkit.codec.serializers import JsonSerializer, MsgpackSerializer, serializer_of
from memkit.codec.wire import CREATED, FIELDS, ID, SCOPE, Binding, Codec
from memkit.errors import CorruptRecordError
from memkit.ids import pack_id, unpack_id
from memkit.records import Memory
from memkit.values import MAX_DEPTH, revive_map

__all__ = ["Bound", "bound", "to_json"]

_UUID_BYTES = 16
_MAX_ID = 1 << 16
# Values are nested MAX_DEPTH deep at most, and each of their levels may be tagged; the rest is for the record itself.
_DEEPEST = 4 * MAX_DEPTH

# A line holds some values more than its record.
_OTHERS = b"," * 64

_json = JsonSerializer()
_msgpack = MsgpackSerializer()


@frozen
class Bound:
    """A record as it will be stored.

    Attributes:
        id: wire form of its id.
        created_us: microseconds since 1970.
        wire: its bytes.
        record: what they say; None if their type or schema is not known here.
    """

    id: bytes | str
    created_us: int
    wire: bytes
    record: Memory | None


def to_json(codec: Codec, raw: bytes, binding: Binding) -> bytes:
    """The array of a stored record as JSON, with null for its scope; or as msgpack in bytes, where JSON will not do.

    Raises:
        CorruptRecordError: it is damaged, or belongs elsewhere; names the place.
        UnsupportedRecordError: it is compressed, and what reads it is not here.
    """
    raw = codec.plain(raw, binding.name)
    try:
        values = serializer_of(raw).unpack(raw)
    except ValueError as error:
        raise CorruptRecordError(f"a stored record is damaged: {error}", binding.name) from None
    _read(codec, raw, values, binding)
    values[SCOPE] = None
    try:
        packed = _json.pack(list(values))
        if len(packed) > SMALL:
            check_json(_OTHERS + packed)
    except (ValueError, TypeError, RecursionError):
        # With its tags, it holds more values than JSON is read with.
        return _json.element(_msgpack.pack(values))
    return packed


def bound(codec: Codec, element: Any, binding: Binding) -> Bound:
    """What `to_json` wrote, as a record of another place.

    Args:
        codec: writes it, and says how large it may be.
        element: what was written, its tags resolved.
        binding: the place.

    Raises:
        ValueError: it is no such record; the text of the error holds nothing of it.
    """
    try:
        values = _values(element)
        values[SCOPE] = binding.scope
        # It is what takes the least: ints of 64 bits, text for keys.
        wire, record_id = _msgpack.pack(values), values[ID]
        if codec.serializer.name != _msgpack.name:
            wire = codec.serializer.pack(list(values))
        record = _read(codec, wire, values, binding)
    except CorruptRecordError as error:
        raise ValueError(error.problem) from None
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        raise ValueError(f"it is none of memkit's ({type(error).__name__})") from None
    return Bound(record_id, values[CREATED], codec.compressed(wire), record)


def _values(element: Any) -> list[Any]:
    values = _msgpack.unpack(element) if type(element) is bytes else list(element)
    if type(values[ID]) is str:
        values[ID] = pack_id(values[ID])
    if not (_right_id(values) and _shallow(values)):
        raise ValueError("its id is none, or it is nested too deeply")
    return values


def _shallow(values: list[Any]) -> bool:
    level: list[Any] = [values]
    for _ in range(_DEEPEST):
        level = [child for item in level for child in _children(item) if type(child) in (list, dict)]
        if not level:
            return True
    return False


def _children(item: Any) -> Any:
    return item if type(item) is list else item.values()


def _read(codec: Codec, raw: bytes, values: list[Any], binding: Binding) -> Memory | None:
    """The record; None if its type or schema is not known here, and all that can be checked of it is right."""
    if not _right_id(values):
        raise CorruptRecordError("a stored record is damaged: its id is none", binding.name)
    if _is_known(codec, values):
        return codec.decode(raw, binding)
    if len(raw) > codec.max_bytes:
        raise CorruptRecordError(f"a stored record has {len(raw)} bytes, more than {codec.max_bytes}", binding.name)
    record_id = unpack_id(values[ID])
    if values[SCOPE] != binding.scope:
        raise CorruptRecordError("a record turned up that belongs to another place", binding.name, record_id)
    if not _right_head(values):
        raise CorruptRecordError("a stored record is damaged: its head is none", binding.name, record_id)
    return None


def _is_known(codec: Codec, values: list[Any]) -> bool:
    schema, name = values[:SCOPE]
    kind = codec.types.named(name) if type(name) is str else None
    return kind is not None and type(schema) is int and schema <= kind.schema


def _right_id(values: list[Any]) -> bool:
    if len(values) < FIELDS:
        return False
    wire = values[ID]
    if type(wire) is bytes:
        return len(wire) == _UUID_BYTES
    return type(wire) is str and 0 < len(wire) <= _MAX_ID and pack_id(wire) == wire


def _right_head(values: list[Any]) -> bool:
    schema, name, _, _, created, updated, version, metadata = values[:FIELDS]
    updated = created if updated is None else updated
    if type(name) is not str or any(type(number) is not int for number in (schema, created, updated, version)):
        return False
    try:
        from_us(created)
        from_us(updated)
        revive_map(metadata)
    except (ValueError, OverflowError):
        return False
    return bool(schema >= 1)
