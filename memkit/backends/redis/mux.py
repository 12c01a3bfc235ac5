"""One connection for all tasks of a loop: what they send in one tick leaves in one write, replies come back in order.

No task owns the connection, so a cancelled one leaves no reply behind for somebody else: its place in the order stays,
and the reply that belongs there is dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, cast

import hiredis

from memkit.backends.redis.faults import Down, Fault, Lost, refusal

__all__ = ["Mux"]

# Larger buffers are mapped anew for each read by the allocator, which costs more than reading twice.
_BUFFER = 1 << 16
_MORE = object()
_PUSH = hiredis.PushNotification
_SWEEP = 0.1


class Mux(asyncio.BufferedProtocol):
    """The protocol of one connection.

    Args:
        attempt_timeout: seconds that the oldest call may wait for its replies. After that the link is taken for dead.
    """

    def __init__(self, attempt_timeout: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = attempt_timeout
        self._buffer = memoryview(bytearray(_BUFFER))
        # hiredis types `feed` for str and bytes; it takes any buffer.
        self._reader: Any = hiredis.Reader(notEnoughData=_MORE, replyError=refusal, protocolError=Lost)
        # Of each call on its way: who waits, how many replies it needs, and until when it may take.
        self._waiters: deque[tuple[asyncio.Future[list[Any]], int, float]] = deque()
        # The replies that are there of the first of them.
        self._partial: list[Any] = []
        self._out: list[bytes] = []
        self._until = 0.0
        self._transport: asyncio.Transport | None = None
        self._writable: asyncio.Future[None] | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._end: Fault | None = None

    # -- used by the link ----------------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether calls can be sent."""
        return self._end is None

    @property
    def ready(self) -> bool:
        """Whether calls can be sent at once."""
        return self._end is None and self._writable is None

    @property
    def load(self) -> int:
        """How many calls are on their way."""
        return len(self._waiters)

    def begin(self, packed: bytes, count: int) -> asyncio.Future[list[Any]]:
        """Send packed commands with what else is sent in this turn of the loop.

        Only when it is `ready`. The replies come as a list, errors among them, or a fault if the connection breaks.
        """
        if not self._out:
            # What leaves together has the same time to come back.
            self._until = self._loop.time() + self._timeout
            self._loop.call_soon(self._flush)
            if self._sweeper is None:
                self._sweeper = self._loop.call_later(min(_SWEEP, self._timeout), self._sweep)
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        self._waiters.append((future, count, self._until))
        self._out.append(packed)
        return future

    async def call(self, packed: bytes, count: int) -> list[Any]:
        """Wait until packed commands can be sent, and for their replies.

        Raises:
            Fault: the connection broke.
        """
        while self._writable is not None and self._end is None:
            await asyncio.shield(self._writable)
        if self._end is not None:
            raise Down("the connection was closed")
        return await self.begin(packed, count)

    def abort(self, reason: str = "the connection was closed") -> None:
        """End the connection; who waits for a reply is told."""
        self._finish(Lost(reason))
        if self._transport is not None and not self._loop.is_closed():
            self._transport.abort()

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport is not None and self._end is None:
            self._transport.write(b"".join(out))

    def _sweep(self) -> None:
        """One timer for the connection: replies come in order, so only the oldest call has to be looked at."""
        self._sweeper = None
        if not self._waiters or self._end is not None:
            return
        left = self._waiters[0][2] - self._loop.time()
        if left <= 0:
            self.abort(f"no reply within {self._timeout:g} s")
        else:
            self._sweeper = self._loop.call_later(min(_SWEEP, left), self._sweep)

    def _finish(self, fault: Fault) -> None:
        if self._end is not None:
            return
        self._end = fault
        if self._sweeper is not None:
            self._sweeper.cancel()
        self.resume_writing()
        for future, _, _ in self._waiters:
            if not future.done() and not self._loop.is_closed():
                future.set_exception(Lost(str(fault)))
        self._waiters.clear()

    def _pushed(self, push: list[Any]) -> None:
        """Something came that is no reply; nobody has asked for pushes."""

    # -- called by the loop --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(Lost("the server closed the connection" if exc is None else f"no reply ({type(exc).__name__})"))

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._reader.feed(self._buffer, 0, nbytes)
        gets, waiters = self._reader.gets, self._waiters
        try:
            while (reply := gets()) is not _MORE:
                if type(reply) is _PUSH:
                    self._pushed(reply)
                    continue
                if not waiters:
                    self.abort("a reply came that nobody asked for")
                    return
                future, count, _ = waiters[0]
                if count == 1:
                    replies = [reply]
                else:
                    replies = self._partial
                    replies.append(reply)
                    if len(replies) < count:
                        continue
                    self._partial = []
                waiters.popleft()
                if not future.done():
                    future.set_result(replies)
        except Lost:
            self.abort("the reply is not RESP")

    def eof_received(self) -> None:
        """The server is done; the transport closes itself."""

    def pause_writing(self) -> None:
        if self._writable is None:
            self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None:
            if not self._writable.done() and not self._loop.is_closed():
                self._writable.set_result(None)
            self._writable = None
