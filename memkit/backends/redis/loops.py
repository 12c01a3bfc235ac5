"""The async link: a connection for each event loop, opened when it is first used."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import Any
from weakref import WeakKeyDictionary

from memkit.backends.redis.calls import Argument, Commands, packed
from memkit.backends.redis.discovery import AsyncFinder, Timeouts
from memkit.backends.redis.faults import Down, Fault, Lost
from memkit.backends.redis.mux import Mux
from memkit.backends.redis.target import Target, Tls
from memkit.retrying import remaining

__all__ = ["Loops"]


class _Line:
    """What one loop has: its connection, or the task that opens it."""

    __slots__ = ("mux", "opening")

    def __init__(self) -> None:
        self.mux: Mux | None = None
        self.opening: asyncio.Task[Mux] | None = None


class Loops:
    """Sends calls over the connection of the running loop.

    One store may be used from several loops, one after another or in several threads at once, and after a fork.

    Args:
        target: the server, or the sentinels that know it.
        timeouts: of connecting and of one try, in seconds.
    """

    def __init__(self, target: Target, timeouts: Timeouts) -> None:
        self._target = target
        self._timeouts = timeouts
        self._finder = AsyncFinder(target, timeouts)
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = WeakKeyDictionary()
        self._pid = os.getpid()

    def __str__(self) -> str:
        return str(self._target)

    async def exchange(self, commands: Commands) -> list[Any]:
        """Send commands together and return their replies.

        Raises:
            Fault: a reply is an error, or did not come.
        """
        data = packed(commands)
        left = remaining()
        if left is None or left >= self._timeouts.attempt:
            return await (await self._mux()).call(data, len(commands))
        try:
            async with asyncio.timeout(left):
                return await (await self._mux()).call(data, len(commands))
        except TimeoutError:
            raise Lost(f"no reply within {left:.1f} s") from None

    async def _mux(self) -> Mux:
        line = self._line()
        if line.mux is not None and line.mux.alive:
            return line.mux
        if line.opening is None:
            line.opening = asyncio.create_task(self._open(line))
            line.opening.add_done_callback(_look_at)
        # One task opens for all; who is cancelled meanwhile leaves the others their connection.
        return await asyncio.shield(line.opening)

    def _line(self) -> _Line:
        if self._pid != os.getpid():
            self._lines, self._pid = WeakKeyDictionary(), os.getpid()
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            line = self._lines[loop] = _Line()
        return line

    async def _open(self, line: _Line) -> Mux:
        try:
            async with asyncio.timeout(self._timeouts.connect + self._timeouts.attempt):
                line.mux = await self._connect()
                return line.mux
        except TimeoutError:
            raise Down("no connection in time") from None
        except ssl.SSLError:
            raise Down("TLS was refused: check the certificates and the host name", final=True) from None
        except OSError as error:
            raise Down(f"cannot connect: {error.strerror or type(error).__name__}") from None
        finally:
            line.opening = None

    async def _connect(self) -> Mux:
        loop, target = asyncio.get_running_loop(), self._target
        host, port = await self._finder.find()

        def make() -> Mux:
            return Mux(self._timeouts.attempt)

        if target.path is not None:
            _, mux = await loop.create_unix_connection(make, target.path)
        else:
            secured = None if target.tls is None else _tls_context(target.tls)
            _, mux = await loop.create_connection(make, host, port, ssl=secured)
        await _greet(mux, target)
        return mux

    def rediscover(self, *, leave: bool) -> None:
        """Forget the address; with `leave` also the connection of the running loop, whose server is the wrong one."""
        self._finder.forget()
        line = self._line()
        if leave and line.mux is not None:
            line.mux.abort("the server is not the primary any more")

    async def aclose(self) -> None:
        """Close the connections of all loops."""
        lines, self._lines = self._lines, WeakKeyDictionary()
        for line in lines.values():
            if line.opening is not None:
                line.opening.cancel()
            if line.mux is not None:
                line.mux.abort()
        # The transport lets go of its socket in the next turn of the loop.
        await asyncio.sleep(0)


def _look_at(task: asyncio.Task[Mux]) -> None:
    """Everybody who waited may have been cancelled: then nobody else looks at the error."""
    if not task.cancelled():
        task.exception()


async def _greet(mux: Mux, target: Target) -> None:
    """Log in, choose the protocol and the database, all in one write."""
    commands = _greeting(target)
    try:
        await mux.call(packed(commands), len(commands))
    except BaseException as error:
        mux.abort()
        if isinstance(error, Fault) and error.in_doubt:
            raise Down(str(error)) from None
        raise


def _greeting(target: Target) -> Commands:
    login: tuple[Argument, ...] = ()
    if target.password is not None:
        login = ("AUTH", target.username or "default", target.password)
    commands: list[tuple[Argument, ...]] = [("HELLO", target.protocol, *login)]
    if target.client_name is not None:
        commands.append(("CLIENT", "SETNAME", target.client_name))
    if target.db:
        commands.append(("SELECT", target.db))
    return tuple(commands)


def _tls_context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file)
    if tls.cert_file is not None:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
