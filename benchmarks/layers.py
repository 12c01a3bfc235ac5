"""Where the time of a read goes: the same exchange through each layer of memkit, from a bare socket to the whole verb.

What a layer adds is the difference to the one below it. A profiler that stops the process would find it at system calls
more often than it is there.
"""

from __future__ import annotations

import asyncio

import redis
import redis.asyncio

from benchmarks.byhand import VALUE, Wire, prepare
from benchmarks.rounds import Contender, race, repeat
from benchmarks.work import TALK, get_of, put_of
from memkit import AsyncRedisMemoryManager, RedisMemoryManager
from memkit.backends.redis.pool import Pool
from memkit.commands import RecordGet
from memkit.flows.places import conversation

_TASKS = 64
_PATIENCE = 2.0


def layers(url, *, count=1_000, rounds=21):
    """Return rows: what one read takes through each layer."""
    return [*_plain(url, count, rounds), *_tasks(url, count, rounds)]


def _plain(url, count, rounds):
    with redis.Redis.from_url(url) as client, RedisMemoryManager(url) as manager, Wire(url) as bare:
        prepare(client)
        manager.store(put_of(TALK))
        command, sent = RecordGet(conversation(TALK, "wm"), None), (("GET", VALUE),)
        pool: Pool = manager.backend._link
        pool.exchange(sent)
        wire = pool._places[-1]
        contenders = [
            Contender("redis.Redis", repeat(client.get, VALUE)),
            Contender("a bare socket", bare.get()),
            Contender("with packing and parsing", repeat(wire.exchange, sent, _PATIENCE)),
            Contender("out of the pool", repeat(pool.exchange, sent, fresh=True)),
            Contender("as a command of a backend", repeat(manager.backend.execute, command)),
            Contender("as a verb, with a record", repeat(lambda: manager.retrieve(get_of(TALK)))),
        ]
        return race("layers of a get of 2 KB, sync", contenders, count=count, rounds=rounds)


def _tasks(url, count, rounds):
    loop = asyncio.new_event_loop()
    client = redis.asyncio.Redis.from_url(url, max_connections=2 * _TASKS)
    manager = AsyncRedisMemoryManager(url)
    try:
        loop.run_until_complete(manager.store(put_of(TALK)))
        return race("layers of a get of 2 KB, 64 tasks", _sides(loop, client, manager), count=2 * count, rounds=rounds)
    finally:
        loop.run_until_complete(manager.aclose())
        loop.run_until_complete(client.aclose())
        loop.close()


def _sides(loop, client, manager):
    command, link = RecordGet(conversation(TALK, "wm"), None), manager.backend._link
    sent = (("GET", VALUE),)

    async def nothing():
        future = loop.create_future()
        loop.call_soon(future.set_result, None)
        await future

    async def begun():
        await link.begin(sent)

    calls = {
        "redis.asyncio": lambda: client.get(VALUE),
        "a turn of the loop, nothing sent": nothing,
        "one connection for all": begun,
        "as a command of a backend": lambda: manager.backend.execute(command),
        "as a verb, with a record": lambda: manager.retrieve(get_of(TALK)),
    }
    return [Contender(name, _by_tasks(loop, call)) for name, call in calls.items()]


def _by_tasks(loop, call):
    async def worker(count):
        for _ in range(count):
            await call()

    async def all_of(count):
        await asyncio.gather(*[worker(max(count // _TASKS, 1)) for _ in range(_TASKS)])

    return lambda count: loop.run_until_complete(all_of(count))
