"""The four verbs: check the input, then do what its memory type asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from memkit.errors import InvalidInputError, MemkitError, OutcomeUnknownError
from memkit.flows import long, short, working
from memkit.flows.base import Context, Flow, Memories
from memkit.flows.check import Checked, check_input
from memkit.flows.together import all_stored, each, placed, together
from memkit.flows.touch import LEAST
from memkit.inputs import MemoryType
from memkit.records import Memory

__all__ = ["delete", "retrieve", "retrieve_many", "store", "store_many", "update"]


T = TypeVar("T")


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
    return _KINDS[checked.memory_type].store(ctx, checked)


def retrieve(ctx: Context, memory_input: Any) -> Flow[Memories]:
    """Flow of `IMemoryManager.retrieve`."""
    checked = check_input(memory_input, "retrieve")
    return _nothing() if checked.limit == 0 else _KINDS[checked.memory_type].retrieve(ctx, checked)


def store_many(ctx: Context, memory_inputs: Any) -> Flow[list[str]]:
    """Flow of `IMemoryManager.store_many`."""
    return _stored(_each_of(store, ctx, memory_inputs))


def _stored(flows: list[Flow[str]]) -> Flow[list[str]]:
    results = yield from each(flows)
    stored = {number: found for number, found in enumerate(results) if isinstance(found, str)}
    errors = {number: _named(found) for number, found in enumerate(results) if isinstance(found, MemkitError)}
    return all_stored(stored, errors)


def _named(error: MemkitError) -> MemkitError:
    return OutcomeUnknownError("store", error.ids) if isinstance(error, OutcomeUnknownError) else error


def retrieve_many(ctx: Context, memory_inputs: Any) -> Flow[list[Memories]]:
    """Flow of `IMemoryManager.retrieve_many`."""
    return together(_each_of(retrieve, ctx, memory_inputs))


def _each_of(verb: Callable[[Context, Any], Flow[T]], ctx: Context, memory_inputs: Any) -> list[Flow[T]]:
    """The flow of a verb for each input."""
    if isinstance(memory_inputs, str | Mapping) or not isinstance(memory_inputs, Iterable):
        raise InvalidInputError("memory_inputs", f"is of type {type(memory_inputs).__name__}: give a list of inputs")
    flows = []
    for number, memory_input in enumerate(memory_inputs):
        try:
            flows.append(verb(ctx, memory_input))
        except InvalidInputError as error:
            raise placed(error, number) from None
    return flows


def _nothing() -> Flow[Memories]:
    yield from ()
    return Memories()


def update(ctx: Context, memory_input: Any) -> Flow[Memory]:
    """Flow of `IMemoryManager.update`."""
    checked = check_input(memory_input, "update")
    return _KINDS[checked.memory_type].update(ctx, checked)


def delete(ctx: Context, memory_input: Any) -> Flow[int]:
    """Flow of `IMemoryManager.delete`."""
    checked = check_input(memory_input, "delete")
    return _touched(ctx, checked, _KINDS[checked.memory_type].delete(ctx, checked))


def _touched(ctx: Context, checked: Checked, flow: Flow[int]) -> Flow[int]:
    yield from ctx.touch(checked.conversation_id, checked.user_id, LEAST)
    return (yield from flow)
