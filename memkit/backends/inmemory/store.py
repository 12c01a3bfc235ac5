"""Scopes and their parts: who owns them, when they expire, which go first when there is no room."""

from __future__ import annotations

import heapq
import itertools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from memkit.backends.inmemory.fences import Fences
from memkit.backends.inmemory.parts import Part
from memkit.backends.inmemory.scope import Scope
from memkit.backends.inmemory.touches import Index
from memkit.backends.inmemory.turns import Turns
from memkit.clock import Clock
from memkit.commands import InTurn, Owned, Place
from memkit.errors import CapacityError, OwnerMismatchError

__all__ = ["Name", "Store"]

P = TypeVar("P", bound=Part)
Name = tuple[str, str]

# So many due parts are forgotten with each operation: a burst of expiries is spread over the next ones.
_SWEEP = 16
# Between the numbers of records there is room for others that are put between them.
_STEP = 1 << 20
# Entries of the queue that count no more are cleared away once they are the most of it.
_SLACK = 64


class Store:
    """Not thread-safe: its user holds the lock.

    Args:
        clock: its monotonic seconds decide what has expired, its wall time makes revisions.
        max_records: bound on all records together; None is no bound.
        max_bytes: bound on their bytes.

    Attributes:
        fences: what was erased a moment ago.
        turns: who may change what.
        indexes: those that hold a name.
        records: how many there are, in logs, tables, branches and values.
        size: how many bytes they take, titles and metadata of conversations too.
    """

    def __init__(self, clock: Clock, max_records: int | None, max_bytes: int | None) -> None:
        self._clock = clock
        self._max_records = max_records
        self.max_bytes = max_bytes
        self.bounded = max_records is not None or max_bytes is not None
        self._scopes: OrderedDict[Name, Scope] = OrderedDict()
        self._queue: list[tuple[float, int, Place, Part]] = []
        self._waiting = 0
        self._now = 0.0
        self._order = itertools.count()
        # The highest revision of a scope that was forgotten: no revision is given twice, even if the clock is set back.
        self._floor = 0
        self._number = 0
        self.fences = Fences()
        self.turns = Turns()
        self.indexes: dict[Place, Index] = {}
        self.records = 0
        self.size = 0

    def now(self) -> float:
        """Monotonic seconds; forgets some of what is due."""
        now = self._now = self._clock.monotonic()
        if self._queue and self._queue[0][0] <= now:
            self._sweep(now)
        return now

    def time_us(self) -> int:
        """Wall time in microseconds."""
        return self._clock.time_us()

    def numbers(self, count: int) -> range:
        """Numbers for records to append to any log, above all that were given before."""
        first = self._number + _STEP
        self._number += count * _STEP
        return range(first, first + count * _STEP, _STEP)

    def used(self, number: int) -> None:
        """Note a number that was made between others."""
        self._number = max(self._number, number)

    def names(self) -> list[Name]:
        """All scopes, those that have expired too."""
        return list(self._scopes)

    def scope(self, place: Place) -> Scope | None:
        """The scope of a place, as it was left."""
        return self._scopes.get((place.scope, place.name))

    def live(self, place: Place, now: float) -> Scope | None:
        """The scope of a place, if it has data; all that has expired is out of it."""
        name = (place.scope, place.name)
        scope = self._scopes.get(name)
        if scope is None:
            return None
        for part in scope.parts.values():
            due = part.next_due()
            if due is not None and due <= now:
                self._settle_all(place, scope, now)
                break
        if not scope.parts:
            return None
        if self.bounded:
            self._scopes.move_to_end(name)
        return scope

    def _settle_all(self, place: Place, scope: Scope, now: float) -> None:
        for part_name, part in list(scope.parts.items()):
            due = part.next_due()
            if due is not None and due <= now:
                self._settle(Place(place.scope, place.name, part_name), part, now)

    def owned(self, command: Owned[Any], now: float) -> Scope | None:
        """The scope that a command reads, if it has data.

        Raises:
            OwnerMismatchError: it belongs to another user.
        """
        scope = self.live(command.place, now)
        if scope is not None and command.owner is not None and scope.owner not in (None, command.owner):
            raise OwnerMismatchError
        return scope

    def opened(self, command: Owned[Any], now: float) -> Scope | None:
        """The scope that a command changes, if it has data.

        Raises:
            ErasedError: it was erased a moment ago.
            OwnerMismatchError: it belongs to another user.
        """
        if self.fences:
            self.fences.refuse(command.place, now)
        return self.owned(command, now)

    def read(self, command: Owned[Any], kind: type[P], now: float) -> P | None:
        """The part that a command reads, or None if it is not there; raises as `owned`."""
        return _part_of(self.owned(command, now), command, kind)

    def change(self, command: Owned[Any], kind: type[P], now: float) -> P | None:
        """The part that a command changes, or None if it is not there; raises as `opened`."""
        return _part_of(self.opened(command, now), command, kind)

    def in_turn(self, command: InTurn[Any], kind: type[P], now: float) -> P | None:
        """The same for a command that is refused during the turns of others; raises as `Turns.admit`, too."""
        part = self.change(command, kind, now)
        if self.turns or command.turn is not None:
            self.turns.admit(command, now)
        return part

    def claim(self, command: Owned[Any]) -> Scope:
        """The scope of a command that may change it, made if need be; it belongs to the command's owner from now on."""
        scope = self.enter(command.place)
        if command.owner is not None:
            scope.owner = command.owner
        return scope

    def enter(self, place: Place) -> Scope:
        """The scope of a place, made if need be."""
        name = (place.scope, place.name)
        scope = self._scopes.get(name)
        if scope is None:
            scope = self._scopes[name] = Scope(self._floor)
        return scope

    def write(self, command: Owned[Any], found: P | None, make: Callable[[], P]) -> P:
        """The part that a command writes, made if it was not found; claims the scope for the command's owner."""
        scope = self.claim(command)
        if found is None:
            found = scope.parts[command.place.part] = make()
        return found

    def growth(self, place: Place, title: str | None, metadata: bytes | None) -> int:
        """How many bytes more `describe` would take."""
        scope = self.scope(place) or Scope(0)
        return scope.size_with(title, metadata) - scope.size

    def describe(self, place: Place, title: str | None, metadata: bytes | None) -> None:
        """Set title and metadata of a scope, for which `make_room` made room."""
        self.size += self.growth(place, title, metadata)
        self.enter(place).describe(title, metadata)

    def make_room(self, command: Owned[Any], records: int, size: int) -> None:
        """Drop the conversations that were used least lately, until so much more fits.

        Raises:
            CapacityError: it does not fit even alone.
        """
        if not self.bounded:
            return
        name = (command.place.scope, command.place.name)
        scope = self._scopes.get(name) or Scope(0)
        parts = scope.parts.values()
        own_size = scope.size + sum(part.size for part in parts)
        if not self._fits(sum(part.records for part in parts) + records, own_size + size):
            raise CapacityError("the conversation alone is larger than max_records or max_bytes allow: raise the bound")
        while not self._fits(self.records + records, self.size + size):
            if not self._sweep_one(self._now):
                self.drop(next(key for key in self._scopes if key != name))

    def changed(self, place: Place, part: Part, records: int, size: int) -> None:
        """Note that a part grew or shrank by so much, or lives longer or shorter."""
        part.records += records
        part.size += size
        self.records += records
        self.size += size
        if not part.records:
            self._drop_part(place)
            return
        due = part.next_due()
        if due is not None and (part.queued is None or due < part.queued):
            self._enqueue(place, part, due)

    def drop(self, name: Name) -> None:
        """Forget a scope with all of its parts."""
        for part_name in list(self._scopes[name].parts):
            self._drop_part(Place(*name, part_name))

    def _enqueue(self, place: Place, part: Part, due: float) -> None:
        self._waiting += part.queued is None
        part.queued = due
        heapq.heappush(self._queue, (due, next(self._order), place, part))
        if len(self._queue) > _SLACK + 2 * self._waiting:
            self._queue = [entry for entry in self._queue if entry[3].queued == entry[0]]
            heapq.heapify(self._queue)

    def _fits(self, records: int, size: int) -> bool:
        too_many = self._max_records is not None and records > self._max_records
        too_large = self.max_bytes is not None and size > self.max_bytes
        return not (too_many or too_large)

    def _sweep(self, now: float) -> None:
        for _ in range(_SWEEP):
            if not self._sweep_one(now):
                return

    def _sweep_one(self, now: float) -> bool:
        """Look at what is due first. False: nothing is due."""
        if not self._queue or self._queue[0][0] > now:
            return False
        due, _, place, part = heapq.heappop(self._queue)
        if part.queued == due:
            self._waiting -= 1
            part.queued = None
            self._settle(place, part, now)
        return True

    def _settle(self, place: Place, part: Part, now: float) -> None:
        """Let a part forget what has expired by now, and put it back in the queue if something in it will."""
        if part.expires is not None and part.expires <= now:
            scope = self.scope(place)
            if scope is not None and part.begins:
                scope.created_us = None
            self._drop_part(place)
            return
        records, size = part.records, part.size
        part.expire(now)
        self.records += part.records - records
        self.size += part.size - size
        self.changed(place, part, 0, 0)

    def _drop_part(self, place: Place) -> None:
        name = (place.scope, place.name)
        scope = self._scopes.get(name)
        part = scope.parts.pop(place.part, None) if scope else None
        if part is not None:
            self.records -= part.records
            self.size -= part.size
            self._waiting -= part.queued is not None
            part.queued = None
            part.forget()
        if scope is not None and not scope.parts:
            self.size -= scope.size
            self._floor = max(self._floor, scope.floor)
            del self._scopes[name]


def _part_of(scope: Scope | None, command: Owned[Any], kind: type[P]) -> P | None:
    part = None if scope is None else scope.parts.get(command.place.part)
    return part if isinstance(part, kind) else None
