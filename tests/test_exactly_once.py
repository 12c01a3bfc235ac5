"""Whatever the network does to a write and its reply, it is applied once, and the caller gets the right answer."""

from __future__ import annotations

import itertools
import uuid

import pytest

from memkit import (
    MemoryInput,
    UserMessage,
    VersionConflictError,
    WorkingMemory,
)
from memkit.backends.redis.scripts import script
from memkit.testing.proxy import CUT_REPLY, DROP_REPLY, LATE_REQUEST, REFUSE, RESET, SILENT, FaultProxy
from tests.managers import LTM, RECORD, STM, WM, colours, opened, seeded, text_of, texts

WRITERS = "log_append log_replace log_remove log_clear record_put record_drop table_swap table_remove table_clear"
DIGESTS = frozenset(script(name).digest for name in WRITERS.split())


def is_write(command):
    return command[0] in (b"EVALSHA", b"EVAL") and (command[0] == b"EVAL" or command[1] in DIGESTS)


@pytest.fixture
def conversation():
    return uuid.uuid4().hex


# One round of each verb. A round gets the manager under test, one that sees no fault, and a conversation of its own; it
# checks what the caller gets and what is stored.


def store_fresh(kind):
    def round_(manager, direct, name):
        record_id = manager.store(MemoryInput(name, kind, data=[RECORD[kind]("new")]))
        assert [record.id for record in direct.retrieve(MemoryInput(name, kind))] == [record_id]
        assert texts(direct, name, kind) == [("new", 1)]

    return round_


def store_given(kind):
    def round_(manager, direct, name):
        (other,) = seeded(direct, name, kind, "other")
        for again in ("mine", "mine again"):
            assert manager.store(MemoryInput(name, kind, data=[RECORD[kind](again, id="my id")])) == "my id"
        stored = {record.id: (text_of(record), record.version) for record in direct.retrieve(MemoryInput(name, kind))}
        mine = ("mine", 1) if kind is STM else ("mine again", 2)
        assert stored == {other: ("other", 1), "my id": mine}

    return round_


def store_batch(kind):
    def round_(manager, direct, name):
        data = [RECORD[kind]("one"), RECORD[kind]("two", id="given"), RECORD[kind]("three")]
        manager.store(MemoryInput(name, kind, data=data))
        assert sorted(texts(direct, name, kind)) == [("one", 1), ("three", 1), ("two", 1)]

    return round_


def store_over(manager, direct, name):
    direct.store(MemoryInput(name, WM, data=[WorkingMemory("old")]))
    manager.store(MemoryInput(name, WM, data=[WorkingMemory("new")]))
    assert texts(direct, name, WM) == [("new", 2)]


def store_expected(manager, direct, name):
    for version, word in enumerate(("first", "second", "third")):
        manager.store(MemoryInput(name, WM, data=[WorkingMemory(word)], expected_version=version))
    assert texts(direct, name, WM) == [("third", 3)]
    with pytest.raises(VersionConflictError) as caught:
        manager.store(MemoryInput(name, WM, data=[WorkingMemory("late")], expected_version=2))
    assert (caught.value.expected, caught.value.actual) == (2, 3)
    assert texts(direct, name, WM) == [("third", 3)]


def update(kind, *, expected):
    def round_(manager, direct, name):
        ids = seeded(direct, name, kind, *(["a"] if kind is WM else ["a", "b", "c"]))
        target = {} if kind is WM else {"memory_id": ids[0]}
        for version in (1, 2):
            condition = {"expected_version": version} if expected else {}
            updated = manager.update(MemoryInput(name, kind, data=[RECORD[kind](f"a{version}")], **target, **condition))
            assert (text_of(updated), updated.version, updated.id is not None) == (f"a{version}", version + 1, True)
        stored = texts(direct, name, kind)
        assert stored[-1 if kind is LTM else 0] == ("a2", 3)
        assert len(stored) == len(ids)

    return round_


def delete_one(kind, *, expected, by_id=True):
    def round_(manager, direct, name):
        words = ["a"] if kind is WM else ["a", "b", "c"]
        ids = seeded(direct, name, kind, *words)
        target = {"memory_id": ids[0]} if by_id else {}
        condition = {"expected_version": 1} if expected else {}
        assert manager.delete(MemoryInput(name, kind, **target, **condition)) == 1
        assert sorted(texts(direct, name, kind)) == [(word, 1) for word in words[1:]]

    return round_


def delete_whole(kind):
    def round_(manager, direct, name):
        seeded(direct, name, kind, "a", "b", "c")
        assert manager.delete(MemoryInput(name, kind)) == 3
        assert texts(direct, name, kind) == []

    return round_


def delete_nothing(manager, direct, name):
    for kind in (WM, STM, LTM):
        assert manager.delete(MemoryInput(name, kind)) == 0
        assert manager.delete(MemoryInput(name, kind, memory_id="x")) == 0
        assert texts(direct, name, kind) == []


ROUNDS = {
    "store-wm": store_fresh(WM),
    "store-wm-over": store_over,
    "store-wm-expected": store_expected,
    "store-stm": store_fresh(STM),
    "store-stm-given": store_given(STM),
    "store-stm-batch": store_batch(STM),
    "store-ltm": store_fresh(LTM),
    "store-ltm-given": store_given(LTM),
    "store-ltm-batch": store_batch(LTM),
    "update-wm": update(WM, expected=False),
    "update-wm-expected": update(WM, expected=True),
    "update-stm": update(STM, expected=False),
    "update-stm-expected": update(STM, expected=True),
    "update-ltm": update(LTM, expected=False),
    "update-ltm-expected": update(LTM, expected=True),
    "delete-wm": delete_one(WM, expected=False, by_id=False),
    "delete-wm-by-id": delete_one(WM, expected=False),
    "delete-wm-expected": delete_one(WM, expected=True, by_id=False),
    "delete-stm": delete_one(STM, expected=False),
    "delete-stm-expected": delete_one(STM, expected=True),
    "delete-stm-whole": delete_whole(STM),
    "delete-ltm": delete_one(LTM, expected=False),
    "delete-ltm-expected": delete_one(LTM, expected=True),
    "delete-ltm-whole": delete_whole(LTM),
    "delete-nothing": delete_nothing,
}


class EveryFirst:
    """Accepts the first attempt of every write, and lets its repeat pass.

    A repeat is the same request with the same token; what tells two writes apart is everything they say.
    """

    def __init__(self):
        self.seen = set()
        self.hits = 0

    def __call__(self, command):
        if not is_write(command) or command[2:] in self.seen:
            return False
        self.seen.add(command[2:])
        self.hits += 1
        return True


def run_rounds(server, colour, round_, fault, times, **options):
    """Run rounds until the first attempt of a write has met the fault so many times; every write of a round does."""
    first = EveryFirst()
    stem = uuid.uuid4().hex
    with (
        FaultProxy("127.0.0.1", server.port) as proxy,
        opened("sync", server.url) as direct,
        opened(colour, proxy.url, **options) as manager,
    ):
        manager.ping()
        proxy.inject(fault, when=first, times=None)
        for number in itertools.count():
            round_(manager, direct, f"{stem}-{number}")
            if first.hits >= times:
                break
        proxy.settle()
        assert proxy.injected[fault.name] == first.hits


@colours
@pytest.mark.parametrize("verb", ROUNDS)
def test_200_dropped_replies(valkey, colour, verb):
    """The reply of each write is lost 200 times after the server applied it: no duplicate, no loss, no error."""
    run_rounds(valkey, colour, ROUNDS[verb], DROP_REPLY, 200)


MAIN = ("store-stm", "store-stm-given", "store-wm-expected", "update-stm-expected", "delete-stm-whole", "delete-ltm")


@colours
@pytest.mark.parametrize("verb", MAIN)
@pytest.mark.parametrize("name", ["redis7", "redis62"])
def test_dropped_replies_on_other_servers(servers, name, colour, verb):
    """On Redis 7 and 6.2 a lost reply leads to no duplicate, no loss and no error either."""
    run_rounds(servers(name), colour, ROUNDS[verb], DROP_REPLY, 30)


FAULTS = {
    "reset": (RESET, 5),
    "cut": (CUT_REPLY, 5),
    "refuse": (REFUSE, 5),
    "late": (LATE_REQUEST(0.02), 5),
    "silent": (SILENT, 2),
}


@colours
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", ROUNDS)
def test_other_faults(valkey, colour, verb, fault):
    """Reset, cut, silent, refused and late first attempts lead to no duplicate, no loss, no error."""
    kind, times = FAULTS[fault]
    options = {"attempt_timeout": 0.06} if fault == "silent" else {}
    run_rounds(valkey, colour, ROUNDS[verb], kind, times, **options)


@colours
def test_a_storm_on_one_conversation(valkey, colour, conversation):
    """400 appends under every kind of fault, several in a row, are stored once each and in the order of their calls."""
    kinds = itertools.cycle([DROP_REPLY, LATE_REQUEST(0.005), CUT_REPLY, REFUSE, RESET, LATE_REQUEST(0.02)])
    with FaultProxy("127.0.0.1", valkey.port) as proxy, opened(colour, proxy.url) as manager:
        for number in range(400):
            for _ in range(number % 4):
                proxy.inject(next(kinds), when=is_write)
            manager.store(MemoryInput(conversation, STM, data=[UserMessage(str(number))]))
        proxy.settle()
        assert sum(proxy.injected.values()) == 600
        stored = [record.content for record in manager.retrieve(MemoryInput(conversation, STM))]
    assert stored == [str(number) for number in range(400)]
