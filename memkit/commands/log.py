"""The log: records in the order in which the backend took them, each found by its id."""

from __future__ import annotations

from attrs import frozen

from memkit.commands.base import Effect, Owned, Write, texts

__all__ = ["Entry", "LogAppend", "LogClear", "LogFind", "LogRead", "LogRemove", "LogReplace", "Slots", "Swap"]


@frozen
class Entry:
    """A record to append.

    Attributes:
        id: wire form of its id.
        wire: its bytes.
        fresh: memkit made the id for this very call, so no other call can have stored it.
    """

    id: bytes | str
    wire: bytes
    fresh: bool


@frozen
class Slots:
    """A piece of a log or table.

    Attributes:
        records: bytes of the records, in the order of the command.
        scanned: places looked at, those of removed records included; fewer than asked for means: that was the end.
    """

    records: list[bytes]
    scanned: int


@frozen
class Swap:
    """What became of a change that was allowed only over certain bytes.

    Attributes:
        done: it was made.
        current: the bytes that are there instead, or None: the record is not there.
    """

    done: bool
    current: bytes | None = None


@frozen
class LogAppend(Write[int]):
    """Append entries, all or none. Those whose id is there already are passed over. Returns how many were new."""

    entries: tuple[Entry, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        return texts([entry.id for entry in self.entries])


@frozen
class LogRead(Owned[Slots]):
    """Read places counted from the end, oldest first.

    Attributes:
        count: how many places; None means all.
        skip: how many of the newest to leave out.
    """

    count: int | None = None
    skip: int = 0


@frozen
class LogFind(Owned[bytes | None]):
    """The bytes of one record, or None."""

    id: bytes | str


@frozen
class LogReplace(Write[Swap]):
    """Put other bytes in the place of a record, if its bytes are still `old`."""

    id: bytes | str
    old: bytes
    new: bytes

    @property
    def ids(self) -> tuple[str, ...]:
        return texts([self.id])


@frozen
class LogRemove(Owned[Swap]):
    """Remove a record; where `old` is given, only if its bytes are still these."""

    effect = Effect.REPEATABLE

    id: bytes | str
    old: bytes | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        return texts([self.id])


@frozen
class LogClear(Owned[int]):
    """Remove all records. Returns how many there were."""

    effect = Effect.REPEATABLE
