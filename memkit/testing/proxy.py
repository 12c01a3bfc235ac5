"""A proxy in front of a server that injects faults of the network between requests and replies.

::

    with FaultProxy("127.0.0.1", server.port) as proxy:
        proxy.inject(DROP_REPLY)
        client = redis.Redis(port=proxy.port)
        client.set("key", "value")      # the server stores it, the client sees its connection close

It reads both directions as RESP2 and RESP3, so a fault hits exactly one command, also in a pipeline. It runs in a
thread of its own: tests of both colours may use it. Pub/sub messages and other pushes pass through.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections import Counter, deque
from typing import TYPE_CHECKING, Self

from memkit.testing._resp import parse_command, read_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from memkit.testing._resp import Command

__all__ = [
    "CUT_REPLY",
    "DELAY",
    "DROP_REPLY",
    "LATE_REQUEST",
    "REFUSE",
    "RESET",
    "SILENT",
    "Fault",
    "FaultProxy",
    "Hangup",
    "Link",
    "is_data_command",
]

_SESSION = frozenset({b"HELLO", b"AUTH", b"SELECT"})
_CONTROL = _SESSION | frozenset(
    {
        *(b"ASKING", b"CLIENT", b"CLUSTER", b"COMMAND", b"CONFIG", b"ECHO", b"INFO", b"PING", b"QUIT"),
        *(b"READONLY", b"READWRITE", b"ROLE", b"SCRIPT", b"SENTINEL"),
    }
)
# Confirmed by pushes, one for each channel, instead of by one reply.
_SUBSCRIPTIONS = frozenset(prefix + b"SUBSCRIBE" for prefix in (b"", b"P", b"S", b"UN", b"PUN", b"SUN"))
_HOST = "127.0.0.1"
_LINE_LIMIT = 2**20
_RST = struct.pack("ii", 1, 0)


def is_data_command(command: Command) -> bool:
    """Tell whether a command reads or writes data, and is not about the connection or the server."""
    return command[0].upper() not in _CONTROL


# Faults


class Hangup(Exception):  # noqa: N818 - a decision, not an error
    """Raised by a fault to close the link to the client, by FIN or by RST."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset


class Fault:
    """What happens to one command; this one lets it pass. Subclass it and override one side, or both."""

    name: str = "PASS"

    async def request(self, link: Link, frame: bytes, /) -> None:
        """Handle the request; by default it goes to the server."""
        await link.to_server(frame)

    async def reply(self, link: Link, frame: bytes, /) -> None:
        """Handle the server's reply; by default it goes to the client."""
        await link.to_client(frame)


class _LoseReply(Fault):
    def __init__(self, name: str, *, part: int = 0, reset: bool = False) -> None:
        self.name = name
        self._part = part
        self._reset = reset

    async def reply(self, link: Link, frame: bytes, /) -> None:
        if self._part:
            await link.to_client(frame[: len(frame) // self._part])
        raise Hangup(reset=self._reset)


class _Silent(Fault):
    name = "SILENT"

    async def reply(self, link: Link, _frame: bytes, /) -> None:
        # Later replies are withheld too: the client would take them for the answer to this command.
        link.silent = True


class _Refuse(Fault):
    name = "REFUSE"

    async def request(self, _link: Link, _frame: bytes, /) -> None:
        raise Hangup


class DELAY(Fault):
    """The reply comes late, and so do those behind it.

    Args:
        seconds: how late.
    """

    name = "DELAY"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def reply(self, link: Link, frame: bytes, /) -> None:
        """Hold the reply back for a while."""
        await asyncio.sleep(self.seconds)
        await link.to_client(frame)


class LATE_REQUEST(Fault):  # noqa: N801 - named like its siblings, which are constants
    """The client's connection closes at once; the request reaches the server later, over another connection.

    Args:
        seconds: how much later.
    """

    name = "LATE_REQUEST"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def request(self, link: Link, frame: bytes, /) -> None:
        """Set the request aside and close the link."""
        link.deliver_later(frame, self.seconds)
        raise Hangup


PASS = Fault()
DROP_REPLY = _LoseReply("DROP_REPLY")
"""The server executes the command; its reply is lost and the connection closes in order (FIN)."""
RESET = _LoseReply("RESET", reset=True)
"""The same, but the connection is reset (RST)."""
CUT_REPLY = _LoseReply("CUT_REPLY", part=2)
"""Half of the reply arrives, then the connection closes."""
SILENT = _Silent()
"""The server executes the command; no reply ever comes, and the connection stays open."""
REFUSE = _Refuse()
"""The server never sees the command; the connection closes."""


class _Rule:
    def __init__(self, fault: Fault, when: Callable[[Command], bool], times: int | None) -> None:
        self.fault = fault
        self.when = when
        self.left = times

    def hits(self, command: Command) -> bool:
        if self.left == 0 or not self.when(command):
            return False
        if self.left is not None:
            self.left -= 1
        return True


# One client's connection


class Link:
    """One client's connection and its partner to the server; what a fault acts on.

    Attributes:
        silent: nothing is sent to the client any more.
    """

    def __init__(self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.silent = False
        self._proxy = proxy
        self._client = reader, writer
        self._pending: deque[Fault] = deque()
        self._session: list[bytes] = []

    async def to_client(self, data: bytes) -> None:
        """Send bytes to the client."""
        if not self.silent:
            await _send(self._client[1], data)

    async def to_server(self, frame: bytes) -> None:
        """Send bytes to the server."""
        await _send(self._server[1], frame)

    def deliver_later(self, frame: bytes, seconds: float) -> None:
        """Send a request over a connection of its own, with the same login, after some time."""
        self._proxy._later(_deliver(self._proxy.target, [*self._session, frame], seconds))  # noqa: SLF001 - one unit

    async def run(self) -> None:
        """Carry requests and replies until either side or a fault ends it."""
        end = Hangup(reset=True)  # where the server is not reached
        try:
            self._server = await asyncio.open_connection(*self._proxy.target, limit=_LINE_LIMIT)
            with contextlib.closing(self._server[1]):
                end = await self._carry()
        except OSError:
            pass
        finally:
            _close(self._client[1], end)

    async def _carry(self) -> Hangup:
        pumps = [asyncio.ensure_future(pump) for pump in (self._requests(), self._replies())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            ends = await asyncio.gather(*pumps, return_exceptions=True)
        return next((end for end in ends if isinstance(end, Hangup)), Hangup())

    async def _requests(self) -> None:
        while True:
            frame = await read_frame(self._client[0])
            command = parse_command(frame)
            fault = self._proxy._decide(command)  # noqa: SLF001 - one unit
            if command[0].upper() in _SESSION:
                self._session.append(frame)
            if command[0].upper() not in _SUBSCRIPTIONS:
                self._pending.append(fault)
            await fault.request(self, frame)

    async def _replies(self) -> None:
        while True:
            frame = await read_frame(self._server[0])
            is_answer = self._pending and not frame.startswith(b">")
            fault = self._pending.popleft() if is_answer else PASS
            await fault.reply(self, frame)


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def _deliver(target: tuple[str, int], frames: list[bytes], seconds: float) -> None:
    await asyncio.sleep(seconds)
    reader, writer = await asyncio.open_connection(*target, limit=_LINE_LIMIT)
    with contextlib.closing(writer):
        for frame in frames:
            await _send(writer, frame)
            await read_frame(reader)


def _close(writer: asyncio.StreamWriter, how: Hangup) -> None:
    if how.reset:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
        writer.transport.abort()
    else:
        writer.close()


# The proxy


class FaultProxy:
    """A proxy on loopback in front of one server; a context manager.

    Args:
        target_host: where the server is.
        target_port: its port, without TLS.

    Attributes:
        injected: how often each kind of fault was injected, by name.
        connections: how many connections clients opened.
        requests: the arguments of every request seen, in order.
    """

    def __init__(self, target_host: str, target_port: int) -> None:
        self.target = (target_host, target_port)
        self.injected: Counter[str] = Counter()
        self.connections = 0
        self.requests: list[Command] = []
        self._rules: list[_Rule] = []
        self._guard = threading.Lock()
        self._links: set[asyncio.Task[None]] = set()
        self._late: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="memkit-fault-proxy", daemon=True)
        self._thread.start()
        self._socket = _bind(0)
        self.port: int = self._socket.getsockname()[1]
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()
        self._call(_cancel(self._late))
        self._socket.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # Where

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to."""
        return _HOST, self.port

    @property
    def url(self) -> str:
        """URL to connect to, without user and password."""
        return f"redis://{_HOST}:{self.port}/0"

    # What happens

    def inject(self, fault: Fault, *, when: Callable[[Command], bool] = is_data_command, times: int | None = 1) -> None:
        """Let a fault hit the next commands that a predicate accepts.

        Args:
            fault: what happens to each of them.
            when: takes the arguments of a command, its name first; by default any command on data.
            times: how many; None for all. Of several rules that accept a command the oldest hits it.
        """
        with self._guard:
            self._rules.append(_Rule(fault, when, times))

    def clear(self) -> None:
        """Forget all rules."""
        with self._guard:
            self._rules.clear()

    def down(self) -> None:
        """Close every connection and refuse new ones."""
        self._call(self._shut())

    def up(self) -> None:
        """Accept connections again, on the same port."""
        self._call(self._open())

    def settle(self, seconds: float = 10.0) -> None:
        """Wait until every late request has been delivered and answered.

        Raises:
            TimeoutError: one was not.
        """
        self._call(self._settle(seconds))

    # What happened

    @property
    def commands(self) -> list[str]:
        """Name of every command seen, in order and in capitals."""
        return [command[0].decode(errors="replace").upper() for command in self.requests]

    # Inside the loop

    def _call(self, coroutine: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _open(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._accept, sock=self._socket, limit=_LINE_LIMIT)

    async def _shut(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            self._socket = _bind(self.port)  # bound and not listening: the port stays ours and refuses
        await _cancel(self._links)

    async def _settle(self, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            await asyncio.gather(*self._late)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        link = self._loop.create_task(Link(self, reader, writer).run())
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    def _decide(self, command: Command) -> Fault:
        with self._guard:
            self.requests.append(command)
            rule = next((rule for rule in self._rules if rule.hits(command)), None)
            if rule is None:
                return PASS
            self.injected[rule.fault.name] += 1
            return rule.fault

    def _later(self, delivery: Coroutine[None, None, None]) -> None:
        self._late.add(self._loop.create_task(delivery))


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _bind(port: int) -> socket.socket:
    # With its protocol named, asyncio sends what is written at once (TCP_NODELAY).
    bound = socket.socket(proto=socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((_HOST, port))
    return bound
