"""What messages and conversations take on the server beside their payload."""

from __future__ import annotations

import attrs
import redis

from benchmarks.figures import Figure
from benchmarks.histories import QUESTION, SIZES, chat_of
from memkit import RedisMemoryManager, UserMessage
from memkit.faces.kit import MemoryKit

_BATCH = 1_000
_NAMESPACE = "bytes"
_MOST = 40


def memory(url, *, sizes=SIZES):
    """Return figures: bytes beside the payload."""
    with redis.Redis.from_url(url) as client, RedisMemoryManager(url, namespace=_NAMESPACE) as manager:
        scale = Scale(client, MemoryKit(manager))
        return [
            *[scale.message(f"{size:,} with tools", chat_of(size), _MOST) for size in sizes[1:]],
            *[scale.message(f"{sizes[1]:,} of {n:,} letters", _long(sizes[1], n), _MOST) for n in (11, 400, 2_000)],
            scale.index(chat_of(sizes[1])),
            scale.message(f"{sizes[1]:,}, ids of the caller's", _named(sizes[1])),
            scale.message(f"{sizes[1]:,}, each tenth pinned", _pinned(sizes[1])),
            scale.used(chat_of(sizes[-1])),
            scale.conversation(chat_of(20)),
        ]


def _long(count, letters):
    return [UserMessage("y" * letters)] * count


def _named(count):
    return [attrs.evolve(QUESTION, id=f"message-{number}") for number in range(count)]


def _pinned(count):
    return [attrs.evolve(QUESTION, pinned=number % 10 == 0) for number in range(count)]


class Scale:
    """Weighs conversations, one at a time, on a server of its own.

    Args:
        client: of the server.
        kit: where conversations are made.
    """

    def __init__(self, client, kit):
        self._client = client
        self._kit = kit

    def message(self, what, messages, target=None):
        """Bytes of a message beside its payload: all keys of the conversation, shared out."""
        self._fill(messages)
        beside = self._weight() - self._payload()
        return Figure(f"a message beside its payload: {what}", beside / len(messages), "bytes", target)

    def index(self, messages):
        """The same without what a plain list of the payload takes: how the allocator rounds is left out."""
        self._fill(messages)
        beside = self._weight() - self._client.memory_usage(self._log(), samples=0)
        what = f"a message beside a plain list: {len(messages):,} with tools"
        return Figure(what, beside / len(messages), "bytes")

    def used(self, messages):
        """The same by what the server says that it uses, indexes and buffers included."""
        self._empty()
        before = self._used()
        self._fill(messages)
        beside = self._used() - before - self._payload()
        what = f"the same by used_memory: {len(messages):,} with tools"
        return Figure(what, beside / len(messages), "bytes", _MOST)

    def conversation(self, messages):
        """Bytes of a small conversation beside its payload."""
        self._fill(messages).set_title("Trains to Venice")
        what = f"a conversation with a title and {len(messages)} messages beside its payload"
        return Figure(what, self._weight() - self._payload(), "bytes")

    def _fill(self, messages):
        self._empty()
        history = self._kit.history("c")
        for start in range(0, len(messages), _BATCH):
            history.append(*messages[start : start + _BATCH])
        return history

    def _empty(self):
        # At once: what is freed later would count as saved.
        self._client.execute_command("FLUSHALL", "SYNC")

    def _used(self):
        return self._client.info("memory")["used_memory"]

    def _weight(self):
        keys = self._client.keys(f"{_NAMESPACE}:{{c:*")
        return sum(self._client.memory_usage(key, samples=0) for key in keys)

    def _log(self):
        (key,) = self._client.keys(f"{_NAMESPACE}:{{c:*:log")
        return key

    def _payload(self):
        log = self._log()
        size = self._client.llen(log)
        pieces = (self._client.lrange(log, start, start + _BATCH - 1) for start in range(0, size, _BATCH))
        return sum(len(wire) for piece in pieces for wire in piece)
