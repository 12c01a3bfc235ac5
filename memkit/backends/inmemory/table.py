"""The table in memory: rows by id, a sorted list of what comes first, and a heap of what expires next."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, insort

from attrs import evolve, frozen

from memkit.backends.inmemory.keyed import Keyed, clear_all, remove_one
from memkit.backends.inmemory.parts import left_ms
from memkit.backends.inmemory.store import Store
from memkit.commands import (
    Slots,
    Swap,
    TableClear,
    TableDump,
    TableFetch,
    TableRead,
    TableRemove,
    TableSwap,
    TableSwapped,
)
from memkit.ids import id_key

__all__ = ["Table", "clear", "dump", "fetch", "read", "remove", "swap"]

# Redis keeps what a sorted set is ordered by as a double; so it is here, or the orders could differ.
Rank = tuple[float, bytes]

_SLACK = 64


@frozen
class _Kept:
    wire: bytes
    rank: Rank
    expires: float | None


class Table(Keyed):
    """Rows, each with its own time to live."""

    __slots__ = ("due", "last", "order", "rows")

    def __init__(self) -> None:
        super().__init__()
        # When the last row expires; None: it has to be looked for.
        self.last: float | None = None
        self.rows: dict[bytes | str, _Kept] = {}
        self.order: list[tuple[Rank, bytes | str]] = []
        self.due: list[tuple[float, Rank, bytes | str]] = []

    def next_due(self) -> float | None:
        return self.due[0][0] if self.due else None

    def last_due(self) -> float | None:
        if self.last is None:
            self.last = max(_never_last(row.expires) for row in self.rows.values())
        return None if self.last == math.inf else self.last

    def live_until(self, now: float, ttl_ms: int) -> None:
        expires = now + ttl_ms / 1000 if ttl_ms else None
        self.rows = {key: evolve(row, expires=expires) for key, row in self.rows.items()}
        self.last = None
        self._forget_replaced()

    def expire(self, now: float) -> None:
        gone = []
        while self.due and self.due[0][0] <= now:
            due, _, record_id = heapq.heappop(self.due)
            row = self.rows.get(record_id)
            if row is not None and row.expires == due:
                self.tally(-1, -len(row.wire))
                gone.append(self.rows.pop(record_id).rank)
        if len(gone) > _SLACK:
            # One by one, each would move all that stand behind it.
            self.order = [item for item in self.order if item[1] in self.rows]
        else:
            for rank in gone:
                self._leave_order(rank)

    def at(self, record_id: bytes | str) -> bytes | None:
        row = self.rows.get(record_id)
        return None if row is None else row.wire

    def put(self, record_id: bytes | str, row: _Kept) -> None:
        if record_id in self.rows:
            self.take(record_id)
        self.rows[record_id] = row
        self.last = None if self.last is None else max(self.last, _never_last(row.expires))
        insort(self.order, (row.rank, record_id), key=_rank)
        if row.expires is not None:
            heapq.heappush(self.due, (row.expires, row.rank, record_id))
            if len(self.due) > _SLACK + 2 * len(self.rows):
                self._forget_replaced()

    def _forget_replaced(self) -> None:
        """Leave only the entry that counts for each row."""
        live = [(row.expires, row.rank, key) for key, row in self.rows.items() if row.expires is not None]
        self.due = live
        heapq.heapify(live)

    def newest(self, skip: int, count: int | None) -> list[_Kept]:
        """Rows, newest first."""
        end = max(len(self.order) - skip, 0)
        start = 0 if count is None else max(end - count, 0)
        return [self.rows[record_id] for _, record_id in reversed(self.order[start:end])]

    def forget(self) -> None:
        self.rows, self.order, self.due = {}, [], []

    def take(self, record_id: bytes | str) -> None:
        row = self.rows.pop(record_id)
        if row.expires is None or row.expires == self.last:
            self.last = None
        self._leave_order(row.rank)

    def _leave_order(self, rank: Rank) -> None:
        del self.order[bisect_left(self.order, rank, key=_rank)]


def _never_last(expires: float | None) -> float:
    """Never is later than any time."""
    return math.inf if expires is None else expires


def _rank(item: tuple[Rank, bytes | str]) -> Rank:
    return item[0]


def swap(store: Store, command: TableSwap) -> TableSwapped:
    """Execute `TableSwap`."""
    now = store.now()
    known = store.change(command, Table, now)
    current = tuple(None if known is None else known.at(row.id) for row in command.rows)
    if any(row.old != there for row, there in zip(command.rows, current, strict=True)):
        return TableSwapped(done=False, current=current)
    records = sum(there is None for there in current)
    size = sum(len(row.wire) for row in command.rows) - sum(len(there) for there in current if there is not None)
    store.make_room(command, records, size)
    table = store.write(command, known, Table)
    expires = now + command.ttl_ms / 1000 if command.ttl_ms else None
    for row in command.rows:
        table.put(row.id, _Kept(row.wire, (float(row.created_us), id_key(row.id)), expires))
    store.changed(command.place, table, records, size)
    return TableSwapped(done=True)


def fetch(store: Store, command: TableFetch) -> list[bytes | None]:
    """Execute `TableFetch`."""
    table = store.read(command, Table, store.now())
    return [None if table is None else table.at(record_id) for record_id in command.wanted]


def read(store: Store, command: TableRead) -> Slots:
    """Execute `TableRead`."""
    table = store.read(command, Table, store.now())
    records = [] if table is None else [row.wire for row in table.newest(command.skip, command.count)]
    return Slots(records, len(records))


def dump(store: Store, command: TableDump) -> list[tuple[bytes, int]]:
    """Execute `TableDump`."""
    now = store.now()
    table = store.read(command, Table, now)
    rows = [] if table is None else table.newest(command.skip, command.count)
    return [(row.wire, left_ms(row.expires, now)) for row in rows]


def remove(store: Store, command: TableRemove) -> Swap:
    """Execute `TableRemove`."""
    return remove_one(store, command, store.change(command, Table, store.now()))


def clear(store: Store, command: TableClear) -> int:
    """Execute `TableClear`."""
    return clear_all(store, command.place, store.change(command, Table, store.now()))
