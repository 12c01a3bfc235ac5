"""What changes of a piece of a history share."""

from __future__ import annotations

from attrs import frozen

from memkit.commands import About, AboutRead, Entry, LogRewrite, LogSlice, Slice
from memkit.errors import ContentionError, InvalidInputError
from memkit.flows.base import Flow
from memkit.flows.history.conversation import Conversation
from memkit.flows.marks import mark_of
from memkit.ids import pack_id
from memkit.records import Message

__all__ = ["Stand", "contended", "cuts_group", "read_stand", "stored_entry"]


@frozen
class Stand:
    """The messages of a history, and the state in which they were read.

    Attributes:
        about: what was known of the conversation, just before.
        messages: its messages.
        raws: their bytes.
    """

    about: About
    messages: list[Message]
    raws: list[bytes]

    def entry(self, number: int) -> Entry:
        """What stands at a place, to be left as it is."""
        return stored_entry(self.messages[number], self.raws[number])

    def wire_id(self, number: int) -> bytes | str:
        """The wire form of the id of the message at a place."""
        return pack_id(self.messages[number].id or "")

    def swap(
        self,
        conversation: Conversation,
        first: int,
        end: int,
        entries: tuple[Entry, ...],
        revision: int | None = None,
    ) -> LogRewrite:
        """What puts entries in the place of the messages from `first` up to `end`, if only appends came meanwhile."""
        return LogRewrite(
            conversation.log,
            conversation.user_id,
            self.wire_id(first - 1) if first else None,
            self.wire_id(end - 1),
            entries,
            revision,
            self.about.edits,
            turn=conversation.turn,
        )


def read_stand(conversation: Conversation, before: bytes | str | None = None) -> Flow[Stand | None]:
    """All messages, or those in front of one; None if the conversation is absent, or that message is not there.

    Raises:
        CodecError: one is damaged.
    """
    # First the state, then the messages: what changes in between is noticed at the swap.
    about, piece = yield (
        AboutRead(conversation.about, conversation.user_id),
        LogSlice(conversation.log, conversation.user_id, before=before),
    )
    found: Slice | None = piece
    if about is None or found is None:
        return None
    return Stand(about, conversation.decode_strictly(found.records), found.records)


def stored_entry(message: Message, raw: bytes) -> Entry:
    """What is written where a message stands already, or a copy of it."""
    return Entry(pack_id(message.id or ""), raw, fresh=False, mark=mark_of(message))


def cuts_group(name: str, last: str) -> InvalidInputError:
    """The error of a message that is not the last of its group."""
    return InvalidInputError(name, f"is inside of a group of messages: use {last!r}, which is the last of it")


def contended(verb: str, rounds: int) -> ContentionError:
    """The error of a change of a piece that was changed by others in every round."""
    return ContentionError(f"{verb}: others changed these messages {rounds} times in a row: try again later")
