"""Very many conversations in the indexes of the listing; those on the pages that are read are real."""

from __future__ import annotations

import random
import time
import uuid

from memkit import AssistantMessage, RedisMemoryManager, UserMessage
from memkit.backends.redis.keys import KeySpace
from memkit.commands import AboutRead, IndexRead, IndexRow
from memkit.faces.kit import MemoryKit
from memkit.flows.admin.listing import _cursor
from memkit.flows.places import ALL_CONVERSATIONS, conversation, conversations_of

PAGE = 50
_EACH = 100
_BATCH = 10_000
_HOUR_US = 3_600_000_000
_APART_US = 1_000
_LIVES_MS = 86_460_000


class Crowd:
    """So many conversations of a hundredth as many users, in a namespace of their own.

    Args:
        client: of the server.
        url: of the server.
        size: how many.
    """

    def __init__(self, client, url, size):
        self.size = size
        self._client = client
        self._keys = KeySpace(f"crowd{size}")
        self._manager = RedisMemoryManager(url, namespace=f"crowd{size}")
        self._kit = MemoryKit(self._manager)
        self._users = size // _EACH
        draw = random.Random(size)
        self._names = [str(uuid.UUID(int=draw.getrandbits(128))) for _ in range(size)]
        self._now_us = time.time_ns() // 1_000
        self._pages = {"first": 0, "middle": size // 2, "last": size - PAGE}
        self._store()
        before = self._used()
        self._index()
        self.index_bytes = (self._used() - before) / size

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._manager.close()

    def reads(self):
        """Yield (name, function): every page, and the two things of which a page is made."""
        admin, backend = self._kit.admin, self._manager.backend
        for name, start in self._pages.items():
            cursor = _cursor(self._row(start - 1)) if start else None
            yield f"{name} page of {PAGE}", self._full(lambda cursor=cursor: admin.conversations(cursor=cursor))
        yield f"a user's page of {PAGE}", self._full(lambda: admin.conversations(user_id=self._user(0)))
        row = self._row(self.size // 2 - 1)
        yield f"{PAGE} names alone", lambda: backend.execute(IndexRead(ALL_CONVERSATIONS, PAGE, row))
        abouts = tuple(AboutRead(conversation(name, "about"), None) for name in self._names[:PAGE])
        yield f"what is known of {PAGE} alone", lambda: backend.execute_many(abouts)

    @staticmethod
    def _full(read):
        assert len(read().items) == PAGE
        return read

    def _user(self, place):
        return f"user-{place % self._users}"

    def _row(self, place):
        return IndexRow(self._names[place], self._touched(place))

    def _touched(self, place):
        """Microseconds; the first place is the newest."""
        return self._now_us - _HOUR_US - place * _APART_US

    def _store(self):
        """Make the conversations that are read."""
        listed = {place for start in self._pages.values() for place in range(start, start + PAGE)}
        for place in sorted(listed | set(range(0, self.size, self._users))):
            history = self._kit.history(self._names[place], user_id=self._user(place))
            history.append(UserMessage("Which trains go to Venice?"), AssistantMessage("The night train."))
            history.set_title("Trains to Venice")
            history.set_metadata({"channel": "web"})

    # What `index_touch.lua` leaves behind.

    def _index(self):
        for start in range(0, self.size, _BATCH):
            self._add(ALL_CONVERSATIONS, range(start, min(start + _BATCH, self.size)))
        for user in range(self._users):
            self._add(conversations_of(self._user(user)), range(user, self.size, self._users))

    def _add(self, index, places):
        prefix = self._keys.prefix(index)
        until_ms = self._now_us // 1_000 + _LIVES_MS
        pipe = self._client.pipeline(transaction=False)
        pipe.zadd(prefix + b"cv", {self._names[place]: self._touched(place) for place in places})
        pipe.zadd(prefix + b"cx", {self._names[place]: until_ms for place in places})
        pipe.pexpireat(prefix + b"cv", until_ms).pexpireat(prefix + b"cx", until_ms)
        pipe.execute()

    def _used(self):
        return self._client.info("memory")["used_memory"]
