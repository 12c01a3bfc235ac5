"""Links over a redis-py client of the caller's, used through its public API."""

from __future__ import annotations

import asyncio
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.cluster import RedisCluster

from memkit.backends.redis.calls import Commands
from memkit.backends.redis.discovery import Timeouts
from memkit.backends.redis.faults import Down, Fault, Lost, Refused, accepted, refusal
from memkit.errors import ConfigurationError
from memkit.retrying import remaining

__all__ = ["AsyncClientLink", "ClientLink", "check_client"]

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


_CODES: dict[type[Exception], str] = {
    redis.exceptions.BusyLoadingError: "LOADING",
    redis.exceptions.NoScriptError: "NOSCRIPT",
    redis.exceptions.OutOfMemoryError: "OOM",
    redis.exceptions.ReadOnlyError: "READONLY",
    redis.exceptions.NoPermissionError: "NOPERM",
    redis.exceptions.TryAgainError: "TRYAGAIN",
    redis.exceptions.MovedError: "MOVED",
    redis.exceptions.AskError: "ASK",
    redis.exceptions.ClusterDownError: "CLUSTERDOWN",
    redis.exceptions.ClusterCrossSlotError: "CROSSSLOT",
    redis.exceptions.MasterDownError: "MASTERDOWN",
    redis.exceptions.ExecAbortError: "EXECABORT",
}


def _fault_of(error: Exception) -> Fault:
    """The fault of an exception of redis-py."""
    if isinstance(error, redis.exceptions.AuthenticationError | redis.exceptions.AuthorizationError):
        return Refused("WRONGPASS", "the user or the password is wrong, or one is needed")
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return refusal(f"{code} {error}")
    if isinstance(error, redis.exceptions.ResponseError):
        # The code that redis-py takes off a reply is kept beside its text.
        return refusal(f"{error.status_code} {error}" if error.status_code else str(error))
    if isinstance(error, redis.exceptions.ConnectionError) and "max number of clients" in str(error):
        return refusal("MAXCLIENTS the server has its maximum of clients")
    if isinstance(error, redis.exceptions.MaxConnectionsError) or "connecting to" in str(error):
        return Down(str(error))
    return Lost(f"no reply ({type(error).__name__})")


# Not all of them are a RedisError.
_ERRORS = (
    redis.exceptions.RedisError,
    redis.exceptions.RedisClusterException,
    redis.exceptions.ClusterError,
    OSError,
)


def _as_fault(error: Exception) -> Fault:
    if not isinstance(error, redis.exceptions.RedisClusterException | redis.exceptions.ClusterError):
        return _fault_of(error)
    cause = error.__cause__
    fault = _fault_of(cause) if isinstance(cause, Exception) else _fault_of(error)
    if isinstance(fault, Refused):
        return fault
    reason = f"the cluster did not answer ({type(cause or error).__name__})"
    return Down(reason) if "cannot be connected" in str(error) else Lost(reason)


def _refused(error: Exception) -> Refused:
    """An error reply.

    Raises:
        Fault: there was none.
    """
    fault = _as_fault(error)
    if isinstance(fault, Refused):
        return fault
    raise fault from None


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
    """Sends calls through a client; what it does by itself on errors is its own, and so is its life.

    Args:
        client: of the caller.
    """

    def __init__(self, client: Any) -> None:
        self.is_cluster = isinstance(client, RedisCluster)
        self._client = client

    def __str__(self) -> str:
        return type(self._client).__name__

    def exchange(self, commands: Commands, *, fresh: bool = False) -> list[Any]:
        """Send commands, one after the other.

        Raises:
            Fault: a reply is an error, or did not come.
        """
        del fresh  # a client has timeouts of its own
        return accepted(self.replies(commands))

    def replies(self, commands: Commands) -> list[Any]:
        """The same with errors among the replies.

        Raises:
            Fault: they did not come.
        """
        return [self._reply(command) for command in commands]

    def _reply(self, command: tuple[Any, ...]) -> Any:
        try:
            return _execute(self._client, command)
        except _ERRORS as error:
            return _refused(error)

    def rediscover(self, *, leave: bool) -> None:
        """A client finds its server itself."""

    def close(self) -> None:
        """The client stays open."""


class AsyncClientLink:
    """`ClientLink` for asyncio.

    Args:
        client: of the caller.
        timeouts: one try is cut off at these, whatever the client's own are.
    """

    def __init__(self, client: Any, timeouts: Timeouts) -> None:
        self.is_cluster = isinstance(client, AsyncRedisCluster)
        self._client = client
        self._timeouts = timeouts

    def __str__(self) -> str:
        return type(self._client).__name__

    def begin(self, commands: Commands) -> None:
        """A client has things to wait for before it sends."""

    async def exchange(self, commands: Commands) -> list[Any]:
        """Send commands, one after the other.

        Raises:
            Fault: a reply is an error, or did not come.
        """
        return accepted(await self.replies(commands))

    async def replies(self, commands: Commands) -> list[Any]:
        """The same with errors among the replies.

        Raises:
            Fault: they did not come.
        """
        left = remaining()
        timeout = self._timeouts.connect + self._timeouts.attempt
        try:
            async with asyncio.timeout(timeout if left is None else min(left, timeout)):
                if self.is_cluster:
                    # redis-py does this itself, but not for several calls at the same time.
                    await self._client.initialize()
                return [await self._reply(command) for command in commands]
        except TimeoutError:
            raise Lost("no reply in time") from None
        except _ERRORS as error:
            raise _as_fault(error) from None

    async def _reply(self, command: tuple[Any, ...]) -> Any:
        try:
            return await _aexecute(self._client, command)
        except TimeoutError:
            raise
        except _ERRORS as error:
            return _refused(error)

    def rediscover(self, *, leave: bool) -> None:
        """A client finds its server itself."""

    async def aclose(self) -> None:
        """The client stays open."""
