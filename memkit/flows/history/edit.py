"""Single messages: found, replaced, removed; and all of them removed."""

from __future__ import annotations

from typing import Any, cast

from attrs import evolve

from memkit.codec.wire import Envelope
from memkit.commands import LogClear, LogFind, LogRemove, LogReplace, LogSlice, Mark, Slice, Swap
from memkit.errors import InvalidInputError
from memkit.flows import fields
from memkit.flows.base import Flow
from memkit.flows.change import ROUNDS, Change, Store, change_record, outrun
from memkit.flows.history.conversation import Conversation
from memkit.flows.history.tokens import with_tokens
from memkit.flows.paging import LARGEST_PAGE
from memkit.flows.stamp import succeeding
from memkit.flows.touch import LEAST
from memkit.ids import pack_id
from memkit.records import Memory, Message

__all__ = ["clear", "get", "pop", "remove", "update"]

_FIRST_LOOK = 1


def get(conversation: Conversation, message_id: Any) -> Flow[Message | None]:
    """Flow of `IMessageHistory.get`."""
    wire_id = _wire_id(message_id)
    raw: bytes | None = yield LogFind(conversation.log, conversation.user_id, wire_id)
    return None if raw is None else conversation.decode_strictly([raw])[0]


def update(conversation: Conversation, message_id: Any, message: Any, expected_version: Any) -> Flow[Message]:
    """Flow of `IMessageHistory.update`."""
    wire_id = _wire_id(message_id)
    new = with_tokens(_replacement(message_id, message), conversation.ctx.counter)
    change = Change(
        message_id,
        conversation.binding,
        fields.optional(fields.whole)("expected_version", expected_version),
        make=lambda old, raw: _rewritten(conversation, new, old, raw),
        before=conversation.touch,
    )
    updated = yield from change_record(conversation.ctx, change, _store(conversation, wire_id))
    return cast("Message", updated)


def _wire_id(message_id: Any) -> bytes | str:
    return pack_id(fields.identifier("message_id", message_id))


def _replacement(message_id: str, message: Any) -> Message:
    found = fields.message("message", message)
    if found.id is not None and found.id != message_id:
        raise InvalidInputError("message.id", "is not message_id: leave it out, an update keeps the id")
    return found


def _rewritten(conversation: Conversation, new: Message, old: Memory, raw: bytes) -> bytes:
    now, scope = conversation.ctx.clock.time_us(), conversation.binding.scope
    envelope = succeeding(old, Envelope(b"", 0, now, 1, scope))
    return conversation.ctx.codec.rewrite(raw, new, envelope, "message", keep_fields=False)


def _store(conversation: Conversation, wire_id: bytes | str) -> Store:
    place, owner, turn = conversation.log, conversation.user_id, conversation.turn

    def find() -> Flow[bytes | None]:
        raw: bytes | None = yield LogFind(place, owner, wire_id)
        return raw

    def replace(old: bytes, new: bytes, mark: Mark) -> Flow[Swap]:
        ttl = conversation.ttl_ms
        swap: Swap = yield LogReplace(place, owner, ttl, wire_id, old, new, mark, turn=turn, default_ttl=True)
        return swap

    return Store(find, replace, lambda old: LogRemove(place, owner, wire_id, old, turn=turn))


def remove(conversation: Conversation, message_id: Any) -> Flow[bool]:
    """Flow of `IMessageHistory.remove`."""
    wire_id = _wire_id(message_id)
    yield from conversation.touch(LEAST)
    swap: Swap = yield _store(conversation, wire_id).remove(None)
    return swap.done


def pop(conversation: Conversation) -> Flow[Message | None]:
    """Flow of `IMessageHistory.pop`."""
    yield from conversation.touch(LEAST)
    for _ in range(ROUNDS):
        raw = yield from _last(conversation)
        if raw is None:
            return None
        (message,) = conversation.decode_strictly([raw])
        swap: Swap = yield _store(conversation, pack_id(message.id or "")).remove(raw)
        if swap.done:
            return message
    raise outrun("pop")


def _last(conversation: Conversation) -> Flow[bytes | None]:
    """The bytes of the last message; those removed behind it take places, too."""
    look = LogSlice(conversation.log, conversation.user_id, count=_FIRST_LOOK, newest=True)
    while True:
        piece: Slice = yield look
        if piece.records:
            return piece.records[-1]
        if not piece.more:
            return None
        look = evolve(look, before=piece.first, count=min(2 * (look.count or 1), LARGEST_PAGE))


def clear(conversation: Conversation) -> Flow[int]:
    """Flow of `IMessageHistory.clear`."""
    yield from conversation.touch(LEAST)
    count: int = yield LogClear(conversation.log, conversation.user_id, turn=conversation.turn)
    return count
