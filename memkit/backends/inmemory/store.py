"""Scopes and their parts: who owns them, when they expire, which go first when there is no room."""

from __future__ import annotations

import heapq
import itertools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from memkit.backends.inmemory.parts import Part
from memkit.clock import Clock
from memkit.commands import Owned, Place
from memkit.errors import CapacityError, OwnerMismatchError

__all__ = ["Scope", "Store"]

P = TypeVar("P", bound=Part)
Name = tuple[str, str]

# So many due parts are forgotten with each operation: a burst of expiries is spread over the next ones.
_SWEEP = 16
# Entries of the queue that count no more are cleared away once they are the most of it.
_SLACK = 64


class Scope:
    """All parts of one conversation, and its owner."""

    __slots__ = ("owner", "parts")

    def __init__(self) -> None:
        self.owner: str | None = None
        self.parts: dict[str, Part] = {}


class Store:
    """Not thread-safe: its user holds the lock.

    Args:
        clock: its monotonic seconds decide what has expired.
        max_records: bound on all records together; None is no bound.
        max_bytes: bound on their bytes.
    """

    def __init__(self, clock: Clock, max_records: int | None, max_bytes: int | None) -> None:
        self._clock = clock
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._bounded = max_records is not None or max_bytes is not None
        self._scopes: OrderedDict[Name, Scope] = OrderedDict()
        self._queue: list[tuple[float, int, Place, Part]] = []
        self._waiting = 0
        self._now = 0.0
        self._order = itertools.count()
        self.records = 0
        self.size = 0

    def now(self) -> float:
        """Monotonic seconds; forgets some of what is due."""
        now = self._now = self._clock.monotonic()
        if self._queue and self._queue[0][0] <= now:
            self._sweep(now)
        return now

    def read(self, command: Owned[Any], kind: type[P], now: float) -> P | None:
        """The part that a command reads, or None if it is not there.

        Raises:
            OwnerMismatchError: it belongs to another user.
        """
        place = command.place
        scope = self._live_scope(place, now)
        if scope is None:
            return None
        if command.owner is not None and scope.owner not in (None, command.owner):
            raise OwnerMismatchError
        part = scope.parts.get(place.part)
        if part is None:
            return None
        self._settle(place, part, now)
        return part if isinstance(part, kind) and part.records else None

    def write(self, command: Owned[Any], found: P | None, make: Callable[[], P]) -> P:
        """The part that a command writes, made if `read` did not find it; claims the scope for the command's owner."""
        scope = self._scopes.setdefault((command.place.scope, command.place.name), Scope())
        if command.owner is not None:
            scope.owner = command.owner
        if found is None:
            found = scope.parts[command.place.part] = make()
        return found

    def make_room(self, command: Owned[Any], records: int, size: int) -> None:
        """Drop the conversations that were used least lately, until so much more fits.

        Raises:
            CapacityError: it does not fit even alone.
        """
        if not self._bounded:
            return
        name = (command.place.scope, command.place.name)
        scope = self._scopes.get(name)
        parts = list(scope.parts.values()) if scope else []
        if not self._fits(sum(part.records for part in parts) + records, sum(part.size for part in parts) + size):
            raise CapacityError("the conversation alone is larger than max_records or max_bytes allow: raise the bound")
        while not self._fits(self.records + records, self.size + size):
            if not self._sweep_one(self._now):
                self._drop_scope(next(key for key in self._scopes if key != name))

    def changed(self, place: Place, part: Part, records: int, size: int) -> None:
        """Note that a part grew or shrank by so much, or lives longer or shorter."""
        part.tally(records, size)
        self.records += records
        self.size += size
        if not part.records:
            self._drop_part(place)
            return
        due = part.next_due()
        if due is not None and (part.queued is None or due < part.queued):
            self._enqueue(place, part, due)

    def _enqueue(self, place: Place, part: Part, due: float) -> None:
        self._waiting += part.queued is None
        part.queued = due
        heapq.heappush(self._queue, (due, next(self._order), place, part))
        if len(self._queue) > _SLACK + 2 * self._waiting:
            self._queue = [entry for entry in self._queue if entry[3].queued == entry[0]]
            heapq.heapify(self._queue)

    def _live_scope(self, place: Place, now: float) -> Scope | None:
        name = (place.scope, place.name)
        scope = self._scopes.get(name)
        if scope is None:
            return None
        for part_name, part in list(scope.parts.items()):
            if part.expires is not None and part.expires <= now:
                self._drop_part(Place(place.scope, place.name, part_name))
        if not scope.parts:
            return None
        if self._bounded:
            self._scopes.move_to_end(name)
        return scope

    def _fits(self, records: int, size: int) -> bool:
        too_many = self._max_records is not None and records > self._max_records
        too_large = self._max_bytes is not None and size > self._max_bytes
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
            self._look_at(place, part, now)
        return True

    def _look_at(self, place: Place, part: Part, now: float) -> None:
        """A part is due: forget it, or put it back in the queue if it was written meanwhile."""
        self._unqueue(part)
        if part.expires is not None and part.expires <= now:
            self._drop_part(place)
            return
        self._settle(place, part, now)
        self.changed(place, part, 0, 0)

    def _unqueue(self, part: Part) -> None:
        self._waiting -= part.queued is not None
        part.queued = None

    def _settle(self, place: Place, part: Part, now: float) -> None:
        """Let a part forget what expired inside of it."""
        records, size = part.records, part.size
        part.expire(now)
        self.records += part.records - records
        self.size += part.size - size
        if not part.records:
            self._drop_part(place)

    def _drop_part(self, place: Place) -> None:
        name = (place.scope, place.name)
        scope = self._scopes.get(name)
        part = scope.parts.pop(place.part, None) if scope else None
        if part is not None:
            self.records -= part.records
            self.size -= part.size
            self._unqueue(part)
            part.forget()
        if scope is not None and not scope.parts:
            del self._scopes[name]

    def _drop_scope(self, name: Name) -> None:
        for part_name in list(self._scopes[name].parts):
            self._drop_part(Place(*name, part_name))
