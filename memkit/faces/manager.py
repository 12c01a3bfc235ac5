"""The managers: four verbs over a backend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Unpack

from memkit.backends.base import ABSENT, Absent, IAsyncBackend, IBackend
from memkit.faces.engine import AsyncEngine, Engine
from memkit.faces.options import Options, context_of
from memkit.faces.reading import key_of_input
from memkit.flows import verbs
from memkit.flows.base import Memories
from memkit.interfaces import IAsyncMemoryManager, IMemoryManager, InputLike
from memkit.records import Memory

__all__ = ["AsyncMemoryManager", "MemoryManager"]


class MemoryManager(IMemoryManager):
    """Memories over any backend.

    Args:
        backend: executes the commands; closed with the manager.
        options: see `Options`.
    """

    def __init__(self, backend: IBackend, **options: Unpack[Options]) -> None:
        self._engine = Engine(backend, context_of(**options))

    @property
    def backend(self) -> IBackend:
        """What executes the commands; several managers may share one."""
        return self._engine.backend

    @property
    def engine(self) -> Engine:
        """Runs the flows; other facets over the same backend share it."""
        return self._engine

    def store(self, memory_input: InputLike) -> str:
        return self._engine.run("store", verbs.store(self._engine.open_context, memory_input))

    def store_many(self, memory_inputs: Iterable[InputLike]) -> list[str]:
        return self._engine.run("store_many", verbs.store_many(self._engine.open_context, memory_inputs))

    def retrieve(self, memory_input: InputLike) -> Memories:
        engine = self._engine
        if engine.tails is None:
            return engine.run("retrieve", verbs.retrieve(engine.open_context, memory_input))
        key = key_of_input(engine, memory_input)
        found: Memories | Absent = engine.tails.find(key)
        if found is not ABSENT:
            return found
        return engine.fill("retrieve", key, verbs.retrieve(engine.open_context, memory_input))

    def retrieve_many(self, memory_inputs: Iterable[InputLike]) -> list[Memories]:
        return self._engine.run("retrieve_many", verbs.retrieve_many(self._engine.open_context, memory_inputs))

    def update(self, memory_input: InputLike) -> Memory:
        return self._engine.run("update", verbs.update(self._engine.open_context, memory_input))

    def delete(self, memory_input: InputLike) -> int:
        return self._engine.run("delete", verbs.delete(self._engine.open_context, memory_input))

    def ping(self) -> bool:
        self._engine.check_open()
        return self._engine.backend.ping()

    def close(self) -> None:
        self._engine.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self._engine.backend!r}>"


class AsyncMemoryManager(IAsyncMemoryManager):
    """`MemoryManager` for asyncio.

    Args:
        backend: executes the commands; closed with the manager.
        options: see `Options`.
    """

    def __init__(self, backend: IAsyncBackend, **options: Unpack[Options]) -> None:
        self._engine = AsyncEngine(backend, context_of(**options))

    @property
    def backend(self) -> IAsyncBackend:
        """What executes the commands; several managers may share one."""
        return self._engine.backend

    @property
    def engine(self) -> AsyncEngine:
        """Runs the flows; other facets over the same backend share it."""
        return self._engine

    async def store(self, memory_input: InputLike) -> str:
        return await self._engine.run("store", verbs.store(self._engine.open_context, memory_input))

    async def store_many(self, memory_inputs: Iterable[InputLike]) -> list[str]:
        return await self._engine.run("store_many", verbs.store_many(self._engine.open_context, memory_inputs))

    async def retrieve(self, memory_input: InputLike) -> Memories:
        engine = self._engine
        if engine.tails is None:
            return await engine.run("retrieve", verbs.retrieve(engine.open_context, memory_input))
        key = key_of_input(engine, memory_input)
        found: Memories | Absent = engine.tails.find(key)
        if found is not ABSENT:
            return found
        return await engine.fill("retrieve", key, verbs.retrieve(engine.open_context, memory_input))

    async def retrieve_many(self, memory_inputs: Iterable[InputLike]) -> list[Memories]:
        return await self._engine.run("retrieve_many", verbs.retrieve_many(self._engine.open_context, memory_inputs))

    async def update(self, memory_input: InputLike) -> Memory:
        return await self._engine.run("update", verbs.update(self._engine.open_context, memory_input))

    async def delete(self, memory_input: InputLike) -> int:
        return await self._engine.run("delete", verbs.delete(self._engine.open_context, memory_input))

    async def ping(self) -> bool:
        self._engine.check_open()
        return await self._engine.backend.ping()

    async def aclose(self) -> None:
        await self._engine.aclose()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self._engine.backend!r}>"
