"""The conversation that a history is of: where it is kept, and on whose behalf."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from attrs import evolve, frozen

from memkit.codec.wire import Binding, binding_of
from memkit.commands import Place
from memkit.errors import CodecError, MemoryNotFoundError
from memkit.flows import fields
from memkit.flows.base import Context, Flow, Memories, decode_all, decode_each
from memkit.flows.places import conversation
from memkit.inputs import MemoryType
from memkit.records import Memory, Message

__all__ = ["Conversation"]

_SHOWN = 100
_KIND = MemoryType.SHORT_TERM_MEMORY
_KIND_NAME = _KIND.value


@frozen
class Conversation:
    """A conversation.

    Attributes:
        ctx: what flows are given.
        id: its id.
        user_id: on whose behalf; None asks for no owner.
        turn: number of the turn in which its messages are changed; None: in no turn.
    """

    ctx: Context
    id: str
    user_id: str | None = None
    turn: int | None = None

    @classmethod
    def checked(cls, ctx: Context, conversation_id: str, user_id: str | None) -> Conversation:
        """The conversation of these ids.

        Raises:
            InvalidInputError: one of them is none.
        """
        owner = fields.optional(fields.identifier)("user_id", user_id)
        return cls(ctx, fields.identifier("conversation_id", conversation_id), owner)

    def other(self, conversation_id: str) -> Conversation:
        """Another conversation of the same user."""
        return evolve(self, id=conversation_id, turn=None)

    @property
    def log(self) -> Place:
        """Where its messages are."""
        return conversation(self.id, "log")

    @property
    def about(self) -> Place:
        """Where the facts on the whole of it are."""
        return conversation(self.id, "about")

    @property
    def binding(self) -> Binding:
        """What stands in its messages."""
        return binding_of(self.ctx.namespace, _KIND_NAME, self.id)

    @property
    def name(self) -> str:
        """As errors call it."""
        shown = self.id if len(self.id) <= _SHOWN else self.id[:_SHOWN] + "…"
        return f"conversation {shown!r}"

    @property
    def ttl_ms(self) -> int:
        """Milliseconds that its messages live by default."""
        return self.ctx.ttl.by_type[_KIND]

    def is_touched(self) -> bool:
        """Whether a write with the default time to live need not touch it."""
        return self.ctx.is_touched(self.id, self.user_id, self.ttl_ms)

    def touch(self, ttl_ms: int | None = None) -> Flow[None]:
        """Put it on the indexes, before what may create or claim it; `ttl_ms` is the default one if left out."""
        return self.ctx.touch(self.id, self.user_id, self.ttl_ms if ttl_ms is None else ttl_ms)

    def decode(self, raws: Iterable[bytes]) -> Memories:
        """The records of stored bytes, damage treated as the manager's `on_corrupt` says."""
        return decode_all(self.ctx, self.binding, raws)

    def decode_each(self, raws: Iterable[bytes]) -> list[Memory | CodecError]:
        """The same, with an error in the place of each damaged record."""
        return decode_each(self.ctx, self.binding, raws)

    def decode_strictly(self, raws: Iterable[bytes]) -> list[Message]:
        """The messages of stored bytes.

        Raises:
            CodecError: one is damaged; what would move or replace it cannot leave it out.
        """
        # Records of other classes may stand in a log too; what is said of messages holds for them.
        return cast("list[Message]", [self.ctx.codec.decode(raw, self.binding) for raw in raws])

    def missing(self, message_id: str) -> MemoryNotFoundError:
        """The error of a message that is not there."""
        return MemoryNotFoundError(f"message {message_id!r} of {self.name}")

    def absent(self) -> MemoryNotFoundError:
        """The error of a conversation that has no data."""
        return MemoryNotFoundError(self.name)
