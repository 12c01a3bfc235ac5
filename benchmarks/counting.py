"""A proxy that counts what goes over the wire."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from urllib.parse import urlsplit

from attrs import define

_HOST = "127.0.0.1"
_PIECE = 1 << 16


@define
class Traffic:
    """What went over all connections since it was last asked for.

    Attributes:
        requests: bytes to the server.
        replies: bytes from it.
        trips: how often a client spoke after the server, or first.
    """

    requests: int = 0
    replies: int = 0
    trips: int = 0


class CountingProxy:
    """Stands on loopback in front of a server; a context manager.

    Args:
        url: of the server.
    """

    def __init__(self, url):
        parts = urlsplit(url)
        self._target = parts.hostname, parts.port
        self._listener = socket.create_server((_HOST, 0))
        self.url = f"redis://{_HOST}:{self._listener.getsockname()[1]}/0"
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._traffic = Traffic()
        # Of each socket: the other end, and whether it is a client's.
        self._ends = {}
        # Clients that spoke last.
        self._spoke = set()

    def __enter__(self):
        for end in (self._listener, self._wake):
            self._selector.register(end, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._waker.send(b"x")
        self._thread.join()
        for end in (*self._ends, self._listener, self._wake, self._waker):
            end.close()
        self._selector.close()

    def take(self):
        """Return the traffic since the last time. Call it while nothing is on its way."""
        traffic, self._traffic = self._traffic, Traffic()
        return traffic

    def _run(self):
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._carry(key.fileobj)

    def _accept(self):
        client, server = self._listener.accept()[0], socket.create_connection(self._target)
        self._ends |= {client: (server, True), server: (client, False)}
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(end, selectors.EVENT_READ)

    def _carry(self, end):
        if end not in self._ends:
            return
        other, is_client = self._ends[end]
        data = b""
        with contextlib.suppress(OSError):
            data = end.recv(_PIECE)
        if not data:
            self._drop(end, other)
            return
        self._count(end if is_client else other, len(data), is_client=is_client)
        with contextlib.suppress(OSError):
            other.sendall(data)

    def _count(self, client, size, *, is_client):
        traffic = self._traffic
        if not is_client:
            traffic.replies += size
            self._spoke.discard(client)
            return
        traffic.requests += size
        traffic.trips += client not in self._spoke
        self._spoke.add(client)

    def _drop(self, *ends):
        for end in ends:
            self._selector.unregister(end)
            del self._ends[end]
            self._spoke.discard(end)
            end.close()
