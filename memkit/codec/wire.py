"""The wire record: ``[schema, type, scope, id, created_us, updated_us, version, metadata, fields…]``.

`scope` is a hash of where the record belongs, so that one that turns up elsewhere is refused.

`updated_us` is nil while it equals `created_us`. Trailing fields that hold their default are left out. Bytes that begin
with 0xC1, which msgpack never uses, are kept for compressed and encrypted records.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from attrs import field, frozen

from memkit.clock import from_us
from memkit.codec.registry import RecordType, Registry, registry
from memkit.codec.serializers import MsgpackSerializer, Serializer, serializer_of
from memkit.codec.shapes import dump_fields, load_fields
from memkit.errors import CorruptRecordError, InvalidRecordError, UnknownRecordTypeError
from memkit.ids import unpack_id
from memkit.records import Memory
from memkit.values import RefusedValue, plain_map, revive_map

__all__ = ["CREATED", "FIELDS", "ID", "MAX_RECORD_BYTES", "SCOPE", "Binding", "Codec", "Envelope", "binding_of"]

MAX_RECORD_BYTES = 8 << 20
_SHOWN = 100

SCHEMA, TYPE, SCOPE, ID, CREATED, UPDATED, VERSION, METADATA = range(8)
FIELDS = 8
"""Places in the wire record; from `FIELDS` on stand those of its type."""


class Binding(NamedTuple):
    """Where a record belongs.

    Attributes:
        name: as errors call it.
        scope: the hash that stands in the record.
    """

    name: str
    scope: int


@functools.lru_cache(maxsize=4096)
def binding_of(namespace: str, kind: str, conversation_id: str) -> Binding:
    """The binding of one memory of a conversation.

    Args:
        namespace: of the manager.
        kind: which memory.
        conversation_id: which conversation.
    """
    seed = f"{len(namespace)}:{namespace}:{kind}:{conversation_id}".encode()
    scope = int.from_bytes(hashlib.blake2b(seed, digest_size=4).digest(), "big")
    shown = conversation_id if len(conversation_id) <= _SHOWN else conversation_id[:_SHOWN] + "…"
    return Binding(f"{kind} of conversation {shown!r}", scope)


class Envelope(NamedTuple):
    """What a record is stored under.

    Attributes:
        id: wire form of the id: 16 bytes for a UUID, else text.
        created_us: microseconds since 1970.
        updated_us: microseconds since 1970.
        version: 1 after the first store.
        scope: see `Binding`.
    """

    id: bytes | str
    created_us: int
    updated_us: int
    version: int
    scope: int = 0


@frozen
class Codec:
    """Records to bytes and back.

    Attributes:
        serializer: writes; whatever wrote a record, it is read.
        max_bytes: a larger record is refused, in both directions.
        types: the record types that are known.
    """

    serializer: Serializer = field(factory=MsgpackSerializer)
    max_bytes: int = MAX_RECORD_BYTES
    types: Registry = field(default=registry, repr=False)

    def encode(self, record: Memory, envelope: Envelope, path: str) -> bytes:
        """The bytes of a record under an envelope; those of the record itself are not looked at.

        Raises:
            InvalidRecordError: a value cannot be stored; `path` names the record.
        """
        kind = self._type_of(record, path)
        try:
            values = _values(record, kind, envelope)
        except RefusedValue as refused:
            raise InvalidRecordError(path + refused.path, refused.problem) from None
        return self._sized(self._pack(values, path), path)

    def rewrite(self, raw: bytes, record: Memory, envelope: Envelope, path: str, *, keep_fields: bool) -> bytes:
        """The bytes that replace `raw`: fields that a newer schema added stay as they were written.

        Args:
            raw: the stored bytes.
            record: the record as it shall be.
            envelope: as it shall be.
            path: names the record in errors.
            keep_fields: only the envelope and the metadata change; every field stays byte for byte.

        Raises:
            InvalidRecordError: a value cannot be stored.
        """
        kind = self._type_of(record, path)
        old = serializer_of(raw)
        values = old.unpack(raw)
        newer = values[TYPE] == kind.name and values[SCHEMA] > kind.schema
        if not (newer or keep_fields):
            return self.encode(record, envelope, path)
        codec = Codec(old, self.max_bytes, self.types)
        fresh = old.split(codec.encode(record, envelope, path))
        elements = old.split(raw)
        elements[SCOPE:FIELDS] = fresh[SCOPE:FIELDS]
        if not keep_fields:
            elements[FIELDS : FIELDS + len(kind.fields)] = _padded(record, kind, old)
        return self._sized(_joined(old, elements, path), path)

    def rebound(self, raw: bytes, scope: int, path: str) -> bytes:
        """The bytes of a record that belongs elsewhere from now on; nothing else in them changes.

        Args:
            raw: the stored bytes, of a record that was decoded.
            scope: of the binding of its new place.
            path: names the record in errors.

        Raises:
            InvalidRecordError: it is larger than `max_bytes`.
        """
        serializer = serializer_of(raw)
        elements = serializer.split(raw)
        elements[SCOPE] = serializer.element(scope)
        return self._sized(_joined(serializer, elements, path), path)

    def pack_map(self, value: Mapping[str, Any], path: str) -> bytes:
        """The bytes of a mapping that belongs to no record: in the form of a record, with nothing but metadata.

        Raises:
            InvalidRecordError: a value cannot be stored; `path` names the mapping.
        """
        try:
            metadata = plain_map(value)
        except RefusedValue as refused:
            raise InvalidRecordError(path + refused.path, refused.problem) from None
        return self._sized(self._pack([1, "map", 0, "", 0, None, 0, metadata], path), path)

    def unpack_map(self, raw: bytes, place: str) -> dict[str, Any]:
        """What `pack_map` packed.

        Raises:
            CorruptRecordError: the bytes are damaged; names the place.
        """
        try:
            return revive_map(serializer_of(raw).unpack(raw)[METADATA])
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
            # The error's own text could hold a piece of the data.
            problem = f"stored metadata is damaged: it is not what it should be ({type(error).__name__})"
            raise CorruptRecordError(problem, place) from None

    def decode(self, raw: bytes, binding: Binding) -> Memory:
        """The record of stored bytes.

        Raises:
            CorruptRecordError: the bytes are damaged, or belong elsewhere; names the place.
            UnknownRecordTypeError: their type is not registered here.
        """
        place = binding.name
        if len(raw) > self.max_bytes:
            raise CorruptRecordError(f"a stored record has {len(raw)} bytes, more than {self.max_bytes}", place)
        try:
            values = serializer_of(raw).unpack(raw)
        except ValueError as error:
            raise CorruptRecordError(f"a stored record is damaged: {error}", place) from None
        return self._record(values, binding)

    def _record(self, values: list[Any], binding: Binding) -> Memory:
        record_id, place = None, binding.name
        try:
            schema, name, scope, wire_id, *_ = values
            record_id = unpack_id(wire_id)
            if scope != binding.scope:
                raise CorruptRecordError("a record turned up that belongs to another place", place, record_id)
            kind = self.types.named(name)
            if kind is None:
                raise UnknownRecordTypeError(f"the record type {name!r} is not registered", place, record_id)
            return _load(kind, schema, record_id, values)
        except (ValueError, TypeError, LookupError, OverflowError, AttributeError, RecursionError) as error:
            # The error's own text could hold a piece of the data.
            problem = f"a stored record is damaged: it is not what its type says ({type(error).__name__})"
            raise CorruptRecordError(problem, place, record_id) from None

    def _type_of(self, record: Memory, path: str) -> RecordType:
        kind = self.types.of(type(record))
        if kind is None:
            cure = "use a record of memkit, or register the class with memkit.register"
            raise InvalidRecordError(path, f"is of type {type(record).__name__}: {cure}")
        return kind

    def _pack(self, values: list[Any], path: str) -> bytes:
        try:
            return self.serializer.pack(values)
        except ValueError as error:
            raise InvalidRecordError(path, str(error)) from None

    def _sized(self, packed: bytes, path: str) -> bytes:
        if len(packed) <= self.max_bytes:
            return packed
        cure = f"the limit is {self.max_bytes}: keep large data elsewhere and store a reference"
        raise InvalidRecordError(path, f"takes {len(packed)} bytes, {cure}")


def _values(record: Memory, kind: RecordType, envelope: Envelope) -> list[Any]:
    try:
        metadata = plain_map(record.metadata)
    except RefusedValue as refused:
        raise refused.under(".metadata") from None
    updated = None if envelope.updated_us == envelope.created_us else envelope.updated_us
    head = [
        kind.schema,
        kind.name,
        envelope.scope,
        envelope.id,
        envelope.created_us,
        updated,
        envelope.version,
        metadata,
    ]
    fields = dump_fields(record, kind.fields)
    return head + (_trimmed(fields, kind) if kind.trims else fields)


def _trimmed(values: list[Any], kind: RecordType) -> list[Any]:
    count = len(values)
    while count and _is_default(values[count - 1], kind.fields[count - 1].plain_default):
        count -= 1
    return values[:count]


def _is_default(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def _joined(serializer: Serializer, elements: list[bytes], path: str) -> bytes:
    try:
        return serializer.join(elements)
    except ValueError as error:
        raise InvalidRecordError(path, str(error)) from None


def _padded(record: Memory, kind: RecordType, serializer: Serializer) -> list[bytes]:
    return [serializer.element(value) for value in dump_fields(record, kind.fields)]


def _load(kind: RecordType, schema: int, record_id: str, values: list[Any]) -> Memory:
    created, updated, version, metadata = values[CREATED:FIELDS]
    if type(created) is not int or type(version) is not int:
        raise ValueError("the envelope is not made of ints")
    fields = _upcast(kind, schema, values[FIELDS:])
    created_at = from_us(created)
    return kind.cls(
        id=record_id,
        metadata=revive_map(metadata),
        created_at=created_at,
        updated_at=created_at if updated is None else from_us(updated),
        version=version,
        **load_fields(fields, kind.fields),
    )


def _upcast(kind: RecordType, schema: int, fields: list[Any]) -> list[Any]:
    for step in range(schema, kind.schema):
        fields = kind.upcasters[step](fields)
    return fields
