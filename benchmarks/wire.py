"""What a message takes on the server, and what its append and a read put on the wire, beside other libraries."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import closing
from functools import partial

import redis
from attrs import frozen

from benchmarks import aims
from benchmarks.byhand import LOG, append_to
from benchmarks.counting import CountingProxy, Traffic
from benchmarks.figures import Figure
from benchmarks.peers import AgentFramework, LangChain, LlamaIndex, OpenAiAgents, OpenAiAgentsForEver, installed
from benchmarks.readers import Own
from benchmarks.work import KEPT, LAST, MESSAGE
from memkit.faces.kit import MemoryKit

_REPEATS = 10
_LONG_NAME = str(uuid.UUID(int=7))
# At most; what must hold even where that is missed.
_STORED = {aims.OPENAI: (0.75, 0.82)}
_APPEND_BYTES = 550, 600
_TRIPS = 1, 1


class ByHand:
    """redis-py with ready bytes."""

    def __init__(self, url):
        self._client = redis.Redis.from_url(url)

    def append(self):
        append_to(self._client.pipeline(transaction=False), LOG).execute()

    def last(self):
        return self._client.lrange(LOG, -LAST, -1)

    def close(self):
        self._client.close()


class OwnHistory(Own):
    """memkit's side through a history."""

    def __init__(self, url):
        super().__init__(url)
        self._history = MemoryKit(self._manager).history(self._talk)

    def append(self):
        self._history.append(MESSAGE)

    def last(self):
        return self._history.messages(limit=LAST)


class InLoop:
    """A peer for asyncio, called from plain code.

    Args:
        peer: what is opened.
        url: of the server.
    """

    def __init__(self, peer, url):
        self._loop = asyncio.new_event_loop()
        self._does = self._loop.run_until_complete(peer.open(url, KEPT))

    def append(self):
        self._loop.run_until_complete(self._does.append(0))

    def last(self):
        return self._loop.run_until_complete(self._does.last(0))

    def close(self):
        self._loop.run_until_complete(self._does.aclose())
        self._loop.close()


@frozen
class Load:
    """What one library put on server and wire.

    Attributes:
        stored: bytes of a message on the server: all keys, shared out.
        append: traffic of so many appends.
        last: traffic of so many reads.
    """

    stored: float
    append: Traffic
    last: Traffic


def wire(url, *, count=KEPT):
    """Return figures."""
    with redis.Redis.from_url(url) as client, CountingProxy(url) as proxy:
        loads = {name: _load(client, proxy, make, count) for name, make in _users().items()}
    own = loads[aims.MEMKIT]
    return [
        *[
            Figure(f"bytes on the server, a message of {count:,}: {name}", each.stored, "bytes")
            for name, each in loads.items()
        ],
        *[_beside(name, own, load) for name, load in loads.items() if name not in _OWN],
        *[figure for name, load in loads.items() for figure in _on_wire(name, load)],
    ]


def _users():
    """How each is opened, by name."""
    plain = {peer.name: peer for peer in installed(LangChain, LlamaIndex)}
    asynchronous = {
        peer.name: partial(InLoop, peer) for peer in installed(OpenAiAgents, OpenAiAgentsForEver, AgentFramework)
    }
    return {**_OWN, aims.REDIS_SYNC: ByHand, **asynchronous, **plain}


_OWN = {
    aims.MEMKIT: Own,
    aims.MEMKIT_KEPT: partial(Own, max_messages=KEPT),
    "memkit, a history": OwnHistory,
    "memkit, a UUID for a name": partial(Own, talk=_LONG_NAME),
}


def _load(client, proxy, make, count):
    # At once: what is freed later would count as saved.
    client.execute_command("FLUSHALL", "SYNC")
    with closing(make(proxy.url)) as user:
        for _ in range(count):
            user.append()
        stored = sum(client.memory_usage(key, samples=0) for key in client.scan_iter())
        user.last()
        proxy.take()
        append, last = _traffic(proxy, user.append), _traffic(proxy, user.last)
    return Load(stored / count, append, last)


def _traffic(proxy, call):
    for _ in range(_REPEATS):
        call()
    return proxy.take()


def _beside(name, own, load):
    target, bound = _STORED.get(name, (None, None))
    what = f"bytes on the server: {aims.MEMKIT} against {name}"
    return Figure(what, own.stored / load.stored, "times as many", target, bound=bound)


def _on_wire(name, load):
    of_append, trips = (_APPEND_BYTES, _TRIPS) if name in _OWN else ((None, None), (None, None))
    for what, traffic, most in (("append", load.append, of_append), ("last 20", load.last, (None, None))):
        size = (traffic.requests + traffic.replies) / _REPEATS
        yield Figure(f"wire, {what}, request and reply: {name}", size, "bytes", most[0], bound=most[1])
        yield Figure(f"wire, {what}: {name}", traffic.trips / _REPEATS, "round trips", trips[0], bound=trips[1])
