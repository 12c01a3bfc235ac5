"""The Redis backend in both colours: the only place that waits, sleeps or repeats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from memkit.backends.base import IAsyncBackend, IBackend
from memkit.backends.redis import about, branch, index, log, record, server, table
from memkit.backends.redis.calls import Call, Commands, Token, Wiring
from memkit.backends.redis.faults import RULINGS, Fault, Refused, error_of, is_transient, wants_discovery
from memkit.backends.redis.keys import KeySpace
from memkit.backends.redis.lanes import NO_TOKEN, Lanes
from memkit.backends.redis.scripts import source_of
from memkit.commands import Command, Effect
from memkit.errors import MemkitError, OutcomeUnknownError
from memkit.policy import RetryPolicy
from memkit.retrying import RetryEvent, retry

__all__ = ["AsyncRedisBackend", "RedisBackend"]

T = TypeVar("T")
Hook = Callable[[RetryEvent], None]

_BUILDERS: dict[type, Callable[[Any, Token, Wiring], Call]] = {
    **about.BUILDERS,
    **branch.BUILDERS,
    **index.BUILDERS,
    **log.BUILDERS,
    **record.BUILDERS,
    **server.BUILDERS,
    **table.BUILDERS,
}
_NAME = "memkit.redis"
_PING = Call((("PING",),), lambda replies: replies[0] in (b"PONG", "PONG", True))
# The server remembers what was applied for longer than any call is tried, clocks that differ by a minute included.
_WINDOW_FACTOR = 4
_LEAST_WINDOW = 120.0


class Link(Protocol):
    """Sends calls, once."""

    def exchange(self, commands: Commands) -> list[Any]: ...
    def rediscover(self, *, leave: bool) -> None: ...
    def close(self) -> None: ...


class AsyncLink(Protocol):
    """Sends calls, once, for asyncio."""

    async def exchange(self, commands: Commands) -> list[Any]: ...
    def rediscover(self, *, leave: bool) -> None: ...
    async def aclose(self) -> None: ...


class _Trip:
    """One call through all its tries."""

    __slots__ = ("call", "in_doubt", "writes")

    def __init__(self, call: Call, *, writes: bool) -> None:
        self.call = call
        self.writes = writes
        self.in_doubt = False

    def note(self, fault: Fault) -> bool:
        """Take a fault into account. True: the server has to be looked for."""
        self.in_doubt = self.in_doubt or fault.in_doubt
        return wants_discovery(fault)

    def error(self, fault: Fault, server: str, ids: tuple[str, ...]) -> MemkitError:
        """What the caller sees after the last try."""
        ruled = isinstance(fault, Refused) and fault.code in RULINGS
        if self.writes and self.in_doubt and not ruled:
            return OutcomeUnknownError("write", ids)
        return error_of(fault, server)


def _call(command: Command[Any], token: Token, wiring: Wiring) -> Call:
    return _BUILDERS[type(command)](command, token, wiring)


def _trip(command: Command[Any], token: Token, wiring: Wiring) -> _Trip:
    return _Trip(_call(command, token, wiring), writes=command.effect is not Effect.READ)


def _together(calls: list[Call]) -> Call:
    """One call of many."""
    return Call(tuple(command for call in calls for command in call.commands), list)


def _apart(calls: list[Call], replies: list[Any]) -> list[Any]:
    """The results of calls that were sent together."""
    rest = iter(replies)
    return [call.parse([next(rest) for _ in call.commands]) for call in calls]


def _with_source(commands: Commands) -> Commands:
    """The same commands with the text of their scripts, for a server that does not know them yet."""
    return tuple(
        ("EVAL", source_of(command[1]), *command[2:])  # type: ignore[arg-type]  # a digest is bytes
        if command[0] == "EVALSHA"
        else command
        for command in commands
    )


def _unknown_script(fault: Fault) -> bool:
    return isinstance(fault, Refused) and fault.code == "NOSCRIPT"


def _wiring(namespace: str, policy: RetryPolicy) -> Wiring:
    window = max(_LEAST_WINDOW, _WINDOW_FACTOR * policy.deadline)
    return Wiring(KeySpace(namespace), round(window * 1000))


class RedisBackend(IBackend):
    """Executes commands on a Redis or Valkey server.

    Args:
        link: sends calls.
        namespace: prefix of every key.
        policy: how often and how long a call is tried.
        hook: called after each failed try.
        on_close: called once it is closed.
    """

    def __init__(
        self,
        link: Link,
        namespace: str,
        policy: RetryPolicy,
        hook: Hook | None = None,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self._link = link
        self._on_close = on_close
        self._wiring = _wiring(namespace, policy)
        self._lanes = Lanes()
        self._send = retry(is_transient, policy=policy, hook=hook, name=_NAME)(self._once)

    def execute(self, command: Command[T]) -> T:
        if command.effect is Effect.READ:
            return self._run(command, NO_TOKEN)
        with self._lanes.token() as token:
            return self._run(command, token)

    def execute_many(self, commands: Sequence[Command[Any]]) -> list[Any]:
        calls = [_call(command, NO_TOKEN, self._wiring) for command in commands]
        trip = _Trip(_together(calls), writes=False)
        return _apart(calls, self._replies(trip, ()))

    def _run(self, command: Command[T], token: Token) -> T:
        trip = _trip(command, token, self._wiring)
        result: T = trip.call.parse(self._replies(trip, command.ids if trip.writes else ()))
        return result

    def _replies(self, trip: _Trip, ids: tuple[str, ...]) -> list[Any]:
        try:
            return self._send(trip)
        except Fault as fault:
            raise trip.error(fault, str(self._link), ids) from fault

    def _once(self, trip: _Trip) -> list[Any]:
        try:
            return self._exchange(trip.call.commands)
        except Fault as fault:
            if trip.note(fault):
                self._link.rediscover(leave=isinstance(fault, Refused))
            raise

    def _exchange(self, commands: Commands) -> list[Any]:
        try:
            return self._link.exchange(commands)
        except Refused as fault:
            if not _unknown_script(fault):
                raise
        return self._link.exchange(_with_source(commands))

    def ping(self) -> bool:
        return bool(_PING.parse(self._replies(_Trip(_PING, writes=False), ())))

    def close(self) -> None:
        self._link.close()
        self._on_close()

    def __repr__(self) -> str:
        return f"<RedisBackend {self._link} namespace={self._wiring.keys.namespace!r}>"


class AsyncRedisBackend(IAsyncBackend):
    """`RedisBackend` for asyncio.

    Args:
        link: sends calls.
        namespace: prefix of every key.
        policy: how often and how long a call is tried.
        hook: called after each failed try.
        on_close: called once it is closed.
    """

    def __init__(
        self,
        link: AsyncLink,
        namespace: str,
        policy: RetryPolicy,
        hook: Hook | None = None,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self._link = link
        self._on_close = on_close
        self._wiring = _wiring(namespace, policy)
        self._lanes = Lanes()
        self._send = retry(is_transient, policy=policy, hook=hook, name=_NAME, cut=False)(self._once)

    async def execute(self, command: Command[T]) -> T:
        if command.effect is Effect.READ:
            return await self._run(command, NO_TOKEN)
        with self._lanes.token() as token:
            return await self._run(command, token)

    async def execute_many(self, commands: Sequence[Command[Any]]) -> list[Any]:
        calls = [_call(command, NO_TOKEN, self._wiring) for command in commands]
        trip = _Trip(_together(calls), writes=False)
        return _apart(calls, await self._replies(trip, ()))

    async def _run(self, command: Command[T], token: Token) -> T:
        trip = _trip(command, token, self._wiring)
        result: T = trip.call.parse(await self._replies(trip, command.ids if trip.writes else ()))
        return result

    async def _replies(self, trip: _Trip, ids: tuple[str, ...]) -> list[Any]:
        try:
            return await self._send(trip)
        except Fault as fault:
            raise trip.error(fault, str(self._link), ids) from fault

    async def _once(self, trip: _Trip) -> list[Any]:
        try:
            return await self._exchange(trip.call.commands)
        except Fault as fault:
            if trip.note(fault):
                self._link.rediscover(leave=isinstance(fault, Refused))
            raise

    async def _exchange(self, commands: Commands) -> list[Any]:
        try:
            return await self._link.exchange(commands)
        except Refused as fault:
            if not _unknown_script(fault):
                raise
        return await self._link.exchange(_with_source(commands))

    async def ping(self) -> bool:
        return bool(_PING.parse(await self._replies(_Trip(_PING, writes=False), ())))

    async def aclose(self) -> None:
        await self._link.aclose()
        self._on_close()

    def __repr__(self) -> str:
        return f"<AsyncRedisBackend {self._link} namespace={self._wiring.keys.namespace!r}>"
