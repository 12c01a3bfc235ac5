"""The backend in memory and the one on a real server answer the same commands on a log alike."""

from __future__ import annotations

import itertools
import math
import os

import pytest
import redis
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memkit.backends.inmemory import InMemoryBackend
from memkit.backends.redis.discovery import Timeouts
from memkit.backends.redis.driver import RedisBackend
from memkit.backends.redis.pool import Pool
from memkit.backends.redis.target import parse_url
from memkit.commands import (
    About,
    AboutErase,
    AboutExpire,
    AboutRead,
    AboutSet,
    BranchRow,
    Cursor,
    Entered,
    Entry,
    IndexDrop,
    IndexEnter,
    IndexRead,
    IndexTouch,
    LogAppend,
    LogBranches,
    LogClear,
    LogCut,
    LogFind,
    LogRead,
    LogRemove,
    LogReplace,
    LogRestore,
    LogRewrite,
    LogSlice,
    LogWindow,
    Mark,
    Opening,
    Place,
    PutResult,
    RecordDrop,
    RecordPut,
    Retention,
    Rewritten,
    Slice,
    TurnEnd,
    TurnGrant,
    TurnTake,
    WindowSlots,
)
from memkit.errors import ErasedError, MemkitError, OwnerMismatchError
from memkit.ids import IdSource
from memkit.policy import RetryPolicy

EXAMPLES = int(os.environ.get("MEMKIT_TEST_MACHINE_EXAMPLES", "150"))
HOUR = 3_600_000

# Numbers of ids: below 6 they are texts of callers, from there memkit's own, made in this order.
NUMBERS = st.integers(0, 15)
TEXTS = ["a", "b", "é", "x" * 15, "y" * 16, "z" * 300]
MARKS = st.sampled_from([0, 0, 0, 1, 1, 1, 2, 4, 5]).map(Mark)
RECORDS = st.lists(st.tuples(NUMBERS, MARKS), min_size=1, max_size=5, unique_by=lambda item: item[0])
MAYBE = st.none() | NUMBERS
USERS = st.sampled_from([None, None, None, "ann", "bob"])

OPERATIONS = st.one_of(
    st.tuples(st.just("append"), RECORDS, st.sampled_from([{}, {}, {}, {"most": 3}, {"whole": 1}, {"alone": 1}])),
    st.tuples(st.just("append"), RECORDS, st.just({})),
    st.tuples(st.just("window"), st.integers(1, 6)),
    st.tuples(st.just("slice"), MAYBE, MAYBE, st.none() | st.integers(1, 4), st.booleans()),
    st.tuples(st.just("onward"), st.none() | st.integers(1, 4), st.booleans()),
    st.tuples(st.just("find"), NUMBERS),
    st.tuples(st.just("replace"), NUMBERS, MARKS),
    st.tuples(st.just("remove"), NUMBERS),
    st.tuples(st.just("rewrite"), MAYBE, MAYBE, RECORDS | st.just([])),
    st.tuples(st.just("cut"), MAYBE),
    st.tuples(st.just("restore"), st.integers(0, 3)),
    st.tuples(st.just("set"), st.sampled_from(["", "title"]), st.sampled_from([None, b"", b"meta"])),
    st.tuples(st.just("expire"), st.sampled_from([0, HOUR])),
    st.tuples(st.sampled_from(["clear", "put", "drop", "take", "end", "erase?"])),
)

_conversations = itertools.count()


class Side:
    """One backend, and what it named."""

    def __init__(self, backend, conversation):
        self.backend = backend
        self.conversation = conversation
        self.cursor = None
        self.turn = None

    def place(self, part):
        """Return a part of the conversation."""
        return Place("c", self.conversation, part)

    def run(self, command):
        """Execute a command; return its result without what every backend names anew."""
        try:
            result = self.backend.execute(command)
        except MemkitError as error:
            return type(error)
        if isinstance(result, Slice):
            self.cursor = result.last or self.cursor
            return result.records
        if isinstance(result, TurnGrant):
            self.turn = result.number or self.turn
            return result.number is None
        if isinstance(result, list):
            return [evolve(row, created_us=0, expires_us=0) for row in result if isinstance(row, BranchRow)]
        return _plain(result)


def _plain(result):
    if isinstance(result, About):
        lives = (result.lives_ms > 0, result.log_ms is None, result.wm_ms is None, result.created_us is None)
        return result.owner, result.title, result.metadata, result.count, lives, result.revision > 0
    if isinstance(result, PutResult):
        return result.done, result.version
    if isinstance(result, Rewritten):
        return result.outcome, result.count
    if isinstance(result, WindowSlots):
        return result.lead, result.kept, result.tail
    return getattr(result, "records", result)


class Pair:
    """Both backends with the ids that are used on both."""

    def __init__(self, *sides):
        self.sides = sides
        source = IdSource()
        self.ids = TEXTS + [source.fresh() for _ in range(10)]
        self.unused = set(self.ids[len(TEXTS) :])
        self.branches = []
        self.number = 0
        # Places of removed records count in what is read, and each backend closes such gaps when it likes.
        self.gaps = False

    def entry(self, number, mark):
        """Return an entry; its id is memkit's own, made for it, only when it is used first."""
        self.number += 1
        record_id = self.ids[number]
        fresh = record_id in self.unused
        self.unused.discard(record_id)
        return Entry(record_id, f"{number}/{self.number}".encode(), fresh, mark)

    def maybe(self, number):
        """Return an id, or None."""
        return None if number is None else self.ids[number]

    def check(self, make):
        """Execute on both sides what `make` returns for each."""
        ours, theirs = (side.run(make(side)) for side in self.sides)
        assert ours == theirs
        return ours

    def do(self, name, *arguments, owner):
        """Do one operation and look at everything afterwards."""
        getattr(self, "do_" + name.rstrip("?"))(owner, *arguments)
        self.check(lambda side: LogRead(side.place("log"), None))
        self.check(lambda side: AboutRead(side.place("about"), None))
        self.check(lambda side: LogBranches(side.place("log"), None))

    def do_append(self, owner, records, asked):
        entries = tuple(self.entry(*record) for record in records)
        options = {
            "retention": Retention(asked.get("most", 0)),
            "whole": "whole" in asked,
            "alone": "alone" in asked,
            "opening": Opening("opened", b"m") if "alone" in asked else None,
        }
        self.check(lambda side: LogAppend(side.place("log"), owner, HOUR, entries, turn=side.turn, **options))

    def do_window(self, owner, count):
        count = 1000 if self.gaps else count
        self.check(lambda side: LogWindow(side.place("log"), owner, count))

    def do_slice(self, owner, after, before, count, newest):
        ends, count = (self.maybe(after), self.maybe(before)), None if self.gaps else count
        self.check(lambda side: LogSlice(side.place("log"), owner, *ends, count, newest))

    def do_onward(self, owner, count, newest):
        count = None if self.gaps else count
        self.check(lambda side: LogSlice(side.place("log"), owner, side.cursor, None, count, newest))

    def do_find(self, owner, number):
        self.check(lambda side: LogFind(side.place("log"), owner, self.ids[number]))

    def do_replace(self, owner, number, mark):
        entry = self.entry(number, mark)
        old = self.sides[0].backend.execute(LogFind(self.sides[0].place("log"), None, entry.id)) or b"none"
        self.check(
            lambda side: LogReplace(
                side.place("log"), owner, HOUR, entry.id, old, entry.wire, mark, turn=side.turn, default_ttl=True
            )
        )

    def do_remove(self, owner, number):
        self.gaps = True
        self.check(lambda side: LogRemove(side.place("log"), owner, self.ids[number], turn=side.turn))

    def do_rewrite(self, owner, after, through, records):
        self.gaps = True
        entries = tuple(self.entry(*record) for record in records)
        ends = self.maybe(after), self.maybe(through)
        self.check(lambda side: LogRewrite(side.place("log"), owner, *ends, entries, turn=side.turn))

    def do_cut(self, owner, after):
        self.gaps = True
        branch = os.urandom(16)
        self.branches.append(branch)
        self.check(lambda side: LogCut(side.place("log"), owner, self.maybe(after), branch, HOUR, turn=side.turn))

    def do_restore(self, owner, back):
        self.gaps = True
        if not self.branches:
            return
        for side in self.sides:
            # Where it stands among records that come back is up to the backend.
            side.cursor = None
        branch, other = self.branches[-1 - back % len(self.branches)], os.urandom(16)
        self.branches.append(other)
        self.check(lambda side: LogRestore(side.place("log"), owner, HOUR, branch, other, HOUR, turn=side.turn))

    def do_set(self, owner, title, metadata):
        self.check(lambda side: AboutSet(side.place("about"), owner, title, metadata))

    def do_expire(self, owner, ttl):
        self.check(lambda side: AboutExpire(side.place("about"), owner, ttl))

    def do_clear(self, owner):
        self.gaps = True
        self.check(lambda side: LogClear(side.place("log"), owner, turn=side.turn))

    def do_put(self, owner):
        self.check(lambda side: RecordPut(side.place("wm"), owner, HOUR, b"w", 1, "w"))

    def do_drop(self, owner):
        self.check(lambda side: RecordDrop(side.place("wm"), owner))

    def do_take(self, owner):
        self.check(lambda side: TurnTake(side.place("about"), owner, HOUR))

    def do_end(self, owner):
        if self.sides[0].turn is not None:
            self.check(lambda side: TurnEnd(side.place("about"), owner, side.turn))
            for side in self.sides:
                side.turn = None

    def do_erase(self, owner):
        self.check(lambda side: AboutErase(side.place("about"), owner, dry=True))


@pytest.fixture(scope="module", params=["valkey", "redis62"])
def backend(request, servers):
    """The backend on a real server."""
    link = Pool(parse_url(servers(request.param).url), 2, Timeouts(2.0, 2.0))
    backend = RedisBackend(link, "alike", RetryPolicy())
    yield backend
    backend.close()


def test_both_backends_answer_alike(backend):
    """Whatever is done to a log, both backends answer the same and hold the same afterwards."""

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(OPERATIONS, USERS), min_size=1, max_size=25))
    def alike(operations):
        conversation = f"c{os.getpid()}-{next(_conversations)}"
        pair = Pair(Side(InMemoryBackend(), conversation), Side(backend, conversation))
        for operation, owner in operations:
            pair.do(*operation, owner=owner)

    alike()


def test_a_cursor_holds_when_its_record_goes(backend):
    """A place that was named is found after the record there was removed, cut off, or cleared with all others."""
    conversation = f"c{os.getpid()}-{next(_conversations)}"
    for side in Side(InMemoryBackend(), conversation), Side(backend, conversation):
        entries = tuple(Entry(f"id{number}", b"%d" % number, fresh=False) for number in range(5))
        log = side.place("log")
        side.run(LogAppend(log, None, HOUR, entries))
        found = side.backend.execute(LogSlice(log, None, None, None, 3))
        assert isinstance(found.last, Cursor)
        side.run(LogRemove(log, None, "id2"))
        assert side.backend.execute(LogSlice(log, None, found.last)).records == [b"3", b"4"]
        side.run(LogCut(log, None, "id3", os.urandom(16), HOUR))
        assert side.backend.execute(LogSlice(log, None, found.last)).records == [b"3"]
        side.run(LogClear(log, None))
        side.run(LogAppend(log, None, HOUR, (Entry("new", b"new", fresh=False),)))
        assert side.backend.execute(LogSlice(log, None, found.last)).records == [b"new"]


def test_an_erased_name_is_not_touched(backend):
    """A name that was taken out of an index for good is refused there for a while, and nowhere else."""
    name = f"c{os.getpid()}-{next(_conversations)}"
    here, there = Place("n", name, "cv"), Place("u", name, "cv")
    for store in InMemoryBackend(), backend:
        for index in (here, there):
            store.execute(IndexTouch(index, "a"))
        assert store.execute(IndexDrop(here, "a", fence=True))
        assert not store.execute(IndexDrop(here, "b", fence=True))
        for erased in "ab":
            with pytest.raises(ErasedError):
                store.execute(IndexTouch(here, erased))
        store.execute(IndexTouch(here, "c"))
        store.execute(IndexTouch(there, "a"))
        names = [[row.name for row in store.execute(IndexRead(index, 9)).rows] for index in (here, there)]
        assert names == [["c"], ["a"]]


def test_entering_the_indexes(backend):
    """A conversation is put on all of its indexes or on none; memory and server agree."""
    name = f"c{os.getpid()}-{next(_conversations)}"
    about, log = Place("c", name, "about"), Place("c", name, "log")
    own, everywhere = Place("u", name, "cv"), Place("n", name, "cv")
    both = IndexTouch(own, "c", 5000), IndexTouch(everywhere, "c", 5000)

    def named(store):
        return [[row.name for row in store.execute(IndexRead(index, 9)).rows] for index in (own, everywhere)]

    for store in InMemoryBackend(), backend:
        assert store.execute(IndexEnter(about, None, 5000, both[1:])) == Entered(done=True)
        assert named(store) == [[], ["c"]]
        store.execute(LogAppend(log, "ada", HOUR, (Entry("m", b"m", fresh=False),)))
        assert store.execute(IndexEnter(about, "ada", 5000, both)) == Entered(done=True)
        assert named(store) == [["c"], ["c"]]
        with pytest.raises(OwnerMismatchError):
            store.execute(IndexEnter(about, "bob", 5000, both))
        # His index is not among those named.
        assert store.execute(IndexEnter(about, None, 5000, both[1:])) == Entered(done=False, owner="ada")
        assert store.execute(AboutExpire(about, None, HOUR))
        assert store.execute(IndexEnter(about, None, 5000, both[1:])) == Entered(False, "ada", HOUR)
        store.execute(IndexDrop(everywhere, "c", fence=True))
        store.execute(IndexDrop(own, "c"))
        with pytest.raises(ErasedError):
            store.execute(IndexEnter(about, "ada", 5000, both))
        assert named(store) == [[], []]


def test_entering_with_a_time_to_live_that_is_renewed(backend):
    """Where every write renews a time to live, the indexes keep the name for ever; else as long as was asked."""
    for asked in (None, HOUR):
        name = f"c{os.getpid()}-{next(_conversations)}"
        about, index = Place("c", name, "about"), Place("u", name, "cv")
        backend.execute(LogAppend(Place("c", name, "log"), "ada", HOUR, (Entry("m", b"m", fresh=False),)))
        if asked is not None:
            backend.execute(AboutExpire(about, None, asked))
        assert backend.execute(IndexEnter(about, "ada", 5000, (IndexTouch(index, "c", 5000),))).done
        with redis.Redis.from_url(str(backend._link)) as client:
            kept = client.zscore(f"{backend._wiring.keys.prefix(index).decode()}cx", "c")
        assert (kept == math.inf) is (asked is not None)
