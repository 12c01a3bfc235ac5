"""Following a history: new messages as they come."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from memkit.commands import Cursor, LogSlice, Slice
from memkit.flows import fields
from memkit.flows.base import Flow, Memories
from memkit.flows.history.conversation import Conversation
from memkit.flows.history.pages import anchor
from memkit.ids import pack_id
from memkit.records import Message

__all__ = ["Follower"]

_PAGE = 256
_FIRST_PAUSE = 0.02
# Of so many messages it is known that they were given.
_REMEMBERED = 10_000


class Follower:
    """Where somebody who follows a history is, and when he looks again.

    Args:
        conversation: what he follows.
        after: see `IMessageHistory.follow`.
        poll: see there.
        timeout: see there.

    Raises:
        InvalidInputError: an argument is wrong.
    """

    def __init__(self, conversation: Conversation, after: Any, poll: Any, timeout: Any) -> None:
        fields.milliseconds("poll", poll)
        self._conversation = conversation
        self._after = anchor("after", after)
        self._poll = float(poll)
        self._timeout = fields.optional(fields.seconds)("timeout", timeout)
        self._anchor: bytes | str | Cursor | None = pack_id(self._after) if isinstance(self._after, str) else None
        self._begun = False
        self._quiet_since = 0.0
        self._step = _FIRST_PAUSE
        self._found = self._more = False
        self._given: OrderedDict[str | None, None] = OrderedDict()

    def look(self) -> Flow[list[Message]]:
        """The messages that came since the last look.

        Raises:
            MemoryNotFoundError: the message to begin behind is not there.
        """
        if not self._begun:
            yield from self._begin()
        piece: Slice | None = yield self._slice(after=self._anchor, count=_PAGE)
        if piece is None:
            raise self._conversation.missing(str(self._after))
        self._anchor = piece.last or self._anchor
        self._found, self._more = bool(piece.records), piece.more
        return self._new(self._conversation.decode(piece.records))

    def _new(self, records: Memories) -> list[Message]:
        """Those that were not given before: what makes room in the middle of a history moves others up in the order."""
        # Records of other classes may stand in a log too.
        new = [record for record in records if isinstance(record, Message) and record.id not in self._given]
        self._given.update(dict.fromkeys(message.id for message in new))
        while len(self._given) > _REMEMBERED:
            self._given.popitem(last=False)
        return new

    def _begin(self) -> Flow[None]:
        self._begun = True
        self._quiet_since = self._conversation.ctx.clock.monotonic()
        if self._after is not None and self._anchor is None:
            return
        end: Slice = yield self._slice(count=1, newest=True)
        if self._after is None or self._is_last(end):
            self._anchor = end.last

    def _is_last(self, end: Slice) -> bool:
        """Whether the message to begin behind is the last one: then its place is known, and holds if it goes."""
        return [message.id for message in self._conversation.decode(end.records)] == [self._after]

    def _slice(self, **bounds: Any) -> LogSlice:
        return LogSlice(self._conversation.log, self._conversation.user_id, **bounds)

    def pause(self) -> float | None:
        """Seconds to sleep until the next look; None: it is over."""
        now = self._conversation.ctx.clock.monotonic()
        if self._found:
            self._quiet_since, self._step = now, _FIRST_PAUSE
        if self._more:
            return 0.0
        left = self._step if self._timeout is None else self._quiet_since + self._timeout - now
        if left <= 0:
            return None
        step = min(self._step, self._poll, left)
        self._step = min(2 * self._step, self._poll)
        return step
