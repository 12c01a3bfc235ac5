"""Links over a redis-py client, used through its public API: an injected one, or a cluster client of our own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from redis.asyncio.cluster import ClusterNode as AsyncClusterNode
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry

from memkit.backends.redis.calls import Commands
from memkit.backends.redis.discovery import Timeouts, tls_arguments
from memkit.backends.redis.faults import Down, Fault, Lost, Refused
from memkit.backends.redis.pool import fault_of
from memkit.backends.redis.target import Target
from memkit.errors import ConfigurationError
from memkit.retrying import remaining

__all__ = ["AsyncClientLink", "ClientLink", "async_cluster_link", "check_client", "cluster_link"]

_SYNC = (redis.Redis, RedisCluster)
_ASYNC = (redis.asyncio.Redis, AsyncRedisCluster)


def check_client(client: Any, *, asynchronous: bool) -> None:
    """Refuse a client of the wrong colour, or one that decodes replies: records are bytes.

    Raises:
        ConfigurationError: it cannot be used.
    """
    right, wrong = (_ASYNC, _SYNC) if asynchronous else (_SYNC, _ASYNC)
    if isinstance(client, wrong):
        colour, cure = ("sync", "redis.asyncio") if asynchronous else ("async", "redis")
        raise ConfigurationError([f"the client is {colour}: give this manager one of {cure}"])
    if not isinstance(client, right):
        raise ConfigurationError([f"a URL or a redis-py client is needed, not {type(client).__name__}"])
    if client.get_encoder().decode_responses:
        raise ConfigurationError(["the client decodes replies: build it with decode_responses=False"])


# Not all of them are a RedisError.
_ERRORS = (
    redis.exceptions.RedisError,
    redis.exceptions.RedisClusterException,
    redis.exceptions.ClusterError,
    OSError,
)


def _as_fault(error: Exception) -> Fault:
    if not isinstance(error, redis.exceptions.RedisClusterException | redis.exceptions.ClusterError):
        return fault_of(error)
    cause = error.__cause__
    fault = fault_of(cause) if isinstance(cause, Exception) else fault_of(error)
    if isinstance(fault, Refused):
        return fault
    reason = f"the cluster did not answer ({type(cause or error).__name__})"
    return Down(reason) if "cannot be connected" in str(error) else Lost(reason)


def _execute(client: Any, command: tuple[Any, ...]) -> Any:
    if command[0] != "SCAN" or not isinstance(client, RedisCluster):
        return client.execute_command(*command)
    # A node knows its own keys alone.
    return 0, list(client.scan_iter(match=command[3], count=command[5]))


async def _aexecute(client: Any, command: tuple[Any, ...]) -> Any:
    if command[0] != "SCAN" or not isinstance(client, AsyncRedisCluster):
        return await client.execute_command(*command)
    return 0, [key async for key in client.scan_iter(match=command[3], count=command[5])]


class ClientLink:
    """Sends calls through a client; what it does by itself on errors is its own.

    Args:
        make: returns the client; called again after a fork.
        owned: whether the client is ours to close.
        name: for errors.
    """

    def __init__(self, make: Callable[[], Any], *, owned: bool, name: str) -> None:
        self._make = make
        self._owned = owned
        self._name = name
        self._client: Any = None
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return self._name

    def exchange(self, commands: Commands) -> list[Any]:
        """Send commands, one after the other.

        Raises:
            Fault: a reply is an error, or did not come.
        """
        try:
            client = self._open()
            return [_execute(client, command) for command in commands]
        except _ERRORS as error:
            raise _as_fault(error) from None

    def _open(self) -> Any:
        if self._client is None or (self._owned and self._pid != os.getpid()):
            self._make_one()
        return self._client

    def _make_one(self) -> None:
        with self._lock:
            # Another thread may have been faster.
            if self._client is None or (self._owned and self._pid != os.getpid()):
                self._client, self._pid = self._make(), os.getpid()

    def rediscover(self, *, leave: bool) -> None:
        """A client finds its server itself."""

    def close(self) -> None:
        """Close the client if it is ours."""
        if self._owned and self._client is not None:
            self._client.close()
            self._client = None


class AsyncClientLink:
    """`ClientLink` for asyncio.

    Args:
        make: returns the client; called once for each loop if the client is ours.
        owned: whether the client is ours to close.
        name: for errors.
        timeouts: one try is cut off at these, whatever the client's own are.
    """

    def __init__(self, make: Callable[[], Any], *, owned: bool, name: str, timeouts: Timeouts) -> None:
        self._make = make
        self._owned = owned
        self._name = name
        self._timeouts = timeouts
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()

    def __str__(self) -> str:
        return self._name

    async def exchange(self, commands: Commands) -> list[Any]:
        """Send commands, one after the other.

        Raises:
            Fault: a reply is an error, or did not come.
        """
        left = remaining()
        timeout = self._timeouts.connect + self._timeouts.attempt
        try:
            async with asyncio.timeout(timeout if left is None else min(left, timeout)):
                client = self._open()
                if isinstance(client, AsyncRedisCluster):
                    # redis-py does this itself, but not for several calls at the same time.
                    await client.initialize()
                return [await _aexecute(client, command) for command in commands]
        except TimeoutError:
            raise Lost("no reply in time") from None
        except _ERRORS as error:
            raise _as_fault(error) from None

    def _open(self) -> Any:
        if not self._owned:
            return self._make()
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = self._make()
        return client

    def rediscover(self, *, leave: bool) -> None:
        """A client finds its server itself."""

    async def aclose(self) -> None:
        """Close the clients that are ours."""
        clients, self._clients = self._clients, WeakKeyDictionary()
        current = asyncio.get_running_loop()
        for loop, client in clients.items():
            if loop is current:
                await client.aclose()


def _cluster_arguments(target: Target, timeouts: Timeouts) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "username": target.username,
        "password": target.password,
        "protocol": target.protocol,
        "socket_timeout": timeouts.attempt,
        "socket_connect_timeout": timeouts.connect,
        # memkit tries again itself; two layers would multiply.
        "retry": Retry(NoBackoff(), 0),
    }
    if target.client_name is not None:
        arguments["client_name"] = target.client_name
    if target.tls is not None:
        arguments |= {"ssl": True, **tls_arguments(target.tls)}
    return arguments


def cluster_link(target: Target, timeouts: Timeouts, size: int) -> ClientLink:
    """A link over a cluster client of our own, opened when it is first used."""
    node: Any = ClusterNode
    nodes = [node(host, port) for host, port in target.addresses]
    arguments = _cluster_arguments(target, timeouts) | {"max_connections": size}
    return ClientLink(lambda: RedisCluster(startup_nodes=nodes, **arguments), owned=True, name=str(target))


def async_cluster_link(target: Target, timeouts: Timeouts, size: int) -> AsyncClientLink:
    """`cluster_link` for asyncio."""
    arguments = _cluster_arguments(target, timeouts) | {"max_connections": size}

    def make() -> Any:
        nodes = [AsyncClusterNode(host, port) for host, port in target.addresses]
        return AsyncRedisCluster(startup_nodes=nodes, **arguments)

    return AsyncClientLink(make, owned=True, name=str(target), timeouts=timeouts)
