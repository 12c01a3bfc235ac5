"""What every flow is given, and how a flow is written."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable
from typing import Any, Literal, Self, TypeVar, cast

from attrs import field, frozen

from memkit.clock import Clock
from memkit.codec.wire import Binding, Codec, binding_of
from memkit.commands import Command, Retention
from memkit.errors import CodecError
from memkit.flows.check import Checked
from memkit.flows.touch import Touches
from memkit.flows.words import Analyzer
from memkit.inputs import MemoryType
from memkit.policy import TtlPolicy
from memkit.records import Memory, Message

__all__ = ["Context", "Counter", "Flow", "Memories", "Messages", "OnCorrupt", "Step", "decode_all", "decode_each"]

T = TypeVar("T")
R = TypeVar("R", bound=Memory)
Step = Command[Any] | tuple[Command[Any], ...] | list[Command[Any]]
"""What a flow asks for at once.

A tuple of reads, or of touches of indexes, gets a list of results. So does a list of any commands, but an error stands
in the place of each that failed.
"""

Flow = Generator[Step, Any, T]
"""A generator that yields steps, is sent their results, and returns `T`."""

OnCorrupt = Literal["raise", "report"]

Counter = Callable[[Message], int]
"""Counts the tokens of a message."""

_TYPE_NAMES = {member: member.value for member in MemoryType}
_log = logging.getLogger("memkit")


@frozen
class Context:
    """What a manager gives to its flows.

    Attributes:
        codec: records to bytes and back.
        ttl: milliseconds to live of each memory type.
        on_corrupt: what a read does with a damaged record.
        analyzer: cuts texts into words for queries.
        clock: for stamps.
        fresh_id: makes the 16 bytes of a new id.
        namespace: bound into every record.
        touches: which conversations were put on the indexes just now.
        retention: what a log keeps when it is appended to.
        counter: counts the tokens of messages that come without a count; None: nobody counts.
    """

    codec: Codec
    ttl: TtlPolicy
    on_corrupt: OnCorrupt
    analyzer: Analyzer
    clock: Clock
    fresh_id: Callable[[], bytes]
    namespace: str = ""
    touches: Touches = field(factory=Touches)
    retention: Retention = field(default=Retention())
    counter: Counter | None = None

    def bind(self, checked: Checked) -> Binding:
        """Where the records of an input belong."""
        return binding_of(self.namespace, _TYPE_NAMES[checked.memory_type], checked.conversation_id)

    def is_touched(self, conversation_id: str, user_id: str | None, ttl_ms: int) -> bool:
        """Whether a conversation was put on the indexes just now."""
        return self.touches.holds(self.clock.monotonic(), conversation_id, user_id, ttl_ms)

    def touch(self, conversation_id: str, user_id: str | None, ttl_ms: int) -> Flow[None]:
        """Put a conversation on the indexes, unless that was done just now; before what may create or claim it."""
        return self.touches.touch(self.clock.monotonic(), conversation_id, user_id, ttl_ms)


class _Found(list[R]):
    """What was found.

    Attributes:
        damaged: an error for each stored record that could not be read; empty unless ``on_corrupt="report"``.
    """

    damaged: tuple[CodecError, ...] = ()

    def first(self, limit: int | None) -> Self:
        """At most so many, from the start; all for None."""
        if limit is not None:
            del self[limit:]
        return self


class Memories(_Found[Memory]):
    """Records that were retrieved: a list, and in `damaged` an error for each stored record that could not be read.

    `damaged` is empty unless ``on_corrupt="report"``.
    """


class Messages(_Found[Message]):
    """Messages of a history: as `Memories`."""


def decode_each(
    ctx: Context, binding: Binding, raws: Iterable[bytes], head: tuple[int, int] | None = None
) -> list[Memory | CodecError]:
    """The records of stored bytes, each in its place; an error stands in the place of one that is damaged.

    Args:
        ctx: what flows are given.
        binding: where the bytes were found.
        raws: the bytes.
        head: version and microseconds of the creation that count instead of those in the bytes; see `Codec.decode`.

    Raises:
        CodecError: one is damaged, and damage is not reported but raised.
    """
    if ctx.on_corrupt == "raise":
        return ctx.codec.decode_list(raws, binding, head)
    found = ctx.codec.decode_list(raws, binding, head, report=True)
    damaged = sum(isinstance(item, CodecError) for item in found)
    if damaged:
        _log.warning("memkit: %d stored records could not be read", damaged)
    return found


def decode_all(ctx: Context, binding: Binding, raws: Iterable[bytes], head: tuple[int, int] | None = None) -> Memories:
    """The records of stored bytes; its `damaged` lists what could not be read. Its arguments: see `decode_each`.

    Raises:
        CodecError: one is damaged, and damage is not reported but raised.
    """
    found = decode_each(ctx, binding, raws, head)
    if ctx.on_corrupt == "raise":
        return Memories(cast("list[Memory]", found))
    out = Memories(item for item in found if isinstance(item, Memory))
    out.damaged = tuple(item for item in found if isinstance(item, CodecError))
    return out
