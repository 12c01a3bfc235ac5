"""One connection of plain code: a socket, and hiredis for its replies.

redis-py's client spends more time around a call than the call itself takes on loopback; its connection still takes a
tenth. What is left here is what a call needs.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import hiredis

from memkit.backends.redis.calls import Commands, packed
from memkit.backends.redis.faults import Down, Fault, Lost, Refused, accepted, refusal, tls_fault
from memkit.backends.redis.greeting import greeting, tls_context
from memkit.backends.redis.target import Target

__all__ = ["MORE", "Wire", "connect"]

_BUFFER = 1 << 16
MORE = object()
"""What the reader says when there is no whole reply."""

_LEAST = 0.001
# What is left of a call's time is only looked at closely once this share of it has gone.
_ALMOST = 0.9


class Wire:
    """Sends calls and reads their replies. One user at a time; after a fault that is no refusal it is of no more use.

    Args:
        sock: connected, and secured where it has to be.
        patience: seconds to wait for the greeting's replies.

    Attributes:
        used: monotonic seconds of its last use, kept by the pool.
    """

    __slots__ = ("_buffer", "_gets", "_patience", "_reader", "_sock", "used")

    def __init__(self, sock: socket.socket, patience: float) -> None:
        self._sock = sock
        # hiredis types `feed` for str and bytes; it takes any buffer.
        self._reader: Any = hiredis.Reader(notEnoughData=MORE, replyError=refusal, protocolError=Lost)
        self._gets = self._reader.gets
        self._buffer = bytearray(_BUFFER)
        self._patience = 0.0
        self._wait(patience)
        self.used = 0.0

    def exchange(self, commands: Commands, patience: float) -> list[Any]:
        """Send commands in one write and return their replies, errors among them.

        Args:
            commands: what is sent.
            patience: seconds until the last reply.

        Raises:
            Lost: they did not come, or not in time.
        """
        return self._replies(len(commands), self.send(commands, patience))

    def send(self, commands: Commands, patience: float) -> float:
        """Send commands in one write.

        Args:
            commands: what is sent.
            patience: seconds until the last reply.

        Returns:
            Monotonic seconds until when they are waited for; see `receive`.

        Raises:
            Lost: they could not be sent in time.
        """
        if patience != self._patience:
            self._wait(patience)
        data = packed(commands)
        until = time.monotonic() + patience
        try:
            sent = self._sock.send(data)
            if sent != len(data):
                self._send_rest(data, sent, until)
        except OSError as error:
            raise _lost(error) from None
        return until

    def receive(self, count: int, until: float) -> list[Any]:
        """Return the replies to what was sent, errors among them.

        Raises:
            Lost: they did not come, or not in time.
        """
        self._hurry(until)
        return self._replies(count, until)

    def _send_rest(self, data: bytes, sent: int, until: float) -> None:
        left = memoryview(data)[sent:]
        while left:
            self._hurry(until)
            left = left[self._sock.send(left) :]

    def _replies(self, count: int, until: float) -> list[Any]:
        replies: list[Any] = []
        while True:
            try:
                size = self._sock.recv_into(self._buffer)
            except OSError as error:
                raise _lost(error) from None
            if not size:
                raise _ended(replies)
            self._reader.feed(self._buffer, 0, size)
            while (reply := self._gets()) is not MORE:
                if type(reply) is hiredis.PushNotification:
                    self._pushed(reply)
                else:
                    replies.append(reply)
            if len(replies) >= count:
                break
            self._hurry(until)
        if len(replies) > count:
            raise Lost("a reply came that nobody asked for")
        return replies

    def _pushed(self, push: list[Any]) -> None:
        """Something came that is no reply; nobody has asked for pushes."""

    def _hurry(self, until: float) -> None:
        """Wait no longer than until then: a link that drips must not keep a call beyond its time."""
        left = until - time.monotonic()
        if left <= 0:
            raise Lost("no reply in time")
        if left < _ALMOST * self._patience:
            self._wait(left)

    def _wait(self, patience: float) -> None:
        """Set how long the socket waits. The kernel does it for nothing; Python would poll before each read."""
        self._patience = patience
        seconds = max(patience, _LEAST)
        if isinstance(self._sock, ssl.SSLSocket):
            self._sock.settimeout(seconds)
            return
        whole = int(seconds)
        interval = struct.pack("ll", whole, int((seconds - whole) * 1_000_000))
        self._sock.settimeout(None)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, interval)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, interval)

    def is_stale(self) -> bool:
        """Whether the server closed it while it rested, or something came that nobody waits for."""
        self._sock.settimeout(0)
        try:
            self._sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            self._wait(self._patience)
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Close it; may be called twice."""
        with suppress(OSError):
            self._sock.close()


def _lost(error: OSError) -> Lost:
    # What the kernel says when a socket has waited long enough sounds like something else.
    is_late = isinstance(error, BlockingIOError | TimeoutError)
    return Lost("no reply in time" if is_late else f"no reply ({type(error).__name__})")


def _ended(replies: list[Any]) -> Fault:
    """Why there are no more replies: a server says what it refuses, and hangs up."""
    last = replies[-1] if replies else None
    return last if isinstance(last, Refused) else Lost("the server closed the connection")


def connect(
    target: Target,
    host: str,
    port: int,
    *,
    connect_timeout: float,
    patience: float,
    kind: Callable[[socket.socket, float], Wire] = Wire,
) -> Wire:
    """Open a connection and log in.

    Args:
        target: how to log in, and the unix socket if it is one.
        host: of the server.
        port: of the server.
        connect_timeout: seconds to reach the server.
        patience: seconds for the login.
        kind: makes the connection of a socket.

    Raises:
        Fault: it could not be reached, or refused the login; nothing of a call was sent.
    """
    sock = _opened(target, host, port, connect_timeout)
    wire = kind(sock, patience)
    try:
        accepted(wire.exchange(greeting(target), patience))
    except Lost as fault:
        wire.close()
        raise Down(str(fault)) from None
    except BaseException:
        wire.close()
        raise
    return wire


def _opened(target: Target, host: str, port: int, timeout: float) -> socket.socket:
    seconds = max(timeout, _LEAST)
    try:
        if target.path is not None:
            return _unix(target.path, seconds)
        sock = socket.create_connection((host, port), timeout=seconds)
    except OSError as error:
        raise _unreached(error, target) from None
    except ValueError as error:
        raise _unusable(error) from None
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return sock if target.tls is None else tls_context(target.tls).wrap_socket(sock, server_hostname=host)
    except (OSError, ValueError) as error:
        sock.close()
        raise (tls_fault(error) if isinstance(error, OSError) else _unusable(error)) from None


def _unix(path: str, seconds: float) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.settimeout(seconds)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


def _unreached(error: OSError, target: Target) -> Down:
    if target.tls is not None:
        return tls_fault(error)
    reason = "no connection in time" if isinstance(error, TimeoutError) else f"cannot connect: {_words(error)}"
    return Down(reason)


def _unusable(error: ValueError) -> Down:
    return Down(f"cannot connect: the host cannot be used ({type(error).__name__})", final=True)


def _words(error: OSError) -> str:
    return error.strerror or type(error).__name__
