"""Turns: who alone may change a log, and for how long. They do not depend on the data: a clear leaves them."""

from __future__ import annotations

import heapq
from typing import Any

from memkit.commands import InTurn, Place, TurnGrant
from memkit.errors import TurnHeldError, TurnLostError

__all__ = ["Turns"]

Name = tuple[str, str]

_SLACK = 64


class Turns:
    """The turns that last, each with its number and its end in monotonic seconds."""

    def __init__(self) -> None:
        self._held: dict[Name, tuple[int, float]] = {}
        self._ends: list[tuple[float, Name]] = []
        self._last = 0

    def __len__(self) -> int:
        return len(self._held)

    def admit(self, command: InTurn[Any], now: float) -> None:
        """Let a change of a log pass.

        Raises:
            TurnHeldError: it is done in no turn, and somebody has one.
            TurnLostError: its turn is over.
        """
        number, ends = self._lasting(_name(command.place), now)
        if number is not None and command.turn is None:
            raise TurnHeldError(ends - now)
        if number != command.turn:
            raise TurnLostError

    def take(self, place: Place, ttl_ms: int, now: float, time_us: int) -> TurnGrant:
        """Give the turn to who asks, if nobody has it."""
        self._sweep(now)
        number, ends = self._lasting(_name(place), now)
        if number is not None:
            return TurnGrant(None, max(round((ends - now) * 1000), 1))
        self._last = max(time_us, self._last + 1)
        self._hold(_name(place), self._last, now + ttl_ms / 1000)
        return TurnGrant(self._last)

    def renew(self, place: Place, number: int, ttl_ms: int, now: float) -> bool:
        """Let a turn last that long from now on; False: it was over."""
        if self._lasting(_name(place), now)[0] != number:
            return False
        self._hold(_name(place), number, now + ttl_ms / 1000)
        return True

    def end(self, place: Place, number: int, now: float) -> bool:
        """Take a turn back; False: it was over."""
        if self._lasting(_name(place), now)[0] != number:
            return False
        self.forget(place)
        return True

    def forget(self, place: Place) -> None:
        """Whoever has the turn, has it no longer."""
        self._held.pop(_name(place), None)

    def _hold(self, name: Name, number: int, ends: float) -> None:
        self._held[name] = (number, ends)
        heapq.heappush(self._ends, (ends, name))
        if len(self._ends) > _SLACK + 2 * len(self._held):
            self._ends = [(ends, name) for name, (_, ends) in self._held.items()]
            heapq.heapify(self._ends)

    def _lasting(self, name: Name, now: float) -> tuple[int | None, float]:
        """Number and end of the turn that lasts; None if there is none."""
        number, ends = self._held.get(name, (0, now))
        return (number, ends) if ends > now else (None, now)

    def _sweep(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            _, name = heapq.heappop(self._ends)
            if self._lasting(name, now)[0] is None:
                self._held.pop(name, None)


def _name(place: Place) -> Name:
    return place.scope, place.name
