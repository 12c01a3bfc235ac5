"""What is stored comes back equal, types included, or is refused with the path of the value that is not fit."""

from __future__ import annotations

import json
from datetime import datetime

import msgpack
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from memkit import (
    AssistantMessage,
    CodecError,
    Fact,
    ImagePart,
    InMemoryManager,
    InvalidRecordError,
    Memory,
    MemoryInput,
    MemoryManager,
    RawPart,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
    WorkingMemory,
)
from memkit.backends.base import IBackend
from memkit.codec.serializers import JsonSerializer, MsgpackSerializer
from memkit.codec.wire import Binding, Codec, Envelope
from memkit.ids import pack_id
from memkit.testing.contract import KINDS
from tests.strategies import KEYS, METADATA, RECORDS, SCALARS, TOOL_CALLS, identical, in_utc, utc

SERIALIZERS = {"msgpack": MsgpackSerializer(), "json": JsonSerializer()}
CODECS = pytest.mark.parametrize("codec", SERIALIZERS)
THERE = Binding("there", 7)
ENVELOPE = Envelope("an id", 1_700_000_000_000_001, 1_700_000_000_000_002, 3, THERE.scope)


# Records of memkit


@CODECS
@given(record=RECORDS, kind=st.sampled_from(KINDS))
def test_any_record_comes_back(codec, record, kind):
    """Any record in any memory comes back as it was, with the envelope that the caller gave or memkit wrote."""
    manager = InMemoryManager(codec=codec)
    record_id = manager.store(MemoryInput("c", kind, [record]))
    (found,) = manager.retrieve(MemoryInput("c", kind, memory_id=record_id))
    assert record.id in (None, record_id)
    assert found.created_at == (utc(record.created_at) or found.updated_at)
    expected = evolve(record, id=record_id, version=1, created_at=found.created_at, updated_at=found.updated_at)
    assert identical(found, in_utc(expected))


@CODECS
@given(record=RECORDS, new=RECORDS, metadata=METADATA, kind=st.sampled_from(KINDS))
def test_any_update_comes_back(codec, record, new, metadata, kind):
    """Any record may be replaced by any other, whose fields come back as they were, with all metadata merged."""
    manager = InMemoryManager(codec=codec)
    record_id = manager.store(MemoryInput("c", kind, [record]))
    updated = manager.update(MemoryInput("c", kind, [evolve(new, id=None)], memory_id=record_id, metadata=metadata))
    (found,) = manager.retrieve(MemoryInput("c", kind))
    assert identical(found, updated)
    envelope = {"id": None, "created_at": None, "updated_at": None, "version": 0, "metadata": {}}
    assert identical(evolve(found, **envelope), in_utc(evolve(new, **envelope)))
    assert _same_map(found.metadata, in_utc({**record.metadata, **metadata, **new.metadata}))


def _same_map(left, right):
    return left.keys() == right.keys() and all(identical(left[key], right[key]) for key in left)


@CODECS
@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"kind": "text"},
        {"kind": "text", "fields": ["x"]},
        {"kind": 5, "fields": []},
        {"kind": "new", "fields": 5},
        {"kind": "new", "fields": {"a": 1}},
        {"kind": "new", "fields": [object()]},
        {"kind": "new", "fields": [1], "more": 1},
    ],
)
def test_a_raw_part_that_claims_to_be_ours(codec, payload):
    """The provider name that memkit keeps unknown parts under is no way around the checks."""
    manager = InMemoryManager(codec=codec)
    message = UserMessage((TextPart("a"), RawPart(payload, provider="memkit")))
    try:
        manager.store(MemoryInput("c", data=[message]))
    except InvalidRecordError as error:
        assert error.path.startswith("data[0].content[1]")  # noqa: PT017 - refusing is one of two right outcomes
    else:
        (found,) = manager.retrieve(MemoryInput("c"))
        assert identical(found.content, message.content)


# What is refused


class _Untouched(IBackend):
    """Fails the test when anything is sent."""

    def execute(self, command):
        pytest.fail(f"{type(command).__name__} was sent")

    def ping(self):
        return True

    def close(self):
        pass


class _Int(int):
    pass


class _Text(str):
    __slots__ = ()


UNFIT = [
    object(),
    (1, 2),
    {1},
    bytearray(b"x"),
    1j,
    1 << 64,
    -(1 << 63) - 1,
    "a\ud800",
    datetime(2024, 1, 1),  # noqa: DTZ001 - it is to be refused
    _Int(1),
    _Text("x"),
    {1: 2},
    {b"a": 1},
    {"\udfff": 1},
]
STEPS = st.lists(KEYS | st.integers(0, 2), max_size=6)


@st.composite
def buried(draw):
    """A map with one unfit value at a random place, and the path from the map to that value."""
    value, steps = draw(st.sampled_from(UNFIT)), [draw(KEYS), *draw(STEPS)]
    path = "".join(f"[{step!r}]" for step in steps)
    for step in reversed(steps):
        value = _around(draw, step, value)
    return value, path


def _around(draw, step, value):
    if isinstance(step, int):
        # The unfit value stands behind fit ones, so a search that stops early would miss it.
        return [*draw(st.lists(SCALARS, min_size=step, max_size=step)), value, *draw(st.lists(SCALARS, max_size=2))]
    others = draw(st.dictionaries(KEYS, SCALARS, max_size=2))
    others.pop(step, None)
    return {**others, step: value}


PLACES = {
    ".metadata": lambda bad: UserMessage("x", metadata=bad),
    ".tool_calls[1].arguments": lambda bad: AssistantMessage(
        tool_calls=[ToolCall("1", "f"), ToolCall("2", "g", bad), ToolCall("3", "h")]
    ),
    ".usage": lambda bad: AssistantMessage("x", usage=bad),
    ".content[2].payload": lambda bad: ToolMessage(
        (TextPart("a"), ImagePart(url="b"), RawPart(bad, provider="openai")), tool_call_id="1"
    ),
}


@CODECS
@given(bad=buried(), place=st.sampled_from(sorted(PLACES)), before=st.integers(0, 2), update=st.booleans())
def test_one_unfit_value_is_found(codec, bad, place, before, update):
    """One unfit value, anywhere in any record of a batch, is refused with its path before anything is sent."""
    value, path = bad
    manager = MemoryManager(_Untouched(), codec=codec)
    records = [*(UserMessage("fit") for _ in range(before)), PLACES[place](value), UserMessage("fit")]
    with pytest.raises(InvalidRecordError) as caught:
        manager.store(MemoryInput("c", data=records))
    assert caught.value.path == f"data[{before}]{place}{path}"
    if place == ".metadata" and update:
        with pytest.raises(InvalidRecordError) as caught:
            manager.update(MemoryInput("c", memory_id="a", metadata=value))
        assert caught.value.path == f"metadata{path}"


@CODECS
@pytest.mark.parametrize(
    ("record", "path"),
    [
        (UserMessage(b"x"), ".content"),
        (UserMessage({"a": 1}), ".content"),
        (UserMessage(("text",)), ".content[0]"),
        (UserMessage((TextPart("a"), {"type": "text"})), ".content[1]"),
        (UserMessage((TextPart(5),)), ".content[0].text"),
        (UserMessage((ImagePart(url="a", data="b"),)), ".content[0].data"),
        (UserMessage("x", pinned=1), ".pinned"),
        (UserMessage("x", tokens=True), ".tokens"),
        (UserMessage("x", tokens=1 << 64), ".tokens"),
        (UserMessage("x", name=b"y"), ".name"),
        (AssistantMessage("x", tool_calls=5), ".tool_calls"),
        (AssistantMessage("x", tool_calls=[{"id": "1"}]), ".tool_calls[0]"),
        (AssistantMessage("x", tool_calls=[ToolCall("1", None)]), ".tool_calls[0].name"),
        (AssistantMessage("x", tool_calls=[ToolCall("1", "f", "{}")]), ".tool_calls[0].arguments"),
        (AssistantMessage("x", usage=[1]), ".usage"),
        (AssistantMessage("x", finish_reason="\ud800"), ".finish_reason"),
        (ToolMessage("x", tool_call_id=None), ".tool_call_id"),
        (ToolMessage("x", tool_call_id="1", is_error=None), ".is_error"),
        (Fact("x", topic=None), ".topic"),
        (WorkingMemory(None), ".working_memory"),
    ],
)
def test_a_field_of_the_wrong_type(codec, record, path):
    """A field whose value is not of its type is refused by its path, never converted."""
    with pytest.raises(InvalidRecordError) as caught:
        MemoryManager(_Untouched(), codec=codec).store(MemoryInput("c", data=[UserMessage("fit"), record]))
    assert caught.value.path == f"data[1]{path}"


@CODECS
def test_depth(codec):
    """64 nested containers are stored and come back; 65 are refused."""
    deep = 1
    for _ in range(64):
        deep = [deep]
    manager = InMemoryManager(codec=codec)
    manager.store(MemoryInput("c", data=[UserMessage("x", metadata={"a": deep[0]})]))
    assert manager.retrieve(MemoryInput("c"))[0].metadata == {"a": deep[0]}
    with pytest.raises(InvalidRecordError):
        manager.store(MemoryInput("c", data=[UserMessage("x", metadata={"a": [deep]})]))


@CODECS
def test_size(codec):
    """A record of exactly the limit is stored; one byte more is refused, with the record's path."""
    size = len(Codec(SERIALIZERS[codec]).encode(UserMessage("x" * 5000, id="a"), ENVELOPE, ""))
    manager = InMemoryManager(codec=codec, max_record_bytes=size)
    codec_at = Codec(SERIALIZERS[codec], max_bytes=size)
    assert len(codec_at.decode(codec_at.encode(UserMessage("x" * 5000), ENVELOPE, ""), THERE).content) == 5000
    with pytest.raises(InvalidRecordError) as caught:
        codec_at.encode(UserMessage("x" * 5001), ENVELOPE, "data[0]")
    assert caught.value.path == "data[0]"
    with pytest.raises(InvalidRecordError) as caught:
        manager.store(MemoryInput("c", data=[UserMessage("y"), UserMessage("x" * 6000)]))
    assert caught.value.path == "data[1]"


# Damage


@st.composite
def mutated(draw, raw):
    """Bytes with a few pieces changed, removed, repeated or put in."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, max(len(raw) - 1, 0)))
        end = draw(st.integers(start, min(start + 8, len(raw))))
        piece = draw(st.binary(max_size=6) | st.just(raw[start:end] * 2) | st.sampled_from(TOKENS))
        raw = raw[:start] + piece + raw[end:]
    return raw


TOKENS = [b"\xc1", b"\xc7\x01\x05a", b"\xd4\x01a", b"\xdd\xff\xff\xff\xff", b"{}", b"[]", b"null", b"1e999", b"NaN"]
TOKENS += [b'{"$float":"x"}', b'{"$bytes":5}', b'{"$bytes":"x"}', b'{"$time":"x"}', b'{"$map":[]}', b'{"$new":1}']
TOKENS += [b"\x81\xa5$time\xa1x", b"\x81\xa4$map\x90", b"\x81\xa4$new\x01", b"\xc0", b"\x90", b"\x80", b'"\\ud800"']


@CODECS
@settings(max_examples=500)
@given(data=st.data(), record=RECORDS)
def test_damage_is_never_anything_else(codec, data, record):
    """A damaged record is read as a record, or raises a CodecError that names the place; nothing else is raised."""
    wire = Codec(SERIALIZERS[codec])
    raw = data.draw(mutated(wire.encode(record, ENVELOPE._replace(id=pack_id(record.id or "an id")), "")))
    try:
        found = wire.decode(raw, THERE)
    except CodecError as error:
        assert error.place == "there"  # noqa: PT017 - the record may be readable by chance
    else:
        assert isinstance(found, Memory)


@pytest.mark.parametrize("token", [*TOKENS, b"5", b'"x"', b"true", b"[[]]", b'[["text"]]', b"[[5]]", b"[[[]]]"])
def test_a_wrong_element(token):
    """Any element of a JSON record replaced by something else is damage or another record, nothing else."""
    raw = [b"1", b'"usr"', b"7", b'"an id"', b"5", b"null", b"1", b"{}", b'"hello"', b"null", b"false", b"null"]
    for at in range(len(raw)):
        elements = [*raw[:at], token, *raw[at + 1 :]]
        try:
            found = Codec().decode(b"[" + b",".join(elements) + b"]", THERE)
        except CodecError as error:
            assert error.place == "there"  # noqa: PT017 - the record may be readable by chance
        else:
            assert isinstance(found, Memory)


@pytest.mark.parametrize("value", [5, "x", None, True, b"x", [], {}, -1, 1 << 63, 1.5, [[]], [["text"]], [[5]]])
def test_a_wrong_element_of_msgpack(value):
    """The same for msgpack."""
    raw = [1, "usr", 7, b"0123456789abcdef", 5, None, 1, {}, "hello", None, False, None]
    for at in range(len(raw)):
        try:
            found = Codec().decode(msgpack.packb([*raw[:at], value, *raw[at + 1 :]]), THERE)
        except CodecError as error:
            assert error.place == "there"  # noqa: PT017 - the record may be readable by chance
        else:
            assert isinstance(found, Memory)


def test_an_error_holds_no_content():
    """What a damaged record holds does not show in the error, nor in what the error came from."""
    canary = "canary-content"
    for raw in (
        json.dumps([1, "fact", 7, "x", 5, None, 1, {}, {canary: canary}]).encode(),
        b'[1,"fact",7,"x",5,null,1,{},"' + canary.encode(),
        msgpack.packb([1, "fact", 7, "x", 5, None, 1, {}, {canary: canary}]),
        msgpack.packb([1, "fact", 7, "x", 5, None, 1, {}, canary])[:-1],
    ):
        with pytest.raises(CodecError) as caught:
            Codec().decode(raw, THERE)
        assert canary not in f"{caught.value!r} {caught.value.__cause__!r}"
        assert caught.value.__suppress_context__


@CODECS
@given(calls=st.lists(TOOL_CALLS, max_size=4))
def test_lists_become_tuples(codec, calls):
    """Tool calls and parts may be given as lists, and come back as tuples."""
    wire = Codec(SERIALIZERS[codec])
    record = AssistantMessage([TextPart("a")], tool_calls=calls)
    found = wire.decode(wire.encode(record, ENVELOPE, ""), THERE)
    assert found.content == (TextPart("a"),)
    assert identical(found.tool_calls, in_utc(tuple(calls)))
