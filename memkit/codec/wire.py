"""The wire record: ``[schema, type, scope, id, created_us, updated_us, version, metadata, fields…]``.

`scope` is a hash of where the record belongs, so that one that turns up elsewhere is refused.

`updated_us` is nil while it equals `created_us`. Trailing fields that hold their default are left out. Bytes that begin
with 0xC1, which msgpack never uses, are a record that is compressed, see `memkit.codec.compression`.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from attrs import field, frozen
from msgpack import unpackb

from memkit.clock import from_us
from memkit.codec.bombs import SMALL
from memkit.codec.compiled import QuickDump, QuickLoad
from memkit.codec.compression import MARK, Compression, Compressor
from memkit.codec.registry import RecordType, Registry, registry
from memkit.codec.serializers import MsgpackSerializer, Serializer, packers, refuse, serializer_of
from memkit.codec.shapes import dump_fields, load_fields
from memkit.errors import CodecError, CorruptRecordError, InvalidRecordError, UnknownRecordTypeError
from memkit.ids import unpack_id
from memkit.records import Memory
from memkit.values import RefusedValue, plain_map, revive_map

__all__ = ["CREATED", "FIELDS", "ID", "MAX_RECORD_BYTES", "SCOPE", "Binding", "Codec", "Envelope", "binding_of"]

MAX_RECORD_BYTES = 8 << 20
_SHOWN = 100

SCHEMA, TYPE, SCOPE, ID, CREATED, UPDATED, VERSION, METADATA = range(8)
FIELDS = 8
"""Places in the wire record; from `FIELDS` on stand those of its type."""
_BINARY = 0x80
"""Bytes that begin with this or more are no text."""


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
        max_bytes: a larger record is refused, in both directions; where it is compressed, before that.
        types: the record types that are known.
        compression: how it compresses; None: it does not. Whatever was compressed is read.
    """

    serializer: Serializer = field(factory=MsgpackSerializer)
    max_bytes: int = MAX_RECORD_BYTES
    types: Registry = field(default=registry, repr=False)
    compression: Compression | None = None
    _dumps: Mapping[type, QuickDump] = field(init=False, repr=False, eq=False)
    _loads: Mapping[str, QuickLoad] = field(init=False, repr=False, eq=False)
    _compressor: Compressor = field(init=False, repr=False, eq=False)
    _usual: int = field(init=False, repr=False, eq=False)
    _small: int = field(init=False, repr=False, eq=False)

    @_dumps.default
    def _(self) -> Mapping[type, QuickDump]:
        # They leave checks to msgpack that nothing else makes.
        return self.types.dumps if type(self.serializer) is MsgpackSerializer else {}

    @_loads.default
    def _(self) -> Mapping[str, QuickLoad]:
        return self.types.loads

    @_compressor.default
    def _(self) -> Compressor:
        return Compressor(self.compression)

    @_usual.default
    def _(self) -> int:
        return min(SMALL, self.max_bytes)

    @_small.default
    def _(self) -> int:
        return min(self._usual, self._compressor.above)

    def encode(self, record: Memory, envelope: Envelope, path: str) -> bytes:
        """The bytes of a record under an envelope; those of the record itself are not looked at.

        Raises:
            InvalidRecordError: a value cannot be stored; `path` names the record.
        """
        try:
            packed: bytes = packers.pack(self._dumps[type(record)](record, envelope))
            if len(packed) <= self._small:
                return packed
            if len(packed) <= self._usual:
                return self._compressor.compress(packed)
        except Exception:  # noqa: BLE001, S110 - what was unusual is found out below
            pass
        return self._encode_unusual(record, envelope, path)

    def _encode_unusual(self, record: Memory, envelope: Envelope, path: str) -> bytes:
        """`encode`, slowly: any record, or what is wrong with it."""
        kind = self._type_of(record, path)
        try:
            values = _values(record, kind, envelope)
        except RefusedValue as refused:
            raise InvalidRecordError(path + refused.path, refused.problem) from None
        return self._stored(self._pack(values, path), path)

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
        raw = self.plain(raw, path)
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
        return self._stored(_joined(old, elements, path), path)

    def rebound(self, raw: bytes, scope: int, path: str) -> bytes:
        """The bytes of a record that belongs elsewhere from now on; nothing else in them changes.

        Args:
            raw: the stored bytes, of a record that was decoded.
            scope: of the binding of its new place.
            path: names the record in errors.

        Raises:
            InvalidRecordError: it is larger than `max_bytes`.
        """
        raw = self.plain(raw, path)
        serializer = serializer_of(raw)
        elements = serializer.split(raw)
        elements[SCOPE] = serializer.element(scope)
        return self._stored(_joined(serializer, elements, path), path)

    def pack_map(self, value: Mapping[str, Any], path: str) -> bytes:
        """The bytes of a mapping that belongs to no record: in the form of a record, with nothing but metadata.

        Raises:
            InvalidRecordError: a value cannot be stored; `path` names the mapping.
        """
        try:
            metadata = plain_map(value)
        except RefusedValue as refused:
            raise InvalidRecordError(path + refused.path, refused.problem) from None
        return self._stored(self._pack([1, "map", 0, "", 0, None, 0, metadata], path), path)

    def unpack_map(self, raw: bytes, place: str) -> dict[str, Any]:
        """What `pack_map` packed.

        Raises:
            CorruptRecordError: the bytes are damaged; names the place.
            UnsupportedRecordError: see `plain`.
        """
        raw = self.plain(raw, place)
        try:
            return revive_map(serializer_of(raw).unpack(raw)[METADATA])
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
            # The error's own text could hold a piece of the data.
            problem = f"stored metadata is damaged: it is not what it should be ({type(error).__name__})"
            raise CorruptRecordError(problem, place) from None

    def compressed(self, packed: bytes) -> bytes:
        """The bytes to store of a record that was packed elsewhere and is not too large."""
        return self._compressor.compress(packed)

    def plain(self, raw: bytes, place: str) -> bytes:
        """Stored bytes as they were before they were compressed; the same where they were not.

        Raises:
            CorruptRecordError: they are compressed, and damaged or too large; names the place.
            UnsupportedRecordError: they are compressed, and what reads them is not here.
        """
        return self._compressor.decompress(raw, self.max_bytes, place) if raw.startswith(MARK) else raw

    def decode(self, raw: bytes, binding: Binding, head: tuple[int, int] | None = None) -> Memory:
        """The record of stored bytes.

        Args:
            raw: the bytes.
            binding: where they were found.
            head: version and microseconds of the creation, where they are kept beside the bytes; they count instead
                of those inside. `updated_at` is the one of the bytes.

        Raises:
            CorruptRecordError: the bytes are damaged, or belong elsewhere; names the place.
            UnknownRecordTypeError: their type is not registered here.
            UnsupportedRecordError: they are compressed, and what reads them is not here.
        """
        try:
            if len(raw) <= self._usual and raw[0] >= _BINARY:
                values = unpackb(raw, ext_hook=refuse, max_ext_len=0)
                return self._loads[values[TYPE]](values, binding.scope, head)
        except Exception:  # noqa: BLE001, S110 - what was unusual is found out below
            pass
        return self._decode_unusual(raw, binding, head)

    def decode_list(
        self, raws: Iterable[bytes], binding: Binding, head: tuple[int, int] | None = None, *, report: bool = False
    ) -> list[Memory | CodecError]:
        """The records of many stored bytes, in order.

        Args:
            raws: the bytes.
            binding: where all of them were found.
            head: as for `decode`; of each.
            report: an error stands in the place of a record that `decode` would raise it for.

        Raises:
            CodecError: as `decode`, for the first that is damaged, unless it is to be reported.
        """
        # Each is unpacked by itself: joined, bytes that are cut short could swallow their neighbours.
        loads, scope, usual = self._loads, binding.scope, self._usual
        out: list[Memory | CodecError] = []
        for raw in raws:
            try:
                if len(raw) <= usual and raw[0] >= _BINARY:
                    values = unpackb(raw, ext_hook=refuse, max_ext_len=0)
                    out.append(loads[values[TYPE]](values, scope, head))
                    continue
            except Exception:  # noqa: BLE001, S110 - as in `decode`
                pass
            decode = self._decode_or_report if report else self._decode_unusual
            out.append(decode(raw, binding, head))
        return out

    def _decode_or_report(self, raw: bytes, binding: Binding, head: tuple[int, int] | None) -> Memory | CodecError:
        try:
            return self._decode_unusual(raw, binding, head)
        except CodecError as error:
            return error

    def _decode_unusual(self, raw: bytes, binding: Binding, head: tuple[int, int] | None) -> Memory:
        """`decode`, slowly: any bytes, or what is wrong with them."""
        place = binding.name
        if len(raw) > self.max_bytes:
            raise CorruptRecordError(f"a stored record has {len(raw)} bytes, more than {self.max_bytes}", place)
        if raw.startswith(MARK):
            # What comes out does not begin so.
            return self.decode(self.plain(raw, place), binding, head)
        try:
            values = serializer_of(raw).unpack(raw)
        except ValueError as error:
            raise CorruptRecordError(f"a stored record is damaged: {error}", place) from None
        return self._record(values, binding, head)

    def _record(self, values: list[Any], binding: Binding, head: tuple[int, int] | None) -> Memory:
        record_id, place = None, binding.name
        try:
            schema, name, scope, wire_id, *_ = values
            record_id = unpack_id(wire_id)
            if scope != binding.scope:
                raise CorruptRecordError("a record turned up that belongs to another place", place, record_id)
            kind = self.types.named(name)
            if kind is None:
                raise UnknownRecordTypeError(f"the record type {name!r} is not registered", place, record_id)
            return _load(kind, schema, record_id, values, head)
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

    def _stored(self, packed: bytes, path: str) -> bytes:
        if len(packed) <= self.max_bytes:
            return self._compressor.compress(packed)
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


def _load(kind: RecordType, schema: int, record_id: str, values: list[Any], head: tuple[int, int] | None) -> Memory:
    created, updated, version, metadata = values[CREATED:FIELDS]
    if type(created) is not int or type(version) is not int:
        raise ValueError("the envelope is not made of ints")
    fields = _upcast(kind, schema, values[FIELDS:])
    created_at = from_us(created)
    return kind.cls(
        id=record_id,
        metadata=revive_map(metadata),
        created_at=created_at if head is None else from_us(head[1]),
        updated_at=created_at if updated is None else from_us(updated),
        version=version if head is None else head[0],
        **load_fields(fields, kind.fields),
    )


def _upcast(kind: RecordType, schema: int, fields: list[Any]) -> list[Any]:
    for step in range(schema, kind.schema):
        fields = kind.upcasters[step](fields)
    return fields
