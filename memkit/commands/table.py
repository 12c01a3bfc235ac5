"""The table: records by id, newest first, each with a time to live of its own."""

from __future__ import annotations

from memkit.commands.base import Effect, Owned, Write, texts
from memkit.commands.log import Slots, Swap
from memkit.shaping import value

__all__ = ["Row", "TableClear", "TableDump", "TableFetch", "TableRead", "TableRemove", "TableSwap", "TableSwapped"]


@value
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


@value
class TableSwapped:
    """What became of a swap.

    Attributes:
        done: all rows were put.
        current: if not done, the bytes that are there now, a place for each row; None where there are none.
    """

    done: bool
    current: tuple[bytes | None, ...] = ()


@value
class TableSwap(Write[TableSwapped]):
    """Put rows, all or none, each only over the bytes that it expects. `ttl_ms` is that of these rows."""

    rows: tuple[Row, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        return texts([row.id for row in self.rows])


@value
class TableFetch(Owned[list[bytes | None]]):
    """The bytes under each id, or None."""

    wanted: tuple[bytes | str, ...]


@value
class TableRead(Owned[Slots]):
    """Read rows, newest first.

    Attributes:
        count: how many; None means all.
        skip: how many of the newest to leave out.
    """

    count: int | None = None
    skip: int = 0


@value
class TableDump(Owned[list[tuple[bytes, int]]]):
    """Rows, newest first, each with the milliseconds that it still lives; 0 is for ever.

    Attributes:
        count: how many.
        skip: how many of the newest to leave out.
    """

    count: int
    skip: int = 0


@value
class TableRemove(Owned[Swap]):
    """Remove a record; where `old` is given, only if its bytes are still these."""

    effect = Effect.REPEATABLE

    id: bytes | str
    old: bytes | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        return texts([self.id])


@value
class TableClear(Owned[int]):
    """Remove all records. Returns how many there were."""

    effect = Effect.REPEATABLE
