"""Other writers between an attempt and its repeat, and first attempts that come late: nothing newer is touched."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from attrs import field, frozen

from memkit import (
    AsyncRedisMemoryManager,
    MemoryInput,
    UserMessage,
    VersionConflictError,
    WorkingMemory,
)
from memkit.backends.redis.scripts import script
from memkit.testing.proxy import DROP_REPLY, LATE_REQUEST, REFUSE, FaultProxy
from tests.managers import LTM, QUICK, RECORD, STM, WM, opened, seeded, texts

WRITERS = "log_append log_replace log_remove log_clear record_put record_drop table_swap table_remove table_clear"
DIGESTS = frozenset(script(name).digest for name in WRITERS.split())


def is_write(command):
    return command[0] in (b"EVALSHA", b"EVAL") and (command[0] == b"EVAL" or command[1] in DIGESTS)


@pytest.fixture
def conversation():
    return uuid.uuid4().hex


# Somebody else writes between an attempt and its repeat -------------------------------------------------------------


@frozen
class Scene:
    """A manager whose next write meets a fault; before it is repeated, `between` is called once."""

    manager: object
    direct: object
    proxy: object
    name: str
    between: list = field(factory=list)

    def lose(self, fault=DROP_REPLY, between=None):
        self.proxy.inject(fault, when=is_write)
        if between is not None:
            self.between.append(between)

    def settle(self):
        self.proxy.settle()
        assert sum(self.proxy.injected.values()) > 0
        assert self.between == []


@pytest.fixture(params=["sync", "async"])
def scene(request, valkey, conversation):
    between = []

    def on_retry(event):
        del event
        if between:
            between.pop()()

    with (
        FaultProxy("127.0.0.1", valkey.port) as proxy,
        opened("sync", valkey.url) as direct,
        opened(request.param, proxy.url, on_retry=on_retry) as manager,
    ):
        yield Scene(manager, direct, proxy, conversation, between)


def work(scene, word, **fields):
    return MemoryInput(scene.name, WM, data=[WorkingMemory(word)], **fields)


def overwrite(scene, *words):
    return lambda: [scene.direct.store(work(scene, word)) for word in words]


@pytest.mark.parametrize("verb", ["store", "update"])
def test_cas_that_landed_is_a_success(scene, verb):
    """A compare-and-set landed, its reply was lost, others wrote since: its caller gets its version, no conflict."""
    scene.direct.store(work(scene, "old"))
    scene.lose(between=overwrite(scene, "other", "another"))
    result = getattr(scene.manager, verb)(work(scene, "mine", expected_version=1))
    assert verb == "store" or result.version == 2
    scene.settle()
    assert texts(scene.direct, scene.name, WM) == [("another", 4)]


@pytest.mark.parametrize("others", [1, 40, 200])
def test_cas_that_landed_is_recognised_behind_many_writers(scene, valkey, others):
    """A compare-and-set is recognised however many other writers wrote since."""
    scene.direct.store(work(scene, "old"))

    def crowd():
        for number in range(others):
            with opened("sync", valkey.unix_url) as other:
                other.store(work(scene, f"other {number}"))

    scene.lose(between=crowd)
    assert scene.manager.update(work(scene, "mine", expected_version=1)).version == 2
    scene.settle()
    assert texts(scene.direct, scene.name, WM) == [(f"other {others - 1}", 2 + others)]


def test_cas_that_did_not_land_is_a_conflict(scene):
    """A compare-and-set that never reached the server and comes too late reports the conflict that it meets."""
    scene.direct.store(work(scene, "old"))
    scene.lose(REFUSE, overwrite(scene, "other"))
    with pytest.raises(VersionConflictError) as caught:
        scene.manager.store(work(scene, "mine", expected_version=1))
    assert caught.value.actual == 2
    scene.settle()
    assert texts(scene.direct, scene.name, WM) == [("other", 2)]


def test_refused_cas_does_not_land_late(scene):
    """A compare-and-set that was reported as a conflict stays one, also where its first attempt meets a match."""
    scene.direct.store(work(scene, "old"))
    scene.lose(LATE_REQUEST(0.15), overwrite(scene, "other"))
    with pytest.raises(VersionConflictError):
        scene.manager.store(work(scene, "mine", expected_version=1))
    scene.direct.delete(MemoryInput(scene.name, WM))
    scene.direct.store(work(scene, "newer"))
    scene.settle()
    assert texts(scene.direct, scene.name, WM) == [("newer", 1)]


def test_refused_removal_does_not_land_late(scene):
    """The same for a delete with expected_version."""
    scene.direct.store(work(scene, "old"))
    scene.lose(LATE_REQUEST(0.15), overwrite(scene, "other"))
    with pytest.raises(VersionConflictError):
        scene.manager.delete(MemoryInput(scene.name, WM, expected_version=1))
    scene.direct.delete(MemoryInput(scene.name, WM))
    scene.direct.store(work(scene, "newer"))
    scene.settle()
    assert texts(scene.direct, scene.name, WM) == [("newer", 1)]


LATE = 0.1
# Somebody else, or the same writer, whose later writes are told by the same lane.
by_whom = pytest.mark.parametrize("who", ["direct", "manager"])


def test_late_put_overwrites_nothing(scene):
    """The first attempt of a put arrives after its repeat and after newer data: it does nothing."""
    scene.lose(LATE_REQUEST(LATE))
    scene.manager.store(work(scene, "mine"))
    scene.direct.store(work(scene, "newer"))
    scene.settle()
    assert texts(scene.direct, scene.name, WM) == [("newer", 2)]


def test_late_put_brings_nothing_back(scene):
    """The first attempt of a put arrives after the value was deleted: it stays deleted, and version 1 is next."""
    scene.lose(LATE_REQUEST(LATE))
    scene.manager.store(work(scene, "mine"))
    assert scene.direct.delete(MemoryInput(scene.name, WM)) == 1
    scene.settle()
    assert texts(scene.direct, scene.name, WM) == []
    scene.direct.store(work(scene, "newer"))
    assert texts(scene.direct, scene.name, WM) == [("newer", 1)]


@by_whom
def test_late_drop_removes_nothing_newer(scene, who):
    """The first attempt of a delete arrives after the value was stored anew: the new value stays."""
    scene.direct.store(work(scene, "old"))
    scene.lose(LATE_REQUEST(LATE))
    assert scene.manager.delete(MemoryInput(scene.name, WM)) == 1
    getattr(scene, who).store(work(scene, "newer"))
    scene.settle()
    assert texts(scene.direct, scene.name, WM) == [("newer", 1)]


def say(scene, kind, word, **fields):
    return MemoryInput(scene.name, kind, data=[RECORD[kind](word, id="x")], **fields)


@by_whom
@pytest.mark.parametrize("kind", [STM, LTM])
def test_late_update_overwrites_nothing(scene, kind, who):
    """The first attempt of an update arrives after a newer update: the newer one stays."""
    scene.direct.store(say(scene, kind, "old"))
    scene.lose(LATE_REQUEST(LATE))
    assert scene.manager.update(say(scene, kind, "mine", memory_id="x")).version == 2
    assert getattr(scene, who).update(say(scene, kind, "newer", memory_id="x")).version == 3
    scene.settle()
    assert texts(scene.direct, scene.name, kind) == [("newer", 3)]


@by_whom
@pytest.mark.parametrize("kind", [STM, LTM])
@pytest.mark.parametrize("target", [{"memory_id": "x"}, {}], ids=["one", "whole"])
def test_late_delete_removes_nothing_newer(scene, kind, target, who):
    """The first attempt of a delete arrives after the same id was stored anew: the new record stays."""
    scene.direct.store(say(scene, kind, "old"))
    scene.lose(LATE_REQUEST(LATE))
    assert scene.manager.delete(MemoryInput(scene.name, kind, **target)) == 1
    getattr(scene, who).store(say(scene, kind, "newer"))
    scene.settle()
    assert texts(scene.direct, scene.name, kind) == [("newer", 1)]


@pytest.mark.parametrize("record_id", [None, "x"], ids=["fresh", "given"])
@pytest.mark.parametrize("kind", [STM, LTM])
@pytest.mark.parametrize("how", ["one", "whole"])
def test_late_store_brings_nothing_back(scene, kind, how, record_id):
    """The first attempt of a store arrives after the record, or all of them, were deleted: it stays away."""
    scene.direct.store(MemoryInput(scene.name, kind, data=[RECORD[kind]("kept")]))
    scene.lose(LATE_REQUEST(LATE))
    stored = scene.manager.store(MemoryInput(scene.name, kind, data=[RECORD[kind]("mine", id=record_id)]))
    target = {"memory_id": stored} if how == "one" else {}
    assert scene.direct.delete(MemoryInput(scene.name, kind, **target)) == (1 if how == "one" else 2)
    scene.settle()
    assert texts(scene.direct, scene.name, kind) == ([("kept", 1)] if how == "one" else [])


def test_late_append_brings_nothing_back_from_under_others(scene):
    """A late append of a message that was not the last one when all were deleted stays away, and so do the others."""
    scene.lose(LATE_REQUEST(LATE))
    scene.manager.store(MemoryInput(scene.name, STM, data=[UserMessage("mine")]))
    scene.direct.store(MemoryInput(scene.name, STM, data=[UserMessage("newer")]))
    assert scene.direct.delete(MemoryInput(scene.name, STM)) == 2
    scene.direct.store(MemoryInput(scene.name, STM, data=[UserMessage("newest")]))
    scene.settle()
    assert texts(scene.direct, scene.name, STM) == [("newest", 1)]


def test_late_append_keeps_its_place(scene):
    """The first attempt of an append arrives after newer messages: the message stands once, where it was."""
    scene.lose(LATE_REQUEST(LATE))
    scene.manager.store(MemoryInput(scene.name, STM, data=[UserMessage("mine")]))
    scene.direct.store(MemoryInput(scene.name, STM, data=[UserMessage("newer")]))
    scene.settle()
    assert texts(scene.direct, scene.name, STM) == [("mine", 1), ("newer", 1)]


def test_late_append_claims_no_deleted_conversation(scene):
    """A late append of a user whose conversation was deleted leaves it free for another user."""
    scene.lose(LATE_REQUEST(LATE))
    scene.manager.store(MemoryInput(scene.name, STM, data=[UserMessage("mine")], user_id="ada"))
    assert scene.direct.delete(MemoryInput(scene.name, STM, user_id="ada")) == 1
    scene.settle()
    scene.direct.store(MemoryInput(scene.name, STM, data=[UserMessage("hers")], user_id="eve"))
    assert texts(scene.direct, scene.name, STM) == [("hers", 1)]


def test_late_append_does_not_keep_a_deleted_conversation_alive(scene, valkey):
    """What a deleted conversation leaves behind expires within minutes, also after a late append without a ttl."""
    scene.lose(LATE_REQUEST(LATE))
    scene.manager.store(MemoryInput(scene.name, STM, data=[UserMessage("mine")], ttl=None))
    assert scene.direct.delete(MemoryInput(scene.name, STM)) == 1
    scene.settle()
    left = keys_of(valkey, scene.name)
    assert left
    assert all(0 < valkey.ask("PTTL", key) <= 300_000 for key in left)


def keys_of(server, name):
    with server.client() as client:
        return list(client.scan_iter(f"*{name}*", count=1000))


def test_repeat_in_a_crowd_of_lanes(scene, valkey):
    """Deleting a record is recognised as done behind 100 other writers, each with operations of its own."""
    seeded(scene.direct, scene.name, STM, "a", "b")
    (target,) = [r.id for r in scene.direct.retrieve(MemoryInput(scene.name, STM, limit=1))]

    def crowd():
        for number in range(100):
            with opened("sync", valkey.unix_url) as other:
                other.store(MemoryInput(scene.name, STM, data=[UserMessage("c", id=f"c{number}")]))
                other.delete(MemoryInput(scene.name, STM, memory_id=f"c{number}"))

    scene.lose(between=crowd)
    assert scene.manager.delete(MemoryInput(scene.name, STM, memory_id=target)) == 1
    scene.settle()
    assert texts(scene.direct, scene.name, STM) == [("a", 1)]


def test_cancelled_write_leaves_the_next_one_alone(valkey, conversation):
    """A write that was cancelled on its way does nothing to writes that its caller makes afterwards."""

    async def main(proxy):
        async with AsyncRedisMemoryManager(proxy.url, retry=QUICK) as manager:
            await manager.ping()
            for number in range(20):
                proxy.inject(LATE_REQUEST(0.05), when=is_write)
                task = asyncio.create_task(
                    manager.store(MemoryInput(conversation, WM, data=[WorkingMemory("cancelled")]))
                )
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await manager.store(MemoryInput(conversation, WM, data=[WorkingMemory(str(number))]))
                await asyncio.to_thread(proxy.settle)
                (stored,) = await manager.retrieve(MemoryInput(conversation, WM))
                assert stored.working_memory == str(number)

    with FaultProxy("127.0.0.1", valkey.port) as proxy:
        asyncio.run(main(proxy))
        assert proxy.injected["LATE_REQUEST"] == 20
