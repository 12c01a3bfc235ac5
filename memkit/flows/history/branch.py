"""Branches: copies of a history, and what was cut off it."""

from __future__ import annotations

from typing import Any

from memkit.clock import from_us
from memkit.commands import (
    About,
    AboutRead,
    BranchRow,
    LogAppend,
    LogBranches,
    LogCut,
    LogRestore,
    LogSlice,
    Opening,
    Outcome,
    Rewritten,
    Slice,
)
from memkit.errors import ConversationExistsError, InvalidInputError, MemoryNotFoundError
from memkit.flows import fields
from memkit.flows.base import Flow
from memkit.flows.history.about import info
from memkit.flows.history.conversation import Conversation
from memkit.flows.history.groups import orphans
from memkit.flows.history.swap import cuts_group, stored_entry
from memkit.ids import pack_id, unpack_id
from memkit.records import Message
from memkit.results import Branch, ConversationInfo

__all__ = ["branches", "fork", "restore", "rewind"]


# -- fork --------------------------------------------------------------------------------------------------------------


def fork(conversation: Conversation, new_id: Any, at: Any) -> Flow[ConversationInfo]:
    """Flow of `IMessageHistory.fork`."""
    new = conversation.other(fields.identifier("new_id", new_id))
    if new.id == conversation.id:
        raise InvalidInputError("new_id", "is the id of this conversation: choose another")
    last_id = fields.optional(fields.identifier)("at", at)
    about, piece = yield _everything(conversation)
    copied = _copied(conversation, piece, last_id)
    if about is None or not copied:
        raise conversation.absent()
    yield from new.touch()
    if (yield _copy(new, about, copied)) is None:
        raise ConversationExistsError(new.id)
    found = yield from info(new)
    if found is None:
        raise new.absent()
    return found


def _everything(conversation: Conversation) -> tuple[AboutRead, LogSlice]:
    return (
        AboutRead(conversation.about, conversation.user_id),
        LogSlice(conversation.log, conversation.user_id),
    )


def _copied(conversation: Conversation, piece: Slice, last_id: str | None) -> list[tuple[Message, bytes]]:
    """The messages to copy, with their bytes."""
    messages = conversation.decode_strictly(piece.records)
    return list(zip(messages, piece.records, strict=True))[: _end(conversation, messages, last_id)]


def _end(conversation: Conversation, messages: list[Message], last_id: str | None) -> int:
    if last_id is None:
        return len(messages)
    ids = [message.id for message in messages]
    if last_id not in ids:
        raise conversation.missing(last_id)
    end = ids.index(last_id) + 1
    behind = orphans(messages[end:])
    if behind:
        raise cuts_group("at", str(ids[end + behind - 1]))
    return end


def _copy(new: Conversation, about: About, copied: list[tuple[Message, bytes]]) -> LogAppend:
    scope, codec = new.binding.scope, new.ctx.codec
    entries = tuple(
        stored_entry(message, codec.rebound(raw, scope, f"message {message.id!r}")) for message, raw in copied
    )
    opening = Opening(about.title, about.metadata)
    return LogAppend(new.log, new.user_id, new.ttl_ms, entries, default_ttl=True, alone=True, opening=opening)


# -- rewind and restore ------------------------------------------------------------------------------------------------


def rewind(conversation: Conversation, to: Any, grace: Any) -> Flow[Branch | None]:
    """Flow of `IMessageHistory.rewind`."""
    last_id = fields.optional(fields.identifier)("to", to)
    grace_ms = fields.milliseconds("grace", grace)
    after = None if last_id is None else pack_id(last_id)
    branch = conversation.ctx.fresh_id()
    yield from conversation.touch(grace_ms)
    cut: Rewritten = yield LogCut(
        conversation.log, conversation.user_id, after, branch, grace_ms, turn=conversation.turn
    )
    if cut.outcome is Outcome.MISSING:
        raise conversation.missing(str(last_id))
    if cut.outcome is Outcome.INSIDE:
        raise cuts_group("to", unpack_id(cut.last or ""))
    return (yield from _branch(conversation, branch)) if cut.count else None


def branches(conversation: Conversation) -> Flow[list[Branch]]:
    """Flow of `IMessageHistory.branches`."""
    rows: list[BranchRow] = yield LogBranches(conversation.log, conversation.user_id)
    return [_of_row(row) for row in rows]


def restore(conversation: Conversation, branch_id: Any, grace: Any) -> Flow[Branch | None]:
    """Flow of `IMessageHistory.restore`."""
    branch = pack_id(fields.identifier("branch_id", branch_id))
    grace_ms = fields.milliseconds("grace", grace)
    missing = MemoryNotFoundError(f"branch {branch_id!r} of {conversation.name}")
    if not isinstance(branch, bytes):
        raise missing
    other = conversation.ctx.fresh_id()
    yield from conversation.touch(_longer(conversation.ttl_ms, grace_ms))
    done: Rewritten = yield LogRestore(
        conversation.log,
        conversation.user_id,
        conversation.ttl_ms,
        branch,
        other,
        grace_ms,
        turn=conversation.turn,
    )
    if done.outcome is not Outcome.DONE:
        raise missing
    return (yield from _branch(conversation, other)) if done.count else None


def _longer(one: int, two: int) -> int:
    return 0 if 0 in (one, two) else max(one, two)


def _branch(conversation: Conversation, branch: bytes) -> Flow[Branch | None]:
    """A branch that was made just now; None if its time is over already."""
    found = yield from branches(conversation)
    return next((each for each in found if each.id == unpack_id(branch)), None)


def _of_row(row: BranchRow) -> Branch:
    return Branch(
        id=unpack_id(row.id),
        after=None if row.after is None else unpack_id(row.after),
        count=row.count,
        created_at=from_us(row.created_us),
        expires_at=from_us(row.expires_us),
    )
