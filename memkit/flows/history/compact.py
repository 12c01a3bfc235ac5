"""Compaction: a summary takes the place of what it sums up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve, frozen

from memkit.commands import Entry, LogFind, LogRewrite, Outcome, Rewritten
from memkit.errors import InvalidInputError, InvalidRecordError, RevisionConflictError
from memkit.flows import fields
from memkit.flows.base import Flow
from memkit.flows.history.append import stamped
from memkit.flows.history.conversation import Conversation
from memkit.flows.history.groups import calls_of, leading, runs
from memkit.flows.history.swap import Stand, contended, cuts_group, read_stand
from memkit.ids import pack_id, unpack_id
from memkit.records import Message, ToolMessage
from memkit.results import Compaction

__all__ = ["ROUNDS", "Plan", "compact", "plan", "swap"]

ROUNDS = 5
"""How often a summary is made anew because what it sums up changed meanwhile."""

_SWAPS = 50


@frozen
class Plan:
    """A range of a history, from its first message on.

    Attributes:
        stand: the messages.
        end: how many of them are the range.
        head: how many of these are leading system messages, which stay.
        kept: places of the others that stay.
        gone: places of those that go.
    """

    stand: Stand
    end: int
    head: int
    kept: tuple[int, ...]
    gone: tuple[int, ...]

    @classmethod
    def of(cls, stand: Stand, end: int) -> Plan:
        """The plan for the first `end` messages."""
        head = leading(stand.messages[:end])
        kept: list[int] = []
        place = head
        for run in runs(stand.messages[head:end]):
            if any(isinstance(item, Message) and item.pinned for item in run):
                kept.extend(range(place, place + len(run)))
            place += len(run)
        gone = sorted(set(range(head, end)).difference(kept))
        return cls(stand, end, head, tuple(kept), tuple(gone))

    @property
    def messages(self) -> Sequence[Message]:
        """Those that go."""
        return [self.stand.messages[place] for place in self.gone]

    def command(self, conversation: Conversation, summary: Entry, revision: int | None = None) -> LogRewrite:
        """What puts the summary in their place."""
        entries = (summary, *(self.stand.entry(place) for place in self.kept))
        return self.stand.swap(conversation, self.head, self.end, entries, revision)

    def done(self, summary: Entry, result: Rewritten) -> Compaction:
        """What was done."""
        kept = self.head + len(self.kept)
        return Compaction(unpack_id(summary.id), len(self.gone), kept, result.revision)


def compact(conversation: Conversation, through: Any, summary: Any, expected_revision: Any) -> Flow[Compaction]:
    """Flow of `IMessageHistory.compact`."""
    last_id = fields.identifier("through", through)
    revision = fields.optional(fields.whole)("expected_revision", expected_revision)
    entry = _summary(conversation, "summary", summary)
    for _ in range(_SWAPS):
        chosen = yield from _range(conversation, last_id, revision)
        result, done = yield from _swapped(conversation, chosen, entry, revision)
        if done is not None:
            return done
        if result.outcome is Outcome.INSIDE:
            raise cuts_group("through", unpack_id(result.last or ""))
    raise contended("compact", _SWAPS)


def _range(conversation: Conversation, last_id: str, revision: int | None) -> Flow[Plan]:
    wire_id = pack_id(last_id)
    stand: Stand | None = yield from read_stand(conversation, before=wire_id)
    last: bytes | None = yield LogFind(conversation.log, conversation.user_id, wire_id)
    if stand is None or last is None:
        raise conversation.missing(last_id)
    if revision is not None and stand.about.revision != revision:
        raise RevisionConflictError(revision, stand.about.revision)
    messages = [*stand.messages, *conversation.decode_strictly([last])]
    chosen = Plan.of(evolve(stand, messages=messages, raws=[*stand.raws, last]), len(messages))
    if not chosen.gone:
        raise InvalidInputError(
            "through", "has nothing up to it that may be replaced: messages at the head and pinned ones stay"
        )
    return chosen


def plan(conversation: Conversation, summarize: Any, keep_last: Any) -> Flow[Plan | None]:
    """What `IMessageHistory.compact_with` may replace now; None if there is nothing."""
    if not callable(summarize):
        cure = "give a function that makes one message of many"
        raise InvalidInputError("summarize", f"is of type {type(summarize).__name__}: {cure}")
    most = fields.whole("keep_last", keep_last)
    stand = yield from read_stand(conversation)
    if stand is None:
        return None
    end = max(len(stand.messages) - most, 0)
    while 0 < end < len(stand.messages) and isinstance(stand.messages[end], ToolMessage):
        end -= 1
    chosen = Plan.of(stand, end)
    return chosen if chosen.gone else None


def swap(conversation: Conversation, chosen: Plan, summary: Any) -> Flow[Compaction | None]:
    """Put in the place of a plan's messages what a function made of them; None if they are others now."""
    entry = _summary(conversation, "summarize", summary)
    _, done = yield from _swapped(conversation, chosen, entry)
    return done


def _swapped(
    conversation: Conversation, chosen: Plan, summary: Entry, revision: int | None = None
) -> Flow[tuple[Rewritten, Compaction | None]]:
    stays = {chosen.stand.wire_id(place) for place in (*range(chosen.head), *chosen.kept)}
    if summary.id in stays:
        raise _taken()
    result: Rewritten = yield chosen.command(conversation, summary, revision)
    if result.outcome is Outcome.EXISTS:
        raise _taken()
    return result, chosen.done(summary, result) if result.outcome is Outcome.DONE else None


def _taken() -> InvalidRecordError:
    return InvalidRecordError("summary.id", "is that of a message which stays: give another, or none")


def _summary(conversation: Conversation, path: str, value: Any) -> Entry:
    """What is written for a summary."""
    message = fields.message(path, value)
    if isinstance(message, ToolMessage) or calls_of(message):
        raise InvalidRecordError(path, "belongs to a tool call: give a message that stands for itself")
    (item,) = stamped(conversation, [message], [path])
    return item.entry(conversation.ctx)
