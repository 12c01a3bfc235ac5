"""Real conversations: moved from one backend to another whole, and searched for what answers real questions."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from attrs import evolve

from benchmarks.recall import DATA, LEAST, PAGE, conversations, recalls, table_of, with_table
from memkit import InMemoryManager, MemoryInput, RedisMemoryManager, UserMessage
from memkit.faces.kit import MemoryKit

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the LoCoMo files are not here")

TURNS = {"26": 419, "30": 369, "41": 663, "42": 629, "43": 680}
WAYS = pytest.mark.parametrize(("here", "there"), [("memory", "redis"), ("redis", "memory")])


@pytest.fixture(scope="module")
def talks():
    """All conversations, with all of their sessions."""
    return list(conversations())


@pytest.fixture
def kit_on(valkey, request):
    """Return a function that opens a kit on a backend of its own."""

    @contextmanager
    def opened(kind):
        namespace = f"{request.node.name}-{kind}"
        with RedisMemoryManager(valkey.url, namespace=namespace) if kind == "redis" else InMemoryManager() as manager:
            yield MemoryKit(manager)

    return opened


def store(kit, talk):
    """Store a conversation as its service would have: session by session, corrected, titled."""
    history = kit.history(talk.name, user_id=talk.messages[0].name)
    for start in range(0, len(talk.messages), 40):
        history.append(*talk.messages[start : start + 40])
    history.update("D1:2", UserMessage("corrected", metadata={"why": "a slip"}))
    history.remove("D1:4")
    history.set_title(f"conversation {talk.name}")
    history.set_metadata({"benchmark": "LoCoMo", "questions": len(talk.questions)})


def records_of(kit, talk):
    """Return the class and every field of each message, in order."""
    return [(type(message), message) for message in kit.history(talk.name).messages()]


def messages_in(lines):
    """Return the lines of an export that hold messages."""
    return [line for line in lines if line.startswith(b'{"kind":"message"')]


def facts_of(kit, talk):
    """Return what is known of a conversation, without what counts from now."""
    return evolve(kit.history(talk.name).info(), updated_at=None, expires_in=None, revision=0)


def test_real_conversations_are_whole(talks, kit_on):
    """All sessions of all five files are stored with the times, places and speakers that they have."""
    assert {talk.name: len(talk.messages) for talk in talks} == TURNS
    with kit_on("redis") as kit:
        for talk in talks:
            kit.history(talk.name).append(*talk.messages)
            stored = kit.history(talk.name).messages()
            assert [evolve(message, version=0, updated_at=None) for message in stored] == talk.messages


@WAYS
def test_real_conversations_move(talks, kit_on, here, there):
    """An export of all conversations, read into another backend, gives equal records in equal order there."""
    with kit_on(here) as old, kit_on(there) as new:
        for talk in talks:
            store(old, talk)
        lines = list(old.admin.export())
        report = new.admin.import_(lines)
        assert (report.conversations, report.imported) == (len(talks), sum(TURNS.values()) - len(talks))
        for talk in talks:
            assert records_of(new, talk) == records_of(old, talk)
            assert facts_of(new, talk) == facts_of(old, talk)
        assert sorted(messages_in(new.admin.export())) == sorted(messages_in(lines))


@WAYS
def test_a_second_import_adds_nothing(talks, kit_on, here, there):
    """The same export read in twice leaves every conversation as it was after the first time."""
    with kit_on(here) as old, kit_on(there) as new:
        store(old, talks[1])
        lines = list(old.admin.export())
        new.admin.import_(lines)
        first = records_of(new, talks[1])
        report = new.admin.import_(lines)
        assert (report.imported, report.present) == (0, len(first))
        assert records_of(new, talks[1]) == first


def test_queries_find_the_answers():
    """For at least 65 % of the questions a turn of the evidence is among ten found; the page has the true figures."""
    found = recalls()
    assert found[-1].percent >= LEAST
    text = PAGE.read_text(encoding="utf-8")
    assert with_table(text, table_of(found)) == text


def test_backends_find_the_same(talks, kit_on, valkey, request):
    """A server finds the same turns in the same order as the memory of the process."""
    talk = talks[1]
    with InMemoryManager() as near, RedisMemoryManager(valkey.url, namespace=request.node.name) as far:
        for manager in (near, far):
            manager.store(MemoryInput(talk.name, data=talk.messages))
        for question in talk.questions[:25]:
            asked = MemoryInput(talk.name, query=question.text, limit=10)
            assert [one.id for one in far.retrieve(asked)] == [one.id for one in near.retrieve(asked)]
