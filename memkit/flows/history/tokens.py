"""How many tokens messages have: as they were stored, or as a function counts them."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from memkit.errors import InvalidInputError
from memkit.flows.base import Counter
from memkit.records import Message

__all__ = ["check_counter", "tokens_of", "with_tokens"]


def check_counter(name: str, value: Any) -> Counter | None:
    """A function that counts, or None."""
    if value is not None and not callable(value):
        raise InvalidInputError(name, f"is of type {type(value).__name__}: give a function that counts a message")
    return value  # type: ignore[no-any-return]  # what it takes shows when it is called


def tokens_of(message: Message, counter: Counter | None) -> int:
    """The tokens of a message.

    Raises:
        InvalidInputError: they were not stored, and nobody counts them or the count is none.
    """
    if message.tokens is not None:
        return max(message.tokens, 0)
    if counter is None:
        raise InvalidInputError("counter", f"is missing: message {message.id!r} was stored without tokens")
    return _count(message, counter)


def with_tokens(message: Message, counter: Counter | None) -> Message:
    """The message with its tokens counted, if it has none and somebody counts."""
    if counter is None or message.tokens is not None:
        return message
    return evolve(message, tokens=_count(message, counter))


def _count(message: Message, counter: Counter) -> int:
    count = counter(message)
    if type(count) is not int or count < 0:
        raise InvalidInputError("counter", "returned no whole number from 0: return how many tokens the message has")
    return count
