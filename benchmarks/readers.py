"""The last 20 of long conversations, and appends to them, beside other libraries that keep conversations."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

from benchmarks import aims
from benchmarks.peers import AgentFramework, LangChain, LlamaIndex, OpenAiAgents, installed
from benchmarks.rounds import Contender, repeat
from benchmarks.tasks import AsyncOwn, Side
from benchmarks.work import TALK, append_of, fill_of, last_of
from memkit import AsyncRedisMemoryManager, RedisMemoryManager

SIZES = (1_000, 10_000)
# Those that read the whole conversation do this many times less in a round, for each message in it.
_SHARE_A_MESSAGE = 1 / 50
_WHOLE_READERS = (aims.LANGCHAIN, aims.LLAMA, aims.AGENTS)


class Own:
    """memkit's side in plain code.

    Args:
        url: of the server.
        talk: name of its conversation.
        options: of its manager.
    """

    name = aims.MEMKIT_SYNC

    def __init__(self, url, talk=TALK, **options):
        self._talk = talk
        self._manager = RedisMemoryManager(url, **options)

    def fill(self, count):
        self._manager.store(fill_of(self._talk, count))

    def append(self):
        self._manager.store(append_of(self._talk))

    def last(self):
        return self._manager.retrieve(last_of(self._talk))

    def close(self):
        self._manager.close()


class Readers:
    """Everybody, each with one conversation that grows.

    Args:
        plain: who works in plain code.
        sides: who works in an event loop.
    """

    def __init__(self, plain, sides):
        self._plain = plain
        self._sides = sides
        self._size = 0

    def grow(self, size):
        """Bring all conversations to a length."""
        more, self._size = size - self._size, size
        for each in self._plain:
            each.fill(more)
        for side in self._sides:
            side.loop.run_until_complete(side.does.fill(0, more))

    def lasts(self):
        """Who reads the last 20."""
        whole = max(int(self._size * _SHARE_A_MESSAGE), 1)
        found = [Contender(each.name, repeat(each.last)) for each in self._plain]
        found += [side.contender(("last",), 1) for side in self._sides]
        for contender in found:
            contender.share = whole if contender.name in _WHOLE_READERS else 1
        return found

    def appends(self):
        """Who appends one message."""
        found = [Contender(each.name, repeat(each.append)) for each in self._plain]
        return found + [side.contender(("append",), 1) for side in self._sides]

    def close(self):
        """Close all of them."""
        for each in self._plain:
            each.close()
        for side in self._sides:
            side.loop.run_until_complete(side.does.aclose())


@contextmanager
def readers(url):
    """Everybody who is installed."""
    loop = asyncio.new_event_loop()
    own = AsyncOwn(AsyncRedisMemoryManager(url, namespace="async"))
    opened = (
        (peer.name, loop.run_until_complete(peer.open(url, 0))) for peer in installed(OpenAiAgents, AgentFramework)
    )
    sides = [Side(name, loop, does) for name, does in ((aims.MEMKIT, own), *opened)]
    found = Readers([Own(url), *[peer(url) for peer in installed(LangChain, LlamaIndex)]], sides)
    try:
        yield found
    finally:
        found.close()
        loop.close()


def reader_races(url, sizes=SIZES):
    """Yield (work, contenders)."""
    with readers(url) as found:
        for size in sizes:
            found.grow(size)
            yield f"last 20 of {size:,}", found.lasts()
            yield f"append to {size:,}", found.appends()
