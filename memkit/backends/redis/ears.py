"""Connections over which the server says what has changed of what was read over them, in both colours."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, cast
from weakref import WeakKeyDictionary, WeakSet, ref

import hiredis

from memkit.backends.redis.calls import Commands, packed
from memkit.backends.redis.discovery import Timeouts
from memkit.backends.redis.faults import Lost, accepted
from memkit.backends.redis.loops import Loops
from memkit.backends.redis.mux import Mux
from memkit.backends.redis.tails import TRACK, Shelf
from memkit.backends.redis.target import Target
from memkit.backends.redis.wire import MORE, Wire

__all__ = ["Ear", "EarMux", "Ears"]


def _poll_of(fileno: int) -> Callable[[int], list[Any]]:
    """Tells whether something has come that was not read yet: one call of the system, and no exception."""
    poll = _Poll()
    poll.register(fileno, select.POLLIN)
    look: Callable[[int], list[Any]] = poll.poll
    return look


# Where there is an epoll it is quicker; its flags are the same.
_Poll: Any = getattr(select, "epoll", select.poll)


class Ear(Wire):
    """A connection that listens.

    Args:
        sock: see `Wire`.
        patience: see `Wire`.
        size: how many results are kept.

    Attributes:
        shelf: what was read over it.
        asked: monotonic seconds of the last question that was answered: the server had pushed all that changed before.
        poll: see `_poll_of`.
    """

    __slots__ = ("asked", "poll", "shelf")

    def __init__(self, sock: socket.socket, patience: float, size: int) -> None:
        super().__init__(sock, patience)
        self.shelf = Shelf(size)
        self.asked = 0.0
        self.poll = _poll_of(sock.fileno())

    def ask(self, commands: Commands, patience: float) -> list[Any]:
        """See `Wire.exchange`."""
        sent = monotonic()
        replies = self.exchange(commands, patience)
        self.asked = sent
        return replies

    def listen(self) -> None:
        """Take in what has come, without waiting for more.

        Raises:
            Lost: the connection is of no more use.
        """
        self._sock.settimeout(0)
        try:
            while size := self._sock.recv_into(self._buffer):
                self._take(size)
        except (BlockingIOError, ssl.SSLWantReadError):
            self._wait(self._patience)
            return
        except OSError as error:
            raise Lost(f"no reply ({type(error).__name__})") from None
        raise Lost("the server closed the connection")

    def _take(self, size: int) -> None:
        self._reader.feed(self._buffer, 0, size)
        while (push := self._gets()) is not MORE:
            if type(push) is not hiredis.PushNotification:
                raise Lost("a reply came that nobody asked for")
            self.shelf.heard(push)

    def _pushed(self, push: list[Any]) -> None:
        self.shelf.heard(push)


class EarMux(Mux):
    """A connection that listens.

    Args:
        attempt_timeout: see `Mux`.
        size: how many results are kept.

    Attributes:
        loop: in which it is used.
        shelf: what was read over it.
        asked: see `Ear`.
        poll: see `_poll_of`.
    """

    def __init__(self, attempt_timeout: float, size: int) -> None:
        super().__init__(attempt_timeout)
        self.loop = self._loop
        self.shelf = Shelf(size)
        self.asked = 0.0
        self.poll: Callable[[int], list[Any]] = lambda _: []

    async def ask(self, commands: Commands) -> list[Any]:
        """See `Mux.call`."""
        sent = monotonic()
        replies = await self.call(packed(commands), len(commands))
        self.asked = max(self.asked, sent)
        return accepted(replies)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.poll = _poll_of(transport.get_extra_info("socket").fileno())

    def _pushed(self, push: list[Any]) -> None:
        self.shelf.heard(push)


class Ears(Loops):
    """A connection that listens for each loop.

    Args:
        target: see `Loops`.
        timeouts: see `Loops`.
        size: how many results are kept for each loop.
    """

    def __init__(self, target: Target, timeouts: Timeouts, size: int) -> None:
        super().__init__(target, timeouts)
        self._size = size
        self.forked()

    def forked(self) -> None:
        """Begin anew in a child: connections and shelves are the parent's, and the lock may have been held."""
        self._lines = WeakKeyDictionary()
        self._lock = threading.Lock()
        self._shelves: WeakSet[Shelf] = WeakSet()
        self._latest: Callable[[], EarMux | None] = lambda: None

    def current(self) -> EarMux | None:
        """That of the running loop, if it is there."""
        loop, ear = asyncio.get_running_loop(), self._latest()
        if ear is None or ear.loop is not loop:
            # Looking up a weak key takes longer than all the rest.
            line = self._lines.get(loop)
            ear = None if line is None else cast("EarMux | None", line.mux)
            if ear is not None:
                self._latest = ref(ear)
        return ear if ear is not None and ear.alive else None

    async def opened(self) -> EarMux:
        """That of the running loop.

        Raises:
            Fault: it could not be opened.
        """
        line = self._line()
        alive = line.mux is not None and line.mux.alive
        return cast("EarMux", line.mux if alive else await self._opened(line))

    def shelves(self) -> list[Shelf]:
        """Those of all loops."""
        with self._lock:
            return list(self._shelves)

    def _mux(self) -> Mux:
        ear = EarMux(self._timeouts.attempt, self._size)
        with self._lock:
            self._shelves.add(ear.shelf)
        return ear

    async def _connect(self) -> Mux:
        ear = cast("EarMux", await super()._connect())
        try:
            await ear.ask(TRACK)
        except BaseException:
            ear.abort()
            raise
        return ear
