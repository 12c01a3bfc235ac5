"""What the facets return beside records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final, Generic, TypeVar

from attrs import frozen

__all__ = [
    "START",
    "Branch",
    "Compaction",
    "ConversationInfo",
    "EraseReceipt",
    "ImportReport",
    "OnProgress",
    "Page",
    "Progress",
    "RepairReport",
    "Start",
    "Stats",
]

T = TypeVar("T")


class Start(Enum):
    """One member, so that it has a type."""

    START = "START"

    def __repr__(self) -> str:
        return "START"


START: Final = Start.START
"""The place before the first message: ``messages(after=START, limit=50)`` is the first page."""


@frozen
class ConversationInfo:
    """A conversation as a whole.

    Attributes:
        id: its id.
        user_id: whose it is; None if nobody claimed it.
        title: as `set_title` set it, or None.
        count: how many messages it has.
        created_at: when its first message came, aware UTC; None if it has only other memories.
        updated_at: when its messages changed last; None likewise.
        expires_in: seconds until the last of it is gone; None is never.
        metadata: as `set_metadata` set it.
        revision: rises with every change of its messages, is never given twice; 0 if there never were any.
    """

    id: str
    user_id: str | None
    title: str | None
    count: int
    created_at: datetime | None
    updated_at: datetime | None
    expires_in: float | None
    metadata: Mapping[str, Any]
    revision: int


@frozen
class Branch:
    """What a `rewind` cut off, for as long as it is kept.

    Attributes:
        id: by which `restore` puts it back.
        after: id of the message after which it was cut; None: all was cut.
        count: how many messages it holds.
        created_at: when it was cut, aware UTC.
        expires_at: when it goes, aware UTC.
    """

    id: str
    after: str | None
    count: int
    created_at: datetime
    expires_at: datetime


@frozen
class Compaction:
    """What a `compact` did.

    Attributes:
        summary_id: id of the summary.
        removed: how many messages it took the place of.
        kept: how many of the range stayed: leading system messages, pinned ones and the groups in which they are.
        revision: of the conversation afterwards.
    """

    summary_id: str
    removed: int
    kept: int
    revision: int


@frozen
class RepairReport:
    """What a `repair` did.

    Attributes:
        closed: ids of the tool calls that got a result saying that they were interrupted.
        moved: ids of the messages with results that stood away from their calls and stand behind them now.
        removed: ids of the messages with results of calls that are not there, which were taken out.
    """

    closed: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.closed or self.moved or self.removed)


@frozen
class Page(Generic[T]):
    """A page of a listing. Iterates over its items.

    Attributes:
        items: what is on it.
        cursor: gives the next page; None on the last.
    """

    items: tuple[T, ...]
    cursor: str | None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@frozen
class EraseReceipt:
    """What an `erase` did; keep it as proof.

    Attributes:
        user_id: whose data it was, if it was asked for so.
        conversation_id: the conversation, if it was asked for so.
        conversations: how many had data.
        messages: how many messages.
        working_memories: how many.
        long_term_memories: how many.
        branch_messages: how many messages in branches.
        dry_run: nothing was erased, only counted.
        verified: afterwards, all of it was looked for once more and nothing was found; False after a dry run.
        fenced_for: seconds for which writes that began earlier are refused.
        started_at: aware UTC.
        finished_at: aware UTC.
    """

    user_id: str | None
    conversation_id: str | None
    conversations: int
    messages: int
    working_memories: int
    long_term_memories: int
    branch_messages: int
    dry_run: bool
    verified: bool
    fenced_for: float
    started_at: datetime
    finished_at: datetime


@frozen
class Progress:
    """How far a long operation is.

    Attributes:
        conversations: done so far.
        records: done so far.
        lines: written or read so far.
    """

    conversations: int = 0
    records: int = 0
    lines: int = 0


OnProgress = Callable[[Progress], None]


@frozen
class ImportReport:
    """What an `import_` did.

    Attributes:
        conversations: how many it read.
        imported: how many records it stored.
        present: how many were there already.
        expired: how many had expired meanwhile and were left out.
    """

    conversations: int
    imported: int
    present: int
    expired: int


@frozen
class Stats:
    """The store as a whole; None where it does not know.

    Attributes:
        backend: what it is, with its version.
        conversations: how many are listed.
        used_bytes: memory in use.
        peak_bytes: the most that was ever in use.
        limit_bytes: bound on it; 0 is none.
        eviction: what it does at the bound; for memories it should be ``noeviction``.
        clients: how many are connected.
        warnings: what an operator should look at, for example an eviction policy that drops memories.
    """

    backend: str
    conversations: int
    used_bytes: int | None = None
    peak_bytes: int | None = None
    limit_bytes: int | None = None
    eviction: str | None = None
    clients: int | None = None
    warnings: tuple[str, ...] = ()
