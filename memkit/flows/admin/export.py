"""Everything that is stored, as lines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

from attrs import frozen

from memkit.clock import from_us
from memkit.codec.wire import Binding, binding_of
from memkit.commands import (
    About,
    AboutRead,
    Cursor,
    LogSlice,
    Place,
    RecordGet,
    Slice,
    StoredRecord,
    TableDump,
)
from memkit.errors import CodecError
from memkit.flows import fields
from memkit.flows.admin.lines import FORMAT, line
from memkit.flows.admin.progress import Teller
from memkit.flows.admin.records import to_json
from memkit.flows.admin.walk import Seen, Walk
from memkit.flows.base import Context, Flow, Step
from memkit.flows.places import ALL_CONVERSATIONS, conversation, conversations_of
from memkit.inputs import MemoryType
from memkit.values import plain_map

__all__ = ["Export"]

_US = 1000
# Records are read in pages of about so many bytes, and at most so many records.
_PAGE_BYTES = 4 << 20
_PAGE_MOST = 500
_PAGE_FIRST = 50
_PAGE_LEAST = 4

_log = logging.getLogger("memkit")


T = TypeVar("T")


@frozen
class _Chunk:
    """Lines that are ready."""

    lines: list[bytes]


_Steps: TypeAlias = Generator[Step | _Chunk, Any, T]


class Export:
    """An export that is under way. Its face asks for `more` until there is none.

    Args:
        ctx: what flows are given.
        user_id: only conversations of this user.
        conversation_id: only this one.
        on_progress: called after each conversation.
    """

    def __init__(
        self,
        ctx: Context,
        user_id: Any = None,
        conversation_id: Any = None,
        on_progress: Any = None,
    ) -> None:
        self._ctx = ctx
        self._user_id = fields.optional(fields.identifier)("user_id", user_id)
        self._conversation_id = fields.optional(fields.identifier)("conversation_id", conversation_id)
        self._teller = Teller(on_progress)
        self._lines = self._records = 0
        self._steps = self._run()

    def more(self) -> Flow[list[bytes] | None]:
        """The next lines; None at the end."""
        answer = None
        while True:
            try:
                step = self._steps.send(answer)
            except StopIteration:
                return None
            if isinstance(step, _Chunk):
                return step.lines
            answer = yield step

    # -- the steps -----------------------------------------------------------------------------------------------------

    def _run(self) -> _Steps[None]:
        exported_at = from_us(self._ctx.clock.time_us()).isoformat()
        yield self._chunk([line(memkit=FORMAT, kind="export", exported_at=exported_at)])
        if self._conversation_id is not None:
            yield from self._conversation(self._conversation_id)
        else:
            yield from self._all()
        done = self._teller.progress
        yield self._chunk([line(kind="done", conversations=done.conversations, records=done.records)])

    def _all(self) -> _Steps[None]:
        walk = Walk(ALL_CONVERSATIONS if self._user_id is None else conversations_of(self._user_id))
        while names := (yield from walk.page()):
            for name in names:
                yield from self._conversation(name)

    def _conversation(self, name: str) -> _Steps[None]:
        about: About | None
        about, stored = yield (AboutRead(conversation(name, "about"), None), RecordGet(conversation(name, "wm"), None))
        if about is None or self._user_id not in (None, about.owner):
            return
        self._records = 0
        yield self._chunk([self._head(name, about)])
        if stored is not None and about.wm_ms is not None:
            yield self._working(name, stored, about.wm_ms)
        if about.log_ms is not None:
            yield from self._messages(name)
        yield from self._long_term(name)
        yield self._chunk([line(kind="end", conversation=name, count=self._records)])
        self._teller.tell(self._records, self._lines)

    def _head(self, name: str, about: About) -> bytes:
        return line(
            kind="conversation",
            id=name,
            user_id=about.owner,
            title=about.title,
            metadata=self._metadata(name, about.metadata),
            created_us=about.created_us,
            expires_us=self._until(about.log_ms or 0),
            renews_ms=about.renews_ms,
        )

    def _working(self, name: str, stored: StoredRecord, ms: int) -> _Chunk:
        binding = self._bind(name, MemoryType.WORKING_MEMORY)
        beside = {"version": stored.version, "created_us": stored.created_us, "expires_us": self._until(ms)}
        return self._rows(binding, "working", [(stored.wire, beside)])

    def _messages(self, name: str) -> _Steps[None]:
        binding = self._bind(name, MemoryType.SHORT_TERM_MEMORY)
        place, count = conversation(name, "log"), _PAGE_FIRST
        after: Cursor | None = None
        while True:
            page: Slice | None = yield LogSlice(place, None, after, count=count)
            if page is None or page.last is None:
                return
            yield self._rows(binding, "message", [(raw, {}) for raw in page.records])
            if not page.more:
                return
            after, count = page.last, _next_count(page.records)

    def _long_term(self, name: str) -> _Steps[None]:
        binding = self._bind(name, MemoryType.LONG_TERM_MEMORY)
        pages = TablePages(conversation(name, "ltm"))
        while (rows := (yield from pages.more())) is not None:
            lines = [(raw, {"expires_us": self._until(ms)}) for raw, ms in rows]
            yield self._rows(binding, "long_term", lines)

    # -- lines ---------------------------------------------------------------------------------------------------------

    def _rows(self, binding: Binding, kind: str, rows: Iterable[tuple[bytes, Mapping[str, Any]]]) -> _Chunk:
        """A line for each record, with what stands beside it."""
        lines = []
        for raw, beside in rows:
            record = self._record(raw, binding)
            if record is not None:
                lines.append(line(record, kind=kind, **beside))
        self._records += len(lines)
        return self._chunk(lines)

    def _record(self, raw: bytes, binding: Binding) -> bytes | None:
        return self._unless_damaged(lambda: to_json(self._ctx.codec, raw, binding))

    def _metadata(self, name: str, raw: bytes | None) -> dict[str, Any] | None:
        if raw is None:
            return None
        place = str(conversation(name, "about"))
        return self._unless_damaged(lambda: plain_map(self._ctx.codec.unpack_map(raw, place)))

    def _unless_damaged(self, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except CodecError as error:
            if self._ctx.on_corrupt == "raise":
                raise
            _log.warning("memkit: left out of an export: %s", error)
            return None

    def _chunk(self, lines: list[bytes]) -> _Chunk:
        self._lines += len(lines)
        return _Chunk(lines)

    def _bind(self, name: str, kind: MemoryType) -> Binding:
        return binding_of(self._ctx.namespace, kind.value, name)

    def _until(self, ms: int) -> int | None:
        return self._ctx.clock.time_us() + ms * _US if ms else None


class TablePages:
    """The rows of a table, page by page, each once and none missed though rows come and go meanwhile.

    Args:
        place: of the table.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._seen = Seen()
        self._skip = 0
        self._count = _PAGE_FIRST
        self._more = True

    def more(self) -> Flow[list[tuple[bytes, int]] | None]:
        """The next rows with the milliseconds that they live; None at the end."""
        while self._more:
            rows: list[tuple[bytes, int]] = yield TableDump(self._place, None, self._count, self._skip)
            new = set(self._seen.unknown(raw for raw, _ in rows))
            if self._skip and (not rows or rows[0][0] in new):
                # Rows before this page have gone, so some were passed over.
                self._skip = max(self._skip - self._count, 0)
                continue
            self._step(rows, new)
            return [row for row in rows if row[0] in new]
        return None

    def _step(self, rows: list[tuple[bytes, int]], new: set[bytes]) -> None:
        self._seen.add(new)
        self._more = len(rows) == self._count
        # The last row is read again, to see that it is still where it was.
        self._skip += max(len(rows) - 1, 0)
        self._count = _next_count([raw for raw, _ in rows])


def _next_count(records: list[bytes]) -> int:
    """How many records to read next, so that they fit into memory."""
    if not records:
        return _PAGE_MOST
    size = sum(map(len, records)) // len(records) + 1
    return min(max(_PAGE_BYTES // size, _PAGE_LEAST), _PAGE_MOST)
