"""The four verbs: check the input, then do what its memory type asks for."""

from __future__ import annotations

from typing import Any, Protocol

from memkit.flows import long, short, working
from memkit.flows.base import Context, Flow, Memories
from memkit.flows.check import Checked, check_input
from memkit.flows.touch import LEAST
from memkit.inputs import MemoryType
from memkit.records import Memory

__all__ = ["delete", "retrieve", "store", "update"]


class _Kind(Protocol):
    """What each memory type has: the verbs over a checked input."""

    def store(self, ctx: Context, checked: Checked, /) -> Flow[str]: ...
    def retrieve(self, ctx: Context, checked: Checked, /) -> Flow[Memories]: ...
    def update(self, ctx: Context, checked: Checked, /) -> Flow[Memory]: ...
    def delete(self, ctx: Context, checked: Checked, /) -> Flow[int]: ...


_KINDS: dict[MemoryType, _Kind] = {
    MemoryType.WORKING_MEMORY: working,
    MemoryType.SHORT_TERM_MEMORY: short,
    MemoryType.LONG_TERM_MEMORY: long,
}


def store(ctx: Context, memory_input: Any) -> Flow[str]:
    """Flow of `IMemoryManager.store`."""
    checked = check_input(memory_input, "store")
    kind = _KINDS[checked.memory_type]
    return (yield from kind.store(ctx, checked))


def retrieve(ctx: Context, memory_input: Any) -> Flow[Memories]:
    """Flow of `IMemoryManager.retrieve`."""
    checked = check_input(memory_input, "retrieve")
    if checked.limit == 0:
        return Memories()
    kind = _KINDS[checked.memory_type]
    return (yield from kind.retrieve(ctx, checked))


def update(ctx: Context, memory_input: Any) -> Flow[Memory]:
    """Flow of `IMemoryManager.update`."""
    checked = check_input(memory_input, "update")
    kind = _KINDS[checked.memory_type]
    return (yield from kind.update(ctx, checked))


def delete(ctx: Context, memory_input: Any) -> Flow[int]:
    """Flow of `IMemoryManager.delete`."""
    checked = check_input(memory_input, "delete")
    kind = _KINDS[checked.memory_type]
    yield from ctx.touch(checked.conversation_id, checked.user_id, LEAST)
    return (yield from kind.delete(ctx, checked))
