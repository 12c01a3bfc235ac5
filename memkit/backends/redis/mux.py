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
_SWEEP = 0.1


class _Waiter:
    """One call on its way: how many replies it still needs, and until when it may take."""

    __slots__ = ("future", "missing", "replies", "until")

    def __init__(self, future: asyncio.Future[list[Any]], missing: int, until: float) -> None:
        self.future = future
        self.missing = missing
        self.replies: list[Any] = []
        self.until = until


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
        self._waiters: deque[_Waiter] = deque()
        self._out: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._writable: asyncio.Future[None] | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._end: Fault | None = None

    # -- used by the link ----------------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether calls can be sent."""
        return self._end is None

    async def call(self, packed: bytes, count: int) -> list[Any]:
        """Send packed commands and wait for so many replies.

        Raises:
            Fault: a reply is an error, or the connection broke.
        """
        while self._writable is not None and self._end is None:
            await asyncio.shield(self._writable)
        if self._end is not None:
            raise Down("the connection was closed")
        waiter = self._enqueue(packed, count)
        replies = await waiter.future
        for reply in replies:
            if isinstance(reply, Fault):
                raise reply
        return replies

    def abort(self, reason: str = "the connection was closed") -> None:
        """End the connection; who waits for a reply is told."""
        self._finish(Lost(reason))
        if self._transport is not None and not self._loop.is_closed():
            self._transport.abort()

    def _enqueue(self, packed: bytes, count: int) -> _Waiter:
        now = self._loop.time()
        waiter = _Waiter(self._loop.create_future(), count, now + self._timeout)
        self._waiters.append(waiter)
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(packed)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(min(_SWEEP, self._timeout), self._sweep)
        return waiter

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport is not None and self._end is None:
            self._transport.write(b"".join(out))

    def _sweep(self) -> None:
        """One timer for the connection: replies come in order, so only the oldest call has to be looked at."""
        self._sweeper = None
        if not self._waiters or self._end is not None:
            return
        left = self._waiters[0].until - self._loop.time()
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
        for waiter in self._waiters:
            if not waiter.future.done() and not self._loop.is_closed():
                waiter.future.set_exception(Lost(str(fault)))
        self._waiters.clear()

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
        try:
            while (reply := self._reader.gets()) is not _MORE:
                self._take(reply)
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

    def _take(self, reply: Any) -> None:
        if type(reply) is hiredis.PushNotification:
            return
        if not self._waiters:
            self.abort("a reply came that nobody asked for")
            return
        waiter = self._waiters[0]
        waiter.replies.append(reply)
        waiter.missing -= 1
        if waiter.missing:
            return
        self._waiters.popleft()
        if not waiter.future.done():
            waiter.future.set_result(waiter.replies)
