"""The data of a log: columns side by side, and where each id stands."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Any, NamedTuple

from memkit.backends.inmemory.keyed import Keyed
from memkit.commands import Mark

__all__ = ["FOLLOWS", "PINNED", "SYSTEM", "Log", "Slot", "size_of"]

# Plain numbers: those of the enumeration are slow to reckon with.
FOLLOWS, SYSTEM, PINNED = int(Mark.FOLLOWS), int(Mark.SYSTEM), int(Mark.PINNED)
_DEAD = 128
_JOINS = FOLLOWS | _DEAD

_ENOUGH = 64


class Slot(NamedTuple):
    """A record of a log with all that is known of it.

    Attributes:
        id: wire form of its id.
        wire: its bytes.
        mark: see `Mark`.
        time: monotonic seconds of its append.
        number: rises from place to place, and holds as long as the record stands there.
    """

    id: bytes | str
    wire: bytes
    mark: int
    time: float
    number: int


def size_of(slots: Iterable[Slot]) -> int:
    """Bytes of records."""
    return sum(len(slot.wire) for slot in slots)


class Log(Keyed):
    """Records in order. A removed one leaves a dead place, so that nothing else has to move; those at the ends go.

    What stands before `head` is waste. So no place is the name of a record for long; its number is.
    """

    __slots__ = ("dead", "head", "ids", "index", "marks", "numbers", "pins", "times", "wires")

    begins = True

    def __init__(self) -> None:
        super().__init__()
        self.forget()

    def forget(self) -> None:
        self.ids: list[bytes | str | None] = []
        self.wires: list[bytes | None] = []
        self.marks = bytearray()
        self.times = array("d")
        self.numbers = array("Q")
        self.index: dict[bytes | str, int] = {}
        self.pins: list[int] = []
        self.head = self.dead = 0

    def expire(self, now: float) -> None:
        """A log expires as a whole, which is the store's business."""

    @property
    def end(self) -> int:
        """The place behind the last one."""
        return len(self.wires)

    # By id ----------------------------------------------------------------------------------------------------------

    def place_of(self, record_id: bytes | str) -> int | None:
        """Where a record stands, or None."""
        number = self.index.get(record_id)
        return None if number is None else self.place(number)

    def place(self, number: int) -> int:
        """The first place whose number is not below this one."""
        return bisect_left(self.numbers, number, self.head)

    def at(self, record_id: bytes | str) -> bytes | None:
        place = self.place_of(record_id)
        return None if place is None else self.wires[place]

    def put(self, record_id: bytes | str, wire: bytes, mark: int) -> None:
        """Put other bytes in the place of a record that is there."""
        number = self.index[record_id]
        place = self.place(number)
        self.wires[place] = wire
        if self.marks[place] & PINNED:
            self.pins.remove(number)
        if mark & PINNED:
            insort(self.pins, number)
        self.marks[place] = mark

    def take(self, record_id: bytes | str) -> None:
        number = self.index.pop(record_id)
        place = self.place(number)
        if self.marks[place] & PINNED:
            self.pins.remove(number)
        self.ids[place] = self.wires[place] = None
        self.marks[place] = _DEAD
        self.dead += 1
        self._tidy()

    # By place -------------------------------------------------------------------------------------------------------

    def add(self, slot: Slot) -> None:
        """Append a record, whose number is above all others."""
        self.ids.append(slot.id)
        self.wires.append(slot.wire)
        self.marks.append(slot.mark)
        self.times.append(slot.time)
        self.numbers.append(slot.number)
        self.index[slot.id] = slot.number
        if slot.mark & PINNED:
            self.pins.append(slot.number)

    def living(self, start: int, end: int) -> list[bytes]:
        """Bytes of the records from one place up to another."""
        return [wire for wire in self.wires[start:end] if wire is not None]

    def slots(self, start: int, end: int) -> list[Slot]:
        """The records from one place up to another."""
        columns = (column[start:end] for column in self._columns())
        return [Slot(*row) for row in zip(*columns, strict=True) if row[0] is not None]

    def splice(self, start: int, end: int, slots: Sequence[Slot]) -> None:
        """Put records in the place of others; their numbers must fit in."""
        self._leave(start, end)
        fresh = zip(*slots, strict=True) if slots else ((),) * 5
        for column, values in zip(self._columns(), fresh, strict=True):
            column[start:end] = _like(column, values)
        for slot in slots:
            self.index[slot.id] = slot.number
            if slot.mark & PINNED:
                insort(self.pins, slot.number)
        self._tidy()

    def drop(self, spans: Iterable[tuple[int, int]]) -> None:
        """Take out spans of places near the head: the few that stand before each of them move up to it."""
        for start, end in spans:
            self._leave(start, end)
            head, gone = self.head, end - start
            for column in self._columns():
                column[head + gone : end] = column[head:start]
            self.ids[head : head + gone] = self.wires[head : head + gone] = [None] * gone
            self.head += gone
        self._tidy()

    # Groups ---------------------------------------------------------------------------------------------------------

    def group_start(self, place: int) -> int:
        """Where the group begins in which a place stands; a dead place goes with what is before it."""
        while place > self.head and self.marks[place] & _JOINS:
            place -= 1
        return place

    def group_end(self, place: int) -> int:
        """The place behind the group in which a place stands, and behind the dead ones that follow."""
        place += 1
        while place < self.end and self.marks[place] & _JOINS:
            place += 1
        return place

    def lead_end(self, bound: int) -> int:
        """The place behind the unbroken run of system records at the head, as far as that stands before a place."""
        place = self.head
        while place < bound and self.marks[place] & (SYSTEM | _DEAD):
            place += 1
        return place

    def last_of_cut(self, place: int) -> bytes | str | None:
        """The id of the last record of a group that would be cut in front of a place; None if none would."""
        ends = self.group_end(place - 1)
        followers = [record_id for record_id in self.ids[place:ends] if record_id is not None]
        return followers[-1] if followers else None

    # Inside ---------------------------------------------------------------------------------------------------------

    def _columns(self) -> tuple[Any, ...]:
        return self.ids, self.wires, self.marks, self.times, self.numbers

    def _leave(self, start: int, end: int) -> None:
        """Forget the ids, pins and dead places of a span that is about to go."""
        for record_id in self.ids[start:end]:
            if record_id is None:
                self.dead -= 1
            else:
                del self.index[record_id]
        if self.pins and start < end:
            first = bisect_left(self.pins, self.numbers[start])
            del self.pins[first : bisect_right(self.pins, self.numbers[end - 1])]

    def _tidy(self) -> None:
        """Let go of dead places at the ends, and of waste and dead places once they are the most of all."""
        while self.end > self.head and self.wires[-1] is None:
            for column in self._columns():
                column.pop()
            self.dead -= 1
        while self.end > self.head and self.wires[self.head] is None:
            self.head += 1
            self.dead -= 1
        if self.head > _ENOUGH and self.head > self.end - self.head:
            for column in self._columns():
                del column[: self.head]
            self.head = 0
        if self.dead > _ENOUGH and self.dead > len(self.index):
            self._bury()

    def _bury(self) -> None:
        alive = [wire is not None for wire in self.wires]
        for column in self._columns():
            column[:] = _like(column, compress(column, alive))
        self.head = self.dead = 0


def _like(column: Any, values: Iterable[Any]) -> Any:
    """Values as a piece of such a column."""
    return array(column.typecode, values) if isinstance(column, array) else type(column)(values)
