"""The last 20 read again and again: with the client-side caches of redis-py and of memkit, and without.

redis-py caches ready bytes, in plain code only; memkit records. Both look at each hit whether the server has said that
something changed.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, contextmanager
from unittest import mock

import redis
from redis.cache import CacheConfig
from redis.connection import CacheProxyConnection

from benchmarks.byhand import ByHand, prepare
from benchmarks.figures import Figure
from benchmarks.rounds import Contender, race, repeat
from benchmarks.work import LAST, groups_of, last_of
from memkit import AsyncMemoryKit, AsyncRedisMemoryManager, MemoryKit, RedisMemoryManager

CACHED_REDIS, UNCACHED_REDIS = "redis.Redis, cached", "redis.Redis"
WINDOW, RETRIEVE = "memkit window, cached", "memkit retrieve, cached"
UNCACHED_WINDOW, UNCACHED_RETRIEVE = "memkit window", "memkit retrieve"
WORKS = ("last 20 again, plain code", "last 20 again, asyncio")
_AIM, _LEAST = 20, 10
_GROUPS, _KEPT = "groups", 100
# A read that goes to the server takes so many times as long.
_SLOWER = 10


def tails_races(url):
    """Yield (work, contenders)."""
    with ExitStack() as stack:
        prepare(stack.enter_context(redis.Redis.from_url(url)))
        cached = ByHand(stack.enter_context(cached_client(url)))
        plain = ByHand(stack.enter_context(redis.Redis.from_url(url)))
        for work, sides in zip(WORKS, (sync_sides, async_sides), strict=True):
            ready = [
                Contender(CACHED_REDIS, repeat(cached.last), share=_SLOWER),
                Contender(UNCACHED_REDIS, repeat(plain.last), share=_SLOWER),
            ]
            yield work, [*ready, *sides(url, stack)]


@contextmanager
def cached_client(url):
    """A client of redis-py that caches, also where the server does not call itself Redis 7.4 or newer."""
    with (
        mock.patch.object(CacheProxyConnection, "connect", lambda own: own._conn.connect()),
        redis.Redis.from_url(url, protocol=3, cache_config=CacheConfig()) as client,
    ):
        yield client


def sync_sides(url, stack):
    """memkit in plain code."""
    sides = []
    for kept, window, retrieve, share in _sides():
        manager = stack.enter_context(RedisMemoryManager(url, cached_reads=kept))
        if not sides:
            manager.store(groups_of(_GROUPS, LAST))
        history, asked = MemoryKit(manager).history(_GROUPS), last_of(_GROUPS)
        sides += [
            Contender(window, repeat(history.window, last=LAST), share=share),
            Contender(retrieve, repeat(manager.retrieve, asked), share=share),
        ]
    return sides


def async_sides(url, stack):
    """memkit in one task."""
    runner, sides = stack.enter_context(asyncio.Runner()), []
    for kept, window, retrieve, share in _sides():
        manager = AsyncRedisMemoryManager(url, cached_reads=kept)
        stack.callback(lambda manager=manager: runner.run(manager.aclose()))
        history, asked = AsyncMemoryKit(manager).history(_GROUPS), last_of(_GROUPS)
        sides += [
            Contender(window, _awaiting(runner, history.window, last=LAST), share=share),
            Contender(retrieve, _awaiting(runner, manager.retrieve, asked), share=share),
        ]
    return sides


def _sides():
    return (_KEPT, WINDOW, RETRIEVE, 1), (0, UNCACHED_WINDOW, UNCACHED_RETRIEVE, _SLOWER)


def _awaiting(runner, call, *args, **kwargs):
    async def many(count):
        for _ in range(count):
            await call(*args, **kwargs)

    return lambda count: runner.run(many(count))


def tails(url, *, count=10_000, rounds=21):
    """Return (rows, figures): hits against those of redis-py."""
    rows = [row for work, contenders in tails_races(url) for row in race(work, contenders, count=count, rounds=rounds)]
    hits = [row for row in rows if row.name in (WINDOW, RETRIEVE)]
    return rows, [_figure(row) for row in hits]


def _figure(row):
    what = f"{row.work}: {row.name} against {CACHED_REDIS}"
    return Figure(what, row.ratio, "times as fast", _AIM, least=True, bound=_LEAST)
