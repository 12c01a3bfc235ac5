"""The window: the messages to send to a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from memkit.commands import LogSlice, LogWindow, Slice, WindowSlots
from memkit.errors import CodecError, InvalidInputError, WindowError
from memkit.flows import fields
from memkit.flows.base import Context, Counter, Flow, Messages
from memkit.flows.history.conversation import Conversation
from memkit.flows.history.groups import Group, Item, groups_of, leading, orphans
from memkit.flows.history.tokens import check_counter, tokens_of
from memkit.flows.paging import LARGEST_PAGE, MOST
from memkit.flows.together import together
from memkit.records import Memory, Message
from memkit.shaping import value

__all__ = ["Bounds", "Picker", "many_windows", "window"]

_PAGE = 32


@value
class Bounds:
    """How much may be in a window.

    Attributes:
        last: messages; None is no bound.
        tokens: tokens; None is no bound.
        counter: counts those of messages that were stored without.
    """

    last: int | None
    tokens: int | None
    counter: Counter | None

    @property
    def first_page(self) -> int | None:
        """How many places are looked at first; None for all of them."""
        if self.tokens is None:
            return None if self.last is None else min(self.last, MOST)
        return _PAGE if self.last is None else min(self.last, _PAGE)

    def weight(self, messages: Iterable[Message]) -> int:
        """How many tokens messages have, where that matters."""
        return 0 if self.tokens is None else sum(tokens_of(message, self.counter) for message in messages)


class Picker:
    """Takes groups, the newest first, as long as they fit.

    Args:
        bounds: how much may be in the window.
        always: the messages that stay in any case.

    Raises:
        WindowError: these have too many tokens.
    """

    def __init__(self, bounds: Bounds, always: Iterable[Message]) -> None:
        self._bounds = bounds
        self._last = bounds.last
        self._weighs = bounds.tokens is not None
        self._count = 0
        self._tokens = bounds.weight(always)
        self._ended = False
        problem = self._problem("what always stays")
        if problem is not None:
            raise problem

    @property
    def is_hungry(self) -> bool:
        """Whether an older group could still fit."""
        return not self._ended and (self._last is None or self._count < self._last)

    def pick(self, groups: list[Group], always: set[str | None]) -> list[Group]:
        """Which of these groups are in the window, the newest first; after one that does not fit no older one is.

        Args:
            groups: what stands in front of those picked before, oldest first.
            always: ids of messages whose groups are in it in any case, and were weighed already.

        Raises:
            WindowError: the newest of all does not fit.
        """
        chosen = []
        for group in reversed(groups):
            messages = group.messages
            if always and messages[0].id in always:
                chosen.append(group)
            elif self.is_hungry:
                if self._takes(messages):
                    chosen.append(group)
            elif not always:
                break
        return chosen

    def _takes(self, messages: tuple[Message, ...]) -> bool:
        is_newest = not self._count
        self._count += len(messages)
        if self._weighs:
            self._tokens += self._bounds.weight(messages)
        elif self._last is None or self._count <= self._last:
            return True
        problem = self._problem("the newest group")
        if problem is not None and is_newest:
            raise problem
        self._ended = problem is not None
        return problem is None

    def _problem(self, what: str) -> WindowError | None:
        """Why what was taken is too much."""
        last, tokens = self._bounds.last, self._bounds.tokens
        if last is not None and self._count > last:
            return WindowError("last", last, self._count, what)
        if tokens is not None and self._tokens > tokens:
            return WindowError(
                "tokens", tokens, self._tokens, f"{what}, with what always stays," if self._count else what
            )
        return None


class _Sheet:
    """What is known of a history: its head, the pinned groups, and its end, which grows towards the head.

    Args:
        decode: bytes to records.
        slots: what was read first.
    """

    def __init__(self, decode: Callable[[Iterable[bytes]], list[Item]], slots: WindowSlots) -> None:
        self._decode = decode
        self._known: list[list[Item]] = []
        self._damaged: list[tuple[bytes, CodecError]] = []
        self._lead = [item for item in self._read(slots.lead) if isinstance(item, Message)]
        kept = decode(slots.kept)
        self._kept = groups_of(kept)
        self._kept_damaged = _damage(slots.kept, kept)
        self.place, self._left = slots.first, slots.between
        # Results at the start, whose call has not been read.
        self._loose: list[Item] = []
        self._always = {group.head.id for group in self._kept if group.is_pinned}
        self._chosen: list[Group] = []
        tail = self._read(slots.tail)
        if self.is_whole:
            count = leading(tail)
            self._lead += [item for item in tail[:count] if isinstance(item, Message)]
            tail = tail[count:]
        self._fresh = self._grouped(tail)
        self._always.update([group.head.id for group in self._fresh if group.is_pinned])

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing left to read."""
        return self._left <= 0 or self.place is None

    def always(self) -> list[Message]:
        """What stays in any case."""
        if not self._always:
            return self._lead
        groups = [group for group in (*self._kept, *self._fresh) if group.head.id in self._always]
        return [*self._lead, *(message for group in groups for message in group.messages)]

    def command(self, conversation: Conversation, count: int) -> LogSlice:
        """What reads the places in front of those that are known."""
        count = min(count, self._left)
        self._left -= count
        return LogSlice(conversation.log, conversation.user_id, before=self.place, count=count, newest=True)

    def extend(self, piece: Slice) -> None:
        """Take in a piece that stands in front."""
        self.place = piece.first
        if not piece.more:
            self._left = 0
        self._fresh = self._grouped(self._read(piece.records))

    def pick(self, picker: Picker) -> None:
        """Let the picker choose among the groups that were taken in last."""
        self._chosen += picker.pick(self._fresh, self._always)
        self._fresh = []

    def window(self) -> Messages:
        """Everything that was chosen or stays in any case, in its order."""
        groups = self._chosen[::-1]
        if self._kept:
            near = {group.head.id for group in groups}
            groups[:0] = [each for each in self._kept if each.head.id in self._always and each.head.id not in near]
        out = Messages(self._lead)
        out += [message for group in groups for message in group.messages]
        if self._damaged or self._kept_damaged:
            near_damaged = {raw for raw, _ in self._damaged}
            far_damaged = [error for raw, error in self._kept_damaged if raw not in near_damaged]
            out.damaged = (*far_damaged, *(error for _, error in self._damaged))
        return out

    def _grouped(self, items: list[Item]) -> list[Group]:
        if self._loose:
            items = [*items, *self._loose]
        count = 0 if self.is_whole else orphans(items)
        self._loose = items[:count]
        return groups_of(items[count:] if count else items)

    def _read(self, raws: list[bytes]) -> list[Item]:
        """The records of a piece that were not there yet: what others write meanwhile may shift the pieces."""
        if not raws:
            return []
        items = self._decode(raws)
        self._damaged += _damage(raws, items)
        if self._known:
            seen = {item.id for piece in self._known for item in piece if isinstance(item, Memory)}
            items = [item for item in items if not (isinstance(item, Memory) and item.id in seen)]
        self._known.append(items)
        return items


def _damage(raws: list[bytes], items: list[Item]) -> list[tuple[bytes, CodecError]]:
    # Nearly always there is none.
    if not [item for item in items if isinstance(item, CodecError)]:
        return []
    return [(raw, item) for raw, item in zip(raws, items, strict=True) if isinstance(item, CodecError)]


def window(conversation: Conversation, last: Any, tokens: Any, counter: Any) -> Flow[Messages]:
    """Flow of `IMessageHistory.window`."""
    own = check_counter("counter", counter)
    bounds = Bounds(
        None if last is None else fields.above_zero("last", last),
        None if tokens is None else fields.above_zero("tokens", tokens),
        conversation.ctx.counter if own is None else own,
    )
    slots = yield from _first(conversation, bounds)
    sheet = _Sheet(conversation.decode_each, slots)
    picker = Picker(bounds, sheet.always())
    sheet.pick(picker)
    size = bounds.first_page or 0
    while picker.is_hungry and not sheet.is_whole:
        size = min(max(2 * size, _PAGE), LARGEST_PAGE)
        piece: Slice = yield sheet.command(conversation, size)
        sheet.extend(piece)
        sheet.pick(picker)
    return sheet.window()


def many_windows(ctx: Context, ids: Any, user_id: Any, last: Any, tokens: Any, counter: Any) -> Flow[list[Messages]]:  # noqa: PLR0917 - all of it is always given
    """Flow of `MemoryKit.windows`."""
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise InvalidInputError("conversation_ids", f"is of type {type(ids).__name__}: give a list of ids")
    conversations = [Conversation.checked(ctx, conversation_id, user_id) for conversation_id in ids]
    return together([window(conversation, last, tokens, counter) for conversation in conversations])


def _first(conversation: Conversation, bounds: Bounds) -> Flow[WindowSlots]:
    if bounds.first_page is None:
        everything: Slice = yield LogSlice(conversation.log, conversation.user_id)
        return WindowSlots([], [], everything.records, everything.first, 0)
    slots: WindowSlots = yield LogWindow(conversation.log, conversation.user_id, bounds.first_page)
    return slots
