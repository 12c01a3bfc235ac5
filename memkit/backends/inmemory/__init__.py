"""The backend in the memory of one process: the same behaviour as Redis, kept as encoded bytes."""

from __future__ import annotations

from memkit.backends.inmemory.backend import AsyncInMemoryBackend, InMemoryBackend
from memkit.backends.inmemory.manager import AsyncInMemoryManager, InMemoryManager, provider

__all__ = ["AsyncInMemoryBackend", "AsyncInMemoryManager", "InMemoryBackend", "InMemoryManager", "provider"]
