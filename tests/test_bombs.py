"""Small bytes that unpack into much are refused quickly and cheaply, and nobody can write what cannot be read."""

from __future__ import annotations

import json
import time
import tracemalloc

import msgpack
import pytest

from memkit import AssistantMessage, CorruptRecordError, InvalidRecordError, ToolCall, UserMessage
from memkit.codec.serializers import JsonSerializer, MsgpackSerializer
from memkit.codec.wire import MAX_RECORD_BYTES, Binding, Codec, Envelope

SERIALIZERS = {"msgpack": MsgpackSerializer(), "json": JsonSerializer()}
CODECS = pytest.mark.parametrize("codec", SERIALIZERS)
THERE = Binding("there", 7)
ENVELOPE = Envelope("an id", 5, 5, 1, THERE.scope)
HEAD = [1, "usr", THERE.scope, "an id", 5, None, 1]
WHOLE = msgpack.packb([*HEAD, {}, "hello"])
JSON = json.dumps([*HEAD, {}, "hello"]).encode()
MB = 1 << 20
NEST = 1_000_000


def _msgpack(metadata):
    """A record whose metadata is bytes of one's own."""
    return b"\x98" + b"".join(map(msgpack.packb, HEAD)) + metadata


def _json(metadata):
    return json.dumps(HEAD).encode()[:-1] + b"," + metadata + b"]"


BOMBS = {
    "array": b"\xdd" + (10 * MB).to_bytes(4, "big") + b"\xc0" * (10 * MB),
    "array in an array": _msgpack(b"\xdd" + (7 * MB).to_bytes(4, "big") + b"\xc0" * (7 * MB)),
    "empty arrays": _msgpack(b"\xdd" + (7 * MB).to_bytes(4, "big") + b"\x90" * (7 * MB)),
    "empty maps": _msgpack(b"\xdd" + (7 * MB).to_bytes(4, "big") + b"\x80" * (7 * MB)),
    "many small arrays": _msgpack(b"\xdc\xff\xff" + (b"\x9f" + b"\xc0" * 15) * 65535),
    "map": _msgpack(b"\xdf" + (2 * MB).to_bytes(4, "big") + b"\xa1a\xc0" * (2 * MB)),
    "nested arrays": b"\x91" * NEST + b"\xc0",
    "nested arrays in a record": _msgpack(b"\x81\xa1a" + b"\x91" * NEST + b"\xc0"),
    "nested maps": _msgpack(b"\x81\xa1a" * NEST + b"\xc0"),
    "some nested arrays": _msgpack(b"\x81\xa1a" + b"\x91" * 60_000 + b"\xc0"),
    "array header lies": b"\xdd\xff\xff\xff\xff",
    "map header lies": _msgpack(b"\xdf\xff\xff\xff\xff"),
    "text header lies": _msgpack(b"\x81\xa1a\xdb\xff\xff\xff\xff" + b"x" * 100),
    "bytes header lies": _msgpack(b"\x81\xa1a\xc6\xff\xff\xff\xff" + b"x" * 100),
    "short array header lies": b"\x9f" + WHOLE[1:],
    "large header lies": _msgpack(b"\xdd\x7f\xff\xff\xff" + b"\xc0" * MB),
    "json array": b"[" + b"0," * (5 * MB) + b"0]",
    "json array in an array": _json(b"[" + b"0," * (3 * MB) + b"0]"),
    "json empty arrays": _json(b"[" + b"[]," * (2 * MB) + b"0]"),
    "json empty maps": _json(b"[" + b"{}," * (2 * MB) + b"0]"),
    "json map": _json(b"{" + b",".join(b'"%d":0' % n for n in range(600_000)) + b"}"),
    "json nested arrays": b"[" * NEST + b"]" * NEST,
    "json nested arrays in a record": _json(b'{"a":' + b"[" * NEST + b"]" * NEST + b"}"),
    "json nested maps": _json(b'{"a":' * NEST + b"0" + b"}" * NEST),
    "json some nested arrays": _json(b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}"),
    "json open arrays": b"[" * NEST,
    "json quotes": b'["' + b'\\"' * (2 * MB),
    "json backslashes": b'["' + b"\\" * (4 * MB),
    "json digits": _json(b"9" * (4 * MB)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name):
    """A bomb is refused as damage within a second, with less than 20 MB beside its own bytes."""
    raw, codec = BOMBS[name], Codec(max_bytes=64 * MB)
    tracemalloc.start()
    try:
        begin = time.perf_counter()
        with pytest.raises(CorruptRecordError):
            codec.decode(raw, THERE)
        took, (_, peak) = time.perf_counter() - begin, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * MB
    # Tracing makes everything several times slower.
    assert took < 5


def test_bombs_are_refused_by_size_first():
    """Above the limit of a record nothing is looked at."""
    raw = b"\xdd" + (10 * MB).to_bytes(4, "big") + b"\xc0" * (10 * MB)
    assert len(raw) > MAX_RECORD_BYTES
    begin = time.perf_counter()
    with pytest.raises(CorruptRecordError, match="bytes, more than"):
        Codec().decode(raw, THERE)
    assert time.perf_counter() - begin < 0.1


EXTENSIONS = [
    msgpack.packb(msgpack.ExtType(code, data)) for code in (0, 5, 127) for data in (b"", b"a", b"x" * 16, b"x" * 300)
]
EXTENSIONS += [msgpack.packb(msgpack.Timestamp(5, nanos)) for nanos in (0, 7)]
EXTENSIONS += [b"\xc7\x0c\xff" + bytes(12), b"\xc9\xff\xff\xff\xff\x05", b"\xd4\xff\x00"]


@pytest.mark.parametrize("extension", EXTENSIONS, ids=lambda raw: raw[:4].hex())
@pytest.mark.parametrize("filler", [0, 100_000])
def test_extension_types(extension, filler):
    """No extension type is taken, timestamps included, in small records and large ones."""
    text = msgpack.packb("x" * filler)
    for raw in (_msgpack(b"\x82\xa1t" + text + b"\xa1a" + extension), extension, b"\x92" + text + extension):
        with pytest.raises(CorruptRecordError):
            Codec().decode(raw, THERE)


@pytest.mark.parametrize("whole", [WHOLE, JSON], ids=list(SERIALIZERS))
@pytest.mark.parametrize("trailing", [b"\x00", b"\xc0", b"x", b"]", b"[]", b",1]", b"\x90", WHOLE, JSON])
def test_trailing_bytes(whole, trailing):
    """Anything behind a record is damage."""
    assert Codec().decode(whole, THERE).content == "hello"
    with pytest.raises(CorruptRecordError):
        Codec().decode(whole + trailing, THERE)


@pytest.mark.parametrize("whole", [WHOLE, JSON], ids=list(SERIALIZERS))
def test_every_cut_is_damage(whole):
    """A record that ends anywhere before its end is damage."""
    for end in range(len(whole)):
        with pytest.raises(CorruptRecordError):
            Codec().decode(whole[:end], THERE)


@pytest.mark.parametrize(
    "raw", [b"", b"\xc1", b"\xc1\x00\x00", b"\xc0", b"\x05", b"{}", b"null", b'"x"', b"\xef\xbb\xbf[]"]
)
def test_what_is_no_record(raw):
    """Bytes that are no array at all are damage."""
    with pytest.raises(CorruptRecordError):
        Codec().decode(raw, THERE)


# What the writer refuses


@CODECS
def test_the_writer_stops_where_the_reader_does(codec):
    """The largest number of values that can be written can be read; one step further is refused when it is written."""
    wire = Codec(SERIALIZERS[codec])
    least, most = 50_000, 200_000
    while most - least > 1:
        count = (least + most) // 2
        try:
            raw = wire.encode(UserMessage("x", metadata={"many": [0] * count}), ENVELOPE, "data[0]")
        except InvalidRecordError as error:
            assert error.path == "data[0]"  # noqa: PT017 - the search looks for the border
            most = count
        else:
            least = count
            assert len(wire.decode(raw, THERE).metadata["many"]) == count
    assert 90_000 < least < 110_000


@CODECS
@pytest.mark.parametrize(
    "record",
    [
        AssistantMessage("x", tool_calls=[ToolCall(str(n), "f", {"a": [0] * 2000}) for n in range(60)]),
        UserMessage("x", metadata={f"k{n}": {"a": n} for n in range(60_000)}),
        UserMessage("x", metadata={"empty": [[] for _ in range(110_000)]}),
        UserMessage("x" * MAX_RECORD_BYTES),
        UserMessage("x", metadata={"large": b"x" * MAX_RECORD_BYTES}),
    ],
    ids=["tool calls", "maps", "empty lists", "text", "bytes"],
)
def test_the_writer_refuses_bombs(codec, record):
    """What a reader would refuse is refused when it is written, with the path of the record."""
    with pytest.raises(InvalidRecordError) as caught:
        Codec(SERIALIZERS[codec]).encode(record, ENVELOPE, "data[3]")
    assert caught.value.path == "data[3]"


@CODECS
def test_texts_are_not_taken_for_values(codec):
    """A text full of brackets, commas, quotes and backslashes is one value, however long."""
    for text in ("[" * 300_000, "{," * 150_000, '",[' * 100_000, "\\" * 300_000, '\\",[' * 100_000, '\\\\"[' * 80_000):
        wire = Codec(SERIALIZERS[codec])
        assert wire.decode(wire.encode(UserMessage(text), ENVELOPE, ""), THERE).content == text
