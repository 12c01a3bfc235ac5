"""The verbs in plain code: memkit with records in and out beside redis-py and a bare socket with ready bytes.

memkit makes its input anew for each call, as callers do.
"""

from __future__ import annotations

from contextlib import ExitStack

import redis

from benchmarks import aims
from benchmarks.byhand import ByHand, Wire, prepare
from benchmarks.rounds import Contender, repeat
from benchmarks.work import KEPT, LAST, MESSAGE, TALK, append_of, fill_of, get_of, groups_of, last_of, put_of
from memkit import RedisMemoryManager
from memkit.faces.kit import MemoryKit

_TWENTY, _GROUPS = "chat-20", "groups"


def sync_races(url):
    """Yield (work, contenders)."""
    with ExitStack() as stack:
        client = stack.enter_context(redis.Redis.from_url(url))
        prepare(client)
        by_hand, wire = ByHand(client), stack.enter_context(Wire(url))
        own = Own(stack.enter_context(RedisMemoryManager(url)))
        kept = Own(stack.enter_context(RedisMemoryManager(url, namespace="kept", max_messages=KEPT)))
        yield "put 2 KB", [*_floor(by_hand.put, wire.put()), own.put()]
        yield "get 2 KB", [*_floor(by_hand.get, wire.get()), own.get()]
        yield "append", [*_floor(by_hand.append, wire.append()), *own.appends(), *kept.appends(", bounded")]
        yield "last 20", [*_floor(by_hand.last, wire.last()), *own.reads()]


def _floor(call, run):
    return [Contender(aims.REDIS_SYNC, repeat(call)), Contender(aims.RAW, run)]


class Own:
    """memkit's side.

    Args:
        manager: keeps it all; belongs to the caller.
    """

    def __init__(self, manager):
        kit = MemoryKit(manager)
        self._manager = manager
        self._talk, self._twenty, self._groups = map(kit.history, (TALK, _TWENTY, _GROUPS))
        manager.store(put_of(TALK))
        manager.store(fill_of(TALK, KEPT))
        manager.store(fill_of(_TWENTY, LAST))
        manager.store(groups_of(_GROUPS, LAST))

    def put(self):
        return Contender(aims.STORE, repeat(lambda: self._manager.store(put_of(TALK))))

    def get(self):
        return Contender(aims.RETRIEVE, repeat(lambda: self._manager.retrieve(get_of(TALK))))

    def appends(self, suffix=""):
        """Through the manager and through the history."""
        return [
            Contender(f"{aims.STORE}{suffix}", repeat(lambda: self._manager.store(append_of(TALK)))),
            Contender(f"{aims.APPEND}{suffix}", repeat(self._talk.append, MESSAGE)),
        ]

    def reads(self):
        """As records; the window of calls with their results, for it leaves out calls that have none."""
        return [
            Contender(aims.RETRIEVE, repeat(self._last)),
            Contender(aims.LOOKED_AT, repeat(lambda: look_at(self._last()))),
            Contender(aims.WINDOW, repeat(self._groups.window, last=LAST)),
            Contender(aims.MESSAGES, repeat(self._twenty.messages, limit=LAST)),
        ]

    def _last(self):
        return self._manager.retrieve(last_of(_TWENTY))


def look_at(messages):
    """Use every message: whoever puts off decoding has to do it now."""
    for message in messages:
        assert message.content
        assert message.metadata
        assert message.created_at
