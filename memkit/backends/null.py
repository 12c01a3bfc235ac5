"""The null backend: everything is checked, nothing is kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, TypeVar, Unpack

from memkit.backends.base import IAsyncBackend, IBackend
from memkit.commands import (
    AboutErase,
    AboutExpire,
    AboutRead,
    AboutSet,
    Command,
    Cursor,
    Entered,
    Erased,
    IndexDrop,
    IndexEnter,
    IndexFence,
    IndexPage,
    IndexRead,
    IndexSize,
    IndexTouch,
    LeftoverPage,
    Leftovers,
    LogAppend,
    LogBranches,
    LogClear,
    LogCut,
    LogFind,
    LogRead,
    LogRemove,
    LogReplace,
    LogRestore,
    LogRewrite,
    LogSlice,
    LogWindow,
    Outcome,
    PutResult,
    RecordDrop,
    RecordGet,
    RecordLoad,
    RecordPut,
    Rewritten,
    ServerState,
    Slice,
    Slots,
    StoreState,
    Swap,
    TableClear,
    TableDump,
    TableFetch,
    TableRead,
    TableRemove,
    TableSwap,
    TableSwapped,
    TurnEnd,
    TurnGrant,
    TurnRenew,
    TurnTake,
    WindowSlots,
)
from memkit.faces.manager import AsyncMemoryManager, MemoryManager
from memkit.faces.options import Options, options_of
from memkit.providers import Provider

__all__ = ["AsyncNullBackend", "AsyncNullMemoryManager", "NullBackend", "NullMemoryManager", "provider"]

T = TypeVar("T")


def _put(command: RecordPut) -> PutResult:
    fits = command.expected in (None, 0)
    return PutResult(done=fits, version=int(fits), created_us=command.created_us if fits else 0)


def _swap_rows(command: TableSwap) -> TableSwapped:
    fits = all(row.old is None for row in command.rows)
    return TableSwapped(done=fits, current=() if fits else (None,) * len(command.rows))


def _slice(command: LogSlice) -> Slice | None:
    named = any(not isinstance(anchor, Cursor | None) for anchor in (command.after, command.before))
    return None if named else Slice([], None, None, more=False)


def _rewrite(command: LogRewrite) -> Rewritten:
    if command.revision not in (None, 0) or command.edits not in (None, 0):
        return Rewritten(Outcome.CONFLICT)
    return _from(command.after, command.through)


def _from(*anchors: bytes | str | None) -> Rewritten:
    """What becomes of a change between records."""
    return Rewritten(Outcome.DONE if anchors.count(None) == len(anchors) else Outcome.MISSING)


# Nobody else ever has the turn, but its number is above those of all turns before.
_turns = itertools.count(1)

_ANSWERS: dict[type, Callable[[Any], Any]] = {
    LogAppend: lambda command: len(command.entries),
    LogRead: lambda _: Slots([], 0),
    LogFind: lambda _: None,
    LogReplace: lambda _: Swap(done=False),
    LogRemove: lambda _: Swap(done=False),
    LogClear: lambda _: 0,
    LogSlice: _slice,
    LogWindow: lambda _: WindowSlots([], [], [], None, 0),
    LogRewrite: _rewrite,
    LogCut: lambda command: _from(command.after),
    LogBranches: lambda _: [],
    LogRestore: lambda _: Rewritten(Outcome.MISSING),
    RecordPut: _put,
    RecordGet: lambda _: None,
    RecordDrop: lambda _: PutResult(done=False, version=0),
    RecordLoad: lambda _: True,
    TableSwap: _swap_rows,
    TableFetch: lambda command: [None] * len(command.wanted),
    TableRead: lambda _: Slots([], 0),
    TableDump: lambda _: [],
    TableRemove: lambda _: Swap(done=False),
    TableClear: lambda _: 0,
    AboutRead: lambda _: None,
    AboutSet: lambda _: False,
    AboutExpire: lambda _: False,
    AboutErase: lambda _: Erased(),
    TurnTake: lambda _: TurnGrant(next(_turns)),
    TurnRenew: lambda _: True,
    TurnEnd: lambda _: True,
    IndexTouch: lambda _: None,
    IndexEnter: lambda _: Entered(done=True),
    IndexRead: lambda _: IndexPage((), more=False),
    IndexDrop: lambda _: False,
    IndexFence: lambda _: None,
    IndexSize: lambda _: 0,
    ServerState: lambda _: StoreState("null", used_bytes=0),
    Leftovers: lambda _: LeftoverPage(0, None),
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
