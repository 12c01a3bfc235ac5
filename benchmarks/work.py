"""The work that is measured: memkit with records in and out, redis-py with ready bytes."""

from __future__ import annotations

import asyncio

import redis
import redis.asyncio

from benchmarks.rounds import Contender
from memkit import (
    AssistantMessage,
    AsyncRedisMemoryManager,
    InMemoryManager,
    MemoryInput,
    RedisMemoryManager,
    ToolCall,
    WorkingMemory,
)

WORKING = "WORKING_MEMORY"
MESSAGE = AssistantMessage(
    "x" * 300,
    tool_calls=[ToolCall("call_1", "search", {"q": "weather in Oslo", "days": 3})],
    metadata={"source": "web", "score": 0.5, "n": 7},
    model_id="some-model-1",
)
RAW_MESSAGE = b"m" * 434
MEMORY = WorkingMemory("y" * 1_900)
RAW_MEMORY = b"w" * 2_000
PUT = MemoryInput("bench", WORKING, data=[MEMORY])
GET = MemoryInput("bench", WORKING)
APPEND = MemoryInput("bench", data=[MESSAGE])
READ = MemoryInput("bench", limit=20)
TTL = 86_400
KEPT = 1_000


def repeat(function, *args, **kwargs):
    """Return a function that calls another one so many times."""

    def run(count):
        for _ in range(count):
            function(*args, **kwargs)

    return run


def plain_append(client):
    """What a hand-written append does: push, trim, expire, in one pipeline and not exactly once."""

    def run(count):
        for _ in range(count):
            pipe = client.pipeline(transaction=False)
            pipe.rpush("raw:log", RAW_MESSAGE).ltrim("raw:log", -KEPT, -1).expire("raw:log", TTL)
            pipe.execute()

    return run


def sync_races(url):
    """Yield (work, contenders) for plain code."""
    client, manager = redis.Redis.from_url(url), RedisMemoryManager(url)
    client.set("raw:wm", RAW_MEMORY)
    client.rpush("raw:20", *[RAW_MESSAGE] * 20)
    manager.store(MemoryInput("bench", WORKING, data=[MEMORY]))
    manager.store(MemoryInput("twenty", data=[MESSAGE] * 20))
    yield (
        "put 2 KB",
        [
            Contender("redis.Redis SET EX", repeat(client.set, "raw:wm", RAW_MEMORY, ex=TTL)),
            Contender("memkit", repeat(manager.store, PUT)),
        ],
    )
    yield (
        "get 2 KB",
        [
            Contender("redis.Redis GET", repeat(client.get, "raw:wm")),
            Contender("memkit", repeat(manager.retrieve, GET)),
        ],
    )
    yield (
        "append",
        [
            Contender("redis.Redis pipeline", plain_append(client)),
            Contender("memkit, exactly once", repeat(manager.store, APPEND)),
        ],
    )
    yield (
        "read last 20",
        [
            Contender("redis.Redis LRANGE, not decoded", repeat(client.lrange, "raw:20", -20, -1)),
            Contender("memkit, as records", repeat(manager.retrieve, MemoryInput("twenty", limit=20))),
        ],
    )
    manager.close()
    client.close()


def memory_races():
    """Yield (work, contenders) for the in-memory manager at three sizes."""
    for size in (1_000, 10_000, 100_000):
        manager = InMemoryManager()
        for number in range(size):
            manager.store(MemoryInput(f"chat-{number}", WORKING, data=[MEMORY]))
        yield (
            f"in memory, {size} conversations",
            [
                Contender("store", repeat(manager.store, PUT)),
                Contender("retrieve", repeat(manager.retrieve, GET)),
            ],
        )


def tasks_of(make, tasks):
    """Return a function that does so many calls in so many tasks."""

    async def worker(count):
        for _ in range(count):
            await make()

    async def all_of(count):
        await asyncio.gather(*[worker(max(count // tasks, 1)) for _ in range(tasks)])

    return all_of


def async_races(url, tasks, loop):
    """Yield (work, contenders) for asyncio with so many tasks."""
    client = redis.asyncio.Redis.from_url(url, max_connections=600)
    manager = AsyncRedisMemoryManager(url)

    async def append():
        pipe = client.pipeline(transaction=False)
        pipe.rpush("raw:log", RAW_MESSAGE).ltrim("raw:log", -KEPT, -1).expire("raw:log", TTL)
        await pipe.execute()

    def side(name, make):
        run = tasks_of(make, tasks)
        return Contender(name, lambda count: loop.run_until_complete(run(count)))

    label = f"{tasks} task" + ("s" if tasks > 1 else "")
    yield (
        f"get 2 KB, {label}",
        [
            side("redis.asyncio GET", lambda: client.get("raw:wm")),
            side("memkit", lambda: manager.retrieve(GET)),
        ],
    )
    yield (
        f"append, {label}",
        [
            side("redis.asyncio pipeline", append),
            side("memkit, exactly once", lambda: manager.store(APPEND)),
        ],
    )
    yield (
        f"read last 20, {label}",
        [
            side("redis.asyncio LRANGE, not decoded", lambda: client.lrange("raw:20", -20, -1)),
            side("memkit, as records", lambda: manager.retrieve(MemoryInput("twenty", limit=20))),
        ],
    )
    loop.run_until_complete(manager.aclose())
    loop.run_until_complete(client.aclose())
