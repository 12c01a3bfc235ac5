"""Reading messages as they are, from either end."""

from __future__ import annotations

from typing import Any

from attrs import evolve, frozen

from memkit.commands import LogFind, LogSlice, Slice
from memkit.errors import InvalidInputError, MemoryNotFoundError
from memkit.flows import fields
from memkit.flows.base import Flow, Memories, Messages
from memkit.flows.history.conversation import Conversation
from memkit.ids import pack_id
from memkit.records import Message
from memkit.results import START, Start

__all__ = ["anchor", "messages"]

_PAGE = 64
_LARGEST_PAGE = 1024
# More than any server holds in one conversation; beyond 64 bits it would not know the number.
_MOST = 1 << 40


@frozen
class _Wish:
    """What a caller wants to have: the arguments of `IMessageHistory.messages`, checked."""

    after: str | Start | None
    before: str | Start | None
    limit: int | None
    role: str | None

    @property
    def newest(self) -> bool:
        """Whether the last ones are wanted, not the first."""
        return self.after is None

    def command(self, conversation: Conversation) -> LogSlice:
        """What reads the first page."""
        after, before = _wire(self.after), _wire(self.before)
        return LogSlice(conversation.log, conversation.user_id, after, before, self._first_page(), self.newest)

    def _first_page(self) -> int | None:
        if self.limit is None:
            return None
        return min(self.limit if self.role is None else max(self.limit, _PAGE), _MOST)

    def takes(self, message: Message) -> bool:
        return self.role is None or message.role == self.role


def messages(conversation: Conversation, after: Any, before: Any, limit: Any, role: Any) -> Flow[Messages]:
    """Flow of `IMessageHistory.messages`."""
    wish = _Wish(
        anchor("after", after),
        anchor("before", before),
        fields.optional(fields.whole)("limit", limit),
        fields.optional(fields.role)("role", role),
    )
    if wish.before is START or wish.limit == 0:
        return Messages()
    return (yield from _pages(conversation, wish))


def anchor(name: str, value: Any) -> str | Start | None:
    """The id of a message, START, or None."""
    if value is None or value is START:
        return value
    if not isinstance(value, str):
        raise InvalidInputError(name, f"is of type {type(value).__name__}: give the id of a message, or START")
    return fields.identifier(name, value)


def _wire(place: str | Start | None) -> bytes | str | None:
    return pack_id(place) if isinstance(place, str) else None


def _pages(conversation: Conversation, wish: _Wish) -> Flow[Messages]:
    """Pages until there are as many as wanted: removed messages and those of other roles take places, too."""
    out, command = Messages(), wish.command(conversation)
    while True:
        piece: Slice | None = yield command
        if piece is None:
            raise (yield from _missing(conversation, wish))
        page = conversation.decode(piece.records)
        _join(out, page, wish)
        if not piece.more or wish.limit is None or len(out) >= wish.limit:
            return _cut(out, wish)
        command = _further(command, piece)


def _join(out: Messages, page: Memories, wish: _Wish) -> None:
    # Records of other classes may stand in a log too.
    found = [record for record in page if isinstance(record, Message) and wish.takes(record)]
    at = 0 if wish.newest else len(out)
    out[at:at] = found
    out.damaged = page.damaged + out.damaged if wish.newest else out.damaged + page.damaged


def _cut(out: Messages, wish: _Wish) -> Messages:
    if wish.limit is not None and wish.newest:
        del out[: max(len(out) - wish.limit, 0)]
    return out.first(wish.limit)


def _further(command: LogSlice, piece: Slice) -> LogSlice:
    """What reads the page beyond a piece."""
    count = min(2 * max(command.count or 0, _PAGE), _LARGEST_PAGE)
    if command.newest:
        return evolve(command, before=piece.first, count=count)
    return evolve(command, after=piece.last, count=count)


def _missing(conversation: Conversation, wish: _Wish) -> Flow[MemoryNotFoundError]:
    """The error of a message that is not there."""
    for place in (wish.after, wish.before):
        if isinstance(place, str):
            found = yield LogFind(conversation.log, conversation.user_id, pack_id(place))
            if found is None:
                return conversation.missing(place)
    return conversation.missing(str(wish.after if isinstance(wish.after, str) else wish.before))
