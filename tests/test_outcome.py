"""What a caller is told when a call fails: what is known, what is not, and how to go on."""

from __future__ import annotations

import asyncio
import functools
import socket
import subprocess
import sys
import time
import uuid

import pytest
from attrs import evolve

from memkit import (
    AsyncRedisMemoryManager,
    AuthenticationError,
    BackendUnavailableError,
    CapacityError,
    Fact,
    MemoryInput,
    OutcomeUnknownError,
    RetryPolicy,
    ServerError,
    UserMessage,
    WorkingMemory,
)
from memkit.backends.redis.scripts import script
from memkit.testing.proxy import DELAY, DROP_REPLY, LATE_REQUEST, REFUSE, SILENT, Fault, FaultProxy
from memkit.testing.servers import Server
from tests.managers import LTM, STM, WM, colours, opened, said, say

HASTY = RetryPolicy(attempts=3, deadline=0.5, initial=0.001, cap=0.01)
hasty = functools.partial(opened, retry=HASTY)


@pytest.fixture
def name():
    return uuid.uuid4().hex


@pytest.fixture
def proxy(valkey):
    with FaultProxy("127.0.0.1", valkey.port) as proxy:
        yield proxy


@pytest.fixture
def direct(valkey):
    with hasty("sync", valkey.unix_url) as manager:
        yield manager


WRITES = {
    "store-wm": lambda m, name: m.store(MemoryInput(name, WM, data=[WorkingMemory("b")])),
    "store-stm": lambda m, name: m.store(say(name, "b")),
    "store-ltm": lambda m, name: m.store(MemoryInput(name, LTM, data=[Fact("b", id="z")])),
    "update-wm": lambda m, name: m.update(MemoryInput(name, WM, data=[WorkingMemory("b")])),
    "update-stm": lambda m, name: m.update(MemoryInput(name, STM, memory_id="x", metadata={"a": 1})),
    "update-ltm": lambda m, name: m.update(MemoryInput(name, LTM, memory_id="x", metadata={"a": 1})),
    "delete-wm": lambda m, name: m.delete(MemoryInput(name, WM)),
    "delete-stm": lambda m, name: m.delete(MemoryInput(name, STM, memory_id="x")),
    "delete-stm-all": lambda m, name: m.delete(MemoryInput(name, STM)),
    "delete-ltm": lambda m, name: m.delete(MemoryInput(name, LTM, memory_id="x")),
    "delete-ltm-all": lambda m, name: m.delete(MemoryInput(name, LTM)),
}
READS = {
    "wm": MemoryInput("", WM),
    "stm": MemoryInput("", STM, limit=3),
    "stm-id": MemoryInput("", STM, memory_id="x"),
    "stm-owner": MemoryInput("", STM, user_id="ada"),
    "ltm": MemoryInput("", LTM),
    "ltm-id": MemoryInput("", LTM, memory_id="x"),
}


def seed(direct, name):
    direct.store(MemoryInput(name, WM, data=[WorkingMemory("a")]))
    direct.store(MemoryInput(name, STM, data=[UserMessage("a", id="x")]))
    direct.store(MemoryInput(name, LTM, data=[Fact("a", id="x")]))


def scripts(*names):
    digests = {script(each).digest for each in names}
    return lambda command: command[0] == b"EVALSHA" and command[1] in digests


writes = scripts(
    *("log_append", "log_replace", "log_remove", "log_clear", "record_put", "record_drop"),
    *("table_swap", "table_remove", "table_clear"),
)


# Unknown outcomes ---------------------------------------------------------------------------------------------------


@colours
@pytest.mark.parametrize("verb", WRITES)
@pytest.mark.parametrize("fault", [DROP_REPLY, SILENT], ids=["dropped", "silent"])
def test_unknown_outcome_names_verb_and_ids(proxy, direct, name, colour, verb, fault):  # noqa: PLR0917 - fixtures
    """A write whose every reply is lost: OutcomeUnknownError with the verb, and with the ids where there are any."""
    seed(direct, name)
    with hasty(colour, proxy.url, attempt_timeout=0.05) as manager:
        proxy.inject(fault, when=writes, times=None)
        with pytest.raises(OutcomeUnknownError) as caught:
            WRITES[verb](manager, name)
    error = caught.value
    assert error.operation == verb.partition("-")[0]
    if verb.startswith(("store", "update")) or verb in ("delete-stm", "delete-ltm"):
        assert len(error.ids) == 1
        assert (error.ids[0] in str(error)) == verb.startswith("store")
    else:
        assert error.ids == ()
    assert proxy.injected[fault.name] == 3


@colours
def test_repeating_with_the_id_stores_once(proxy, direct, name, colour):
    """After an unknown outcome the same records are stored again under the ids of the error: each is there once."""
    with hasty(colour, proxy.url) as manager:
        for fault in (DROP_REPLY, REFUSE):
            proxy.inject(DROP_REPLY, when=writes, times=1)
            proxy.inject(fault, when=writes, times=2)
            with pytest.raises(OutcomeUnknownError) as caught:
                manager.store(say(name, f"{fault.name} 1", f"{fault.name} 2"))
            ids = caught.value.ids
            again = [UserMessage(f"{fault.name} {n + 1}", id=record_id) for n, record_id in enumerate(ids)]
            assert manager.store(MemoryInput(name, STM, data=again)) == ids[-1]
    assert said(direct, name) == ["DROP_REPLY 1", "DROP_REPLY 2", "REFUSE 1", "REFUSE 2"]


AGAIN = """
import sys
from memkit import MemoryInput, RedisMemoryManager, UserMessage
url, name, record_id = sys.argv[1:]
with RedisMemoryManager(url) as manager:
    assert manager.store(MemoryInput(name, data=[UserMessage("mine", id=record_id)])) == record_id
"""


@pytest.mark.parametrize("landed", [True, False], ids=["landed", "lost"])
def test_repeating_from_a_new_process(proxy, valkey, direct, name, landed):
    """Another process that repeats the store with the id of the error stores it once, where it stands if it landed."""
    with hasty("sync", proxy.url) as manager:
        proxy.inject(DROP_REPLY if landed else LATE_REQUEST(0.5), when=writes, times=1)
        proxy.inject(REFUSE, when=writes, times=2)
        with pytest.raises(OutcomeUnknownError) as caught:
            manager.store(say(name, "mine"))
    direct.store(say(name, "newer"))
    (record_id,) = caught.value.ids
    subprocess.run([sys.executable, "-W", "error", "-c", AGAIN, valkey.url, name, record_id], check=True, timeout=30)
    proxy.settle()
    assert said(direct, name) == (["mine", "newer"] if landed else ["newer", "mine"])


@pytest.mark.parametrize("kind", [WM, LTM])
def test_repeating_a_replacing_store(proxy, direct, name, kind):
    """Working memory and facts stored again under the id of the error stand there once, with the text of the repeat."""
    record = WorkingMemory if kind is WM else Fact
    with hasty("sync", proxy.url) as manager:
        proxy.inject(DROP_REPLY, when=writes, times=3)
        with pytest.raises(OutcomeUnknownError) as caught:
            manager.store(MemoryInput(name, kind, data=[record("mine")]))
        (record_id,) = caught.value.ids
        assert manager.store(MemoryInput(name, kind, data=[record("mine", id=record_id)])) == record_id
    assert [found.id for found in direct.retrieve(MemoryInput(name, kind))] == [record_id]


# Known outcomes -----------------------------------------------------------------------------------------------------


@colours
@pytest.mark.parametrize("read", READS)
def test_a_read_is_never_in_doubt(proxy, direct, name, colour, read):
    """A read without a reply is BackendUnavailableError: there is nothing to doubt."""
    seed(direct, name)
    with hasty(colour, proxy.url, attempt_timeout=0.05) as manager:
        proxy.inject(SILENT, times=None)
        with pytest.raises(BackendUnavailableError):
            manager.retrieve(_of(READS[read], name))
        proxy.clear()
        assert len(manager.retrieve(_of(READS[read], name))) == 1


def _of(question, name):
    return evolve(question, conversation_id=name)


@pytest.fixture
def refused_port():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


@colours
def test_nothing_sent_is_no_doubt(refused_port, name, colour):
    """A write to a port that refuses was not sent: BackendUnavailableError, and it is also a ConnectionError."""
    url = f"redis://127.0.0.1:{refused_port}"
    with hasty(colour, url) as manager, pytest.raises(BackendUnavailableError) as caught:
        manager.store(say(name, "x"))
    assert isinstance(caught.value, ConnectionError)
    assert str(refused_port) in str(caught.value)


class Mute(Fault):
    """The greeting of a new connection is not answered."""

    name = "MUTE"

    async def reply(self, link, frame):
        link.silent = True


@colours
def test_a_silent_greeting_is_no_doubt(proxy, name, colour):
    """A write for which no connection was made, because the server never greeted, is not in doubt."""
    proxy.inject(Mute(), when=lambda command: command[0] == b"HELLO", times=None)
    started = time.monotonic()
    with hasty(colour, proxy.url, attempt_timeout=0.2) as manager, pytest.raises(BackendUnavailableError):
        manager.store(say(name, "x"))
    assert time.monotonic() - started < HASTY.deadline + 0.5
    assert "EVALSHA" not in proxy.commands


@colours
def test_first_in_doubt_then_refused_stays_in_doubt(proxy, direct, name, colour):
    """The first attempt may have landed and the rest were refused: the outcome is unknown, and here it did land."""
    with hasty(colour, proxy.url) as manager:
        manager.store(say(f"{name}-before", "so that the server knows the script"))
        proxy.inject(DROP_REPLY, when=writes, times=1)
        # Down from now on: nothing is sent any more.
        proxy.inject(REFUSE, when=lambda command: command[0] == b"HELLO", times=None)
        with pytest.raises(OutcomeUnknownError):
            manager.store(say(name, "x"))
    assert said(direct, name) == ["x"]


# Deadlines ----------------------------------------------------------------------------------------------------------

TIMES = {
    "defaults-scaled": ({"attempt_timeout": 0.12, "connect_timeout": 0.12}, 0.6),
    "attempt-above-deadline": ({}, 0.3),
    "attempt-near-deadline": ({"attempt_timeout": 0.25}, 0.3),
}


ACTS = {"read": lambda manager, name: manager.retrieve(MemoryInput(name, WM)), "write": WRITES["store-stm"]}


@colours
@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("where", ["commands", "greeting"])
@pytest.mark.parametrize("verb", ACTS)
def test_silent_link_ends_in_time(proxy, name, colour, times, where, verb):  # noqa: PLR0917 - fixtures
    """On a silent link every call ends within its deadline and half a second, whatever the other timeouts are."""
    options, deadline = TIMES[times]
    policy = RetryPolicy(deadline=deadline, initial=0.001, cap=0.01)
    with hasty(colour, proxy.url, retry=policy, **options) as manager:
        if where == "commands":
            manager.ping()
            proxy.inject(SILENT, times=None)
        else:
            proxy.inject(Mute(), when=lambda command: command[0] == b"HELLO", times=None)
        started = time.monotonic()
        with pytest.raises((OutcomeUnknownError, BackendUnavailableError)):
            ACTS[verb](manager, name)
        elapsed = time.monotonic() - started
    assert deadline * 0.5 < elapsed < deadline + 0.5


async def test_many_calls_on_a_silent_link_end_in_time(proxy, name):
    """64 tasks over one link that falls silent all end in time."""
    policy = RetryPolicy(deadline=0.6)
    async with AsyncRedisMemoryManager(proxy.url, retry=policy, attempt_timeout=0.25) as manager:
        await asyncio.gather(*[manager.store(say(f"{name}{n}", "before")) for n in range(64)])
        proxy.inject(SILENT, times=None)
        started = time.monotonic()
        stores = [manager.store(say(f"{name}{n}", "x")) for n in range(64)]
        results = await asyncio.gather(*stores, return_exceptions=True)
        assert time.monotonic() - started < 1.1
    assert {type(result) for result in results} == {OutcomeUnknownError}


def test_slow_link_is_not_a_silent_one(proxy, name):
    """Replies that are late but come within the attempt's timeout are not given up."""
    with hasty("sync", proxy.url, attempt_timeout=1.0, retry=RetryPolicy(deadline=5.0)) as manager:
        manager.store(say(name, "before"))
        before = len(proxy.commands)
        proxy.inject(DELAY(0.3), times=2)
        manager.store(say(name, "x"))
        assert said(manager, name) == ["before", "x"]
    assert proxy.commands[before:].count("EVALSHA") == 1


class Busy(Fault):
    """The reply is that the server is busy."""

    name = "BUSY"

    async def reply(self, link, frame):
        await link.to_client(b"-BUSY with something else\r\n")


@colours
def test_last_attempt_is_as_short_as_what_is_left(proxy, name, colour):
    """On a connection that works, an attempt that begins late waits no longer than until the deadline."""
    policy = RetryPolicy(deadline=0.6, initial=0.1, cap=0.1, jitter=False)
    with hasty(colour, proxy.url, attempt_timeout=0.6, retry=policy) as manager:
        manager.ping()
        proxy.inject(Busy(), times=4)
        proxy.inject(SILENT, times=None)
        started = time.monotonic()
        with pytest.raises(BackendUnavailableError):
            manager.retrieve(MemoryInput(name, WM))
        assert 0.5 < time.monotonic() - started < 0.8
    assert proxy.connections == 1


def test_hasty_connections_are_not_kept(proxy, name):
    """A connection that was opened with little time left is not lent to calls that have more."""
    with hasty("sync", proxy.url, attempt_timeout=1.0, retry=RetryPolicy(deadline=1.3, initial=0.001)) as manager:
        proxy.inject(SILENT, when=writes)
        manager.store(say(name, "x"))
        proxy.inject(DELAY(0.6))
        assert said(manager, name) == ["x"]
    assert sum(command[0] == b"LRANGE" for command in proxy.requests) == 1


# Refusals of real servers -------------------------------------------------------------------------------------------


def failing(colour, url, act, **options):
    """The error of a call, and how many attempts it made."""
    events = []
    with hasty(colour, url, on_retry=events.append, **options) as manager, pytest.raises(Exception) as caught:
        act(manager)
    return caught.value, len(events)


@pytest.fixture(scope="module", params=["valkey", "redis7", "redis62"])
def locked(request, binary):
    with Server(binary(request.param), {"requirepass": "hunter-0815"}) as server:
        yield server


@colours
@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("login", ["", ":guess-0815@", "ada:guess-0815@"], ids=["none", "wrong", "unknown"])
def test_authentication_is_tried_once(locked, name, colour, login, protocol):
    """No password, a wrong one, an unknown user: AuthenticationError after one attempt."""
    url = f"redis://{login}127.0.0.1:{locked.port}?protocol={protocol}"
    error, attempts = failing(colour, url, lambda manager: manager.store(say(name, "x")))
    assert type(error) is AuthenticationError
    assert attempts == 1


@pytest.mark.parametrize("kind", ["valkey", "redis7", "redis62"])
@colours
def test_full_server_is_tried_once(binary, name, colour, kind):
    """A server without memory for a write: CapacityError after one attempt, and reads go on."""
    with Server(binary(kind), {"maxmemory-policy": "noeviction"}) as server, hasty("sync", server.url) as direct:
        seed(direct, name)
        server.ask("CONFIG", "SET", "maxmemory", "1")
        for verb in ("store-wm", "store-stm", "store-ltm", "update-wm", "update-stm", "update-ltm"):
            error, attempts = failing(colour, server.url, lambda manager, verb=verb: WRITES[verb](manager, name))
            assert (type(error), attempts) == (CapacityError, 1), verb
        assert said(direct, name) == ["a"]
        server.ask("CONFIG", "SET", "maxmemory", "0")
        assert [len(direct.retrieve(MemoryInput(name, memory))) for memory in (WM, STM, LTM)] == [1, 1, 1]


@colours
def test_wrong_type_is_a_server_error(redis_server, name, colour):
    """Another program's key in the place of ours: ServerError with the code WRONGTYPE, after one attempt."""
    with redis_server.client() as client, hasty("sync", redis_server.url) as direct:
        seed(direct, name)
        for key in list(client.scan_iter(f"*{name}*", count=1000)):
            client.delete(key)
            client.geoadd(key, (1, 2, "other"))
    for question in (MemoryInput(name, WM), MemoryInput(name, STM)):
        error, attempts = failing(colour, redis_server.url, lambda manager, q=question: manager.retrieve(q))
        assert (type(error), error.code, attempts) == (ServerError, "WRONGTYPE", 1)
    for verb in ("store-stm", "store-ltm"):
        error, attempts = failing(colour, redis_server.url, lambda manager, verb=verb: WRITES[verb](manager, name))
        assert (type(error), error.code, attempts) == (ServerError, "WRONGTYPE", 1), verb


@pytest.mark.parametrize("kind", ["valkey", "redis62"])
@colours
def test_busy_server_is_waited_for(binary, name, colour, kind):
    """A server that is busy with a script of somebody else is asked again until it is free."""
    with Server(binary(kind), {"busy-reply-threshold" if kind == "valkey" else "lua-time-limit": 10}) as server:
        policy = RetryPolicy(attempts=1000, deadline=10.0, cap=0.02)
        with hasty(colour, server.url, retry=policy, on_retry=(events := []).append) as manager:
            manager.ping()
            with socket.create_connection(("127.0.0.1", server.port)) as other:
                other.sendall(b"EVAL 'while true do end' 0\r\n")
                time.sleep(0.1)
                with subprocess.Popen([sys.executable, "-c", KILL, str(server.port)]):
                    manager.store(say(name, "x"))
        assert len(events) > 1
        with hasty("sync", server.url) as direct:
            assert said(direct, name) == ["x"]


KILL = """
import sys, time, redis
time.sleep(0.3)
redis.Redis(port=int(sys.argv[1])).execute_command("SCRIPT", "KILL")
"""


@colours
def test_unknown_scripts_are_sent_whole(redis_server, name, colour):
    """A server that forgot the scripts gets them again, within the same attempt, for every verb."""
    with (
        hasty("sync", redis_server.url) as direct,
        hasty(colour, redis_server.url, retry=RetryPolicy(attempts=1)) as m,
    ):
        for verb, act in WRITES.items():
            seed(direct, f"{name}{verb}")
            redis_server.ask("SCRIPT", "FLUSH")
            act(m, f"{name}{verb}")
