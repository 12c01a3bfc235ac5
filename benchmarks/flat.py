"""Whether a call costs the same however long the conversation is, through the manager and through the history."""

from __future__ import annotations

from benchmarks.figures import Figure
from benchmarks.histories import QUESTION, Talk
from benchmarks.rounds import race
from benchmarks.work import LAST
from memkit import MemoryInput, RedisMemoryManager
from memkit.faces.kit import MemoryKit

SIZES = (20, 1_000, 10_000, 100_000)
# What changes a conversation comes last.
WORKS = (
    "retrieve the last 20",
    "window of the last 20",
    "messages, the last 20",
    "store one",
    "append one",
    "find by id",
    "change by id",
    "delete by id",
)
FLAT = WORKS[:5]
_MOST = 1.1


class LongTalk(Talk):
    """A conversation of about one length that is used through a manager, too.

    Args:
        manager: where it is kept.
        size: how many messages it has.
    """

    def __init__(self, manager, size):
        self._manager = manager
        super().__init__(MemoryKit(manager), size)

    def _retrieve(self):
        self._manager.retrieve(MemoryInput(self.name, limit=LAST))

    def _messages(self):
        self._history.messages(limit=LAST)

    def _store(self):
        self._stored.append((self._manager.store(MemoryInput(self.name, data=[QUESTION])), QUESTION))

    def _find(self):
        self._manager.retrieve(MemoryInput(self.name, memory_id=self._any()))

    def _change(self):
        self._manager.update(MemoryInput(self.name, memory_id=self._any(), metadata={"n": 8}))

    def _delete(self):
        self._manager.delete(MemoryInput(self.name, memory_id=self._stored.pop(self._place())[0]))

    def _any(self):
        return self._stored[self._place()][0]

    def _place(self):
        return self._draw.randrange(len(self._stored))


def flat(url, *, sizes=SIZES, rounds=101, count=15):
    """Return (rows, figures): each call at each length against the same at the smallest."""
    rows = []
    with RedisMemoryManager(url, namespace="flat", attempt_timeout=30) as manager:
        talks = [LongTalk(manager, size) for size in sizes]
        for work in WORKS:
            rows += race(work, [talk.contender(work) for talk in talks], count=count, rounds=rounds)
    smallest = talks[0].label
    return rows, [_grown(row, smallest) for row in rows if row.work in FLAT and row.name != smallest]


def _grown(row, smallest):
    """How many times as long it takes as at the smallest length."""
    return Figure(f"{row.work}: {row.name} against {smallest}", 1 / row.ratio, "times as long", _MOST, bound=_MOST)
