"""The proxy does to the network what a test asks for, to exactly the command it asks for."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from memkit.testing.proxy import (
    CUT_REPLY,
    DELAY,
    DROP_REPLY,
    LATE_REQUEST,
    REFUSE,
    RESET,
    SILENT,
    Fault,
    FaultProxy,
)
from memkit.testing.servers import Server


@pytest.fixture
def proxy(valkey):
    """A proxy in front of an empty server."""
    valkey.ask("FLUSHALL")
    with FaultProxy("127.0.0.1", valkey.port) as proxy:
        yield proxy


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def client(proxy, request):
    """A client through the proxy that never repeats a command."""
    with _client(proxy, protocol=request.param) as client:
        yield client


def _client(proxy, **options):
    options = {"socket_timeout": 5, "decode_responses": True, "retry": Retry(NoBackoff(), 0), **options}
    return redis.Redis(port=proxy.port, **options)


def _raw(proxy):
    return socket.create_connection(proxy.address, timeout=5)


LOST = (DROP_REPLY, RESET, CUT_REPLY)


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault.name)
def test_a_lost_reply_was_executed(proxy, client, valkey, fault):
    """The client sees its connection fail, the server has executed the command once."""
    proxy.inject(fault)
    with pytest.raises(redis.ConnectionError):
        client.incr("n")
    assert valkey.ask("GET", "n") == "1"
    assert client.incr("n") == 2
    assert proxy.injected == {fault.name: 1}


@pytest.mark.parametrize(("fault", "closed"), [(DROP_REPLY, b""), (RESET, ConnectionResetError), (CUT_REPLY, b"")])
def test_how_the_connection_ends(proxy, fault, closed):
    """DROP_REPLY and CUT_REPLY end with FIN, RESET with RST."""
    proxy.inject(fault)
    with _raw(proxy) as link:
        link.sendall(b"GET nothing\r\n")
        if fault is CUT_REPLY:
            assert link.recv(10) in (b"$-", b"$-1"[:2])
        if closed == b"":
            assert link.recv(10) == b""
        else:
            with pytest.raises(closed):
                link.recv(10)


def test_silence_keeps_the_connection(proxy, client, valkey):
    """SILENT: the server executes the command, the client waits until its own timeout."""
    client.connection_pool.connection_kwargs["socket_timeout"] = 0.1
    proxy.inject(SILENT)
    with pytest.raises(redis.TimeoutError):
        client.incr("n")
    assert valkey.ask("GET", "n") == "1"


def test_silence_never_hands_over_a_later_reply(proxy):
    """After a silent command no later reply arrives in its place."""
    proxy.inject(SILENT)
    with _raw(proxy) as link:
        link.settimeout(0.2)
        link.sendall(b"INCR a\r\nINCR b\r\n")
        with pytest.raises(TimeoutError):
            link.recv(10)


def test_a_refused_command_was_not_executed(proxy, client, valkey):
    """REFUSE: the connection closes and the server never sees the command."""
    proxy.inject(REFUSE)
    with pytest.raises(redis.ConnectionError):
        client.incr("n")
    assert valkey.ask("GET", "n") is None


def test_a_delay_only_delays(proxy, client):
    """DELAY: the right reply comes, late."""
    client.ping()
    proxy.inject(DELAY(0.2))
    start = time.monotonic()
    assert client.incr("n") == 1
    assert time.monotonic() - start >= 0.2


def test_a_late_request_lands_after_its_own_repeat(proxy, client, valkey):
    """LATE_REQUEST: the repeat is executed first, the lost request second."""
    proxy.inject(LATE_REQUEST(0.2))
    with pytest.raises(redis.ConnectionError):
        client.set("who", "first")
    client.set("who", "second")
    assert valkey.ask("GET", "who") == "second"
    proxy.settle()
    assert valkey.ask("GET", "who") == "first"


def test_a_late_request_keeps_login_and_database(binary):
    """A late request lands in the database, and as the user, of the connection that it was sent on."""
    word = "secret"
    with (
        Server(binary("valkey"), {"requirepass": word}) as server,
        FaultProxy("127.0.0.1", server.port) as proxy,
        _client(proxy, password=word, db=3) as client,
    ):
        proxy.inject(LATE_REQUEST(0.05))
        with pytest.raises(redis.ConnectionError):
            client.set("key", "value")
        proxy.settle()
        assert client.get("key") == "value"


def test_a_fault_hits_the_command_asked_for(proxy, client):
    """A predicate on the arguments chooses the command, `times` how many of them."""
    proxy.inject(REFUSE, when=lambda command: command[1:2] == (b"b",), times=2)
    assert client.incr("a") == 1
    for _ in range(2):
        with pytest.raises(redis.ConnectionError):
            client.incr("b")
    assert client.incr("b") == 1
    assert proxy.injected["REFUSE"] == 2


def test_connection_commands_are_spared(proxy, client):
    """By default a fault waits for a command on data, whatever the client says to set up its connection."""
    proxy.inject(REFUSE)
    assert client.ping()
    assert client.client_id()
    with pytest.raises(redis.ConnectionError):
        client.get("a")


def test_without_limit_until_cleared(proxy, client):
    """`times=None` hits every command, until the rules are cleared."""
    proxy.inject(REFUSE, times=None)
    for _ in range(5):
        with pytest.raises(redis.ConnectionError):
            client.incr("n")
    proxy.clear()
    assert client.incr("n") == 1


def test_a_pipeline_loses_only_from_the_fault_on(proxy, valkey):
    """In a pipeline the replies before the faulty command arrive; the server executes all that was sent."""
    proxy.inject(DROP_REPLY, when=lambda command: command[1:] == (b"c",))
    with _raw(proxy) as link:
        link.sendall(b"".join(b"*2\r\n$4\r\nINCR\r\n$1\r\n%c\r\n" % name for name in b"abcd"))
        received = b""
        while chunk := link.recv(100):
            received += chunk
    assert received == b":1\r\n:1\r\n"
    assert valkey.ask("GET", "c") == "1"


def test_long_pipeline(proxy, client):
    """A thousand commands in one write get their thousand replies in order."""
    with client.pipeline(transaction=False) as pipe:
        for number in range(1000):
            pipe.echo(str(number))
        assert pipe.execute() == [str(number) for number in range(1000)]
    assert proxy.commands.count("ECHO") == 1000


SHAPES = """
redis.setresp(3)
return {map={a=1, b={double=1.5}}}
"""


def test_every_type_of_reply_passes(proxy, client, valkey):
    """Replies of all types of RESP2 and RESP3, nested too, arrive as they come from the server."""
    client.rpush("list", *range(5))
    client.sadd("set", "a", "b")
    client.hset("hash", mapping={"a": "1"})
    client.zadd("z", {"a": 1.5})
    client.set("binary", b"\x00\r\n*3\r\n" * 1000)
    client.set("big", "x" * 3_000_000)
    asked = [
        ("LRANGE", "list", "0", "-1"),
        ("SMEMBERS", "set"),
        ("HGETALL", "hash"),
        ("ZRANGE", "z", "0", "-1", "WITHSCORES"),
        ("GET", "binary"),
        ("GET", "nothing"),
        ("BLPOP", "nothing", "0.01"),
        ("GET", "big"),
        ("EVAL", SHAPES, "0"),
        ("EVAL", "return {1, {2, {'three', false}}}", "0"),
    ]
    protocol = client.connection_pool.connection_kwargs["protocol"]
    with redis.Redis(port=valkey.port, protocol=protocol, decode_responses=True) as direct:
        for command in asked:
            assert _plain(client.execute_command(*command)) == _plain(direct.execute_command(*command))
    with pytest.raises(redis.ResponseError):
        client.incr("list")
    assert client.get("binary") == "\x00\r\n*3\r\n" * 1000


def _plain(reply):
    return sorted(reply) if isinstance(reply, set) else reply


DEBUG = ["string", "integer", "double", "null", "array", "set", "map", "attrib", "verbatim", "true", "false", "bignum"]


def test_every_debug_type_passes_byte_for_byte(binary):
    """The bytes of each RESP3 type that the server can make arrive unchanged, and so does what follows."""
    with (
        Server(binary("valkey"), {"enable-debug-command": "yes"}) as server,
        FaultProxy("127.0.0.1", server.port) as proxy,
    ):
        request = (
            b"HELLO 3\r\n" + b"".join(b"DEBUG PROTOCOL %s\r\n" % name.encode() for name in DEBUG) + b"ECHO end\r\n"
        )
        answers = []
        for port in (server.port, proxy.port):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
                link.sendall(request)
                received = b""
                while not received.endswith(b"$3\r\nend\r\n"):
                    received += link.recv(65536)
                answers.append(received.partition(b"modules")[2])
    assert answers[0] == answers[1]
    assert len(answers[0]) > 200


def test_pushes_are_not_taken_for_replies(proxy):
    """A push between a command and its reply does not shift the faults by one."""
    with _raw(proxy) as link, _client(proxy) as other:
        link.sendall(b"HELLO 3\r\nSUBSCRIBE news\r\n")
        received = b""
        while b"subscribe" not in received:
            received += link.recv(65536)
        other.publish("news", "one")
        proxy.inject(DROP_REPLY, when=lambda command: command[0] == b"GET")
        link.sendall(b"ECHO before\r\nGET a\r\nECHO after\r\n")
        received = b""
        while chunk := link.recv(65536):
            received += chunk
    assert b"one" in received
    assert received.endswith(b"before\r\n")


def test_down_and_up(proxy, client):
    """A proxy that is down closes what is open and refuses what is new; up again, it serves on the same port."""
    assert client.incr("n") == 1
    proxy.down()
    for _ in range(3):
        with pytest.raises(redis.ConnectionError):
            client.incr("n")
    with pytest.raises(ConnectionRefusedError):
        _raw(proxy)
    proxy.up()
    assert client.incr("n") == 2


def test_a_dead_server_is_a_closed_connection():
    """Where the server is not reached the proxy closes the client's connection at once."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with FaultProxy(*unused.getsockname()) as proxy, _client(proxy) as client, pytest.raises(redis.ConnectionError):
            client.ping()


def test_many_clients_at_once(proxy):
    """Eight threads through one proxy, with replies dropped all the time, each see only their own replies."""
    proxy.inject(DROP_REPLY, when=lambda command: command[0] == b"ECHO" and command[1].endswith(b"7"), times=None)
    wrong = []

    def work(name):
        with _client(proxy) as client:
            for number in range(100):
                text = f"{name}-{number}"
                try:
                    if client.echo(text) != text:
                        wrong.append(text)
                except redis.ConnectionError:
                    if not text.endswith("7"):
                        wrong.append(text)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert proxy.injected["DROP_REPLY"] == 80


async def test_from_a_test_of_the_other_colour(proxy):
    """The proxy runs in a thread of its own: an async test neither blocks it nor is blocked."""
    proxy.inject(DELAY(0.1))
    retry = redis.asyncio.retry.Retry(NoBackoff(), 0)
    async with redis.asyncio.Redis(port=proxy.port, retry=retry) as client:
        ticks = 0
        task = asyncio.ensure_future(client.incr("n"))
        while not task.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert await task == 1
    assert ticks > 3


def test_a_fault_of_ones_own(proxy):
    """A new fault is one small class: here, a reply that drips in byte by byte."""

    class Drip(Fault):
        name = "DRIP"

        async def reply(self, link, frame):
            for byte in frame:
                await link.to_client(bytes([byte]))
                await asyncio.sleep(0.001)

    proxy.inject(Drip())
    with _client(proxy) as client:
        assert client.incr("n") == 1
    assert proxy.injected == {"DRIP": 1}


def test_what_was_seen(proxy, client):
    """The proxy counts connections and keeps every command with its arguments."""
    client.set("key", "value")
    assert proxy.connections == 1
    assert (b"SET", b"key", b"value") in proxy.requests
    assert proxy.commands[-1] == "SET"
    assert proxy.url == f"redis://127.0.0.1:{proxy.port}/0"
