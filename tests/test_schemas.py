"""Classes of users, older and newer schemas: what is stored is read by any version that knows it, or kept as it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Literal
from uuid import UUID

import attrs
import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from memkit import (
    ConfigurationError,
    InMemoryManager,
    InvalidRecordError,
    Memory,
    MemoryInput,
    TextPart,
    UnknownRecordTypeError,
    UserMessage,
    register,
)
from memkit.codec.registry import Registry
from memkit.codec.serializers import JsonSerializer, MsgpackSerializer
from memkit.codec.shapes import UnknownPart
from memkit.codec.wire import Binding, Codec, Envelope, binding_of
from memkit.commands import Entry, LogAppend, LogFind, Place
from tests.strategies import CONTENT, IDS, METADATA, VALUES, identical, in_utc, maybe

SERIALIZERS = {"msgpack": MsgpackSerializer(), "json": JsonSerializer()}
CODECS = pytest.mark.parametrize("codec", SERIALIZERS)
THERE = Binding("there", 7)
ENVELOPE = Envelope("an id", 1_700_000_000_000_001, 1_700_000_000_000_002, 3, THERE.scope)

# Classes of users


class Colour(Enum):
    """An enum inside of a record."""

    RED = "red"
    TWO = 2


class Odd(Enum):
    """An enum whose values cannot be stored."""

    POINT = (1, 2)


@frozen
class Address:
    """A class inside of a record."""

    street: str
    number: int | None = None


@register("test.everything")
@frozen
class Everything(Memory):
    """A field of every kind that may be declared."""

    text: str
    count: int
    ratio: float
    flag: bool
    raw: bytes
    moment: datetime
    anything: Any = None
    options: dict[str, Any] = attrs.field(factory=lambda: {"n": 1})
    many: list[int] = attrs.field(factory=lambda: [0])
    addresses: tuple[Address, ...] = ()
    perhaps: Address | None = None
    zero: float = 0.0
    level: Literal["low", 1, True] = "low"
    colour: Colour = Colour.RED
    things: list = attrs.field(factory=list)


@register("test.shout")
@frozen
class Shout(UserMessage):
    """A message of a user's own, still a UserMessage."""

    volume: int = attrs.field(default=11, kw_only=True)


@frozen
class Stranger(UserMessage):
    """Not registered."""


SHOUTS = st.builds(Shout, CONTENT, volume=st.integers(0, 20), id=maybe(IDS), metadata=METADATA)


@CODECS
@given(record=SHOUTS)
def test_a_subclass_comes_back_as_itself(codec, record):
    """A registered subclass of a message comes back as that subclass, and counts as the message that it is."""
    manager = InMemoryManager(codec=codec)
    record_id = manager.store(MemoryInput("c", data=[record]))
    (found,) = manager.retrieve(MemoryInput("c", filters={"role": "user"}))
    expected = evolve(record, id=record_id, version=1, created_at=found.created_at, updated_at=found.updated_at)
    assert identical(found, in_utc(expected))


def test_a_subclass_that_nobody_registered():
    """A subclass that is not registered is refused, not stored as its base."""
    with pytest.raises(InvalidRecordError) as caught:
        InMemoryManager().store(MemoryInput("c", data=[Stranger("x")]))
    assert caught.value.path == "data[0]"
    assert "memkit.register" in str(caught.value)


def test_a_class_that_is_gone():
    """A stored record whose class is not registered here is an error that names the class, not damage."""
    raw = Codec().encode(Shout("x"), ENVELOPE, "")
    with pytest.raises(UnknownRecordTypeError, match=r"test\.shout") as caught:
        Codec(types=Registry()).decode(raw, THERE)
    assert (caught.value.place, caught.value.record_id) == ("there", "an id")


def _registry(*entries):
    made = Registry()
    for entry in entries:
        made.add(*entry)
    return made


@frozen
class _NoteV1(Memory):
    title: str
    body: str = ""


@frozen
class _NoteV2(Memory):
    text: str


@frozen
class _NoteV3(Memory):
    text: str
    lines: int
    tags: tuple[str, ...] = ()


for _cls in (_NoteV1, _NoteV2, _NoteV3):
    _cls.__qualname__ = "Note"

UPCASTERS = {1: lambda fields: [" ".join(fields)], 2: lambda fields: [fields[0], fields[0].count("\n") + 1]}


@CODECS
@given(title=st.text(), body=st.text(min_size=1), metadata=METADATA)
def test_old_records_climb(codec, title, body, metadata):
    """A record of any older schema is read through every upcaster above it, envelope and metadata untouched."""
    first = Codec(SERIALIZERS[codec], types=_registry((_NoteV1, "test.note", 1, {})))
    second = Codec(SERIALIZERS[codec], types=_registry((_NoteV2, "test.note", 2, {1: UPCASTERS[1]})))
    third = Codec(SERIALIZERS[codec], types=_registry((_NoteV3, "test.note", 3, UPCASTERS)))
    text = f"{title} {body}"
    lines = text.count("\n") + 1
    for raw in (
        first.encode(_NoteV1(title, body, metadata=metadata), ENVELOPE, ""),
        second.encode(_NoteV2(text, metadata=metadata), ENVELOPE, ""),
        third.encode(_NoteV3(text, lines, metadata=metadata), ENVELOPE, ""),
    ):
        found = third.decode(raw, THERE)
        assert (type(found), found.text, found.lines, found.tags) == (_NoteV3, text, lines, ())
        assert (found.id, found.version) == ("an id", 3)
        assert identical(found.metadata, in_utc(metadata))


def test_upcasting_through_a_manager():
    """After a class was registered anew with a higher schema, its old records come back as the new class."""
    register("test.climber")(_climber({"a": int}))
    manager = InMemoryManager()
    manager.store(MemoryInput("c", data=[_latest["cls"](a=5, id="x")]))
    newer = _climber({"a": str, "b": int})
    register("test.climber", schema=2, upcasters={1: lambda fields: [str(fields[0]), 7]})(newer)
    (found,) = manager.retrieve(MemoryInput("c"))
    assert type(found) is newer
    assert (found.a, found.b) == ("5", 7)
    updated = manager.update(MemoryInput("c", memory_id="x", metadata={"seen": True}))
    assert (updated.a, updated.b, updated.metadata) == ("5", 7, {"seen": True})


_latest = {}


def _climber(fields):
    cls = attrs.make_class(
        "Climber", {name: attrs.field(type=kind) for name, kind in fields.items()}, bases=(Memory,), frozen=True
    )
    _latest["cls"] = cls
    return cls


def test_a_name_belongs_to_one_class():
    """Two classes cannot have the same name in the data."""
    with pytest.raises(ConfigurationError, match=r"test\.everything"):
        register("test.everything")(_climber({"a": int}))


# What a newer memkit wrote

C = binding_of("memkit", "SHORT_TERM_MEMORY", "c")
HEAD = [9, "usr", C.scope, "an id", 1_700_000_000_000_001, None, 1, {"old": 1}]
# The bytes of unknown fields as no packer of today would choose them: an int in 9 bytes, a str with a long header.
ODD = {
    "msgpack": [b"\xd3" + bytes(7) + b"\x01", b"\xdb\x00\x00\x00\x01a", b"\xdf\x00\x00\x00\x01\xa1k\xca?\x80\x00\x00"],
    "json": [b"1e2", b'"\\u0061"', b'{"k": [1.50, "\\/"] }'],
}
KNOWN = {"all": ["hello", None, False, None], "some": ["hello"], "none": []}


def _newer(codec, known, unknown):
    serializer = SERIALIZERS[codec]
    elements = [serializer.element(value) for value in [*HEAD, *KNOWN[known]]]
    return serializer.join([*elements, *unknown])


def _plant(raw):
    manager = InMemoryManager()
    manager.backend.execute(LogAppend(Place("c", "c", "log"), None, 0, (Entry("an id", raw, fresh=False),)))
    return manager


def _stored(manager):
    return manager.backend.execute(LogFind(Place("c", "c", "log"), None, "an id"))


@CODECS
def test_newer_fields_survive_a_metadata_update(codec):
    """An update of metadata leaves every field of a newer record byte for byte, and its schema too."""
    unknown = ODD[codec]
    manager = _plant(_newer(codec, "all", unknown))
    updated = manager.update(MemoryInput("c", memory_id="an id", metadata={"new": 2}))
    assert (updated.content, updated.version, updated.metadata) == ("hello", 2, {"old": 1, "new": 2})
    elements = SERIALIZERS[codec].split(_stored(manager))
    before = SERIALIZERS[codec].split(_newer(codec, "all", unknown))
    assert elements[12:] == unknown
    assert elements[8:12] == before[8:12]
    assert elements[:2] == before[:2]


@CODECS
def test_newer_fields_survive_an_update(codec):
    """An update of the data replaces the fields that are known, and leaves the others byte for byte."""
    manager = _plant(_newer(codec, "all", ODD[codec]))
    updated = manager.update(MemoryInput("c", memory_id="an id", data=[UserMessage("bye", name="ann", tokens=5)]))
    assert (updated.content, updated.name, updated.pinned, updated.tokens) == ("bye", "ann", False, 5)
    elements = SERIALIZERS[codec].split(_stored(manager))
    assert elements[12:] == ODD[codec]
    assert elements[0] == b"\x09" if codec == "msgpack" else b"9"


@CODECS
@pytest.mark.parametrize("known", ["some", "none"])
def test_an_update_of_a_short_newer_record(codec, known):
    """A newer record that left its defaults out takes every field of an update."""
    manager = _plant(_newer(codec, known, []))
    new = UserMessage("bye", name="ann", pinned=True, tokens=5)
    updated = manager.update(MemoryInput("c", memory_id="an id", data=[new]))
    assert (updated.content, updated.name, updated.pinned, updated.tokens) == ("bye", "ann", True, 5)


@CODECS
def test_unknown_parts_survive(codec):
    """A part of a kind that is unknown here is kept verbatim through reading, storing and updating."""
    part = ["hologram", "data", {"deep": [1, None, True]}, 5]
    serializer = SERIALIZERS[codec]
    raw = serializer.join([serializer.element(value) for value in [*HEAD, [["text", "a"], part]]])
    manager = _plant(raw)
    (found,) = manager.retrieve(MemoryInput("c"))
    assert found.content[0] == TextPart("a")
    assert isinstance(found.content[1], UnknownPart)
    manager.store(MemoryInput("other", data=[found]))
    manager.update(MemoryInput("c", memory_id="an id", data=[found]))
    (copy,) = manager.retrieve(MemoryInput("other"))
    assert copy.content == found.content
    assert serializer.unpack(_stored(manager))[8][1] == part


@CODECS
def test_a_newer_record_stays_readable(codec):
    """An update that would make a newer record larger than a reader accepts is refused."""
    many = 60_000
    serializer = SERIALIZERS[codec]
    manager = _plant(_newer(codec, "all", [serializer.element([0] * many)]))
    assert len(manager.retrieve(MemoryInput("c"))) == 1
    with pytest.raises(InvalidRecordError):
        manager.update(MemoryInput("c", memory_id="an id", metadata={"many": [0] * many}))
    assert len(manager.retrieve(MemoryInput("c"))) == 1


@CODECS
@given(
    text=st.text(),
    count=st.integers(-(1 << 63), (1 << 64) - 1),
    ratio=st.floats(),
    flag=st.booleans(),
    raw=st.binary(),
    moment=st.datetimes(timezones=st.just(UTC)),
    anything=VALUES,
    options=METADATA | st.sampled_from([{"n": 1}, {"n": True}, {"n": 1.0}]),
    many=st.lists(st.integers(-5, 5)) | st.sampled_from([[0], []]),
    addresses=st.lists(st.builds(Address, st.text(), maybe(st.integers(0, 9)))).map(tuple),
    perhaps=maybe(st.builds(Address, st.text())),
    zero=st.sampled_from([0.0, -0.0, 1.0]),
    level=st.sampled_from(["low", 1, True]),
    colour=st.sampled_from(Colour),
    things=st.lists(VALUES, max_size=2),
)
def test_every_kind_of_field(codec, **fields):
    """A registered class with a field of every kind comes back as it was, defaults and almost-defaults included."""
    wire = Codec(SERIALIZERS[codec])
    found = wire.decode(wire.encode(Everything(**fields), ENVELOPE, ""), THERE)
    assert identical({name: getattr(found, name) for name in fields}, in_utc(fields))


UNSUPPORTED = [
    object,
    complex,
    bytearray,
    set[str],
    frozenset[int],
    dict[int, str],
    dict[str, int],
    tuple[int, str],
    list[set[int]],
    int | str,
    date,
    Decimal,
    UUID,
    PurePath,
    Odd,
    Literal[b"a"],
    deque[int],
    Callable[[], int],
]


@pytest.mark.parametrize("kind", UNSUPPORTED, ids=str)
def test_a_field_that_cannot_be_declared(kind):
    """A class with a field of a type that has no lossless form is refused when it is registered, and named."""
    cls = attrs.make_class("Peculiar", {"odd": attrs.field(type=kind)}, bases=(Memory,), frozen=True)
    with pytest.raises(ConfigurationError, match="Peculiar"):
        register("test.odd")(cls)
