"""The in-memory backend: its bounds, when things expire and what that costs, threads, and that nothing is shared."""

from __future__ import annotations

import asyncio
import heapq
import sys
import threading

import pytest

from memkit import (
    AsyncInMemoryManager,
    CapacityError,
    ConfigurationError,
    Fact,
    InMemoryManager,
    MemoryInput,
    MemoryType,
    UserMessage,
    VersionConflictError,
    WorkingMemory,
)
from memkit.backends.inmemory import store as store_module
from memkit.backends.inmemory import table as table_module
from memkit.testing.clock import ManualClock

WM, STM, LTM = MemoryType.WORKING_MEMORY, MemoryType.SHORT_TERM_MEMORY, MemoryType.LONG_TERM_MEMORY
KINDS = (WM, STM, LTM)
RECORD = {WM: WorkingMemory, STM: UserMessage, LTM: Fact}
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def put(manager, name, kind=STM, text="text", **fields):
    record_id = fields.pop("record_id", None)
    return manager.store(MemoryInput(name, kind, data=[RECORD[kind](text, id=record_id)], **fields))


def there(manager, name, kind=STM):
    return len(manager.retrieve(MemoryInput(name, kind)))


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def manager(clock):
    return InMemoryManager(clock=clock)


def inner(manager):
    """The store behind a manager, to count what it holds and does."""
    return manager.backend._store


# Bounds -------------------------------------------------------------------------------------------------------------


def test_least_recently_used_conversations_go_first():
    """Beyond max_records whole conversations go, those first that were neither read nor written for longest."""
    manager = InMemoryManager(max_records=4)
    for name in ("a", "b", "c", "d"):
        put(manager, name)
    assert there(manager, "a") == 1
    put(manager, "e")
    assert [there(manager, name) for name in "acde"] == [1, 1, 1, 1]
    assert there(manager, "b") == 0


@kinds
def test_a_conversation_goes_as_a_whole(kind):
    """All memories of a conversation go together."""
    manager = InMemoryManager(max_records=4)
    for each in KINDS:
        put(manager, "old", each)
    put(manager, "new", kind)
    put(manager, "new", LTM)
    assert [there(manager, "old", each) for each in KINDS] == [0, 0, 0]
    assert there(manager, "new", kind) >= 1


def test_bytes_are_bounded():
    """Beyond max_bytes the least recently used conversation goes; what is replaced or deleted counts no more."""
    manager = InMemoryManager(max_bytes=10_000)
    big = "x" * 4000
    put(manager, "a", WM, big)
    put(manager, "b", WM, big)
    for _ in range(10):
        put(manager, "b", WM, big)
    assert there(manager, "a", WM) == 1
    put(manager, "c", STM, big)
    assert [there(manager, "a", WM), there(manager, "b", WM), there(manager, "c")] == [1, 0, 1]
    assert manager.delete(MemoryInput("c")) == 1
    put(manager, "d", LTM, big)
    assert [there(manager, "a", WM), there(manager, "d", LTM)] == [1, 1]


@pytest.mark.parametrize("kind", [STM, LTM], ids=lambda kind: kind.name)
@pytest.mark.parametrize("bound", [{"max_records": 2}, {"max_bytes": 300}], ids=lambda bound: next(iter(bound)))
def test_what_is_too_large_alone_is_refused(kind, bound):
    """A conversation that would not fit even alone: CapacityError, and nothing is dropped or changed for it."""
    manager = InMemoryManager(**bound)
    put(manager, "other", text="kept")
    too_much = [RECORD[kind]("x" * 100) for _ in range(3)]
    with pytest.raises(CapacityError):
        manager.store(MemoryInput("large", kind, data=too_much))
    assert there(manager, "other") == 1
    assert there(manager, "large", kind) == 0


def test_a_value_that_is_too_large_alone_is_refused():
    """A working memory that would not fit even alone: CapacityError, and the old one stays."""
    manager = InMemoryManager(max_bytes=300)
    put(manager, "a", WM, "old")
    with pytest.raises(CapacityError):
        put(manager, "a", WM, "x" * 400)
    (found,) = manager.retrieve(MemoryInput("a", WM))
    assert (found.working_memory, found.version) == ("old", 1)


def test_an_update_that_grows_too_large_is_refused():
    """An update beyond the bound is refused and the old record stays."""
    manager = InMemoryManager(max_bytes=1000)
    for kind in (STM, LTM):
        put(manager, kind.name, kind, "small", record_id="x")
        with pytest.raises(CapacityError):
            manager.update(MemoryInput(kind.name, kind, memory_id="x", data=[RECORD[kind]("x" * 2000)]))
        (found,) = manager.retrieve(MemoryInput(kind.name, kind))
        assert found.version == 1


def test_expired_records_take_no_room(clock):
    """Where there is no room, what has expired goes before any conversation that lives, however many there are."""
    manager = InMemoryManager(max_records=101, clock=clock)
    put(manager, "long", ttl=1000)
    for number in range(100):
        put(manager, f"short {number}", ttl=1)
    clock.advance(1)
    manager.store(MemoryInput("new", data=[UserMessage(str(n)) for n in range(100)]))
    assert there(manager, "long") == 1
    assert there(manager, "new") == 100


@pytest.mark.parametrize("bound", [0, -1, 1.5, True, "9"])
@pytest.mark.parametrize("name", ["max_records", "max_bytes"])
def test_bad_bounds(name, bound):
    """A bound is a whole number from 1, or None."""
    for make in (InMemoryManager, AsyncInMemoryManager):
        with pytest.raises(ConfigurationError, match=name):
            make(**{name: bound})


def test_counts_are_right_after_anything():
    """After many operations of every kind, the counts behind the bounds are those of what can be read."""
    clock = ManualClock()
    manager = InMemoryManager(clock=clock, max_records=50)
    for step in range(3000):
        name, kind = f"n{step % 13}", KINDS[step % 3]
        match step % 7:
            case 0 | 1 | 2 | 3:
                put(manager, name, kind, "x" * (step % 50), record_id=f"r{step % 5}", ttl=1 + step % 9)
            case 4:
                manager.delete(MemoryInput(name, kind))
            case 5:
                manager.delete(MemoryInput(name, kind, memory_id=f"r{step % 5}"))
            case 6:
                clock.advance(0.5)
        assert inner(manager).records <= 50
    clock.advance(0)
    counted = sum(there(manager, f"n{n}", kind) for n in range(13) for kind in KINDS)
    assert inner(manager).records == counted > 0
    for n in range(13):
        for kind in KINDS:
            manager.delete(MemoryInput(f"n{n}", kind))
    assert (inner(manager).records, inner(manager).size, len(inner(manager)._scopes)) == (0, 0, 0)


# Expiry -------------------------------------------------------------------------------------------------------------


@kinds
def test_expiry_is_exact(manager, clock, kind):
    """A record is there until the last microsecond before its time, and absent at its time, on every path."""
    put(manager, "a", kind, record_id="x", ttl=10)
    clock.advance(9.999999)
    assert there(manager, "a", kind) == 1
    clock.advance(0.000001)
    assert there(manager, "a", kind) == 0
    assert manager.retrieve(MemoryInput("a", kind, memory_id="x")) == []
    assert manager.retrieve(MemoryInput("a", kind, query="text")) == []
    assert manager.delete(MemoryInput("a", kind)) == 0
    assert manager.delete(MemoryInput("a", kind, memory_id="x")) == 0
    put(manager, "a", kind, record_id="x", ttl=10)
    (found,) = manager.retrieve(MemoryInput("a", kind))
    assert found.version == 1


def test_expired_owner_is_forgotten(manager, clock):
    """When all of a conversation has expired, another user may take its id."""
    put(manager, "a", WM, user_id="ada", ttl=10)
    clock.advance(10)
    put(manager, "a", WM, user_id="eve")
    assert there(manager, "a", WM) == 1


def test_rows_expire_one_by_one(manager, clock):
    """Facts of one conversation expire each at its own time; the others stay, in their order."""
    for number in range(200):
        put(manager, "a", LTM, str(number), ttl=1 + number)
    for seconds in (1, 1, 100, 50):
        clock.advance(seconds)
    left = [fact.text for fact in manager.retrieve(MemoryInput("a", LTM))]
    assert left == [str(number) for number in reversed(range(152, 200))]


class Counted:
    """Counts what a module does to its heaps, call by call."""

    def __init__(self, monkeypatch, *modules):
        self.pops = self.pushes = 0
        for module in modules:
            monkeypatch.setattr(module, "heapq", self)

    def heappop(self, heap):
        self.pops += 1
        return heapq.heappop(heap)

    def heappush(self, heap, item):
        self.pushes += 1
        heapq.heappush(heap, item)

    heapify = staticmethod(heapq.heapify)

    def during(self, act):
        before = self.pops
        act()
        return self.pops - before


def test_no_call_pays_for_all_expiries(manager, clock, monkeypatch):
    """100,000 conversations expire at once: each later call clears away a few of them, until all are gone."""
    heaps = Counted(monkeypatch, store_module)
    for number in range(100_000):
        put(manager, str(number), WM, "x", ttl=10)
    clock.advance(10)
    assert there(manager, "99999", WM) == 0
    worst = max(heaps.during(lambda number=number: there(manager, str(number), WM)) for number in range(7000))
    assert worst <= 32
    assert inner(manager).records == 0
    assert len(inner(manager)._queue) == 0


@kinds
def test_renewals_do_not_pile_up(manager, clock, kind):
    """10,000 renewals of one record leave a bounded number of entries in the heaps."""
    for _ in range(10_000):
        put(manager, "a", kind, record_id="x", ttl=100)
        clock.advance(0.001)
    assert heap_entries(manager) < 200
    assert there(manager, "a", kind) == 1


def heap_entries(manager):
    parts = [part for scope in inner(manager)._scopes.values() for part in scope.parts.values()]
    return len(inner(manager)._queue) + sum(len(getattr(part, "due", ())) for part in parts)


@kinds
def test_shorter_and_longer_lives_do_not_pile_up(manager, clock, kind):
    """A record that lives now shorter, now longer leaves a bounded number of entries, and expires at its last time."""
    for number in range(10_000):
        put(manager, "a", kind, record_id="x", ttl=1 + number % 7)
        clock.advance(0.3)
    assert heap_entries(manager) < 200
    put(manager, "a", kind, record_id="x", ttl=50)
    clock.advance(49.9)
    assert there(manager, "a", kind) == 1
    clock.advance(0.1)
    assert there(manager, "a", kind) == 0


@kinds
def test_deleted_conversations_leave_nothing(manager, kind):
    """10,000 conversations stored and deleted, each to live for a day, leave a bounded number of entries behind."""
    for number in range(10_000):
        put(manager, str(number), kind)
        manager.delete(MemoryInput(str(number), kind))
    assert heap_entries(manager) < 200
    assert len(inner(manager)._scopes) == 0


def test_mass_expiry_of_rows_is_linear(manager, clock, monkeypatch):
    """When thousands of facts of one conversation expire at once, those that stay are not moved once for each."""
    single = []
    real = table_module.Table._leave_order
    monkeypatch.setattr(table_module.Table, "_leave_order", lambda self, rank: (single.append(rank), real(self, rank)))
    manager.store(MemoryInput("a", LTM, data=[Fact(str(n)) for n in range(5000)], ttl=10))
    put(manager, "a", LTM, "stays")
    clock.advance(10)
    assert [fact.text for fact in manager.retrieve(MemoryInput("a", LTM))] == ["stays"]
    assert len(single) < 100


# Threads, tasks, and what is shared ---------------------------------------------------------------------------------


@pytest.fixture
def eager_switches():
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_eight_threads(manager):
    """8 threads append 2,000 messages each to one conversation: all are there, each thread's in its order."""

    def work(number):
        for n in range(2000):
            put(manager, "a", STM, f"{number} {n}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = [record.content for record in manager.retrieve(MemoryInput("a"))]
    assert len(stored) == 16_000
    for number in range(8):
        assert [text for text in stored if text.startswith(f"{number} ")] == [f"{number} {n}" for n in range(2000)]


@pytest.mark.usefixtures("eager_switches")
def test_threads_count_together(manager):
    """4 threads that update one working memory under expected_version lose no increment."""
    put(manager, "a", WM, "0")

    def work(_):
        for _ in range(250):
            while True:
                (now,) = manager.retrieve(MemoryInput("a", WM))
                more = WorkingMemory(str(int(now.working_memory) + 1))
                try:
                    manager.update(MemoryInput("a", WM, data=[more], expected_version=now.version))
                    break
                except VersionConflictError:
                    continue

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (end,) = manager.retrieve(MemoryInput("a", WM))
    assert (end.working_memory, end.version) == ("1000", 1001)


async def test_tasks():
    """100 tasks on one async manager each read what they wrote."""
    manager = AsyncInMemoryManager()

    async def work(number):
        for n in range(20):
            await manager.store(MemoryInput(f"n{number}", WM, data=[WorkingMemory(f"{number} {n}")]))
            await asyncio.sleep(0)
            (found,) = await manager.retrieve(MemoryInput(f"n{number}", WM))
            assert found.working_memory == f"{number} {n}"

    await asyncio.gather(*(work(number) for number in range(100)))


@kinds
def test_nothing_is_shared_with_the_caller(manager, kind):
    """What the caller does to its data after storing, or to what it retrieved, changes nothing stored."""
    metadata = {"tags": ["a"], "deep": {"list": [1]}}
    data = [RECORD[kind]("text", metadata=metadata, id="x")]
    manager.store(MemoryInput("a", kind, data=data, metadata=(under := {"under": ["u"]})))
    metadata["tags"].append("b")
    metadata["deep"]["list"].append(2)
    under["under"].append("v")
    data.clear()
    expected = {"tags": ["a"], "deep": {"list": [1]}, "under": ["u"]}
    for _ in range(2):
        found = manager.retrieve(MemoryInput("a", kind))
        assert dict(found[0].metadata) == expected
        found[0].metadata["tags"].append("c")
        found[0].metadata["deep"].clear()
        found.clear()
    updated = manager.update(MemoryInput("a", kind, memory_id="x", metadata={"more": [1]}))
    updated.metadata["more"].append(2)
    (found,) = manager.retrieve(MemoryInput("a", kind))
    assert dict(found.metadata) == {**expected, "more": [1]}


def test_two_managers_share_nothing():
    """Each manager has a store of its own."""
    one, two = InMemoryManager(), InMemoryManager()
    put(one, "a")
    assert (there(one, "a"), there(two, "a")) == (1, 0)
