"""The in-memory backend in both colours, one lock around one store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from memkit.backends.base import IAsyncBackend, IBackend
from memkit.backends.inmemory import log, record, table
from memkit.backends.inmemory.store import Store
from memkit.clock import Clock, SystemClock
from memkit.commands import (
    Command,
    LogAppend,
    LogClear,
    LogFind,
    LogRead,
    LogRemove,
    LogReplace,
    RecordDrop,
    RecordGet,
    RecordPut,
    TableClear,
    TableFetch,
    TableRead,
    TableRemove,
    TableSwap,
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
    RecordPut: record.put,
    RecordGet: record.get,
    RecordDrop: record.drop,
    TableSwap: table.swap,
    TableFetch: table.fetch,
    TableRead: table.read,
    TableRemove: table.remove,
    TableClear: table.clear,
}


class InMemoryBackend(IBackend):
    """Keeps everything in this process, and loses it with the process. For threads.

    Args:
        max_records: bound on all records together; the conversations that were used least lately go first.
        max_bytes: the same for the bytes of the records.
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
