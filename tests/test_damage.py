"""Stored records that got damaged: an error that names them, or a report beside the others; never silence."""

from __future__ import annotations

import asyncio
import logging
import uuid

import msgpack
import pytest
import redis

from memkit import (
    AsyncRedisMemoryManager,
    CodecError,
    CorruptRecordError,
    InMemoryManager,
    MemoryManager,
    RedisMemoryManager,
    UnknownRecordTypeError,
)
from memkit.backends.redis.keys import KeySpace
from memkit.commands import LogFind, LogReplace, Mark, Place, RecordGet, RecordPut, Row, TableFetch, TableSwap
from memkit.ids import id_key
from memkit.testing.contract import LISTS, LONG, SHORT, WORKING, Subject, sample, texts

PARTS = {SHORT: "log", LONG: "ltm", WORKING: "wm"}


def _values(raw, **changes):
    values = msgpack.unpackb(raw)
    for at, value in changes.items():
        values[int(at[1:])] = value
    return msgpack.packb(values)


DAMAGES = {
    "cut": lambda raw: raw[:-1],
    "emptied": lambda raw: b"",
    "overwritten": lambda raw: b"\xff" * len(raw),
    "longer": lambda raw: raw + b"\x00",
    "another thing": lambda raw: msgpack.packb({"some": "map"}),
    "a lying header": lambda raw: b"\xdd\xff\xff\xff\xff" + raw,
    "a field of another type": lambda raw: _values(raw, _8=5),
    "metadata of another type": lambda raw: _values(raw, _7=[1]),
    "a version of another type": lambda raw: _values(raw, _6="1"),
    "not compressed": lambda raw: b"\xc1\x01" + raw,
}
KNOWS_ID = {"a field of another type", "metadata of another type", "a version of another type"}


class Memory:
    """A store in this process, its bytes changed behind its back by commands."""

    def __init__(self, _server, runner):
        self.runner = runner
        self.backend = InMemoryManager().backend

    def manager(self, **options):
        """Return a manager over the store."""
        return Subject(MemoryManager(self.backend, **options), self.runner)

    def damage(self, kind, record_id, damage):
        """Change the bytes of a record."""
        place = Place("c", "c", PARTS[kind])
        do = self.backend.execute
        if kind is SHORT:
            old = do(LogFind(place, None, record_id))
            assert do(LogReplace(place, None, 0, record_id, old, damage(old), Mark.NONE)).done
        elif kind is LONG:
            (old,) = do(TableFetch(place, None, (record_id,)))
            created = msgpack.unpackb(old)[4]
            assert do(TableSwap(place, None, 0, (Row(record_id, damage(old), created, old),))).done
        else:
            old = do(RecordGet(place, None))
            assert do(RecordPut(place, None, 0, damage(old.wire), old.created_us, record_id)).done


class Redis:
    """A store on a real server, its bytes changed by a plain client."""

    colour = RedisMemoryManager

    def __init__(self, server, runner):
        self.runner = runner
        self.server = server
        self.namespace = uuid.uuid4().hex

    def manager(self, **options):
        """Return a manager over the store."""
        return Subject(self.colour(self.server.url, namespace=self.namespace, **options), self.runner)

    def key(self, kind):
        """Return the key that holds the bytes."""
        return KeySpace(self.namespace).key(Place("c", "c", PARTS[kind]))

    def damage(self, kind, record_id, damage):
        """Change the bytes of a record."""
        key = self.key(kind)
        with redis.Redis.from_url(self.server.url) as client:
            if kind is SHORT:
                at = int(record_id[1:])
                client.lset(key, at, damage(client.lindex(key, at)))
            elif kind is LONG:
                old = client.hget(key, id_key(record_id))
                client.hset(key, id_key(record_id), damage(old))
            else:
                raw = client.get(key)
                head = 3 + int.from_bytes(raw[1:3], "big")
                client.set(key, raw[:head] + damage(raw[head:]), keepttl=True)


class AsyncRedis(Redis):
    """The same for asyncio."""

    colour = AsyncRedisMemoryManager


@pytest.fixture(params=[Memory, Redis, AsyncRedis])
def store(request, valkey):
    """Return a store whose records can be damaged."""
    with asyncio.Runner() as runner:
        made = request.param(valkey, runner)
        managers = []
        make = made.manager

        def kept(**options):
            managers.append(make(**options))
            return managers[-1]

        made.manager = kept
        yield made
        for manager in managers:
            manager.close()


@pytest.fixture(autouse=True)
def quiet(caplog):
    """Reports are logged as warnings: they are looked at by one test."""
    caplog.set_level(logging.WARNING, logger="memkit")


def _fill(store, kind):
    subject = store.manager()
    subject.store(kind, *(sample(kind, f"text {n}", id=f"n{n:02}", metadata={"n": n}) for n in range(100)))
    return subject


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("name", DAMAGES)
def test_one_of_100(store, kind, name):
    """One damaged record of 100 is an error that names its place, and its id where that can still be read."""
    subject = _fill(store, kind)
    assert len(subject.retrieve(kind)) == 100
    store.damage(kind, "n41", DAMAGES[name])
    calls = [{}, {"limit": 70}, {"query": "text"}, {"filters": {"n": 3}}, {"memory_id": "n41"}]
    for fields in calls:
        with pytest.raises(CorruptRecordError) as caught:
            subject.retrieve(kind, **fields)
        assert kind.value in caught.value.place
        assert "conversation 'c'" in caught.value.place
        assert caught.value.record_id == ("n41" if name in KNOWS_ID else None)
        assert "text 41" not in str(caught.value)
    assert texts(subject.retrieve(kind, memory_id="n42")) == ["text 42"]


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("name", DAMAGES)
def test_a_report_beside_99(store, kind, name, caplog):
    """With on_corrupt="report" the other 99 come back, and the damaged one is reported and counted in the log."""
    _fill(store, kind)
    store.damage(kind, "n41", DAMAGES[name])
    subject = store.manager(on_corrupt="report")
    expected = [f"text {n}" for n in range(100) if n != 41]
    for fields in ({}, {"query": "text"}):
        found = subject.retrieve(kind, **fields)
        assert sorted(texts(found)) == sorted(expected)
        (damage,) = found.damaged
        assert isinstance(damage, CorruptRecordError)
        assert kind.value in damage.place
    assert [record.getMessage() for record in caplog.records] == ["memkit: 1 stored records could not be read"] * 2


@pytest.mark.parametrize("kind", LISTS)
def test_a_report_with_options(store, kind):
    """A limit counts the records that can be read; the damage on the way there is reported, and only that."""
    _fill(store, kind)
    store.damage(kind, "n90", DAMAGES["cut"])
    subject = store.manager(on_corrupt="report")
    newest = [f"text {n}" for n in range(99, -1, -1) if n != 90]
    for limit, damaged in ((5, 0), (20, 1), (99, 1), (100, 1)):
        found = subject.retrieve(kind, limit=limit)
        order = texts(found) if kind is LONG else texts(found)[::-1]
        assert (order, len(found.damaged)) == (newest[:limit], damaged)
    found = subject.retrieve(kind, filters={"n": 91}, limit=1)
    assert texts(found) == ["text 91"]
    gone = subject.retrieve(kind, memory_id="n90")
    assert (list(gone), len(gone.damaged)) == ([], 1)
    assert subject.retrieve(kind, memory_id="n91").damaged == ()


@pytest.mark.parametrize("kind", LISTS)
def test_many_damaged(store, kind):
    """Every damaged record is reported, whatever its damage."""
    _fill(store, kind)
    for n, damage in enumerate(DAMAGES.values()):
        store.damage(kind, f"n{7 * n:02}", damage)
    found = store.manager(on_corrupt="report").retrieve(kind)
    assert (len(found), len(found.damaged)) == (100 - len(DAMAGES), len(DAMAGES))


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("on_corrupt", ["raise", "report"])
def test_changing_a_damaged_record(store, kind, on_corrupt):
    """An update or a delete over a version of a damaged record is an error and changes nothing; a delete removes it."""
    _fill(store, kind)
    store.damage(kind, "n41", DAMAGES["cut"])
    subject = store.manager(on_corrupt=on_corrupt)
    with pytest.raises(CorruptRecordError):
        subject.update(kind, sample(kind, "new"), memory_id="n41")
    with pytest.raises(CorruptRecordError):
        subject.delete(kind, memory_id="n41", expected_version=1)
    assert subject.delete(kind, memory_id="n41") == 1
    found = subject.retrieve(kind)
    assert (len(found), found.damaged) == (99, ())


@pytest.mark.parametrize("name", DAMAGES)
def test_working_memory(store, name):
    """A damaged value is an error or a report, never absent; a store replaces it, a delete removes it."""
    subject = store.manager()
    subject.store(WORKING, sample(WORKING, id="a"))
    store.damage(WORKING, "a", DAMAGES[name])
    for verb, fields in (("retrieve", {}), ("update", {"metadata": {"a": 1}})):
        with pytest.raises(CorruptRecordError) as caught:
            getattr(subject, verb)(WORKING, **fields)
        assert "WORKING_MEMORY of conversation 'c'" in caught.value.place
    found = store.manager(on_corrupt="report").retrieve(WORKING)
    assert (list(found), len(found.damaged)) == ([], 1)
    subject.store(WORKING, sample(WORKING, "new"))
    assert texts(subject.retrieve(WORKING)) == ["new"]
    store.damage(WORKING, "a", DAMAGES[name])
    assert subject.delete(WORKING) == 1
    assert subject.retrieve(WORKING) == []


@pytest.mark.parametrize("store", [Redis, AsyncRedis], indirect=True)
@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: raw[:2],
        lambda raw: raw[:10],
        lambda raw: b"\x00" + raw[1:],
        lambda raw: raw[:1] + b"\xff\xff" + raw[3:],
        lambda raw: raw[3:],
    ],
)
def test_the_head_of_working_memory(store, damage):
    """What the server keeps in front of a value may be damaged too: an error or a report, and a delete removes it."""
    subject = store.manager()
    subject.store(WORKING, sample(WORKING, id="a"))
    with redis.Redis.from_url(store.server.url) as client:
        client.set(store.key(WORKING), damage(client.get(store.key(WORKING))))
    with pytest.raises(CorruptRecordError):
        subject.retrieve(WORKING)
    with pytest.raises(CodecError):
        subject.update(WORKING, metadata={"a": 1})
    found = store.manager(on_corrupt="report").retrieve(WORKING)
    assert (list(found), len(found.damaged)) == ([], 1)


@pytest.mark.parametrize("kind", LISTS)
def test_a_type_that_is_not_known(store, kind):
    """A record of a class that is not registered here is named as that, with its id, and is reported like damage."""
    subject = _fill(store, kind)
    store.damage(kind, "n41", lambda raw: _values(raw, _1="acme.note"))
    with pytest.raises(UnknownRecordTypeError, match=r"acme\.note") as caught:
        subject.retrieve(kind)
    assert caught.value.record_id == "n41"
    found = store.manager(on_corrupt="report").retrieve(kind)
    assert (len(found), [error.record_id for error in found.damaged]) == (99, ["n41"])
    assert isinstance(found.damaged[0], UnknownRecordTypeError)
