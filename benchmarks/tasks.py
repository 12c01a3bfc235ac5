"""The verbs in one task and in many: memkit with records beside redis.asyncio and other clients with ready bytes.

Each task has a conversation of its own. Every side runs in an event loop of its own, and those that can also in uvloop.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import contextmanager

import redis.asyncio
from attrs import define, field

from benchmarks import aims
from benchmarks.byhand import AsyncByHand, prepare
from benchmarks.figures import Figure
from benchmarks.peers import CONNECTIONS, Glide, KeyValue, OpenAiAgents, OpenAiAgentsForEver, installed
from benchmarks.rounds import Contender
from benchmarks.sync import look_at
from benchmarks.work import append_of, fill_of, get_of, last_of, put_of, talk_of
from memkit import AsyncRedisMemoryManager

try:
    import uvloop
except ImportError:
    uvloop = None

KEPT = 100
# So many tasks are what most was asked for.
MAIN = 64
_SLOW = 4


class AsyncOwn:
    """memkit's side.

    Args:
        manager: keeps it all.
    """

    def __init__(self, manager):
        self._manager = manager

    async def fill(self, number, count):
        await self._manager.store(put_of(talk_of(number)))
        await self._manager.store(fill_of(talk_of(number), count))

    async def put(self, number):
        await self._manager.store(put_of(talk_of(number)))

    async def get(self, number):
        return await self._manager.retrieve(get_of(talk_of(number)))

    async def append(self, number):
        await self._manager.store(append_of(talk_of(number)))

    async def last(self, number):
        return await self._manager.retrieve(last_of(talk_of(number)))

    async def aclose(self):
        await self._manager.aclose()


class LookingOwn(AsyncOwn):
    """The same for callers who use every message that they read."""

    async def last(self, number):
        look_at(await super().last(number))


@define
class Pairs(Contender):
    """A contender whose pieces of work are timed one by one.

    Attributes:
        waits: seconds of each piece in this round.
        p50: the median of each round, in milliseconds.
        p99: what one in a hundred took longer than.
    """

    waits: list[float] = field(factory=list)
    p50: list[float] = field(factory=list)
    p99: list[float] = field(factory=list)

    def measure(self, count):
        self.waits.clear()
        super().measure(count)
        cuts = statistics.quantiles(self.waits, n=100)
        self.p50.append(1e3 * cuts[49])
        self.p99.append(1e3 * cuts[98])


@define
class Side:
    """Somebody who does works in an event loop.

    Attributes:
        name: of the contender.
        loop: where.
        does: the works; each takes the number of a task.
        share: see `Contender`.
    """

    name: str
    loop: asyncio.AbstractEventLoop
    does: object
    share: int = 1

    def can(self, works):
        return all(hasattr(self.does, work) for work in works)

    def contender(self, works, tasks):
        """Return what does these works, one after the other, in so many tasks."""
        if len(works) == 1:
            return Contender(self.name, self._run(getattr(self.does, works[0]), tasks), share=self.share)
        pairs = Pairs(self.name, lambda _: None, share=self.share)
        pairs.run = self._run(_timed_one_by_one([getattr(self.does, work) for work in works], pairs.waits), tasks)
        return pairs

    def _run(self, call, tasks):
        async def worker(number, count):
            for _ in range(count):
                await call(number)

        async def everybody(count):
            each, more = divmod(count, tasks)
            await asyncio.gather(*[worker(number, each + (number < more)) for number in range(tasks)])

        return lambda count: self.loop.run_until_complete(everybody(count))


def _timed_one_by_one(calls, waits):
    async def timed(number):
        start = time.perf_counter()
        for call in calls:
            await call(number)
        waits.append(time.perf_counter() - start)

    return timed


_OWN = (
    (aims.MEMKIT, AsyncOwn, None),
    (aims.MEMKIT_KEPT, AsyncOwn, KEPT),
    (aims.MEMKIT_LOOKING, LookingOwn, None),
)
# These differ from others of memkit's sides only there.
_ONLY_FOR = {aims.MEMKIT_KEPT: "append", aims.MEMKIT_LOOKING: "last"}


@contextmanager
def sides(url, tasks, *, peers=()):
    """Open all sides, ready for so many tasks."""
    with redis.Redis.from_url(url) as client:
        prepare(client, tasks, KEPT)
    found = []
    try:
        for loop_name, loop in _loops():
            found += loop.run_until_complete(_open_sides(url, tasks, loop, loop_name))
        plain = found[0].loop
        for peer in installed(*peers):
            found.append(plain.run_until_complete(_open_peer(url, tasks, plain, peer)))
        yield sorted(found, key=lambda side: side.name != aims.REDIS)
    finally:
        for side in found:
            side.loop.run_until_complete(side.does.aclose())
        for loop in {side.loop for side in found}:
            loop.close()


def _loops():
    yield "", asyncio.new_event_loop()
    if uvloop is not None:
        yield ", uvloop", uvloop.new_event_loop()


async def _open_sides(url, tasks, loop, suffix):
    client = redis.asyncio.Redis.from_url(url, max_connections=CONNECTIONS)
    found = [Side(f"{aims.REDIS}{suffix}", loop, AsyncByHand(client, KEPT))]
    for name, kind, most in _OWN if not suffix else _OWN[:1]:
        manager = AsyncRedisMemoryManager(url, namespace=f"own{len(found)}{suffix[2:]}", max_messages=most)
        found.append(Side(f"{name}{suffix}", loop, kind(manager)))
        await _fill(found[-1].does, tasks)
    return found


async def _open_peer(url, tasks, loop, peer):
    does = await peer.open(url, KEPT)
    await _fill(does, tasks)
    return Side(peer.name, loop, does, _SLOW if hasattr(does, "fill") else 1)


async def _fill(does, tasks):
    if hasattr(does, "fill"):
        for number in range(tasks):
            await does.fill(number, KEPT)


def task_races(url):
    """Yield (work, contenders) for one task."""
    with sides(url, 1, peers=(KeyValue,)) as found:
        for work in ("put 2 KB", "get 2 KB", "append", "last 20"):
            call = work.split()[0]
            yield f"{work}, 1 task", _contenders(found, (call,), 1)


def tasks_races(url, tasks):
    """Yield (work, contenders) for many tasks."""
    peers = (Glide, OpenAiAgents, OpenAiAgentsForEver) if tasks == MAIN else (Glide, OpenAiAgents)
    with sides(url, tasks, peers=peers) as found:
        # One task alone is measured pinned, too.
        label = f"{tasks} tasks" if tasks > 1 else "1 task, free"
        yield f"get 2 KB, {label}", _contenders(found, ("get",), tasks)
        yield f"append, {label}", _contenders(found, ("append",), tasks)
        yield f"append and last 20, {label}", _contenders(found, ("append", "last"), tasks)


def _contenders(found, works, tasks):
    able = [side for side in found if side.can(works) and _ONLY_FOR.get(side.name, works[0]) in works]
    return [side.contender(works, tasks) for side in able]


def waits(work, contenders):
    """Return figures: how long one piece of a work takes; everybody's only for the tasks that most was asked for."""
    by_name = {each.name: each for each in contenders if isinstance(each, Pairs)}
    own = [by_name[name] for name in (aims.MEMKIT, aims.MEMKIT_KEPT, aims.MEMKIT_LOOKING) if name in by_name]
    timed = by_name.values() if _is_main(work) else ()
    return [
        *[Figure(f"{work}: p50, {each.name}", statistics.median(each.p50), "ms") for each in timed],
        *[Figure(f"{work}: p99, {each.name}", statistics.median(each.p99), "ms") for each in timed],
        *[_against(work, each, by_name[aims.REDIS]) for each in own],
    ]


def _against(work, own, other):
    ratio = statistics.median(a / b for a, b in zip(own.p99, other.p99, strict=True))
    target, bound = (0.25, 0.5) if _is_main(work) else (None, None)
    return Figure(f"{work}: p99, {own.name} against {other.name}", ratio, "times as long", target, bound=bound)


def _is_main(work):
    return work.endswith(f" {MAIN} tasks")
