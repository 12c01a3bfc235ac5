"""What every flow is given, and how a flow is written."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable
from typing import Any, Literal, TypeVar

from attrs import frozen

from memkit.clock import Clock
from memkit.codec.wire import Codec
from memkit.commands import Command
from memkit.errors import CodecError
from memkit.flows.words import Analyzer
from memkit.inputs import MemoryType
from memkit.policy import TtlPolicy
from memkit.records import Memory

__all__ = ["Context", "Flow", "Memories", "OnCorrupt", "decode_all", "place_name"]

T = TypeVar("T")
Flow = Generator[Command[Any], Any, T]
"""A generator that yields commands, is sent their results, and returns `T`."""

OnCorrupt = Literal["raise", "report"]

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
    """

    codec: Codec
    ttl: TtlPolicy
    on_corrupt: OnCorrupt
    analyzer: Analyzer
    clock: Clock
    fresh_id: Callable[[], bytes]


class Memories(list[Memory]):
    """Records that were retrieved.

    Attributes:
        damaged: an error for each stored record that could not be read; empty unless ``on_corrupt="report"``.
    """

    damaged: tuple[CodecError, ...] = ()

    def first(self, limit: int | None) -> Memories:
        """At most so many of them, from the start; all for None."""
        if limit is not None:
            del self[limit:]
        return self


def decode_all(ctx: Context, place: str, raws: Iterable[bytes]) -> Memories:
    """The records of stored bytes.

    Raises:
        CodecError: one is damaged, and damage is not reported but raised.
    """
    out, damaged = Memories(), []
    for raw in raws:
        try:
            out.append(ctx.codec.decode(raw, place))
        except CodecError as error:
            if ctx.on_corrupt == "raise":
                raise
            damaged.append(error)
    if damaged:
        _log.warning("memkit: %d stored records could not be read", len(damaged))
        out.damaged = tuple(damaged)
    return out


def place_name(conversation_id: str, kind: MemoryType) -> str:
    """Where a memory is kept, as errors name it."""
    return f"{kind.value} of conversation {conversation_id[:100]}"
