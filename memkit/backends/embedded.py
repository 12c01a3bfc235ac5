"""The embedded backend: a real Valkey server that the processes of one machine share, kept in a directory."""

from __future__ import annotations

from typing import Any

from memkit.backends.redis.driver import AsyncRedisBackend, RedisBackend
from memkit.backends.redis.loops import Loops
from memkit.backends.redis.manager import backend_arguments, server_options_of
from memkit.backends.redis.pool import Pool
from memkit.backends.redis.target import Target
from memkit.config import Settings
from memkit.embedded import Attachment, attach
from memkit.errors import ConfigurationError
from memkit.faces.manager import AsyncMemoryManager, MemoryManager
from memkit.faces.options import options_of
from memkit.providers import Provider

__all__ = ["provider"]


def _attach(settings: Settings) -> Attachment:
    if settings.directory is None:
        raise ConfigurationError(["the embedded backend needs a directory: set MEMKIT_URL to embedded:///directory"])
    return attach(settings.directory)


def _target(attachment: Attachment, settings: Settings) -> Target:
    return Target(mode="standalone", path=attachment.socket_path, protocol=settings.protocol)


def _manager(settings: Settings) -> MemoryManager:
    attachment = _attach(settings)
    namespace, policy, timeouts, size, hook = _arguments(settings)
    link = Pool(_target(attachment, settings), size, timeouts)
    backend = RedisBackend(link, namespace, policy, hook, on_close=attachment.close)
    return MemoryManager(backend, **options_of(settings))


def _async_manager(settings: Settings) -> AsyncMemoryManager:
    attachment = _attach(settings)
    namespace, policy, timeouts, _, hook = _arguments(settings)
    link = Loops(_target(attachment, settings), timeouts)
    backend = AsyncRedisBackend(link, namespace, policy, hook, on_close=attachment.close)
    return AsyncMemoryManager(backend, **options_of(settings))


def _arguments(settings: Settings) -> Any:
    return backend_arguments({**server_options_of(settings), "namespace": settings.namespace})


provider = Provider("embedded", _manager, _async_manager)
