"""What every flow is given, and how a flow is written."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable
from typing import Any, Literal, TypeVar

from attrs import frozen

from memkit.clock import Clock
from memkit.codec.wire import Binding, Codec, binding_of
from memkit.commands import Command
from memkit.errors import CodecError
from memkit.flows.check import Checked
from memkit.flows.words import Analyzer
from memkit.policy import TtlPolicy
from memkit.records import Memory

__all__ = ["Context", "Flow", "Memories", "OnCorrupt", "decode_all"]

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
        namespace: bound into every record.
    """

    codec: Codec
    ttl: TtlPolicy
    on_corrupt: OnCorrupt
    analyzer: Analyzer
    clock: Clock
    fresh_id: Callable[[], bytes]
    namespace: str = ""

    def bind(self, checked: Checked) -> Binding:
        """Where the records of an input belong."""
        return binding_of(self.namespace, checked.memory_type.value, checked.conversation_id)


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


def decode_all(ctx: Context, binding: Binding, raws: Iterable[bytes]) -> Memories:
    """The records of stored bytes.

    Raises:
        CodecError: one is damaged, and damage is not reported but raised.
    """
    out, damaged = Memories(), []
    for raw in raws:
        try:
            out.append(ctx.codec.decode(raw, binding))
        except CodecError as error:
            if ctx.on_corrupt == "raise":
                raise
            damaged.append(error)
    if damaged:
        _log.warning("memkit: %d stored records could not be read", len(damaged))
        out.damaged = tuple(damaged)
    return out
