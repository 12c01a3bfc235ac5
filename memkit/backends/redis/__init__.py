"""The backend on a Redis or Valkey server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memkit.backends.redis.driver import AsyncRedisBackend, RedisBackend
    from memkit.backends.redis.manager import AsyncRedisMemoryManager, RedisMemoryManager, provider

__all__ = ["AsyncRedisBackend", "AsyncRedisMemoryManager", "RedisBackend", "RedisMemoryManager", "provider"]


def __getattr__(name: str) -> Any:
    """Loaded when used: reading a URL must not load a Redis client."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "driver" if name.endswith("Backend") else "manager"
    from importlib import import_module  # noqa: PLC0415 - only here

    return getattr(import_module(f"{__name__}.{home}"), name)
