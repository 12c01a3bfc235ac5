"""The embedded backend: a real Valkey server that the processes of one machine share, kept in a directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from memkit.backends.redis.manager import async_backend, server_options_of, sync_backend
from memkit.backends.redis.target import Target
from memkit.config import Settings
from memkit.embedded import Attachment, attach
from memkit.errors import ConfigurationError
from memkit.faces.manager import AsyncMemoryManager, MemoryManager
from memkit.faces.options import options_of
from memkit.providers import Provider

__all__ = ["provider"]


@contextmanager
def _attached(settings: Settings) -> Iterator[Attachment]:
    """The server of a directory, given back where its backend cannot be made."""
    if settings.directory is None:
        raise ConfigurationError(["the embedded backend needs a directory: set MEMKIT_URL to embedded:///directory"])
    attachment = attach(settings.directory)
    try:
        yield attachment
    except BaseException:
        attachment.close()
        raise


def _target(attachment: Attachment, settings: Settings) -> Target:
    return Target(mode="standalone", path=attachment.socket_path, protocol=settings.protocol)


def _manager(settings: Settings) -> MemoryManager:
    with _attached(settings) as attachment:
        backend = sync_backend(_target(attachment, settings), _options(settings), attachment.close)
    return MemoryManager(backend, **options_of(settings))


def _async_manager(settings: Settings) -> AsyncMemoryManager:
    with _attached(settings) as attachment:
        backend = async_backend(_target(attachment, settings), _options(settings), attachment.close)
    return AsyncMemoryManager(backend, **options_of(settings))


def _options(settings: Settings) -> dict[str, Any]:
    return {**server_options_of(settings), "namespace": settings.namespace}


provider = Provider("embedded", _manager, _async_manager)
