"""What is known of a conversation as a whole, and how long it lives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from memkit.clock import from_us
from memkit.commands import About, AboutExpire, AboutRead, AboutSet
from memkit.flows import fields
from memkit.flows.base import Flow
from memkit.flows.history.conversation import Conversation
from memkit.results import ConversationInfo

__all__ = ["count", "expire", "info", "info_of", "persist", "set_metadata", "set_title", "ttl"]

_MS = 1000


def info(conversation: Conversation) -> Flow[ConversationInfo | None]:
    """Flow of `IMessageHistory.info`."""
    about = yield from _read(conversation)
    return None if about is None else info_of(conversation, about)


def info_of(conversation: Conversation, about: About) -> ConversationInfo:
    """What is known of a conversation, as users get it."""
    codec = conversation.ctx.codec
    metadata = {} if about.metadata is None else codec.unpack_map(about.metadata, f"metadata of {conversation.name}")
    return ConversationInfo(
        id=conversation.id,
        user_id=about.owner,
        title=about.title,
        count=about.count,
        created_at=None if about.created_us is None else from_us(about.created_us),
        updated_at=from_us(about.revision) if about.revision else None,
        expires_in=about.lives_ms / _MS if about.lives_ms else None,
        metadata=metadata,
        revision=about.revision,
    )


def count(conversation: Conversation) -> Flow[int]:
    """Flow of `IMessageHistory.count`."""
    about = yield from _read(conversation)
    return 0 if about is None else about.count


def ttl(conversation: Conversation) -> Flow[float | None]:
    """Flow of `IMessageHistory.ttl`."""
    about = yield from _read(conversation)
    if about is None:
        return None
    return about.lives_ms / _MS if about.lives_ms else math.inf


def set_title(conversation: Conversation, title: Any) -> Flow[None]:
    """Flow of `IMessageHistory.set_title`."""
    text = "" if title is None else fields.identifier("title", title)
    yield from _set(conversation, AboutSet(conversation.about, conversation.user_id, title=text))


def set_metadata(conversation: Conversation, metadata: Any) -> Flow[None]:
    """Flow of `IMessageHistory.set_metadata`."""
    found: Mapping[str, Any] = fields.metadata("metadata", metadata)
    packed = conversation.ctx.codec.pack_map(found, "metadata") if found else b""
    yield from _set(conversation, AboutSet(conversation.about, conversation.user_id, metadata=packed))


def _set(conversation: Conversation, command: AboutSet) -> Flow[None]:
    about = yield from _read(conversation)
    if about is None:
        raise conversation.absent()
    # The write may claim it for the user, and then it stands on his index for as long as it lives.
    yield from conversation.touch(about.lives_ms)
    if not (yield command):
        raise conversation.absent()


def expire(conversation: Conversation, seconds: Any) -> Flow[bool]:
    """Flow of `IMessageHistory.expire`."""
    return (yield from _expire(conversation, fields.milliseconds("seconds", seconds)))


def persist(conversation: Conversation) -> Flow[bool]:
    """Flow of `IMessageHistory.persist`."""
    return (yield from _expire(conversation, 0))


def _expire(conversation: Conversation, ttl_ms: int) -> Flow[bool]:
    if (yield from _read(conversation)) is None:
        return False
    # Later writes renew this time, however long it is: an index that forgot it after a while would miss it.
    yield from conversation.touch(0)
    done: bool = yield AboutExpire(conversation.about, conversation.user_id, ttl_ms)
    return done


def _read(conversation: Conversation) -> Flow[About | None]:
    about: About | None = yield AboutRead(conversation.about, conversation.user_id)
    return about
