"""How memkit reaches servers: the pool, the multiplexed connection, loops, forks, sentinels, clusters, TLS, users."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from contextlib import contextmanager, suppress

import pytest
import redis
import redis.asyncio

from memkit import (
    AsyncRedisMemoryManager,
    BackendUnavailableError,
    ConfigurationError,
    MemoryInput,
    OutcomeUnknownError,
    RetryPolicy,
)
from memkit.backends.redis import pool, sentinels
from memkit.backends.redis.discovery import Timeouts
from memkit.backends.redis.faults import Down, Lost
from memkit.backends.redis.loops import Loops
from memkit.backends.redis.mux import Mux
from memkit.backends.redis.pool import Pool
from memkit.backends.redis.target import parse_url
from memkit.commands import Place, RecordPut
from memkit.testing.proxy import DELAY, DROP_REPLY, SILENT, FaultProxy
from tests.managers import STM, WM, colours, every_verb, in_threads, opened, said, say, wait_for, work

ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def name():
    return uuid.uuid4().hex


@pytest.fixture
def proxy(valkey):
    with FaultProxy("127.0.0.1", valkey.port) as proxy:
        yield proxy


# The pool -----------------------------------------------------------------------------------------------------------


def test_pool_is_bounded_and_waits(proxy, name):
    """16 threads share 3 connections: each call waits for one, none fails, no fourth is opened, no call is repeated."""
    events = []
    with opened("sync", proxy.url, pool_size=3, on_retry=events.append) as manager:
        assert in_threads(16, lambda number: [manager.store(say(f"{name}{number}", str(n))) for n in range(40)]) == []
        for number in range(16):
            assert said(manager, f"{name}{number}") == [str(n) for n in range(40)]
    assert proxy.connections <= 3
    assert events == []


def test_pool_busy_names_the_cure(valkey):
    """What a call says that found every connection in use."""
    links = Pool(parse_url(valkey.url), 1, Timeouts(1.0, 0.05))
    held = links._places.pop()
    with pytest.raises(Down, match="pool_size"):
        links.exchange((("PING",),))
    links._give_back(held)
    assert links.exchange((("PING",),)) == [b"PONG"]
    links.close()


def test_pool_uses_the_last_connection_first(valkey):
    """After a burst that opened several connections, calls one after the other keep to one of them."""
    links = Pool(parse_url(valkey.url), 4, Timeouts())
    barrier = threading.Barrier(4)

    def burst(_):
        barrier.wait()
        links.exchange((("EVAL", "local t = redis.call('TIME')[2] for n = 1, 200000 do t = n end return t", 0),))

    assert in_threads(4, burst) == []
    ids = {links.exchange((("CLIENT", "ID"),))[0] for _ in range(20)}
    links.close()
    assert len(ids) == 1


@colours
def test_connection_closed_by_the_server(valkey, name, colour):
    """Connections that the server closed are replaced; the call that meets one is stored once."""
    with opened(colour, valkey.url) as manager:
        for number in range(5):
            manager.store(say(name, str(number)))
            valkey.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert said(manager, name) == ["0", "1", "2", "3", "4"]


def test_rested_connection_is_looked_at_first(valkey, name, monkeypatch):
    """A pooled connection that the server closed while it rested costs the call no attempt."""
    monkeypatch.setattr(pool, "_RESTED", 0.0)
    events = []
    with opened("sync", valkey.url, on_retry=events.append) as manager:
        manager.store(say(name, "one"))
        valkey.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        manager.store(say(name, "two"))
        assert said(manager, name) == ["one", "two"]
    assert events == []


FORK = """
    import json, os, sys
    from memkit import MemoryInput, MemoryType, RedisMemoryManager, UserMessage, WorkingMemory

    url, stem = sys.argv[1:]
    manager = RedisMemoryManager(url)
    shared = MemoryInput(stem, data=[UserMessage("before")])
    manager.store(shared)
    children = []
    me = "parent"
    for number in range(3):
        pid = os.fork()
        if not pid:
            me, children = f"child{number}", []
            break
        children.append(pid)
    wrong = 0
    name = stem + me
    for n in range(300):
        text = f"{me} {n}"
        manager.store(MemoryInput(name, MemoryType.WORKING_MEMORY, data=[WorkingMemory(text)]))
        manager.store(MemoryInput(stem, data=[UserMessage(text, id=text)]))
        (found,) = manager.retrieve(MemoryInput(name, MemoryType.WORKING_MEMORY))
        wrong += found.working_memory != text
    if not children:
        os._exit(min(wrong, 100))
    wrong += sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children)
    stored = [record.content for record in manager.retrieve(MemoryInput(stem))]
    everybody = ("parent", "child0", "child1", "child2")
    orders = [[text for text in stored if text.startswith(who + " ")] for who in everybody]
    right = all(order == [f"{order[0].split()[0]} {n}" for n in range(300)] for order in orders)
    print(json.dumps([wrong, len(stored), right]))
"""


def test_fork(valkey, name):
    """A manager used before a fork works in parent and children: no reply goes astray, every write is stored once."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(FORK), valkey.url, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == [0, 1201, True]


def test_pool_lets_go_of_everything(valkey, name):
    """A closed manager leaves no connection at the server."""
    mark = f"mark-{name}"
    with opened("sync", f"{valkey.url}?client_name={mark}") as manager:
        in_threads(4, lambda number: manager.store(say(name, str(number))))
        assert mark in str(valkey.ask("CLIENT", "LIST"))
    wait_for(lambda: mark not in str(valkey.ask("CLIENT", "LIST")))


# redis-py's part


@colours
def test_nothing_below_repeats(proxy, name, colour):
    """With one attempt, a write whose reply is lost is sent once: no layer below repeats it."""
    with opened(colour, proxy.url, retry=ONCE) as manager:
        manager.store(say(name, "zero"))
        before = len(proxy.requests)
        proxy.inject(DROP_REPLY)
        with pytest.raises(OutcomeUnknownError):
            manager.store(say(name, "one"))
        assert proxy.commands[before:] == ["EVALSHA"]


def test_sentinel_clients_do_not_retry():
    """Clients that ask sentinels have redis-py's own retries off."""
    target = parse_url("redis+sentinel://127.0.0.1:1/mymaster")
    sentinel = redis.Sentinel(target.addresses, sentinel_kwargs=sentinels._arguments(target, Timeouts()))
    (client,) = sentinel.sentinels
    assert client.connection_pool.connection_kwargs["retry"].get_retries() == 0
    client.close()


@colours
def test_own_connections_bypass_the_client(valkey, name, colour, monkeypatch):
    """Managers that open their own connections do not use `execute_command` of redis-py's clients."""

    def refuse(*_, **__):
        raise AssertionError("execute_command was used")

    monkeypatch.setattr(redis.Redis, "execute_command", refuse)
    monkeypatch.setattr(redis.asyncio.Redis, "execute_command", refuse)
    with opened(colour, valkey.url) as manager:
        every_verb(manager, name)


# The multiplexed connection -----------------------------------------------------------------------------------------


async def test_64_tasks_on_one_connection(proxy, name):
    """64 tasks use one connection, and each reads back what it wrote, in its order."""

    async def one(manager, number):
        mine = f"{name}-{number}"
        for n in range(30):
            await manager.store(work(mine, f"{number}/{n}"))
            await manager.store(say(mine, f"{number}/{n}", user_id=mine))
            (found,) = await manager.retrieve(MemoryInput(mine, WM))
            assert found.working_memory == f"{number}/{n}"
            (last,) = await manager.retrieve(MemoryInput(mine, limit=1, user_id=mine))
            assert last.content == f"{number}/{n}"

    async with AsyncRedisMemoryManager(proxy.url) as manager:
        await asyncio.gather(*(one(manager, number) for number in range(64)))
    assert proxy.connections == 1


async def test_cancellation_storm(proxy, name):
    """2,000 operations under timeouts of 0 to 5 ms while replies come late: nobody reads another's data."""
    dice = random.Random(5)
    wrong, done, cut = [], 0, 0

    async def one(manager, number):
        nonlocal done, cut
        mine = f"{name}-{number}"
        for n in range(250):
            try:
                async with asyncio.timeout(dice.uniform(0, 0.005)):
                    found = await manager.retrieve(MemoryInput(mine, *READS[n % 2][0]))
            except TimeoutError:
                cut += 1
                continue
            done += 1
            if [READS[n % 2][1](record) for record in found] != [mine]:
                wrong.append(found)

    async with AsyncRedisMemoryManager(proxy.url) as manager:
        for number in range(8):
            await manager.store(work(f"{name}-{number}", f"{name}-{number}"))
            await manager.store(say(f"{name}-{number}", f"{name}-{number}"))
        proxy.inject(DELAY(0.002), when=lambda _: dice.random() < 0.05, times=None)
        await asyncio.gather(*(one(manager, number) for number in range(8)))
        proxy.clear()
        for number in range(8):
            (found,) = await manager.retrieve(MemoryInput(f"{name}-{number}", WM))
            assert found.working_memory == f"{name}-{number}"
    assert wrong == []
    assert done + cut == 2000
    assert min(done, cut) > 100
    assert proxy.connections <= 2


READS = (((WM,), lambda record: record.working_memory), ((STM,), lambda record: record.content))


async def test_cancelled_while_connecting(proxy, name):
    """Who is cancelled while the connection opens leaves the others their connection."""
    async with AsyncRedisMemoryManager(proxy.url) as manager:
        proxy.inject(DELAY(0.1), when=lambda command: command[0] == b"HELLO")
        tasks = [asyncio.create_task(manager.store(say(name, str(number)))) for number in range(10)]
        await asyncio.sleep(0.03)
        for task in tasks[::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 5
        found = await manager.retrieve(MemoryInput(name))
    assert sorted(record.content for record in found) == ["1", "3", "5", "7", "9"]
    assert proxy.connections == 1


def test_uvloop(proxy, name):
    """On the event loop of uvloop, 64 tasks share one connection, faults are got over, and nothing is left open."""
    uvloop = pytest.importorskip("uvloop")

    async def main():
        async with AsyncRedisMemoryManager(proxy.url, attempt_timeout=0.5) as manager:
            await asyncio.gather(*(manager.store(say(name, str(number))) for number in range(64)))
            for fault in (DROP_REPLY, SILENT):
                proxy.inject(fault)
                await manager.store(say(name, fault.name))
            return await manager.retrieve(MemoryInput(name, STM))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = [message.content for message in runner.run(main())]
    assert sorted(found[:64]) == sorted(str(number) for number in range(64))
    assert found[64:] == [DROP_REPLY.name, SILENT.name]
    assert proxy.connections == 3


async def test_several_connections(proxy, name):
    """With the option, so many connections of a loop share the calls of its tasks; each write is there once."""
    async with AsyncRedisMemoryManager(proxy.url, connections=3) as manager:
        await asyncio.gather(*(manager.store(say(name, str(number))) for number in range(60)))
        found = await manager.retrieve(MemoryInput(name, STM))
        assert sorted(int(message.content) for message in found) == list(range(60))
        assert proxy.connections == 3
        proxy.inject(DROP_REPLY)
        await manager.store(say(name, "once"))
        assert [message.content for message in await manager.retrieve(MemoryInput(name, STM, limit=2))][1] == "once"
        for link in manager.backend._link._links:
            assert await link.exchange((("PING",),)) == [b"PONG"]


@pytest.mark.parametrize("value", [0, -1, 1.5, "2", True, None])
def test_wrong_connections(value):
    """The number of connections is a whole number from 1."""
    with pytest.raises(ConfigurationError, match="connections must be"):
        AsyncRedisMemoryManager("redis://localhost", connections=value)


def test_three_loops_one_after_another(valkey, name):
    """One async manager works in three asyncio.run, one after another."""
    manager = AsyncRedisMemoryManager(valkey.url)

    async def use(number):
        await manager.store(say(name, str(number)))
        return [record.content for record in await manager.retrieve(MemoryInput(name))]

    for number in range(3):
        assert asyncio.run(use(number)) == [str(n) for n in range(number + 1)]
    asyncio.run(manager.aclose())


def test_two_loops_in_two_threads(proxy, name):
    """One async manager works in two loops at the same time, each with a connection of its own."""
    manager = AsyncRedisMemoryManager(proxy.url)

    async def use(number):
        for n in range(200):
            await manager.store(work(f"{name}{number}", f"{number}/{n}"))
            (found,) = await manager.retrieve(MemoryInput(f"{name}{number}", WM))
            assert found.working_memory == f"{number}/{n}"

    assert in_threads(2, lambda number: asyncio.run(use(number))) == []
    assert proxy.connections == 2
    asyncio.run(manager.aclose())


async def test_backpressure(proxy, name, monkeypatch):
    """Writes that the network takes slowly wait for it, and all of them arrive whole."""
    paused = []
    monkeypatch.setattr(Mux, "pause_writing", lambda self, real=Mux.pause_writing: (paused.append(1), real(self))[1])
    big = "x" * 1_000_000
    async with AsyncRedisMemoryManager(proxy.url, attempt_timeout=20.0, retry=RetryPolicy(deadline=60.0)) as manager:
        await asyncio.gather(*(manager.store(work(f"{name}{n}", f"{n}{big}")) for n in range(24)))
        for n in range(24):
            (found,) = await manager.retrieve(MemoryInput(f"{name}{n}", WM))
            assert found.working_memory == f"{n}{big}"
    assert paused
    assert proxy.connections == 1


async def test_calls_wait_while_the_network_is_slow(name):
    """While a connection takes no more bytes, further calls wait in front of it instead of filling its buffer."""
    with deaf_server() as port:
        async with AsyncRedisMemoryManager(f"redis://127.0.0.1:{port}", retry=ONCE) as manager:
            # Commands as they are: a store would touch the index first.
            place = Place("c", name, "wm")
            large, small = (RecordPut(place, None, 0, wire, 1, "x") for wire in (b"x" * 7_000_000, b"y"))
            first = [asyncio.create_task(manager.backend.execute(large)) for _ in range(2)]
            line = manager.backend._link._line()
            for _ in range(500):
                await asyncio.sleep(0.01)
                if line.mux is not None and line.mux._writable is not None:
                    break
            more = [asyncio.create_task(manager.backend.execute(small)) for _ in range(50)]
            await asyncio.sleep(0.05)
            assert len(line.mux._waiters) == 2
            for task in [*first, *more]:
                task.cancel()
            await asyncio.gather(*first, *more, return_exceptions=True)


@contextmanager
def deaf_server():
    """A port that greets every client and then reads nothing more."""
    links = []

    def greet():
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            links.append(link)
            link.recv(1000)
            link.sendall(b"%1\r\n+proto\r\n:3\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=greet)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for link in links:
                link.close()


async def test_backpressure_on_a_dead_link(name):
    """Writes that wait for a link that takes nothing end at the deadline, all of them."""
    times = {"attempt_timeout": 0.3, "connect_timeout": 0.3, "retry": RetryPolicy(deadline=1.0)}
    big = "x" * 4_000_000
    with deaf_server() as port:
        started = time.monotonic()
        async with AsyncRedisMemoryManager(f"redis://127.0.0.1:{port}", **times) as manager:
            stores = [manager.store(work(f"{name}{n}", big)) for n in range(6)]
            results = await asyncio.gather(*stores, return_exceptions=True)
        assert time.monotonic() - started < 1.5
    assert {type(result) for result in results} <= {OutcomeUnknownError, BackendUnavailableError}


@colours
def test_silent_link_is_left(proxy, name, colour):
    """A link that falls silent is given up after the attempt's timeout, and the call goes on over a new one."""
    with opened(colour, proxy.url, attempt_timeout=0.1) as manager:
        manager.ping()
        proxy.inject(SILENT)
        started = time.monotonic()
        manager.store(say(name, "one"))
        assert 0.09 < time.monotonic() - started < 0.5
        assert said(manager, name) == ["one"]
    assert proxy.connections == 2


@pytest.mark.parametrize(
    "make", [lambda t: Pool(t, 1, Timeouts()), lambda t: Loops(t, Timeouts())], ids=["pool", "mux"]
)
def test_pushes_are_no_replies(valkey, name, make):
    """Messages that the server pushes between replies do not shift them."""
    link = make(parse_url(f"{valkey.url}?protocol=3"))

    async def ask(*command):
        reply = link.exchange((command,))
        return (await reply if asyncio.iscoroutine(reply) else reply)[0]

    async def main():
        await ask("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", name)
        before = await ask("CLIENT", "ID")
        for number in range(50):
            valkey.ask("SET", f"{name}{number}", str(number))
            await asyncio.sleep(0.001)
            assert await ask("GET", f"{name}{number}") == str(number).encode()
        await asyncio.sleep(0.01)
        assert await ask("ECHO", "last") == b"last"
        assert await ask("CLIENT", "ID") == before
        closed = link.aclose() if hasattr(link, "aclose") else None
        if closed is not None:
            await closed
        else:
            link.close()

    asyncio.run(main())


def test_a_link_that_drips_is_left():
    """A reply that comes byte by byte keeps a call no longer than its attempt may take."""

    def drip():
        link, _ = listener.accept()
        with link, suppress(OSError):
            link.recv(1000)
            link.sendall(b"%1\r\n+proto\r\n:3\r\n")
            link.recv(1000)
            for _ in range(100):
                link.sendall(b"+")
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip)
        thread.start()
        links = Pool(parse_url(f"redis://127.0.0.1:{listener.getsockname()[1]}"), 1, Timeouts(1.0, 0.3))
        started = time.monotonic()
        with pytest.raises(Lost):
            links.exchange((("GET", "x"),), fresh=True)
        assert 0.2 < time.monotonic() - started < 1.0
        links.close()
        thread.join()
