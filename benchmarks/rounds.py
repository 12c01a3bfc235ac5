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
        seconds: what each round took.
    """

    name: str
    run: Callable[[int], None]
    mend: Callable[[], None] = lambda: None
    seconds: list[float] = field(factory=list)


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
        contender.run(max(count // 10, 1))
        contender.mend()
    for number in range(rounds):
        # Each round begins with another contender, so that none always runs on a warm or a tired machine.
        shift = number % len(contenders)
        for contender in contenders[shift:] + contenders[:shift]:
            contender.seconds.append(_timed(contender.run, count))
            contender.mend()
    floor = contenders[0].seconds
    return [
        Row(
            work,
            contender.name,
            1e6 * statistics.median(contender.seconds) / count,
            statistics.median(base / own for base, own in zip(floor, contender.seconds, strict=True)),
        )
        for contender in contenders
    ]


def _timed(run: Callable[[int], None], count: int) -> float:
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
