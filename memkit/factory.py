"""Memory managers and kits made from settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memkit.config import Settings
from memkit.errors import ConfigurationError
from memkit.providers import find_provider

if TYPE_CHECKING:
    from memkit.config import SettingsLike
    from memkit.faces.kit import AsyncMemoryKit, MemoryKit
    from memkit.interfaces import IAsyncMemoryManager, IMemoryManager

__all__ = [
    "create_async_memory_kit",
    "create_async_memory_manager",
    "create_memory_kit",
    "create_memory_manager",
]


def create_memory_manager(settings: SettingsLike = None, **overrides: Any) -> IMemoryManager:
    """Make the memory manager that settings choose.

    Args:
        settings: None for ``os.environ``; or a `Settings`, a mapping of environment variables, or a URL, which is
            read without the environment.
        **overrides: fields of `Settings` that take precedence, for example ``ttl=60`` or ``namespace="tests"``.

    Returns:
        A manager that owns what it opens: close it, or use it as a context manager.

    Raises:
        ConfigurationError: lists everything that is wrong; no other backend is taken instead.
        MissingExtraError: the backend needs a package that is not installed.
    """
    chosen = Settings.coerce(settings, overrides)
    return find_provider(chosen.backend).manager(chosen)


def create_async_memory_manager(settings: SettingsLike = None, **overrides: Any) -> IAsyncMemoryManager:
    """Make the async memory manager that settings choose; as `create_memory_manager`, and nothing is awaited."""
    chosen = Settings.coerce(settings, overrides)
    return find_provider(chosen.backend).async_manager(chosen)


def create_memory_kit(settings: SettingsLike = None, **overrides: Any) -> MemoryKit:
    """Make a kit over the memory manager that settings choose: the four verbs, message histories, administration.

    Args:
        settings: see `create_memory_manager`.
        **overrides: see `create_memory_manager`.

    Returns:
        A kit that owns its manager: close it, or use it as a context manager.

    Raises:
        ConfigurationError: lists everything that is wrong; also for a backend of somebody else whose manager is no
            `MemoryManager`.
        MissingExtraError: the backend needs a package that is not installed.
    """
    # Loads every facet, and a program that uses only the verbs needs one of them.
    from memkit.faces.kit import MemoryKit  # noqa: PLC0415

    manager: Any = create_memory_manager(settings, **overrides)
    try:
        return MemoryKit(manager)
    except ConfigurationError:
        manager.close()
        raise


def create_async_memory_kit(settings: SettingsLike = None, **overrides: Any) -> AsyncMemoryKit:
    """Make an async kit over the memory manager that settings choose; as `create_memory_kit`, nothing is awaited."""
    from memkit.faces.kit import AsyncMemoryKit  # noqa: PLC0415 - as above

    manager: Any = create_async_memory_manager(settings, **overrides)
    return AsyncMemoryKit(manager)
