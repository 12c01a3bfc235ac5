"""The in-memory backend in both colours, one lock around one store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from memkit.backends.base import IAsyncBackend, IBackend
from memkit.backends.inmemory import about, branch, index, log, record, rewrite, server, table, window
from memkit.backends.inmemory.store import Store
from memkit.clock import Clock, SystemClock
from memkit.commands import (
    AboutErase,
    AboutExpire,
    AboutRead,
    AboutSet,
    Command,
    IndexDrop,
    IndexEnter,
    IndexFence,
    IndexRead,
    IndexSize,
    IndexTouch,
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
    RecordDrop,
    RecordGet,
    RecordLoad,
    RecordPut,
    ServerState,
    TableClear,
    TableDump,
    TableFetch,
    TableRead,
    TableRemove,
    TableSwap,
    TurnEnd,
    TurnRenew,
    TurnTake,
)
from memkit.errors import ConfigurationError

__all__ = ["AsyncInMemoryBackend", "InMemoryBackend"]

T = TypeVar("T")

_HANDLERS: dict[type, Callable[[Store, Any], Any]] = {
    LogAppend: log.append,
    LogRead: log.read,
    LogFind: log.find,
    LogReplace: log.replace,
    LogRemove: log.remove,
    LogClear: log.clear,
    LogSlice: window.between,
    LogWindow: window.window,
    LogRewrite: rewrite.rewrite,
    LogCut: branch.cut,
    LogBranches: branch.branches,
    LogRestore: branch.restore,
    RecordPut: record.put,
    RecordGet: record.get,
    RecordDrop: record.drop,
    RecordLoad: record.load,
    TableSwap: table.swap,
    TableFetch: table.fetch,
    TableRead: table.read,
    TableDump: table.dump,
    TableRemove: table.remove,
    TableClear: table.clear,
    AboutRead: about.read,
    AboutSet: about.write,
    AboutExpire: about.expire,
    AboutErase: about.erase,
    TurnTake: about.turn_take,
    TurnRenew: about.turn_renew,
    TurnEnd: about.turn_end,
    IndexTouch: index.touch,
    IndexEnter: index.enter,
    IndexRead: index.read,
    IndexDrop: index.drop,
    IndexFence: index.fence,
    IndexSize: index.size,
    ServerState: server.state,
    Leftovers: server.leftovers,
}


class InMemoryBackend(IBackend):
    """Keeps everything in this process, and loses it with the process. For threads.

    Args:
        max_records: bound on all records together; the conversations that were used least lately go first.
        max_bytes: the same for the bytes of the records, and of titles and metadata of conversations.
        clock: decides what has expired.
    """

    def __init__(
        self, *, max_records: int | None = None, max_bytes: int | None = None, clock: Clock | None = None
    ) -> None:
        bounds = {"max_records": max_records, "max_bytes": max_bytes}
        wrong = [name for name, bound in bounds.items() if bound is not None and (type(bound) is not int or bound < 1)]
        if wrong:
            raise ConfigurationError([f"{name} must be a whole number from 1, or None" for name in wrong])
        self._store = Store(clock or SystemClock(), max_records, max_bytes)
        self._lock = threading.Lock()

    def execute(self, command: Command[T]) -> T:
        with self._lock:
            result: T = _HANDLERS[type(command)](self._store, command)
            return result

    def ping(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing was opened; the data lives as long as the backend."""

    def __repr__(self) -> str:
        with self._lock:
            return f"<{type(self).__name__} with {self._store.records} records>"


class AsyncInMemoryBackend(IAsyncBackend):
    """`InMemoryBackend` for asyncio; no operation takes long enough to wait for.

    Args:
        options: those of `InMemoryBackend`.
    """

    def __init__(self, **options: Any) -> None:
        self._backend = InMemoryBackend(**options)

    async def execute(self, command: Command[T]) -> T:
        return self._backend.execute(command)

    async def ping(self) -> bool:
        return True

    async def aclose(self) -> None:
        """Nothing was opened; the data lives as long as the backend."""

    def __repr__(self) -> str:
        return repr(self._backend)
