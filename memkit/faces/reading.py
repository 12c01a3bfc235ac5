"""What tells a read from all others whose results may be kept: see `memkit.backends.base.Tails`.

Where a key has to be None, the flow says what is wrong with the arguments, or the read is one that is not kept.
"""

from __future__ import annotations

from collections.abc import Hashable
from types import NoneType
from typing import Any

from memkit.backends.base import Key
from memkit.flows.history.conversation import Conversation
from memkit.inputs import UNSET, MemoryInput, MemoryType
from memkit.results import Start

__all__ = ["key_of_history", "key_of_input"]

# What is of another type may be equal to one of these and mean something else, or nothing: True is 1.
_PLAIN = frozenset({str, int, NoneType, Start, MemoryType})


def key_of_input(reader: Hashable, given: Any) -> Key | None:
    """The key of a `retrieve`; None unless it is a plain look at the records of a conversation.

    Args:
        reader: whose results these are: managers over one backend may decode and name things differently.
        given: the input.
    """
    if type(given) is not MemoryInput or given.query is not None or given.filters is not None:
        return None
    if given.metadata is not None or given.expected_version is not None or given.ttl is not UNSET or given.data:
        return None
    asked = given.memory_type, given.user_id, given.memory_id, given.limit
    for each in asked:
        if type(each) not in _PLAIN:
            return None
    conversation_id: Any = given.conversation_id
    return (conversation_id, "retrieve", asked, reader) if type(conversation_id) is str else None


def key_of_history(reader: Hashable, verb: str, conversation: Conversation, *asked: Any) -> Key | None:
    """The key of a read of a history.

    Args:
        reader: whose results these are.
        verb: what the user called.
        conversation: which conversation, on whose behalf.
        asked: the arguments.
    """
    for each in asked:
        if type(each) not in _PLAIN:
            return None
    counter: Any = conversation.ctx.counter
    if counter is not None and not isinstance(counter, Hashable):
        return None
    return conversation.id, verb, conversation.user_id, asked, reader, counter
