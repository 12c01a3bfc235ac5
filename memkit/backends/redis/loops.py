"""The async link: a connection for each event loop, opened when it is first used."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any
from weakref import WeakKeyDictionary

from memkit.backends.redis.calls import Commands, packed
from memkit.backends.redis.discovery import AsyncFinder, Timeouts
from memkit.backends.redis.faults import Down, Fault, Lost, accepted, closed, tls_fault
from memkit.backends.redis.forks import generation
from memkit.backends.redis.greeting import greeting, tls_context
from memkit.backends.redis.mux import Mux
from memkit.backends.redis.target import Target
from memkit.retrying import remaining

__all__ = ["Loops"]


# A call with about all of its time left is timed by the connection alone: a timer of its own costs more than a read.
_ALMOST = 0.9


class _Line:
    """What one loop has: its connection, or the task that opens it."""

    __slots__ = ("mux", "opening", "watch")

    def __init__(self) -> None:
        self.mux: Mux | None = None
        self.opening: asyncio.Task[Mux] | None = None
        self.watch: AsyncGenerator[None, None] | None = None

    async def keep(self, mux: Mux) -> Mux:
        """Use a connection until its loop ends."""
        self.mux, self.watch = mux, self._until_loop_ends(mux)
        await anext(self.watch)
        return mux

    async def _until_loop_ends(self, mux: Mux) -> AsyncGenerator[None, None]:
        # Before it ends, `asyncio.run` closes the generators of its loop: the only notice that it gives.
        try:
            yield
        finally:
            mux.abort()
            if self.mux is mux:
                # The generator knows its loop: kept, it would keep the loop alive, and this line with it.
                self.mux = self.watch = None

    def close(self) -> None:
        """End the connection, or the opening of one."""
        if self.opening is not None:
            self.opening.cancel()
        if self.mux is not None:
            self.mux.abort()


class Loops:
    """Sends calls over the connection of the running loop.

    One store may be used from several loops, one after another or in several threads at once, and after a fork.

    Args:
        target: the server, or the sentinels that know it.
        timeouts: of connecting and of one try, in seconds.
    """

    is_cluster = False

    def __init__(self, target: Target, timeouts: Timeouts) -> None:
        self._target = target
        self._timeouts = timeouts
        self._finder = AsyncFinder(target, timeouts)
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = WeakKeyDictionary()
        self._generation = generation()
        self._closed = False

    def __str__(self) -> str:
        return str(self._target)

    def begin(self, commands: Commands) -> asyncio.Future[list[Any]] | None:
        """Send commands at once; None if something has to be waited for first. The result may hold error replies."""
        line = self._lines.get(asyncio.get_running_loop())
        if line is None or line.mux is None or not line.mux.ready or self._generation != generation():
            return None
        return line.mux.begin(packed(commands), len(commands))

    async def exchange(self, commands: Commands) -> list[Any]:
        """Send commands together and return their replies.

        Raises:
            Fault: a reply is an error, or did not come.
        """
        return accepted(await self.replies(commands))

    async def replies(self, commands: Commands) -> list[Any]:
        """Send commands together and return their replies, errors among them.

        Raises:
            Fault: they did not come.
        """
        data = packed(commands)
        line = self._line()
        mux = line.mux if line.mux is not None and line.mux.alive else await self._opened(line)
        left = remaining()
        if left is None or left >= _ALMOST * self._timeouts.attempt:
            return await mux.call(data, len(commands))
        try:
            async with asyncio.timeout(left):
                return await mux.call(data, len(commands))
        except TimeoutError:
            raise Lost(f"no reply within {left:.1f} s") from None

    async def _opened(self, line: _Line) -> Mux:
        if line.opening is None:
            line.opening = asyncio.create_task(self._open(line))
            line.opening.add_done_callback(_look_at)
        opening = line.opening
        try:
            async with asyncio.timeout(remaining()):
                # One task opens for all; who is cancelled meanwhile leaves the others their connection.
                return await asyncio.shield(opening)
        except TimeoutError:
            raise Down("no connection in time") from None
        except asyncio.CancelledError:
            if self._closed and opening.cancelled():
                raise closed() from None
            raise

    def _line(self) -> _Line:
        if self._closed:
            raise closed()
        if self._generation != generation():
            self._lines, self._generation = WeakKeyDictionary(), generation()
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            line = self._lines[loop] = _Line()
        return line

    async def _open(self, line: _Line) -> Mux:
        try:
            async with asyncio.timeout(self._timeouts.connect + self._timeouts.attempt):
                return await line.keep(await self._connect())
        except OSError as error:
            if self._target.tls is not None:
                raise tls_fault(error) from None
            if isinstance(error, TimeoutError):
                raise Down("no connection in time") from None
            raise Down(f"cannot connect: {error.strerror or type(error).__name__}") from None
        finally:
            line.opening = None

    async def _connect(self) -> Mux:
        loop, target = asyncio.get_running_loop(), self._target
        host, port = await self._finder.find()

        if target.path is not None:
            _, mux = await loop.create_unix_connection(self._mux, target.path)
        else:
            secured = None if target.tls is None else tls_context(target.tls)
            _, mux = await loop.create_connection(self._mux, host, port, ssl=secured)
        await _greet(mux, target)
        return mux

    def _mux(self) -> Mux:
        return Mux(self._timeouts.attempt)

    def rediscover(self, *, leave: bool) -> None:
        """Forget the address; with `leave` also the connection of the running loop, whose server is the wrong one."""
        self._finder.forget()
        line = self._lines.get(asyncio.get_running_loop())
        if leave and line is not None and line.mux is not None:
            line.mux.abort("the server is not the primary any more")

    async def aclose(self) -> None:
        """Close the connections of all loops."""
        self._closed = True
        lines, self._lines = self._lines, WeakKeyDictionary()
        current = asyncio.get_running_loop()
        for loop, line in lines.items():
            if loop is current:
                line.close()
            elif not loop.is_closed():
                # It may end just now; then its connection ends with it.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(line.close)
        # The transport lets go of its socket in the next turn of the loop.
        await asyncio.sleep(0)


def _look_at(task: asyncio.Task[Mux]) -> None:
    """Everybody who waited may have been cancelled: then nobody else looks at the error."""
    if not task.cancelled():
        task.exception()


async def _greet(mux: Mux, target: Target) -> None:
    """Log in, choose the protocol and the database, all in one write."""
    commands = greeting(target)
    try:
        accepted(await mux.call(packed(commands), len(commands)))
    except BaseException as error:
        mux.abort()
        if isinstance(error, Fault) and error.in_doubt:
            raise Down(str(error)) from None
        raise
