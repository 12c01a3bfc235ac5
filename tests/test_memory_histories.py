"""Histories and administration in memory, command by command: what each does, what it leaves, and what it costs."""

from __future__ import annotations

import asyncio
import inspect
import sys
from functools import partial
from itertools import pairwise, takewhile

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from memkit import commands
from memkit.backends.inmemory import AsyncInMemoryBackend, InMemoryBackend
from memkit.backends.inmemory import store as store_module
from memkit.backends.null import NullBackend
from memkit.commands import (
    About,
    AboutErase,
    AboutExpire,
    AboutRead,
    AboutSet,
    BranchRow,
    Command,
    Cursor,
    Effect,
    Entry,
    Erased,
    IndexDrop,
    IndexEnter,
    IndexFence,
    IndexPage,
    IndexRead,
    IndexRow,
    IndexSize,
    IndexTouch,
    InTurn,
    Leftovers,
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
    Outcome,
    Owned,
    Place,
    RecordDrop,
    RecordGet,
    RecordLoad,
    RecordPut,
    Retention,
    Rewritten,
    Row,
    ServerState,
    Slice,
    StoredRecord,
    TableClear,
    TableDump,
    TableFetch,
    TableRead,
    TableRemove,
    TableSwap,
    TurnEnd,
    TurnGrant,
    TurnRenew,
    TurnTake,
    WindowSlots,
    Write,
)
from memkit.errors import CapacityError, ErasedError, OwnerMismatchError, TurnHeldError, TurnLostError
from memkit.testing.clock import ManualClock

LOG, WM, LTM, ABOUT = (Place("c", "a", part) for part in ("log", "wm", "ltm", "about"))
CV = Place("n", "", "cv")
FENCED = 120
START = ManualClock().time_us()
B1, B2, B3 = (bytes([n]) * 16 for n in (1, 2, 3))
HOUR = 3_600_000


class Store:
    """A backend with shorter ways to say the usual. A message is a word: its id, and its bytes.

    A word tells its mark: s… system, t… the result of a tool, …* pinned.
    """

    def __init__(self, **options):
        self.clock = ManualClock()
        self.backend = InMemoryBackend(clock=self.clock, **options)
        self.inner = self.backend._store

    def run(self, command):
        """Execute a command."""
        return self.backend.execute(command)

    def append(self, words, ttl_ms=HOUR, owner=None, **fields):
        """Append messages."""
        return self.run(LogAppend(LOG, owner, ttl_ms, tuple(map(entry, words.split())), **fields))

    def words(self):
        """Return all messages of the log."""
        return text(self.run(LogRead(LOG, None)).records)

    def about(self):
        """Return what is known of the conversation."""
        return self.run(AboutRead(ABOUT, None))

    def window(self, count):
        """Return lead, kept and tail of a window."""
        slots = self.run(LogWindow(LOG, None, count))
        return text(slots.lead), text(slots.kept), text(slots.tail)

    def slice(self, **fields):
        """Return the messages of a slice, and the slice."""
        piece = self.run(LogSlice(LOG, None, **fields))
        return None if piece is None else (text(piece.records), piece)

    def rewrite(self, after, through, words, **fields):
        """Put messages in the place of others."""
        return self.run(LogRewrite(LOG, None, after, through, tuple(map(entry, words.split())), **fields))

    def cut(self, after, branch=B1, grace_ms=HOUR):
        """Cut off what stands behind a message."""
        return self.run(LogCut(LOG, None, after, branch, grace_ms))

    def restore(self, branch=B1, other=B2, ttl_ms=HOUR, grace_ms=HOUR, owner=None):
        """Put a branch back."""
        return self.run(LogRestore(LOG, owner, ttl_ms, branch, other, grace_ms))

    def left(self, place=ABOUT, **fields):
        """Return how many keys are left."""
        page = self.run(Leftovers(place, **fields))
        assert page.cursor is None
        return page.count

    def put_wm(self, ttl_ms=HOUR, owner=None):
        """Set the working memory."""
        return self.run(RecordPut(WM, owner, ttl_ms, b"wm", 7, "id"))

    def put_row(self, name, ttl_ms=HOUR, owner=None):
        """Add a long-term record."""
        return self.run(TableSwap(LTM, owner, ttl_ms, (Row(name, name.encode(), 1),)))


def mark_of(word):
    """Return the mark that a word tells."""
    mark = {"s": Mark.SYSTEM, "t": Mark.FOLLOWS}.get(word[0], Mark.NONE)
    return mark | Mark.PINNED if word.endswith("*") else mark


def entry(word):
    """Return what is stored for a word."""
    return Entry(word, word.encode(), fresh=False, mark=mark_of(word))


def text(records):
    """Return the messages of records as one text."""
    return b" ".join(records).decode()


@pytest.fixture
def store():
    return Store()


# Append -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "most", "left"),
    [
        ("u1 u2 u3", 3, "u1 u2 u3"),
        ("u1 u2 u3", 2, "u2 u3"),
        ("u1 u2 u3", 1, "u3"),
        ("u1 a1 t1 t2 u2", 3, "u2"),
        ("u1 a1 t1 t2 u2", 4, "a1 t1 t2 u2"),
        ("u1 a1 t1 t2 t3", 1, "a1 t1 t2 t3"),
        ("s1 u1 u2 u3", 2, "s1 u2 u3"),
        ("s1 s2 u1 s3 u2 u3", 3, "s1 s2 s3 u2 u3"),
        ("s1 s2 s3", 1, "s1 s2 s3"),
        ("s1 t1 u1 u2", 1, "s1 t1 u2"),
        ("u1* u2 u3", 1, "u1* u3"),
        ("u1 u2* u3 u4 u5", 2, "u2* u4 u5"),
        ("s1* u1 u2", 1, "s1* u2"),
        ("a1 t1* t2 u1 u2", 1, "a1 t1* t2 u2"),
        ("a1 t1* u1 u2 u3", 3, "a1 t1* u2 u3"),
        ("t1 t2 u1", 1, "u1"),
        ("u1 u2* u3* u4", 1, "u2* u3* u4"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
def test_retention_by_count(store, words, most, left, at_once):
    """Whole groups go from the head while there are too many; leading system and pinned ones and the newest stay."""
    for piece in [words] if at_once else words.split():
        store.append(piece, retention=Retention(most=most))
    assert store.words() == left


@pytest.mark.parametrize(
    ("ages", "left"),
    [
        ({"u1": 11, "u2": 10, "u3": 0}, "u2 u3"),
        ({"u1": 99, "u2": 0}, "u2"),
        ({"a1": 99, "t1": 0}, "a1 t1"),
        ({"s1": 50, "u1": 40, "u2*": 30, "u3": 20, "u4": 0}, "s1 u2* u4"),
        ({"s1": 50, "s2": 11, "u1": 11, "s3": 11, "u2": 0}, "s1 s2 u2"),
        ({"a1": 20, "t1": 5, "u2": 4, "u3": 0}, "a1 t1 u2 u3"),
        ({"a1": 20, "t1": 15, "u1": 0}, "u1"),
        ({"u1": 20, "u2": 5, "u3": 0}, "u2 u3"),
    ],
)
def test_retention_by_age(store, ages, left):
    """A group goes once the last of its messages was appended more than so many milliseconds ago; the newest stays."""
    for word, following in pairwise(ages):
        store.append(word)
        store.clock.advance((ages[word] - ages[following]) * 0.001)
    store.append(list(ages)[-1], retention=Retention(age_ms=10))
    assert store.words() == left


@pytest.mark.parametrize("start", [0, 0.1, 0.7, 1.123457, 1000.3, 12345.678901])
@pytest.mark.parametrize(("micros", "left"), [(10_000, "u1 u2"), (10_001, "u2")])
def test_age_is_exact(store, start, micros, left):
    """What is exactly as old as it may be stays; a microsecond more, and it goes."""
    store.clock.advance(start)
    store.append("u1")
    store.clock.advance(micros / 1_000_000)
    store.append("u2", retention=Retention(age_ms=10))
    assert store.words() == left


def test_a_removed_message_keeps_no_group(store):
    """The age of a group is that of the last message that is still there."""
    store.append("u1")
    store.clock.advance(0.015)
    store.append("t1 u2")
    store.run(LogRemove(LOG, None, "t1"))
    store.append("u3", retention=Retention(age_ms=10))
    assert store.words() == "u2 u3"


def test_either_bound_drops(store):
    """With both bounds a group goes if either says so."""
    store.append("u1 u2 u3 u4")
    store.clock.advance(1)
    store.append("u5 u6")
    store.append("u7", retention=Retention(most=5, age_ms=999))
    assert store.words() == "u5 u6 u7"
    store.append("u8", retention=Retention(most=2, age_ms=999))
    assert store.words() == "u7 u8"


def test_what_is_appended_may_come_again_after_it_was_dropped(store):
    """An id that retention dropped is not there: it is found no more, and can be stored anew."""
    store.append("u1 u2", retention=Retention(most=1))
    assert store.run(LogFind(LOG, None, "u1")) is None
    assert store.append("u1") == 1
    assert store.words() == "u2 u1"


def test_a_whole_append_is_decided_by_its_first_message(store):
    """With `whole`, nothing is appended where the first id is there, and everything that is new where it is not."""
    store.append("u1 u2")
    assert store.append("u1 u3", whole=True) == 0
    assert store.append("u3 u2 u4", whole=True) == 2
    assert store.words() == "u1 u2 u3 u4"


def test_alone(store):
    """With `alone`, an append to a log with messages answers None; a cleared log has none."""
    assert store.append("u1", alone=True) == 1
    assert store.append("u2", alone=True) is None
    assert store.append("u1", alone=True) is None
    store.run(LogClear(LOG, None))
    assert store.append("u2 u3", alone=True) == 2
    assert store.words() == "u2 u3"


def test_an_id_that_comes_twice_in_one_append(store):
    """The first message with an id is stored, those after it are passed over."""
    twice = (entry("u1"), entry("u2"), Entry("u1", b"other", fresh=False))
    assert store.run(LogAppend(LOG, None, HOUR, twice)) == 2
    assert store.words() == "u1 u2"
    assert store.inner.records == 2


def test_a_repeat_changes_nothing_but_the_time_to_live(store):
    """A repeat neither raises the revision nor drops anything, but the log lives from now on."""
    store.append("u1 u2 u3", ttl_ms=1000)
    before = store.about()
    store.clock.advance(0.9)
    assert store.append("u2", ttl_ms=1000, retention=Retention(most=1)) == 0
    assert store.about() == before
    store.clock.advance(0.9)
    assert store.words() == "u1 u2 u3"


# Windows and slices -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "count", "window", "between"),
    [
        ("u1 u2 u3", 2, ("", "", "u2 u3"), 1),
        ("u1 u2 u3", 3, ("", "", "u1 u2 u3"), 0),
        ("u1 u2 u3", 9, ("", "", "u1 u2 u3"), 0),
        ("u1 a1 t1 t2", 1, ("", "", "a1 t1 t2"), 1),
        ("u1 a1 t1 t2", 2, ("", "", "a1 t1 t2"), 1),
        ("u1 a1 t1 t2 u2", 2, ("", "", "a1 t1 t2 u2"), 1),
        ("u1 a1 t1 t2 u2", 1, ("", "", "u2"), 4),
        ("t1 t2 u1", 2, ("", "", "t1 t2 u1"), 0),
        ("s1 u1 u2", 1, ("s1", "", "u2"), 1),
        ("s1 s2 u1 s3 u2", 1, ("s1 s2", "", "u2"), 2),
        ("s1 s2 u1", 2, ("s1", "", "s2 u1"), 0),
        ("s1 t1 u1", 2, ("", "", "s1 t1 u1"), 0),
        ("s1 t1 u1", 1, ("s1", "", "u1"), 1),
        ("s1 t1* u1", 1, ("s1", "t1*", "u1"), 1),
        ("s1* u1 u2", 1, ("s1*", "", "u2"), 1),
        ("u1* u2 u3* u4", 1, ("", "u1* u3*", "u4"), 3),
        ("u1* u2 u3* u4", 2, ("", "u1*", "u3* u4"), 2),
        ("u1 a1 t1* t2* u2 u3", 1, ("", "a1 t1* t2*", "u3"), 5),
        ("a1* t1 a2 t2* u1 u2", 2, ("", "a1* t1 a2 t2*", "u1 u2"), 4),
    ],
)
def test_window(store, words, count, window, between):
    """A window has the leading system messages, the pinned groups, and the last places from the start of a group on."""
    store.append(words)
    assert store.window(count) == window
    slots = store.run(LogWindow(LOG, None, count))
    assert slots.between == between
    before, tail = store.slice(before=slots.first)[0].split(), window[2].split()
    assert before + tail == words.split()


def test_a_window_over_removed_messages(store):
    """Removed messages leave places that count but hold nothing; a group is found over them."""
    store.append("s1 s2 u1 a1 t1 t2 u2 u3")
    for word in ("s2", "t1", "u2"):
        store.run(LogRemove(LOG, None, word))
    assert store.window(2) == ("s1", "", "a1 t2 u3")
    assert store.window(1) == ("s1", "", "u3")
    assert store.window(3) == ("s1", "", "a1 t2 u3")
    assert store.run(LogWindow(LOG, None, 99)) == evolve(
        store.run(LogWindow(LOG, None, 99)), lead=[], kept=[], between=0, tail=[b"s1", b"u1", b"a1", b"t2", b"u3"]
    )


def test_groups_and_lead_over_removed_messages(store):
    """Neither the run of leading system messages nor a pinned group ends where a message was removed."""
    store.append("s1 s2 s3 a1* t1 t2 u1")
    for word in ("s2", "t1"):
        store.run(LogRemove(LOG, None, word))
    assert store.window(1) == ("s1 s3", "a1* t2", "u1")
    store.append("u2 u3", retention=Retention(most=2))
    assert store.words() == "s1 s3 a1* t2 u3"
    assert store.inner.scope(LOG).parts["log"].dead == 2


def test_no_place_is_left_at_the_ends(store):
    """When the first or last messages are removed their places go, with those of removed ones beside them."""
    store.append("u1 u2 u3 u4 u5")
    for word in ("u2", "u4", "u5", "u1"):
        store.run(LogRemove(LOG, None, word))
    assert (store.window(1), store.run(LogWindow(LOG, None, 1)).between) == (("", "", "u3"), 0)
    assert store.inner.scope(LOG).parts["log"].dead == 0


def test_a_window_of_nothing(store):
    """An empty log has an empty window."""
    assert store.run(LogWindow(LOG, None, 9)) == WindowSlots([], [], [], None, 0)


def test_a_mark_can_be_replaced(store):
    """The mark comes with the bytes: a message can be pinned, be pinned again, and be let go."""
    store.append("u1 u2 u3")
    for mark, kept in ((Mark.PINNED, "x"), (Mark.PINNED, "x"), (Mark.NONE, ""), (Mark.PINNED, "x")):
        old = store.run(LogFind(LOG, None, "u2"))
        assert store.run(LogReplace(LOG, None, HOUR, "u2", old, b"x", mark)).done
        assert store.window(1) == ("", kept, "u3")
    assert store.run(LogRemove(LOG, None, "u2")).done
    assert store.window(1) == ("", "", "u3")
    assert store.inner.scope(LOG).parts["log"].pins == []


@pytest.mark.parametrize(
    ("fields", "words", "more"),
    [
        ({}, "u1 u2 u3 u4 u5", False),
        ({"count": 5}, "u1 u2 u3 u4 u5", False),
        ({"count": 2}, "u1 u2", True),
        ({"count": 2, "newest": True}, "u4 u5", True),
        ({"count": 0}, "", True),
        ({"after": "u2"}, "u3 u4 u5", False),
        ({"after": "u2", "count": 2}, "u3 u4", True),
        ({"after": "u2", "count": 3, "newest": True}, "u3 u4 u5", False),
        ({"before": "u4"}, "u1 u2 u3", False),
        ({"before": "u4", "count": 2, "newest": True}, "u2 u3", True),
        ({"before": "u4", "count": 2}, "u1 u2", True),
        ({"after": "u1", "before": "u5", "count": 1, "newest": True}, "u4", True),
        ({"after": "u5"}, "", False),
        ({"before": "u1"}, "", False),
        ({"after": "u4", "before": "u2"}, "", False),
        ({"after": "u3", "before": "u3"}, "", False),
    ],
)
def test_slice(store, fields, words, more):
    """A slice is what stands between two messages, the first or the last of it, and tells whether there is more."""
    store.append("u1 u2 u3 u4 u5")
    found, piece = store.slice(**fields)
    assert (found, piece.more) == (words, more)
    assert (piece.first is None, piece.last is None) == (not words, not words)


@pytest.mark.parametrize("fields", [{"after": "x"}, {"before": "x"}, {"after": "u1", "before": "x"}, {"after": "u2"}])
def test_a_slice_needs_its_messages(store, fields):
    """A message that is named but not there, never or no more, makes None of a slice."""
    assert store.slice(**fields) is None
    store.append("u1 u2")
    store.run(LogRemove(LOG, None, "u2"))
    assert store.slice(**fields) is None


def test_a_slice_of_nothing(store):
    """A slice of an empty log is empty, and so it is behind a cursor."""
    nothing = ("", Slice([], None, None, more=False))
    assert store.slice() == nothing
    assert store.slice(after=Cursor(bytes(8))) == nothing


@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize("count", [1, 3, 7])
def test_pages(store, count, newest):
    """By cursors a log can be paged from either end, removed messages or not, and no message comes twice or never."""
    words = [f"u{n}" for n in range(20)]
    store.append(" ".join(words))
    for n in (0, 3, 4, 5, 11, 19):
        store.run(LogRemove(LOG, None, f"u{n}"))
    found, anchor, more = [], None, True
    while more:
        fields = {"before": anchor} if newest else {"after": anchor}
        page, piece = store.slice(count=count, newest=newest, **fields)
        found = page.split() + found if newest else found + page.split()
        anchor, more = piece.first if newest else piece.last, piece.more
    assert found == store.words().split()


def end_of(store):
    """Return a cursor at the end of the log."""
    return store.slice()[1].last


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.run(LogRemove(LOG, None, "u3")),
        lambda store: store.run(LogRemove(LOG, None, "u2")),
        lambda store: store.run(LogClear(LOG, None)),
        lambda store: store.append("x", retention=Retention(most=1)) and store.run(LogRemove(LOG, None, "x")),
        lambda store: store.clock.advance(HOUR / 1000),
        lambda store: store.run(AboutErase(ABOUT, None)) and store.clock.advance(FENCED),
        lambda store: store.cut("u1"),
        lambda store: store.cut(None),
        lambda store: store.rewrite(None, "u3", "n1"),
        lambda store: store.rewrite("u1", "u2", "n1 n2 n3"),
    ],
    ids=[
        "remove",
        "remove other",
        "clear",
        "retention",
        "expiry",
        "erase",
        "cut",
        "cut all",
        "rewrite",
        "rewrite inside",
    ],
)
def test_a_cursor_holds(store, change):
    """Whatever becomes of the messages, what comes later is behind a cursor, and what was there before is not."""
    store.append("u1 u2 u3")
    cursor = end_of(store)
    change(store)
    assert store.slice(after=cursor)[0] == ""
    store.append("u4 u5")
    assert store.slice(after=cursor)[0] == "u4 u5"


def test_a_restored_message_is_not_new(store):
    """What is put back stands where it stood: nobody who read it sees it again, and what is appended then is new."""
    store.append("u1 u2 u3")
    cursor = end_of(store)
    store.cut("u1")
    store.append("u4")
    seen = end_of(store)
    store.restore()
    assert store.slice(after=cursor)[0] == ""
    assert store.slice(after=seen)[0] == ""
    store.append("u5")
    assert store.slice(after=cursor)[0] == "u5"


# A plain list as the model ------------------------------------------------------------------------------------------


def groups_of(rows):
    """Return the rows as groups."""
    found = []
    for row in rows:
        if found and row[0].startswith("t"):
            found[-1].append(row)
        else:
            found.append([row])
    return found


def flat(groups):
    """Return the rows of groups."""
    return [row for group in groups for row in group]


def lead_of(rows):
    """Return the system messages that lead."""
    return list(takewhile(lambda row: row[0].startswith("s"), rows))


def is_pinned(row):
    return row[0].endswith("*")


def retained(rows, most, age_ms, now_ms):
    """Return what retention leaves of rows, each a word and the time of its append in milliseconds."""
    lead = lead_of(rows)
    over = len(rows) - len(lead) - sum(map(is_pinned, rows[len(lead) :])) - most
    groups = groups_of(rows)
    kept, at = [], 0
    for number, group in enumerate(groups):
        first, at = at, at + len(group)
        if first < len(lead) or any(map(is_pinned, group)):
            kept.append(group)
            continue
        due = (most and over > 0) or (age_ms and now_ms - group[-1][1] > age_ms)
        if number == len(groups) - 1 or not due:
            return flat(kept + groups[number:])
        over -= len(group)
    return flat(kept)


def window_of(rows, tail_size):
    """Return lead and kept of a window whose tail has so many messages."""
    rest = rows[: len(rows) - tail_size]
    lead = lead_of(rest)
    kept = [group for group in groups_of(rest[len(lead) :]) if any(map(is_pinned, group))]
    return words_of(lead), words_of(flat(kept))


def tail_of(rows, count):
    """Return the tail of a window where every place has a message."""
    start = max(len(rows) - count, 0)
    while start and rows[start][0].startswith("t"):
        start -= 1
    return words_of(rows[start:])


def words_of(rows):
    return " ".join(word for word, _ in rows)


KINDS = st.sampled_from(["u", "u", "t", "t", "s", "u*", "t*", "s*"])
APPENDS = st.tuples(
    st.just("append"), st.lists(KINDS, min_size=1, max_size=4), st.integers(0, 5), st.sampled_from([0, 0, 2, 3])
)
STEPS = st.lists(
    st.one_of(
        APPENDS,
        APPENDS,
        st.tuples(st.just("wait"), st.integers(1, 3)),
        st.tuples(st.just("cut"), st.integers(0, 8)),
        st.tuples(st.just("restore")),
        st.tuples(st.just("rewrite"), st.integers(0, 8), st.integers(0, 8), st.lists(KINDS, max_size=4)),
        st.tuples(st.just("remove"), st.integers(0, 8)),
    ),
    max_size=14,
)


class Model:
    """Does to a plain list what a store does to a log, and compares."""

    def __init__(self):
        self.store = Store()
        self.rows = []
        self.branch = None
        self.now_ms = 0
        self.made = 0
        self.dense = True

    def words(self, kinds):
        """Make new words of kinds."""
        first, self.made = self.made, self.made + len(kinds)
        return [f"{kind[0]}{first + n}{kind[1:]}" for n, kind in enumerate(kinds)]

    def append(self, kinds, most, age_ms):
        words = self.words(kinds)
        assert self.store.append(" ".join(words), retention=Retention(most, age_ms), ttl_ms=0) == len(words)
        self.rows = retained([*self.rows, *((word, self.now_ms) for word in words)], most, age_ms, self.now_ms)

    def wait(self, ms):
        self.store.clock.advance(ms / 1000)
        self.now_ms += ms

    def group_at(self, place):
        """Return the start of a group at or before a place."""
        place = min(place, len(self.rows))
        while 0 < place < len(self.rows) and self.rows[place][0].startswith("t"):
            place -= 1
        return place

    def cut(self, place):
        place = self.group_at(place)
        after = self.rows[place - 1][0] if place else None
        result = self.store.cut(after, grace_ms=10**9)
        assert (result.outcome, result.count) == (Outcome.DONE, len(self.rows) - place)
        if result.count:
            self.branch, self.rows = (place, self.rows[place:], [*self.rows[:place]]), self.rows[:place]

    def restore(self):
        if self.branch is None or self.branch[2] != self.rows[: self.branch[0]]:
            return
        place, rows, _ = self.branch
        result = self.store.restore(ttl_ms=0)
        assert (result.outcome, result.count) == (Outcome.DONE, len(self.rows) - place)
        self.rows, self.branch = self.rows[:place] + rows, None

    def rewrite(self, start, end, kinds):
        start, end = sorted((min(start, len(self.rows)), self.group_at(end)))
        if start == end or end != self.group_at(end):
            return
        piece = self.rows[start:end]
        stay = piece[::2][::-1]
        words = [word for word, _ in stay] + self.words(kinds)
        after = self.rows[start - 1][0] if start else None
        result = self.store.rewrite(after, piece[-1][0], " ".join(words))
        assert (result.outcome, result.count) == (Outcome.DONE, len(piece) - len(stay))
        times = {wire.decode(): time for wire, time in self.times()}
        self.rows[start:end] = [(word, times[word]) for word in words]

    def times(self):
        """Return when the log says that its messages were appended."""
        log = self.store.inner.scope(LOG)
        log = None if log is None else log.parts.get("log")
        return [] if log is None else [(slot.wire, round(slot.time * 1000)) for slot in log.slots(log.head, log.end)]

    def remove(self, place):
        if place < len(self.rows):
            assert self.store.run(LogRemove(LOG, None, self.rows.pop(place)[0])).done
            self.dense = False

    def check(self):
        """Compare all that can be read."""
        store, rows = self.store, self.rows
        assert store.words() == words_of(rows)
        for count in range(1, len(rows) + 3):
            lead, kept, tail = store.window(count)
            assert (lead, kept) == window_of(rows, len(tail.split()))
            assert tail_of(rows, len(tail.split())) == tail
            assert not self.dense or tail == tail_of(rows, count)
        for place, (word, _) in enumerate(rows):
            before = store.slice(before=word)
            assert before[0] == words_of(rows[:place])
            if before[1].last is not None:
                assert store.slice(after=before[1].last)[0] == words_of(rows[place:])
        branched = 0 if self.store.about() is None else len(self.branches())
        assert store.inner.records == len(rows) + branched

    def branches(self):
        rows = self.store.run(LogBranches(LOG, None))
        return [None] * sum(row.count for row in rows)


@given(STEPS)
def test_a_log_is_a_plain_list(steps):
    """Retention, windows, slices, cuts, restores and rewrites do what they do to a plain list, in any order."""
    model = Model()
    for name, *arguments in steps:
        getattr(model, name)(*arguments)
        model.check()


@given(st.lists(APPENDS, max_size=30))
def test_retention_is_the_same_in_a_long_run(steps):
    """After many appends each with its own bounds, the log is what the plain list is."""
    model = Model()
    for _, kinds, most, age_ms in steps:
        model.append(kinds, most, age_ms)
        model.wait(1)
    model.check()


# Rewrites -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bounds", "words", "result", "left"),
    [
        ((None, "u2"), "n1", (Outcome.DONE, 3, None), "n1 a2 t2 u3"),
        ((None, "t2"), "n1", (Outcome.DONE, 5, None), "n1 u3"),
        ((None, None), "n1", (Outcome.DONE, 6, None), "n1"),
        ((None, None), "", (Outcome.DONE, 6, None), ""),
        (("u1", "u2"), "n1 n2 n3", (Outcome.DONE, 2, None), "u1 n1 n2 n3 a2 t2 u3"),
        (("t2", None), "u3 n1", (Outcome.DONE, 0, None), "u1 u4 u2 a2 t2 u3 n1"),
        (("u1", "u2"), "u2 u4", (Outcome.DONE, 0, None), "u1 u2 u4 a2 t2 u3"),
        (("u2", "u2"), "n1", (Outcome.DONE, 0, None), "u1 u4 u2 n1 a2 t2 u3"),
        (("u3", None), "n1", (Outcome.DONE, 0, None), "u1 u4 u2 a2 t2 u3 n1"),
        ((None, "a2"), "n1", (Outcome.INSIDE, 0, "t2"), None),
        (("x", None), "n1", (Outcome.MISSING, 0, None), None),
        ((None, "x"), "n1", (Outcome.MISSING, 0, None), None),
        (("u2", "u1"), "n1", (Outcome.MISSING, 0, None), None),
        ((None, "u2"), "n1 u3", (Outcome.EXISTS, 0, "u3"), None),
        ((None, "u2"), "n1 n1", (Outcome.EXISTS, 0, "n1"), None),
    ],
)
def test_rewrite(store, bounds, words, result, left):
    """A piece is replaced, or the log stays as it is and the outcome says why."""
    store.append("u1 u4 u2 a2 t2 u3")
    before = store.about()
    made = store.rewrite(*bounds, words)
    assert (made.outcome, made.count, made.last) == result
    assert store.words() == ("u1 u4 u2 a2 t2 u3" if left is None else left)
    if left is None:
        assert (store.about(), made.revision) == (before, before.revision)
    elif left:
        assert (store.about().revision, store.about().edits) == (made.revision, made.revision)
        assert made.revision > before.revision
    else:
        assert store.about() is None
        assert made.revision > before.revision


@pytest.mark.parametrize(
    ("fields", "after_append", "after_edit"),
    [
        ({}, Outcome.DONE, Outcome.DONE),
        ({"revision": 0}, Outcome.CONFLICT, Outcome.CONFLICT),
        ({"edits": 0}, Outcome.DONE, Outcome.CONFLICT),
        ({"revision": 0, "edits": 0}, Outcome.CONFLICT, Outcome.CONFLICT),
    ],
)
@pytest.mark.parametrize("edit", ["replace", "remove", "retention", "cut", "restore", "rewrite"])
def test_a_rewrite_that_expects_a_state(store, fields, after_append, after_edit, edit):
    """A revision fits until any change, `edits` until one that is no append; where it does not, nothing changes."""
    store.append("u1 u2 u3 u4")
    store.cut("u3")
    expected = store.about()
    fields = {name: getattr(expected, name) for name in fields}
    store.append("u5")
    assert store.rewrite(None, "u1", "n1", **fields).outcome is after_append
    store.run(LogClear(LOG, None))
    store.append("u1 u2 u3")
    fields = {name: getattr(store.about(), name) for name in fields}
    change = {
        "replace": lambda: store.run(LogReplace(LOG, None, HOUR, "u2", b"u2", b"u2", Mark.NONE)),
        "remove": lambda: store.run(LogRemove(LOG, None, "u2")),
        "retention": lambda: store.append("u6", retention=Retention(most=3)),
        "cut": lambda: store.cut("u2", branch=B3),
        "restore": store.restore,
        "rewrite": lambda: store.rewrite("u1", "u2", "n9"),
    }
    change[edit]()
    words = store.words()
    assert store.rewrite(None, None, "n1", **fields).outcome is after_edit
    assert store.words() == ("n1" if after_edit is Outcome.DONE else words)


def test_a_rewrite_keeps_the_time_to_live(store):
    """A rewrite neither lengthens nor shortens the life of a log."""
    store.append("u1 u2", ttl_ms=1000)
    store.clock.advance(0.6)
    store.rewrite(None, "u2", "n1")
    assert store.about().log_ms == 400


def test_a_rewrite_pins(store):
    """Marks of the new entries count, those of what was replaced no more."""
    store.append("u1* u2* u3 u4")
    store.rewrite(None, "u2*", "n1 n2*")
    assert store.window(1) == ("", "n2*", "u4")


def test_a_new_message_is_as_old_as_those_it_replaces(store):
    """A summary has the age of the last message that it stands for, and one that is added that of the one before it."""
    for word in ("u1", "u2", "u3"):
        store.append(word)
        store.clock.advance(1)
    store.rewrite(None, "u2", "n1")
    store.rewrite("n1", None, "u3 n3")
    log = store.inner.scope(LOG).parts["log"]
    assert [(slot.id, slot.time) for slot in log.slots(log.head, log.end)] == [("n1", 1.0), ("u3", 2.0), ("n3", 2.0)]


def test_what_stays_in_a_piece_does_not_move(store):
    """Where messages of a piece stay, new ones stand between them: nobody sees those that stay again."""
    store.append("u1 u2 u3 u4")
    middle, cursor = store.slice(before="u4")[1].last, end_of(store)
    store.rewrite(None, "u3", "n1 u2 n2 u3")
    assert store.slice(after=middle)[0] == "u4"
    store.rewrite("u3", None, "u4 n4")
    assert store.slice(after=cursor)[0] == "n4"


def test_numbers_never_collide(store, monkeypatch):
    """More can be put behind the last message than there is room for between two; what is appended then is behind."""
    monkeypatch.setattr(store_module, "_STEP", 4)
    store.append("u1 u2")
    store.rewrite("u1", None, "u2 " + " ".join(f"n{n}" for n in range(20)))
    cursor = end_of(store)
    store.append("u3")
    assert store.slice(after=cursor)[0] == "u3"
    assert store.words().split() == ["u1", "u2", *(f"n{n}" for n in range(20)), "u3"]


def test_many_rewrites_at_one_place(store):
    """However often something is put in the same place, the order holds, by id and by cursor."""
    store.append("u1 u2 u3")
    expected = ["u1", "u2", "u3"]
    for n in range(100):
        store.rewrite("u1", "u1", f"n{n} m{n}")
        expected[1:1] = [f"n{n}", f"m{n}"]
    assert store.words().split() == expected
    found, anchor = [], None
    for _ in expected:
        page, piece = store.slice(after=anchor, count=1)
        found.append(page)
        anchor = piece.last
    assert found == expected
    store.append("u4")
    assert store.slice(after=anchor)[0] == "u4"
    assert [store.run(LogFind(LOG, None, word)).decode() for word in expected] == expected


def test_a_rewrite_of_nothing(store):
    """In a log without messages nothing can be put, as nothing says how long it would live; to put nothing is done."""
    assert store.rewrite(None, None, "") == Rewritten(Outcome.DONE)
    assert store.rewrite(None, None, "u1", revision=0, edits=0) == Rewritten(Outcome.MISSING)
    store.put_wm()
    assert store.rewrite(None, None, "u1").outcome is Outcome.MISSING
    assert (store.words(), store.about().revision) == ("", 0)


# Branches -----------------------------------------------------------------------------------------------------------


def test_cut_and_restore(store):
    """What is cut off is kept with its times, and comes back; what stood there then is kept in its turn."""
    store.append("u1 u2 a1 t1")
    store.clock.advance(5)
    made = store.cut("u1")
    assert (made.outcome, made.count, made.revision) == (Outcome.DONE, 3, store.about().revision)
    assert store.words() == "u1"
    now = START + 5_000_000
    assert store.run(LogBranches(LOG, None)) == [BranchRow(B1, "u1", 3, now, now + HOUR * 1000)]
    store.append("u3")
    store.clock.advance(1)
    back = store.restore(grace_ms=2000)
    assert (back.outcome, back.count, back.last) == (Outcome.DONE, 1, "u1")
    assert store.words() == "u1 u2 a1 t1"
    assert store.run(LogBranches(LOG, None)) == [BranchRow(B2, "u1", 1, now + 1_000_000, now + 3_000_000)]
    assert store.restore(branch=B2, other=B3).count == 3
    assert store.words() == "u1 u3"


@pytest.mark.parametrize(
    ("after", "outcome", "last"),
    [
        ("x", Outcome.MISSING, None),
        ("a1", Outcome.INSIDE, "t2"),
        ("t1", Outcome.INSIDE, "t2"),
        ("t2", Outcome.DONE, None),
    ],
)
def test_a_cut_that_cuts_nothing(store, after, outcome, last):
    """A cut inside of a group, behind nothing or at the end changes nothing and makes no branch."""
    store.append("u1 a1 t1 t2")
    before = store.about()
    made = store.cut(after)
    assert (made.outcome, made.count, made.last, made.revision) == (outcome, 0, last, before.revision)
    assert (store.about(), store.run(LogBranches(LOG, None))) == (before, [])


def test_a_cut_of_all(store):
    """All can be cut off: the conversation lives by its branch, keeps what is known of it, and comes back."""
    store.append("u1 u2", ttl_ms=1000, owner="ann", opening=Opening(title="t"))
    begun = store.about()
    store.cut(None)
    assert store.words() == ""
    left = store.about()
    assert (left.owner, left.title, left.created_us, left.count) == ("ann", "t", begun.created_us, 0)
    assert (left.lives_ms, left.log_ms, left.revision == left.edits > begun.revision) == (HOUR, None, True)
    store.clock.advance(2)
    assert store.restore(ttl_ms=500).count == 0
    assert (store.words(), store.about().log_ms, store.about().lives_ms) == ("u1 u2", 500, 500)
    assert store.about().created_us == begun.created_us


def test_branches_expire(store):
    """A branch goes at its time, with nobody looking; the last data of a conversation takes all else along."""
    store.append("u1 u2", ttl_ms=1000, owner="ann")
    store.cut("u1", grace_ms=3000)
    store.append("u3", ttl_ms=1000)
    store.cut("u1", branch=B2, grace_ms=2000)
    assert [row.id for row in store.run(LogBranches(LOG, None))] == [B2, B1]
    store.clock.advance(1)
    assert (store.words(), store.about().lives_ms) == ("", 2000)
    store.clock.advance(1)
    assert [row.id for row in store.run(LogBranches(LOG, None))] == [B1]
    assert store.restore(branch=B2).outcome is Outcome.MISSING
    assert store.inner.records == 1
    store.clock.advance(1)
    assert store.restore().outcome is Outcome.MISSING
    assert store.about() is None
    assert (store.inner.records, store.inner.size, store.inner.names()) == (0, 0, [])
    assert store.append("u1", owner="bob") == 1


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (lambda store: store.run(LogRemove(LOG, None, "u2")), "u1 u3 u4"),
        (lambda store: store.append("u5", retention=Retention(most=1)), "u3 u4"),
        (lambda store: store.append("u5") and store.rewrite(None, "u2", "n1"), "n1 u3 u4"),
        (lambda store: store.run(LogClear(LOG, None)), "u3 u4"),
        (lambda store: store.clock.advance(5), "u3 u4"),
    ],
    ids=["removed", "dropped", "rewritten", "cleared", "expired"],
)
def test_a_branch_outlives_the_message_before_it(store, change, left):
    """A branch can be put back although the message after which it was cut has gone."""
    store.append("u1 u2 u3 u4", ttl_ms=5000)
    store.cut("u2")
    change(store)
    assert store.restore().outcome is Outcome.DONE
    assert store.words() == left


def test_a_branch_follows_the_message_before_it(store, monkeypatch):
    """Where that message has moved the branch is put back behind it, and the order of all holds."""
    monkeypatch.setattr(store_module, "_STEP", 4)
    branch = [f"b{n}" for n in range(9)]
    store.append(" ".join(["u1", *branch]))
    store.cut("u1")
    store.append("u4 u5")
    store.rewrite(None, None, "u4 u5 u1 n1")
    assert store.restore().count == 1
    assert store.words().split() == ["u4", "u5", "u1", *branch]
    for number, word in enumerate(branch):
        assert store.slice(after=word)[0].split() == branch[number + 1 :]
    cursor = end_of(store)
    store.append("u6")
    assert store.slice(after=cursor)[0] == "u6"


def test_a_branch_brings_no_id_twice(store):
    """A message that stands in front of the place by now is not put back a second time."""
    store.append("u1 u2 u3")
    store.cut("u1")
    store.rewrite(None, "u1", "u2 u1")
    store.restore()
    assert store.words() == "u2 u1 u3"
    assert store.run(LogBranches(LOG, None)) == []
    assert store.inner.records == 3


def test_what_was_stored_anew_gives_way(store):
    """A message that was stored anew behind the place goes into the other branch, and that of the branch comes back."""
    store.append("u1 u2 u3")
    store.cut("u1")
    store.append("u2 u4")
    assert store.restore().count == 2
    assert store.words() == "u1 u2 u3"
    assert store.restore(branch=B2, other=B3).count == 2
    assert store.words() == "u1 u2 u4"


def test_a_branch_of_the_same_id(store):
    """A branch takes the place of one with its id, in the counts too."""
    store.append("u1 u2 u3 u4")
    store.cut("u3")
    store.cut("u1")
    assert [row.count for row in store.run(LogBranches(LOG, None))] == [2]
    assert (store.inner.records, store.inner.size) == (3, 6)


def test_pins_come_back_with_a_branch(store):
    """What is pinned counts as pinned only while it stands in the log."""
    store.append("u1 u2* u3")
    store.cut("u1")
    store.append("u4 u5")
    assert store.window(1) == ("", "", "u5")
    store.restore()
    store.append("u6")
    assert store.window(1) == ("", "u2*", "u6")


# What is known of a conversation ------------------------------------------------------------------------------------


def test_about(store):
    """All that is known: owner, facts, when it was begun, its revision, and how long it lives."""
    assert store.about() is None
    store.append("u1 u2", ttl_ms=5000, owner="ann", opening=Opening("t", b"m", 77))
    assert store.about() == About("ann", "t", b"m", 77, START, START, 2, 5000, 5000, None)
    store.clock.advance(1)
    store.put_wm(ttl_ms=2000)
    store.append("u3", ttl_ms=1000)
    assert store.about() == About("ann", "t", b"m", 77, START + 1_000_000, START, 3, 2000, 1000, 2000)
    store.put_wm(ttl_ms=0)
    assert (store.about().lives_ms, store.about().wm_ms) == (0, 0)


def test_a_conversation_without_a_log(store):
    """Where there are only other memories nothing is known of a log."""
    store.put_row("f", ttl_ms=7000)
    store.put_row("g", ttl_ms=3000)
    assert store.about() == About(None, None, None, None, 0, 0, 0, 7000, None, None)
    store.run(TableRemove(LTM, None, "f"))
    assert store.about().lives_ms == 3000
    store.put_row("h", ttl_ms=0)
    assert store.about().lives_ms == 0
    store.run(TableRemove(LTM, None, "h"))
    assert store.about().lives_ms == 3000
    store.clock.advance(3)
    assert store.about() is None


def test_an_opening_is_for_a_new_log(store):
    """A log that was begun keeps its time and facts; one that is new gets those of the opening."""
    store.put_wm()
    assert store.run(AboutSet(ABOUT, None, "old", b"m"))
    store.append("u1", opening=Opening("new", None, 5))
    store.append("u2", opening=Opening("newer", b"n", 6))
    about = store.about()
    assert (about.title, about.metadata, about.created_us) == ("new", b"m", 5)


@pytest.mark.parametrize(
    ("end", "created"),
    [
        (lambda store: store.run(LogClear(LOG, None)), None),
        (lambda store: store.run(LogRemove(LOG, None, "u1")), None),
        (lambda store: store.clock.advance(1), None),
        (lambda store: store.cut(None), START),
        (lambda store: store.rewrite(None, None, ""), START),
    ],
    ids=["clear", "remove", "expiry", "cut", "rewrite"],
)
def test_when_a_log_ends(store, end, created):
    """A log that was cleared, emptied or has expired has ended, and the next append begins another one."""
    store.put_wm(ttl_ms=0)
    store.append("u1", ttl_ms=1000)
    end(store)
    assert (store.about().created_us, store.about().count) == (created, 0)
    store.clock.advance(10)
    store.append("u2")
    assert store.about().created_us == (created or store.clock.time_us())
    assert store.about().edits == store.about().revision


def test_every_change_raises_the_revision(store):
    """The revision is the time of the last change, and rises by one where the clock stands still; reads leave it."""
    store.append("u1 u2 u3 u4 u5 u6", retention=Retention(most=5))
    changes = [
        (lambda: store.append("u7"), False),
        (lambda: store.append("u8", retention=Retention(most=9)), False),
        (lambda: store.append("u9", retention=Retention(most=3)), True),
        (lambda: store.run(LogReplace(LOG, None, HOUR, "u9", b"u9", b"x", Mark.NONE)), True),
        (lambda: store.run(LogRemove(LOG, None, "u8")), True),
        (lambda: store.cut("u7"), True),
        (store.restore, True),
        (lambda: store.rewrite(None, "u7", "n1"), True),
    ]
    for number, (change, edited) in enumerate(changes, start=1):
        before = store.about()
        assert change()
        after = store.about()
        assert after.revision == START + number
        assert after.edits == (after.revision if edited else before.edits)
    store.clock.advance(1)
    for unchanged in (
        LogReplace(LOG, None, HOUR, "u9", b"?", b"x", Mark.NONE),
        LogRemove(LOG, None, "?"),
        LogRead(LOG, None),
        AboutSet(ABOUT, None, "t"),
        AboutExpire(ABOUT, None, 1000),
    ):
        store.run(unchanged)
        assert store.about().revision == START + len(changes)


def test_a_revision_is_never_given_twice(store, monkeypatch):
    """Neither a clear nor a clock that is set back gives a revision again."""
    seen = set()
    for seconds in (5, -3, -5, -5):
        monkeypatch.setattr(store.clock, "time_us", lambda seconds=seconds: START + seconds * 1_000_000)
        for word in ("u1", "u2"):
            store.append(word)
            assert store.about().revision not in seen
            seen.add(store.about().revision)
        store.run(LogClear(LOG, None))
        assert store.about() is None


@pytest.mark.parametrize(
    ("fields", "title", "metadata"),
    [
        ({}, "t", b"m"),
        ({"title": "new"}, "new", b"m"),
        ({"title": ""}, None, b"m"),
        ({"metadata": b"new"}, "t", b"new"),
        ({"metadata": b""}, "t", None),
    ],
)
def test_facts(store, fields, title, metadata):
    """Title and metadata are set one by one, left alone, or taken away; the time to live and the revision stay."""
    store.append("u1", ttl_ms=5000, opening=Opening("t", b"m"))
    before = store.about()
    store.clock.advance(1)
    assert store.run(AboutSet(ABOUT, None, **fields))
    assert store.about() == evolve(before, title=title, metadata=metadata, lives_ms=4000, log_ms=4000)


def test_an_absent_conversation_has_no_facts(store):
    """Where there is no data nothing can be set, and what was known is forgotten with the last data."""
    assert not store.run(AboutSet(ABOUT, "ann", "t"))
    assert not store.run(AboutExpire(ABOUT, "ann", 1000))
    store.append("u1", owner="ann", opening=Opening("t", b"m"))
    assert store.run(AboutExpire(ABOUT, "ann", 1000))
    store.run(LogClear(LOG, "ann"))
    assert (store.about(), store.inner.size) == (None, 0)
    store.append("u1", default_ttl=True)
    about = store.about()
    assert (about.owner, about.title, about.metadata, about.lives_ms) == (None, None, None, HOUR)


def test_facts_claim(store):
    """Setting facts or a time to live claims a conversation that nobody owns."""
    for command in (AboutSet(ABOUT, "ann", "t"), AboutExpire(ABOUT, "ann", 0)):
        store.append("u1")
        assert store.run(command)
        assert store.about().owner == "ann"
        store.run(LogClear(LOG, "ann"))


# Time to live -------------------------------------------------------------------------------------------------------


def fill(store, owner=None):
    """Store something of every kind."""
    store.append("u1 u2 u3", owner=owner)
    store.cut("u2", grace_ms=10_000)
    store.put_wm(owner=owner)
    store.put_row("f", owner=owner)
    store.put_row("g", owner=owner)


def test_expire_all(store):
    """All data lives exactly as long as was said, rows and branches too."""
    fill(store)
    assert store.run(AboutExpire(ABOUT, None, 2000))
    about = store.about()
    assert (about.lives_ms, about.log_ms, about.wm_ms) == (2000, 2000, 2000)
    assert [left for _, left in store.run(TableDump(LTM, None, 9))] == [2000, 2000]
    assert store.run(LogBranches(LOG, None))[0].expires_us == START + 2_000_000
    store.clock.advance(1.999999)
    assert (store.words(), store.about().lives_ms) == ("u1 u2", 1)
    store.clock.advance(0.000001)
    assert store.about() is None
    assert store.left(ABOUT, whole=True) == 0


def test_what_is_to_expire_is_swept(store):
    """What was to live for ever and then got a time goes at that time, with nobody looking."""
    store.append("u1", ttl_ms=0)
    store.put_wm(ttl_ms=0)
    store.put_row("f", ttl_ms=0)
    assert store.about().lives_ms == 0
    store.run(AboutExpire(ABOUT, None, 1000))
    assert store.about().lives_ms == 1000
    store.run(LogClear(LOG, None))
    store.run(RecordDrop(WM, None))
    assert store.about().lives_ms == 1000
    store.clock.advance(1)
    store.run(ServerState(CV))
    assert (store.inner.records, store.inner.names()) == (0, [])


def test_persist_all(store):
    """With 0 all data lives for ever, but a branch goes when its grace is over."""
    fill(store)
    store.run(AboutExpire(ABOUT, None, 0))
    assert store.run(LogBranches(LOG, None))[0].expires_us == START + 10_000_000
    store.clock.advance(10**6)
    about = store.about()
    assert (about.lives_ms, about.log_ms, about.wm_ms) == (0, 0, 0)
    assert [left for _, left in store.run(TableDump(LTM, None, 9))] == [0, 0]
    assert store.run(LogBranches(LOG, None)) == []


def test_a_longer_life_lengthens_no_grace(store):
    """A branch never lives longer than its grace."""
    fill(store)
    store.run(AboutExpire(ABOUT, None, 60_000))
    assert store.run(LogBranches(LOG, None))[0].expires_us == START + 10_000_000


@pytest.mark.parametrize(
    ("change", "log_ms"),
    [
        (lambda store: store.append("u9", ttl_ms=9000, default_ttl=True), 5000),
        (lambda store: store.append("u1", ttl_ms=9000, default_ttl=True), 5000),
        (lambda store: store.append("u9", ttl_ms=9000), 9000),
        (lambda store: store.run(LogReplace(LOG, None, 9000, "u1", b"u1", b"x", Mark.NONE, default_ttl=True)), 5000),
        (lambda store: store.run(LogReplace(LOG, None, 9000, "u1", b"u1", b"x", Mark.NONE)), 9000),
        (lambda store: store.restore(ttl_ms=9000), 5000),
        (lambda store: store.run(LogRemove(LOG, None, "u1")), 4000),
        (lambda store: store.cut("u1", branch=B3), 4000),
        (lambda store: store.rewrite("u1", None, "n1"), 4000),
    ],
    ids=["append", "repeat", "append own", "replace", "replace own", "restore", "remove", "cut", "rewrite"],
)
def test_a_life_that_was_set_is_renewed(store, change, log_ms):
    """A change that asks for the default renews what was set for the whole; one with a time of its own gets that."""
    fill(store)
    store.run(AboutExpire(ABOUT, None, 5000))
    store.clock.advance(1)
    change(store)
    assert (store.about().log_ms, store.about().wm_ms) == (log_ms, 4000)


def test_for_ever_is_renewed_too(store):
    """After 0 was set, changes that ask for the default leave the log living for ever."""
    store.append("u1")
    store.run(AboutExpire(ABOUT, None, 0))
    store.append("u2", ttl_ms=5, default_ttl=True)
    assert store.about().log_ms == 0


# Owners -------------------------------------------------------------------------------------------------------------

EVERY = [
    LogAppend(LOG, None, HOUR, (entry("u1"),)),
    LogRead(LOG, None),
    LogFind(LOG, None, "u1"),
    LogReplace(LOG, None, HOUR, "u1", b"u1", b"x", Mark.NONE),
    LogRemove(LOG, None, "u1"),
    LogClear(LOG, None),
    LogSlice(LOG, None),
    LogWindow(LOG, None, 5),
    LogRewrite(LOG, None, None, None, ()),
    LogRewrite(LOG, None, None, "u1", (), None, None),
    LogRewrite(LOG, None, None, None, (), 5),
    LogCut(LOG, None, None, B1, HOUR),
    LogCut(LOG, None, "u1", B1, HOUR),
    LogBranches(LOG, None),
    LogRestore(LOG, None, HOUR, B1, B2, HOUR),
    RecordPut(WM, None, HOUR, b"wm", 7, "id"),
    RecordPut(WM, None, HOUR, b"wm", 7, "id", expected=3),
    RecordGet(WM, None),
    RecordDrop(WM, None),
    RecordLoad(WM, None, HOUR, StoredRecord(3, 4, b"wm")),
    TableSwap(LTM, None, HOUR, (Row("f", b"f", 1),)),
    TableSwap(LTM, None, HOUR, (Row("f", b"f", 1, old=b"e"),)),
    TableFetch(LTM, None, ("f", "g")),
    TableRead(LTM, None),
    TableDump(LTM, None, 9),
    TableRemove(LTM, None, "f"),
    TableClear(LTM, None),
    AboutRead(ABOUT, None),
    AboutSet(ABOUT, None, "t"),
    AboutExpire(ABOUT, None, 5),
    AboutErase(ABOUT, None),
    TurnTake(ABOUT, None, 5),
    TurnRenew(ABOUT, None, 1, 5),
    TurnEnd(ABOUT, None, 1),
    IndexTouch(CV, "a"),
    IndexEnter(ABOUT, None, 5, (IndexTouch(CV, "a"),)),
    IndexRead(CV, 5),
    IndexDrop(CV, "a"),
    IndexFence(CV),
    IndexSize(CV),
    ServerState(CV),
    Leftovers(CV),
]
OWNED = [command for command in EVERY if isinstance(command, Owned)]
IN_TURN = [command for command in EVERY if isinstance(command, InTurn)]
CHANGES = [
    command
    for command in OWNED
    if command.effect is Effect.REPEATABLE and not isinstance(command, AboutErase | IndexEnter)
]


def name_of(value):
    return type(value).__name__


def test_every_command_is_executed():
    """Every command of the vocabulary is among those that the tests execute, and both backends execute it."""
    shared = (Command, Owned, Write, InTurn)
    classes = [value for value in vars(commands).values() if inspect.isclass(value) and issubclass(value, Command)]
    wanted = {kind for kind in classes if kind not in shared}
    assert wanted == {type(command) for command in EVERY}
    for command in EVERY:
        Store().run(command)
        NullBackend().execute(command)


@pytest.mark.parametrize("command", OWNED, ids=name_of)
def test_nobody_gets_at_what_belongs_to_another(store, command):
    """Every command on behalf of another user is refused and changes nothing; an erasure says that it is not theirs."""
    fill(store, owner="ann")
    before = (store.about(), store.run(TableDump(LTM, None, 9)), store.inner.size)
    foreign = evolve(command, owner="bob")
    if isinstance(command, AboutErase):
        assert store.run(foreign) == Erased(theirs=True)
    else:
        with pytest.raises(OwnerMismatchError):
            store.run(foreign)
    assert (store.about(), store.run(TableDump(LTM, None, 9)), store.inner.size) == before
    assert store.run(TurnTake(ABOUT, "ann", 5)).number is not None


@pytest.mark.parametrize("part", ["log", "wm", "ltm", "branch"])
def test_an_owner_counts_as_long_as_there_is_data(store, part):
    """Whatever is left protects the conversation, and once it has expired the id is free, with nobody looking."""
    if part in {"log", "branch"}:
        store.append("u1", ttl_ms=1000, owner="ann")
    if part == "branch":
        store.cut(None, grace_ms=1000)
    if part == "wm":
        store.put_wm(ttl_ms=1000, owner="ann")
    if part == "ltm":
        store.put_row("f", ttl_ms=1000, owner="ann")
    store.clock.advance(0.9)
    with pytest.raises(OwnerMismatchError):
        store.put_wm(owner="bob")
    store.clock.advance(0.1)
    store.put_wm(owner="bob")
    assert store.about().owner == "bob"


def test_many_expiries_free_every_owner(store):
    """The rows of a conversation that expired with thousands of others protect nothing, before any sweep."""
    for n in range(2000):
        store.run(TableSwap(Place("c", str(n), "ltm"), "ann", 1000, (Row("f", b"f", 1),)))
    store.clock.advance(1)
    assert store.run(RecordPut(Place("c", "1999", "wm"), "bob", HOUR, b"wm", 7, "id")).done


# Turns --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", IN_TURN, ids=name_of)
def test_a_turn_keeps_others_out(store, command):
    """While a turn lasts only changes that carry its number pass; once it is over, its number passes no more."""
    store.append("u1 u2 u3")
    store.cut("u2")
    words = store.words()
    number = store.run(TurnTake(ABOUT, None, 3000)).number
    store.clock.advance(1)
    with pytest.raises(TurnHeldError) as held:
        store.run(command)
    assert held.value.retry_after == 2
    for wrong in (number - 1, number + 1, 0):
        with pytest.raises(TurnLostError):
            store.run(evolve(command, turn=wrong))
    assert store.words() == words
    store.clock.advance(2)
    with pytest.raises(TurnLostError):
        store.run(evolve(command, turn=number))
    assert store.words() == words
    again = store.run(TurnTake(ABOUT, None, 3000)).number
    assert again > number
    with pytest.raises(TurnLostError):
        store.run(evolve(command, turn=number))
    store.run(evolve(command, turn=again))
    store.run(TurnEnd(ABOUT, None, again))
    with pytest.raises(TurnLostError):
        store.run(evolve(command, turn=again))
    store.run(command)


@pytest.mark.parametrize("command", [each for each in OWNED if not isinstance(each, InTurn)], ids=name_of)
def test_a_turn_holds_up_nothing_else(store, command):
    """Reads, other memories, facts and erasures do not wait for a turn."""
    store.append("u1 u2")
    store.run(TurnTake(ABOUT, None, 3000))
    store.run(command)


def test_only_one_has_the_turn(store):
    """Whoever comes second is told how long the turn lasts; one that was given back or is over can be taken."""
    first = store.run(TurnTake(ABOUT, None, 3000))
    store.clock.advance(0.5)
    assert store.run(TurnTake(ABOUT, None, 3000)) == TurnGrant(None, 2500)
    assert store.run(TurnEnd(ABOUT, None, first.number))
    assert not store.run(TurnEnd(ABOUT, None, first.number))
    second = store.run(TurnTake(ABOUT, None, 1000))
    assert store.run(TurnEnd(ABOUT, None, second.number))
    assert store.run(TurnTake(ABOUT, None, 3000)).number > second.number > first.number
    store.clock.advance(3)
    third = store.run(TurnTake(ABOUT, None, 3000))
    assert second.number < third.number == store.clock.time_us()
    assert first.number == START
    assert not store.run(TurnEnd(ABOUT, None, second.number))
    other = Place("c", "other", "about")
    assert store.run(TurnTake(other, None, 3000)).number is not None


def test_renewals(store):
    """A turn lasts from its renewal on; one that is over, or somebody else's, cannot be renewed."""
    number = store.run(TurnTake(ABOUT, None, 1000)).number
    store.clock.advance(0.9)
    assert store.run(TurnRenew(ABOUT, None, number, 2000))
    assert not store.run(TurnRenew(ABOUT, None, number + 1, 2000))
    store.clock.advance(1.9)
    assert store.run(TurnTake(ABOUT, None, 1)) == TurnGrant(None, 100)
    store.clock.advance(0.1)
    assert not store.run(TurnRenew(ABOUT, None, number, 2000))
    assert store.run(TurnTake(ABOUT, None, 1)).number is not None


def test_a_turn_outlives_the_data(store):
    """A turn may be taken where there is no data, and a clear in it does not end it; an erasure does."""
    number = store.run(TurnTake(ABOUT, None, HOUR)).number
    assert store.about() is None
    store.append("u1", turn=number)
    store.run(LogClear(LOG, None, turn=number))
    assert store.about() is None
    with pytest.raises(TurnHeldError):
        store.append("u2")
    store.append("u2", turn=number)
    store.run(AboutErase(ABOUT, None))
    store.clock.advance(FENCED)
    with pytest.raises(TurnLostError):
        store.append("u3", turn=number)
    store.append("u3")


def test_turns_do_not_pile_up(store):
    """Turns that were never given back, renewed or not, leave a bounded number of entries."""
    for n in range(5000):
        place = Place("c", str(n), "about")
        number = store.run(TurnTake(place, None, 1000)).number
        for _ in range(3):
            store.run(TurnRenew(place, None, number, 1000))
        store.clock.advance(0.1)
    for _ in range(5000):
        store.run(TurnRenew(place, None, number, HOUR))
    assert len(store.inner.turns) < 30
    assert len(store.inner.turns._ends) < 200


# Erasure ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("owner", [None, "ann"])
def test_erase(store, owner):
    """Everything goes, and is counted; a dry run only counts."""
    fill(store, owner="ann")
    found = Erased(messages=2, working=1, long_term=2, branched=1)
    before = store.about()
    assert store.run(AboutErase(ABOUT, owner, dry=True)) == found
    assert store.about() == before
    store.append("u9", owner="ann")
    assert store.run(AboutErase(ABOUT, owner)) == evolve(found, messages=3)
    assert (store.about(), store.words(), store.left(ABOUT, whole=True)) == (None, "", 0)
    assert (store.inner.records, store.inner.size, store.inner.names()) == (0, 0, [])
    assert store.run(AboutErase(ABOUT, owner)) == Erased()


def test_erase_counts_no_dead(store):
    """What has expired counts as gone."""
    fill(store)
    store.put_row("short", ttl_ms=5)
    store.clock.advance(10)
    assert store.run(AboutErase(ABOUT, None, dry=True)) == Erased(messages=2, working=1, long_term=2)


def test_erase_for_a_user(store):
    """A user's erasure leaves alone, and open, what belongs to nobody; where there is no data it fences."""
    store.append("u1")
    assert store.run(AboutErase(ABOUT, "ann")) == Erased(theirs=True)
    assert store.append("u2") == 1
    store.run(LogClear(LOG, None))
    assert store.run(AboutErase(ABOUT, "ann", dry=True)) == Erased()
    assert store.append("u2", owner="ann") == 1
    store.run(LogClear(LOG, None))
    assert store.run(AboutErase(ABOUT, "ann")) == Erased()
    with pytest.raises(ErasedError):
        store.append("u3")


@pytest.mark.parametrize("command", CHANGES, ids=name_of)
def test_a_fence(store, command):
    """After an erasure every change of the conversation is refused for two minutes, and every other one is not."""
    fill(store)
    store.run(AboutErase(ABOUT, None))
    store.clock.advance(FENCED - 0.000001)
    with pytest.raises(ErasedError):
        store.run(command)
    store.run(evolve(command, place=Place("c", "other", command.place.part)))
    assert (store.about(), store.left(ABOUT)) == (None, 0)
    store.clock.advance(0.000001)
    if getattr(command, "turn", None) is None:
        store.run(command)
    assert len(store.inner.fences) == 0


def test_a_second_erasure_renews_the_fence(store):
    """The fence lasts two minutes from the last erasure on, and those of others end on time."""
    for name in ("a", "b"):
        store.run(AboutErase(Place("c", name, "about"), None))
        store.clock.advance(50)
    store.run(AboutErase(ABOUT, None))
    store.clock.advance(70)
    assert store.run(LogAppend(Place("c", "b", "log"), None, HOUR, (entry("u1"),))) == 1
    with pytest.raises(ErasedError):
        store.append("u1")
    store.clock.advance(50)
    assert store.append("u1") == 1


def test_a_fence_does_not_tell_the_name(store):
    """What is remembered of an erased conversation is not its name."""
    place = Place("c", "someone@example.org", "about")
    store.run(AboutErase(place, None))
    assert all(b"someone" not in name for name in store.inner.fences._until)
    assert len(store.inner.fences) == 1


# The index ----------------------------------------------------------------------------------------------------------


def names(page):
    return "".join(row.name for row in page.rows)


def test_an_index(store):
    """Names come in the order of their last touch, from either end, and no two touches are of the same time."""
    for name in "abcab":
        store.run(IndexTouch(CV, name))
    assert store.run(IndexRead(CV, 9)).rows == (
        IndexRow("b", START + 4),
        IndexRow("a", START + 3),
        IndexRow("c", START + 2),
    )
    assert names(store.run(IndexRead(CV, 9, newest=False))) == "cab"
    assert store.run(IndexSize(CV)) == 3
    store.clock.advance(1)
    store.run(IndexTouch(CV, "c"))
    assert store.run(IndexRead(CV, 1)) == IndexPage((IndexRow("c", START + 1_000_000),), more=True)
    assert store.run(IndexRead(Place("u", "ann", "cv"), 9)) == IndexPage((), more=False)


@pytest.mark.parametrize("newest", [True, False])
@pytest.mark.parametrize("count", [1, 7, 600, 5000])
def test_pages_of_an_index(store, newest, count):
    """Pages give every name once, in order, although names go and come back meanwhile."""
    for n in range(2000):
        store.run(IndexTouch(CV, str(n % 1500)))
        store.clock.advance(0.001)
    expected = [str(n) for n in (*range(500, 1500), *range(500))]
    found, after, more = [], None, True
    while more:
        page = store.run(IndexRead(CV, count, after, newest=newest))
        found += [row.name for row in page.rows]
        after, more = page.rows[-1], page.more
        if len(found) == 7:
            store.run(IndexDrop(CV, after.name))
    assert found == (expected[::-1] if newest else expected)


def test_names_leave_an_index(store):
    """A name goes, or stays because it was touched since; with the last one nothing is left of the index."""
    store.run(IndexTouch(CV, "a"))
    store.clock.advance(1)
    store.run(IndexTouch(CV, "b"))
    assert not store.run(IndexDrop(CV, "b", untouched=START + 999_999))
    assert not store.run(IndexDrop(CV, "x"))
    assert store.left(CV) == 1
    assert store.run(IndexDrop(CV, "b", untouched=START + 1_000_000))
    assert store.run(IndexDrop(CV, "a"))
    assert (store.left(CV, whole=True), store.inner.indexes, store.run(IndexSize(CV))) == (0, {}, 0)
    assert not store.run(IndexDrop(CV, "a"))


def test_a_fenced_index(store):
    """While an index is fenced no name gets in; names can be read and dropped, and other indexes are open."""
    store.run(IndexTouch(CV, "a"))
    store.run(IndexFence(CV))
    store.clock.advance(FENCED - 0.000001)
    with pytest.raises(ErasedError):
        store.run(IndexTouch(CV, "b"))
    store.run(IndexTouch(Place("u", "ann", "cv"), "b"))
    assert names(store.run(IndexRead(CV, 9))) == "a"
    assert store.run(IndexDrop(CV, "a"))
    store.clock.advance(0.000001)
    store.run(IndexTouch(CV, "b"))


def test_names_are_forgotten(store):
    """A name goes a minute after the longest time that a touch asked for, and never if one asked for ever."""
    for name, ttl_ms in (("a", 1000), ("b", 5000), ("b", 1000), ("c", 1000), ("c", 0), ("c", 1000), ("d", 1000)):
        store.run(IndexTouch(CV, name, ttl_ms))
    store.clock.advance(60.9)
    store.run(IndexTouch(CV, "d", 1000))
    assert names(store.run(IndexRead(CV, 9))) == "dcba"
    store.clock.advance(0.1)
    assert names(store.run(IndexRead(CV, 9))) == "dcb"
    store.clock.advance(4)
    assert names(store.run(IndexRead(CV, 9))) == "dc"
    store.clock.advance(10**6)
    assert names(store.run(IndexRead(CV, 9))) == "c"
    store.run(IndexTouch(CV, "stays"))
    store.run(IndexDrop(CV, "c"))
    store.run(IndexTouch(CV, "c", 1000))
    store.clock.advance(61)
    assert names(store.run(IndexRead(CV, 9))) == "stays"


def test_an_index_does_not_pile_up(store):
    """Touches, drops and forgotten names leave nothing behind but the names that are there."""
    for n in range(20_000):
        store.run(IndexTouch(CV, str(n % 100), 1000))
        if n % 3 == 0:
            store.run(IndexDrop(CV, str(n % 100)))
        store.clock.advance(0.01)
    index = store.inner.indexes[CV]
    assert len(index._due) < 300
    assert sum(map(len, index._blocks)) == len(index) <= 100
    assert len(index._blocks) < 10
    for n in range(2000):
        store.run(IndexTouch(CV, f"many {n}", 1000))
    assert max(map(len, index._blocks)) <= 512
    for n in range(30_000):
        store.run(IndexTouch(CV, f"new {n}", 1000))
        store.clock.advance(0.01)
    assert store.run(IndexSize(CV)) < 6200
    store.clock.advance(70)
    while store.run(IndexSize(CV)):
        pass
    assert store.inner.indexes == {}


# The other new commands ---------------------------------------------------------------------------------------------


def test_a_record_is_loaded_as_it_was(store):
    """A value comes with its version and time, claims, expires, and never takes the place of another."""
    was = StoredRecord(7, 123, b"wire")
    assert store.run(RecordLoad(WM, "ann", 1000, was))
    assert store.run(RecordGet(WM, None)) == was
    assert not store.run(RecordLoad(WM, "ann", 9000, StoredRecord(1, 2, b"x")))
    assert (store.run(RecordGet(WM, None)), store.about().owner, store.about().wm_ms) == (was, "ann", 1000)
    assert store.run(RecordPut(WM, None, 1000, b"next", 5, "id")).version == 8
    store.clock.advance(1)
    assert store.run(RecordLoad(WM, "bob", 1000, was))


def test_a_table_is_dumped(store):
    """Rows come newest first with the time that they still live, in pieces."""
    for n in range(5):
        store.run(TableSwap(LTM, None, 1000 * n, (Row(str(n), str(n).encode(), n),)))
    store.clock.advance(0.5)
    assert store.run(TableDump(LTM, None, 3)) == [(b"4", 3500), (b"3", 2500), (b"2", 1500)]
    assert store.run(TableDump(LTM, None, 3, 3)) == [(b"1", 500), (b"0", 0)]
    assert store.run(TableDump(LTM, None, 3, 5)) == []


def test_what_is_left(store):
    """Parts, branches and indexes with data count, of one scope or of all; fences, turns and what expired do not."""
    fill(store)
    store.run(RecordPut(Place("c", "b", "wm"), None, 1000, b"wm", 7, "id"))
    store.run(IndexTouch(CV, "a"))
    store.run(TurnTake(ABOUT, None, HOUR))
    store.run(IndexFence(Place("u", "ann", "cv")))
    assert [store.left(place) for place in (ABOUT, Place("c", "b", ""), CV, Place("c", "x", ""))] == [
        4,
        1,
        1,
        0,
    ]
    assert store.left(ABOUT, whole=True) == 6
    store.clock.advance(10)
    assert store.left(ABOUT, whole=True) == 4


@pytest.mark.parametrize(
    ("options", "limit", "eviction"),
    [({}, 0, "noeviction"), ({"max_bytes": 99}, 99, "lru"), ({"max_records": 9}, 0, "lru")],
)
def test_the_state_of_the_store(options, limit, eviction):
    """The store says what it is, how many bytes it holds, and what it does at its bounds."""
    store = Store(**options)
    store.append("u1 u2", opening=Opening("é"))
    state = store.run(ServerState(CV))
    assert (state.used_bytes, state.limit_bytes, state.eviction) == (6, limit, eviction)
    assert "Python" in state.server


# Bounds -------------------------------------------------------------------------------------------------------------


def test_branches_count_against_the_bound():
    """What is cut off takes room until its grace is over."""
    store = Store(max_records=4)
    store.append("u1 u2 u3")
    store.cut("u1", grace_ms=1000)
    assert store.append("u4") == 1
    with pytest.raises(CapacityError):
        store.append("u5")
    store.run(RecordPut(Place("c", "b", "wm"), None, HOUR, b"wm", 7, "id"))
    assert (store.words(), store.run(LogBranches(LOG, None))) == ("", [])
    store.append("u1 u2 u3", ttl_ms=0)
    store.cut("u1", grace_ms=1000)
    store.clock.advance(1)
    assert store.append("u4 u5 u6") == 3


def test_facts_count_against_the_bound():
    """Title and metadata take room; what does not fit is refused, and nothing is changed."""
    store = Store(max_bytes=10)
    store.append("u1", opening=Opening("abc", b"def"))
    for refused in (
        AboutSet(ABOUT, None, "x" * 6),
        AboutSet(ABOUT, None, metadata=b"x" * 6),
        LogAppend(LOG, None, HOUR, (entry("u23"),)),
        LogRewrite(LOG, None, None, None, (entry("u2"), entry("u3*"))),
        RecordLoad(WM, None, HOUR, StoredRecord(1, 2, b"xyz")),
    ):
        before = (store.words(), store.about(), store.inner.size)
        with pytest.raises(CapacityError):
            store.run(refused)
        assert (store.words(), store.about(), store.inner.size) == before
    assert store.run(AboutSet(ABOUT, None, "", b"x" * 8))
    with pytest.raises(CapacityError):
        Store(max_bytes=4).append("u1", opening=Opening("abc"))
    store.run(AboutErase(ABOUT, None))
    assert store.inner.size == 0


def test_a_refused_append_leaves_no_trace():
    """After an append that did not fit, the log is as before: its messages, ids, pins and order."""
    store = Store(max_records=3)
    store.append("u1* u2")
    with pytest.raises(CapacityError):
        store.append("u3* u4*")
    assert store.run(LogFind(LOG, None, "u3*")) is None
    assert store.window(1) == ("", "u1*", "u2")
    assert store.append("u3*") == 1
    assert (store.words(), store.inner.records) == ("u1* u2 u3*", 3)


def test_retention_makes_room():
    """What retention drops counts before the bound is looked at."""
    store = Store(max_records=3, max_bytes=6)
    store.append("u1 u2 u3")
    assert store.append("u4 u5", retention=Retention(most=3)) == 2
    assert (store.words(), store.inner.records, store.inner.size) == ("u3 u4 u5", 3, 6)


def test_an_index_takes_no_room():
    """Names in an index are no records: they drive nothing out."""
    store = Store(max_records=1, max_bytes=2)
    store.append("u1")
    for n in range(100):
        store.run(IndexTouch(CV, str(n)))
    assert store.words() == "u1"


def test_a_turn_survives_an_eviction():
    """A conversation that is driven out keeps its turn."""
    store = Store(max_records=1)
    store.run(TurnTake(ABOUT, None, HOUR))
    store.run(RecordPut(Place("c", "b", "wm"), None, HOUR, b"wm", 7, "id"))
    with pytest.raises(TurnHeldError):
        store.append("u1")


# Cost ---------------------------------------------------------------------------------------------------------------


def lines_of(act):
    """Count the lines of Python that something takes."""
    lines = 0

    def trace(_frame, event, _argument):
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return lines


COSTS = {
    "append": lambda store: store.append("new"),
    "append and drop": lambda store: store.append("newer", retention=Retention(most=store.size)),
    "window": lambda store: store.window(20),
    "find": lambda store: store.run(LogFind(LOG, None, f"u{store.size // 2}")),
    "page": lambda store: store.slice(after=f"u{store.size // 2}", count=20),
    "last page": lambda store: store.slice(count=20, newest=True),
    "replace": lambda store: store.run(
        LogReplace(LOG, None, HOUR, f"u{store.size // 2}", f"u{store.size // 2}".encode(), b"x", Mark.NONE)
    ),
    "remove": lambda store: store.run(LogRemove(LOG, None, f"u{store.size // 2}")),
    "about": lambda store: store.about(),
    "rewrite": lambda store: store.rewrite(f"u{store.size - 30}", f"u{store.size - 20}", "n1"),
    "cut": lambda store: store.cut(f"u{store.size - 20}"),
    "turn": lambda store: store.run(TurnTake(ABOUT, None, 5)),
    "touch": lambda store: store.run(IndexTouch(CV, "u0")),
    "list": lambda store: store.run(IndexRead(CV, 20)),
}


def grown(size):
    """Return a store with a long log, behind a system message and a pinned one, and with as many conversations."""
    store = Store()
    store.size = size
    store.append("s1 p* " + " ".join(f"u{n}" for n in range(size)))
    for n in range(size):
        store.run(IndexTouch(CV, f"u{n}"))
    return store


@pytest.mark.parametrize("name", COSTS)
def test_costs_do_not_grow(name):
    """Each command takes as many steps in a history, or among conversations, of 20,000 as in one of 500."""
    few, many = (lines_of(partial(COSTS[name], grown(size))) for size in (500, 20_000))
    assert many <= few * 1.2 + 10


def test_retention_is_cheap_in_the_long_run(store):
    """10,000 appends to a log that keeps 1,000 behind a system message take few steps each, and leave no waste."""
    store.append("s1 p* " + " ".join(f"u{n}" for n in range(1000)))
    log = store.inner.scope(LOG).parts["log"]

    def work():
        for n in range(1000, 11_000):
            store.append(f"u{n}", retention=Retention(most=1000))

    assert lines_of(work) < 10_000 * 300
    assert store.about().count == 1002
    assert len(log.wires) == len(log.ids) == len(log.marks) == len(log.times) == len(log.numbers) < 2200
    assert not any(log.wires[: log.head])
    assert store.words().startswith("s1 p* u10000 u10001")


def test_removals_leave_no_waste(store):
    """However messages are removed, the places that are kept for them never are the most for long."""
    words = [f"u{n}" for n in range(3000)]
    store.append(" ".join(words))
    log = store.inner.scope(LOG).parts["log"]
    order = words[1::3] + words[::3] + words[2::3]
    for number, word in enumerate(order[:-1], start=1):
        store.run(LogRemove(LOG, None, word))
        assert len(log.wires) <= 4 * (3000 - number) + 300
    assert (store.words(), log.end - log.head, log.dead) == (order[-1], 1, 0)


def test_dead_places_go_with_what_is_around_them(store):
    """A cut or a rewrite over removed messages takes their places along."""
    for number, change in enumerate((lambda: store.cut("u1"), lambda: store.rewrite("u1", "u6", "n1"))):
        store.append("u1 u2 u3 u4 u5 u6")
        store.run(LogRemove(LOG, None, "u3"))
        store.run(LogRemove(LOG, None, "u5"))
        log = store.inner.scope(LOG).parts["log"]
        assert log.dead == 2
        change()
        assert (log.dead, log.records) == (0, 1 + number)


# Colours, and nothing at all ----------------------------------------------------------------------------------------


def test_the_async_backend_does_the_same():
    """Every command has the same result in both colours."""

    async def both():
        one, other = InMemoryBackend(clock=ManualClock()), AsyncInMemoryBackend(clock=ManualClock())
        for command in EVERY:
            if isinstance(command, AboutErase | IndexFence):
                continue
            assert one.execute(command) == await other.execute(command)

    asyncio.run(both())


@pytest.mark.parametrize("command", [each for each in EVERY if not isinstance(each, ServerState)], ids=name_of)
def test_the_null_backend_answers_as_an_empty_store(store, command):
    """What keeps nothing answers each command as a store that is empty, but whoever wants the turn has it."""
    null = NullBackend()
    if isinstance(command, TurnTake):
        grants = [null.execute(command) for _ in range(3)]
        assert grants[0].number < grants[1].number < grants[2].number
    elif isinstance(command, TurnRenew | TurnEnd):
        assert null.execute(command)
    else:
        assert null.execute(command) == store.run(command)


def test_the_null_backend_says_what_it_is():
    """It has a name, and holds no bytes."""
    state = NullBackend().execute(ServerState(CV))
    assert (state.server, state.used_bytes) == ("null", 0)


def test_the_null_backend_knows_no_message():
    """A change or a page that needs a message finds none, one that needs none finds an empty log."""
    null = NullBackend()
    assert null.execute(LogSlice(LOG, None, after="u1")) is None
    assert null.execute(LogSlice(LOG, None, before=b"u1" * 8)) is None
    assert null.execute(LogSlice(LOG, None, after=Cursor(bytes(8)))) == Slice([], None, None, more=False)
    assert null.execute(LogRewrite(LOG, None, "u1", None, ())).outcome is Outcome.MISSING
    assert null.execute(LogRewrite(LOG, None, None, None, (entry("u1"),))) == Rewritten(Outcome.DONE)
    assert null.execute(LogRewrite(LOG, None, None, None, (), edits=5)).outcome is Outcome.CONFLICT
