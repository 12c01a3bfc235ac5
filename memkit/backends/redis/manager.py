"""Managers that keep their memories on a Redis or Valkey server."""

from __future__ import annotations

import math
from typing import Any, Literal, TypedDict, Unpack

from attrs import evolve

from memkit.backends.redis.clients import AsyncClientLink, ClientLink, async_cluster_link, check_client, cluster_link
from memkit.backends.redis.discovery import Timeouts
from memkit.backends.redis.driver import AsyncLink, AsyncRedisBackend, Hook, Link, RedisBackend
from memkit.backends.redis.loops import Loops
from memkit.backends.redis.pool import Pool
from memkit.backends.redis.target import Target, parse_url
from memkit.config import Settings
from memkit.errors import ConfigurationError
from memkit.faces.manager import AsyncMemoryManager, MemoryManager
from memkit.faces.options import DEFAULT_NAMESPACE, Options, options_of
from memkit.policy import RetryPolicy
from memkit.providers import Provider

__all__ = [
    "AsyncRedisMemoryManager",
    "RedisMemoryManager",
    "ServerOptions",
    "backend_arguments",
    "provider",
    "server_options_of",
]


class ServerOptions(TypedDict, total=False):
    """Options of everything that talks to a server.

    Attributes:
        retry: how often and how long a call is tried.
        on_retry: called with a `RetryEvent` after each failed try.
        pool_size: how many connections at most; an async manager has one for each event loop.
        connect_timeout: seconds to open a connection.
        attempt_timeout: seconds for one try.
        protocol: RESP version, 2 or 3; that of the URL if left out.
    """

    retry: RetryPolicy
    on_retry: Hook
    pool_size: int
    connect_timeout: float
    attempt_timeout: float
    protocol: Literal[2, 3]


class ManagerOptions(ServerOptions, Options, total=False):
    """`ServerOptions` and the options of every manager."""


def _split(options: ManagerOptions) -> tuple[dict[str, Any], Options]:
    """The options of the server, and those of the manager; the namespace is for both."""
    server = {name: value for name, value in options.items() if name not in Options.__annotations__}
    rest: Any = {name: value for name, value in options.items() if name not in server}
    server["namespace"] = options.get("namespace", DEFAULT_NAMESPACE)
    unknown = sorted(set(server) - set(ServerOptions.__annotations__) - {"namespace"})
    if unknown:
        known = ", ".join(sorted({*Options.__annotations__, *ServerOptions.__annotations__}))
        raise ConfigurationError([f"{unknown[0]} is no option: use one of {known}"])
    return server, rest


def backend_arguments(server: dict[str, Any]) -> tuple[str, RetryPolicy, Timeouts, int, Hook | None]:
    """Namespace, policy, timeouts, pool size and hook, checked.

    Raises:
        ConfigurationError: one of them cannot be used.
    """
    namespace, size = server["namespace"], server.get("pool_size", 8)
    timeouts = Timeouts(server.get("connect_timeout", 2.0), server.get("attempt_timeout", 2.0))
    policy = server.get("retry", RetryPolicy())
    problems = {
        "namespace must be a str that is not empty": type(namespace) is not str or not namespace,
        "pool_size must be a whole number from 1": type(size) is not int or size < 1,
        "connect_timeout and attempt_timeout must be seconds above zero": not (
            _is_seconds(timeouts.connect) and _is_seconds(timeouts.attempt)
        ),
        "retry must be a RetryPolicy": not isinstance(policy, RetryPolicy),
    }
    found = [problem for problem, is_there in problems.items() if is_there]
    if found:
        raise ConfigurationError(found)
    return namespace, policy, timeouts.within(policy.deadline), size, server.get("on_retry")


def _is_seconds(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < math.inf


def _target(url: str | Target, server: dict[str, Any]) -> Target:
    target = parse_url(url) if isinstance(url, str) else url
    return evolve(target, protocol=server["protocol"]) if "protocol" in server else target


def _link(source: Any, server: dict[str, Any], timeouts: Timeouts, size: int) -> Link:
    if not isinstance(source, str | Target):
        check_client(source, asynchronous=False)
        return ClientLink(lambda: source, owned=False, name=type(source).__name__)
    target = _target(source, server)
    return cluster_link(target, timeouts, size) if target.mode == "cluster" else Pool(target, size, timeouts)


def _async_link(source: Any, server: dict[str, Any], timeouts: Timeouts, size: int) -> AsyncLink:
    if not isinstance(source, str | Target):
        check_client(source, asynchronous=True)
        return AsyncClientLink(lambda: source, owned=False, name=type(source).__name__, timeouts=timeouts)
    target = _target(source, server)
    return async_cluster_link(target, timeouts, size) if target.mode == "cluster" else Loops(target, timeouts)


class RedisMemoryManager(MemoryManager):
    """Memories on a Redis (6.2 or newer) or Valkey server, cluster, or behind sentinels. For threads.

    Nothing is connected before the first call. Every write is atomic, and stored once however often its reply is lost.

    Args:
        url_or_client: a URL such as ``redis://host:6379/0``, a `Target`, or a `redis.Redis` or `RedisCluster` client,
            which is used as it is (its own retries and timeouts too) and never closed.
        options: see `ServerOptions` and `memkit.faces.options.Options`.

    Raises:
        ConfigurationError: the URL, the client or an option cannot be used.
    """

    def __init__(self, url_or_client: Any, **options: Unpack[ManagerOptions]) -> None:
        server, rest = _split(options)
        namespace, policy, timeouts, size, hook = backend_arguments(server)
        link = _link(url_or_client, server, timeouts, size)
        super().__init__(RedisBackend(link, namespace, policy, hook), **rest)


class AsyncRedisMemoryManager(AsyncMemoryManager):
    """`RedisMemoryManager` for asyncio: one connection carries the calls of all tasks of a loop.

    Args:
        url_or_client: a URL, a `Target`, or a client of `redis.asyncio`.
        options: see `ServerOptions` and `memkit.faces.options.Options`.

    Raises:
        ConfigurationError: the URL, the client or an option cannot be used.
    """

    def __init__(self, url_or_client: Any, **options: Unpack[ManagerOptions]) -> None:
        server, rest = _split(options)
        namespace, policy, timeouts, size, hook = backend_arguments(server)
        link = _async_link(url_or_client, server, timeouts, size)
        super().__init__(AsyncRedisBackend(link, namespace, policy, hook), **rest)


def server_options_of(settings: Settings) -> ServerOptions:
    """The server's options that settings ask for."""
    policy = RetryPolicy(
        attempts=settings.retry_attempts,
        deadline=settings.retry_deadline,
        initial=settings.retry_initial,
        cap=settings.retry_cap,
    )
    return ServerOptions(
        retry=policy,
        pool_size=settings.pool_size,
        connect_timeout=settings.connect_timeout,
        attempt_timeout=settings.attempt_timeout,
    )


provider = Provider(
    "redis",
    lambda settings: RedisMemoryManager(settings.target(), **server_options_of(settings), **options_of(settings)),
    lambda settings: AsyncRedisMemoryManager(settings.target(), **server_options_of(settings), **options_of(settings)),
)
