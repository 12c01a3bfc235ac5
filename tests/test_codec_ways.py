"""The codec has a quick way for usual records and a thorough one for all: nobody can tell by which a record went."""

from __future__ import annotations

import copy
import pickle
import threading
import weakref
from collections import OrderedDict
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from unittest.mock import Mock

import attrs
import msgpack
import pytest
from attrs import evolve, frozen
from hypothesis import example, given, settings
from hypothesis import strategies as st

from memkit import (
    AssistantMessage,
    CodecError,
    ImagePart,
    InvalidRecordError,
    Memory,
    RawPart,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
    WorkingMemory,
)
from memkit.clock import from_us
from memkit.codec.bombs import SMALL
from memkit.codec.registry import Registry, registry
from memkit.codec.serializers import JsonSerializer, packers
from memkit.codec.wire import FIELDS, Binding, Codec, Envelope
from memkit.ids import pack_id
from memkit.values import revive_map
from tests.strategies import ASSISTANT_MESSAGES, IDS, RECORDS, USER_MESSAGES, identical, in_utc
from tests.test_bombs import BOMBS, EXTENSIONS
from tests.test_roundtrip import UNFIT, buried, mutated

CODEC, JSON = Codec(), Codec(JsonSerializer())
THERE = Binding("there", 7)
TIMES = st.integers(-(10**15), 2 * 10**15)
ENVELOPES = st.builds(
    Envelope, IDS.map(pack_id), TIMES, TIMES, st.integers(0, 1 << 40), st.just(THERE.scope)
) | st.builds(lambda wire_id, us: Envelope(wire_id, us, us, 1, THERE.scope), IDS.map(pack_id), TIMES)
ENVELOPE = Envelope(bytes(range(16)), 1_700_000_000_000_001, 1_700_000_000_000_002, 3, THERE.scope)
CALLED = AssistantMessage("Oslo?", tool_calls=[ToolCall("1", "f", {"a": 1, "b": [2]})], metadata={"a": 1, "b": "c"})


def outcome(call, *args, **kwargs):
    """What a call returns, or the error that it raises, in a form that can be compared."""
    try:
        return call(*args, **kwargs)
    except (CodecError, InvalidRecordError, OverflowError) as error:
        return type(error), str(error), {name: str(value) for name, value in vars(error).items()}


# Writing


def deep(levels, innermost=()):
    """So many containers, one in the other."""
    value = list(innermost) if isinstance(innermost, tuple) else dict(innermost)
    for level in range(levels - 1):
        value = {"a": value, "b": 1} if level % 2 else [1, value]
    return value


class _Text(str):
    __slots__ = ()


@frozen
class _Call(ToolCall):
    """A tool call, but of another class."""


@frozen
class _TextPart(TextPart):
    """A part of a class that memkit does not know."""


ODD = [
    *UNFIT,
    *(deep(levels) for levels in (62, 63, 64, 65, 66)),
    *({"a": deep(levels), "b": 1} for levels in (62, 63, 64, 65)),
    *({"a": deep(levels, {}), "b": 1} for levels in (62, 63, 64, 65)),
    None,
    True,
    0,
    1.5,
    "",
    "text",
    b"x",
    [],
    (),
    {},
    ["text"],
    (None,),
    Mock(spec=str),
    MappingProxyType({"a": 1, "b": 2}),
    OrderedDict(a=1, b=2),
    {1: 2, "b": 3},
    {"b": 3, b"a": 2},
    {"a": {1: 2, "b": 3}, "b": [{None: 1, "c": 2}]},
    {"$time": 1},
    {"$map": {"$x": 1}},
    {"a": {"$": None}, "b": [{"$bytes": 1}]},
    {_Text("a"): 1, "b": 2},
    {"a": datetime(2024, 5, 17, tzinfo=UTC)},
    {"a": "\ud800", "b": 1},
    {"a": 1 << 64, "b": 1},
    (TextPart("a"), ImagePart(data="x")),
    (TextPart("a"), RawPart({"a": {1: 2}, "b": 3})),
    (TextPart("a"), Mock(spec=TextPart)),
    (RawPart({"a": 1, "b": (2,)}), TextPart("a")),
    (ToolCall("1", "f", {"a": {1}, "b": 2}),),
    (ToolCall("1", 2),),
    (ToolCall("1", "f"), ToolCall("2", "g", {"$": {"$": 1}})),
    [ToolCall("1", "f")],
    (_Call("1", "f"),),
    (TextPart("a"), _TextPart("b")),
]


@st.composite
def odd_records(draw):
    """A record with something odd in one of its fields, or an unfit value somewhere in its metadata."""
    record = draw(RECORDS)
    name = draw(st.sampled_from([item.name for item in attrs.fields(type(record)) if item.name != "id"]))
    value = draw(buried())[0] if name == "metadata" else draw(st.sampled_from(ODD))
    return evolve(record, **{name: value})


@settings(max_examples=300)
@given(record=RECORDS | odd_records(), envelope=ENVELOPES)
def test_both_ways_write_the_same(record, envelope):
    """Any record, fit or not, is written in the same bytes, or refused with the same error, as by the thorough way."""
    assert outcome(JSON.encode, record, envelope, "x") == outcome(JSON._encode_unusual, record, envelope, "x")
    thorough = outcome(CODEC._encode_unusual, record, envelope, "data[0]")
    assert outcome(CODEC.encode, record, envelope, "data[0]") == thorough
    try:
        quick = packers.pack(registry.dumps[type(record)](record, envelope))
    except Exception:  # noqa: BLE001 - a doubt may be of any kind
        return
    assert quick == thorough


@pytest.mark.parametrize("value", ODD, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    "record", [CALLED, WorkingMemory("x"), ToolMessage("x", tool_call_id="1")], ids=lambda record: type(record).__name__
)
def test_one_odd_field(record, value):
    """The same for each odd value in each field, without luck."""
    for item in attrs.fields(type(record)):
        odd = evolve(record, **{item.name: value})
        expected = outcome(CODEC._encode_unusual, odd, ENVELOPE, "x")
        assert outcome(CODEC.encode, odd, ENVELOPE, "x") == expected, item.name


def _fail(*_args, **_kwargs):
    pytest.fail("the thorough way was taken")


def quick_only():
    """Fail if the thorough way is taken."""
    patch = pytest.MonkeyPatch()
    patch.setattr(Codec, "_encode_unusual", _fail)
    patch.setattr(Codec, "_decode_unusual", _fail)
    return patch


@given(record=RECORDS, envelope=ENVELOPES)
def test_usual_records_go_the_quick_way(record, envelope):
    """Whatever is fit is written and read without the thorough way, and comes back as it was."""
    patch = quick_only()
    try:
        found = CODEC.decode(CODEC.encode(record, envelope, ""), THERE)
    finally:
        patch.undo()
    given_envelope = {name: getattr(found, name) for name in ("id", "created_at", "updated_at", "version")}
    assert identical(found, in_utc(evolve(record, **given_envelope)))
    assert (pack_id(found.id), found.version) == (envelope.id, envelope.version)
    assert (found.created_at, found.updated_at) == (from_us(envelope.created_us), from_us(envelope.updated_us))


def test_parts_that_nobody_knows_go_the_quick_way():
    """A part of a kind that a newer memkit wrote costs its neighbours nothing, and is written as it was read."""
    values = msgpack.unpackb(CODEC.encode(UserMessage("x"), ENVELOPE, ""))
    raw = msgpack.packb([*values[:FIELDS], [["text", "a"], ["hologram", {"$time": 5}, [1]]]])
    patch = quick_only()
    try:
        assert CODEC.encode(CODEC.decode(raw, THERE), ENVELOPE, "") == raw
    finally:
        patch.undo()


def test_a_record_is_not_touched():
    """Writing changes nothing in the record that is written, however deep its values are converted."""
    moment = datetime(2024, 5, 17, tzinfo=UTC)
    values = {"a": moment, "b": [moment, {"c": moment, "d": 1}], "e": {"$": moment}}
    record = AssistantMessage("x", metadata=values, usage=values, tool_calls=[ToolCall("1", "f", values)])
    before = copy.deepcopy(record)
    CODEC.encode(record, ENVELOPE, "")
    assert identical(record, before)


@pytest.mark.parametrize("limit", [100, SMALL - 1, SMALL, SMALL + 1, 2 * SMALL])
def test_sizes(limit):
    """Around every limit a record is written, refused and read the same both ways."""
    codec, head = Codec(max_bytes=limit), len(CODEC.encode(UserMessage("x" * limit), ENVELOPE, "")) - limit
    for size in (limit - head - 1, limit - head, limit - head + 1):
        record = UserMessage("x" * size)
        assert outcome(codec.encode, record, ENVELOPE, "x") == outcome(codec._encode_unusual, record, ENVELOPE, "x")
        raw = CODEC.encode(record, ENVELOPE, "")
        assert isinstance(outcome(codec.decode, raw, THERE), UserMessage) == (len(raw) <= limit)
        assert isinstance(codec.decode_list([raw], THERE, report=True)[0], UserMessage) == (len(raw) <= limit)


def test_what_is_packed_is_not_shared():
    """What was checked cannot be changed by anybody else before it is packed: every container is a copy."""
    values = {"a": {"b": {"c": 1, "d": 2}, "e": [[1], {}]}, "f": [[], {"g": 1}], "h": {}}
    calls = [
        ToolCall("1", "f", {"a": 1, "b": 2}),
        ToolCall("2", "f", values),
        ToolCall("3", "f"),
        ToolCall("4", "f", {"a": 1}),
    ]
    record = AssistantMessage("x", metadata=values, usage={"a": 1, "b": 2}, tool_calls=calls, finish_reason="stop")
    packed = registry.dumps[AssistantMessage](record, ENVELOPE)
    given = [record.metadata, record.usage, *(call.arguments for call in calls)]
    assert not {id(item) for item in containers(packed)} & {id(item) for item in containers(given)[1:]}


def containers(value):
    """A value and all that it holds, as far as it can be changed."""
    inner = value.values() if isinstance(value, dict) else value
    return [value, *(more for item in inner if isinstance(item, list | dict) for more in containers(item))]


def test_a_refusal_leaves_nothing_behind():
    """After a record was refused half-way, the next has its own bytes and no others, in every thread."""
    expected = CODEC.encode(CALLED, ENVELOPE, "")
    found = []

    def write():
        for bad in ("\ud800", 1 << 64, object()):
            with pytest.raises(InvalidRecordError):
                CODEC.encode(evolve(CALLED, metadata={"a": "x" * 5000, "b": bad}), ENVELOPE, "")
            found.append(CODEC.encode(CALLED, ENVELOPE, ""))

    _in_threads(write, 4)
    assert found == [expected] * 12


def _in_threads(target, count):
    threads = [threading.Thread(target=target) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_packer_belongs_to_a_thread():
    """No two threads pack into one buffer; one thread keeps its packer."""
    found = []
    _in_threads(lambda: found.append((packers.pack, packers.pack)), 3)
    assert all(one is two for one, two in found)
    assert len({id(pack.__self__) for pack, _ in found}) == 3


# Reading


@settings(max_examples=400)
@given(data=st.data(), record=RECORDS)
def test_both_ways_read_the_same(data, record):
    """Any bytes, damaged or not, are read as the same record or refused with the same error as by the thorough way."""
    raw = CODEC.encode(record, ENVELOPE, "")
    damaged = data.draw(mutated(raw))
    for stored in (raw, damaged, damaged[:-1]):
        _same_both_ways(stored)


def _same_both_ways(raw):
    thorough = outcome(CODEC._decode_unusual, raw, THERE, None)
    found = outcome(CODEC.decode, raw, THERE)
    assert identical(found, thorough)


ELEMENTS = [None, True, 0, 1, 1.0, -1, 1.5, "", "x", "usr", "text", b"", b"x", bytes(16), 1 << 63, [], [[]], [["text"]]]
ELEMENTS += [["text", "a"], [["text", 5]], [["text", "a", "b"]], [["new", 1]], [[["text"]]], [{}], {}, {"a": {}}]
ELEMENTS += [{"$time": 5}, {"$time": "x"}, {"$map": {"a": 1}}, {"$map": []}, {"$new": 1}, {"a": {"$new": 1}, "b": 2}]
ELEMENTS += [{"a": {}, b"b": 1}, {b"a": 1, "b": 2}, {b"a": 1}, [["1", "f", {b"a": 1, "b": 2}]], [["1", "f"]], [["1"]]]
ELEMENTS += [[["1", 2, {}]], [["1", "f", []]], [["1", "f", {}, 5]], [["raw", {"a": [{"$new": 1}], "b": 2}]]]
WRITTEN = [
    CALLED,
    AssistantMessage("x", usage={"a": 1, "b": 2}, finish_reason="stop"),
    UserMessage((TextPart("a"), RawPart({"a": 1})), name="x", pinned=True, tokens=5),
    ToolMessage("x", tool_call_id="1", is_error=True),
    WorkingMemory("x"),
]


@pytest.mark.parametrize("record", WRITTEN, ids=lambda record: type(record).__name__)
@pytest.mark.parametrize("at", range(16))
def test_one_odd_element(record, at):
    """A record with any one element exchanged, left out, or put in, is read the same both ways."""
    values = msgpack.unpackb(CODEC.encode(record, ENVELOPE, ""))
    _same_both_ways(msgpack.packb(values[:at]))
    _same_both_ways(msgpack.packb(values[:at] + values[at + 1 :]))
    for odd in ELEMENTS:
        _same_both_ways(msgpack.packb([*values[:at], odd, *values[at + 1 :]]))
        _same_both_ways(msgpack.packb([*values[:at], odd, *values[at:]]))


def test_a_key_that_is_no_text_behind_a_nested_value():
    """A key that is no text is damage wherever it stands, behind values of any kind."""
    values = msgpack.unpackb(CODEC.encode(UserMessage("x"), ENVELOPE, ""))
    for metadata in ({"a": [], b"b": 1}, {"a": {}, b"b": 1}, {"a": {"b": [], b"c": 1}, "d": 1}, {b"a": 1}):
        values[FIELDS - 1] = metadata
        with pytest.raises(CodecError):
            CODEC.decode(msgpack.packb(values), THERE)


def test_what_is_revived_is_left_alone():
    """The written form stays as it is when values are made of it."""
    for written in ({"a": [{"$time": 5}], "b": {"c": {"$map": {"$x": 1}}}}, {"a": [[{"$time": 5}]]}):
        before = copy.deepcopy(written)
        assert revive_map(written) != before
        assert written == before


@pytest.mark.parametrize("raw", [*EXTENSIONS, *BOMBS.values()], ids=lambda raw: raw[:8].hex())
def test_a_list_of_bombs(raw):
    """What is refused as a record is refused in a list: extension types and small bytes that unpack into much."""
    head = msgpack.packb([1, "usr", THERE.scope, "an id", 5, None, 1])[1:]
    for stored in (raw, b"\x98" + head + b"\x82\xa1a\x01\xa1b" + raw):
        with pytest.raises(CodecError):
            CODEC.decode_list([stored], THERE)


def test_trailing_defaults_are_given_anew():
    """A default that is left out in the bytes is made anew for each record: no two share a list or a dict."""

    @frozen
    class Listing(Memory):
        text: str
        options: dict[str, Any] = attrs.field(factory=dict)
        many: list[int] = attrs.field(factory=list)
        last: str | None = None

    types = Registry()
    types.add(Listing, "test.listing", 1, {})
    codec = Codec(types=types)
    values = msgpack.unpackb(codec.encode(Listing("x"), ENVELOPE, ""))
    for count in range(FIELDS + 1, len(values) + 1):
        raw = msgpack.packb(values[:count])
        one, two = codec.decode(raw, THERE), codec.decode(raw, THERE)
        assert one == two == evolve(one, text="x", options={}, many=[], last=None)
        assert one.options is not two.options
        assert one.many is not two.many


# What the quick way builds


@given(record=ASSISTANT_MESSAGES | USER_MESSAGES)
@example(CALLED)
def test_what_is_read_is_like_what_is_made(record):
    """A record that was read cannot be told from one that was made: equal, frozen, copied, pickled, evolved."""
    found = CODEC.decode(CODEC.encode(record, ENVELOPE, ""), THERE)
    values = {item.name: getattr(found, item.name) for item in attrs.fields(type(record))}
    made = type(record)(**values)
    assert type(found) is type(made)
    assert repr(found) == repr(made)
    assert identical(found, made)
    for again in (copy.copy(found), copy.deepcopy(found), pickle.loads(pickle.dumps(found)), evolve(found)):  # noqa: S301
        assert type(again) is type(made)
        assert identical(again, made)
    assert attrs.asdict(found, recurse=False) == attrs.asdict(made, recurse=False)
    parts = found.content if isinstance(found.content, tuple) else ()
    for thing in (found, *parts, *getattr(found, "tool_calls", ())):
        assert weakref.ref(thing)() is thing
        name = attrs.fields(type(thing))[0].name
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(thing, name, None)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            delattr(thing, name)
        assert not type(thing).__name__.startswith("_")


def test_parts_and_calls_are_hashable_and_match():
    """What is read can be put into sets and matched by patterns like what is made."""
    record = UserMessage((TextPart("a"), ImagePart(url="b")))
    found = CODEC.decode(CODEC.encode(record, ENVELOPE, ""), THERE)
    assert set(found.content) == set(record.content)
    match found:
        case UserMessage(content=(TextPart(text="a"), ImagePart(url="b"))):
            pass
        case _:
            pytest.fail("it did not match")


# Classes of users


@frozen
class _Point:
    x: int
    y: int | None = None


@attrs.define(slots=False)
class _Careful(Memory):
    """All that a constructor can do."""

    _secret: str
    count: int = attrs.field(validator=attrs.validators.ge(0), converter=int)
    renamed: str = attrs.field(alias="other", default="x")
    points: list[_Point] = attrs.field(factory=list, kw_only=True)

    def __attrs_post_init__(self):
        object.__setattr__(self, "seen", True)


@frozen
class _Wide(Memory):
    """More than ten fields, with objects and lists among them."""

    f0: _Point
    f1: _Point | None
    f2: list[_Point]
    f3: tuple[str, ...]
    f4: list[list[int]]
    f5: str
    f6: str
    f7: str
    f8: str
    f9: datetime | None
    f10: str
    f11: tuple[_Point, ...] | None
    f12: list[Any] = attrs.field(factory=list)


@frozen
class _Pair:
    left: str
    right: str = ""


@frozen
class _Pairs(Memory):
    pair: _Pair
    more: list[_Pair] = attrs.field(factory=list)


@frozen
class _Named(Memory):
    """Names that the functions of the codec could take for their own."""

    x: int
    n1: str
    e: str = ""
    head: str = ""
    scope: int = 0
    item: list[int] = attrs.field(factory=list)
    Doubt: bool = False
    created: str | None = None


USERS = Registry()
for _cls in (_Careful, _Wide, _Named, _Pairs):
    USERS.add(_cls, f"test.{_cls.__name__.lower()}", 1, {})
POINTS = st.builds(_Point, st.integers(0, 9), st.none() | st.integers(0, 9))
TEXTS = st.text(max_size=3)
WIDE = st.builds(
    _Wide,
    POINTS,
    st.none() | POINTS,
    st.lists(POINTS, max_size=3),
    st.lists(TEXTS, max_size=3).map(tuple),
    st.lists(st.lists(st.integers(0, 3), max_size=2), max_size=2),
    TEXTS,
    TEXTS,
    TEXTS,
    TEXTS,
    st.none() | st.just(datetime(2024, 5, 17, tzinfo=UTC)),
    TEXTS,
    st.none() | st.lists(POINTS, max_size=2).map(tuple),
    st.lists(TEXTS | st.integers(0, 3), max_size=2),
)
NAMED = st.builds(_Named, st.integers(0, 3), TEXTS, TEXTS, TEXTS, st.integers(0, 3))
CAREFUL = st.builds(_Careful, TEXTS, st.integers(0, 9), TEXTS, points=st.lists(POINTS, max_size=2))


@given(record=WIDE | NAMED | CAREFUL)
def test_records_of_users_go_the_quick_way(record):
    """A registered class with any names and many fields is written and read the quick way, and comes back as it was."""
    codec, patch = Codec(types=USERS), quick_only()
    try:
        raw = codec.encode(record, ENVELOPE, "")
        found = codec.decode(raw, THERE)
    finally:
        patch.undo()
    assert raw == codec._encode_unusual(record, ENVELOPE, "")
    assert identical(found, codec._decode_unusual(raw, THERE, None))
    assert identical(evolve(found, id=None, created_at=None, updated_at=None, version=0), record)


@pytest.mark.parametrize("odd", ["ab", {"a": 1, "b": 2}, b"ab", ["a", 5], [], ["a", "b", "c"], ["a"], None])
def test_an_object_of_a_user_that_is_none(odd):
    """What is no list is never taken for the fields of an object, nor is a list of other values."""
    codec = Codec(types=USERS)
    values = msgpack.unpackb(codec.encode(_Pairs(_Pair("a", "b"), [_Pair("c")]), ENVELOPE, ""))
    for pair, more in ((odd, []), (["a", "b"], [odd]), (["a", "b"], odd)):
        raw = msgpack.packb([*values[:FIELDS], pair, more])
        assert identical(outcome(codec.decode, raw, THERE), outcome(codec._decode_unusual, raw, THERE, None))


def test_constructors_of_users_are_called():
    """A class of a user is built by its constructor, whose checks and whatever follows it happen on each read."""
    codec = Codec(types=USERS)
    raw = codec.encode(_Careful("s", 5), ENVELOPE, "")
    assert codec.decode(raw, THERE).seen
    values = msgpack.unpackb(raw)
    values[FIELDS + 1] = -1
    with pytest.raises(CodecError, match="ValueError"):
        codec.decode(msgpack.packb(values), THERE)


def test_a_class_registered_anew():
    """After a class was registered anew with a higher schema, older records go through its upcaster, newer ones not."""

    @frozen
    class Note(Memory):
        text: str

    types = Registry()
    types.add(Note, "test.note", 1, {})
    old = Codec(types=types).encode(Note("a"), ENVELOPE, "")
    types.add(Note, "test.note", 2, {1: lambda fields: [fields[0] + "!"]})
    codec = Codec(types=types)
    new = codec.encode(Note("a"), ENVELOPE, "")
    assert [codec.decode(raw, THERE).text for raw in (old, new)] == ["a!", "a"]


# Lists


@st.composite
def stored_lists(draw):
    """Stored bytes, some of them damaged, some in JSON, some large."""
    raws = [CODEC.encode(record, ENVELOPE, "") for record in draw(st.lists(RECORDS, max_size=6))]
    for at, raw in enumerate(raws):
        following = raws[at + 1] if at + 1 < len(raws) else b""
        others = [raw, raw, raw[:-1], raw[: len(raw) // 2], raw + following, raw[:-1] + following, raw + b"\xc0", b""]
        others += [
            JSON.encode(UserMessage("x"), ENVELOPE, ""),
            FOREIGN,
            LARGE,
            b"\xdc\x00\x20" + raw[1:],
            b"\xc1" + raw,
        ]
        raws[at] = draw(st.sampled_from(others))
    return raws


LARGE = CODEC.encode(UserMessage("x" * SMALL), ENVELOPE, "")
FOREIGN = CODEC.encode(UserMessage("x"), ENVELOPE._replace(scope=8), "")


@settings(max_examples=300)
@given(raws=stored_lists())
def test_a_list_is_read_as_its_records(raws):
    """A list is read as each record by itself would be: neighbours of damaged ones are whole, errors in their place."""
    expected = [outcome(CODEC.decode, raw, THERE) for raw in raws]
    found = CODEC.decode_list(raws, THERE, report=True)
    assert len(found) == len(raws)
    for got, wanted in zip(found, expected, strict=True):
        if isinstance(got, CodecError):
            assert (type(got), str(got)) == wanted[:2]
            assert str(got.record_id) == wanted[2]["record_id"]
        else:
            assert identical(got, wanted)
    first = next((item for item in expected if isinstance(item, tuple)), None)
    strict = outcome(CODEC.decode_list, iter(raws), THERE)
    assert identical(strict, expected) if first is None else strict == first


# The head beside a record


@pytest.mark.parametrize("codec", [CODEC, JSON], ids=["msgpack", "json"])
@pytest.mark.parametrize("updated", [ENVELOPE.created_us, ENVELOPE.updated_us])
def test_a_head_counts_instead(codec, updated):
    """A head gives version and creation; everything else, the last update too, is what stands in the bytes."""
    for record in (CALLED, UserMessage("x" * SMALL)):
        raw = codec.encode(record, ENVELOPE._replace(updated_us=updated), "")
        found = codec.decode(raw, THERE, (9, 5))
        assert identical(found, evolve(codec.decode(raw, THERE), version=9, created_at=from_us(5)))
        assert identical(codec.decode_list([raw, raw], THERE, (9, 5)), [found, found])
        assert (found.version, found.created_at, found.updated_at) == (9, from_us(5), from_us(updated))


@pytest.mark.parametrize("at", [4, 5, 6])
def test_a_head_hides_no_damage(at):
    """What a head counts instead of is checked all the same."""
    values = msgpack.unpackb(CODEC.encode(CALLED, ENVELOPE, ""))
    for odd in ("x", 1 << 63, [], "1"):
        raw = msgpack.packb([*values[:at], odd, *values[at + 1 :]])
        without = outcome(CODEC.decode, raw, THERE)
        with_head = outcome(CODEC.decode, raw, THERE, (9, 5))
        assert isinstance(without, tuple) == isinstance(with_head, tuple)
