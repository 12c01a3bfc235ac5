"""The Redis backend in both colours: the only place that waits, sleeps or repeats."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any, Protocol, TypeVar

from memkit.backends.base import IAsyncBackend, IBackend
from memkit.backends.redis import about, branch, index, log, record, server, table
from memkit.backends.redis.calls import Call, Commands, Token, Wiring, together
from memkit.backends.redis.faults import RULINGS, Fault, Refused, accepted, error_of, is_transient, wants_discovery
from memkit.backends.redis.keys import KeySpace
from memkit.backends.redis.lanes import NO_TOKEN, Lanes
from memkit.backends.redis.scripts import source_of
from memkit.commands import Command, Effect
from memkit.errors import MemkitError, OutcomeUnknownError
from memkit.policy import RetryPolicy
from memkit.retrying import RetryEvent, aresume, resume, retry

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
# The server remembers what was applied for longer than any call is tried, clocks that differ by a minute included.
_WINDOW_FACTOR = 4
_LEAST_WINDOW = 120.0
_READ = Effect.READ


class Link(Protocol):
    """Sends calls, once. `fresh`: it is the first try, and nothing of the call's time has gone yet.

    `exchange` raises an error reply, `replies` returns it among the others.
    """

    is_cluster: bool

    def exchange(self, commands: Commands, *, fresh: bool = False) -> list[Any]: ...
    def replies(self, commands: Commands) -> list[Any]: ...
    def rediscover(self, *, leave: bool) -> None: ...
    def close(self) -> None: ...


class AsyncLink(Protocol):
    """`Link` for asyncio. `begin` sends at once, or returns None where something has to be waited for."""

    is_cluster: bool

    def begin(self, commands: Commands) -> Awaitable[list[Any]] | None: ...
    async def exchange(self, commands: Commands) -> list[Any]: ...
    async def replies(self, commands: Commands) -> list[Any]: ...
    def rediscover(self, *, leave: bool) -> None: ...
    async def aclose(self) -> None: ...


def _ping() -> Call:
    return Call(("PING",), lambda reply: reply in (b"PONG", "PONG", True))


def _bundle(commands: Sequence[Command[Any]], wiring: Wiring) -> Call:
    return together([_BUILDERS[type(command)](command, NO_TOKEN, wiring) for command in commands])


def _noted(call: Call, fault: Fault, link: Link | AsyncLink) -> None:
    """Take a fault into account before the call is tried again."""
    call.in_doubt = call.in_doubt or fault.in_doubt
    if wants_discovery(fault):
        link.rediscover(leave=isinstance(fault, Refused))


def _error(call: Call, fault: Fault, link: Link | AsyncLink, command: Command[Any] | None = None) -> MemkitError:
    """What the caller sees after the last try."""
    ruled = isinstance(fault, Refused) and fault.code in RULINGS
    if command is not None and command.effect is not _READ and call.in_doubt and not ruled:
        return OutcomeUnknownError("write", command.ids)
    return error_of(fault, str(link))


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


def _judged(call: Call, replies: list[Any]) -> list[Any]:
    """The replies, if none of them is a reason to send the calls again.

    Raises:
        Refused: one is. What else was accepted is recognised by the server then.
    """
    again = [
        reply for reply in replies if isinstance(reply, Refused) and (_unknown_script(reply) or is_transient(reply))
    ]
    if again:
        call.in_doubt = call.in_doubt or any(not isinstance(reply, Fault) for reply in replies)
        raise again[0]
    return replies


class _Batch:
    """Commands that are sent together, each for itself.

    Args:
        commands: the commands.
        tokens: of each.
        wiring: what builders need.
        link: for errors.
    """

    def __init__(
        self, commands: Sequence[Command[Any]], tokens: Sequence[Token], wiring: Wiring, link: Link | AsyncLink
    ) -> None:
        self._commands = commands
        self._link = link
        self._calls = [
            _BUILDERS[type(command)](command, token, wiring) for command, token in zip(commands, tokens, strict=True)
        ]
        self.call = together(self._calls)

    def results(self, replies: list[Any]) -> list[Any]:
        """The result of each command, or its error."""
        return [
            self._error(reply, command) if isinstance(reply, Fault) else call.parse(reply)
            for command, call, reply in zip(self._commands, self._calls, replies, strict=True)
        ]

    def failed(self, fault: Fault) -> list[Any]:
        """The error of each command, after the last try of all."""
        return [self._error(fault, command) for command in self._commands]

    def _error(self, fault: Fault, command: Command[Any]) -> MemkitError:
        return _error(self.call, fault, self._link, command)


def _wiring(namespace: str, policy: RetryPolicy, link: Link | AsyncLink) -> Wiring:
    window = max(_LEAST_WINDOW, _WINDOW_FACTOR * policy.deadline)
    return Wiring(KeySpace(namespace), round(window * 1000), is_cluster=link.is_cluster)


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
        self._wiring = _wiring(namespace, policy, link)
        self._lanes = Lanes()
        decorate = retry(is_transient, policy=policy, hook=hook, name=_NAME)
        self._send, self._send_each = decorate(self._once), decorate(self._each_once)

    def execute(self, command: Command[T]) -> T:
        token = NO_TOKEN if command.effect is _READ else self._lanes.take()
        try:
            call = _BUILDERS[type(command)](command, token, self._wiring)
            started = monotonic()
            try:
                replies = self._link.exchange(call.commands, fresh=True)
            except Fault as fault:
                replies = self._again(call, fault, started, command)
            result: T = call.parse(replies[0])
            return result
        finally:
            if token is not NO_TOKEN:
                self._lanes.give_back(token)

    def execute_many(self, commands: Sequence[Command[Any]]) -> list[Any]:
        call = _bundle(commands, self._wiring)
        results: list[Any] = call.parse(self._replies(call))
        return results

    def execute_each(self, commands: Sequence[Command[Any]]) -> list[Any]:
        with self._lanes.lent(commands) as tokens:
            batch = _Batch(commands, tokens, self._wiring, self._link)
            try:
                return batch.results(self._send_each(batch.call))
            except Fault as fault:
                return batch.failed(fault)

    def _each_once(self, call: Call) -> list[Any]:
        return self._tried(call, self._all_replies)

    def _all_replies(self, call: Call) -> list[Any]:
        return _judged(call, self._link.replies(call.commands))

    def _again(self, call: Call, first: Fault, started: float, command: Command[Any]) -> list[Any]:
        """Go on after a first try that failed: nearly always there is no second, and the decorator costs something."""
        try:
            if _unknown_script(first):
                call.commands = _with_source(call.commands)
                return self._send(call)
            _noted(call, first, self._link)
            return resume(self._send, started, first, call)
        except Fault as fault:
            raise _error(call, fault, self._link, command) from fault

    def _replies(self, call: Call) -> list[Any]:
        try:
            return self._send(call)
        except Fault as fault:
            raise _error(call, fault, self._link) from fault

    def _once(self, call: Call) -> list[Any]:
        return self._tried(call, self._exchanged)

    def _exchanged(self, call: Call) -> list[Any]:
        return self._link.exchange(call.commands)

    def _tried(self, call: Call, send: Callable[[Call], list[Any]]) -> list[Any]:
        """Send a call, and once more with the text of its scripts if the server does not know them."""
        try:
            return send(call)
        except Fault as fault:
            if not _unknown_script(fault):
                _noted(call, fault, self._link)
                raise
        call.commands = _with_source(call.commands)
        return self._tried(call, send)

    def ping(self) -> bool:
        call = _ping()
        return bool(call.parse(self._replies(call)[0]))

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
        self._wiring = _wiring(namespace, policy, link)
        self._lanes = Lanes()
        decorate = retry(is_transient, policy=policy, hook=hook, name=_NAME, cut=False)
        self._send, self._send_each = decorate(self._once), decorate(self._each_once)

    async def execute(self, command: Command[T]) -> T:
        token = NO_TOKEN if command.effect is _READ else self._lanes.take()
        try:
            call = _BUILDERS[type(command)](command, token, self._wiring)
            begun = self._link.begin(call.commands)
            if begun is None:
                replies = await self._replies(call, command)
            else:
                started = monotonic()
                try:
                    replies = accepted(await begun)
                except Fault as fault:
                    replies = await self._again(call, fault, started, command)
            result: T = call.parse(replies[0])
            return result
        finally:
            if token is not NO_TOKEN:
                self._lanes.give_back(token)

    async def execute_many(self, commands: Sequence[Command[Any]]) -> list[Any]:
        call = _bundle(commands, self._wiring)
        results: list[Any] = call.parse(await self._replies(call))
        return results

    async def execute_each(self, commands: Sequence[Command[Any]]) -> list[Any]:
        with self._lanes.lent(commands) as tokens:
            batch = _Batch(commands, tokens, self._wiring, self._link)
            try:
                return batch.results(await self._send_each(batch.call))
            except Fault as fault:
                return batch.failed(fault)

    async def _each_once(self, call: Call) -> list[Any]:
        return await self._tried(call, self._all_replies)

    async def _all_replies(self, call: Call) -> list[Any]:
        return _judged(call, await self._link.replies(call.commands))

    async def _again(self, call: Call, first: Fault, started: float, command: Command[Any]) -> list[Any]:
        """See `RedisBackend._again`."""
        try:
            if _unknown_script(first):
                call.commands = _with_source(call.commands)
                return await self._send(call)
            _noted(call, first, self._link)
            return await aresume(self._send, started, first, call)
        except Fault as fault:
            raise _error(call, fault, self._link, command) from fault

    async def _replies(self, call: Call, command: Command[Any] | None = None) -> list[Any]:
        try:
            return await self._send(call)
        except Fault as fault:
            raise _error(call, fault, self._link, command) from fault

    async def _once(self, call: Call) -> list[Any]:
        return await self._tried(call, self._exchanged)

    async def _exchanged(self, call: Call) -> list[Any]:
        return await self._link.exchange(call.commands)

    async def _tried(self, call: Call, send: Callable[[Call], Awaitable[list[Any]]]) -> list[Any]:
        """Send a call, and once more with the text of its scripts if the server does not know them."""
        try:
            return await send(call)
        except Fault as fault:
            if not _unknown_script(fault):
                _noted(call, fault, self._link)
                raise
        call.commands = _with_source(call.commands)
        return await self._tried(call, send)

    async def ping(self) -> bool:
        call = _ping()
        return bool(call.parse((await self._replies(call))[0]))

    async def aclose(self) -> None:
        await self._link.aclose()
        self._on_close()

    def __repr__(self) -> str:
        return f"<AsyncRedisBackend {self._link} namespace={self._wiring.keys.namespace!r}>"
