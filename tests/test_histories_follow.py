"""Following a conversation over lost connections: nothing is missed, and nothing comes twice."""

from __future__ import annotations

import asyncio
import itertools
import threading
import uuid

import pytest

from memkit import (
    START,
    AsyncMemoryKit,
    AsyncRedisMemoryManager,
    BackendUnavailableError,
    MemoryKit,
    RedisMemoryManager,
    RetryPolicy,
    UserMessage,
)
from memkit.testing.proxy import CUT_REPLY, DROP_REPLY, REFUSE, RESET, SILENT, FaultProxy

COUNT = 120
PATIENT = RetryPolicy(attempts=200, deadline=30, initial=0.002, cap=0.02)
HASTY = RetryPolicy(attempts=2, deadline=0.3, initial=0.001)


@pytest.fixture
def name():
    return uuid.uuid4().hex


@pytest.fixture
def proxy(valkey):
    with FaultProxy("127.0.0.1", valkey.port) as proxy:
        yield proxy


def write(url, name, proxy, fault):
    """Append messages, with a fault on the reader's link before every eighth."""
    with MemoryKit(RedisMemoryManager(url)) as kit:
        history = kit.history(name)
        for number in range(COUNT):
            if number % 8 == 0:
                proxy.inject(fault, times=2)
            history.append(UserMessage(str(number)))


def read(url, name):
    """Follow from the start until all messages came."""
    with MemoryKit(RedisMemoryManager(url, retry=PATIENT, attempt_timeout=0.1)) as kit:
        return [
            message.content
            for message in itertools.islice(kit.history(name).follow(START, poll=0.02, timeout=8), COUNT)
        ]


def aread(url, name):
    """The same in the other colour."""

    async def follow():
        seen = []
        async with AsyncMemoryKit(AsyncRedisMemoryManager(url, retry=PATIENT, attempt_timeout=0.1)) as kit:
            async for message in kit.history(name).follow(START, poll=0.02, timeout=8):
                seen.append(message.content)
                if len(seen) == COUNT:
                    break
        return seen

    return asyncio.run(follow())


@pytest.mark.parametrize("reader", [read, aread], ids=["sync", "async"])
@pytest.mark.parametrize("fault", [DROP_REPLY, CUT_REPLY, RESET, REFUSE, SILENT], ids=lambda fault: fault.name)
def test_each_message_once_over_lost_connections(valkey, proxy, name, reader, fault):
    """While connections are lost again and again, who follows is given every message once, in order."""
    writer = threading.Thread(target=write, args=(valkey.url, name, proxy, fault))
    writer.start()
    try:
        assert reader(proxy.url, name) == [str(number) for number in range(COUNT)]
    finally:
        writer.join()
    assert proxy.injected[fault.name] >= 5


def test_resumes_where_it_ended(valkey, proxy, name):
    """Where the outage outlasts the deadline that is an error, and following from the last message leaves no gap."""
    with (
        MemoryKit(RedisMemoryManager(valkey.url)) as direct,
        MemoryKit(RedisMemoryManager(proxy.url, retry=HASTY, attempt_timeout=0.1)) as kit,
    ):
        direct.history(name).append(UserMessage("a"), UserMessage("b"))
        following = kit.history(name).follow(START, poll=0.01)
        seen = list(itertools.islice(following, 2))
        proxy.inject(REFUSE, times=None)
        with pytest.raises(BackendUnavailableError):
            next(following)
        direct.history(name).append(UserMessage("c"), UserMessage("d"))
        proxy.clear()
        seen += kit.history(name).follow(seen[-1].id, poll=0.01, timeout=0.1)
    assert [message.content for message in seen] == ["a", "b", "c", "d"]
