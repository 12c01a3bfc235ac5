"""The lines of an export: one JSON object each.

::

    {"memkit":1,"kind":"export","exported_at":"2026-01-31T12:00:00+00:00"}
    {"kind":"conversation","id":…,"user_id":…,"title":…,"metadata":…,"created_us":…,"expires_us":…,"renews_ms":…}
    {"kind":"working","version":…,"created_us":…,"expires_us":…,"record":[…]}
    {"kind":"message","record":[…]}
    {"kind":"long_term","expires_us":…,"record":[…]}
    {"kind":"end","conversation":…,"count":…}
    {"kind":"done","conversations":…,"records":…}

First stands the header. Each conversation goes from its line to its end, which counts the records between; the last
line counts everything. So what is cut short is told wherever it was cut. Times are microseconds since 1970, null for
`expires_us` is for ever; that of a conversation is for its messages. `renews_ms` is what its later writes renew, null
for the default. A record is its wire array as JSON, with null for its scope. Bytes and floats that JSON lacks are
tagged as in records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from attrs import frozen

from memkit.clock import from_us
from memkit.codec.serializers import JsonSerializer
from memkit.errors import ImportFormatError, InvalidInputError
from memkit.values import RefusedValue, check_text

__all__ = ["FORMAT", "KINDS", "Line", "line", "read_lines"]

FORMAT: Final = 1
KINDS: Final = frozenset({"conversation", "working", "message", "long_term", "end", "done"})

_MAX_TEXT = 1 << 16
_MAX_WHOLE = 1 << 63
# Of all that may stand in a record, nothing takes more than seven times as much in JSON as in msgpack.
_LONGER = 8
# What stands in a line beside a record.
_ROOM = 4 << 20
# The serializer reads arrays with an id at the fourth place.
_ARRAY = (b'[null,null,null,"",', b"]")
_PLACES = 5

_json = JsonSerializer()


def line(record: bytes | None = None, **fields: Any) -> bytes:
    """A line, with its newline; the record as JSON goes last."""
    head = _json.element(fields)
    return head + b"\n" if record is None else head[:-1] + b',"record":' + record + b"}\n"


@frozen
class Line:
    """A line that was read.

    Attributes:
        number: from 1.
        fields: what stands in it, tags resolved.
    """

    number: int
    fields: dict[str, Any]

    def wrong(self, problem: str) -> ImportFormatError:
        """The error for this line."""
        return ImportFormatError(self.number, problem)

    @property
    def kind(self) -> str:
        """Which kind of line."""
        return self.text("kind")

    def value(self, name: str) -> Any:
        """A field that must be there."""
        if name not in self.fields:
            raise self.wrong(f"has no {name!r}: export anew")
        return self.fields[name]

    def text(self, name: str) -> str:
        """A text that is not empty."""
        value = self.value(name)
        try:
            if type(value) is str and 0 < len(value) <= _MAX_TEXT:
                return check_text(value)
        except RefusedValue:
            pass
        raise self.wrong(f"has no right {name!r}: it is text of at most {_MAX_TEXT} characters")

    def text_or_none(self, name: str) -> str | None:
        """The same, or null."""
        return None if self.value(name) is None else self.text(name)

    def whole(self, name: str, least: int = 0) -> int:
        """A whole number."""
        value = self.value(name)
        if type(value) is int and least <= value < _MAX_WHOLE:
            return value
        raise self.wrong(f"has no right {name!r}: it is a whole number from {least}")

    def whole_or_none(self, name: str) -> int | None:
        """A whole number from 0, or null."""
        return None if self.value(name) is None else self.whole(name)

    def time_us(self, name: str) -> int:
        """A time, in microseconds since 1970."""
        value = self.value(name)
        try:
            if type(value) is int:
                from_us(value)
                return value
        except OverflowError:
            pass
        raise self.wrong(f"has no right {name!r}: it is a time in microseconds since 1970")

    def time_us_or_none(self, name: str) -> int | None:
        """The same, or null."""
        return None if self.value(name) is None else self.time_us(name)


def read_lines(lines: Iterable[Any], max_record_bytes: int) -> Iterator[Line]:
    """The lines of an import, read one by one; empty ones are passed over.

    Args:
        lines: a binary file, or any iterable of lines.
        max_record_bytes: no record is larger.

    Raises:
        ImportFormatError: a line is damaged.
        InvalidInputError: a line is no bytes.
    """
    longest = _LONGER * max_record_bytes + _ROOM
    for number, raw in enumerate(_raw_lines(lines, longest), 1):
        if not isinstance(raw, bytes | bytearray | memoryview):
            cure = "open the file in binary mode" if isinstance(raw, str) else "give lines of bytes"
            raise InvalidInputError("lines", f"holds a line of type {type(raw).__name__}: {cure}")
        if len(raw) > longest:
            raise ImportFormatError(number, f"is longer than {longest} bytes: raise max_record_bytes")
        if bytes(raw).strip():
            yield Line(number, _parsed(number, bytes(raw)))


def _raw_lines(lines: Iterable[Any], longest: int) -> Iterator[Any]:
    readline = getattr(lines, "readline", None)
    if readline is None:
        yield from lines
        return
    # Not all of a line that does not end is read.
    while raw := readline(longest + 1):
        yield raw


def _parsed(number: int, raw: bytes) -> dict[str, Any]:
    start, end = _ARRAY
    try:
        values = _json.unpack(start + raw + end)
    except ValueError as error:
        raise ImportFormatError(number, f"is damaged: {error}") from None
    if len(values) != _PLACES or type(values[-1]) is not dict:
        raise ImportFormatError(number, "is damaged: it is no JSON object")
    found: dict[str, Any] = values[-1]
    return found
