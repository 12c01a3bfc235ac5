"""Managers that keep their memories in this process."""

from __future__ import annotations

from typing import Unpack

from memkit.backends.inmemory.backend import AsyncInMemoryBackend, InMemoryBackend
from memkit.faces.manager import AsyncMemoryManager, MemoryManager
from memkit.faces.options import Options, options_of
from memkit.providers import Provider

__all__ = ["AsyncInMemoryManager", "InMemoryManager", "provider"]


class InMemoryManager(MemoryManager):
    """Memories in this process: for development, for tests, and where losing them is no loss.

    Thread-safe. Records are kept as encoded bytes, so nothing is shared with the caller. Expired means absent.

    Args:
        max_records: bound on all records together; the conversations that were used least lately go first.
        max_bytes: the same for the bytes of the records.
        options: see `memkit.faces.options.Options`.
    """

    def __init__(
        self, *, max_records: int | None = None, max_bytes: int | None = None, **options: Unpack[Options]
    ) -> None:
        backend = InMemoryBackend(max_records=max_records, max_bytes=max_bytes, clock=options.get("clock"))
        super().__init__(backend, **options)


class AsyncInMemoryManager(AsyncMemoryManager):
    """`InMemoryManager` for asyncio.

    Args:
        max_records: see `InMemoryManager`.
        max_bytes: see `InMemoryManager`.
        options: see `memkit.faces.options.Options`.
    """

    def __init__(
        self, *, max_records: int | None = None, max_bytes: int | None = None, **options: Unpack[Options]
    ) -> None:
        backend = AsyncInMemoryBackend(max_records=max_records, max_bytes=max_bytes, clock=options.get("clock"))
        super().__init__(backend, **options)


provider = Provider(
    "memory",
    lambda settings: InMemoryManager(
        max_records=settings.max_records, max_bytes=settings.max_bytes, **options_of(settings)
    ),
    lambda settings: AsyncInMemoryManager(
        max_records=settings.max_records, max_bytes=settings.max_bytes, **options_of(settings)
    ),
)
