"""What people publish about agent memory on Redis, written with memkit, on a real server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
import uuid
from datetime import UTC, datetime

import pytest
import redis

from memkit import (
    AssistantMessage,
    AsyncRedisMemoryManager,
    BackendUnavailableError,
    ConfigurationError,
    InMemoryManager,
    MemoryInput,
    MemoryType,
    RedisMemoryManager,
    RetryPolicy,
    SystemMessage,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
    WorkingMemory,
    create_memory_manager,
    retry,
)
from memkit.testing.proxy import DROP_REPLY, FaultProxy

WM = MemoryType.WORKING_MEMORY


@pytest.fixture
def name():
    return uuid.uuid4().hex


@pytest.fixture
def manager(valkey):
    with RedisMemoryManager(valkey.url) as manager:
        yield manager


def note(name, text, **fields):
    return MemoryInput(name, WM, data=[WorkingMemory(text)], **fields)


def ttls(server, name):
    """Milliseconds to live of every key of a conversation."""
    with server.client() as client:
        return [client.pttl(key) for key in client.scan_iter(f"*{name}*", count=1000)]


# A working memory for each conversation -----------------------------------------------------------------------------


def test_store_and_retrieve(manager, name):
    """The note of a conversation is stored, and retrieved by its id; a conversation without one gives an empty list."""
    record_id = manager.store(note(name, "The user is called Ada"))
    (found,) = manager.retrieve(MemoryInput(name, WM))
    assert (found.working_memory, found.id) == ("The user is called Ada", record_id)
    assert manager.retrieve(MemoryInput(f"{name}-other", WM)) == []


def test_metadata(manager, name):
    """Metadata given with the call comes back with the record."""
    manager.store(note(name, "Wants mail", metadata={"source": "settings", "day": datetime(2024, 1, 1, tzinfo=UTC)}))
    (found,) = manager.retrieve(MemoryInput(name, WM))
    assert dict(found.metadata) == {"source": "settings", "day": datetime(2024, 1, 1, tzinfo=UTC)}


def test_update_replaces(manager, name):
    """An update replaces the note, merges the metadata, counts the version, and keeps the age."""
    manager.store(note(name, "Wants mail", metadata={"source": "settings"}))
    updated = manager.update(note(name, "Wants messages", metadata={"by": "support"}))
    (found,) = manager.retrieve(MemoryInput(name, WM))
    assert found == updated
    assert (found.working_memory, found.version) == ("Wants messages", 2)
    assert dict(found.metadata) == {"source": "settings", "by": "support"}
    assert found.created_at < found.updated_at


def test_delete(manager, name):
    """A deleted note is gone at once, and deleting it again is no error."""
    manager.store(note(name, "x"))
    assert manager.delete(MemoryInput(name, WM)) == 1
    assert manager.retrieve(MemoryInput(name, WM)) == []
    assert manager.delete(MemoryInput(name, WM)) == 0


@pytest.mark.parametrize(("options", "hours"), [({}, 12), ({"ttl": 3600}, 1), ({"ttl": {WM: 7 * 86400}}, 168)])
def test_time_to_live(valkey, name, options, hours):
    """Notes live for 12 hours, or as long as the manager is told; each write starts the time anew."""
    with RedisMemoryManager(valkey.url, **options) as manager:
        manager.store(note(name, "x", ttl=10))
        manager.store(note(name, "y"))
    (left,) = ttls(valkey, name)
    assert hours * 3_600_000 - 10_000 < left <= hours * 3_600_000


def test_many_conversations(manager, name):
    """A batch of conversations, each with its note, kept apart."""
    notes = {f"{name}-{n}": text for n, text in enumerate(["Ada wants mail", "Bob likes Python", "Eve uses dark mode"])}
    for conversation, text in notes.items():
        manager.store(note(conversation, text))
    stored = {each: manager.retrieve(MemoryInput(each, WM))[0].working_memory for each in notes}
    assert stored == notes


OTHER_PROCESS = """
    import sys
    from memkit import MemoryInput, MemoryType, create_memory_manager

    with create_memory_manager() as manager:
        (found,) = manager.retrieve(MemoryInput(sys.argv[1], MemoryType.WORKING_MEMORY))
        print(found.working_memory)
"""


def in_another_process(script, *arguments, **environ):
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=True).stdout


def test_another_process_reads_it(valkey, manager, name):
    """What one process stored another one reads, configured by its environment alone."""
    manager.store(note(name, "The user is called Ada"))
    printed = in_another_process(OTHER_PROCESS, name, REDIS_URL=valkey.url, MEMKIT_BACKEND="redis")
    assert printed == "The user is called Ada\n"


def test_backend_by_environment(valkey, name):
    """In production notes go to Redis, elsewhere they stay in the process; the same calls work on both."""
    for environ, kind in (
        ({"ENVIRONMENT": "production", "REDIS_URL": valkey.url, "MEMKIT_TTL": "24h"}, RedisMemoryManager),
        ({"ENVIRONMENT": "development", "MEMKIT_TTL": "1h"}, InMemoryManager),
        ({}, InMemoryManager),
    ):
        with create_memory_manager(environ) as manager:
            assert type(manager) is kind
            manager.store(note(name, "x"))
            assert len(manager.retrieve(MemoryInput(name, WM))) == 1


def test_production_needs_a_server():
    """Production without a URL is an error, never a memory that is lost with the process."""
    with pytest.raises(ConfigurationError, match="URL"):
        create_memory_manager({"ENVIRONMENT": "production"})


class Service:
    """One manager for the whole program."""

    _manager = None
    _lock = threading.Lock()

    @classmethod
    def manager(cls, url):
        with cls._lock:
            if cls._manager is None:
                cls._manager = RedisMemoryManager(url, pool_size=4)
            return cls._manager


def test_one_manager_for_all_threads(valkey, name):
    """A manager shared by all threads of a program reuses its few connections."""

    def serve(url, number):
        manager = Service.manager(url)
        for _ in range(20):
            manager.store(note(f"{name}-{number}", str(number)))
            assert manager.retrieve(MemoryInput(f"{name}-{number}", WM))[0].working_memory == str(number)

    with FaultProxy("127.0.0.1", valkey.port) as proxy:
        threads = [threading.Thread(target=serve, args=(proxy.url, number)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        Service._manager.close()
        assert proxy.commands.count("EVALSHA") >= 240
        assert proxy.connections <= 4


def test_pooled_client(valkey, name):
    """A client with a pool of the program's own is used and stays the program's."""
    pool = redis.ConnectionPool.from_url(valkey.url, max_connections=50)
    with redis.Redis(connection_pool=pool) as client:
        with RedisMemoryManager(client, ttl=3600) as manager:
            manager.store(note(name, "x"))
            assert len(manager.retrieve(MemoryInput(name, WM))) == 1
        assert client.ping()
    pool.disconnect()


def test_retry_wrapper(valkey, name):
    """A retry of one's own on top, as people write it, stores a message once: the id makes the repeat harmless."""
    events = []
    record = UserMessage("hello", id="message-1")
    with (
        FaultProxy("127.0.0.1", valkey.port) as proxy,
        RedisMemoryManager(proxy.url, retry=RetryPolicy(attempts=1)) as manager,
    ):

        @retry(Exception, attempts=3, initial=0.001, hook=events.append)
        def store_with_retry():
            return manager.store(MemoryInput(name, data=[record]))

        manager.store(MemoryInput(name, data=[UserMessage("before")]))
        proxy.inject(DROP_REPLY, times=2)
        assert store_with_retry() == "message-1"
        assert [found.content for found in manager.retrieve(MemoryInput(name))] == ["before", "hello"]
    assert [event.error for event in events] == ["OutcomeUnknownError", "OutcomeUnknownError"]


def test_an_outage_is_not_an_empty_memory(valkey, name):
    """A read during an outage is an error that a program can tell from an empty memory."""
    with (
        FaultProxy("127.0.0.1", valkey.port) as proxy,
        RedisMemoryManager(proxy.url, retry=RetryPolicy(attempts=2, initial=0.001)) as manager,
    ):
        manager.store(note(name, "x"))
        proxy.down()
        with pytest.raises(BackendUnavailableError):
            manager.retrieve(MemoryInput(name, WM))
        proxy.up()
        assert len(manager.retrieve(MemoryInput(name, WM))) == 1


# A history of typed messages ----------------------------------------------------------------------------------------

CALL = ToolCall("call-1", "lookup", {"city": "Berlin"})
TURN = (
    SystemMessage("You help."),
    UserMessage((TextPart("How is the weather"), TextPart("in Berlin?"))),
    AssistantMessage("", tool_calls=(CALL,), model_id="model-x"),
    ToolMessage("12 degrees", tool_call_id="call-1"),
    AssistantMessage("It has 12 degrees.", model_id="model-x"),
)


def fields_of(message):
    left_out = {"id", "metadata", "created_at", "updated_at", "version"}
    return {field: getattr(message, field) for field in type(message).__slots__ if field not in left_out} | {
        "type": type(message)
    }


def history(manager, name):
    return manager.retrieve(MemoryInput(name))


def test_append_and_load(manager, name):
    """Typed messages come back in order, with their roles, all of their parts, tool calls and models."""
    for message in TURN:
        manager.store(MemoryInput(name, data=[message]))
    loaded = history(manager, name)
    assert [type(message) for message in loaded] == [type(message) for message in TURN]
    assert [message.role for message in loaded] == ["system", "user", "assistant", "tool", "assistant"]
    assert [fields_of(message) for message in loaded] == [fields_of(message) for message in TURN]


def test_length_and_clear(manager, name):
    """The length of a history is that of its list; clearing it says how many there were, and it can begin anew."""
    manager.store(MemoryInput(name, data=TURN))
    assert len(history(manager, name)) == 5
    assert manager.delete(MemoryInput(name)) == 5
    assert history(manager, name) == []
    manager.store(MemoryInput(name, data=[UserMessage("again")]))
    assert [message.content for message in history(manager, name)] == ["again"]


CHAT = """
    import sys
    from memkit import AssistantMessage, MemoryInput, RedisMemoryManager, SystemMessage, UserMessage

    url, session, said = sys.argv[1:]
    with RedisMemoryManager(url) as manager:
        # An id that is there already is not stored again.
        manager.store(MemoryInput(session, data=[SystemMessage("You help.", id="system")]))
        before = manager.retrieve(MemoryInput(session))
        manager.store(MemoryInput(session, data=[UserMessage(said)]))
        known = [message.content for message in before if message.role == "user"]
        answer = f"You said: {', '.join(known) or 'nothing yet'}"
        manager.store(MemoryInput(session, data=[AssistantMessage(answer)]))
        print(answer)
"""


def test_restart(valkey, manager, name):
    """A program that ends and is started again goes on where it was, with one system message, stored under one id."""
    assert in_another_process(CHAT, valkey.url, name, "I am Ada") == "You said: nothing yet\n"
    assert in_another_process(CHAT, valkey.url, name, "Who am I?") == "You said: I am Ada\n"
    assert [message.role for message in history(manager, name)] == ["system", *["user", "assistant"] * 2]
    assert history(manager, name)[0].id == "system"


def test_every_message_renews_the_whole_history(valkey, manager, name):
    """Each message starts the time to live of the whole conversation anew, in the same step that stores it."""
    manager.store(MemoryInput(name, data=[UserMessage("one")], ttl=5))
    assert all(0 < left <= 5000 for left in ttls(valkey, name))
    manager.store(MemoryInput(name, data=[UserMessage("two")]))
    day = 24 * 3_600_000
    assert all(day - 10_000 < left <= day for left in ttls(valkey, name))


# A window of the last messages --------------------------------------------------------------------------------------


async def test_window(valkey, name):
    """The last N messages, oldest of them first, of a conversation that lives for an hour after its last message."""
    async with AsyncRedisMemoryManager(valkey.url, ttl=3600) as manager:
        for number in range(30):
            await manager.store(MemoryInput(name, data=[UserMessage(str(number))]))
        window = await manager.retrieve(MemoryInput(name, limit=20))
        assert [message.content for message in window] == [str(number) for number in range(10, 30)]
        assert [m.content for m in await manager.retrieve(MemoryInput(name, limit=50))] == [str(n) for n in range(30)]
    assert all(3_590_000 < left <= 3_600_000 for left in ttls(valkey, name))


async def test_window_expires_as_a_whole(valkey, name):
    """A conversation that falls silent is gone after its time; nothing of it stays behind."""
    async with AsyncRedisMemoryManager(valkey.url, ttl=0.2) as manager:
        await manager.store(MemoryInput(name, data=[UserMessage("one"), UserMessage("two")]))
        assert len(await manager.retrieve(MemoryInput(name, limit=20))) == 2
        await asyncio.sleep(0.25)
        assert await manager.retrieve(MemoryInput(name, limit=20)) == []
    assert ttls(valkey, name) == []
