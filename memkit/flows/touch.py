"""Keeping conversations in the indexes by which they are listed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Generator
from typing import Any

from memkit.commands import Command, IndexEnter, IndexTouch
from memkit.flows.places import ALL_CONVERSATIONS, ALL_USERS, conversation, conversations_of
from memkit.shaping import value

__all__ = ["INTERVAL", "LEAST", "Touches"]

INTERVAL = 10.0
"""Seconds within which a conversation is not touched again."""

LEAST = 1
"""Milliseconds to live of what a removal leaves: an index keeps a name for longer than any late try may come."""

_MOST = 10_000

Steps = Generator[Command[Any] | tuple[Command[Any], ...], Any, None]


@value
class _Touch:
    """When a conversation was touched, and for how long it was put on the index (0: for ever)."""

    at: float
    ttl_ms: int

    def holds(self, now: float, ttl_ms: int) -> bool:
        is_recent = now - self.at < INTERVAL
        return is_recent and (self.ttl_ms == 0 or 0 < ttl_ms <= self.ttl_ms)


def _touches(conversation_id: str, user_id: str | None, ttl_ms: int) -> tuple[IndexTouch, ...]:
    """What puts a conversation on the index of all, its user's, and him on that of users."""
    everywhere = IndexTouch(ALL_CONVERSATIONS, conversation_id, ttl_ms)
    if user_id is None:
        return (everywhere,)
    return (
        # First: it is refused while he is being erased, and then nothing else may name him.
        IndexTouch(conversations_of(user_id), conversation_id, ttl_ms),
        IndexTouch(ALL_USERS, user_id, ttl_ms),
        everywhere,
    )


class Touches:
    """What was touched within the last seconds, so that not every write touches. For threads.

    Args:
        most: of how many conversations it knows; those not touched for longest are forgotten first.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._known: OrderedDict[tuple[str, str | None], _Touch] = OrderedDict()
        self._lock = threading.Lock()

    def holds(self, now: float, conversation_id: str, user_id: str | None, ttl_ms: int) -> bool:
        """Whether there is nothing to touch; the arguments are those of `touch`."""
        known = self._known.get((conversation_id, user_id))
        return known is not None and known.holds(now, ttl_ms)

    def touch(self, now: float, conversation_id: str, user_id: str | None, ttl_ms: int) -> Steps:
        """Put a conversation on the indexes, before a write that may create or claim it.

        Args:
            now: monotonic seconds.
            conversation_id: which conversation.
            user_id: on whose behalf; None: its owner's index is touched if it has one.
            ttl_ms: milliseconds that the write asks for; 0 is for ever.
        """
        if self.holds(now, conversation_id, user_id, ttl_ms):
            return
        # Nothing is named on behalf of somebody who may not write there.
        about, touches = conversation(conversation_id, "about"), _touches(conversation_id, user_id, ttl_ms)
        (entered,) = yield (IndexEnter(about, user_id, ttl_ms, touches),)
        if not entered.done:
            # A write on nobody's behalf keeps alive what somebody owns; a time to live that was set is renewed.
            owner = entered.owner if user_id is None else user_id
            life_ms = ttl_ms if entered.renews_ms is None else 0
            first, *others = _touches(conversation_id, owner, life_ms)
            yield (first,)
            if others:
                yield tuple(others)
        self._note((conversation_id, user_id), _Touch(now, ttl_ms))

    def _note(self, key: tuple[str, str | None], touch: _Touch) -> None:
        with self._lock:
            self._known[key] = touch
            self._known.move_to_end(key)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
