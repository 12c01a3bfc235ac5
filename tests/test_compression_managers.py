"""Managers that compress: the contract holds, and switching it on or off, or to another dictionary, loses nothing."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import uuid

import pytest
import redis
from attrs import evolve

from memkit import (
    AsyncMemoryManager,
    AsyncRedisMemoryManager,
    Compression,
    ConfigurationError,
    Dictionary,
    InMemoryManager,
    MemoryInput,
    MemoryKit,
    MemoryManager,
    NullMemoryManager,
    RedisMemoryManager,
    Settings,
    UnsupportedRecordError,
    UserMessage,
    WorkingMemory,
    create_memory_manager,
    train_dictionary,
)
from memkit.backends.inmemory import AsyncInMemoryManager
from memkit.codec.wire import Codec, Envelope
from memkit.commands import LogSlice, Place
from memkit.faces.options import options_of
from memkit.testing._contract.admin_transfer import check_transfer, fill
from memkit.testing._contract.history_base import Kit
from memkit.testing.clock import ManualClock
from memkit.testing.contract import (
    SHORT,
    WORKING,
    AdminContract,
    HistoryContract,
    ManagerContract,
    StoreContract,
    Subject,
)

pytest.importorskip("zstandard")

LONG = UserMessage("What is the weather like? " * 40, metadata={"source": "web"})
SAMPLES = [UserMessage(f"The weather of day {at} in Venice", metadata={"source": "web", "n": at}) for at in range(400)]
OLD, NEW = train_dictionary(SAMPLES, size=2048), train_dictionary(SAMPLES[:300], size=1024)
ALL = Compression(above=0, dictionary=OLD)


class TestInMemory(ManagerContract, HistoryContract, AdminContract):
    """The contract in this process, async, with everything compressed that gets smaller."""

    @pytest.fixture
    def make_manager(self):
        """Return managers that share one backend for each namespace."""
        stores = {}

        def make(*, namespace="only", **options):
            options = {"compression": ALL, **options}
            if namespace in stores:
                return AsyncMemoryManager(stores[namespace], namespace=namespace, **options)
            manager = AsyncInMemoryManager(namespace=namespace, **options)
            stores[namespace] = manager.backend
            return manager

        return make

    @pytest.fixture
    def clock(self):
        """Return a clock that moves by itself only when somebody sleeps."""
        return ManualClock()


@pytest.mark.slow
class TestValkey(StoreContract, HistoryContract, AdminContract):
    """The same on a server, sync."""

    @pytest.fixture
    def make_manager(self, valkey):
        """Return managers of one server."""
        run = uuid.uuid4().hex
        return lambda *, namespace="", **options: RedisMemoryManager(
            valkey.url, namespace=f"{run}:{namespace}", compression=ALL, **options
        )


def stored(backend, name="c"):
    """Return the bytes of the messages of a conversation."""
    return backend.execute(LogSlice(Place("c", name, "log"), None)).records


def test_what_a_server_holds(valkey):
    """On a server stand the compressed bytes, of messages and of a working memory."""
    name = uuid.uuid4().hex
    with RedisMemoryManager(valkey.url, namespace=name, compression=Compression()) as manager:
        manager.store(MemoryInput("c", data=[LONG]))
        manager.store(MemoryInput("c", WORKING, data=[WorkingMemory("Where to? " * 200)]))
    with redis.Redis.from_url(valkey.url) as client:
        (message,) = client.lrange(f"{name}:{{c:c}}:log", 0, -1)
        assert message[:2] == b"\xc1\x01"
        assert len(message) < 200
        assert client.strlen(f"{name}:{{c:c}}:wm") < 300


def test_switching_loses_nothing():
    """Written by writers of every setting into one log, every record is read by every one of them."""
    known = (OLD, NEW)
    settings = [None, Compression(above=0), ALL, Compression(above=0, dictionary=NEW), Compression(above=None)]
    backend = InMemoryManager().backend
    for codec, each in itertools.product(("msgpack", "json"), settings):
        MemoryManager(backend, codec=codec, compression=each).store(MemoryInput("c", data=[LONG]))
    assert [raw[:1] == b"\xc1" for raw in stored(backend)] == [False, True, True, True, False] * 2
    for each in settings[1:]:
        reader = MemoryManager(backend, compression=evolve(each, known=known))
        assert [found.content for found in reader.retrieve(MemoryInput("c"))] == [LONG.content] * 10


def test_without_the_dictionary():
    """A record whose dictionary is missing fails the read, or is reported beside the others, as damage is."""
    backend = InMemoryManager().backend
    for each in (None, ALL, None):
        MemoryManager(backend, compression=each).store(MemoryInput("c", data=[LONG]))
    with pytest.raises(UnsupportedRecordError, match=str(OLD.id)):
        MemoryManager(backend).retrieve(MemoryInput("c"))
    found = MemoryManager(backend, on_corrupt="report").retrieve(MemoryInput("c"))
    assert (len(found), [type(error) for error in found.damaged]) == (2, [UnsupportedRecordError])
    with pytest.raises(UnsupportedRecordError):
        list(MemoryKit(MemoryManager(backend)).admin.export())
    reporting = MemoryKit(MemoryManager(backend, on_corrupt="report"))
    assert sum(json.loads(line)["kind"] == "message" for line in reporting.admin.export()) == 2
    window = reporting.history("c").window(last=3)
    assert (len(window), len(window.damaged)) == (2, 1)


def test_a_change_is_written_as_the_writer_says():
    """An update of one record, and the copies of a fork, are compressed as the one says who makes them."""
    first = InMemoryManager()
    record_id = first.store(MemoryInput("c", data=[LONG]))
    for at, compression in enumerate([Compression(above=100), None, ALL, Compression(above=100), None]):
        known = evolve(compression or Compression(above=None), known=[OLD])
        manager = MemoryManager(first.backend, compression=known)
        manager.update(MemoryInput("c", memory_id=record_id, metadata={"at": at}))
        MemoryKit(manager).history("c").fork(f"fork {at}")
        for name in ("c", f"fork {at}"):
            (found,) = manager.retrieve(MemoryInput(name))
            assert (found.content, found.metadata, found.version) == (LONG.content, {"source": "web", "at": at}, at + 2)
            (raw,) = stored(first.backend, name)
            assert (raw[:1] == b"\xc1") == (compression is not None)


def test_bounds_count_what_is_stored():
    """The memory backend keeps as much as fits when it is compressed."""
    kept = {}
    for compression in (None, Compression(above=100)):
        manager = InMemoryManager(max_bytes=6000, compression=compression)
        for at in range(60):
            manager.store(MemoryInput(f"c{at}", data=[LONG]))
        kept[compression] = sum(bool(manager.retrieve(MemoryInput(f"c{at}"))) for at in range(60))
    assert kept[None] == 5
    assert kept[Compression(above=100)] > 25


@pytest.mark.parametrize("codec", ["msgpack", "json"])
def test_everything_moves_from_setting_to_setting(codec):
    """What is exported is what was stored, whatever compressed it, and is compressed anew where it arrives."""
    options = [
        {},
        {"compression": ALL},
        {"codec": codec, "compression": Compression(above=20)},
        {"compression": Compression(above=20, dictionary=NEW)},
        {},
    ]
    with asyncio.Runner() as runner:
        kits = [Kit(Subject(InMemoryManager(**each), runner)) for each in options]
        fill(kits[0])
        kits[0].manager.store(SHORT, LONG, conversation_id="long")
        for here, there in itertools.pairwise(kits):
            assert there.admin.import_(here.admin.export()).imported == 17
            check_transfer(kits[0], there)
            assert there.manager.retrieve(SHORT, "long") == kits[0].manager.retrieve(SHORT, "long")
        packed = [stored(kit.manager.manager.backend, "long")[0][:1] == b"\xc1" for kit in kits]
        assert packed == [False, True, True, True, False]


# Settings


@pytest.fixture
def files(tmp_path):
    """Two files with dictionaries."""
    paths = [tmp_path / "old", tmp_path / "new"]
    for path, dictionary in zip(paths, (OLD, NEW), strict=True):
        dictionary.save(path)
    return [str(path) for path in paths]


def compression_of(**variables):
    """What the variables of the environment say."""
    names = {f"MEMKIT_COMPRESSION{name}": value for name, value in variables.items()}
    return options_of(Settings.from_environ(names))["compression"]


def test_settings(files):
    """MEMKIT_COMPRESSION, its threshold and its dictionaries are what managers made from settings compress with."""
    old, new = files
    both = os.pathsep.join(files)
    assert compression_of() is None
    assert compression_of(_ABOVE="10") is None
    assert compression_of(**{"": "zstd"}) == Compression()
    assert compression_of(**{"": "zstd", "_ABOVE": "2KiB"}) == Compression(above=2048)
    assert compression_of(**{"": "zstd", "_DICTIONARY": new}) == Compression(dictionary=NEW)
    assert compression_of(**{"": "zstd", "_DICTIONARY": both}) == Compression(dictionary=OLD, known=[NEW])
    assert compression_of(_DICTIONARY=old) == Compression(above=None, known=[OLD])


def test_a_manager_made_from_settings(files):
    """A manager that the factory makes compresses as the settings say."""
    with create_memory_manager("memory://", compression="zstd", compression_dictionary=files[0]) as manager:
        manager.store(MemoryInput("c", data=[LONG]))
        (raw,) = stored(manager.backend)
        assert raw[:1] == b"\xc1"
        assert [found.content for found in manager.retrieve(MemoryInput("c"))] == [LONG.content]


@pytest.mark.parametrize("content", [None, b"", b"no dictionary"])
def test_a_dictionary_file_that_is_wrong(tmp_path, content):
    """A file that is missing, or holds no dictionary, is one error that names the variable and the file."""
    path = tmp_path / "dictionary"
    if content is not None:
        path.write_bytes(content)
    for backend in ("memory", "null"):
        with pytest.raises(ConfigurationError, match=r"MEMKIT_COMPRESSION_DICTIONARY.*dictionary'") as caught:
            create_memory_manager({"MEMKIT_BACKEND": backend, "MEMKIT_COMPRESSION_DICTIONARY": str(path)})
        assert len(caught.value.problems) == 1


@pytest.mark.parametrize("wrong", ["zstd", 1024, True, {"above": 10}])
@pytest.mark.parametrize(
    "manager", [InMemoryManager, NullMemoryManager, lambda **o: AsyncRedisMemoryManager("redis://localhost", **o)]
)
def test_what_is_no_option(manager, wrong):
    """Anything but a Compression is refused when a manager is made."""
    with pytest.raises(ConfigurationError, match=r"memkit\.Compression"):
        manager(compression=wrong)


# The command


def test_train_dictionary(tmp_path, valkey):
    """`memkit train-dictionary` makes a file of what is stored, which makes records of the kind smaller."""
    click = pytest.importorskip("click.testing")
    app = pytest.importorskip("memkit.cli.app").app
    name, path = uuid.uuid4().hex, tmp_path / "dictionary"
    environment = {"MEMKIT_URL": valkey.url, "MEMKIT_NAMESPACE": name}
    with create_memory_manager(environment) as manager:
        manager.store(MemoryInput("c", data=SAMPLES))
    run = click.CliRunner(env=environment).invoke
    done = run(app, ["train-dictionary", str(path), "--size", "2000"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    dictionary = Dictionary.load(path)
    assert f"{len(dictionary.to_bytes()):,} bytes from 400 records, with the id {dictionary.id}." in done.output
    envelope, codec = Envelope(bytes(16), 5, 5, 1), Codec(compression=Compression(dictionary=dictionary))
    assert len(codec.encode(SAMPLES[3], envelope, "")) < 0.8 * len(Codec().encode(SAMPLES[3], envelope, ""))
    before = path.read_bytes()
    again = run(app, ["train-dictionary", str(path)])
    assert (again.exit_code, "there already" in again.output, path.read_bytes()) == (1, True, before)
    empty = click.CliRunner(env={**environment, "MEMKIT_NAMESPACE": f"{name}-empty"}).invoke
    done = empty(app, ["train-dictionary", str(tmp_path / "none")])
    assert (done.exit_code, "samples" in done.output, (tmp_path / "none").exists()) == (1, True, False)
