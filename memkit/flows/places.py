"""Where things are kept."""

from __future__ import annotations

import functools
from typing import Final

from memkit.commands import Place

__all__ = ["ALL_CONVERSATIONS", "ALL_USERS", "conversation", "conversations_of"]

ALL_CONVERSATIONS: Final = Place("n", "", "cv")
"""The index of the conversations of a namespace."""

ALL_USERS: Final = Place("n", "users", "cv")
"""The index of the users who have an index, so that all of a namespace can be erased."""


@functools.lru_cache(maxsize=4096)
def conversation(conversation_id: str, part: str) -> Place:
    """A part of a conversation: ``wm``, ``log``, ``ltm``, ``about``."""
    return Place("c", conversation_id, part)


def conversations_of(user_id: str) -> Place:
    """The index of the conversations of a user."""
    return Place("u", user_id, "cv")
