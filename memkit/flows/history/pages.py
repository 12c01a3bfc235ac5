"""Reading messages as they are, from either end."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from memkit.commands import LogFind, LogSlice
from memkit.errors import InvalidInputError, MemoryNotFoundError
from memkit.flows import fields
from memkit.flows.base import Flow, Messages
from memkit.flows.history.conversation import Conversation
from memkit.flows.paging import collected, first_page
from memkit.ids import pack_id
from memkit.records import Message
from memkit.results import START, Start

__all__ = ["anchor", "messages"]


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
        size = first_page(self.limit, is_filtered=self.role is not None)
        return LogSlice(conversation.log, conversation.user_id, after, before, size, self.newest)

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
    def take(raws: list[bytes]) -> Messages:
        page = conversation.decode(raws)
        # Records of other classes may stand in a log too.
        out = Messages(record for record in page if isinstance(record, Message) and wish.takes(record))
        out.damaged = page.damaged
        return out

    found = yield from collected(wish.command(conversation), wish.limit, take)
    if found is None:
        raise (yield from _missing(conversation, wish))
    return found


def _missing(conversation: Conversation, wish: _Wish) -> Flow[MemoryNotFoundError]:
    """The error of a message that is not there."""
    for place in (wish.after, wish.before):
        if isinstance(place, str):
            found = yield LogFind(conversation.log, conversation.user_id, pack_id(place))
            if found is None:
                return conversation.missing(place)
    return conversation.missing(str(wish.after if isinstance(wish.after, str) else wish.before))
