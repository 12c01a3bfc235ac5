"""The managers: four verbs over a backend."""

from __future__ import annotations

from typing import TypeVar, Unpack

from memkit.backends.base import IAsyncBackend, IBackend
from memkit.errors import ClosedError, OutcomeUnknownError
from memkit.faces.options import Options, context_of
from memkit.flows import verbs
from memkit.flows.base import Flow, Memories
from memkit.interfaces import IAsyncMemoryManager, IMemoryManager, InputLike
from memkit.records import Memory

__all__ = ["AsyncMemoryManager", "MemoryManager"]

T = TypeVar("T")


class MemoryManager(IMemoryManager):
    """Memories over any backend.

    Args:
        backend: executes the commands; closed with the manager.
        options: see `Options`.
    """

    def __init__(self, backend: IBackend, **options: Unpack[Options]) -> None:
        self._context = context_of(**options)
        self._backend = backend
        self._closed = False

    @property
    def backend(self) -> IBackend:
        """What executes the commands; several managers may share one."""
        return self._backend

    def store(self, memory_input: InputLike) -> str:
        return self._run("store", verbs.store(self._context, memory_input))

    def retrieve(self, memory_input: InputLike) -> Memories:
        return self._run("retrieve", verbs.retrieve(self._context, memory_input))

    def update(self, memory_input: InputLike) -> Memory:
        return self._run("update", verbs.update(self._context, memory_input))

    def delete(self, memory_input: InputLike) -> int:
        return self._run("delete", verbs.delete(self._context, memory_input))

    def ping(self) -> bool:
        self._check_open()
        return self._backend.ping()

    def close(self) -> None:
        self._closed = True
        self._backend.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self._backend!r}>"

    def _run(self, verb: str, flow: Flow[T]) -> T:
        self._check_open()
        execute = self._backend.execute
        try:
            command = next(flow)
            while True:
                command = flow.send(execute(command))
        except StopIteration as stop:
            result: T = stop.value
            return result
        except OutcomeUnknownError as error:
            raise OutcomeUnknownError(verb, error.ids) from error.__cause__

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("this manager was closed: make a new one")


class AsyncMemoryManager(IAsyncMemoryManager):
    """`MemoryManager` for asyncio.

    Args:
        backend: executes the commands; closed with the manager.
        options: see `Options`.
    """

    def __init__(self, backend: IAsyncBackend, **options: Unpack[Options]) -> None:
        self._context = context_of(**options)
        self._backend = backend
        self._closed = False

    @property
    def backend(self) -> IAsyncBackend:
        """What executes the commands; several managers may share one."""
        return self._backend

    async def store(self, memory_input: InputLike) -> str:
        return await self._run("store", verbs.store(self._context, memory_input))

    async def retrieve(self, memory_input: InputLike) -> Memories:
        return await self._run("retrieve", verbs.retrieve(self._context, memory_input))

    async def update(self, memory_input: InputLike) -> Memory:
        return await self._run("update", verbs.update(self._context, memory_input))

    async def delete(self, memory_input: InputLike) -> int:
        return await self._run("delete", verbs.delete(self._context, memory_input))

    async def ping(self) -> bool:
        self._check_open()
        return await self._backend.ping()

    async def aclose(self) -> None:
        self._closed = True
        await self._backend.aclose()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self._backend!r}>"

    async def _run(self, verb: str, flow: Flow[T]) -> T:
        self._check_open()
        execute = self._backend.execute
        try:
            command = next(flow)
            while True:
                command = flow.send(await execute(command))
        except StopIteration as stop:
            result: T = stop.value
            return result
        except OutcomeUnknownError as error:
            raise OutcomeUnknownError(verb, error.ids) from error.__cause__

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("this manager was closed: make a new one")
