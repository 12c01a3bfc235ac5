"""Appending messages to a history."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from attrs import evolve

from memkit.commands import LogAppend
from memkit.errors import InvalidInputError
from memkit.flows import fields
from memkit.flows.base import Flow
from memkit.flows.history.conversation import Conversation
from memkit.flows.history.tokens import with_tokens
from memkit.flows.stamp import Stamped, paths_of, stamp
from memkit.ids import unpack_id
from memkit.records import Message

__all__ = ["append", "stamped"]

_ID_BYTES = 16
_VERSION = 8 << 76
_VARIANT = 2 << 62
_FREE = (1 << 128) - 1 - (15 << 76) - (3 << 62)


def append(conversation: Conversation, messages: tuple[Any, ...], idempotency_key: Any) -> Flow[list[str]]:
    """Flow of `IMessageHistory.append`."""
    found = _checked(messages)
    key = None if idempotency_key is None else fields.text("idempotency_key", idempotency_key)
    items = stamped(conversation, found, paths_of("messages", len(found)))
    if key is not None:
        items = [_named(conversation, item, key, number) for number, item in enumerate(items)]
    entries = tuple([item.entry(conversation.ctx) for item in items])
    if not conversation.is_touched():
        yield from conversation.touch()
    yield LogAppend(
        conversation.log,
        conversation.user_id,
        conversation.ttl_ms,
        entries,
        turn=conversation.turn,
        default_ttl=True,
        retention=conversation.ctx.retention,
        whole=key is not None,
    )
    return [unpack_id(entry.id) for entry in entries]


def stamped(conversation: Conversation, messages: list[Message], paths: Sequence[str]) -> list[Stamped]:
    """New messages with all that they are stored with, one and the same time among it.

    Args:
        conversation: where they will be.
        messages: the messages.
        paths: names each of them in errors.
    """
    ctx, scope = conversation.ctx, conversation.binding.scope
    now = ctx.clock.time_us()
    return [
        stamp(ctx, with_tokens(message, ctx.counter), now, scope, path)
        for message, path in zip(messages, paths, strict=True)
    ]


def _checked(messages: tuple[Any, ...]) -> list[Message]:
    if not messages:
        raise InvalidInputError("messages", "is empty: give one message at least")
    paths = paths_of("messages", len(messages))
    found = [fields.message(path, message) for path, message in zip(paths, messages, strict=True)]
    fields.distinct("messages", found)
    return found


def _named(conversation: Conversation, item: Stamped, key: str, number: int) -> Stamped:
    """The message under the id that follows from the key."""
    if item.record.id is not None:
        cure = "is given beside an idempotency_key, from which the ids follow: leave one of them out"
        raise InvalidInputError(f"{item.path}.id", cure)
    wire_id = _derived(conversation.ctx.namespace, conversation.id, key, str(number))
    return evolve(item, envelope=item.envelope._replace(id=wire_id), fresh=False)


def _derived(*names: str) -> bytes:
    """A UUIDv8 (RFC 9562) that is the same for the same names."""
    seed = "".join(f"{len(name)}:{name}" for name in names).encode()
    value = int.from_bytes(hashlib.blake2b(seed, digest_size=_ID_BYTES).digest(), "big")
    return (value & _FREE | _VERSION | _VARIANT).to_bytes(_ID_BYTES, "big")
