"""How the cost of a history's calls grows with its length."""

from __future__ import annotations

import itertools
import random

from benchmarks.figures import Figure
from benchmarks.rounds import Contender, race, repeat
from memkit import AssistantMessage, RedisMemoryManager, ToolCall, ToolMessage, UserMessage
from memkit.faces.kit import MemoryKit

SIZES = (100, 10_000, 100_000)
WORKS = ("append", "window of the last 20", "count", "get by id", "update by id", "remove by id")
FLAT = WORKS[:3]
_BATCH = 1_000
_GROWN = 1.2

QUESTION = UserMessage(
    "Which trains go from Vienna to Venice on the twelfth of May, and what is a sleeper for two? " * 2
)
CALLS = AssistantMessage(
    "",
    tool_calls=[
        ToolCall("call_0aA1bB2cC3dD", "search_trains", {"from": "Wien Hbf", "to": "Venezia", "date": "2025-05-12"}),
        ToolCall("call_4eE5fF6gG7hH", "search_hotels", {"city": "Venezia", "nights": 3, "max_price": 160}),
    ],
    model_id="some-model-1",
)
TRAINS = ToolMessage('{"trains": [{"number": "NJ 40233", "departs": "21:27"}]}' * 3, tool_call_id="call_0aA1bB2cC3dD")
HOTELS = ToolMessage('{"hotels": [{"name": "Ca\' Sagredo", "price": 158.0}]}' * 4, tool_call_id="call_4eE5fF6gG7hH")
ANSWER = AssistantMessage("The night train leaves at 21:27 and arrives at 8:34. " * 6, model_id="some-model-1")
CHAT = (QUESTION, CALLS, TRAINS, HOTELS, ANSWER)


class Talk:
    """A conversation of about one length.

    Args:
        kit: where it is kept.
        size: how many messages it has.

    Attributes:
        name: of the conversation.
    """

    def __init__(self, kit, size):
        self._kit = kit
        self._size = size
        self._draw = random.Random(size)
        self._numbers = itertools.count()
        self._begin()

    def _begin(self):
        self.name = f"{self._size}-{next(self._numbers)}"
        self._history = self._kit.history(self.name)
        self._stored = []
        self._fill()

    def _fill(self):
        while (missing := self._size - len(self._stored)) > 0:
            self._append(chat_of(min(_BATCH, missing)))

    def _append(self, messages=(QUESTION,)):
        self._stored += zip(self._history.append(*messages), messages, strict=True)

    def _mend(self):
        """Bring it back to its length."""
        if len(self._stored) > self._size * _GROWN:
            self._begin()
        self._fill()

    @property
    def label(self):
        """Its length in words."""
        return f"{self._size:,} messages"

    def contender(self, work):
        """What does a piece of work on it."""
        return Contender(self.label, repeat(getattr(self, f"_{work.split()[0].rstrip(',')}")), self._mend)

    def _window(self):
        self._history.window(last=20)

    def _count(self):
        self._history.count()

    def _get(self):
        self._history.get(self._draw.choice(self._stored)[0])

    def _update(self):
        self._history.update(*self._draw.choice(self._stored))

    def _remove(self):
        self._history.remove(self._stored.pop(self._draw.randrange(len(self._stored)))[0])


def chat_of(count):
    """Return so many messages: questions, calls, results and answers."""
    return [CHAT[number % len(CHAT)] for number in range(count)]


def histories(url, *, sizes=SIZES, rounds=101, count=25):
    """Return (rows, figures): each call at each length against the same at the smallest."""
    rows = []
    with RedisMemoryManager(url, namespace="histories", attempt_timeout=30) as manager:
        talks = [Talk(MemoryKit(manager), size) for size in sizes]
        # What changes a conversation comes last.
        for work in (*WORKS[1:], WORKS[0]):
            rows += race(work, [talk.contender(work) for talk in talks], count=count, rounds=rounds)
    return rows, [_grown(work, rows, sizes) for work in WORKS]


def _grown(work, rows, sizes):
    """How many times as long the slowest of the longer ones takes as the shortest."""
    worst = max(1 / row.ratio for row in rows if row.work == work)
    what = f"{work}: {sizes[-1]:,} messages against {sizes[0]:,}"
    return Figure(what, worst, "times as long", 1.2 if work in FLAT else 3)
