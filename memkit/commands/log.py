"""The log: records in the order in which the backend took them, each found by its id."""

from __future__ import annotations

from enum import IntFlag

from attrs import field

from memkit.commands.base import InTurn, Outcome, Owned, texts
from memkit.shaping import value

__all__ = [
    "Cursor",
    "Entry",
    "LogAppend",
    "LogClear",
    "LogFind",
    "LogRead",
    "LogRemove",
    "LogReplace",
    "LogRewrite",
    "LogSlice",
    "LogWindow",
    "Mark",
    "Opening",
    "Retention",
    "Rewritten",
    "Slice",
    "Slots",
    "Swap",
    "WindowSlots",
]


class Mark(IntFlag):
    """What a backend has to know of a record: it cannot look into its bytes.

    NONE nothing. FOLLOWS it belongs to the record before it, as the result of a tool call does; such records and the
    one before them are a group. SYSTEM those that lead the log stay in every window. PINNED it stays in every window.
    """

    NONE = 0
    FOLLOWS = 1
    SYSTEM = 2
    PINNED = 4


@value
class Entry:
    """A record to append.

    Attributes:
        id: wire form of its id.
        wire: its bytes.
        fresh: memkit made the id for this very call, so no other call can have stored it.
        mark: what the backend has to know of it.
    """

    id: bytes | str
    wire: bytes
    fresh: bool
    mark: Mark = Mark.NONE


@value
class Retention:
    """What a log keeps when it is appended to; 0 is no bound.

    Whole groups go, the oldest first. The newest group stays, and so do leading system records, pinned ones and the
    groups in which they are.

    Attributes:
        most: how many records, leading system and pinned ones not counted.
        age_ms: how many milliseconds after their append.
    """

    most: int = 0
    age_ms: int = 0


@value
class Opening:
    """What a log that is new begins with; a log that is there already keeps what it has.

    Attributes:
        title: of the conversation.
        metadata: of the conversation, encoded.
        created_us: when it was begun; None: now.
        renews_ms: a time to live as if `AboutExpire` had set it; None: none.
    """

    title: str | None = None
    metadata: bytes | None = None
    created_us: int | None = None
    renews_ms: int | None = None


@value
class Cursor:
    """A place in a log that a backend named; it holds whatever becomes of the record there."""

    value: bytes


@value
class Slots:
    """A piece of a log or table.

    Attributes:
        records: bytes of the records, in the order of the command.
        scanned: places looked at, those of removed records included; fewer than asked for means: that was the end.
    """

    records: list[bytes]
    scanned: int


@value
class Slice:
    """A piece of a log, oldest first.

    Attributes:
        records: bytes of the records.
        first: the place where it begins; None if it is empty.
        last: the place where it ends.
        more: whether there are places beyond it, within the bounds asked for.
    """

    records: list[bytes]
    first: Cursor | None
    last: Cursor | None
    more: bool


@value
class WindowSlots:
    """What a window is made of.

    Attributes:
        lead: the system records that lead the log, as far as they stand before the tail.
        kept: the groups with a pinned record between those and the tail, in order.
        tail: the last places, beginning with a whole group, oldest first.
        first: the place where the tail begins; None if the log is empty.
        between: how many places stand between lead and tail.
    """

    lead: list[bytes]
    kept: list[bytes]
    tail: list[bytes]
    first: Cursor | None
    between: int


@value
class Swap:
    """What became of a change that was allowed only over certain bytes.

    Attributes:
        done: it was made.
        current: the bytes that are there instead, or None: the record is not there.
    """

    done: bool
    current: bytes | None = None


@value
class Rewritten:
    """What became of a change of a piece of a log.

    Attributes:
        outcome: only DONE changed anything.
        count: how many records were taken out.
        revision: of the conversation now.
        last: if INSIDE, wire form of the id of the last record of the group.
    """

    outcome: Outcome
    count: int = 0
    revision: int = 0
    last: bytes | str | None = None


@value
class LogAppend(InTurn[int | None]):
    """Append entries, all or none. Those whose id is there already are passed over.

    Returns how many were new; None: `alone` was asked for, and there are records.

    Attributes:
        ttl_ms: milliseconds to live from now on; 0 is for ever.
        entries: what to append.
        default_ttl: a time to live that `AboutExpire` set takes the place of `ttl_ms`.
        retention: what is dropped afterwards.
        whole: the first entry decides for all: where its id is there, nothing is appended.
        alone: only to a log without records.
        opening: what a new log begins with.
    """

    ttl_ms: int
    entries: tuple[Entry, ...]
    default_ttl: bool = field(default=False, kw_only=True)
    retention: Retention = field(default=Retention(), kw_only=True)
    whole: bool = field(default=False, kw_only=True)
    alone: bool = field(default=False, kw_only=True)
    opening: Opening | None = field(default=None, kw_only=True)

    @property
    def ids(self) -> tuple[str, ...]:
        return texts([entry.id for entry in self.entries])


@value
class LogRead(Owned[Slots]):
    """Read the last places, oldest first.

    Attributes:
        count: how many places; None means all.
    """

    count: int | None = None


@value
class LogSlice(Owned[Slice | None]):
    """Read places between two others, oldest first. None: a record that is named by its id is not there.

    Attributes:
        after: wire form of an id, or a place; None: from the start.
        before: the same; None: to the end.
        count: how many places; None means all.
        newest: if there are more, the last ones instead of the first.
    """

    after: bytes | str | Cursor | None = None
    before: bytes | str | Cursor | None = None
    count: int | None = None
    newest: bool = False


@value
class LogWindow(Owned[WindowSlots]):
    """Read what a window over the last `count` places is made of; the tail may be longer, to begin with a group."""

    count: int


@value
class LogFind(Owned[bytes | None]):
    """The bytes of one record, or None."""

    id: bytes | str


@value
class LogReplace(InTurn[Swap]):
    """Put other bytes in the place of a record, if its bytes are still `old`.

    Attributes:
        ttl_ms: milliseconds to live from now on; 0 is for ever.
        id: wire form of its id.
        old: the bytes that must be there.
        new: those that take their place.
        mark: of the new bytes.
        default_ttl: as in `LogAppend`.
    """

    ttl_ms: int
    id: bytes | str
    old: bytes
    new: bytes
    mark: Mark
    default_ttl: bool = field(default=False, kw_only=True)

    @property
    def ids(self) -> tuple[str, ...]:
        return texts([self.id])


@value
class LogRemove(InTurn[Swap]):
    """Remove a record; where `old` is given, only if its bytes are still these."""

    id: bytes | str
    old: bytes | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        return texts([self.id])


@value
class LogClear(InTurn[int]):
    """Remove all records. Returns how many there were."""


@value
class LogRewrite(InTurn[Rewritten]):
    """Put entries in the place of a piece of the log, all or nothing.

    Entries that stand in the piece already keep their place in the order, as far as it fits. The time to live stays;
    so in a log without records nothing can be put (MISSING).

    Attributes:
        after: wire form of the id of the record before the piece; None: it begins with the first one.
        through: wire form of the id of its last record; None: it goes to the end.
        entries: what stands there afterwards.
        revision: only if the conversation is still at this revision; None does not ask.
        edits: only if nothing but appends happened since the conversation was at this one of its `About.edits`.
    """

    after: bytes | str | None
    through: bytes | str | None
    entries: tuple[Entry, ...]
    revision: int | None = None
    edits: int | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        return texts([entry.id for entry in self.entries])
