"""The table of works: what memkit aims at in each, and what it must never fall below."""

from __future__ import annotations

from attrs import frozen

from benchmarks.figures import Figure
from benchmarks.rounds import race

RAW = "raw socket, ready bytes"
REDIS, REDIS_SYNC, REDIS_UVLOOP = "redis.asyncio", "redis.Redis", "redis.asyncio, uvloop"
STORE, RETRIEVE, WINDOW, MESSAGES = "memkit store", "memkit retrieve", "memkit window", "memkit messages"
LOOKED_AT = "memkit retrieve, all looked at"
APPEND, STORE_KEPT, APPEND_KEPT = "memkit append", "memkit store, bounded", "memkit append, bounded"
MEMKIT, MEMKIT_KEPT, MEMKIT_UVLOOP = "memkit", "memkit, bounded", "memkit, uvloop"
MEMKIT_LOOKING, MEMKIT_SYNC = "memkit, all looked at", "memkit, no asyncio"
GLIDE, KEY_VALUE = "valkey-glide", "py-key-value"
OPENAI, OPENAI_FOR_EVER = "openai-agents", "openai-agents, for ever"
LANGCHAIN, LLAMA, AGENTS = "langchain-community", "llama-index", "agent-framework"
CATTRS = "cattrs, ready converter"
WHOLE, BACKEND = "whole call", "backend alone"


@frozen
class Aim:
    """What one side of a work should do.

    Attributes:
        who: name of a contender.
        against: of another one; None: the figure is the time itself, in microseconds.
        target: how many times as fast it should be, or how long it may take.
        bound: what must hold even where the target is missed.
    """

    who: str
    against: str | None
    target: float | None = None
    bound: float | None = None

    def figure(self, work, sides):
        """What came out; None where one side did not take part."""
        if self.who not in sides or self.against not in (None, *sides):
            return None
        if self.against is None:
            return Figure(f"{work}: {self.who}", sides[self.who].microseconds, "µs", self.target, bound=self.bound)
        ratio = sides[self.who].times_as_fast(sides[self.against])
        what = f"{work}: {self.who} against {self.against}"
        return Figure(what, ratio, "times as fast", self.target, least=True, bound=self.bound)


def _sync(target, bound, *names):
    return [Aim(name, REDIS_SYNC, target, bound) for name in names]


def _one_task(target, bound):
    return [
        Aim(MEMKIT, REDIS, target, bound),
        Aim(MEMKIT_UVLOOP, REDIS, target, bound),
        # Like with like; nothing was asked for here.
        Aim(MEMKIT_UVLOOP, REDIS_UVLOOP),
    ]


_NONE = (None, None)


def _gets(redis=_NONE, glide=_NONE):
    return [Aim(MEMKIT, REDIS, *redis), Aim(MEMKIT, GLIDE, *glide), Aim(MEMKIT_UVLOOP, REDIS_UVLOOP)]


def _appends(redis=_NONE, glide=_NONE, openai=_NONE):
    return [*_gets(redis, glide), Aim(MEMKIT_KEPT, REDIS, *redis), Aim(MEMKIT, OPENAI, *openai)]


def _pairs(redis=_NONE, openai=_NONE):
    return [*_appends(redis, openai=openai), Aim(MEMKIT_LOOKING, REDIS, None, redis[1])]


def _readers(target, bound, openai=_NONE):
    return [
        Aim(MEMKIT_SYNC, LANGCHAIN, target, bound),
        Aim(MEMKIT_SYNC, LLAMA, target, bound),
        Aim(MEMKIT, AGENTS, target, bound),
        Aim(MEMKIT, OPENAI, *openai),
    ]


AIMS = {
    "put 2 KB": _sync(2.1, 1.6, STORE),
    "get 2 KB": _sync(1.9, 1.5, RETRIEVE),
    "append": _sync(1.8, 1.35, STORE, STORE_KEPT, APPEND, APPEND_KEPT),
    "last 20": [*_sync(1.5, 0.8, RETRIEVE), *_sync(None, 0.8, LOOKED_AT), *_sync(None, None, WINDOW, MESSAGES)],
    "put 2 KB, 1 task": [*_one_task(3, 2.1), Aim(MEMKIT, KEY_VALUE)],
    "get 2 KB, 1 task": [*_one_task(2.7, 1.9), Aim(MEMKIT, KEY_VALUE)],
    "append, 1 task": [*_one_task(3.5, 2.1), Aim(MEMKIT_KEPT, REDIS, 3.5, 2.1)],
    "last 20, 1 task": [*_one_task(1.45, 1.15), Aim(MEMKIT_LOOKING, REDIS, None, 1.15)],
    "get 2 KB, 64 tasks": _gets(redis=(12, 8), glide=(6, 3)),
    "append, 64 tasks": _appends(redis=(6, 4.5), glide=(4, 2)),
    "append and last 20, 64 tasks": _pairs(redis=(8, 2.6), openai=(20, 9)),
    **{f"get 2 KB, {tasks} tasks": _gets() for tasks in (16, 256)},
    **{f"append, {tasks} tasks": _appends() for tasks in (16, 256)},
    **{f"append and last 20, {tasks} tasks": _pairs() for tasks in (16, 256)},
    "last 20 of 1,000": _readers(300, 200, openai=(3.5, 2.6)),
    "last 20 of 10,000": _readers(4_000, 2_500, openai=(3.5, 2.6)),
    **{f"append to {size}": _readers(None, None) for size in ("1,000", "10,000")},
    "encode a message": [Aim(MEMKIT, CATTRS, 4, 2.4)],
    "decode a message": [Aim(MEMKIT, CATTRS, 3, 1.9)],
    "decode 20 messages": [Aim(MEMKIT, CATTRS, 3.5, 2.2)],
}


def run(races, *, count, rounds, more=lambda _work, _contenders: []):
    """Return (rows, figures) of races, each with what was aimed at; `more` makes other figures of a race."""
    rows, figures = [], []
    for work, contenders in races:
        rows += race(work, contenders, count=count, rounds=rounds)
        figures += [*figures_of(work, contenders), *more(work, contenders)]
    return rows, figures


def figures_of(work, contenders):
    """What came out of a work beside its aims."""
    sides = {contender.name: contender for contender in contenders}
    found = (aim.figure(work, sides) for aim in AIMS.get(work, ()))
    return [figure for figure in found if figure is not None]
