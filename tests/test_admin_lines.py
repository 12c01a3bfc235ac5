"""The lines of an export: exact for every record that may be stored, and closed to everything else."""

from __future__ import annotations

import io
import math

import msgpack
import pytest
from hypothesis import given

from memkit import CorruptRecordError, UserMessage
from memkit.codec.serializers import JsonSerializer, MsgpackSerializer
from memkit.codec.wire import Binding, Codec, Envelope
from memkit.errors import ImportFormatError
from memkit.flows.admin.lines import line, read_lines
from memkit.flows.admin.records import bound, to_json
from memkit.ids import pack_id
from tests.strategies import IDS, RECORDS, identical, in_utc

HERE, THERE = Binding("here", 7), Binding("there", 8)
CODECS = {"msgpack": Codec(MsgpackSerializer()), "json": Codec(JsonSerializer())}


# Lines


def test_keys_of_lines_have_an_order():
    """The keys of a line stand in the order in which they are documented, the record last."""
    head = line(kind="conversation", id="é", user_id=None, title="a\nb", metadata={"$map": {"$bytes": b"\xff"}})
    assert head == (
        b'{"kind":"conversation","id":"\xc3\xa9","user_id":null,"title":"a\\nb",'
        b'"metadata":{"$map":{"$bytes":{"$bytes":"/w=="}}}}\n'
    )
    assert line(b"[1]", kind="message") == b'{"kind":"message","record":[1]}\n'


def _lines(*raws, most=1 << 20):
    return [(found.number, found.fields) for found in read_lines(raws, most)]


def test_lines_are_read_with_their_numbers():
    """Empty lines count and are passed over; the last line needs no newline."""
    assert _lines(b'{"a":1}\n', b"\n", b" \r\n", b'{"b":{"$float":"inf"}}') == [(1, {"a": 1}), (4, {"b": math.inf})]


WRONG_LINES = {
    "no JSON": b"{oops}",
    "two values": b'{"a":1} {"a":1}',
    "out of its array": b'1],[{"a":1}',
    "two elements": b'1,{"a":1}',
    "a list": b"[1]",
    "a text": b'"a"',
    "a tagged value": b'{"$bytes":""}',
    "wrong base64": b'{"a":{"$bytes":"!"}}',
    "a key twice": b'{"a":1,"a":2}',
    "NaN": b'{"a":NaN}',
    "not UTF-8": b'{"a":"\xff"}',
    "a byte order mark": b'\xef\xbb\xbf{"a":1}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "too deep": b'{"a":' + b"[" * 100_000,
    "too many values": b'{"a":[' + b"0," * 200_000 + b"0]}",
    "too many digits": b'{"a":' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("raw", WRONG_LINES.values(), ids=WRONG_LINES)
def test_damaged_line_is_named(raw):
    """A line that is damaged, or a bomb, is refused with its number and without its content."""
    with pytest.raises(ImportFormatError) as caught:
        _lines(b'{"a":1}', raw)
    assert caught.value.line == 2
    assert len(str(caught.value)) < 200


class Endless(io.RawIOBase):
    """A line that does not end."""

    def __init__(self):
        self.read_bytes = 0

    def readline(self, size=-1):
        assert size > 0
        self.read_bytes += size
        return b" " * (size - 1) + b"x"


def test_endless_line_is_not_read_whole():
    """Of a line that is longer than any record may be, only so much is read."""
    source = Endless()
    with pytest.raises(ImportFormatError, match="line 1 is longer"):
        list(read_lines(source, 1 << 20))
    assert source.read_bytes < 16 << 20


# Records


def _export(codec, raw, binding=HERE):
    """Return a record as a reader of lines gives it."""
    ((_, fields),) = _lines(line(to_json(codec, raw, binding), kind="message"), most=codec.max_bytes)
    return fields["record"]


codecs = pytest.mark.parametrize("there", CODECS.values(), ids=CODECS)


@pytest.mark.parametrize("here", CODECS.values(), ids=CODECS)
@codecs
@given(record=RECORDS, record_id=IDS)
def test_record_is_exact(here, there, record, record_id):
    """A record comes through an export as it was, whichever codec writes on either side, bound to its new place."""
    raw = here.encode(record, Envelope(pack_id(record_id), 5, 9, 3, HERE.scope), "record")
    found = bound(there, _export(here, raw), THERE)
    assert found.id == pack_id(record_id)
    assert found.created_us == 5
    assert identical(found.record, here.decode(raw, HERE))
    assert identical(there.decode(found.wire, THERE), here.decode(raw, HERE))
    assert in_utc(record).metadata.keys() == found.record.metadata.keys()


UNKNOWN = {
    "an unknown type": [1, "acme.note", HERE.scope, "id", 5, None, 2, {"a": b"\xff"}, [math.inf, {"$time": 5}], None],
    "a newer schema": [9, "usr", HERE.scope, "id", 5, 6, 2, {}, {"$map": {"$x": 1}}, None, False, 3, 1 << 63],
}


@pytest.mark.parametrize("values", UNKNOWN.values(), ids=UNKNOWN)
@codecs
def test_unknown_record_is_exact(there, values):
    """A record of a type or schema that is not known here comes through element by element."""
    raw = msgpack.packb(values)
    found = bound(there, _export(CODECS["msgpack"], raw), THERE)
    back = there.serializer.unpack(found.wire)
    assert back == [*values[:2], THERE.scope, *values[3:]]
    assert list(map(type, back)) == list(map(type, values))
    assert found.record is None


def test_record_with_too_many_tags_is_exact():
    """A record that holds more values as JSON than JSON is read with goes through as msgpack in bytes."""
    codec = CODECS["msgpack"]
    record = UserMessage("text", metadata={"a": [b""] * 60_000})
    raw = codec.encode(record, Envelope("id", 5, 5, 1, HERE.scope), "record")
    element = _export(codec, raw)
    assert type(element) is bytes
    assert codec.decode(bound(codec, element, THERE).wire, THERE) == codec.decode(raw, HERE)


def test_record_with_just_as_many_values_is_exact():
    """A record with as many values as fit comes through, though its line holds some more."""
    codec = CODECS["json"]
    for count in (99_900, 99_940, 99_975, 99_985):
        raw = codec.encode(UserMessage("", metadata={"a": [0] * count}), Envelope("id", 5, 5, 1, HERE.scope), "record")
        assert bound(codec, _export(codec, raw), THERE).record.metadata["a"][-1] == 0


HEAD = [1, "usr", HERE.scope, "id", 5, None, 1, {}]
DAMAGED = {
    "no msgpack": b"\xc1",
    "a map": msgpack.packb({"a": 1}),
    "too short": msgpack.packb(HEAD[:-1]),
    "of another place": msgpack.packb([1, "usr", THERE.scope, *HEAD[3:], "text"]),
    "unknown, of another place": msgpack.packb([1, "acme.note", THERE.scope, *HEAD[3:], "text"]),
    "unknown, without a version": msgpack.packb([1, "acme.note", HERE.scope, "id", 5, None, None, {}]),
    "unknown, without metadata": msgpack.packb([1, "acme.note", HERE.scope, "id", 5, None, 1, []]),
    "unknown, begun in the year 300000": msgpack.packb([1, "acme.note", HERE.scope, "id", 1 << 63, 5, 1, {}]),
    "unknown, changed in the year 300000": msgpack.packb([1, "acme.note", HERE.scope, "id", 5, 1 << 63, 1, {}]),
    "unknown, before its first schema": msgpack.packb([0, "acme.note", HERE.scope, "id", 5, None, 1, {}]),
    "a type that is no text": msgpack.packb([1, 5, HERE.scope, "id", 5, None, 1, {}]),
    "an id of few bytes": msgpack.packb([*HEAD[:3], b"short", *HEAD[4:], "text"]),
    "an empty id": msgpack.packb([*HEAD[:3], "", *HEAD[4:], "text"]),
    "an id that is a number": msgpack.packb([*HEAD[:3], 5, *HEAD[4:], "text"]),
    "a UUID as text": msgpack.packb([*HEAD[:3], "0123e4567-e89b-12d3-a456-426614174000"[1:], *HEAD[4:], "text"]),
    "fields of another type": msgpack.packb([*HEAD, 5]),
    "too large": msgpack.packb([1, "acme.note", *HEAD[2:], "x" * (1 << 20)]),
}


@pytest.mark.parametrize("raw", DAMAGED.values(), ids=DAMAGED)
def test_damaged_record_is_not_exported(raw):
    """What is no record, or none of this place, is an error that names the place."""
    with pytest.raises(CorruptRecordError) as caught:
        to_json(Codec(max_bytes=1 << 20), raw, HERE)
    assert caught.value.place == "here"


def _deep(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


REFUSED = {
    "nothing": None,
    "a number": 5,
    "a map": {"a": 1},
    "an empty list": [],
    "no head": [1, "usr", None, "id"],
    "no id": [1, "usr", None, None, 5, None, 1, {}, "text"],
    "an empty id": [1, "usr", None, "", 5, None, 1, {}, "text"],
    "an id that is too long": [1, "usr", None, "x" * 70_000, 5, None, 1, {}, "text"],
    "a lone surrogate": [1, "usr", None, "id", 5, None, 1, {}, "\ud800"],
    "an int of 65 bits": [1, "usr", None, "id", 5, None, 1, {"a": 1 << 64}, "text"],
    "an int of 65 bits below zero": [1, "acme.note", None, "id", 5, None, 1, {}, -(1 << 63) - 1],
    "a version that is none": [1, "usr", None, "id", 5, None, "1", {}, "text"],
    "a time that is none": [1, "usr", None, "id", 5.0, None, 1, {}, "text"],
    "a time out of range": [1, "usr", None, "id", 1 << 62, None, 1, {}, "text"],
    "metadata that is none": [1, "usr", None, "id", 5, None, 1, [], "text"],
    "a field of another type": [1, "usr", None, "id", 5, None, 1, {}, 5],
    "an unknown tag": [1, "usr", None, "id", 5, None, 1, {"$code": "x"}, "text"],
    "too deep": [1, "acme.note", None, "id", 5, None, 1, {}, _deep(300)],
    "far too deep": [1, "acme.note", None, "id", 5, None, 1, {}, _deep(700)],
    "too large": [1, "acme.note", None, "id", 5, None, 1, {}, "x" * (1 << 20)],
    "known and too large": [1, "usr", None, "id", 5, None, 1, {}, "x" * (1 << 20)],
    "bytes that are no msgpack": b"\xc1",
    "bytes of an extension type": msgpack.packb([msgpack.ExtType(1, b"x")] * 8),
}


@pytest.mark.parametrize("element", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("serializer", [MsgpackSerializer(), JsonSerializer()], ids=["msgpack", "json"])
def test_wrong_record_is_not_imported(serializer, element):
    """A record that memkit would not store is refused, whichever codec writes, and the error shows none of it."""
    with pytest.raises(ValueError) as caught:
        bound(Codec(serializer, max_bytes=1 << 20), element, THERE)
    assert type(caught.value) is ValueError
    assert len(str(caught.value)) < 200


def test_scope_in_a_line_does_not_count():
    """Whatever a line says of where a record belongs, it is bound to where it is imported."""
    found = bound(CODECS["msgpack"], [1, "usr", HERE.scope, "id", 5, None, 1, {}, "text"], THERE)
    assert CODECS["msgpack"].decode(found.wire, THERE).content == "text"
    with pytest.raises(CorruptRecordError):
        CODECS["msgpack"].decode(found.wire, HERE)
