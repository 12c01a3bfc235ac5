"""Opening a history: the context of its manager, with what is said of this history alone."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from memkit.commands import Retention
from memkit.flows import fields
from memkit.flows.base import Context
from memkit.flows.history.conversation import Conversation
from memkit.flows.history.tokens import check_counter
from memkit.inputs import UNSET

__all__ = ["opened"]


def opened(
    ctx: Context, conversation_id: Any, user_id: Any, counter: Any, *, max_messages: Any, max_age: Any
) -> Conversation:
    """The conversation that a history is of; the arguments are those of `MemoryKit.history`.

    Raises:
        InvalidInputError: an argument is wrong.
    """
    retention = Retention(
        _bound(fields.above_zero, "max_messages", max_messages, ctx.retention.most),
        _bound(fields.milliseconds, "max_age", max_age, ctx.retention.age_ms),
    )
    own = evolve(ctx, retention=retention, counter=check_counter("counter", counter))
    return Conversation.checked(own, conversation_id, user_id)


def _bound(check: Any, name: str, value: Any, default: int) -> int:
    """A bound of the retention, where 0 is none."""
    if value is UNSET:
        return default
    return 0 if value is None else int(check(name, value))
