"""A conversation that comes in with an import: what is there already stays as it is."""

from __future__ import annotations

from typing import TypeVar

from memkit.codec.wire import binding_of
from memkit.commands import (
    About,
    AboutRead,
    AboutSet,
    Entry,
    LogAppend,
    Mark,
    Opening,
    Place,
    RecordLoad,
    Row,
    StoredRecord,
    TableSwap,
    TableSwapped,
)
from memkit.flows.admin.lines import Line
from memkit.flows.admin.records import Bound, bound
from memkit.flows.base import Context, Flow
from memkit.flows.change import ROUNDS, outrun
from memkit.flows.marks import mark_of
from memkit.flows.places import conversation
from memkit.inputs import MemoryType
from memkit.values import revive_map

__all__ = ["Arrival"]

_US = 1000
_BATCH = 500
_BATCH_BYTES = 4 << 20

T = TypeVar("T", Entry, Row)


class _Batch(dict[bytes | str, T]):
    """What is written at once, by wire id.

    Attributes:
        until: microseconds since 1970 at which it is gone; None is never.
        size: bytes of its records.
    """

    until: int | None = None
    size: int = 0

    @property
    def is_full(self) -> bool:
        return len(self) >= _BATCH or self.size >= _BATCH_BYTES

    def empty(self) -> tuple[T, ...]:
        """Take everything out."""
        out = tuple(self.values())
        self.clear()
        self.size = 0
        return out


class Arrival:
    """One conversation on its way in.

    Args:
        ctx: what flows are given.
        head: its first line.

    Attributes:
        name: its id.
        records: how many lines with records were read.
        imported: how many of these were stored.
        present: how many were there already.
        expired: how many had expired.
    """

    def __init__(self, ctx: Context, head: Line) -> None:
        self._ctx = ctx
        self.name = head.text("id")
        self._user_id = head.text_or_none("user_id")
        self._title = head.text_or_none("title")
        self._metadata = _metadata(ctx, head)
        self._created_us = head.time_us_or_none("created_us")
        self._expires_us = head.time_us_or_none("expires_us")
        self._renews_ms = head.whole_or_none("renews_ms")
        self._opening: Opening | None = None
        self._messages = _Batch[Entry]()
        self._rows = _Batch[Row]()
        self.records = self.imported = self.present = self.expired = 0

    # -- lines ---------------------------------------------------------------------------------------------------------

    def working(self, line: Line) -> Flow[None]:
        """Its working memory."""
        until, record = line.time_us_or_none("expires_us"), self._bound(line, MemoryType.WORKING_MEMORY)
        stored = StoredRecord(line.whole("version", 1), line.time_us("created_us"), record.wire)
        if self._has_expired(until):
            return
        ttl = yield from self._prepare(until)
        loaded: bool = yield RecordLoad(self._place("wm"), self._user_id, ttl, stored)
        self._count(1, int(loaded))

    def message(self, line: Line) -> Flow[None]:
        """One of its messages, in order."""
        record = self._bound(line, MemoryType.SHORT_TERM_MEMORY)
        if self._has_expired(self._expires_us) or self._is_twice(self._messages, record):
            return
        mark = Mark.NONE if record.record is None else mark_of(record.record)
        self._messages[record.id] = Entry(record.id, record.wire, fresh=False, mark=mark)
        self._messages.size += len(record.wire)
        if self._messages.is_full:
            yield from self._append()

    def long_term(self, line: Line) -> Flow[None]:
        """One of its long-term memories."""
        until, record = line.time_us_or_none("expires_us"), self._bound(line, MemoryType.LONG_TERM_MEMORY)
        if self._has_expired(until):
            return
        # A write has one time to live for all its rows.
        if until != self._rows.until:
            yield from self._put()
            self._rows.until = until
        if self._is_twice(self._rows, record):
            return
        self._rows[record.id] = Row(record.id, record.wire, record.created_us)
        self._rows.size += len(record.wire)
        if self._rows.is_full:
            yield from self._put()

    def flush(self) -> Flow[None]:
        """Store everything that was read."""
        yield from self._append()
        yield from self._put()
        yield from self._describe()

    # -- writes --------------------------------------------------------------------------------------------------------

    def _append(self) -> Flow[None]:
        if not self._messages:
            return
        yield from self._look()
        entries, owner = self._messages.empty(), self._user_id
        ttl = yield from self._prepare(self._messages.until)
        new: int = yield LogAppend(self._place("log"), owner, ttl, entries, opening=self._opening)
        self._count(len(entries), new)

    def _put(self) -> Flow[None]:
        rows = self._rows.empty()
        for _ in range(ROUNDS):
            if not rows:
                return
            ttl = yield from self._prepare(self._rows.until)
            swapped: TableSwapped = yield TableSwap(self._place("ltm"), self._user_id, ttl, rows)
            new = rows if swapped.done else _absent(rows, swapped)
            self._count(len(rows) - len(new), 0)
            if swapped.done:
                self._count(len(new), len(new))
                return
            rows = new
        raise outrun("import_")

    def _describe(self) -> Flow[None]:
        """Title and metadata, where there are none; a log that is new got them already."""
        if not (self._title or self._metadata):
            return
        about: About | None = yield AboutRead(self._place("about"), self._user_id)
        if about is None:
            return
        title = self._title if about.title is None else None
        metadata = self._metadata if about.metadata is None else None
        if title is not None or metadata is not None:
            yield from self._ctx.touch(self.name, self._user_id, about.lives_ms)
            yield AboutSet(self._place("about"), self._user_id, title, metadata)

    def _look(self) -> Flow[None]:
        """See once what is there of the messages: those that are keep their time to live, and what they began with."""
        if self._opening is not None:
            return
        about: About | None = yield AboutRead(self._place("about"), self._user_id)
        title, metadata = (None, None) if about is None else (about.title, about.metadata)
        self._opening = Opening(
            self._title if title is None else None,
            self._metadata if metadata is None else None,
            self._created_us,
            self._renews_ms,
        )
        log_ms = None if about is None else about.log_ms
        self._messages.until = self._expires_us if log_ms is None else self._until(log_ms)

    def _prepare(self, until: int | None) -> Flow[int]:
        """Put the conversation on the indexes; the milliseconds that what is written will live."""
        ttl = 0 if until is None else max(-(-(until - self._ctx.clock.time_us()) // _US), 1)
        # What later writes renew may be longer than what is left.
        yield from self._ctx.touch(self.name, self._user_id, ttl if self._renews_ms is None else 0)
        return ttl

    # -- counts and checks ---------------------------------------------------------------------------------------------

    def _count(self, given: int, new: int) -> None:
        self.imported += new
        self.present += given - new

    def _has_expired(self, until: int | None) -> bool:
        self.records += 1
        has_expired = until is not None and until <= self._ctx.clock.time_us()
        self.expired += has_expired
        return has_expired

    def _is_twice(self, batch: _Batch[T], record: Bound) -> bool:
        is_twice = record.id in batch
        self.present += is_twice
        return is_twice

    def _until(self, ms: int) -> int | None:
        return self._ctx.clock.time_us() + ms * _US if ms else None

    def _bound(self, line: Line, kind: MemoryType) -> Bound:
        binding = binding_of(self._ctx.namespace, kind.value, self.name)
        try:
            return bound(self._ctx.codec, line.value("record"), binding)
        except ValueError as error:
            raise line.wrong(f"holds a damaged record: {error}") from None

    def _place(self, part: str) -> Place:
        return conversation(self.name, part)


def _absent(rows: tuple[Row, ...], swapped: TableSwapped) -> tuple[Row, ...]:
    return tuple(row for row, there in zip(rows, swapped.current, strict=True) if there is None)


def _metadata(ctx: Context, head: Line) -> bytes | None:
    value = head.value("metadata")
    try:
        return None if value is None else ctx.codec.pack_map(revive_map(value), "metadata")
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        raise head.wrong("has no right 'metadata': it is a map, or null") from None
