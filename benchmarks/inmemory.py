"""The in-memory manager: how it grows with what it holds, and what a call costs after very much has expired at once.

At two levels: the whole call, with its checks and its codec, and the backend alone, which is given a ready command.
"""

from __future__ import annotations

import random
import statistics
import time

from benchmarks import aims
from benchmarks.figures import Figure
from benchmarks.rounds import Contender, race
from benchmarks.work import get_of, put_of
from memkit import InMemoryManager, MemoryManager
from memkit.backends.inmemory import InMemoryBackend
from memkit.testing.clock import ManualClock

SIZES = (1_000, 10_000, 100_000)
BURST = 100_000
# So many conversations, all over the store, are written and read again and again.
_DRAWN = 500
_TTL = 60
_AIM_US, _MOST_US, _GROWTH, _WORST_MS = 0.7, 1.5, 1.3, 0.5


class Recorder(InMemoryBackend):
    """Keeps the commands, too."""

    def __init__(self):
        super().__init__()
        self.commands = []

    def execute(self, command):
        self.commands.append(command)
        return super().execute(command)


def ready(verb, memory_input):
    """Return the command that a call comes to."""
    recorder = Recorder()
    getattr(MemoryManager(recorder), verb)(memory_input)
    return recorder.commands[-1]


def inmemory(*, sizes=SIZES, burst=BURST, rounds=15, count=5_000, bursts=7):
    """Return (rows, figures)."""
    rows, figures = grown(sizes, rounds, count)
    return rows, figures + [figure for level in (aims.WHOLE, aims.BACKEND) for figure in expired(level, burst, bursts)]


def grown(sizes, rounds, count):
    """Return (rows, figures): each call at each size against the same at the smallest."""
    rows, figures = [], []
    managers = {size: _filled(size) for size in sizes}
    for level, verb in ((level, verb) for level in (aims.WHOLE, aims.BACKEND) for verb in ("store", "retrieve")):
        contenders = [_contender(level, verb, size, managers[size]) for size in sizes]
        work = f"in memory: {verb}, {level}"
        rows += race(work, contenders, count=count, rounds=rounds)
        figures += _figures(work, contenders)
    return rows, figures


def _filled(size):
    manager = InMemoryManager()
    for number in range(size):
        manager.store(put_of(f"chat-{number}"))
    return manager


def _contender(level, verb, size, manager):
    draw = random.Random(size)
    names = [f"chat-{draw.randrange(size)}" for _ in range(_DRAWN)]
    return Contender(f"{size:,} conversations", _over(*_calls(level, verb, names, manager)))


def _calls(level, verb, names, manager):
    """What is called, and what with."""
    inputs = [(put_of if verb == "store" else get_of)(name) for name in names]
    if level == aims.WHOLE:
        return getattr(manager, verb), inputs
    return manager.backend.execute, [ready(verb, each) for each in inputs]


def _over(call, arguments):
    def run(count):
        for _ in range(count // len(arguments) or 1):
            for argument in arguments:
                call(argument)

    return run


def _figures(work, contenders):
    first, last = contenders[0], contenders[-1]
    growth = 1 / last.times_as_fast(first)
    return [
        *[Figure(f"{work}, {each.name}", each.microseconds, "µs", _AIM_US, bound=_MOST_US) for each in contenders],
        Figure(f"{work}: {last.name} against {first.name}", growth, "times as long", _GROWTH),
    ]


def expired(level, size, rounds):
    """Return figures: the slowest call after so many conversations have expired at once, with Python's collector on."""
    worst = [_slowest(level, size) for _ in range(rounds)]
    wall, own = (statistics.median(column) / 1e6 for column in zip(*worst, strict=True))
    what = f"in memory: slowest store after {size:,} expired at once, {level}"
    # Other processes make the wall time of a single call longer.
    return [Figure(what, wall, "ms", _WORST_MS), Figure(f"{what}, time of the processor", own, "ms", _WORST_MS)]


def _slowest(level, size):
    """Nanoseconds (wall, time of the processor)."""
    clock = ManualClock()
    manager = InMemoryManager(clock=clock, ttl=_TTL)
    for number in range(size):
        manager.store(put_of(f"chat-{number}"))
    call, (argument,) = _calls(level, "store", ["other"], manager)
    clock.advance(_TTL + 1)
    store = manager.backend._store
    took = []
    while store.records > 1 or not took:
        took.append(_took(call, argument))
    return tuple(map(max, zip(*took, strict=True)))


def _took(call, argument):
    own, wall = time.thread_time_ns(), time.perf_counter_ns()
    call(argument)
    return time.perf_counter_ns() - wall, time.thread_time_ns() - own
