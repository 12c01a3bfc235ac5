"""The data of an index: names by their last touch, so that neither a touch nor a page depends on how many there are."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice

from memkit.commands import IndexRow

__all__ = ["Index"]

_BLOCK = 512
_SLACK = 64
# So many names whose time is over are forgotten with each touch.
_SWEEP = 16


class Index:
    """Names in the order of their last touch. No two touches have the same microsecond, and a later one is never below.

    The touches stand in blocks, sorted lists of some hundred, so that little has to move when one of them goes.
    """

    def __init__(self) -> None:
        self._touched: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._blocks: list[list[int]] = []
        self._until: dict[str, float] = {}
        self._due: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._touched)

    def touch(self, name: str, time_us: int, until: float) -> None:
        """Put a name in front, to be kept at least until then."""
        touched = max(time_us, self._blocks[-1][-1] + 1) if self._blocks else time_us
        self._forget_touch(name)
        self._touched[name] = touched
        self._names[touched] = name
        if not self._blocks or len(self._blocks[-1]) >= _BLOCK:
            self._blocks.append([])
        self._blocks[-1].append(touched)
        self._keep(name, until)

    def _keep(self, name: str, until: float) -> None:
        known = self._until.get(name)
        self._until[name] = until if known is None else max(known, until)
        if known is None and until < math.inf:
            self._push(name)

    def _push(self, name: str) -> None:
        heapq.heappush(self._due, (self._until[name], name))
        if len(self._due) > _SLACK + 2 * len(self._until):
            self._due = [(until, name) for name, until in self._until.items() if until < math.inf]
            heapq.heapify(self._due)

    def touched(self, name: str) -> int | None:
        """When a name was touched, or None."""
        return self._touched.get(name)

    def drop(self, name: str) -> None:
        """Take a name out, if it is there."""
        self._forget_touch(name)
        self._until.pop(name, None)

    def sweep(self, now: float) -> None:
        """Forget some of the names whose time is over."""
        for _ in range(_SWEEP):
            if not self._due or self._due[0][0] > now:
                return
            _, name = heapq.heappop(self._due)
            until = self._until.get(name, math.inf)
            if until <= now:
                self.drop(name)
            elif until < math.inf:
                self._push(name)

    def _forget_touch(self, name: str) -> None:
        touched = self._touched.pop(name, None)
        if touched is None:
            return
        del self._names[touched]
        at = self._block_of(touched)
        block = self._blocks[at]
        del block[bisect_left(block, touched)]
        if not block:
            del self._blocks[at]

    def _block_of(self, touched: int) -> int:
        """The first block whose last touch is not below this one."""
        return bisect_left(self._blocks, touched, key=_last)

    def rows(self, after: int | None, *, newest: bool) -> Iterator[IndexRow]:
        """Rows behind a touch; None: all."""
        touches = self._falling(after) if newest else self._rising(after)
        return (IndexRow(self._names[touched], touched) for touched in touches)

    def _rising(self, after: int | None) -> Iterator[int]:
        at = 0 if after is None else self._block_of(after)
        for number in range(at, len(self._blocks)):
            block = self._blocks[number]
            yield from islice(block, 0 if after is None else bisect_right(block, after), None)

    def _falling(self, after: int | None) -> Iterator[int]:
        at = len(self._blocks) if after is None else self._block_of(after) + 1
        for block in reversed(self._blocks[:at]):
            yield from reversed(block if after is None else block[: bisect_left(block, after)])


def _last(block: list[int]) -> int:
    return block[-1]
