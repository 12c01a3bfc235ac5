"""What all pieces of the contract stand on: one view of both colours, and the fixtures."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from memkit.clock import Clock, SystemClock
from memkit.flows.base import Memories
from memkit.flows.words import text_of
from memkit.inputs import MemoryInput, MemoryType
from memkit.interfaces import IAsyncMemoryManager, IMemoryManager
from memkit.records import Fact, Memory, UserMessage, WorkingMemory

__all__ = ["KINDS", "LISTS", "LONG", "SHORT", "WORKING", "Contract", "Make", "Subject", "sample", "texts"]

WORKING = MemoryType.WORKING_MEMORY
SHORT = MemoryType.SHORT_TERM_MEMORY
LONG = MemoryType.LONG_TERM_MEMORY
KINDS = tuple(MemoryType)
LISTS = (SHORT, LONG)

Manager = IMemoryManager | IAsyncMemoryManager
MakeManager = Callable[..., Manager]
Make = Callable[..., "Subject"]


class Subject:
    """A manager of either colour as plain methods, so that each claim is written once.

    Args:
        manager: the manager under test.
        runner: runs what an async manager returns, all of it in one event loop.
    """

    def __init__(self, manager: Manager, runner: asyncio.Runner) -> None:
        self.manager = manager
        self._runner = runner

    def wait(self, result: Any) -> Any:
        """The result of a call, of either colour."""
        return self._runner.run(_awaited(result)) if inspect.isawaitable(result) else result

    def send(self, verb: str, memory_input: Any) -> Any:
        """Call a verb with any input."""
        return self.wait(getattr(self.manager, verb)(memory_input))

    def store(self, kind: MemoryType, *data: Memory, conversation_id: str = "c", **fields: Any) -> str:
        """Store records."""
        return cast("str", self.send("store", MemoryInput(conversation_id, kind, data=data, **fields)))

    def retrieve(self, kind: MemoryType, conversation_id: str = "c", **fields: Any) -> Memories:
        """Retrieve records."""
        return cast("Memories", self.send("retrieve", MemoryInput(conversation_id, kind, **fields)))

    def update(self, kind: MemoryType, *data: Memory, conversation_id: str = "c", **fields: Any) -> Memory:
        """Update a record."""
        return cast("Memory", self.send("update", MemoryInput(conversation_id, kind, data=data, **fields)))

    def delete(self, kind: MemoryType, conversation_id: str = "c", **fields: Any) -> int:
        """Delete records."""
        return cast("int", self.send("delete", MemoryInput(conversation_id, kind, **fields)))

    def only(self, kind: MemoryType, **fields: Any) -> Memory:
        """The one record that a retrieve returns."""
        (record,) = self.retrieve(kind, **fields)
        return record

    def ping(self) -> bool:
        """Ask the store whether it answers."""
        return cast("bool", self.wait(self.manager.ping()))

    def close(self) -> None:
        """Close the manager."""
        manager = self.manager
        self.wait(manager.aclose() if isinstance(manager, IAsyncMemoryManager) else manager.close())

    def within(self, call: Callable[[], None]) -> None:
        """Call something inside of the manager's context manager."""
        if isinstance(self.manager, IAsyncMemoryManager):
            self._runner.run(_within(self.manager))
            call()
            return
        with self.manager:
            assert self.manager.ping() is True
        call()

    def together(self, verb: str, inputs: Sequence[MemoryInput]) -> list[Any]:
        """Call a verb with all inputs at the same time: results and exceptions, in the order of the inputs."""
        if isinstance(self.manager, IAsyncMemoryManager):
            return self._runner.run(_gathered([getattr(self.manager, verb)(item) for item in inputs]))
        with ThreadPoolExecutor(len(inputs)) as threads:
            calls = [threads.submit(getattr(self.manager, verb), item) for item in inputs]
            return [call.exception() or call.result() for call in calls]


async def _awaited(result: Any) -> Any:
    return await result


async def _within(manager: IAsyncMemoryManager) -> None:
    async with manager:
        assert await manager.ping() is True


async def _gathered(calls: list[Any]) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


def sample(kind: MemoryType, text: str = "text", **fields: Any) -> Memory:
    """A record as one expects it in a memory of that kind."""
    if kind is WORKING:
        return WorkingMemory(text, **fields)
    return UserMessage(text, **fields) if kind is SHORT else Fact(text, **fields)


def texts(records: Iterable[Memory]) -> list[str]:
    """The text of each record."""
    return [text_of(record).strip() for record in records]


class Contract:
    """The fixtures of every piece of the contract. Override `make_manager`."""

    @pytest.fixture
    def make_manager(self) -> MakeManager:
        """Override this: a function that takes the options of a manager and returns a new manager, sync or async.

        The options are those of `memkit.faces.options.Options` and ``namespace``. Managers that one test makes with the
        same namespace work on the same data; no other test sees that data.
        """
        pytest.fail("a subclass of the contract must override the fixture make_manager", pytrace=False)

    @pytest.fixture
    def clock(self) -> Clock:
        """Every manager is given this clock. Override it with a `ManualClock` where the store obeys it."""
        return SystemClock()

    @pytest.fixture
    def runner(self) -> Iterator[asyncio.Runner]:
        """Runs async managers; `make_manager` may use it too."""
        with asyncio.Runner() as runner:
            yield runner

    @pytest.fixture
    def make(self, make_manager: MakeManager, clock: Clock, runner: asyncio.Runner) -> Iterator[Make]:
        """Managers as `Subject`; all are closed at the end."""
        made = []

        def make(**options: Any) -> Subject:
            made.append(Subject(make_manager(clock=clock, **options), runner))
            return made[-1]

        yield make
        for subject in made:
            subject.close()

    @pytest.fixture
    def manager(self, make: Make) -> Subject:
        """A manager with the options that everybody has."""
        return make()
