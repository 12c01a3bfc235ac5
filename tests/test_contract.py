"""Every backend of memkit keeps the contract, in both colours."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from contextlib import ExitStack

import pytest
import redis
import redis.asyncio

from memkit import (
    AsyncInMemoryManager,
    AsyncMemoryManager,
    AsyncNullMemoryManager,
    AsyncRedisMemoryManager,
    ConfigurationError,
    InMemoryManager,
    MemoryInput,
    MemoryKit,
    MemoryManager,
    NullMemoryManager,
    RedisMemoryManager,
    UserMessage,
    create_memory_kit,
    embedded,
)
from memkit.backends.base import IAsyncBackend, IBackend
from memkit.commands import RecordDrop
from memkit.testing._contract.admin_listing import AdminInputContract
from memkit.testing._contract.admin_transfer import check_transfer, fill
from memkit.testing._contract.history_base import Kit
from memkit.testing._contract.history_inputs import HistoryInputContract
from memkit.testing.clock import ManualClock
from memkit.testing.contract import (
    SHORT,
    WORKING,
    AdminContract,
    HistoryContract,
    ManagerContract,
    NullContract,
    NullHistoryContract,
    StoreContract,
    Subject,
    sample,
)

COLOURS = {"sync": RedisMemoryManager, "async": AsyncRedisMemoryManager}


SUITES = (ManagerContract, HistoryContract, AdminContract, NullContract, NullHistoryContract)


def test_no_claim_hides_another():
    """Every test of every piece of the contract runs: no two pieces have a test of the same name."""
    pieces = {piece for suite in SUITES for piece in suite.__mro__}
    names = [name for piece in pieces for name in vars(piece) if name.startswith("test_")]
    assert len(names) == len(set(names)) > 300


@pytest.fixture
def run():
    """Return a namespace of the test's own."""
    return f"test-{uuid.uuid4().hex}"


class TestInMemory(ManagerContract, HistoryContract, AdminContract):
    """The contract in this process, in both colours; no test waits."""

    @pytest.fixture(params=["sync", "async"])
    def make_manager(self, request):
        """Return managers that share one backend for each namespace."""
        first, other = {
            "sync": (InMemoryManager, MemoryManager),
            "async": (AsyncInMemoryManager, AsyncMemoryManager),
        }[request.param]
        stores = {}

        def make(*, namespace="only", **options):
            if namespace in stores:
                return other(stores[namespace], namespace=namespace, **options)
            manager = first(namespace=namespace, **options)
            stores[namespace] = manager.backend
            return manager

        return make

    @pytest.fixture
    def clock(self):
        """Return a clock that moves by itself only when somebody sleeps."""
        return ManualClock()


class TestNull(NullContract, NullHistoryContract):
    """Null's part of the contract, in both colours."""

    @pytest.fixture(params=[NullMemoryManager, AsyncNullMemoryManager])
    def make_manager(self, request):
        """Return null managers."""
        return request.param


class TestValkey(ManagerContract, HistoryContract, AdminContract):
    """The contract on a real server, in both colours and with both protocols."""

    @pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
    def protocol(self, request):
        """Return a version of RESP."""
        return request.param

    @pytest.fixture(params=COLOURS)
    def make_manager(self, request, valkey, protocol, run):
        """Return managers of one server."""

        def make(*, namespace="", **options):
            name = f"{run}:{namespace}"
            return COLOURS[request.param](valkey.url, namespace=name, protocol=protocol, **options)

        return make


def _pair(server, colour, protocol, *, slow):
    marks = pytest.mark.slow if slow else ()
    return pytest.param((server, colour, protocol), id=f"{server}-{colour}-resp{protocol}", marks=marks)


PAIRS = list(itertools.product(("redis7", "redis62"), COLOURS, (2, 3)))


class _OlderServers:
    @pytest.fixture
    def make_manager(self, pair, servers, run):
        """Return managers of one server."""
        server, colour, protocol = pair
        url = servers(server).url

        def make(*, namespace="", **options):
            return COLOURS[colour](url, namespace=f"{run}:{namespace}", protocol=protocol, **options)

        return make


class TestOlderServers(_OlderServers, StoreContract):
    """The contract on older servers; every colour with every protocol on one of them, the rest in the long run."""

    @pytest.fixture(
        params=[
            _pair(server, colour, protocol, slow=((server == "redis7") == (colour == "sync")) != (protocol == 2))
            for server, colour, protocol in PAIRS
        ]
    )
    def pair(self, request):
        """Return a server, a colour and a protocol."""
        return request.param


class TestHistoriesOnOlderServers(_OlderServers, HistoryContract, AdminContract):
    """Histories and administration there; one colour and protocol on each, the rest in the long run."""

    @pytest.fixture(
        params=[_pair(*pair, slow=pair not in {("redis7", "async", 3), ("redis62", "sync", 2)}) for pair in PAIRS]
    )
    def pair(self, request):
        """Return a server, a colour and a protocol."""
        return request.param


class _Cluster:
    @pytest.fixture
    def make_manager(self, colour, cluster, run):
        """Return managers of the cluster."""

        def make(*, namespace="", **options):
            return COLOURS[colour](cluster.url, namespace=f"{run}:{namespace}", **options)

        return make


class TestCluster(_Cluster, StoreContract):
    """The contract on three nodes."""

    @pytest.fixture(params=COLOURS)
    def colour(self, request):
        """Return a colour."""
        return request.param


class TestHistoriesOnACluster(_Cluster, HistoryContract, AdminContract):
    """Histories and administration there; async in the long run."""

    @pytest.fixture(params=["sync", pytest.param("async", marks=pytest.mark.slow)])
    def colour(self, request):
        """Return a colour."""
        return request.param


class _Deaf(IBackend):
    """A backend that must not be asked."""

    def execute(self, command):
        pytest.fail(f"{type(command).__name__} was sent")

    def ping(self):
        return True

    def close(self):
        pass


class _AsyncDeaf(IAsyncBackend):
    """The same for asyncio."""

    async def execute(self, command):
        pytest.fail(f"{type(command).__name__} was sent")

    async def ping(self):
        return True

    async def aclose(self):
        pass


class TestNothingIsSent(HistoryInputContract, AdminInputContract):
    """What is wrong is refused before anything is sent, in both colours."""

    @pytest.fixture(params=["sync", "async"])
    def make_manager(self, request):
        """Return managers over a backend that must not be asked."""
        manager, backend = {"sync": (MemoryManager, _Deaf), "async": (AsyncMemoryManager, _AsyncDeaf)}[request.param]
        return lambda **options: manager(backend(), **options)


def _kits(valkey, tmp_path, run):
    yield MemoryKit(InMemoryManager(namespace="m"))
    yield MemoryKit(RedisMemoryManager(valkey.url, namespace=run))
    yield create_memory_kit(f"embedded://{tmp_path}", namespace="e")
    yield MemoryKit(InMemoryManager(namespace="m"))


def test_everything_moves_from_backend_to_backend(valkey, tmp_path, run, monkeypatch):
    """What goes from memory to a server, to an embedded one and to memory again is what it was."""
    monkeypatch.setattr(embedded, "_GRACE_SECONDS", 0.1)
    with asyncio.Runner() as runner, ExitStack() as stack:
        kits = [Kit(Subject(stack.enter_context(kit).manager, runner)) for kit in _kits(valkey, tmp_path, run)]
        fill(kits[0])
        for here, there in itertools.pairwise(kits):
            assert there.admin.import_(here.admin.export()).imported == 16
            check_transfer(kits[0], there)


def _sync_client(valkey, cluster, runner, stack):
    del cluster, runner
    return stack.enter_context(redis.Redis.from_url(valkey.url))


def _async_client(valkey, cluster, runner, stack):
    del cluster
    client = redis.asyncio.Redis.from_url(valkey.url, protocol=3)
    stack.callback(lambda: runner.run(client.aclose()))
    return client


def _sync_cluster(valkey, cluster, runner, stack):
    del valkey, runner
    node = cluster.servers[0]
    return stack.enter_context(redis.RedisCluster(host="127.0.0.1", port=node.port))


def _async_cluster(valkey, cluster, runner, stack):
    del valkey
    node = cluster.servers[0]
    client = redis.asyncio.RedisCluster(host="127.0.0.1", port=node.port)
    stack.callback(lambda: runner.run(client.aclose()))
    return client


CLIENTS = [
    pytest.param((_sync_client, RedisMemoryManager), id="sync"),
    pytest.param((_async_client, AsyncRedisMemoryManager), id="async"),
    pytest.param((_sync_cluster, RedisMemoryManager), id="sync-cluster"),
    pytest.param((_async_cluster, AsyncRedisMemoryManager), id="async-cluster"),
]


class TestInjectedClients(StoreContract):
    """The contract over clients of redis-py that the caller built."""

    @pytest.fixture(params=CLIENTS)
    def make_manager(self, request, valkey, cluster, runner, run):
        """Return managers over one client."""
        make_client, manager = request.param
        with ExitStack() as stack:
            client = make_client(valkey, cluster, runner, stack)
            yield lambda *, namespace="", **options: manager(client, namespace=f"{run}:{namespace}", **options)


@pytest.mark.parametrize("case", CLIENTS)
def test_an_injected_client_stays_open(case, valkey, cluster, run):
    """A manager that is closed leaves the caller's client open, and it works on."""
    make_client, manager_class = case
    with asyncio.Runner() as runner, ExitStack() as stack:
        client = make_client(valkey, cluster, runner, stack)
        subject = Subject(manager_class(client, namespace=run), runner)
        subject.store(SHORT, UserMessage("hello"))
        subject.close()
        assert subject.wait(client.ping()) is True
        again = Subject(manager_class(client, namespace=run), runner)
        assert [record.content for record in again.retrieve(SHORT)] == ["hello"]


@pytest.mark.parametrize("manager_class", COLOURS.values())
def test_a_client_of_the_wrong_colour(manager_class, valkey, cluster):
    """A client of the other colour is refused when the manager is built, and the error names the cure."""
    asynchronous = manager_class is AsyncRedisMemoryManager
    wrong = [_sync_client, _sync_cluster] if asynchronous else [_async_client, _async_cluster]
    with asyncio.Runner() as runner, ExitStack() as stack:
        for make_client in wrong:
            with pytest.raises(ConfigurationError, match=r"redis\.asyncio" if asynchronous else "sync"):
                manager_class(runner.run(_made(make_client, valkey, cluster, runner, stack)))


async def _made(make_client, *arguments):
    return make_client(*arguments)


@pytest.mark.parametrize("manager_class", COLOURS.values())
def test_a_client_that_decodes(manager_class, valkey, cluster):
    """A client built with decode_responses=True is refused when the manager is built: records are bytes."""
    library = redis.asyncio if manager_class is AsyncRedisMemoryManager else redis
    with asyncio.Runner() as runner:
        client = library.Redis.from_url(valkey.url, decode_responses=True)
        with pytest.raises(ConfigurationError, match="decode_responses=False"):
            manager_class(client)
        Subject(None, runner).wait(client.aclose() if library is redis.asyncio else client.close())
        nodes = library.RedisCluster(host="127.0.0.1", port=cluster.servers[0].port, decode_responses=True)
        with pytest.raises(ConfigurationError, match="decode_responses=False"):
            manager_class(nodes)
        Subject(None, runner).wait(nodes.aclose() if library is redis.asyncio else nodes.close())


@pytest.mark.parametrize("manager_class", COLOURS.values())
@pytest.mark.parametrize("other", [None, 5, b"redis://127.0.0.1", object()])
def test_what_is_no_client(manager_class, other):
    """Anything but a URL or a client of redis-py is refused when the manager is built."""
    with pytest.raises(ConfigurationError):
        manager_class(other)


class _Busy(IBackend):
    """A backend on which somebody else updates the working memory before each of the first removals."""

    def __init__(self, rounds):
        self.store = InMemoryManager()
        self.rounds = rounds

    def execute(self, command):
        if isinstance(command, RecordDrop) and self.rounds:
            self.rounds -= 1
            self.store.update(MemoryInput("c", WORKING, metadata={"round": self.rounds}))
        return self.store.backend.execute(command)

    def ping(self):
        return True

    def close(self):
        pass


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_a_delete_by_id_is_not_outrun(rounds):
    """Working memory deleted by its id is gone, also if it was updated between the look at its id and the removal."""
    manager = MemoryManager(_Busy(rounds))
    record_id = manager.store(MemoryInput("c", WORKING, [sample(WORKING)]))
    assert manager.delete(MemoryInput("c", WORKING, memory_id=record_id)) == 1
    assert manager.retrieve(MemoryInput("c", WORKING)) == []
