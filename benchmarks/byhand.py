"""What memkit is measured against first: redis-py as one writes it by hand, and a bare socket below of it.

Both move ready bytes. They check, encode and decode nothing, and an append of theirs is stored twice when its reply is
lost. The socket does not even look at the replies: nothing written in Python is faster.
"""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from benchmarks.work import KEPT, LAST, RAW_MEMORY, RAW_MESSAGE, TTL

VALUE, LOG, TWENTY = "raw:wm", "raw:log", "raw:20"
_SILENCE = 0.2


def append_to(pipe, key, kept=KEPT):
    """Queue what a hand-written append sends: push, trim, expire."""
    return pipe.rpush(key, RAW_MESSAGE).ltrim(key, -kept, -1).expire(key, TTL)


def prepare(client, logs=1, kept=KEPT):
    """Store what is read, and fill so many logs, so that every append trims."""
    client.set(VALUE, RAW_MEMORY, ex=TTL)
    client.delete(TWENTY)
    client.rpush(TWENTY, *[RAW_MESSAGE] * LAST)
    pipe = client.pipeline(transaction=False)
    for key in (LOG, *map(log_of, range(logs))):
        pipe.delete(key).rpush(key, *[RAW_MESSAGE] * kept)
    pipe.execute()


def log_of(number):
    """The log of one task."""
    return f"{LOG}:{number}"


class ByHand:
    """redis-py for plain code.

    Args:
        client: a `redis.Redis`.
    """

    def __init__(self, client):
        self._client = client

    def put(self):
        self._client.set(VALUE, RAW_MEMORY, ex=TTL)

    def get(self):
        return self._client.get(VALUE)

    def append(self):
        append_to(self._client.pipeline(transaction=False), LOG).execute()

    def last(self):
        return self._client.lrange(TWENTY, -LAST, -1)


class AsyncByHand:
    """The same for asyncio; each task has a log of its own.

    Args:
        client: a `redis.asyncio.Redis`.
        kept: how many messages an append leaves.
    """

    def __init__(self, client, kept):
        self._client = client
        self._kept = kept

    async def aclose(self):
        await self._client.aclose()

    async def put(self, _number):
        await self._client.set(VALUE, RAW_MEMORY, ex=TTL)

    async def get(self, _number):
        return await self._client.get(VALUE)

    async def append(self, number):
        await append_to(self._client.pipeline(transaction=False), log_of(number), self._kept).execute()

    async def last(self, number):
        return await self._client.lrange(log_of(number), -LAST, -1)


class Wire:
    """A bare socket that sends prepared bytes and reads as many as the reply has.

    Args:
        url: of the server.
    """

    def __init__(self, url):
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def put(self):
        return self._sends(("SET", VALUE, RAW_MEMORY, "EX", TTL))

    def get(self):
        return self._sends(("GET", VALUE))

    def append(self):
        return self._sends(("RPUSH", LOG, RAW_MESSAGE), ("LTRIM", LOG, -KEPT, -1), ("EXPIRE", LOG, TTL))

    def last(self):
        return self._sends(("LRANGE", TWENTY, -LAST, -1))

    def _sends(self, *commands):
        """Return a function that sends these commands in one write, so many times."""
        request = b"".join(map(packed, commands))
        buffer = memoryview(bytearray(self._size_of_reply(request)))

        def run(count):
            for _ in range(count):
                self._socket.sendall(request)
                got = self._socket.recv_into(buffer)
                while got < len(buffer):
                    got += self._socket.recv_into(buffer[got:])

        return run

    def _size_of_reply(self, request):
        self._socket.sendall(request)
        self._socket.settimeout(_SILENCE)
        size = 0
        try:
            while data := self._socket.recv(1 << 16):
                size += len(data)
        except TimeoutError:
            return size
        finally:
            self._socket.settimeout(None)
        raise ConnectionError("the server closed the connection")


def packed(command):
    """A command as RESP."""
    words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
