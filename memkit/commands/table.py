"""The table: records by id, newest first, each with a time to live of its own."""

from __future__ import annotations

from attrs import frozen

from memkit.commands.base import Effect, Owned, Write, texts
from memkit.commands.log import Slots, Swap

__all__ = ["Row", "TableClear", "TableDump", "TableFetch", "TableRead", "TableRemove", "TableSwap", "TableSwapped"]


@frozen
class Row:
    """A record to put.

    Attributes:
        id: wire form of its id.
        wire: its bytes.
        created_us: what the table is ordered by; equal ones by id.
        old: the bytes that must be there now; None: there must be none.
    """

    id: bytes | str
    wire: bytes
    created_us: int
    old: bytes | None = None


@frozen
class TableSwapped:
    """What became of a swap.

    Attributes:
        done: all rows were put.
        current: if not done, the bytes that are there now, a place for each row; None where there are none.
    """

    done: bool
    current: tuple[bytes | None, ...] = ()


@frozen
class TableSwap(Write[TableSwapped]):
    """Put rows, all or none, each only over the bytes that it expects. `ttl_ms` is that of these rows."""

    rows: tuple[Row, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        return texts([row.id for row in self.rows])


@frozen
class TableFetch(Owned[list[bytes | None]]):
    """The bytes under each id, or None."""

    wanted: tuple[bytes | str, ...]


@frozen
class TableRead(Owned[Slots]):
    """Read rows, newest first.

    Attributes:
        count: how many; None means all.
        skip: how many of the newest to leave out.
    """

    count: int | None = None
    skip: int = 0


@frozen
class TableDump(Owned[list[tuple[bytes, int]]]):
    """Rows, newest first, each with the milliseconds that it still lives; 0 is for ever.

    Attributes:
        count: how many.
        skip: how many of the newest to leave out.
    """

    count: int
    skip: int = 0


@frozen
class TableRemove(Owned[Swap]):
    """Remove a record; where `old` is given, only if its bytes are still these."""

    effect = Effect.REPEATABLE

    id: bytes | str
    old: bytes | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        return texts([self.id])


@frozen
class TableClear(Owned[int]):
    """Remove all records. Returns how many there were."""

    effect = Effect.REPEATABLE
