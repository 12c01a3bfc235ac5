"""What the environment says reaches the manager that the factory makes."""

from __future__ import annotations

import asyncio
import uuid

import pytest
import redis

from memkit import (
    AsyncInMemoryManager,
    AsyncMemoryKit,
    AsyncNullMemoryManager,
    AsyncRedisMemoryManager,
    ClosedError,
    ConfigurationError,
    Fact,
    IAsyncMemoryManager,
    IMemoryManager,
    InMemoryManager,
    InvalidRecordError,
    MemoryInput,
    MemoryKit,
    NullMemoryManager,
    Provider,
    RedisMemoryManager,
    UserMessage,
    WorkingMemory,
    create_async_memory_kit,
    create_async_memory_manager,
    create_memory_kit,
    create_memory_manager,
)
from memkit.providers import _registered
from memkit.testing.proxy import REFUSE, FaultProxy

WORKING, LONG = "WORKING_MEMORY", "LONG_TERM_MEMORY"


@pytest.fixture
def environ(valkey):
    """Return an environment with a namespace of the test's own."""
    return {"MEMKIT_URL": valkey.url, "MEMKIT_NAMESPACE": f"factory-{uuid.uuid4().hex}"}


def keys_of(valkey, environ):
    """Return what the server has in the namespace: name of the part, key, milliseconds to live."""
    with redis.Redis.from_url(valkey.url) as client:
        found = client.keys(environ["MEMKIT_NAMESPACE"] + ":*")
        return {key.rpartition(b":")[2].decode(): (key, client.pttl(key)) for key in found}


@pytest.mark.parametrize(
    ("url", "sync", "asynchronous"),
    [
        ("memory://", InMemoryManager, AsyncInMemoryManager),
        ("null://", NullMemoryManager, AsyncNullMemoryManager),
        ("redis://localhost:1", RedisMemoryManager, AsyncRedisMemoryManager),
    ],
)
def test_the_url_chooses_the_class(url, sync, asynchronous):
    """Each URL gives the manager of its backend, in both colours, and nothing is connected."""
    assert type(create_memory_manager(url)) is sync
    assert type(create_async_memory_manager(url)) is asynchronous


def test_times_to_live_reach_the_server(valkey, environ):
    """MEMKIT_TTL and the variables of single memory types decide how long what is stored will live."""
    environ |= {"MEMKIT_TTL": "1h", "MEMKIT_TTL_WORKING_MEMORY": "90s"}
    with create_memory_manager(environ) as memory:
        memory.store(MemoryInput("c", WORKING, data=[WorkingMemory("x")]))
        memory.store(MemoryInput("c", data=[UserMessage("x")]))
        memory.store(MemoryInput("c", LONG, data=[Fact("x")]))
    lives = {part: left for part, (_, left) in keys_of(valkey, environ).items()}
    assert 80_000 < lives["wm"] <= 90_000
    assert all(3_590_000 < lives[part] <= 3_600_000 for part in ("log", "pos", "ltm", "ltz", "ltx"))


def test_codec_and_size_reach_the_manager(valkey, environ):
    """MEMKIT_CODEC decides how records are written, MEMKIT_MAX_RECORD_BYTES how large they may be; async alike."""
    environ |= {"MEMKIT_CODEC": "json", "MEMKIT_MAX_RECORD_BYTES": "500"}

    async def main():
        async with create_async_memory_manager(environ) as memory:
            await memory.store(MemoryInput("c", data=[UserMessage("hello")]))
            with pytest.raises(InvalidRecordError, match="500"):
                await memory.store(MemoryInput("c", data=[UserMessage("x" * 500)]))

    asyncio.run(main())
    with redis.Redis.from_url(valkey.url) as client:
        (raw,) = client.lrange(keys_of(valkey, environ)["log"][0], 0, -1)
    assert raw.startswith(b'[1,"usr",')
    assert b"hello" in raw


def test_retries_reach_the_manager(valkey, environ):
    """MEMKIT_RETRY_ATTEMPTS decides how often a call is sent that is never answered, and the pool's size is taken."""
    with FaultProxy("127.0.0.1", valkey.port) as proxy:
        environ |= {"MEMKIT_URL": proxy.url, "MEMKIT_RETRY_ATTEMPTS": "3", "MEMKIT_POOL_SIZE": "2"}
        proxy.inject(REFUSE, times=None)
        with create_memory_manager(environ) as memory, pytest.raises(ConnectionError):
            memory.retrieve(MemoryInput("c"))
        assert memory.backend._link._size == 2
        assert proxy.injected["REFUSE"] == 3


def test_one_error_for_all_problems():
    """Everything that is wrong with an environment is said at once, and nothing is chosen instead."""
    environ = {"ENVIRONMENT": "production", "MEMKIT_TTL": "soon", "MEMKIT_NAMESPCE": "x"}
    with pytest.raises(ConfigurationError) as caught:
        create_memory_manager(environ)
    assert len(caught.value.problems) == 3


def test_every_key_of_what_expires_expires(valkey, environ):
    """After every kind of write, also updates and deletes, no key of a namespace stays for ever."""
    with create_memory_manager(environ, ttl=60) as memory:
        for user in (None, "ada"):
            fill_and_change(memory, f"c-{user}", user)
            only_store(memory, f"s-{user}", user)
    # The indexes outlive what recognises late tries, which outlives the data.
    assert all(0 < left <= 60_000 + 2 * 120_000 for _, left in keys_of_all(valkey, environ))


def fill_and_change(memory, conversation, user):
    """Make every write that there is, the last ones of each kind being deletes of single records."""

    def call(verb, kind, **fields):
        return getattr(memory, verb)(MemoryInput(conversation, kind, user_id=user, **fields))

    for kind, record in ((WORKING, WorkingMemory), ("SHORT_TERM_MEMORY", UserMessage), (LONG, Fact)):
        call("store", kind, data=[record("a", id="given")])
        last = call("store", kind, data=[record("b")])
        call("update", kind, memory_id=last, metadata={"n": 1})
        call("delete", kind, memory_id=last)
        call("store", kind, data=[record("c")])


def only_store(memory, conversation, user):
    """Store under ids of one's own, and nothing after that, which could mend a key's time to live."""
    for kind, record in ((WORKING, WorkingMemory), ("SHORT_TERM_MEMORY", UserMessage), (LONG, Fact)):
        memory.store(MemoryInput(conversation, kind, user_id=user, data=[record("a", id="given")]))


def keys_of_all(valkey, environ):
    """Return every key of the namespace with its milliseconds to live."""
    with redis.Redis.from_url(valkey.url) as client:
        return [(key, client.pttl(key)) for key in client.keys(environ["MEMKIT_NAMESPACE"] + ":*")]


def test_half_a_log_is_noticed(valkey, environ):
    """When the server has evicted one key of a log, nothing is added to the rest, and it can still be deleted."""
    from memkit import CorruptRecordError  # noqa: PLC0415 - only here

    with create_memory_manager(environ) as memory, redis.Redis.from_url(valkey.url) as client:
        memory.store(MemoryInput("c", data=[UserMessage("x")] * 3))
        client.delete(keys_of(valkey, environ)["pos"][0])
        with pytest.raises(CorruptRecordError, match="evicted"):
            memory.store(MemoryInput("c", data=[UserMessage("y")]))
        assert [message.content for message in memory.retrieve(MemoryInput("c"))] == ["x"] * 3
        assert memory.delete(MemoryInput("c")) == 3
        memory.store(MemoryInput("c", data=[UserMessage("z")]))
        assert [message.content for message in memory.retrieve(MemoryInput("c"))] == ["z"]


def test_a_subclass_keeps_the_contract_of_its_base():
    """A manager can be extended by subclassing: its own verb stands beside the four."""

    class Counting(InMemoryManager):
        calls = 0

        def store(self, memory_input):
            self.calls += 1
            return super().store(memory_input)

    memory = Counting()
    memory.store(MemoryInput("c", data=[UserMessage("x")]))
    assert (memory.calls, len(memory.retrieve(MemoryInput("c")))) == (1, 1)


def test_a_kit_is_made_like_a_manager():
    """The kit of each colour stands on the manager that the same settings choose, and closes it."""
    with create_memory_kit("memory://", max_messages=2) as kit:
        assert type(kit.manager) is InMemoryManager
        assert kit.ping()
        kit.history("c").append(*(UserMessage(word) for word in "abc"))
        kit.manager.store(MemoryInput("c", data=[UserMessage("d")]))
        assert [message.content for message in kit.history("c").window()] == ["c", "d"]
    with pytest.raises(ClosedError):
        kit.history("c").count()

    async def main():
        async with create_async_memory_kit({"MEMKIT_MAX_AGE": "1h"}) as kit:
            assert type(kit) is AsyncMemoryKit
            assert type(kit.manager) is AsyncInMemoryManager
            assert kit.manager.engine.context.retention.age_ms == 3_600_000
            assert await kit.ping()
        with pytest.raises(ClosedError):
            await kit.history("c").count()

    asyncio.run(main())


class _Foreign(IMemoryManager):
    """Somebody else's manager, which stands on no backend of memkit's commands."""

    closed = False

    def store(self, memory_input): ...
    def retrieve(self, memory_input): ...
    def update(self, memory_input): ...
    def delete(self, memory_input): ...
    def ping(self): ...

    def close(self):
        self.closed = True


class _AsyncForeign(IAsyncMemoryManager):
    async def store(self, memory_input): ...
    async def retrieve(self, memory_input): ...
    async def update(self, memory_input): ...
    async def delete(self, memory_input): ...
    async def ping(self): ...
    async def aclose(self): ...


def test_a_kit_needs_a_manager_of_memkit(monkeypatch):
    """A manager over no backend of commands is refused with the reason, in both colours, and is not left open."""
    foreign = _Foreign()
    provider = Provider("foreign", lambda _: foreign, lambda _: _AsyncForeign())
    monkeypatch.setitem(_registered, "foreign", provider)
    with pytest.raises(ConfigurationError, match="_Foreign is none: histories and administration need"):
        create_memory_kit(backend="foreign")
    assert foreign.closed
    with pytest.raises(ConfigurationError, match="AsyncMemoryManager, and _AsyncForeign is none"):
        create_async_memory_kit(backend="foreign")
    with pytest.raises(ConfigurationError, match="a kit stands on a MemoryManager"):
        MemoryKit(AsyncInMemoryManager())


@pytest.mark.parametrize(
    ("option", "wrong"),
    [("max_messages", 0), ("max_messages", True), ("max_messages", "3"), ("max_age", 0), ("max_age", -1.0)],
)
def test_bounds_of_a_manager_are_checked(option, wrong):
    """What a log keeps is checked when a manager is made."""
    with pytest.raises(ConfigurationError, match=option):
        InMemoryManager(**{option: wrong})
