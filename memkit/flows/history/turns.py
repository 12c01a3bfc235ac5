"""Turns: for a while, one writer changes the messages of a conversation, and nobody else."""

from __future__ import annotations

from typing import Any

from memkit.commands import TurnEnd, TurnGrant, TurnRenew, TurnTake
from memkit.errors import InvalidInputError, TurnHeldError, TurnLostError
from memkit.flows import fields
from memkit.flows.base import Flow
from memkit.flows.history.conversation import Conversation

__all__ = ["Taking", "end", "renew"]

_MS = 1000
_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.5


class Taking:
    """Taking the turn, as often as it takes until somebody else's is over.

    Args:
        conversation: whose turn.
        ttl: seconds after which it is over.
        wait: seconds to wait at most.

    Raises:
        InvalidInputError: an argument is wrong, or the turn is taken from within itself.
    """

    def __init__(self, conversation: Conversation, ttl: Any, wait: Any) -> None:
        if conversation.turn is not None:
            raise InvalidInputError("turn", "is taken already, by this very history: go on with it, or renew it")
        self.ttl_ms = fields.milliseconds("ttl", ttl)
        self._conversation = conversation
        self._wait = fields.seconds("wait", wait)
        self._ends: float | None = None
        self._step = _FIRST_PAUSE

    def attempt(self) -> Flow[int | None]:
        """The number of the turn; None: sleep for `pause` and try again.

        Raises:
            TurnHeldError: somebody else has the turn, and there is no time left to wait for it.
        """
        conversation = self._conversation
        now = conversation.ctx.clock.monotonic()
        self._ends = now + self._wait if self._ends is None else self._ends
        yield from conversation.touch(self.ttl_ms)
        grant: TurnGrant = yield TurnTake(conversation.about, conversation.user_id, self.ttl_ms)
        if grant.number is None:
            self._plan(grant.wait_ms / _MS, self._ends - conversation.ctx.clock.monotonic())
        return grant.number

    def _plan(self, held: float, left: float) -> None:
        if left <= 0:
            raise TurnHeldError(held)
        # It may be given back before its time, so one looks sooner; and a last time when the wait is over.
        self.pause = max(min(self._step, held, left), 1 / _MS)
        self._step = min(2 * self._step, _LONGEST_PAUSE)


def renew(conversation: Conversation, number: int, ttl: Any, default_ms: int) -> Flow[None]:
    """Flow of `ITurn.renew`.

    Args:
        conversation: whose turn.
        number: of the turn.
        ttl: seconds that it lasts from now on, or None.
        default_ms: milliseconds that it lasts where that is None.

    Raises:
        TurnLostError: it was over already.
    """
    ttl_ms = default_ms if ttl is None else fields.milliseconds("ttl", ttl)
    if not (yield TurnRenew(conversation.about, conversation.user_id, number, ttl_ms)):
        raise TurnLostError


def end(conversation: Conversation, number: int) -> Flow[bool]:
    """Give a turn back; False: it was over already."""
    done: bool = yield TurnEnd(conversation.about, conversation.user_id, number)
    return done
