"""Where servers are: sockets, databases, users, TLS, sentinels, clusters."""

from __future__ import annotations

import time
import uuid
from urllib.parse import quote, urlencode

import pytest
import redis
import redis.asyncio

from memkit import (
    AsyncRedisMemoryManager,
    AuthenticationError,
    BackendUnavailableError,
    ConfigurationError,
    MemoryInput,
    OutcomeUnknownError,
    RedisMemoryManager,
    RetryPolicy,
    ServerError,
)
from memkit.testing.servers import Certificates, Cluster, Sentinels, Server, make_certificates, supports_tls
from tests.managers import colours, every_verb, opened, said, say, wait_for

ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def name():
    return uuid.uuid4().hex


# Where servers are --------------------------------------------------------------------------------------------------


@colours
@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("where", ["url", "unix_url"])
def test_every_kind_of_server(redis_server, name, colour, protocol, where):
    """Every verb works by TCP and unix socket, with RESP2 and RESP3, on every server."""
    with opened(colour, getattr(redis_server, where), protocol=protocol) as manager:
        every_verb(manager, name)


@colours
def test_protocol_is_the_one_asked_for(valkey, name, colour):
    """The server sees the RESP version, the client name and the database of the URL."""
    for protocol in (2, 3):
        url = f"redis://127.0.0.1:{valkey.port}/5?protocol={protocol}&client_name=n{name}{protocol}"
        with opened(colour, url) as manager:
            manager.ping()
            (line,) = [line for line in str(valkey.ask("CLIENT", "LIST")).splitlines() if f"n{name}{protocol}" in line]
        assert f" resp={protocol} " in f"{line} "
        assert " db=5 " in line


@colours
def test_databases_are_apart(valkey, name, colour):
    """The number of the database in the URL is the one that is used."""
    base = f"redis://127.0.0.1:{valkey.port}"
    with opened(colour, f"{base}/3") as third, opened(colour, f"{base}/4") as fourth:
        third.store(say(name, "three"))
        assert said(fourth, name) == []
        assert said(third, name) == ["three"]


@colours
def test_database_out_of_range(valkey, name, colour):
    """A database that the server does not have is its error reply, at once, the same in both colours."""
    with opened(colour, f"redis://127.0.0.1:{valkey.port}/99") as manager, pytest.raises(ServerError) as caught:
        manager.store(say(name, "x"))
    assert caught.value.code == "ERR"
    assert "out of range" in str(caught.value)


@colours
def test_missing_socket_is_waited_for(binary, name, colour, tmp_path):
    """A unix socket that is not there yet may come: the call is tried again until the deadline."""
    missing = f"unix://{tmp_path}/none?db=0"
    events = []
    policy = RetryPolicy(deadline=0.3, initial=0.01)
    with (
        opened(colour, missing, retry=policy, on_retry=events.append) as manager,
        pytest.raises(BackendUnavailableError),
    ):
        manager.store(say(name, "x"))
    assert len(events) > 2


@pytest.fixture(scope="module")
def guarded(binary):
    """A server with users."""
    users = [
        "default off",
        "ada on >s%@/:word ~memkit:* +@all -@dangerous",
        "bob on >other-0815 ~elsewhere:* +@all",
        "sue on >reads-0815 ~memkit:* +@read +hello +ping +client|setinfo +client|setname",
    ]
    with Server(binary("valkey"), {"user": users}) as server:
        yield server


def login(server, user, word):
    return f"redis://{user}:{quote(word, safe='')}@127.0.0.1:{server.port}/0"


@colours
@pytest.mark.parametrize("protocol", [2, 3])
def test_acl_user(guarded, name, colour, protocol):
    """A user with a percent-encoded password and no dangerous commands is all that every verb needs."""
    with opened(colour, login(guarded, "ada", "s%@/:word"), protocol=protocol) as manager:
        every_verb(manager, name)


@colours
@pytest.mark.parametrize(
    ("user", "word"), [("ada", "guess-0815"), ("nobody", "x"), ("bob", "other-0815"), ("sue", "reads-0815")]
)
def test_acl_refusals(guarded, name, colour, user, word):
    """A wrong password, an unknown user, a key or a command without permission: AuthenticationError, sent once."""
    events = []
    with (
        opened(colour, login(guarded, user, word), on_retry=events.append) as manager,
        pytest.raises(AuthenticationError) as caught,
    ):
        manager.store(say(name, "x"))
    assert word not in str(caught.value)
    assert len(events) == 1
    assert events[0].pause is None


# TLS ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def tls_server(binary, certificates):
    program = binary("redis7")
    if not supports_tls(program):
        pytest.skip("this redis-server was built without TLS")
    with Server(program, tls=certificates) as server:
        yield server


def secured(port, certificates, **changes):
    files = {"ca_file": certificates.ca, "cert_file": certificates.client_cert, "key_file": certificates.client_key}
    chosen = {key: value for key, value in {**files, **changes}.items() if value is not None}
    return f"rediss://127.0.0.1:{port}/0?{urlencode(chosen)}"


@colours
def test_tls(tls_server, certificates, name, colour):
    """Every verb works over TLS with the right authority and a certificate of ours."""
    with opened(colour, secured(tls_server.port, certificates)) as manager:
        every_verb(manager, name)


@colours
def test_tls_unverified_only_when_asked(tls_server, certificates, name, colour):
    """`verify=none` accepts a certificate of an unknown authority."""
    with opened(colour, secured(tls_server.port, certificates, ca_file=None, verify="none")) as manager:
        every_verb(manager, name)


def refused(colour, url, name, within=1.0, **options):
    """The error of a call that must fail at once, without a second attempt."""
    events = []
    started = time.monotonic()
    with (
        opened(colour, url, on_retry=events.append, **options) as manager,
        pytest.raises(BackendUnavailableError) as caught,
    ):
        manager.store(say(name, "x"))
    assert time.monotonic() - started < within
    assert len(events) == 1
    return str(caught.value)


@colours
def test_tls_wrong_authority(tls_server, certificates, name, colour, tmp_path):
    """A server whose certificate another authority signed is refused at once, with a hint at the certificates."""
    other = make_certificates(tmp_path / "other")
    assert "certificate" in refused(colour, secured(tls_server.port, certificates, ca_file=other.ca), name)


@colours
def test_tls_system_authorities(tls_server, certificates, name, colour):
    """Without a ca_file the system's authorities are asked, so a private one is refused at once."""
    assert "certificate" in refused(colour, secured(tls_server.port, certificates, ca_file=None), name)


@colours
def test_tls_wrong_host(binary, name, colour, tmp_path):
    """A certificate of the right authority for another host is refused at once."""
    elsewhere = other_host(tmp_path)
    with Server(binary("redis7"), tls=elsewhere) as server:
        assert "host name" in refused(colour, secured(server.port, elsewhere), name)


def other_host(directory):
    import trustme  # noqa: PLC0415 - only these tests need it

    authority = trustme.CA()
    paths = [directory / each for each in ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")]
    authority.cert_pem.write_to_path(str(paths[0]))
    for offset, host in ((1, "elsewhere.test"), (3, "memkit.test")):
        issued = authority.issue_cert(host)
        issued.cert_chain_pems[0].write_to_path(str(paths[offset]))
        issued.private_key_pem.write_to_path(str(paths[offset + 1]))
    return Certificates(*paths)


@colours
def test_tls_to_a_plain_port(valkey, certificates, name, colour):
    """A port that speaks no TLS is not used, and the error asks whether it does; such a port does not answer at all."""
    options = {"connect_timeout": 0.2, "attempt_timeout": 0.2, "retry": ONCE}
    assert "speak TLS" in refused(colour, secured(valkey.port, certificates), name, **options)


@colours
def test_tls_file_missing(tls_server, certificates, name, colour, tmp_path):
    """A certificate file that is not there is an error at once that names the cure."""
    message = refused(colour, secured(tls_server.port, certificates, ca_file=tmp_path / "none.pem"), name)
    assert "file" in message


@colours
def test_plain_to_a_tls_port(tls_server, name, colour):
    """A plain connection to a TLS port ends in an error before the deadline, not in a hang."""
    policy = RetryPolicy(attempts=2, deadline=2.0)
    with opened(colour, f"redis://127.0.0.1:{tls_server.port}/0", retry=policy) as manager:
        started = time.monotonic()
        with pytest.raises(BackendUnavailableError):
            manager.store(say(name, "x"))
    assert time.monotonic() - started < 2.5


# Sentinel and Cluster -----------------------------------------------------------------------------------------------


def test_sentinel_failover(binary, name):
    """When the primary is killed, managers of both colours go on at the new one, and lose nothing acknowledged."""
    policy = RetryPolicy(attempts=1000, deadline=30.0, cap=0.1)
    with (
        Sentinels(binary("valkey")) as group,
        opened("sync", group.url, retry=policy) as sync,
        opened("async", group.url, retry=policy) as asynchronous,
    ):
        sync.store(say(name, "one"))
        asynchronous.store(say(name, "two"))
        group.primary.ask("WAIT", 1, 1000)
        wait_for(lambda: said(sync, name) == ["one", "two"])
        time.sleep(0.1)
        group.primary.kill()
        sync.store(say(name, "three"))
        asynchronous.store(say(name, "four"))
        assert said(sync, name) == said(asynchronous, name) == ["one", "two", "three", "four"]
        assert group.replica.info("replication")["role"] == "master"


@pytest.mark.parametrize("server", ["valkey", "redis62"])
@colours
def test_demoted_primary_is_left(binary, name, colour, server):
    """A server that became a replica refuses writes: its connection is left and the address is asked for anew."""
    with Server(binary(server)) as old, Server(binary(server)) as new, opened(colour, old.url) as manager:
        manager.store(say(name, "one"))
        old.ask("REPLICAOF", "127.0.0.1", new.port)
        events = []
        policy = RetryPolicy(deadline=1.0)
        with (
            opened(colour, old.url, retry=policy, on_retry=events.append) as other,
            # The last attempt may be cut off by the deadline.
            pytest.raises((BackendUnavailableError, OutcomeUnknownError)),
        ):
            other.store(say(name, "two"))
        assert sum(event.error == "Refused" for event in events) > 2
        old.ask("REPLICAOF", "NO", "ONE")
        manager.store(say(name, "three"))


@colours
def test_no_sentinel_answers(name, colour):
    """Where no sentinel answers, the error says so, within the deadline."""
    started = time.monotonic()
    policy = RetryPolicy(deadline=0.5)
    with (
        opened(colour, "redis+sentinel://127.0.0.1:1,127.0.0.1:2/mymaster/0", retry=policy) as manager,
        pytest.raises(BackendUnavailableError, match="sentinel"),
    ):
        manager.store(say(name, "x"))
    assert time.monotonic() - started < 1.0


@colours
def test_cluster(cluster, name, colour):
    """Every verb works on a cluster, whatever node holds the conversation."""
    with opened(colour, cluster.url) as manager:
        for number in range(8):
            every_verb(manager, f"{name}{number}")


@colours
def test_cluster_that_is_not_there(name, colour):
    """Where no node of a cluster is reached nothing was sent: BackendUnavailableError, within the deadline."""
    events = []
    policy = RetryPolicy(deadline=0.5)
    url = "redis+cluster://127.0.0.1:1,127.0.0.1:2"
    with opened(colour, url, retry=policy, on_retry=events.append) as manager:
        for act in (lambda: manager.store(say(name, "x")), lambda: said(manager, name), manager.ping):
            started = time.monotonic()
            with pytest.raises(BackendUnavailableError, match="cluster"):
                act()
            assert time.monotonic() - started < 1.0
    assert len(events) > 3


@colours
def test_cluster_login(binary, name, colour):
    """A cluster refuses a wrong password once, and takes the right one."""
    word = "word-0815"
    with Cluster(1, binary=binary("valkey"), options={"requirepass": word}) as group:
        events = []
        wrong = group.url.replace("//", "//:guess-0815@")
        with opened(colour, wrong, on_retry=events.append) as manager, pytest.raises(AuthenticationError):
            manager.store(say(name, "x"))
        assert len(events) == 1
        with opened(colour, group.url.replace("//", f"//:{word}@")) as manager:
            every_verb(manager, name)


# Clients of the caller ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [2, 3])
def test_injected_client(valkey, name, protocol):
    """A client of the caller's is used for every verb and stays open when the manager is closed."""
    with redis.Redis(port=valkey.port, protocol=protocol) as client:
        with opened("sync", client) as manager:
            every_verb(manager, name)
            id_before = client.client_id()
        assert client.client_id() == id_before


@pytest.mark.parametrize("protocol", [2, 3])
async def test_injected_async_client(valkey, name, protocol):
    """An async client of the caller's is used and stays open when the manager is closed."""
    async with redis.asyncio.Redis(port=valkey.port, protocol=protocol) as client:
        async with AsyncRedisMemoryManager(client) as manager:
            await manager.store(say(name, "one"))
            (found,) = await manager.retrieve(MemoryInput(name))
            id_before = await client.client_id()
        assert found.content == "one"
        assert await client.client_id() == id_before


def test_unfit_clients_are_refused(valkey):
    """A client of the other colour, one that decodes, and anything that is no client are refused at construction."""
    with redis.Redis(port=valkey.port, decode_responses=True) as decodes:
        for make, wrong in (
            (RedisMemoryManager, redis.asyncio.Redis(port=valkey.port)),
            (AsyncRedisMemoryManager, redis.Redis(port=valkey.port)),
            (RedisMemoryManager, decodes),
            (AsyncRedisMemoryManager, redis.asyncio.Redis(port=valkey.port, decode_responses=True)),
            (RedisMemoryManager, object()),
            (AsyncRedisMemoryManager, None),
        ):
            with pytest.raises(ConfigurationError):
                make(wrong)
