"""Managers that keep their memories on a Redis or Valkey server."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, TypedDict, Unpack

from attrs import evolve

from memkit.backends.redis.cluster import AsyncClusterLink, ClusterLink
from memkit.backends.redis.discovery import Timeouts
from memkit.backends.redis.driver import AsyncLink, AsyncRedisBackend, Hook, Link, RedisBackend
from memkit.backends.redis.keys import KeySpace
from memkit.backends.redis.loops import Loops
from memkit.backends.redis.pool import Pool
from memkit.backends.redis.sheaf import Sheaf
from memkit.backends.redis.target import Target, parse_url
from memkit.backends.redis.tracked import AsyncTrackedBackend, TrackedBackend
from memkit.backends.redis.tracking import AsyncTracking, Tracking
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
    "async_backend",
    "provider",
    "server_options_of",
    "sync_backend",
]

# The version of the protocol in which the server can say something unasked.
_PUSHES = 3


class ServerOptions(TypedDict, total=False):
    """Options of everything that talks to a server.

    Attributes:
        retry: how often and how long a call is tried.
        on_retry: called with a `RetryEvent` after each failed try.
        pool_size: how many connections a sync manager opens at most, to each node of a cluster.
        connections: how many an async manager has for each event loop, to each node of a cluster; one carries the
            calls of all tasks, which is enough unless values are large or the server has I/O threads to spare.
        connect_timeout: seconds to open a connection.
        attempt_timeout: seconds for one try.
        protocol: RESP version, 2 or 3; that of the URL if left out.
        cached_reads: how many results of reads are kept until the server says that they changed, see docs/caching.md;
            0: none. Not for a cluster or a client of your own.
    """

    retry: RetryPolicy
    on_retry: Hook
    pool_size: int
    connections: int
    connect_timeout: float
    attempt_timeout: float
    protocol: Literal[2, 3]
    cached_reads: int


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


def _arguments(server: dict[str, Any]) -> tuple[str, RetryPolicy, Timeouts, int, Hook | None]:
    """Namespace, policy, timeouts, pool size and hook, checked.

    Raises:
        ConfigurationError: one of them cannot be used.
    """
    namespace, size = server["namespace"], server.get("pool_size", 8)
    timeouts = Timeouts(server.get("connect_timeout", 2.0), server.get("attempt_timeout", 2.0))
    policy = server.get("retry", RetryPolicy())
    problems = {
        "namespace must be a str that is not empty": type(namespace) is not str or not namespace,
        "pool_size must be a whole number from 1": not _is_count(size),
        "connections must be a whole number from 1": not _is_count(server.get("connections", 1)),
        "cached_reads must be a whole number from 0": not _is_count(server.get("cached_reads", 0), least=0),
        "connect_timeout and attempt_timeout must be seconds above zero": not (
            _is_seconds(timeouts.connect) and _is_seconds(timeouts.attempt)
        ),
        "retry must be a RetryPolicy": not isinstance(policy, RetryPolicy),
    }
    found = [problem for problem, is_there in problems.items() if is_there]
    if found:
        raise ConfigurationError(found)
    return namespace, policy, timeouts.within(policy.deadline), size, server.get("on_retry")


def _is_count(value: Any, least: int = 1) -> bool:
    return type(value) is int and value >= least


def _is_seconds(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < math.inf


def _target(url: str | Target, server: dict[str, Any]) -> Target:
    target = parse_url(url) if isinstance(url, str) else url
    return evolve(target, protocol=server["protocol"]) if "protocol" in server else target


def _link(source: Any, server: dict[str, Any], timeouts: Timeouts, size: int) -> Link:
    if not isinstance(source, str | Target):
        from memkit.backends.redis.clients import ClientLink, check_client  # noqa: PLC0415 - who has a client loaded it

        check_client(source, asynchronous=False)
        return ClientLink(source)

    def node(target: Target) -> Pool:
        return Pool(target, size, timeouts)

    target = _target(source, server)
    return ClusterLink(target, timeouts, node) if target.mode == "cluster" else node(target)


def _async_link(source: Any, server: dict[str, Any], timeouts: Timeouts) -> AsyncLink:
    if not isinstance(source, str | Target):
        from memkit.backends.redis.clients import AsyncClientLink, check_client  # noqa: PLC0415 - as in `_link`

        check_client(source, asynchronous=True)
        return AsyncClientLink(source, timeouts)

    def node(target: Target) -> Loops | Sheaf:
        links = [Loops(target, timeouts) for _ in range(server.get("connections", 1))]
        return links[0] if len(links) == 1 else Sheaf(links)

    target = _target(source, server)
    return AsyncClusterLink(target, timeouts, node) if target.mode == "cluster" else node(target)


def _tracked(source: Any, server: dict[str, Any]) -> Target:
    """The server whose reads can be kept.

    Raises:
        ConfigurationError: they cannot.
    """
    target = _target(source, server) if isinstance(source, str | Target) else None
    problems = {
        "cached_reads needs a connection of its own, and a client has none to give: pass a URL": target is None,
        "cached_reads is not for a cluster: leave it out": target is not None and target.mode == "cluster",
        "cached_reads needs RESP 3: leave protocol out": target is not None and target.protocol != _PUSHES,
    }
    found = [problem for problem, is_there in problems.items() if is_there]
    if target is None or found:
        raise ConfigurationError(found)
    return target


def sync_backend(source: Any, server: dict[str, Any], on_close: Callable[[], None] = lambda: None) -> RedisBackend:
    """The backend for a server.

    Args:
        source: a URL, a `Target` or a client.
        server: the options in `ServerOptions`, and the namespace.
        on_close: called once the backend is closed.

    Raises:
        ConfigurationError: one of them cannot be used.
    """
    namespace, policy, timeouts, size, hook = _arguments(server)
    link, kept = _link(source, server, timeouts, size), server.get("cached_reads", 0)
    if not kept:
        return RedisBackend(link, namespace, policy, hook, on_close)
    tracking = Tracking(link, _tracked(source, server), timeouts, KeySpace(namespace), kept)
    return TrackedBackend(tracking, namespace, policy, hook, on_close)


def async_backend(
    source: Any, server: dict[str, Any], on_close: Callable[[], None] = lambda: None
) -> AsyncRedisBackend:
    """See `sync_backend`."""
    namespace, policy, timeouts, _, hook = _arguments(server)
    link, kept = _async_link(source, server, timeouts), server.get("cached_reads", 0)
    if not kept:
        return AsyncRedisBackend(link, namespace, policy, hook, on_close)
    tracking = AsyncTracking(link, _tracked(source, server), timeouts, KeySpace(namespace), kept)
    return AsyncTrackedBackend(tracking, namespace, policy, hook, on_close)


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
        super().__init__(sync_backend(url_or_client, server), **rest)


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
        super().__init__(async_backend(url_or_client, server), **rest)


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
        connections=settings.connections,
        connect_timeout=settings.connect_timeout,
        attempt_timeout=settings.attempt_timeout,
        cached_reads=settings.cached_reads,
    )


provider = Provider(
    "redis",
    lambda settings: RedisMemoryManager(settings.target(), **server_options_of(settings), **options_of(settings)),
    lambda settings: AsyncRedisMemoryManager(settings.target(), **server_options_of(settings), **options_of(settings)),
)
