"""The null backend: everything is checked, nothing is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, Unpack

from memkit.backends.base import IAsyncBackend, IBackend
from memkit.commands import (
    Command,
    LogAppend,
    LogClear,
    LogFind,
    LogRead,
    LogRemove,
    LogReplace,
    PutResult,
    RecordDrop,
    RecordGet,
    RecordPut,
    Slots,
    Swap,
    TableClear,
    TableFetch,
    TableRead,
    TableRemove,
    TableSwap,
    TableSwapped,
)
from memkit.faces.manager import AsyncMemoryManager, MemoryManager
from memkit.faces.options import Options, options_of
from memkit.providers import Provider

__all__ = ["AsyncNullBackend", "AsyncNullMemoryManager", "NullBackend", "NullMemoryManager", "provider"]

T = TypeVar("T")


def _put(command: RecordPut) -> PutResult:
    fits = command.expected in (None, 0)
    return PutResult(done=fits, version=int(fits), created_us=command.created_us)


def _swap_rows(command: TableSwap) -> TableSwapped:
    fits = all(row.old is None for row in command.rows)
    return TableSwapped(done=fits, current=() if fits else (None,) * len(command.rows))


_ANSWERS: dict[type, Callable[[Any], Any]] = {
    LogAppend: lambda command: len(command.entries),
    LogRead: lambda _: Slots([], 0),
    LogFind: lambda _: None,
    LogReplace: lambda _: Swap(done=False),
    LogRemove: lambda _: Swap(done=False),
    LogClear: lambda _: 0,
    RecordPut: _put,
    RecordGet: lambda _: None,
    RecordDrop: lambda _: PutResult(done=False, version=0),
    TableSwap: _swap_rows,
    TableFetch: lambda command: [None] * len(command.wanted),
    TableRead: lambda _: Slots([], 0),
    TableRemove: lambda _: Swap(done=False),
    TableClear: lambda _: 0,
}


class NullBackend(IBackend):
    """Answers every command as an empty store would."""

    def execute(self, command: Command[T]) -> T:
        answer: T = _ANSWERS[type(command)](command)
        return answer

    def ping(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing was opened."""

    def __repr__(self) -> str:
        return "<NullBackend>"


class AsyncNullBackend(IAsyncBackend):
    """`NullBackend` for asyncio."""

    async def execute(self, command: Command[T]) -> T:
        answer: T = _ANSWERS[type(command)](command)
        return answer

    async def ping(self) -> bool:
        return True

    async def aclose(self) -> None:
        """Nothing was opened."""

    def __repr__(self) -> str:
        return "<AsyncNullBackend>"


class NullMemoryManager(MemoryManager):
    """Checks every call as the others do, and keeps nothing.

    Args:
        options: see `memkit.faces.options.Options`.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__(NullBackend(), **options)


class AsyncNullMemoryManager(AsyncMemoryManager):
    """`NullMemoryManager` for asyncio.

    Args:
        options: see `memkit.faces.options.Options`.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__(AsyncNullBackend(), **options)


provider = Provider(
    "null",
    lambda settings: NullMemoryManager(**options_of(settings)),
    lambda settings: AsyncNullMemoryManager(**options_of(settings)),
)
