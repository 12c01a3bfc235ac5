"""The links to a cluster: where calls go, slots that move, nodes that die or fall silent, loops, threads, forks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from contextlib import ExitStack, contextmanager
from urllib.parse import urlencode

import pytest

from memkit import (
    AsyncRedisMemoryManager,
    AuthenticationError,
    BackendUnavailableError,
    MemoryInput,
    OutcomeUnknownError,
    RedisMemoryManager,
    RetryPolicy,
    ServerError,
)
from memkit.backends.redis import pool
from memkit.backends.redis.cluster import AsyncClusterLink, ClusterLink
from memkit.backends.redis.faults import Down, Lost, Refused
from memkit.backends.redis.keys import slot_of
from memkit.backends.redis.wire import Wire
from memkit.flows.admin.erase import Leftovers
from memkit.flows.places import ALL_CONVERSATIONS
from memkit.retrying import retry
from memkit.testing.proxy import DROP_REPLY, SILENT, FaultProxy
from memkit.testing.servers import Certificates, Cluster, Server, supports_tls
from tests.clusters import (
    HOST,
    Linked,
    clients,
    done,
    key_of,
    move,
    on_its_way,
    owner_of,
    settled,
    silent_port,
    stopped,
    swap,
    told,
    url_of,
)
from tests.managers import WM, colours, every_verb, in_threads, opened, said, say, wait_for, work

ONCE = RetryPolicy(attempts=1)
PATIENT = RetryPolicy(attempts=10_000, deadline=30.0, initial=0.001, cap=0.02)


@pytest.fixture
def name():
    return uuid.uuid4().hex


@pytest.fixture(scope="module")
def nodes(binary):
    """A cluster whose slots are moved about and whose nodes are stopped for a while."""
    with Cluster(binary=binary("valkey")) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def pair(binary):
    """A primary with all slots, and its replica; they change places."""
    with Cluster(1, 1, binary("valkey")) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def single(binary):
    """A cluster of one node."""
    with Cluster(1, binary=binary("valkey")) as nodes:
        yield nodes


@pytest.fixture
def proxy(single):
    """What stands in front of the only node, and is what it announces."""
    (node,) = single.primaries
    with FaultProxy(HOST, node.port) as proxy:
        node.ask("CONFIG", "SET", "cluster-announce-port", proxy.port)
        yield proxy
    node.ask("CONFIG", "SET", "cluster-announce-port", 0)


# Where calls go ------------------------------------------------------------------------------------------------------


@colours
def test_every_verb(nodes, name, colour):
    """Every verb works wherever a conversation is, and no node ever has to say that a call belongs elsewhere."""
    before = told(nodes, "MOVED")
    with opened(colour, nodes.url) as manager:
        for number in range(12):
            every_verb(manager, f"{name}{number}")
    assert len({owner_of(nodes, key_of(f"{name}{number}")).port for number in range(12)}) == 3
    assert told(nodes, "MOVED") == before


@pytest.fixture(scope="module", params=["redis7", "redis62"])
def older(request, binary):
    """A cluster of an older server."""
    with Cluster(1, binary=binary(request.param)) as nodes:
        yield nodes


@colours
def test_older_servers(older, name, colour):
    """Clusters of older servers work with either protocol."""
    for protocol in (2, 3):
        with opened(colour, older.url, protocol=protocol) as manager:
            every_verb(manager, f"{name}{protocol}")


@colours
def test_one_seed_is_enough(nodes, name, colour):
    """The nodes that the URL does not name are found."""
    for node in nodes.primaries:
        with opened(colour, url_of(node.port)) as manager:
            for number in range(6):
                manager.store(work(f"{name}{number}", "x"))


@colours
def test_what_a_url_sets(nodes, name, colour):
    """Every node sees the client name and the protocol of the URL."""
    with opened(colour, nodes.url + f"?client_name=n{name}&protocol=2") as manager:
        manager.retrieve_many([MemoryInput(f"{name}{number}", WM) for number in range(20)])
        for node in nodes.primaries:
            lines = [line for line in str(node.ask("CLIENT", "LIST")).splitlines() if f" name=n{name} " in line]
            assert lines
            assert all(" resp=2 " in f"{line} " for line in lines)


@pytest.fixture(scope="module")
def guarded(binary):
    """A cluster with a user."""
    user = "ada on >word-0815 ~memkit:* +@all -@admin"
    with Cluster(2, binary=binary("valkey"), options={"user": user}) as nodes:
        yield nodes


@colours
def test_users(guarded, name, colour):
    """User and password are given to every node; a wrong one is refused once."""
    with opened(colour, guarded.url.replace("//", "//ada:word-0815@")) as manager:
        for number in range(6):
            every_verb(manager, f"{name}{number}")
    events = []
    with (
        opened(colour, guarded.url.replace("//", "//ada:guess-0815@"), on_retry=events.append) as manager,
        pytest.raises(AuthenticationError),
    ):
        manager.store(say(name, "x"))
    assert len(events) == 1


@colours
def test_many_across_nodes_in_order(nodes, name, colour):
    """Reads of many conversations come back in the order asked for; each node is sent its own in one write."""
    with opened(colour, nodes.url) as manager:
        names = [f"{name}{number}" for number in range(60)]
        for each in names:
            manager.store(work(each, each))
        before = done(nodes, "get")
        found = manager.retrieve_many([MemoryInput(each, WM) for each in names])
        assert [records[0].working_memory for records in found] == names
        assert done(nodes, "get") == before + 60


def test_all_nodes_are_asked_before_the_first_answers(nodes, name, monkeypatch):
    """Plain code that reads from several nodes sends to all of them before it waits for a reply."""
    steps = []
    real_send, real_replies = Wire.send, Wire._replies
    monkeypatch.setattr(Wire, "send", lambda *args: (steps.append("send"), real_send(*args))[1])
    monkeypatch.setattr(Wire, "_replies", lambda *args: (steps.append("wait"), real_replies(*args))[1])
    with Linked("sync", nodes.url) as linked:
        commands = [("GET", f"{name}{number}") for number in range(20)]
        linked.ask(*commands)
        steps.clear()
        assert linked.ask(*commands) == [None] * 20
    assert steps == ["send"] * 3 + ["wait"] * 3


def test_threads_with_one_connection_each_way(nodes, name):
    """Threads that need connections to several nodes at once never wait for each other in a circle."""
    commands = [("GET", f"{name}{number}") for number in range(20)]
    with Linked("sync", nodes.url, size=1) as linked:

        def act(number):
            for _ in range(200):
                linked.ask(*(commands if number % 2 else reversed(commands)))

        assert in_threads(6, act) == []


def test_rested_connections_are_looked_at_first(nodes, name, monkeypatch):
    """Pooled connections that nodes closed while they rested cost a call to several nodes no attempt."""
    monkeypatch.setattr(pool, "_RESTED", 0.0)
    commands = [("GET", f"{name}{number}") for number in range(20)]
    with Linked("sync", nodes.url) as linked:
        linked.ask(*commands)
        for node in nodes.primaries:
            node.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert linked.ask(*commands) == [None] * 20


@colours
def test_an_error_among_many(nodes, name, colour):
    """If one of many commands is refused that is the error, and the connections go on without a reply left behind."""
    with Linked(colour, nodes.url) as linked:
        linked.ask(("LPUSH", f"{name}1", "x"))
        commands = [("GET", f"{name}{number}") for number in range(10)]
        for _ in range(2):
            with pytest.raises(Refused) as caught:
                linked.ask(*commands)
            assert caught.value.code == "WRONGTYPE"
        assert linked.ask(*commands[2:]) == [None] * 8


@colours
def test_scan_reads_every_node(nodes, name, colour):
    """A scan leads page by page through all nodes: no key is left out, none is named twice, each page is bounded."""
    with Linked(colour, nodes.url) as linked:
        keys = {f"{name}{number}".encode() for number in range(400)}
        for key in keys:
            linked.ask(("SET", key, "x"))
        seen, cursor, pages = [], 0, 0
        while cursor or not pages:
            ((cursor, found),) = linked.ask(("SCAN", int(cursor), "MATCH", f"{name}*", "COUNT", 50))
            seen += found
            pages += 1
            cursor = int(cursor)
    assert len(seen) == len(keys)
    assert set(seen) == keys
    assert pages >= 6


def test_leftovers_of_all_nodes(nodes, name):
    """What is counted is the keys of all nodes, over as many pages as there are."""
    with RedisMemoryManager(nodes.url, namespace=name) as manager:
        for number in range(30):
            manager.store(work(f"{number}", "x"))
        counts, cursor = [], 0
        while cursor is not None:
            page = manager.backend.execute(Leftovers(ALL_CONVERSATIONS, whole=True, cursor=cursor))
            counts.append(page.count)
            cursor = page.cursor
    assert sum(counts) >= 30
    assert len(counts) >= 3
    assert min(counts) > 0


@colours
def test_not_a_cluster(valkey, name, colour):
    """A server that is no cluster says so at once, and the error names the cure."""
    events = []
    with (
        opened(colour, url_of(valkey.port), on_retry=events.append) as manager,
        pytest.raises(ServerError, match="redis://"),
    ):
        manager.store(say(name, "x"))
    assert len(events) == 1


@colours
def test_a_node_of_a_cluster_alone(nodes, name, colour):
    """A URL of a single server that turns out to be a node of a cluster is still an error that names the cure."""
    node = next(node for node in nodes.primaries if node is not owner_of(nodes, key_of(name)))
    with (
        opened(colour, f"redis://{HOST}:{node.port}/0") as manager,
        pytest.raises(ServerError, match=r"redis\+cluster"),
    ):
        manager.store(work(name, "x"))


# What nodes announce -------------------------------------------------------------------------------------------------


@colours
@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("kind", ["ip", "hostname", "unknown-endpoint"])
def test_what_nodes_announce(nodes, name, colour, protocol, kind):
    """Nodes are found by their address, without the name that they should have, and where they announce none."""
    for node in nodes.primaries:
        node.ask("CONFIG", "SET", "cluster-preferred-endpoint-type", kind)
    try:
        with opened(colour, url_of(nodes.primaries[0].port, protocol=protocol)) as manager:
            for number in range(6):
                manager.store(work(f"{name}{number}", "x"))
            # A redirection announces it in the same way.
            move(nodes, key_of(f"{name}0"))
            manager.store(work(f"{name}0", "y"))
    finally:
        for node in nodes.primaries:
            node.ask("CONFIG", "SET", "cluster-preferred-endpoint-type", "ip")


@colours
def test_names_that_no_node_announces(nodes, name, colour):
    """Nodes that announce other addresses than those of the URL are reached by these, the others are let go of."""
    mark = f"n{name}"
    hosts = ",".join(f"localhost:{node.port}" for node in nodes.primaries)
    with opened(colour, f"redis+cluster://{hosts}?client_name={mark}", pool_size=1) as manager:
        for number in range(12):
            manager.store(work(f"{name}{number}", "x"))
        for node in nodes.primaries:
            wait_for(lambda node=node: clients(node, mark) == 1)


def certified(directory, *names):
    """Certificates of a server with these names."""
    import trustme  # noqa: PLC0415 - only these tests need it

    paths = [directory / each for each in ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")]
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(paths[0]))
    for offset, hosts in ((1, names), (3, ("memkit.test",))):
        issued = authority.issue_cert(*hosts)
        issued.cert_chain_pems[0].write_to_path(str(paths[offset]))
        issued.private_key_pem.write_to_path(str(paths[offset + 1]))
    return Certificates(*paths)


@contextmanager
def secured(program, certificates):
    """The URL of a cluster that speaks TLS and announces the name localhost."""
    options = {
        "cluster-enabled": "yes",
        "tls-cluster": "yes",
        "cluster-announce-hostname": "localhost",
        "cluster-preferred-endpoint-type": "hostname",
    }
    files = {"ca_file": certificates.ca, "cert_file": certificates.client_cert, "key_file": certificates.client_key}
    with Server(program, options, tls=certificates) as node:
        node.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_for(lambda: "cluster_state:ok" in str(node.ask("CLUSTER", "INFO")))
        yield f"rediss+cluster://{HOST}:{node.port}?{urlencode(files)}"


@pytest.fixture(scope="module")
def tls_program(binary):
    program = binary("redis7")
    if not supports_tls(program):
        pytest.skip("this redis-server was built without TLS")
    return program


@pytest.fixture(scope="module")
def trusted(tls_program, tmp_path_factory):
    with secured(tls_program, certified(tmp_path_factory.mktemp("tls"), HOST, "localhost")) as url:
        yield url


@pytest.fixture(scope="module")
def misnamed(tls_program, tmp_path_factory):
    with secured(tls_program, certified(tmp_path_factory.mktemp("tls"), HOST)) as url:
        yield url


@colours
def test_tls(trusted, name, colour):
    """Every verb works over TLS, where the certificate is good for the announced name."""
    with opened(colour, trusted) as manager:
        every_verb(manager, name)


@colours
def test_tls_checks_the_announced_name(misnamed, name, colour):
    """A node whose certificate is not good for the name that it announces is refused at once."""
    events = []
    with (
        opened(colour, misnamed, on_retry=events.append) as manager,
        pytest.raises(BackendUnavailableError, match="host name"),
    ):
        manager.store(say(name, "x"))
    assert len(events) == 1


# Slots that move -----------------------------------------------------------------------------------------------------


@colours
def test_moved(nodes, name, colour):
    """After a slot moved, one call is told so and is sent on at once; the next ones go to the new node."""
    events = []
    with opened(colour, nodes.url, on_retry=events.append) as manager:
        manager.store(work(name, "one"))
        move(nodes, key_of(name))
        before = told(nodes, "MOVED")
        (found,) = manager.retrieve(MemoryInput(name, WM))
        assert found.working_memory == "one"
        assert told(nodes, "MOVED") == before + 1
        manager.store(work(name, "two"))
        (found,) = manager.retrieve(MemoryInput(name, WM))
        assert found.working_memory == "two"
        assert told(nodes, "MOVED") == before + 1
    assert events == []


@colours
def test_asked(nodes, name, colour):
    """In the middle of a move a call is sent where its key is already, without a new owner being learned."""
    with Linked(colour, nodes.url) as linked:
        linked.ask(("SET", name, "one"))
        with on_its_way(nodes, name):
            before, asked = told(nodes, "MOVED"), done(nodes, "cluster|slots")
            for number in range(3):
                errors = told(nodes, "ASK")
                linked.ask(("APPEND", name, str(number)))
                assert told(nodes, "ASK") == errors + 1
            assert linked.ask(("GET", name)) == [b"one012"]
            assert (told(nodes, "MOVED"), done(nodes, "cluster|slots")) == (before, asked)
        assert linked.ask(("GET", name)) == [b"one012"]


@colours
def test_moved_and_asked(nodes, name, colour):
    """A call that one node sends on to another may be sent on by that one, too."""
    with Linked(colour, nodes.url) as linked:
        linked.ask(("SET", name, "one"))
        move(nodes, name)
        moved, asked = told(nodes, "MOVED"), told(nodes, "ASK")
        with on_its_way(nodes, name):
            assert linked.ask(("GET", name)) == [b"one"]
        assert (told(nodes, "MOVED"), told(nodes, "ASK")) == (moved + 1, asked + 1)


@colours
def test_a_reply_stays_whatever_comes_of_the_slots(nodes, name, colour, monkeypatch):
    """When a call that was sent on has its reply, it does not fail because the slots cannot be asked for."""
    refused = []

    def refuse(_):
        refused.append(1)
        raise Down("nobody answers")

    async def arefuse(_):
        refuse(_)

    with Linked(colour, nodes.url) as linked:
        linked.ask(("SET", name, "one"))
        move(nodes, name)
        monkeypatch.setattr(ClusterLink, "_refresh", refuse)
        monkeypatch.setattr(AsyncClusterLink, "_refresh", arefuse)
        assert linked.ask(("GET", name)) == [b"one"]
    assert refused == [1]


@colours
def test_many_while_a_slot_moves(nodes, name, colour):
    """Of many reads only those are sent again that a node did not answer, and their order stays."""
    with opened(colour, nodes.url) as manager:
        names = [f"{name}{number}" for number in range(40)]
        for each in names:
            manager.store(work(each, each))
        before, refused = done(nodes, "get"), done(nodes, "get", "rejected_calls")
        inputs = [MemoryInput(each, WM) for each in names]
        with on_its_way(nodes, key_of(names[7])):
            found = manager.retrieve_many(inputs)
            assert [records[0].working_memory for records in found] == names
            assert done(nodes, "get") == before + 40
            assert done(nodes, "get", "rejected_calls") == refused + 1
        found = manager.retrieve_many(inputs)
        assert [records[0].working_memory for records in found] == names
        assert done(nodes, "get") == before + 80
        assert done(nodes, "get", "rejected_calls") == refused + 2


def move_about(nodes, names):
    """Move the slots of conversations a few times, with time for calls in the middle of each move."""
    for moved in range(8):
        with on_its_way(nodes, key_of(names[moved % len(names)])):
            time.sleep(0.01)


def test_appends_while_slots_move(nodes, name):
    """Threads append while their slots move again and again: nothing is lost, doubled or out of order."""
    names, counts, over = [f"{name}{number}" for number in range(4)], [0] * 4, threading.Event()
    with opened("sync", nodes.url, retry=PATIENT) as manager:

        def act(number):
            while number < 4 and not over.is_set():
                manager.store(say(names[number], str(counts[number])))
                counts[number] += 1
            if number == 4:
                try:
                    move_about(nodes, names)
                finally:
                    over.set()

        assert in_threads(5, act) == []
        for each, count in zip(names, counts, strict=True):
            assert said(manager, each) == [str(n) for n in range(count)]
    assert min(counts) > 8


async def test_appends_of_tasks_while_slots_move(nodes, name):
    """Tasks append while their slots move again and again: nothing is lost, doubled or out of order."""
    names = [f"{name}{number}" for number in range(8)]
    async with AsyncRedisMemoryManager(nodes.url, retry=PATIENT) as manager:
        moving = asyncio.create_task(asyncio.to_thread(move_about, nodes, names))

        async def write(each):
            count = 0
            while not moving.done():
                await manager.store(say(each, str(count)))
                count += 1
            return count

        counts = await asyncio.gather(moving, *[write(each) for each in names])
        for each, count in zip(names, counts[1:], strict=True):
            found = await manager.retrieve(MemoryInput(each))
            assert [record.content for record in found] == [str(n) for n in range(count)]
    assert min(counts[1:]) > 8


@colours
def test_nodes_that_disagree(nodes, name, colour):
    """Two nodes that send a call to each other do not keep it: the retries go on, until they agree."""
    key = key_of(name)
    slot, one = slot_of(key.encode()), owner_of(nodes, key)
    two = next(node for node in nodes.primaries if node is not one)
    ids = {node: node.ask("CLUSTER", "MYID") for node in (one, two)}
    # A slot with keys cannot be given away like this.
    one.ask("FLUSHALL")
    one.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[two])
    before, events = told(nodes, "MOVED"), []
    try:
        with (
            opened(colour, nodes.url, retry=ONCE, on_retry=events.append) as manager,
            pytest.raises(BackendUnavailableError, match="agree"),
        ):
            manager.store(work(name, "x"))
        assert len(events) == 1
        assert 1 < told(nodes, "MOVED") - before < 12
        with opened(colour, nodes.url, retry=PATIENT, on_retry=events.append) as manager:
            mend = threading.Timer(0.2, two.ask, ("CLUSTER", "SETSLOT", slot, "NODE", ids[two]))
            mend.start()
            manager.store(work(name, "x"))
            mend.join()
        assert len(events) > 1
    finally:
        for node in nodes.primaries:
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[two])


# Nodes that change, die, or fall silent ------------------------------------------------------------------------------


@colours
def test_a_planned_failover(pair, name, colour):
    """When all slots of a node move at once, the first call that is told so learns of all of them."""
    events = []
    with opened(colour, pair.url, on_retry=events.append) as manager:
        names = [f"{name}{number}" for number in range(30)]
        for each in names:
            manager.store(work(each, "one"))
        swap(pair)
        before = told(pair, "MOVED")
        for each in names:
            assert manager.retrieve(MemoryInput(each, WM))
        assert told(pair, "MOVED") == before + 1
        for each in names:
            manager.store(work(each, "two"))
        found = manager.retrieve_many([MemoryInput(each, WM) for each in names])
        assert [records[0].working_memory for records in found] == ["two"] * 30
        assert told(pair, "MOVED") == before + 1
    assert events == []


@colours
def test_a_primary_is_killed(binary, name, colour):
    """When a primary dies, calls go on at its replica once that is promoted, also where the URL does not name it."""
    with Cluster(1, 1, binary("valkey")) as group, opened(colour, group.url, retry=PATIENT) as manager:
        (old,), (new,) = group.primaries, group.replicas
        for number in range(5):
            manager.store(say(name, str(number)))
        old.ask("WAIT", 1, 1000)
        old.kill()
        promote = threading.Timer(0.3, new.ask, ("CLUSTER", "FAILOVER", "TAKEOVER"))
        promote.start()
        for number in range(5, 10):
            manager.store(say(name, str(number)))
        promote.join()
        assert said(manager, name) == [str(number) for number in range(10)]


@pytest.mark.slow
@colours
def test_a_failover_of_the_cluster(binary, name, colour):
    """When one of three primaries dies the others promote its replica, and what it had acknowledged is there."""
    with Cluster(3, 1, binary("valkey")) as group, opened(colour, group.url, retry=PATIENT) as manager:
        names = [f"{name}{number}" for number in range(12)]
        for each in names:
            manager.store(say(each, "one"))
        for node in group.primaries:
            node.ask("WAIT", 1, 1000)
        time.sleep(0.1)
        group.primaries[0].kill()
        for each in names:
            manager.store(say(each, "two"))
            assert said(manager, each) == ["one", "two"]


@colours
def test_other_nodes_go_on_while_one_is_down(binary, name, colour):
    """While a node is down, calls to the others need no second try, and wait for no look at the slots."""
    events, options = [], {"cluster-require-full-coverage": "no"}
    with (
        Cluster(2, binary=binary("valkey"), options=options) as group,
        opened(colour, group.url, on_retry=events.append, retry=RetryPolicy(deadline=0.3)) as manager,
    ):
        names = [f"{name}{number}" for number in range(30)]
        for each in names:
            manager.store(work(each, "x"))
        dead, alive = group.primaries
        lost = [each for each in names if owner_of(group, key_of(each)) is dead]
        dead.kill()
        with pytest.raises(BackendUnavailableError):
            manager.retrieve(MemoryInput(lost[0], WM))
        asked = alive.info("commandstats")["cmdstat_cluster|slots"]["calls"]
        events.clear()
        for each in names:
            if each not in lost:
                assert manager.retrieve(MemoryInput(each, WM))
        assert events == []
        assert alive.info("commandstats")["cmdstat_cluster|slots"]["calls"] == asked
    assert 0 < len(lost) < 30


@colours
@pytest.mark.parametrize("attempt", [0.2, 2.0])
@pytest.mark.parametrize("when", ["at start-up", "later"])
def test_the_deadline_holds_in_a_silent_cluster(nodes, name, colour, when, attempt):
    """Where no node answers, a call ends at its deadline, the first one too, whatever a single try may take."""
    options = {"attempt_timeout": attempt, "retry": RetryPolicy(attempts=1000, deadline=0.6)}
    with opened(colour, nodes.url, **options) as manager:
        if when == "later":
            assert manager.retrieve(MemoryInput(name, WM)) == []
        with stopped(nodes, nodes.primaries):
            for _ in range(2):
                started = time.monotonic()
                with pytest.raises(BackendUnavailableError):
                    manager.retrieve(MemoryInput(name, WM))
                assert time.monotonic() - started < 1.1
        wait_for(manager.ping)


def test_threads_keep_their_deadlines_in_a_silent_cluster(nodes, name):
    """Threads that want to know the slots of a silent cluster at the same time end at their own deadlines."""
    took = []
    with opened("sync", nodes.url, retry=RetryPolicy(attempts=1000, deadline=0.6)) as manager:

        def act(_):
            started = time.monotonic()
            with pytest.raises(BackendUnavailableError):
                manager.retrieve(MemoryInput(name, WM))
            took.append(time.monotonic() - started)

        with stopped(nodes, nodes.primaries):
            assert in_threads(4, act) == []
    assert max(took) < 1.1


async def test_a_task_waits_for_the_slots_no_longer_than_it_may(nodes):
    """A task that waits for an answer that another one asked for, and has more time for, ends at its own deadline."""
    link = Linked("async", nodes.url).link
    others = asyncio.create_task(asyncio.sleep(20))
    link._asking[asyncio.get_running_loop()] = others
    call = retry(OSError, deadline=0.1, cut=False)(link.exchange)
    async with asyncio.timeout(5):
        with pytest.raises(Down, match="in time"):
            await call((("GET", "x"),))
    assert not others.done()
    others.cancel()


def test_replies_of_all_nodes_within_one_try(nodes, name):
    """However late the first node replies, the others are not waited for longer than one try."""
    commands = [("GET", f"{name}{number}") for number in range(20)]
    with Linked("sync", nodes.url, attempt=1.0) as linked:
        linked.ask(*commands)
        late = min(nodes.primaries, key=lambda node: node.port)
        with stopped(nodes, nodes.primaries):
            threading.Timer(0.8, os.kill, (late.pid, signal.SIGCONT)).start()
            started = time.monotonic()
            with pytest.raises(Lost):
                linked.ask(*commands)
            assert time.monotonic() - started < 1.5


def last_asked(link):
    """The address of the node that is asked last for the slots."""
    return [address for address, _ in link._known.turns(1.0, time.monotonic() + 1.0)][-1]


@colours
@pytest.mark.parametrize("count", [1, 20])
def test_a_node_that_failed(nodes, name, colour, count):
    """A node that does not answer is asked last for the slots, and nothing of it is left on its connection."""
    names = [f"{name}{number}" for number in range(40)]
    with Linked(colour, nodes.url, attempt=0.2) as linked:
        for each in names:
            linked.ask(("SET", each, each))
        _, last = last_asked(linked.link)
        names.sort(key=lambda each: owner_of(nodes, each).port == last)
        node = owner_of(nodes, names[0])
        with stopped(nodes, [node]), pytest.raises(Lost):
            linked.ask(*[("GET", each) for each in names[:count]])
        assert last_asked(linked.link) == (HOST, node.port)
        for _ in range(2):
            assert linked.ask(*[("GET", each) for each in reversed(names)]) == [each.encode() for each in names[::-1]]


@colours
def test_silent_seeds_leave_time_for_the_others(nodes, name, colour):
    """A call that begins with two silent addresses comes through to the third, within its deadline."""
    with ExitStack() as stack:
        ports = [stack.enter_context(silent_port()) for _ in range(2)]
        url = url_of(*ports, nodes.primaries[0].port)
        with opened(colour, url, attempt_timeout=5.0, retry=RetryPolicy(attempts=1, deadline=1.5)) as manager:
            manager.store(work(name, "x"))


@colours
def test_a_stopped_node_is_not_asked_first(nodes, name, colour):
    """A call that a silent node does not answer asks another one for the slots, and goes on when it is back."""
    key = key_of(name)
    with opened(colour, nodes.url, attempt_timeout=0.1, retry=PATIENT) as manager:
        manager.store(work(name, "one"))
        node = owner_of(nodes, key)
        os.kill(node.pid, signal.SIGSTOP)
        threading.Timer(0.5, os.kill, (node.pid, signal.SIGCONT)).start()
        started = time.monotonic()
        manager.store(work(name, "two"))
        assert time.monotonic() - started < 1.5
    settled(nodes)


# In doubt ------------------------------------------------------------------------------------------------------------


@colours
def test_a_lost_reply_is_stored_once(proxy, name, colour):
    """Writes whose replies are lost are sent again after a look at the slots, and stored once."""
    with opened(colour, url_of(proxy.port)) as manager:
        for number in range(10):
            proxy.inject(DROP_REPLY, when=lambda command: command[0] == b"EVALSHA")
            manager.store(say(name, str(number)))
        assert said(manager, name) == [str(number) for number in range(10)]
    assert proxy.injected["DROP_REPLY"] == 10
    assert proxy.commands.count("CLUSTER") == 11


@colours
def test_nothing_below_repeats(proxy, name, colour):
    """With one attempt, a write whose reply is lost is sent once, and its outcome is unknown."""
    with opened(colour, url_of(proxy.port), retry=ONCE) as manager:
        manager.store(say(name, "zero"))
        before = len(proxy.requests)
        proxy.inject(DROP_REPLY)
        with pytest.raises(OutcomeUnknownError):
            manager.store(say(name, "one"))
        assert proxy.commands[before:] == ["EVALSHA"]


@colours
def test_doubt_stays(proxy, name, colour):
    """A write that may have been stored stays in doubt, also where no node is reached any more afterwards."""
    with opened(colour, url_of(proxy.port), retry=RetryPolicy(attempts=1000, deadline=0.4)) as manager:
        manager.store(say(name, "zero"))
        proxy.inject(DROP_REPLY)
        gone = threading.Thread(target=lambda: (wait_for(lambda: proxy.injected["DROP_REPLY"]), proxy.down()))
        proxy.inject(SILENT, when=lambda _: True, times=None)
        gone.start()
        with pytest.raises(OutcomeUnknownError):
            manager.store(say(name, "one"))
        gone.join()


@colours
def test_doubt_about_those_sent_on(nodes, name, colour, monkeypatch):
    """Where one of many commands of a node is sent on and does not arrive, the others were executed all the same."""

    def lose(*_):
        raise Down("nobody there")

    async def alose(*_):
        lose()

    monkeypatch.setattr(ClusterLink, "_follow", lose)
    monkeypatch.setattr(AsyncClusterLink, "_follow", alose)
    for count in (3, 1):
        key = f"{{{name}{count}}}"
        with Linked(colour, nodes.url) as linked:
            linked.ask(("GET", key))
            move(nodes, key)
            with pytest.raises(Down) as caught:
                linked.replies(*[("GET", f"{key}{number}") for number in range(count)])
            assert caught.value.in_doubt == (count > 1)


@colours
def test_refusals_stand_among_the_replies(nodes, name, colour):
    """Of many commands that are each for itself, one that a node refuses, or one it was sent on to, leaves the rest."""
    with Linked(colour, nodes.url) as linked:
        linked.ask(("SET", f"{{{name}}}1", "one"))
        linked.ask(("LPUSH", f"{name}2", "x"))
        with on_its_way(nodes, f"{{{name}}}1"):
            commands = [("GET", f"{{{name}}}1"), ("MGET", f"{{{name}}}0", f"{{{name}}}2"), ("GET", f"{name}2")]
            one, two, three = linked.replies(*commands)
        assert one == b"one"
        assert [(type(reply), reply.code) for reply in (two, three)] == [(Refused, "TRYAGAIN"), (Refused, "WRONGTYPE")]


@colours
def test_doubt_about_many(nodes, name, colour):
    """Where one of several nodes is not reached the others may have executed theirs; one command alone was not sent."""
    commands = [("GET", f"{name}{number}") for number in range(20)]
    with Linked(colour, nodes.url) as linked:
        for count, in_doubt in ((20, True), (1, False)):
            linked.ask(*commands)
            linked.link._known._owners[slot_of(f"{name}0".encode())] = (HOST, 1)
            with pytest.raises(Down) as caught:
                linked.ask(*commands[:count])
            assert caught.value.in_doubt == in_doubt


# Connections ---------------------------------------------------------------------------------------------------------


async def test_64_tasks_on_one_connection_to_each_node(nodes, name):
    """64 tasks have one connection to each node, and read what they wrote; the slots are asked for once."""
    mark, before = f"n{name}", done(nodes, "cluster|slots")

    async def one(manager, number):
        mine = f"{name}-{number}"
        for n in range(20):
            await manager.store(work(mine, f"{number}/{n}"))
            await manager.store(say(mine, f"{number}/{n}"))
            (found,) = await manager.retrieve(MemoryInput(mine, WM))
            assert found.working_memory == f"{number}/{n}"
            (last,) = await manager.retrieve(MemoryInput(mine, limit=1))
            assert last.content == f"{number}/{n}"

    async with AsyncRedisMemoryManager(f"{nodes.url}?client_name={mark}") as manager:
        await asyncio.gather(*(one(manager, number) for number in range(64)))
        assert [clients(node, mark) for node in nodes.primaries] == [1, 1, 1]
    assert done(nodes, "cluster|slots") == before + 1


async def test_several_connections_where_asked_for(nodes, name):
    """An async manager has as many connections to each node as `connections` says."""
    mark = f"n{name}"
    async with AsyncRedisMemoryManager(f"{nodes.url}?client_name={mark}", connections=2) as manager:
        await asyncio.gather(*(manager.store(work(f"{name}{number}", "x")) for number in range(64)))
        assert [clients(node, mark) for node in nodes.primaries] == [2, 2, 2]


def test_threads_share_bounded_pools(nodes, name):
    """16 threads share 3 connections to each node, ask once who has which slot, and no call is repeated."""
    mark, before, events = f"n{name}", done(nodes, "cluster|slots"), []
    url = f"{nodes.url}?client_name={mark}"
    with opened("sync", url, pool_size=3, on_retry=events.append) as manager:

        def act(number):
            for n in range(30):
                manager.store(say(f"{name}{number}", str(n)))

        assert in_threads(16, act) == []
        assert all(0 < clients(node, mark) <= 3 for node in nodes.primaries)
        for number in range(16):
            assert said(manager, f"{name}{number}") == [str(n) for n in range(30)]
    assert events == []
    assert done(nodes, "cluster|slots") == before + 1


async def test_cancelled_while_the_slots_are_asked_for(proxy, name):
    """Who is cancelled while the slots are asked for leaves the others the answer."""
    async with AsyncRedisMemoryManager(url_of(proxy.port)) as manager:
        tasks = [asyncio.create_task(manager.store(say(name, str(number)))) for number in range(10)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 5
        found = await manager.retrieve(MemoryInput(name))
    assert sorted(record.content for record in found) == ["1", "3", "5", "7", "9"]
    assert proxy.commands.count("CLUSTER") == 1


def test_loops_one_after_another(nodes, name):
    """One async manager works in three asyncio.run, one after another."""
    manager = AsyncRedisMemoryManager(nodes.url)

    async def use(number):
        await asyncio.gather(*(manager.store(say(f"{name}{n}", str(number))) for n in range(8)))
        found = await manager.retrieve_many([MemoryInput(f"{name}{n}") for n in range(8)])
        return [[record.content for record in records] for records in found]

    for number in range(3):
        assert asyncio.run(use(number)) == [[str(n) for n in range(number + 1)]] * 8
    asyncio.run(manager.aclose())


def test_loops_at_the_same_time(nodes, name):
    """One async manager works in three loops of three threads, each with its own connection to each node."""
    mark = f"n{name}"
    manager = AsyncRedisMemoryManager(f"{nodes.url}?client_name={mark}")
    together = threading.Barrier(3)

    async def use(number):
        for n in range(60):
            await manager.store(work(f"{name}{number}/{n % 9}", f"{number}/{n}"))
            (found,) = await manager.retrieve(MemoryInput(f"{name}{number}/{n % 9}", WM))
            assert found.working_memory == f"{number}/{n}"
        await asyncio.to_thread(together.wait)
        assert [clients(node, mark) for node in nodes.primaries] == [3, 3, 3]
        await asyncio.to_thread(together.wait)

    assert in_threads(3, lambda number: asyncio.run(use(number))) == []
    asyncio.run(manager.aclose())


FORK = """
    import asyncio, json, os, sys
    from memkit import AsyncRedisMemoryManager, MemoryInput, MemoryType, RedisMemoryManager, UserMessage, WorkingMemory

    url, stem = sys.argv[1:]
    plain, tasks = RedisMemoryManager(url), AsyncRedisMemoryManager(url)

    def work(name, text):
        return MemoryInput(name, MemoryType.WORKING_MEMORY, data=[WorkingMemory(text)])

    async def use(me, count):
        wrong = 0
        for n in range(count):
            text, name = f"{me} {n}", f"{stem}{me}a{n % 7}"
            await tasks.store(work(name, text))
            (found,) = await tasks.retrieve(MemoryInput(name, MemoryType.WORKING_MEMORY))
            wrong += found.working_memory != text
        return wrong

    def both(me, count):
        wrong = 0
        for n in range(count):
            text, name = f"{me} {n}", f"{stem}{me}s{n % 7}"
            plain.store(work(name, text))
            plain.store(MemoryInput(stem, data=[UserMessage(text, id=text)]))
            (found,) = plain.retrieve(MemoryInput(name, MemoryType.WORKING_MEMORY))
            wrong += found.working_memory != text
        return wrong + asyncio.run(use(me, count))

    wrong, me, children = both("before", 10), "parent", []
    for number in range(3):
        pid = os.fork()
        if not pid:
            me, children = f"child{number}", []
            break
        children.append(pid)
    wrong += both(me, 100)
    if not children:
        os._exit(min(wrong, 100))
    wrong += sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children)
    stored = [record.content for record in plain.retrieve(MemoryInput(stem))]
    print(json.dumps([wrong, len(stored), len(set(stored))]))
"""


def test_fork(nodes, name):
    """Managers of both colours used before a fork work in parent and children: no reply goes astray."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(FORK), nodes.url, name]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(ended.stdout) == [0, 410, 410]


FORK_IN_BETWEEN = """
    import os, sys
    from memkit import MemoryInput, RedisMemoryManager, RetryPolicy

    manager = RedisMemoryManager(sys.argv[1], retry=RetryPolicy(deadline=2.0))
    # As if another thread were asking.
    manager.backend._link._lock.acquire()
    if not os.fork():
        os._exit(0 if manager.retrieve(MemoryInput(sys.argv[2])) == [] else 1)
    print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_fork_while_the_slots_are_asked_for(nodes, name):
    """A child that is forked while another thread asks for the slots can ask for them itself."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(FORK_IN_BETWEEN), nodes.url, name]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout == "0\n"


@colours
def test_closed(nodes, name, colour):
    """A closed link leaves no connection at any node, refuses every call at once, and may be closed again."""
    mark = f"n{name}"
    with Linked(colour, f"{nodes.url}?client_name={mark}") as linked:
        linked.ask(*[("GET", f"{name}{number}") for number in range(20)])
        assert all(clients(node, mark) for node in nodes.primaries)
        linked.__exit__()
        for node in nodes.primaries:
            wait_for(lambda node=node: not clients(node, mark))
        linked._runner = None if colour == "sync" else asyncio.Runner()
        for commands in ([("GET", name)], [("GET", name), ("GET", "x")], [("PING",)]):
            for stale in (False, True):
                linked.link._known.stale = stale
                with pytest.raises(Down, match="closed") as caught:
                    linked.ask(*commands)
                assert caught.value.final


@colours
def test_closed_before_it_was_used(nodes, name, colour):
    """A link that is closed before its first call connects to nobody."""
    with Linked(colour, nodes.url) as linked:
        linked.__exit__()
        linked._runner = None if colour == "sync" else asyncio.Runner()
        with pytest.raises(Down, match="closed"):
            linked.ask(("GET", name))


async def test_closed_while_the_slots_are_asked_for(name):
    """Closing ends the calls that wait for silent nodes, at once."""
    with silent_port() as port:
        manager = AsyncRedisMemoryManager(url_of(port), attempt_timeout=20.0, retry=RetryPolicy(deadline=60.0))
        call = asyncio.create_task(manager.retrieve(MemoryInput(name, WM)))
        await asyncio.sleep(0.1)
        started = time.monotonic()
        await manager.aclose()
        with pytest.raises(BackendUnavailableError):
            await call
        assert time.monotonic() - started < 5.0


def test_a_message_of_a_conversation_names_no_node(nodes):
    """What a manager and its errors show is the URL without its secrets, as for every other server."""
    manager = RedisMemoryManager(nodes.url.replace("//", "//ada:word-0815@"))
    assert nodes.url in repr(manager.backend)
    assert "word-0815" not in repr(manager.backend)
    manager.close()
