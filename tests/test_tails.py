"""Reads that are kept until the server says that they changed: never older than what the server told us."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
import redis
import redis.asyncio
from attrs import evolve, field, frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memkit import (
    AssistantMessage,
    AsyncRedisMemoryManager,
    AuthenticationError,
    BackendUnavailableError,
    ClosedError,
    ConfigurationError,
    Fact,
    InvalidInputError,
    Memory,
    MemoryInput,
    MemoryKit,
    OutcomeUnknownError,
    OwnerMismatchError,
    RedisMemoryManager,
    RetryPolicy,
    ToolCall,
    ToolMessage,
    UserMessage,
    WorkingMemory,
    create_async_memory_manager,
    create_memory_manager,
    register,
)
from memkit.backends.redis import tails, tracked, tracking
from memkit.backends.redis.tails import Fill, Shelf
from memkit.converters import from_openai_chat, to_anthropic, to_google, to_openai_chat, to_openai_responses
from memkit.faces.options import context_of
from memkit.faces.reading import key_of_history
from memkit.flows.history.conversation import Conversation
from memkit.testing._contract.base import Subject
from memkit.testing._contract.history_base import Kit
from memkit.testing.contract import AdminContract, HistoryContract, ManagerContract, sample
from memkit.testing.proxy import DROP_REPLY, REFUSE, SILENT, Fault, FaultProxy
from memkit.testing.servers import Server, make_certificates, supports_tls
from tests.managers import LTM, QUICK, STM, WM, colours, in_threads, wait_for

ONCE = RetryPolicy(attempts=1, deadline=1.0)


@pytest.fixture
def name():
    return uuid.uuid4().hex


@pytest.fixture
def proxy(valkey):
    with FaultProxy("127.0.0.1", valkey.port) as proxy:
        yield proxy


@contextmanager
def opened(colour, url, kept=100, **options):
    """Open a kit of a colour as plain methods, and close it in the end."""
    kind = RedisMemoryManager if colour == "sync" else AsyncRedisMemoryManager
    with asyncio.Runner() as runner:
        subject = Subject(kind(url, **{"retry": QUICK, "cached_reads": kept, **options}), runner)
        try:
            yield Kit(subject)
        finally:
            subject.close()


@pytest.fixture(params=["sync", "async"])
def kit(request, valkey):
    """A kit that keeps results."""
    with opened(request.param, valkey.url) as kit:
        yield kit


@pytest.fixture
def plain(valkey):
    """A kit that keeps none."""
    with opened("sync", valkey.url, kept=0) as kit:
        yield kit


def fill(kit, name, user=None):
    """Store something in each memory of a conversation."""
    history = kit.history(name, user_id=user)
    history.append(UserMessage("one", id="m1", tokens=2), UserMessage("two", id="m2", tokens=2))
    kit.manager.store(WM, WorkingMemory("w"), conversation_id=name, user_id=user)
    kit.manager.store(LTM, Fact("f", id="f1"), conversation_id=name, user_id=user)


READS = {
    "window": lambda kit, name, user=None: kit.history(name, user_id=user).window(last=20),
    "window by tokens": lambda kit, name, user=None: kit.history(name, user_id=user).window(tokens=100),
    "window by a counter": lambda kit, name, user=None: kit.history(name, user_id=user, counter=one_each).window(
        tokens=50
    ),
    "messages": lambda kit, name, user=None: kit.history(name, user_id=user).messages(limit=5),
    "get": lambda kit, name, user=None: kit.history(name, user_id=user).get("m1"),
    "count": lambda kit, name, user=None: kit.history(name, user_id=user).count(),
    "short": lambda kit, name, user=None: kit.manager.retrieve(STM, name, limit=5, user_id=user),
    "short by id": lambda kit, name, user=None: kit.manager.retrieve(STM, name, memory_id="m1", user_id=user),
    "working": lambda kit, name, user=None: kit.manager.retrieve(WM, name, user_id=user),
    "long": lambda kit, name, user=None: kit.manager.retrieve(LTM, name, limit=5, user_id=user),
    "long by id": lambda kit, name, user=None: kit.manager.retrieve(LTM, name, memory_id="f1", user_id=user),
}
reads = pytest.mark.parametrize("read", READS.values(), ids=READS)


def one_each(_message):
    return 1


def everything(kit, name, user=None):
    """What all reads return."""
    return {title: read(kit, name, user) for title, read in READS.items()}


def is_kept(read, kit, name):
    """Tell whether two reads return what was read once: the same records, or at least ask the server nothing."""
    shelf = shelf_of(kit)
    before = len(shelf._kept) if shelf else 0
    first, second = read(kit, name), read(kit, name)
    if isinstance(first, list) and first:
        return all(left is right for left, right in zip(first, second, strict=True))
    return first == second and shelf is not None and len(shelf_of(kit)._kept) >= before > 0


def shelf_of(kit):
    """Return what is kept over the connection of a kit, if there is one."""
    link = kit.manager.manager.backend.tails
    if not kit.is_async:
        return None if link._ear is None else link._ear.shelf
    return max(link._ears.shelves(), key=lambda shelf: len(shelf._kept), default=None)


# What is kept ---------------------------------------------------------------------------------------------------------


@colours
@reads
def test_a_second_read_asks_nobody(redis_server, name, colour, read):
    """A read that is repeated returns the same without a word to the server, on every kind of server."""
    with FaultProxy("127.0.0.1", redis_server.port) as proxy, opened(colour, proxy.url) as kit:
        fill(kit, name)
        # The server learns the scripts, and tables drop what has expired.
        with opened("sync", redis_server.url, kept=0) as plain:
            expected = read(plain, name)
        first = read(kit, name)
        asked = len(proxy.requests)
        for _ in range(5):
            found = read(kit, name)
            assert found == first == expected
            assert type(found) is type(expected)
        assert len(proxy.requests) == asked


def test_each_gets_a_list_of_his_own(kit, name):
    """Whoever changes the list that he got changes nobody else's."""
    fill(kit, name)
    for read in (READS["window"], READS["messages"], READS["short"], READS["long"]):
        for _ in range(3):
            found = read(kit, name)
            expected = list(found)
            found.clear()
            assert read(kit, name) == expected


def test_nothing_is_kept_unless_asked_for(valkey, name):
    """Without the option there is no connection that listens, and each read asks the server."""
    for colour in ("sync", "async"):
        with FaultProxy("127.0.0.1", valkey.port) as proxy, opened(colour, proxy.url, kept=0) as kit:
            fill(kit, name + colour)
            everything(kit, name + colour)
            asked = len(proxy.requests)
            everything(kit, name + colour)
            assert len(proxy.requests) >= asked + len(READS)
            assert proxy.connections == 1
            assert valkey.info("clients")["tracking_clients"] == 0


@pytest.mark.parametrize(
    "read",
    [
        lambda kit, name: kit.manager.retrieve(STM, name, query="one"),
        lambda kit, name: kit.manager.retrieve(STM, name, filters={"role": "user"}),
        lambda kit, name: kit.history(name).window(last=2, counter=one_each),
        lambda kit, name: kit.history(name).info(),
    ],
    ids=["query", "filters", "counter", "info"],
)
def test_what_is_never_kept(kit, name, read):
    """Reads that are no plain look, and those whose result changes with time alone, ask the server each time."""
    fill(kit, name)
    read(kit, name)
    shelf = shelf_of(kit)
    assert shelf is None or not shelf._kept


def test_the_least_used_go_first(valkey, name):
    """As many results are kept as the option says; the one that was not used for longest goes first."""
    for colour in ("sync", "async"):
        names = [f"{name}{colour}{number}" for number in range(3)]
        with opened(colour, valkey.url, kept=2) as kit:
            for each in names:
                kit.history(each).append(UserMessage("x"))
            one, two, three = (lambda each=each: kit.history(each).window(last=5) for each in names)
            first, second = one()[0], two()[0]
            assert one()[0] is first
            three()
            assert one()[0] is first
            assert two()[0] is not second
            assert len(shelf_of(kit)._kept) == 2
            assert len(shelf_of(kit)._keys) == 2


def test_a_very_long_result_is_not_kept(kit, name, monkeypatch):
    """A result of more records than the bound is read each time, so that memory stays bounded."""
    monkeypatch.setattr(tails, "_LARGEST", 3)
    kit.history(name).append(*[UserMessage("x")] * 4)
    assert kit.history(name).messages(limit=4)[0] is not kit.history(name).messages(limit=4)[0]
    assert kit.history(name).messages(limit=3)[0] is kit.history(name).messages(limit=3)[0]


def test_damage_is_told_each_time(valkey, name):
    """A result with damaged records is not kept: each reader is told."""
    with opened("sync", valkey.url, on_corrupt="report") as kit, redis.Redis.from_url(valkey.url) as client:
        fill(kit, name)
        client.lset(f"memkit:{{c:{name}}}:log", 0, b"\x93nothing")
        for _ in range(3):
            assert len(kit.history(name).window(last=5).damaged) == 1
        assert not shelf_of(kit)._kept


def test_results_of_two_managers_over_one_backend_are_apart(valkey, name):
    """Managers that share a backend share no results: their options decide what a record looks like."""
    from memkit.faces.manager import MemoryManager  # noqa: PLC0415 - only here

    with opened("sync", valkey.url, on_corrupt="report") as kit, redis.Redis.from_url(valkey.url) as client:
        fill(kit, name)
        other = Kit(Subject(MemoryManager(kit.manager.manager.backend, namespace="other"), None))
        client.delete(f"memkit:{{c:{name}}}:log")
        assert kit.manager.manager.backend is other.manager.manager.backend
        assert READS["working"](kit, name)
        # Records are bound to a namespace.
        with pytest.raises(Exception, match="another place"):
            READS["working"](other, name)


# What others write ----------------------------------------------------------------------------------------------------


def barrier(server):
    """Wait until everything that the server has to push has left it: it pushes before it turns to the next command."""
    server.ask("PING")


@colours
@reads
def test_a_foreign_write_is_seen(redis_server, name, colour, read):
    """What a plain client does to the keys of a conversation is seen by the next read."""
    with opened(colour, redis_server.url) as kit, redis.Redis.from_url(redis_server.url) as client:
        fill(kit, name)
        read(kit, name)
        assert is_kept(read, kit, name)
        before = read(kit, name)
        client.delete(*client.keys(f"memkit:{{c:{name}}}:*"))
        barrier(redis_server)
        assert read(kit, name) != before
        assert read(kit, name) in ([], None, 0)


@colours
def test_another_managers_writes_are_seen(valkey, name, colour):
    """After each write of another manager all reads return what an uncached one does."""
    with opened(colour, valkey.url) as kit, opened("sync", valkey.url, kept=0) as plain:
        fill(kit, name)
        history, manager = plain.history(name), plain.manager
        for act in (
            lambda: history.append(UserMessage("three", id="m3", tokens=1)),
            lambda: history.update("m1", UserMessage("uno", tokens=1)),
            lambda: history.remove("m2"),
            lambda: history.append(UserMessage("pinned", pinned=True, tokens=1)),
            lambda: manager.store(WM, WorkingMemory("x"), conversation_id=name),
            lambda: manager.update(LTM, conversation_id=name, memory_id="f1", metadata={"a": 1}),
            lambda: manager.delete(LTM, name, memory_id="f1"),
            lambda: history.rewind(to="m1"),
            lambda: history.restore(history.branches()[0].id),
            lambda: history.compact("m1", UserMessage("summary", tokens=1)),
            history.clear,
            lambda: manager.delete(WM, name),
        ):
            everything(kit, name)
            act()
            barrier(valkey)
            assert everything(kit, name) == everything(plain, name)
            assert is_kept(READS["window"], kit, name)


@colours
def test_flushall_is_seen(binary, name, colour):
    """When the server is emptied nothing is kept."""
    with Server(binary("valkey")) as server, opened(colour, server.url) as kit:
        fill(kit, name)
        everything(kit, name)
        assert shelf_of(kit)._kept
        server.ask("FLUSHALL")
        barrier(server)
        assert kit.history(name).window(last=20) == []
        assert kit.manager.retrieve(LTM, name) == []


def test_an_erasure_is_seen(kit, plain, name):
    """An erasure, one's own or somebody else's, leaves nothing behind that could be read."""
    for each, eraser in ((name + "1", kit), (name + "2", plain)):
        fill(kit, each)
        everything(kit, each)
        eraser.admin.erase(conversation_id=each)
        if eraser is plain:
            plain.manager.ping()
        assert set(map(str, everything(kit, each).values())) == {"[]", "None", "0"}


def test_an_owner_is_asked_for(kit, plain, name):
    """A conversation whose reads are kept refuses other users as ever, also after it has changed hands."""
    fill(kit, name, "ada")
    kept = everything(kit, name, "ada")
    assert everything(kit, name, "ada") == kept
    for read in READS.values():
        with pytest.raises(OwnerMismatchError):
            read(kit, name, "bob")
        assert read(kit, name, None) == read(kit, name, "ada")
    plain.history(name).clear()
    plain.manager.delete(WM, name)
    plain.manager.delete(LTM, name)
    fill(plain, name, "bob")
    plain.manager.ping()
    for read in READS.values():
        with pytest.raises(OwnerMismatchError):
            read(kit, name, "ada")


def test_what_looks_alike_is_told_apart(kit, name):
    """Arguments that are equal to those of a kept read, but wrong, are refused as ever; memories are told apart."""
    kit.history(name).append(UserMessage("one"))
    kit.history(name).window(last=1)
    kit.history(name).messages(limit=1)
    kit.manager.retrieve(STM, name, limit=1)
    for wrong in (True, 1.0):
        with pytest.raises(InvalidInputError):
            kit.history(name).window(last=wrong)
        with pytest.raises(InvalidInputError):
            kit.history(name).messages(limit=wrong)
        with pytest.raises(InvalidInputError):
            kit.manager.retrieve(STM, name, limit=wrong)
    with pytest.raises(InvalidInputError):
        kit.manager.retrieve(STM, type("Name", (str,), {})(name), limit=1)
    assert kit.manager.retrieve(LTM, name, limit=1) == kit.manager.retrieve(WM, name, limit=1) == []
    assert len(kit.manager.retrieve("SHORT_TERM_MEMORY", name, limit=1)) == 1


def test_counters_are_told_apart(kit, name):
    """Windows by tokens are kept for each counter of a history; one that cannot be told from others keeps none."""

    class Heavy:
        __hash__ = None

        def __call__(self, _message):
            return 10

    kit.history(name).append(*[UserMessage(str(number)) for number in range(5)])
    for counter, count, keeps in ((one_each, 5, True), (lambda _: 10, 3, True), (Heavy(), 3, False)):
        history = kit.history(name, counter=counter)
        first, second = history.window(tokens=30), history.window(tokens=30)
        assert len(first) == count
        assert (first[0] is second[0]) is keeps


def test_verbs_are_told_apart():
    """Two reads with the same arguments have different keys."""
    conversation = Conversation(context_of(), "c")
    assert len({key_of_history("r", verb, conversation, "x") for verb in ("get", "count")}) == 2


# What one writes oneself ----------------------------------------------------------------------------------------------

ids = st.sampled_from(["m1", "m2", "m3"])
words = st.sampled_from(["a", "b"])
acts = st.one_of(
    st.tuples(st.just("append"), words),
    st.tuples(st.just("append with an id"), ids),
    st.tuples(st.sampled_from(["update", "remove"]), ids),
    st.tuples(st.sampled_from(["put", "note"]), words),
    st.tuples(st.sampled_from(["pop", "clear", "forget", "drop", "expire", "rewind"]), st.just("")),
)


def do(kit, name, what, with_what):
    """Write something; what cannot be done is passed over."""
    history, manager = kit.history(name), kit.manager
    verbs = {
        "append": lambda: history.append(UserMessage(with_what, tokens=1)),
        "append with an id": lambda: history.append(UserMessage("x", id=with_what, tokens=1)),
        "update": lambda: history.update(with_what, UserMessage("changed", tokens=1)) if history.get(with_what) else 0,
        "remove": lambda: history.remove(with_what),
        "put": lambda: manager.store(WM, WorkingMemory(with_what), conversation_id=name),
        "note": lambda: manager.store(LTM, Fact(with_what, id="f1"), conversation_id=name),
        "pop": history.pop,
        "clear": history.clear,
        "forget": lambda: manager.delete(WM, name),
        "drop": lambda: manager.delete(LTM, name),
        "expire": lambda: history.expire(1_000),
        "rewind": lambda: history.rewind(to=None),
    }
    verbs[what]()


@colours
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 1), acts, st.sampled_from(sorted(READS))), max_size=12))
def test_any_order_of_writes_and_reads(valkey, colour, steps):
    """Whatever two managers write in any order, each sees his own writes at once, and the other's once pushed."""
    name = uuid.uuid4().hex
    with (
        opened(colour, valkey.url) as one,
        opened(colour, valkey.url) as two,
        opened("sync", valkey.url, kept=0) as plain,
    ):
        kits = (one, two)
        for who, act, title in steps:
            do(kits[who], name, *act)
            assert READS[title](kits[who], name) == READS[title](plain, name)
            barrier(valkey)
            for kit in kits:
                assert everything(kit, name) == everything(plain, name)


writes = pytest.mark.parametrize(
    "write",
    [
        lambda kit, name: kit.history(name).append(UserMessage("two")),
        lambda kit, name: kit.manager.store(STM, UserMessage("two"), conversation_id=name),
        lambda kit, name: kit.manager.send(
            "store_many", [MemoryInput(each, data=[UserMessage("two")]) for each in (name + "2", name)]
        ),
    ],
    ids=["history", "manager", "batch"],
)


@colours
@writes
def test_own_writes_are_seen_without_a_push(proxy, name, colour, write):
    """One's own write is seen by one's next read also where the push that tells of it does not come."""
    links = Recorder()
    with opened(colour, proxy.url, attempt_timeout=0.3) as kit:
        proxy.inject(links, when=is_tracking, times=None)
        kit.history(name).append(UserMessage("one"))
        assert len(kit.history(name).window(last=5)) == 1
        links.links[0].silent = True
        write(kit, name)
        assert len(kit.history(name).window(last=5)) == 2


@colours
def test_nothing_old_is_kept_while_a_write_is_on_its_way(proxy, name, colour):
    """Before a write is sent everything that it may change is dropped, and what others keep stays."""
    seen = []

    class Look(Fault):
        async def request(self, link, frame):
            seen.append(set(shelf_of(kit)._keys))
            await link.to_server(frame)

    with opened(colour, proxy.url) as kit:
        fill(kit, name)
        fill(kit, name + "2")
        everything(kit, name)
        everything(kit, name + "2")
        proxy.inject(Look())
        kit.history(name).append(UserMessage("x"))
        assert seen == [{f"memkit:{{c:{name}2}}:".encode()}]


@colours
@writes
def test_what_was_read_while_a_write_was_on_its_way(proxy, name, colour, write):
    """What somebody else read over the same manager before a write was applied is dropped when the write returns."""
    links = Recorder()
    proxy.inject(links, when=is_tracking, times=None)

    class ReadFirst(Fault):
        async def request(self, link, frame):
            history = kit.raw(name)
            if kit.is_async:
                loop = kit.manager._runner.get_loop()
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(history.window(last=5), loop))
            else:
                await asyncio.to_thread(history.window, last=5)
            assert shelf_of(kit)._kept
            links.links[-1].silent = True
            await link.to_server(frame)

    with opened(colour, proxy.url, attempt_timeout=0.5) as kit:
        for each in (name, name + "2"):
            kit.history(each).append(UserMessage("one"))
        kit.history(name).window(last=5)
        proxy.inject(ReadFirst())
        write(kit, name)
        assert len(kit.history(name).window(last=5)) == 2


class Recorder(Fault):
    """Lets everything pass, and notes over which links it came."""

    name = "RECORD"

    def __init__(self):
        self.links = []

    async def reply(self, link, frame):
        self.links.append(link)
        await link.to_client(frame)


def is_tracking(command):
    return command[:2] == (b"CLIENT", b"TRACKING") or command[:2] == [b"CLIENT", b"TRACKING"]


@colours
def test_a_write_that_fails_leaves_nothing_behind(proxy, name, colour):
    """After a write whose outcome is not known nothing is kept that it may have changed."""
    with opened(colour, proxy.url, retry=ONCE) as kit:
        kit.history(name).append(UserMessage("one"))
        kit.history(name).window(last=5)
        proxy.inject(DROP_REPLY)
        with pytest.raises(OutcomeUnknownError):
            kit.history(name).append(UserMessage("two"))
        assert len(kit.history(name).window(last=5)) == 2


# Races ----------------------------------------------------------------------------------------------------------------


def test_a_result_that_was_overtaken_is_not_kept():
    """What was dropped while it was read is not kept, and what was not is."""
    shelf = Shelf(10)
    for prefix, drop, keeps in (
        (b"a:", lambda: shelf.drop(b"a:"), False),
        (b"a:", lambda: shelf.drop(b"b:"), True),
        (b"a:", lambda: shelf.heard([b"invalidate", [b"a:log"]]), False),
        (b"a:", lambda: shelf.heard([b"invalidate", [b"b:a:log"]]), True),
        (b"a:", lambda: shelf.heard([b"invalidate", None]), False),
        (b"a:", lambda: shelf.heard([b"message", b"a:log"]), True),
        (b"a:", shelf.clear, False),
    ):
        shelf.clear()
        reading = Fill(shelf, prefix)
        reading.join(shelf)
        drop()
        assert reading.done(("c",), 7) == 7
        assert (shelf.look(("c",)) is not None) is keeps
        assert not shelf._fills


def test_a_read_over_two_connections_is_not_kept():
    """What was read in part over a connection that is gone is not kept over the next."""
    one, two = Shelf(10), Shelf(10)
    reading = Fill(one, b"a:")
    reading.join(one)
    reading.join(two)
    reading.done(("c",), 7)
    assert not one._kept
    assert not two._kept


@pytest.mark.parametrize("writer", ["another", "itself"])
def test_a_read_that_was_in_part_made_the_usual_way(kit, plain, name, writer):
    """A read of several steps, one of which went over another connection, is not kept: its keys are not listened to."""
    history = kit.history(name)
    history.append(*[UserMessage(str(number)) for number in range(200)])
    link = kit.manager.manager.backend.tails

    def busy(_message):
        # It is called between the steps.
        if kit.is_async:
            link._rests_until = time.monotonic() + 60
        else:
            link._lock.acquire(blocking=False)
        return 1

    history = kit.history(name, counter=busy)
    found = history.window(tokens=150)
    assert len(found) == 150
    if kit.is_async:
        link._rests_until = 0.0
    else:
        link._lock.release()
    assert not shelf_of(kit)._kept
    (plain if writer == "another" else kit).history(name).append(UserMessage("x"))
    assert kit.history(name, counter=one_each).window(tokens=150)[-1].content == "x"


def test_a_read_where_nobody_listens_spoils_the_rest(valkey, name):
    """A batch that is read in the middle of a read goes over other connections, so the whole is not kept."""
    with opened("sync", valkey.url) as kit:
        kit.history(name).append(UserMessage("uncounted"))
        link = kit.manager.manager.backend._link

        def count(_message):
            return len(link.replies((("PING",),)))

        for _ in range(2):
            assert len(kit.history(name, counter=count).window(tokens=100)) == 1
        assert not shelf_of(kit)._kept


def test_another_manager_in_the_middle_of_a_read(valkey, name):
    """What a counter reads through another manager is no part of the read, which is kept."""
    with opened("sync", valkey.url) as kit, opened("sync", valkey.url) as other:
        fill(other, name)
        kit.history(name).append(UserMessage("uncounted"))

        def count(_message):
            return len(READS["window"](other, name)) and int(other.history(name).info() is not None)

        history = kit.history(name, counter=count)
        assert history.window(tokens=100)[0] is history.window(tokens=100)[0]


def test_writes_in_the_middle_of_a_read(kit, plain, name):
    """A write in the middle of a read, by a counter of tokens, is seen by the next read, whoever makes it."""
    fill(kit, name)
    for writer in (plain, kit):
        if writer is kit and kit.is_async:
            continue  # a counter cannot await

        def count(_message, writer=writer, left=[1]):  # noqa: B006 - counts down
            if left and left.pop():
                writer.history(name).append(UserMessage("in between", tokens=1))
            return 1

        history = kit.history(name, counter=count)
        # Of messages with a count the counter is not asked.
        plain.history(name).append(UserMessage("uncounted"))
        plain.manager.ping()
        history.window(tokens=100)
        plain.manager.ping()
        assert history.window(tokens=100) == plain.history(name, counter=one_each).window(tokens=100)


def test_threads_see_their_own_writes(valkey, name):
    """Many threads over one manager: each sees its own writes at once, however busy the connection that listens is."""
    with opened("sync", valkey.url, pool_size=4) as kit, opened("sync", valkey.url, kept=0) as plain:
        shared = f"{name} shared"
        seen = []

        def act(number):
            history, count = kit.history(f"{name}{number}"), 0
            for n in range(60):
                if n % 5 == 0:
                    history.append(UserMessage(str(n)))
                    kit.history(shared).append(UserMessage(f"{number} {n}", id=f"{number} {n}"))
                    count += 1
                    assert kit.history(shared).messages()[-1] is not None
                    assert f"{number} {n}" in {each.id for each in kit.history(shared).messages()}
                assert len(history.window(last=100)) == count
                assert history.count() == count
            seen.append(count)

        assert in_threads(8, act) == []
        assert seen == [12] * 8
        plain.manager.ping()
        assert kit.history(shared).messages() == plain.history(shared).messages()


def test_loops_see_each_others_writes(valkey, name):
    """Loops in several threads keep results of their own; what one writes the others of the manager see at once."""
    manager = AsyncRedisMemoryManager(valkey.url, cached_reads=10)
    turns = [threading.Semaphore(1), threading.Semaphore(0)]

    async def main(number):
        for n in range(number, 40, 2):
            await asyncio.to_thread(turns[number].acquire)
            found = await manager.retrieve(MemoryInput(name))
            assert [each.content for each in found] == [str(k) for k in range(n)]
            assert (await manager.retrieve(MemoryInput(name)))[:1] == found[:1]
            await manager.store(MemoryInput(name, data=[UserMessage(str(n))]))
            turns[1 - number].release()

    try:
        assert in_threads(2, lambda number: asyncio.run(main(number))) == []
    finally:
        asyncio.run(manager.aclose())


def test_a_write_in_one_loop_is_told_to_the_others(proxy, name):
    """What is written through a manager in one loop is dropped in its other loops without a push."""
    links = Recorder()
    proxy.inject(links, when=is_tracking, times=None)
    manager = AsyncRedisMemoryManager(proxy.url, cached_reads=10, attempt_timeout=0.3)

    async def count():
        return len(await manager.retrieve(MemoryInput(name)))

    with asyncio.Runner() as one, asyncio.Runner() as two:
        assert [one.run(count()), one.run(count()), two.run(count())] == [0, 0, 0]
        # Each listens over a connection of its own.
        assert len(links.links) == 2
        assert [one.run(count()), two.run(count())] == [0, 0]
        links.links[0].silent = True
        two.run(manager.store(MemoryInput(name, data=[UserMessage("x")])))
        assert one.run(count()) == 1
        one.run(manager.aclose())


def test_a_loop_of_its_own_after_another(valkey, plain, name):
    """A manager used in one loop after another keeps nothing from one that has ended."""
    manager = AsyncRedisMemoryManager(valkey.url, cached_reads=10)

    async def look():
        found = [await manager.retrieve(MemoryInput(name)) for _ in range(2)]
        assert found[0] == found[1]
        return len(found[0])

    for count in range(3):
        assert asyncio.run(look()) == count
        plain.history(name).append(UserMessage("x"))
    asyncio.run(manager.aclose())


@pytest.mark.filterwarnings("error")
def test_uvloop(valkey, plain, name):
    """Under uvloop, too, reads are kept, and what others write is seen."""
    uvloop = pytest.importorskip("uvloop")

    async def main():
        async with AsyncRedisMemoryManager(valkey.url, cached_reads=10) as manager:
            for count in range(3):
                first, second = [await manager.retrieve(MemoryInput(name)) for _ in range(2)]
                assert len(first) == count
                assert all(left is right for left, right in zip(first, second, strict=True))
                plain.history(name).append(UserMessage("x"))
                plain.manager.ping()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


FORK = """
    import os, sys
    from memkit import MemoryKit, RedisMemoryManager, UserMessage
    url, name = sys.argv[1:]
    kit = MemoryKit(RedisMemoryManager(url, cached_reads=10))
    history = kit.history(name)
    history.append(UserMessage("0"))
    kept = history.window(last=5)
    assert history.window(last=5)[0] is kept[0]
    (back, forth), (end, begin) = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        assert kit.manager.backend.tails._ear is None
        assert history.window(last=5)[0] is not kept[0]
        own = history.window(last=5)
        assert history.window(last=5)[0] is own[0]
        history.append(UserMessage("child"))
        assert len(history.window(last=5)) == 2
        os.write(forth, b"x")
        os.read(end, 1)
        kit.ping()
        assert len(history.window(last=5)) == 3
        os._exit(0)
    os.read(back, 1)
    kit.ping()
    assert [each.content for each in history.window(last=5)] == ["0", "child"]
    history.append(UserMessage("parent"))
    assert len(history.window(last=5)) == 3
    os.write(begin, b"x")
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    kit.close()
"""


def test_fork(valkey, name):
    """After a fork parent and child keep results of their own, over connections of their own, and see each other."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(FORK), valkey.url, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.returncode) == ("0", 0)


FORK_OF_LOOPS = """
    import asyncio, os, sys
    from memkit import AsyncRedisMemoryManager, MemoryInput, UserMessage
    url, name = sys.argv[1:]
    manager = AsyncRedisMemoryManager(url, cached_reads=10)

    async def use(text):
        first, second = [await manager.retrieve(MemoryInput(name)) for _ in range(2)]
        assert all(left is right for left, right in zip(first, second, strict=True))
        await manager.store(MemoryInput(name, data=[UserMessage(text)]))
        return [each.content for each in await manager.retrieve(MemoryInput(name))]

    with asyncio.Runner() as runner:
        assert runner.run(use("parent")) == ["parent"]
        pid = os.fork()
        if not pid:
            assert manager.backend.tails._ears.shelves() == []
            with asyncio.Runner() as own:
                assert own.run(use("child")) == ["parent", "child"]
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        assert runner.run(use("again")) == ["parent", "child", "again"]
        runner.run(manager.aclose())
"""


def test_fork_of_loops(valkey, name):
    """A child uses connections and results of its own in loops of its own, and its parent goes on with what it has."""
    command = [sys.executable, "-c", textwrap.dedent(FORK_OF_LOOPS), valkey.url, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == ("0", "")


# Time -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sleepy(binary):
    """A server that notices that something has expired only when it is asked for it."""
    with Server(binary("valkey"), {"enable-debug-command": "yes"}) as server:
        server.ask("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        yield server


@colours
@reads
def test_what_expires_is_not_served(sleepy, name, colour, read):
    """A result is not served after the end of what it was read from, also where the server has not noticed it yet."""
    lives = 0.5
    with opened(colour, sleepy.url, ttl=lives) as kit:
        fill(kit, name)
        ends = time.monotonic() + lives
        read(kit, name)
        assert is_kept(read, kit, name) or time.monotonic() > ends - 0.2
        time.sleep(max(ends - time.monotonic(), 0) + 0.01)
        assert read(kit, name) in ([], None, 0)


@colours
def test_a_row_that_expires_is_not_served(sleepy, name, colour):
    """A record of the long-term memory goes at its time from a result in which others stay."""
    with opened(colour, sleepy.url) as kit:
        kit.manager.store(LTM, Fact("stays"), conversation_id=name, ttl=None)
        kit.manager.store(LTM, Fact("goes"), conversation_id=name, ttl=0.4)
        ends = time.monotonic() + 0.4
        for _ in range(2):
            # The first read of a table may change it.
            found = kit.manager.retrieve(LTM, name)
        assert len(found) == 2 or time.monotonic() > ends - 0.2
        time.sleep(max(ends - time.monotonic(), 0) + 0.01)
        assert [each.text for each in kit.manager.retrieve(LTM, name)] == ["stays"]
        assert kit.manager.retrieve(LTM, name)[0] is kit.manager.retrieve(LTM, name)[0]


# Connections ----------------------------------------------------------------------------------------------------------


def test_a_killed_connection(kit, plain, valkey, name):
    """When the connection that listens is killed, nothing that was read over it is served again."""
    fill(kit, name)
    for number in range(3):
        everything(kit, name)
        assert is_kept(READS["window"], kit, name)
        valkey.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        plain.history(name).append(UserMessage(str(number), tokens=1))
        assert everything(kit, name) == everything(plain, name)


@colours
def test_a_silent_connection(proxy, plain, name, colour, monkeypatch):
    """A connection on which nothing comes any more, though it stays open, serves nothing old after the bound."""
    monkeypatch.setattr(tracking, "QUIET", 0.05)
    monkeypatch.setattr(tracking, "_PATIENCE", 0.1)
    links = Recorder()
    proxy.inject(links, when=is_tracking, times=None)
    with opened(colour, proxy.url) as kit:
        fill(kit, name)
        everything(kit, name)
        links.links[-1].silent = True
        plain.history(name).append(UserMessage("three", tokens=1))
        time.sleep(0.06)
        assert everything(kit, name) == everything(plain, name)
        assert len(links.links) == 2


@colours
def test_a_quiet_connection_stays_in_use(proxy, name, colour, monkeypatch):
    """A connection on which nothing came for a while is asked whether it lives, and what was read over it is served."""
    monkeypatch.setattr(tracking, "QUIET", 0.0)
    with opened(colour, proxy.url) as kit:
        fill(kit, name)
        first = READS["window"](kit, name)
        asked = len(proxy.requests)
        assert READS["window"](kit, name)[0] is first[0]
        assert proxy.commands[asked:] == ["PING"]


@colours
def test_an_outage_never_looks_like_data(proxy, name, colour, monkeypatch):
    """When the server cannot be reached, a read that was kept fails like any other, once the connection has ended."""
    with opened(colour, proxy.url, retry=ONCE) as kit:
        fill(kit, name)
        READS["window"](kit, name)
        proxy.down()
        for _ in range(2):
            with pytest.raises(BackendUnavailableError):
                READS["window"](kit, name)
        proxy.up()
        monkeypatch.setattr(tracking, "_REST", 0.0)
        wait_for(lambda: len(READS["window"](kit, name)) == 2)


@colours
@pytest.mark.parametrize("fault", [DROP_REPLY, SILENT, REFUSE], ids=lambda fault: fault.name)
def test_a_read_that_fails_goes_the_usual_way(proxy, name, colour, fault):
    """A read whose connection fails in the middle is made the usual way, at once and without an error."""
    with opened(colour, proxy.url, retry=ONCE, attempt_timeout=0.3) as kit:
        fill(kit, name)
        READS["count"](kit, name)
        proxy.inject(fault, when=lambda command: command[0] == b"PTTL")
        assert len(READS["window"](kit, name)) == 2
        assert proxy.injected[fault.name] == 1
        READS["window"](kit, name)
        assert is_kept(READS["window"], kit, name)


@colours
def test_a_connection_that_cannot_be_had(proxy, name, colour, monkeypatch):
    """Where a second connection cannot be opened, reads work as without the option, and it is not tried each time."""
    with opened(colour, proxy.url, retry=ONCE) as kit:
        fill(kit, name)
        proxy.inject(REFUSE, when=is_tracking, times=None)
        for _ in range(5):
            assert len(READS["window"](kit, name)) == 2
        assert proxy.injected["REFUSE"] == 1
        proxy.clear()
        monkeypatch.setattr(time, "monotonic", time.monotonic)
        kit.manager.manager.backend.tails._rests_until = 0.0
        READS["window"](kit, name)
        assert is_kept(READS["window"], kit, name)


@colours
def test_a_user_who_may_not_listen(binary, name, colour):
    """Where the server forbids to listen, the error says so: the option was asked for and cannot be had."""
    with Server(binary("redis7")) as server:
        server.ask("ACL", "SETUSER", "ada", "on", ">secret", "~*", "&*", "+@all", "-client|tracking")
        url = server.url.replace("redis://", "redis://ada:secret@")
        with opened(colour, url, retry=ONCE) as kit:
            fill(kit, name)
            for _ in range(2):
                with pytest.raises(AuthenticationError, match="NOPERM"):
                    READS["window"](kit, name)


def test_rediscovery_drops_everything(kit, name):
    """When the server has to be looked for anew, nothing of the old one is served."""
    fill(kit, name)
    first = READS["window"](kit, name)
    link = kit.manager.manager.backend._link

    async def rediscover():
        link.rediscover(leave=False)

    kit.manager.wait(rediscover() if kit.is_async else None)
    if not kit.is_async:
        link.rediscover(leave=False)
    assert READS["window"](kit, name)[0] is not first[0]


@colours
def test_sentinels(sentinels, name, colour):
    """Behind sentinels reads are kept, too, and what others write is seen."""
    with opened(colour, sentinels.url) as kit, opened("sync", sentinels.url, kept=0) as plain:
        fill(kit, name)
        everything(kit, name)
        assert is_kept(READS["window"], kit, name)
        plain.history(name).append(UserMessage("three", tokens=1))
        plain.manager.ping()
        assert everything(kit, name) == everything(plain, name)


@pytest.fixture(scope="module")
def secured(binary, tmp_path_factory):
    """The URL of a server that speaks TLS."""
    if not supports_tls(binary("redis7")):
        pytest.skip("this redis-server was built without TLS")
    files = make_certificates(tmp_path_factory.mktemp("tls"))
    with Server(binary("redis7"), tls=files) as server:
        given = {"ca_file": files.ca, "cert_file": files.client_cert, "key_file": files.client_key}
        yield f"rediss://127.0.0.1:{server.port}/0?{urlencode(given)}"


@colours
def test_tls(secured, name, colour):
    """Over TLS reads are kept, too, and what others write is seen."""
    with opened(colour, secured) as kit, opened("sync", secured, kept=0) as plain:
        fill(kit, name)
        for number in range(3):
            everything(kit, name)
            assert is_kept(READS["window"], kit, name)
            plain.history(name).append(UserMessage(str(number), tokens=1))
            plain.manager.ping()
            assert everything(kit, name) == everything(plain, name)


def test_the_embedded_server(tmp_path):
    """The settings reach the embedded server: its reads are kept, and what another manager writes is seen."""
    environ = {"MEMKIT_URL": f"embedded://{tmp_path}", "MEMKIT_CACHED_READS": "10"}
    with create_memory_manager(environ) as one, create_memory_manager(environ) as two:
        one.store(MemoryInput("c", data=[UserMessage("a")]))
        assert one.retrieve(MemoryInput("c"))[0] is one.retrieve(MemoryInput("c"))[0]
        two.store(MemoryInput("c", data=[UserMessage("b")]))
        two.ping()
        assert len(one.retrieve(MemoryInput("c"))) == 2

    async def main():
        async with create_async_memory_manager(environ) as three:
            assert (await three.retrieve(MemoryInput("c")))[0] is (await three.retrieve(MemoryInput("c")))[0]

    asyncio.run(main())


@colours
def test_closing_lets_go_of_everything(valkey, name, colour):
    """A closed manager leaves no connection at the server, serves nothing, and says that it was closed."""
    mark = f"mark-{name}"
    with opened(colour, f"{valkey.url}?client_name={mark}") as kit:
        fill(kit, name)
        READS["window"](kit, name)
        assert str(valkey.ask("CLIENT", "LIST")).count(f"name={mark}") == 2
        kit.manager.close()
        wait_for(lambda: mark not in str(valkey.ask("CLIENT", "LIST")))
        for read in READS.values():
            with pytest.raises(ClosedError):
                read(kit, name)


# Options --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [RedisMemoryManager, AsyncRedisMemoryManager])
@pytest.mark.parametrize("wrong", [-1, True, 1.0, "1", None])
def test_wrong_numbers(kind, wrong):
    """The option is a whole number from 0; anything else is refused by name."""
    with pytest.raises(ConfigurationError, match="cached_reads must be a whole number from 0"):
        kind("redis://h", cached_reads=wrong)


@pytest.mark.parametrize(
    ("kind", "client"), [(RedisMemoryManager, redis.Redis), (AsyncRedisMemoryManager, redis.asyncio.Redis)]
)
def test_where_it_is_not_to_be_had(kind, client):
    """For a cluster, a client of one's own and RESP 2 the option is refused, and the error says what to do."""
    for source, options, cure in (
        ("redis+cluster://h1,h2", {}, "not for a cluster: leave it out"),
        (client(), {}, "pass a URL"),
        ("redis://h", {"protocol": 2}, "leave protocol out"),
        ("redis://h?protocol=2", {}, "leave protocol out"),
    ):
        with pytest.raises(ConfigurationError, match=cure):
            kind(source, cached_reads=1, **options)
        kind(source, cached_reads=0, **options)


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("1", 1), ("1000", 1_000)])
def test_the_variable(text, value):
    """The environment variable says how many results are kept; unset, none are."""
    from memkit.backends.redis.manager import server_options_of  # noqa: PLC0415 - only here
    from memkit.config import Settings  # noqa: PLC0415 - only here

    assert Settings.from_environ({"MEMKIT_CACHED_READS": text}).cached_reads == value
    assert Settings.from_environ({}).cached_reads == 0
    assert server_options_of(Settings(cached_reads=value))["cached_reads"] == value
    for wrong in ("-1", "x", "", "1.0", True, 1.0):
        with pytest.raises(ConfigurationError, match="cached_reads"):
            Settings(cached_reads=wrong)


# Records that several callers share -----------------------------------------------------------------------------------

NESTED = {"a": {"b": [1, {"c": None}]}, "l": [1, 2], "n": 1, "e": {}, "t": b"x"}
TALK = [
    AssistantMessage("let me see", id="m1", tool_calls=[ToolCall("c1", "f", NESTED)], usage={"in": 1}, metadata=NESTED),
    ToolMessage("done", id="m2", tool_call_id="c1", metadata={"x": [1]}),
    UserMessage("thanks", id="m3"),
]


def talk(kit, plain, name):
    """Return a conversation as it is kept, and as it is read without that."""
    kit.history(name).append(*TALK)
    kit.history(name).window(last=5)
    return kit.history(name).window(last=5), plain.history(name).window(last=5)


def mappings(value):
    """Return every mapping and list inside of something."""
    if isinstance(value, list | tuple):
        return [*([value] if isinstance(value, list) else []), *(found for item in value for found in mappings(item))]
    if isinstance(value, dict):
        return [value, *(found for item in value.values() for found in mappings(item))]
    if hasattr(type(value), "__attrs_attrs__"):
        return [found for each in type(value).__attrs_attrs__ for found in mappings(getattr(value, each.name))]
    return []


def spoil(value):
    """Yield everything that would change a dict or a list."""
    if isinstance(value, dict):
        yield lambda: value.__setitem__("n", 2)
        yield lambda: value.__delitem__("n")
        yield lambda: value.update(n=2)
        yield lambda: value.setdefault("z", 2)
        yield lambda: value.pop("n", None)
        yield value.popitem
        yield value.clear
        yield lambda: value.__ior__({"n": 2})
        return
    yield lambda: value.__setitem__(0, 2)
    yield lambda: value.__delitem__(0)
    yield lambda: value.append(2)
    yield lambda: value.extend([2])
    yield lambda: value.insert(0, 2)
    yield lambda: value.remove(1)
    yield value.pop
    yield value.clear
    yield value.sort
    yield value.reverse
    yield lambda: value.__iadd__([2])
    yield lambda: value.__imul__(2)


def test_nobody_can_change_what_others_get(kit, plain, name):
    """Metadata, arguments and whatever is inside of them refuse to be changed, and say how to do it."""
    kept, read = talk(kit, plain, name)
    found = mappings(kept[0]) + mappings(kept[1]) + mappings(kept[2])
    assert len(found) == len(mappings(read[0])) + len(mappings(read[1])) + len(mappings(read[2])) > 12
    for value in found:
        for act in spoil(value):
            with pytest.raises(TypeError, match="change a copy"):
                act()
    assert kept == read == kit.history(name).window(last=5)


def test_the_first_reader_gets_the_same(kit, plain, name):
    """The first read returns what later ones do: nobody finds out only then that records are read-only."""
    kit.history(name).append(*TALK)
    (first, *_) = kit.history(name).window(last=5)
    for record in (first, kit.history(name).get("m1")):
        with pytest.raises(TypeError, match="change a copy"):
            record.metadata["n"] = 2


def test_kept_records_are_like_others(kit, plain, name):
    """They are equal to others in both directions, print alike, and are JSON, pickled and copied as ordinary ones."""
    kept, read = talk(kit, plain, name)
    assert kept == read
    assert read == kept
    assert repr(kept) == repr(read)
    for mine, other in zip(kept, read, strict=True):
        assert mine.metadata == other.metadata
        assert other.metadata == mine.metadata
    plainly = {**NESTED, "t": "x"}
    assert json.dumps({**kept[0].metadata, "t": "x"}) == json.dumps(plainly)
    for duplicate in (copy.deepcopy(kept[0]), pickle.loads(pickle.dumps(kept[0]))):  # noqa: S301
        assert duplicate == read[0]
        assert {type(each) for each in mappings(duplicate)} == {dict, list}
        duplicate.metadata["a"]["b"].append(1)
    for made in (dict(kept[0].metadata), copy.copy(kept[0].metadata), kept[0].metadata | {}, kept[0].metadata.copy()):
        assert type(made) is dict
    assert type(copy.copy(kept[0].metadata["l"])) is type(kept[0].metadata["l"] + []) is list


def test_kept_records_can_be_stored_again(kit, plain, name):
    """A record that was kept is stored, with its metadata and arguments, as if it had been read in the usual way."""
    kept, read = talk(kit, plain, name)
    for codec in ("msgpack", "json"):
        with opened("sync", plain_url(plain), codec=codec) as other:
            for number, records in enumerate((kept, read)):
                copies = [evolve(each, metadata={"again": each.metadata, **each.metadata}) for each in records]
                other.history(f"{name}{codec}{number}").append(*copies)
                other.history(f"{name}{codec}{number}").set_metadata(records[0].metadata)
                other.history(f"{name}{codec}{number}").append(records[0].__class__("x", metadata=records[0].metadata))
            first, second = (plain.history(f"{name}{codec}{number}") for number in range(2))
            for mine, others in zip(first.messages(), second.messages(), strict=True):
                assert mine.metadata == others.metadata
                assert getattr(mine, "tool_calls", ()) == getattr(others, "tool_calls", ())
            assert first.info().metadata == second.info().metadata == NESTED


def plain_url(plain):
    """Return the URL of the server of a kit that keeps nothing."""
    target = plain.manager.manager.backend._link._target
    host, port = target.addresses[0]
    return f"redis://{host}:{port}/0"


def test_kept_records_convert_like_others(kit, plain, name):
    """Converters write a kept record exactly as another one, notes included, and share nothing with it."""
    items = [
        {"role": "developer", "content": "be brief", "x": {"y": [1]}},
        {"role": "user", "content": [{"type": "text", "text": "hi", "cache": {"a": 1}}], "z": None},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":  {"b": [1]}}'}, "i": 0}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "ok"},
    ]
    kit.history(name).append(*from_openai_chat(items))
    kit.history(name).messages()
    kept, read = kit.history(name).messages(), plain.history(name).messages()
    assert kept[0].metadata
    assert to_openai_chat(kept) == to_openai_chat(read) == items
    for convert in (to_openai_chat, to_openai_responses, to_anthropic, to_google):
        written = convert(kept)
        assert written == convert(read)
        assert {type(each) for each in mappings(written)} <= {dict, list}


@register("tails.tree")
@frozen
class Tree(Memory):
    """A record with fields that can be changed."""

    branches: list[str]


@frozen
class Leaf:
    """Something inside of a record."""

    size: int = 0


@register("tails.branch")
@frozen
class Branch(Memory):
    """A record with an object of a class of one's own."""

    leaf: Leaf = Leaf()


@register("tails.stone")
@frozen
class Stone(Memory):
    """A record with nothing that could be changed but mappings."""

    weight: float = 0.0
    veins: dict[str, Any] = field(factory=lambda: {"n": 1})


def test_what_cannot_be_protected_is_not_kept(kit, plain, name):
    """Records of one's own classes are kept where nothing in them can be changed, and else read anew each time."""
    for number, (record, keeps) in enumerate(((Tree(["a"]), False), (Branch(Leaf(1)), False), (Stone(1.0), True))):
        each = f"{name}{number}"
        kit.manager.store(STM, record, conversation_id=each)
        first, second = kit.manager.retrieve(STM, each)[0], kit.manager.retrieve(STM, each)[0]
        assert first == second == plain.manager.retrieve(STM, each)[0]
        assert (first is second) is keeps
    with pytest.raises(TypeError, match="change a copy"):
        first.veins["n"] = 2
    assert plain.manager.store(STM, evolve(first, id=None), conversation_id=name)


def test_the_process_ends_cleanly():
    """A manager that keeps results and is never closed does not hold up the end of the process."""
    code = "from memkit import RedisMemoryManager; m = RedisMemoryManager('redis://h', cached_reads=1); print('ok')"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("ok", "")
    assert os.getpid()


def test_managers_are_let_go_of():
    """A manager that is not used any more is not kept by what it registered for a fork."""
    import gc  # noqa: PLC0415 - only here
    import weakref  # noqa: PLC0415 - only here

    manager = RedisMemoryManager("redis://h", cached_reads=1)
    seen = weakref.ref(manager.backend.tails)
    MemoryKit(manager).close()
    del manager
    gc.collect()
    assert seen() is None


# All of it ------------------------------------------------------------------------------------------------------------


class TestContract(ManagerContract, HistoryContract, AdminContract):
    """The contract, in both colours, by managers that keep results: nothing else about them is different."""

    @pytest.fixture(autouse=True)
    def pushed(self, monkeypatch, valkey):
        """Let each write wait until it was pushed: only then others are promised to see it."""
        ended = tracked._ended
        with redis.Redis.from_url(valkey.unix_url) as client:

            def end(*arguments):
                ended(*arguments)
                client.ping()

            monkeypatch.setattr(tracked, "_ended", end)
            yield

    @pytest.fixture(params=[RedisMemoryManager, AsyncRedisMemoryManager])
    def make_manager(self, request, valkey, name):
        """Return managers of one server."""

        def make(*, namespace="", **options):
            return request.param(valkey.url, namespace=f"{name}:{namespace}", cached_reads=100, **options)

        return make

    @pytest.mark.parametrize("kind", [WM, STM, LTM])
    def test_nothing_is_shared_with_the_caller(self, manager, kind):
        """Changing what was stored or retrieved changes nothing in the store: the latter cannot even be changed."""
        inside = {"list": [1], "map": {"a": 1}}
        record_id = manager.store(kind, sample(kind, metadata=inside))
        inside["list"].clear()
        for metadata in (manager.only(kind).metadata, manager.only(kind, memory_id=record_id).metadata):
            for value in metadata.values():
                with pytest.raises(TypeError, match="change a copy"):
                    value.clear()
        updated = manager.update(kind, metadata={"more": [1]}, memory_id=record_id)
        updated.metadata["more"].clear()
        assert manager.only(kind).metadata == {"list": [1], "map": {"a": 1}, "more": [1]}
