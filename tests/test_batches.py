"""Calls for many conversations: one round trip."""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest

from memkit import (
    AsyncMemoryKit,
    AsyncRedisMemoryManager,
    BackendUnavailableError,
    BatchError,
    MemoryInput,
    MemoryKit,
    OutcomeUnknownError,
    RedisMemoryManager,
    RetryPolicy,
    UserMessage,
    WorkingMemory,
)
from memkit.backends.redis.mux import Mux
from memkit.backends.redis.wire import Wire
from memkit.flows.together import together
from memkit.testing.proxy import CUT_REPLY, DROP_REPLY, LATE_REQUEST, RESET, FaultProxy
from tests.managers import colours, opened

WM = "WORKING_MEMORY"


@pytest.fixture
def trips(monkeypatch):
    """How many commands each write to a connection held."""
    seen = []

    def counted(real, sizes):
        def call(self, *args):
            seen.append(sizes(*args))
            return real(self, *args)

        return call

    monkeypatch.setattr(Wire, "exchange", counted(Wire.exchange, lambda commands, _: len(commands)))
    monkeypatch.setattr(Mux, "begin", counted(Mux.begin, lambda _, count: count))
    return seen


def _fill(url, names):
    with MemoryKit(RedisMemoryManager(url)) as kit:
        for name in names:
            kit.manager.store(MemoryInput(name, WM, data=[WorkingMemory(name)]))
            kit.history(name).append(UserMessage(f"hello {name}"))


def test_one_round_trip(valkey, trips):
    """A hundred working memories take one round trip, and so do a hundred windows, in both colours."""
    names = [uuid.uuid4().hex for _ in range(100)]
    _fill(valkey.url, names)
    inputs = [MemoryInput(name, WM) for name in names]
    with MemoryKit(RedisMemoryManager(valkey.url)) as kit:
        # Connects, and makes the script known.
        kit.windows(names[:1], last=5)
        trips.clear()
        values, windows = kit.manager.retrieve_many(inputs), kit.windows(names, last=5)
        assert trips == [100, 100]

    async def main():
        async with AsyncMemoryKit(AsyncRedisMemoryManager(valkey.url)) as kit:
            await kit.windows(names[:1], last=5)
            trips.clear()
            return await kit.manager.retrieve_many(inputs), await kit.windows(names, last=5)

    assert asyncio.run(main()) == (values, windows)
    assert trips == [100, 100]
    assert [value.working_memory for (value,) in values] == names
    assert [message.content for (message,) in windows] == [f"hello {name}" for name in names]


def test_flows_of_different_lengths():
    """Flows that are run together are sent their own results, single ones and lists, until the last one ends."""

    def flow(name, steps):
        seen = []
        for step in steps:
            seen.append((yield step))  # noqa: PERF401 - a comprehension cannot yield
        return name, seen

    def backend(flow):
        answer = None
        while True:
            step = flow.send(answer)
            sent.append(step)
            answer = [10 * int(command) for command in step]

    sent = []
    flows = [flow("a", ["1"]), flow("b", []), flow("c", [("2", "3"), "4", ("5",)]), flow("d", ["6", "7"])]
    with pytest.raises(StopIteration) as stop:
        backend(together(flows))
    assert stop.value.value == [("a", [10]), ("b", []), ("c", [[20, 30], 40, [50]]), ("d", [60, 70])]
    assert sent == [("1", "2", "3", "6"), ("4", "7"), ("5",)]


def test_a_turn_of_a_user_takes_four_round_trips(valkey, trips):
    """Reading the window, entering the conversation in the indexes, and two appends: one round trip each."""
    with MemoryKit(RedisMemoryManager(valkey.url)) as kit:

        def turn(name):
            history = kit.history(name, "ada")
            history.window(last=20)
            history.append(UserMessage("hello"))
            history.append(UserMessage("again"))

        # Connects, and makes the scripts known.
        turn(uuid.uuid4().hex)
        trips.clear()
        turn(uuid.uuid4().hex)
    assert trips == [1, 1, 1, 1]


@pytest.fixture
def proxy(valkey):
    with FaultProxy("127.0.0.1", valkey.port) as proxy:
        yield proxy


def _stores(names, text):
    return [MemoryInput(name, data=[UserMessage(text)]) for name in names]


@colours
def test_stores_take_one_round_trip(valkey, trips, colour):
    """A hundred stores of conversations that were just written take one round trip; before that, one more."""
    names = [uuid.uuid4().hex for _ in range(100)]
    with opened(colour, valkey.url) as manager:
        manager.store_many(_stores([uuid.uuid4().hex], "connects"))
        trips.clear()
        ids = manager.store_many(_stores(names, "one"))
        assert trips == [100, 100]
        manager.store_many(_stores(names, "two"))
        assert trips == [100, 100, 100]
        found = [[message.content for message in each] for each in manager.retrieve_many(map(MemoryInput, names))]
    assert found == [["one", "two"]] * 100
    assert len(set(ids)) == 100


@colours
@pytest.mark.parametrize("fault", [DROP_REPLY, CUT_REPLY, RESET, LATE_REQUEST(0.1)], ids=lambda fault: fault.name)
def test_a_batch_is_stored_once(proxy, colour, fault):
    """A batch whose replies are lost, all or some, is sent again, and each of its inputs is stored once."""
    names = [uuid.uuid4().hex for _ in range(20)]
    with opened(colour, proxy.url, attempt_timeout=0.3) as manager:
        manager.store_many(_stores(names, "before"))
        proxy.inject(fault)
        manager.store_many(_stores(names, "once"))
        time.sleep(0.2)
        found = [[message.content for message in each] for each in manager.retrieve_many(map(MemoryInput, names))]
    assert found == [["before", "once"]] * 20


@colours
def test_a_batch_of_unknown_outcome(proxy, colour):
    """Without another try, each input of a batch that got no answer says so, with the id to repeat it with."""
    names = [uuid.uuid4().hex for _ in range(3)]
    with opened(colour, proxy.url, retry=RetryPolicy(attempts=1)) as manager:
        manager.store_many(_stores(names, "before"))
        proxy.inject(DROP_REPLY)
        with pytest.raises(BatchError) as caught:
            manager.store_many(_stores(names, "unknown"))
        errors = caught.value.errors
        assert (list(errors), caught.value.stored) == ([0, 1, 2], {})
        assert {(type(error), error.operation, len(error.ids)) for error in errors.values()} == {
            (OutcomeUnknownError, "store", 1)
        }
        again = [MemoryInput(name, data=[UserMessage("unknown", id=errors[n].ids[0])]) for n, name in enumerate(names)]
        manager.store_many(again)
        found = [[message.content for message in each] for each in manager.retrieve_many(map(MemoryInput, names))]
    assert found == [["before", "unknown"]] * 3


@colours
def test_a_batch_before_which_nothing_was_written(proxy, colour):
    """Where the indexes gave no answer, each input says that nothing was written, and nothing was."""
    names = [uuid.uuid4().hex for _ in range(3)]
    with opened(colour, proxy.url, retry=RetryPolicy(attempts=1)) as manager:
        manager.ping()
        proxy.inject(DROP_REPLY)
        with pytest.raises(BatchError) as caught:
            manager.store_many(_stores(names, "never"))
        assert {type(error) for error in caught.value.errors.values()} == {BackendUnavailableError}
        assert manager.retrieve_many(map(MemoryInput, names)) == [[], [], []]


def test_a_batch_over_a_cluster(cluster):
    """The inputs of a batch go to the nodes that have their slots, and come back in their order."""
    names = [uuid.uuid4().hex for _ in range(60)]
    for colour in ("sync", "async"):
        with opened(colour, cluster.url) as manager:
            manager.store_many(_stores(names, colour))
            found = manager.retrieve_many(map(MemoryInput, names))
        assert [each[-1].content for each in found] == [colour] * 60
