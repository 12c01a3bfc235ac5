"""Groups of messages: an assistant message with tool calls and the results right behind it, or any other message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from memkit.errors import CodecError
from memkit.records import AssistantMessage, Memory, Message, SystemMessage, ToolCall, ToolMessage
from memkit.shaping import value

__all__ = ["Group", "Item", "calls_of", "groups_of", "leading", "matched", "orphans", "runs"]

Item = Memory | CodecError
"""What stands at a place of a history: a record, or why it could not be read."""


@value
class Group:
    """Messages that may be sent to a model, together or not at all.

    Attributes:
        messages: a message and the results of its calls, in order.
        is_pinned: whether one of them is.
    """

    messages: tuple[Message, ...]
    is_pinned: bool

    @property
    def head(self) -> Message:
        """Its first message."""
        return self.messages[0]


def runs(items: Iterable[Item]) -> list[list[Item]]:
    """Everything, in order: each run is a record and all tool results right behind it, whatever they answer."""
    out: list[list[Item]] = []
    for item in items:
        if out and isinstance(item, ToolMessage):
            out[-1].append(item)
        else:
            out.append([item])
    return out


def groups_of(items: Iterable[Item]) -> list[Group]:
    """The groups that are valid by the rules of chat APIs, in order.

    Left out are calls without all of their results, results without their call or of one that is answered already,
    records that are no messages, and what could not be read.
    """
    found: list[Group] = []
    run: list[Item] = []
    for item in items:
        if run and isinstance(item, ToolMessage):
            run.append(item)
        else:
            _add(found, run)
            run = [item]
    _add(found, run)
    return found


def _add(found: list[Group], run: list[Item]) -> None:
    """Add what is valid of a record and the results behind it."""
    if not run or not isinstance(head := run[0], Message) or isinstance(head, ToolMessage):
        return
    calls = calls_of(head)
    if not calls:
        found.append(Group((head,), head.pinned))
        return
    answers, unanswered = matched(calls, run[1:])
    if not unanswered:
        messages = (head, *answers)
        found.append(Group(messages, any(message.pinned for message in messages)))


def calls_of(item: Item) -> tuple[ToolCall, ...]:
    """The tool calls of an assistant message; nothing else has any."""
    return item.tool_calls if isinstance(item, AssistantMessage) else ()


def matched(calls: Sequence[ToolCall], behind: Iterable[Item]) -> tuple[list[ToolMessage], list[ToolCall]]:
    """The results that answer these calls, each call once, and the calls that have none."""
    open_calls = Counter(call.id for call in calls)
    answers = []
    for item in behind:
        if isinstance(item, ToolMessage) and open_calls[item.tool_call_id] > 0:
            open_calls[item.tool_call_id] -= 1
            answers.append(item)
    unanswered = []
    for call in reversed(calls):
        if open_calls[call.id] > 0:
            open_calls[call.id] -= 1
            unanswered.append(call)
    return answers, unanswered[::-1]


def leading(items: Sequence[Item]) -> int:
    """How many system messages stand at the start; what could not be read does not end them."""
    count = 0
    for number, item in enumerate(items, 1):
        if isinstance(item, SystemMessage):
            count = number
        elif isinstance(item, Memory):
            break
    return count


def orphans(items: Sequence[Item]) -> int:
    """How many tool results stand at the start: what they answer must stand before."""
    count = 0
    while count < len(items) and isinstance(items[count], ToolMessage):
        count += 1
    return count
