"""Repair: groups that a crash left half are made whole."""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from attrs import field, frozen

from memkit.commands import Entry, Outcome, Rewritten
from memkit.flows.base import Flow
from memkit.flows.history.append import stamped
from memkit.flows.history.conversation import Conversation
from memkit.flows.history.groups import calls_of, matched, runs
from memkit.flows.history.swap import Stand, contended, read_stand
from memkit.records import Message, ToolCall, ToolMessage
from memkit.results import RepairReport

__all__ = ["INTERRUPTED", "Mended", "mended", "repair"]

INTERRUPTED = "interrupted: no result was recorded"
"""Content of the result of a call that never got one."""

_SWAPS = 50


@frozen
class Mended:
    """A history whose groups are whole.

    Attributes:
        order: in their order, places of messages that are there, and calls that get a result.
        report: what is different from before.
    """

    order: list[int | ToolCall]
    report: RepairReport

    def changed(self, messages: Sequence[Message]) -> tuple[int, int, list[int | ToolCall]]:
        """Where the difference begins and ends, and what stands there now; it ends with a whole group.

        Args:
            messages: what was mended.
        """
        total, first = len(messages), 0
        while first < min(total, len(self.order)) and self.order[first] == first:
            first += 1
        same = 0
        while same < min(total, len(self.order)) - first and self.order[-1 - same] == total - 1 - same:
            same += 1
        while same and isinstance(messages[total - same], ToolMessage):
            same -= 1
        if first == total - same:
            # Something is only put in: the piece holds one message at least.
            first -= 1
        return first, total - same, self.order[first : len(self.order) - same]


@frozen
class _Head:
    """A message with the results of its calls.

    Attributes:
        place: where it stands.
        results: places of those that stand behind it.
        missing: its calls that have none.
        moved: places of those that stand elsewhere.
    """

    place: int
    results: list[int]
    missing: list[ToolCall]
    moved: list[int] = field(factory=list)

    def accept(self, place: int, call_id: str) -> None:
        """Take in a result that stands elsewhere."""
        self.missing.remove(next(call for call in self.missing if call.id == call_id))
        self.moved.append(place)

    def order(self) -> Iterator[int | ToolCall]:
        """It and its results, in their order."""
        yield from (self.place, *self.results, *self.moved)
        yield from self.missing


def mended(messages: Sequence[Message]) -> Mended:
    """What a history becomes if every call gets one result, right behind it, and every other result is taken out."""
    heads = list(_heads(messages))
    answering = {place for head in heads for place in head.results}
    results = {place: message for place, message in enumerate(messages) if isinstance(message, ToolMessage)}
    homes = _Homes(heads)
    removed = [place for place in results if place not in answering and not homes.take_in(place, results[place])]
    moved = sorted(place for head in heads for place in head.moved)
    report = RepairReport(
        tuple(call.id for head in heads for call in head.missing),
        tuple(str(messages[place].id) for place in moved),
        tuple(str(messages[place].id) for place in removed),
    )
    return Mended([item for head in heads for item in head.order()], report)


def _heads(messages: Sequence[Message]) -> Iterator[_Head]:
    place = 0
    for run in runs(messages):
        head, *behind = run
        if not isinstance(head, ToolMessage):
            answers, missing = matched(calls_of(head), behind)
            results = [place + number for number, item in enumerate(run) if any(item is answer for answer in answers)]
            yield _Head(place, results, missing)
        place += len(run)


class _Homes:
    """Where results that stand away from their calls belong.

    Args:
        heads: all messages but results, in order.
    """

    def __init__(self, heads: Iterable[_Head]) -> None:
        self._waiting: dict[str, list[_Head]] = defaultdict(list)
        for head in heads:
            for call in head.missing:
                self._waiting[call.id].append(head)

    def take_in(self, place: int, result: ToolMessage) -> bool:
        """Put a result behind its call: the nearest before it that has no result, else the nearest behind it."""
        waiting = self._waiting[result.tool_call_id]
        if not waiting:
            return False
        earlier = bisect(waiting, place, key=lambda head: head.place)
        waiting.pop(max(earlier - 1, 0)).accept(place, result.tool_call_id)
        return True


def repair(conversation: Conversation) -> Flow[RepairReport]:
    """Flow of `IMessageHistory.repair`."""
    for _ in range(_SWAPS):
        stand = yield from read_stand(conversation)
        plan = mended([] if stand is None else stand.messages)
        if stand is None or not plan.report:
            return plan.report
        first, end, order = plan.changed(stand.messages)
        entries = _entries(conversation, stand, order)
        result: Rewritten = yield stand.swap(conversation, first, end, entries)
        if result.outcome is Outcome.DONE:
            return plan.report
    raise contended("repair", _SWAPS)


def _entries(conversation: Conversation, stand: Stand, order: list[int | ToolCall]) -> tuple[Entry, ...]:
    return tuple(stand.entry(item) if isinstance(item, int) else _closing(conversation, item) for item in order)


def _closing(conversation: Conversation, call: ToolCall) -> Entry:
    """The result of a call that has none."""
    message = ToolMessage(INTERRUPTED, name=call.name, tool_call_id=call.id, is_error=True)
    (item,) = stamped(conversation, [message], ["message"])
    return item.entry(conversation.ctx)
