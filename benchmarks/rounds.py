"""Interleaved rounds: every contender once in each round, ratios taken within the round, medians over the rounds."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable
from contextlib import contextmanager

from attrs import define, field


@define
class Contender:
    """One side of a comparison.

    Attributes:
        name: what it is called.
        run: does the work so many times.
        mend: brings things back to how they were; not measured.
        share: it does so many times less work in a round, because it takes so much longer.
        seconds: what one piece of work took in each round.
    """

    name: str
    run: Callable[[int], None]
    mend: Callable[[], None] = lambda: None
    share: int = 1
    seconds: list[float] = field(factory=list)

    def measure(self, count: int) -> None:
        """Do the work of one round."""
        done = max(count // self.share, 1)
        self.seconds.append(timed(self.run, done) / done)
        self.mend()

    @property
    def microseconds(self) -> float:
        """What one piece of work took: the median of the rounds."""
        return 1e6 * statistics.median(self.seconds)

    def times_as_fast(self, other: Contender) -> float:
        """How many times as fast as another one this is: the median of the ratios within the rounds."""
        return statistics.median(theirs / own for own, theirs in zip(self.seconds, other.seconds, strict=True))


@define
class Row:
    """What came out for one contender."""

    work: str
    name: str
    microseconds: float
    ratio: float


def race(work: str, contenders: list[Contender], *, count: int, rounds: int) -> list[Row]:
    """Measure contenders against the first one. A ratio above 1 means faster than the first."""
    for contender in contenders:
        contender.run(max(count // 10 // contender.share, 1))
        contender.mend()
    with _swept():
        for number in range(rounds):
            # Each round begins with another contender, so that none always runs on a warm or a tired machine.
            shift = number % len(contenders)
            for contender in contenders[shift:] + contenders[:shift]:
                contender.measure(count)
    first = contenders[0]
    return [Row(work, each.name, each.microseconds, each.times_as_fast(first)) for each in contenders]


def repeat(function, *args, **kwargs):
    """Return a function that calls another one so many times."""

    def run(count):
        for _ in range(count):
            function(*args, **kwargs)

    return run


@contextmanager
def _swept():
    """Keep what is there now from being looked through again before each measurement."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def timed(run: Callable[[int], None], count: int) -> float:
    """Return the seconds that it takes, without the garbage of others."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        run(count)
        return time.perf_counter() - start
    finally:
        gc.enable()


@contextmanager
def pinned(*pids: int, cpu: int = 0):
    """Run these processes and this one on one core: placement decides more than code does."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = {pid: os.sched_getaffinity(pid) for pid in (0, *pids)}
    for pid in before:
        os.sched_setaffinity(pid, {cpu})
    try:
        yield
    finally:
        for pid, cpus in before.items():
            os.sched_setaffinity(pid, cpus)
