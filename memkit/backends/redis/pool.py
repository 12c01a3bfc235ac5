"""The sync link: a small pool of redis-py connections, used through their public API."""

from __future__ import annotations

import os
import queue
import ssl
import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from memkit.backends.redis.calls import Commands, packed
from memkit.backends.redis.discovery import Finder, Timeouts, tls_arguments
from memkit.backends.redis.faults import Down, Fault, Lost, Refused, closed, refusal, tls_fault
from memkit.backends.redis.target import Target
from memkit.retrying import remaining

__all__ = ["Pool", "fault_of"]

# A connection that rested for longer is looked at before it is used: the server may have closed it.
_RESTED = 2.0
# Zero would make a socket that does not wait at all.
_LEAST = 0.001

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

_ERROR_REPLIES = (
    redis.exceptions.ResponseError,
    redis.exceptions.BusyLoadingError,
    redis.exceptions.AuthenticationError,
)


def fault_of(error: Exception) -> Fault:
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


class Pool:
    """Last in, first out; opens at most `size` connections, and waits for a free one.

    Args:
        target: the server, or the sentinels that know it.
        size: how many connections at most.
        timeouts: of connecting and of one try, in seconds.
    """

    def __init__(self, target: Target, size: int, timeouts: Timeouts) -> None:
        self._target = target
        self._size = size
        self._timeouts = timeouts
        self._finder = Finder(target, timeouts)
        self._closed = False
        self._fill()

    def __str__(self) -> str:
        return str(self._target)

    def _fill(self) -> None:
        """All places empty, as at the start."""
        self._pid = os.getpid()
        # The finder's address may be that of a connection which a fork has left to the parent: it is asked for anew.
        self._places: queue.LifoQueue[tuple[Any, float]] = queue.LifoQueue()
        for _ in range(self._size):
            self._places.put((None, 0.0))

    def exchange(self, commands: Commands) -> list[Any]:
        """Send commands in one write and return their replies.

        Raises:
            Fault: a reply is an error, or did not come.
        """
        connection, used = self._take()
        try:
            connection = self._ready(connection, used)
            replies = _talk(connection, packed(commands), len(commands), self._patience())
        except BaseException:
            self._give_back(None)
            raise
        self._give_back(connection)
        return _checked(replies)

    def _take(self) -> tuple[Any, float]:
        if self._closed:
            raise closed()
        if self._pid != os.getpid():
            self._fill()
        try:
            return self._places.get_nowait()
        except queue.Empty:
            return self._await_place()

    def _await_place(self) -> tuple[Any, float]:
        wait = self._patience()
        try:
            return self._places.get(timeout=wait)
        except queue.Empty:
            raise Down(f"all {self._size} connections were busy for {wait:.1f} s: raise pool_size") from None

    def _patience(self) -> float:
        """Seconds that one step of the call may take."""
        left = remaining()
        return self._timeouts.attempt if left is None else min(left, self._timeouts.attempt)

    def _give_back(self, connection: Any) -> None:
        if connection is not None and (self._closed or connection.socket_timeout < self._timeouts.attempt / 2):
            # Made by a call that had little time left, it would be too hasty for others.
            connection.disconnect()
            connection = None
        self._places.put((connection, time.monotonic()))

    def _ready(self, connection: Any, used: float) -> Any:
        if connection is not None and time.monotonic() - used > _RESTED and _is_stale(connection):
            connection = None
        return connection if connection is not None else self._connect()

    def _connect(self) -> Any:
        host, port = self._finder.find()
        patience = max(self._patience(), _LEAST)
        connection = _make(self._target, host, port, min(patience, self._timeouts.connect), patience)
        try:
            connection.connect()
        except redis.exceptions.RedisError as error:
            raise _not_connected(error, self._target) from None
        except (OSError, ValueError) as error:
            raise _unusable(error) from None
        return connection

    def rediscover(self, *, leave: bool) -> None:
        """Forget the address and close the connections that rest; they are broken, or their server is the wrong one."""
        del leave
        self._finder.forget()
        self._close_resting()

    def close(self) -> None:
        """Close the connections that rest now, and those in use when they are given back."""
        self._closed = True
        self._close_resting()

    def _close_resting(self) -> None:
        if self._pid != os.getpid():
            return
        resting = []
        while True:
            try:
                resting.append(self._places.get_nowait())
            except queue.Empty:
                break
        for connection, _ in resting:
            if connection is not None:
                connection.disconnect()
            self._places.put((None, 0.0))


def _not_connected(error: Exception, target: Target) -> Fault:
    fault = fault_of(error)
    if isinstance(fault, Refused):
        return fault
    cause = error.__context__
    if target.tls is not None and isinstance(cause, OSError):
        return tls_fault(cause)
    # Nothing of the call was sent yet, whatever went wrong.
    return Down(str(error))


def _unusable(error: Exception) -> Down:
    if isinstance(error, ssl.SSLError):
        return tls_fault(error)
    return Down(f"cannot connect ({type(error).__name__}: {error})", final=isinstance(error, FileNotFoundError))


def _is_stale(connection: Any) -> bool:
    try:
        stale = bool(connection.can_read(0))
    except (redis.exceptions.RedisError, OSError):
        stale = True
    if stale:
        connection.disconnect()
    return stale


def _talk(connection: Any, data: bytes, count: int, patience: float) -> list[Any]:
    """Send and read. After anything but an error reply the connection is of no more use."""
    try:
        connection.send_packed_command([data], check_health=False)
        if patience < connection.socket_timeout:
            _await_reply(connection, patience)
        return _replies(connection, count)
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError) as error:
        connection.disconnect()
        raise Lost(f"no reply ({type(error).__name__})") from None
    except redis.exceptions.InvalidResponse:
        connection.disconnect()
        raise Lost("the reply is not RESP") from None
    except BaseException:
        connection.disconnect()
        raise


def _await_reply(connection: Any, patience: float) -> None:
    """Wait for less than the connection's own timeout."""
    if not connection.can_read(patience):
        raise redis.exceptions.TimeoutError


def _replies(connection: Any, count: int) -> list[Any]:
    replies: list[Any] = []
    for _ in range(count):
        replies.append(_reply(connection))
        # redis-py hangs up by itself after a reply that refuses the login.
        if isinstance(replies[-1], Fault) and not connection.is_connected:
            break
    return replies


def _reply(connection: Any) -> Any:
    try:
        return connection.read_response(disable_decoding=True)
    except _ERROR_REPLIES as error:
        return fault_of(error)


def _checked(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, Fault):
            raise reply
    return replies


def _make(target: Target, host: str, port: int, connect_timeout: float, timeout: float) -> Any:
    common: dict[str, Any] = {
        "db": target.db,
        "username": target.username,
        "password": target.password,
        "client_name": target.client_name,
        "protocol": target.protocol,
        "socket_connect_timeout": connect_timeout,
        "socket_timeout": timeout,
        # memkit tries again itself; two layers would multiply.
        "retry": Retry(NoBackoff(), 0),
    }
    if target.path is not None:
        kind: Any = redis.UnixDomainSocketConnection
        return kind(path=target.path, **common)
    common |= {"host": host, "port": port, "socket_keepalive": True}
    kind = redis.Connection if target.tls is None else redis.SSLConnection
    return kind(**common, **(tls_arguments(target.tls) if target.tls else {}))
