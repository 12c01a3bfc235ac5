"""Administration as flows: listings, walks, whole exports, imports and erasures, and what breaks into them."""

from __future__ import annotations

import base64
import inspect
import io
import math
import random
import re

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from memkit import (
    AsyncInMemoryManager,
    BackendUnavailableError,
    ClosedError,
    CorruptRecordError,
    Fact,
    IBackend,
    InvalidInputError,
    Memory,
    MemoryInput,
    MemoryManager,
    MemoryType,
    SystemMessage,
    ToolMessage,
    UserMessage,
    WorkingMemory,
)
from memkit.backends.inmemory import InMemoryBackend
from memkit.codec.registry import Registry, registry
from memkit.codec.wire import Codec
from memkit.commands import (
    AboutErase,
    AboutExpire,
    AboutRead,
    AboutSet,
    Entry,
    IndexFence,
    IndexPage,
    IndexRead,
    IndexRow,
    IndexTouch,
    LogAppend,
    LogSlice,
    Mark,
    Place,
    Row,
    StoreState,
    TableDump,
    TableSwap,
)
from memkit.errors import ImportFormatError
from memkit.faces.admin import AsyncMemoryAdmin, MemoryAdmin
from memkit.faces.engine import Engine
from memkit.faces.options import context_of
from memkit.flows.admin import export as export_module
from memkit.flows.admin.erase import erase
from memkit.flows.admin.export import Export, TablePages
from memkit.flows.admin.importing import import_
from memkit.flows.admin.lines import line
from memkit.flows.admin.listing import _cursor, _row, conversations
from memkit.flows.admin.stats import _warnings
from memkit.flows.admin.walk import Walk
from memkit.flows.places import ALL_CONVERSATIONS, ALL_USERS, conversation, conversations_of
from memkit.interfaces.admin import IAsyncMemoryAdmin, IMemoryAdmin
from memkit.results import Progress
from memkit.testing.clock import ManualClock
from tests.strategies import IDS

PLACE = Place("n", "", "cv")
WM, STM, LTM = MemoryType.WORKING_MEMORY, MemoryType.SHORT_TERM_MEMORY, MemoryType.LONG_TERM_MEMORY


def drive(flow, execute):
    """Run a flow over a function that executes commands; return its result."""
    try:
        step = next(flow)
        while True:
            step = flow.send([execute(each) for each in step] if isinstance(step, tuple) else execute(step))
    except StopIteration as stop:
        return stop.value


def refuse(command):
    """Execute nothing."""
    pytest.fail(f"{command} was sent")


# Cursors of listings


ROWS = st.builds(IndexRow, IDS, st.integers(0, (1 << 63) - 1))


@given(ROWS)
def test_cursor_comes_back(row):
    """A cursor is URL-safe text, and names the row that it was made of."""
    cursor = _cursor(row)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)
    assert _row(cursor) == row


def _encoded(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


WRONG_CURSORS = {
    "empty": "",
    "no text": 5,
    "bytes": b"NTph",
    "no base64": "!!!!",
    "not ASCII": "é",
    "a lone surrogate": "\ud800",
    "cut": "NTp",
    "not UTF-8": base64.urlsafe_b64encode(b"5:\xff").decode(),
    "padded": _encoded("5:aa") + "==",
    "spaces": "NTph ",
    "no time": _encoded("a"),
    "no number": _encoded("x:a"),
    "a sign": _encoded("+5:a"),
    "below zero": _encoded("-5:a"),
    "too large": _encoded(f"{1 << 63}:a"),
    "too many digits": _encoded("9" * 5000 + ":a"),
    "no name": _encoded("5:"),
}


@pytest.mark.parametrize("cursor", WRONG_CURSORS.values(), ids=WRONG_CURSORS)
def test_wrong_cursor_is_refused(cursor):
    """What `conversations` did not make is refused as a cursor, and nothing is sent."""
    with pytest.raises(InvalidInputError) as caught:
        drive(conversations(context_of(), None, 50, cursor), refuse)
    assert caught.value.field == "cursor"


# What is wrong in a call


def _calls():
    ctx = context_of()
    yield "limit", lambda: conversations(ctx, None, 1001, None)
    yield "limit", lambda: conversations(ctx, None, 0, None)
    yield "user_id", lambda: conversations(ctx, "", 50, None)
    yield "user_id", lambda: erase(ctx, None, None, False, False)
    yield "user_id", lambda: erase(ctx, "a", "b", False, False)
    yield "user_id", lambda: erase(ctx, "a", None, True, True)
    yield "namespace", lambda: erase(ctx, None, None, 1, False)
    yield "dry_run", lambda: erase(ctx, "a", None, False, None)
    yield "user_id", lambda: Export(ctx, 5).more()
    yield "conversation_id", lambda: Export(ctx, None, "").more()
    yield "on_progress", lambda: Export(ctx, on_progress=5).more()
    yield "on_progress", lambda: import_(ctx, [], 5)
    yield "lines", lambda: import_(ctx, "text", None)
    yield "lines", lambda: import_(ctx, b"", None)
    yield "lines", lambda: import_(ctx, 5, None)
    yield "lines", lambda: import_(ctx, ["text"], None)
    yield "lines", lambda: import_(ctx, io.StringIO("text"), None)


@pytest.mark.parametrize(("field", "call"), list(_calls()))
def test_wrong_argument_is_named_before_anything_is_sent(field, call):
    """A wrong argument is refused by its name, and nothing is sent."""
    with pytest.raises(InvalidInputError) as caught:
        drive(call(), refuse)
    assert caught.value.field == field


# Walks


class Index:
    """An index, as a backend has it."""

    def __init__(self, names):
        self.touched = {name: at for at, name in enumerate(names, 1)}
        self.now = len(self.touched)
        self.most = 0

    def touch(self, name):
        self.now += 1
        self.touched[name] = self.now

    def execute(self, command):
        assert type(command) is IndexRead
        rows = sorted((IndexRow(name, at) for name, at in self.touched.items()), key=lambda row: row.touched_us)
        rows = rows[::-1] if command.newest else rows
        behind = -math.inf if command.after is None else command.after.touched_us
        assert command.after is None or not command.newest
        rows = [row for row in rows if command.newest or row.touched_us > behind]
        self.most = max(self.most, command.count)
        return IndexPage(tuple(rows[: command.count]), len(rows) > command.count)


@pytest.mark.parametrize("seed", range(20))
def test_walk_finds_each_name_once(seed):
    """A walk meets every name exactly once, however they are touched and added meanwhile, in pages."""
    chance = random.Random(seed)
    index = Index([f"n{number}" for number in range(950)])
    there = set(index.touched)
    walk, met = Walk(PLACE), []
    while names := drive(walk.page(), index.execute):
        met += names
        for name in chance.sample(sorted(index.touched), 30):
            index.touch(name)
        if len(met) < 500:
            index.touch(f"new {len(met)}")
    assert len(met) == len(set(met))
    assert there <= set(met)
    assert index.most <= 100


def test_walk_of_nothing():
    """A walk over an empty index ends at once."""
    assert drive(Walk(PLACE).page(), Index([]).execute) == []


class Table:
    """A table, as a backend has it."""

    def __init__(self, count):
        self.rows = [(b"%d" % number, 0) for number in range(count)]

    def execute(self, command):
        assert type(command) is TableDump
        return self.rows[command.skip : command.skip + command.count]


@pytest.mark.parametrize("seed", range(20))
def test_table_pages_miss_nothing(seed):
    """Rows that go and come between two pages make no other row come twice or not at all."""
    chance = random.Random(seed)
    table = Table(3000)
    pages, met, at_end = TablePages(PLACE), [], set(table.rows)
    while (rows := drive(pages.more(), table.execute)) is not None:
        met += rows
        gone = set(chance.sample(table.rows, 40)) if len(table.rows) > 1000 else set()
        if chance.random() < 0.2:
            gone |= set(table.rows[: chance.randrange(300)])
        table.rows = [row for row in table.rows if row not in gone]
        at_end -= gone
        table.rows.insert(0, (b"new %d" % len(met), 0))
    assert len(met) == len(set(met))
    assert at_end <= set(met)


def test_pages_of_large_records_are_small():
    """A page of the largest records is bounded in bytes, one of small records in number."""
    large = bytes(8 << 20)
    assert export_module._next_count([large] * 4) == 4
    assert export_module._next_count([b"x" * 400]) == 500


# What an operator should look at


STATES = [
    (StoreState("Valkey 9"), 0),
    (StoreState("Valkey 9", used_bytes=95, limit_bytes=0, eviction="allkeys-lru"), 0),
    (StoreState("Valkey 9", used_bytes=50, limit_bytes=100, eviction="noeviction"), 0),
    (StoreState("Valkey 9", used_bytes=50, limit_bytes=100, eviction="allkeys-lru"), 1),
    (StoreState("Valkey 9", used_bytes=50, eviction="volatile-ttl"), 1),
    (StoreState("Valkey 9", used_bytes=90, limit_bytes=100, eviction="noeviction"), 0),
    (StoreState("Valkey 9", used_bytes=91, limit_bytes=100, eviction="noeviction"), 1),
    (StoreState("Valkey 9", used_bytes=91, limit_bytes=100, eviction="allkeys-lfu"), 2),
]


@pytest.mark.parametrize(("state", "count"), STATES)
def test_warnings(state, count):
    """A bounded store that evicts, and one that is nearly full, are warned of."""
    assert len(list(_warnings(state))) == count


# Whole exports and imports, over a store


class Watched(IBackend):
    """A backend that notes what it executes, and fails where it is told to."""

    def __init__(self, inner):
        self.inner = inner
        self.seen = []
        self.fails_at = None

    def execute(self, command):
        if self.fails_at is not None and len(self.seen) >= self.fails_at:
            raise BackendUnavailableError("gone")
        self.seen.append(command)
        return self.inner.execute(command)

    def of(self, kind):
        """The commands of a kind."""
        return [command for command in self.seen if type(command) is kind]

    def ping(self):
        return True

    def close(self):
        pass


class Subject:
    """A store with its verbs, its administration, and what was executed."""

    def __init__(self, clock, **options):
        self.backend = Watched(InMemoryBackend(clock=clock))
        self.manager = MemoryManager(self.backend, clock=clock, **options)
        self.admin = MemoryAdmin(self.manager.engine)

    def store(self, name, *records, kind=STM, **fields):
        return self.manager.store(MemoryInput(name, kind, data=records, **fields))

    def read(self, name, kind=STM):
        return self.manager.retrieve(MemoryInput(name, kind))

    def about(self, name):
        return self.backend.inner.execute(AboutRead(conversation(name, "about"), None))

    def names(self, place=ALL_CONVERSATIONS):
        return [row.name for row in self.backend.inner.execute(IndexRead(place, 1000)).rows]


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def here(clock):
    return Subject(clock)


@pytest.fixture
def there(clock):
    return Subject(clock, namespace="there")


def test_an_export_is_this(here):
    """The text of an export: its lines, their keys and their order do not change from version to version."""
    here.store("c", WorkingMemory("w", id="w"), kind=WM, user_id="ann", ttl=60)
    here.store("c", WorkingMemory("w", id="w"), kind=WM, ttl=60)
    here.store("c", UserMessage("é", id="m", metadata={"a": b"\xff"}), ttl=None)
    here.store("c", Fact("f", id="f"), kind=LTM)
    here.store("c", Fact("g", id="g"), kind=LTM, ttl=1)
    here.backend.execute(AboutSet(conversation("c", "about"), None, "t", Codec().pack_map({"$x": 1}, "")))
    now = 1_000_000_000_000_000
    assert b"".join(here.admin.export()).decode().replace(str(now), "NOW").splitlines() == [
        '{"memkit":1,"kind":"export","exported_at":"2001-09-09T01:46:40+00:00"}',
        (
            '{"kind":"conversation","id":"c","user_id":"ann","title":"t","metadata":{"$map":{"$x":1}},'
            '"created_us":NOW,"expires_us":null,"renews_ms":null}'
        ),
        (
            '{"kind":"working","version":2,"created_us":NOW,"expires_us":1000000060000000,'
            '"record":[1,"wm",null,"w",NOW,null,1,{},"w"]}'
        ),
        '{"kind":"message","record":[1,"usr",null,"m",NOW,null,1,{"a":{"$bytes":"/w=="}},"é"]}',
        '{"kind":"long_term","expires_us":1000000001000000,"record":[1,"fact",null,"g",NOW,null,1,{},"g"]}',
        '{"kind":"long_term","expires_us":null,"record":[1,"fact",null,"f",NOW,null,1,{},"f"]}',
        '{"kind":"end","conversation":"c","count":4}',
        '{"kind":"done","conversations":1,"records":4}',
    ]


def test_a_time_to_live_of_ones_own_is_moved(here, there):
    """A conversation that was to live for ever does so after a move, also when more is written."""
    here.store("c", UserMessage("é", id="m"))
    assert here.backend.execute(AboutExpire(conversation("c", "about"), None, 0))
    there.admin.import_(here.admin.export())
    there.store("c", UserMessage("more"))
    about = there.backend.execute(AboutRead(conversation("c", "about"), None))
    assert (about.count, about.log_ms, about.renews_ms) == (2, 0, 0)


@frozen
class Note(Memory):
    """A record that only one side of a transfer knows."""

    text: str


def _knowing(subject, name, cls, schema=1):
    """Let a store know one more type of record."""
    types = Registry()
    types._by_name, types._by_class = dict(registry._by_name), dict(registry._by_class)
    types.add(cls, name, schema, dict.fromkeys(range(1, schema), list))
    engine = subject.manager.engine
    engine.context = evolve(engine.context, codec=evolve(engine.context.codec, types=types))


def test_unknown_types_go_through(clock, here, there):
    """Records of a type that neither the exporting nor the importing process knows arrive as they were."""
    knows, middle = Subject(clock), Subject(clock, namespace="middle", codec="json")
    _knowing(knows, "test.note", Note)
    _knowing(there, "test.note", Note)
    for kind, name in ((WM, "w"), (STM, "m"), (LTM, "l")):
        knows.store("c", Note("text", id=name, metadata={"a": math.inf}), kind=kind)
    blind = MemoryAdmin(Engine(knows.backend, here.manager.engine.context))
    middle.admin.import_(blind.export())
    assert there.admin.import_(middle.admin.export()).imported == 3
    for kind in (WM, STM, LTM):
        assert there.read("c", kind) == knows.read("c", kind)


def test_marks_of_what_was_imported(here, there):
    """A backend is told of imported messages what it has to know: results, system messages, pinned ones."""
    _knowing(here, "test.note", Note)
    here.store("c", SystemMessage("s"), UserMessage("u", pinned=True), ToolMessage("t", tool_call_id="x"), Note("n"))
    there.admin.import_(here.admin.export())
    (append,) = there.backend.of(LogAppend)
    assert [entry.mark for entry in append.entries] == [Mark.SYSTEM, Mark.PINNED, Mark.FOLLOWS, Mark.NONE]
    assert not any(entry.fresh for entry in append.entries)


def test_large_conversations_go_in_pieces(here, there):
    """Neither an export nor an import holds more than some hundred records at a time."""
    here.store("c", *(UserMessage(str(number)) for number in range(1800)))
    here.store("c", *(Fact(str(number)) for number in range(1800)), kind=LTM)
    there.admin.import_(here.admin.export())
    assert there.read("c") == here.read("c")
    assert there.read("c", LTM) == here.read("c", LTM)
    assert all(0 < command.count <= 500 for command in here.backend.of(LogSlice) + here.backend.of(TableDump))
    assert max(len(command.entries) for command in there.backend.of(LogAppend)) == 500
    assert max(len(command.rows) for command in there.backend.of(TableSwap)) == 500


def test_export_is_lazy(here):
    """An export reads only as far as its lines are asked for."""
    for name in "abc":
        here.store(name, UserMessage("text"))
    lines = here.admin.export()
    before = len(here.backend.seen)
    next(lines)
    assert len(here.backend.seen) == before
    next(lines)
    assert {command.place.name for command in here.backend.of(AboutRead)[-1:]} == {"a"}
    assert len(list(lines)) == 9


def test_import_is_lazy(here, there):
    """An import reads a line when it is about to need it, and stores a conversation before it reads the next."""
    for name in "ab":
        here.store(name, UserMessage(name))

    def lines():
        for each in here.admin.export():
            if b'"conversation","id":"b"' in each:
                assert [record.content for record in there.read("a")] == ["a"]
            yield each

    assert there.admin.import_(lines()).conversations == 2


def test_export_of_a_user(here):
    """An export of a user leaves out what is on the user's list but belongs to another, also where it is asked for."""
    _fill(here)
    here.backend.execute(IndexTouch(conversations_of("ann"), "b"))
    for what, expected in (({}, ["a", "c"]), ({"conversation_id": "c"}, ["c"]), ({"conversation_id": "b"}, [])):
        lines = [each for each in here.admin.export(user_id="ann", **what) if b'"kind":"end"' in each]
        assert [re.search(rb'"conversation":"(.)"', each)[1].decode() for each in lines] == expected


def test_damaged_record_stops_an_export(here):
    """A damaged record ends an export with an error that names where it is; what stands before it was handed out."""
    here.store("c", UserMessage("text"))
    place = conversation("c", "log")
    here.backend.execute(LogAppend(place, None, 0, (Entry("bad", b"\xc1\x01canary", fresh=False),)))
    lines = here.admin.export()
    assert len([next(lines), next(lines)]) == 2
    with pytest.raises(CorruptRecordError, match="conversation 'c'") as caught:
        next(lines)
    assert "canary" not in str(caught.value)


def test_damaged_record_is_reported(clock, there, caplog):
    """With on_corrupt="report" what is damaged is left out of an export and logged, and the counts are right."""
    here = Subject(clock, on_corrupt="report")
    for kind, part in ((WM, "wm"), (LTM, "ltm")):
        here.store(part, Fact("text"), kind=kind)
    bad = b"\xc1\x01canary"
    here.backend.execute(LogAppend(conversation("wm", "log"), None, 0, (Entry("bad", bad, fresh=False),)))
    here.backend.execute(TableSwap(conversation("ltm", "ltm"), None, 0, (Row("bad", bad, 5),)))
    here.backend.execute(AboutSet(conversation("ltm", "about"), None, None, bad))
    report = there.admin.import_(here.admin.export())
    assert (report.conversations, report.imported) == (2, 2)
    assert len(caplog.records) == 3
    assert "canary" not in caplog.text


def _wrong_orders():
    """Lines of a right export, put together wrongly: what was wrong, the lines, and the number of the line named."""
    head, opened = line(memkit=1, kind="export"), _opening("c")
    ended, done = line(kind="end", conversation="c", count=0), line(kind="done", conversations=1, records=0)
    message = line(b'[1,"usr",null,"id",5,null,1,{},"text"]', kind="message")
    yield "no header", [opened, ended, done], 1
    yield "a newer format", [line(memkit=2, kind="export")], 1
    yield "no format", [line(kind="export")], 1
    yield "a message outside", [head, message, done], 2
    yield "a header inside", [head, opened, head, ended, done], 3
    yield "a conversation inside", [head, opened, opened, ended, done], 3
    yield "done inside", [head, opened, done], 3
    yield "an end outside", [head, ended, done], 2
    yield "an unknown kind", [head, line(kind="other"), done], 2
    yield "an unknown kind inside", [head, opened, line(kind="other"), ended, done], 3
    yield "no kind", [head, opened, line(), ended, done], 3
    yield "another end", [head, opened, line(kind="end", conversation="d", count=0), done], 3
    yield "too few records", [head, opened, line(kind="end", conversation="c", count=1), done], 3
    yield "too many records", [head, opened, message, ended, done], 4
    yield "too few conversations", [head, opened, ended, line(kind="done", conversations=2, records=0)], 4
    yield "too many conversations", [head, opened, ended, opened, ended, done], 6
    yield "other counts", [head, opened, ended, line(kind="done", conversations=1, records=1)], 4
    yield "no done", [head, opened, ended], 4
    yield "no end", [head, opened], 3
    yield "nothing", [], 1
    yield "another export behind", [head, opened, ended, done, head], 5
    yield "no record", [head, opened, line(kind="message"), ended, done], 3


def _opening(name="c", **changed):
    fields = {"id": name, "user_id": None, "title": None, "metadata": None, "created_us": 5, "expires_us": None}
    fields["renews_ms"] = None
    return line(kind="conversation", **{**fields, **changed})


WRONG_ORDERS = {name: case for name, *case in _wrong_orders()}


@pytest.mark.parametrize(("lines", "number"), WRONG_ORDERS.values(), ids=WRONG_ORDERS)
def test_lines_in_a_wrong_order(there, lines, number):
    """Lines that are missing, doubled, foreign or in a wrong order are noticed, and the first wrong one is named."""
    with pytest.raises(ImportFormatError) as caught:
        there.admin.import_(lines)
    assert caught.value.line == number


WRONG_FIELDS = [
    _opening(5),
    _opening(""),
    _opening("x" * 70_000),
    _opening(user_id=5),
    _opening(user_id=""),
    _opening(title=5),
    _opening(title=""),
    _opening(metadata=5),
    _opening(metadata=[]),
    _opening(metadata={"$code": 1}),
    _opening(metadata={"a": 1 << 70}),
    _opening(created_us="5"),
    _opening(created_us=1.0),
    _opening(created_us=1 << 62),
    _opening(expires_us=True),
    _opening(renews_ms=-1),
    _opening(renews_ms="1"),
    _opening(expires_us=-(1 << 62)),
    b'{"kind":"conversation","id":"c"}',
    _opening().replace(b'"c"', b'"\\ud800"'),
]
_WM = b'[1,"wm",null,"id",5,null,1,{},"text"]'
WRONG_INSIDE = [
    line(_WM, kind="working", version=0, created_us=5, expires_us=None),
    line(_WM, kind="working", version=1 << 63, created_us=5, expires_us=None),
    line(_WM, kind="working", version=True, created_us=5, expires_us=None),
    line(_WM, kind="working", version=1, created_us=None, expires_us=None),
    line(_WM, kind="working", version=1, created_us=5),
    line(_WM, kind="working", version=1, created_us=5, expires_us="x"),
    line(_WM, kind="long_term"),
    line(_WM, kind="long_term", expires_us=1.5),
    line(b"5", kind="message"),
]


@pytest.mark.parametrize("raw", WRONG_FIELDS)
def test_wrong_field_of_a_conversation(there, raw):
    """A wrong field of a conversation's line is refused, and nothing is sent."""
    with pytest.raises(ImportFormatError, match=r"^line 2 "):
        there.admin.import_([line(memkit=1, kind="export"), raw])
    assert there.backend.seen == []


@pytest.mark.parametrize("raw", WRONG_INSIDE)
def test_wrong_field_beside_a_record(there, raw):
    """A wrong field beside a record is refused, and nothing is sent."""
    with pytest.raises(ImportFormatError, match=r"^line 3 "):
        there.admin.import_([line(memkit=1, kind="export"), _opening(), raw])
    assert there.backend.seen == []


def test_a_record_twice(there):
    """A record that stands twice in a conversation is stored once, and counts as present the second time."""
    record = b'[1,"usr",null,"id",5,null,1,{},"text"]'
    inside = [line(record, kind="message"), line(record, kind="long_term", expires_us=None)] * 2
    end = [line(kind="end", conversation="c", count=4), line(kind="done", conversations=1, records=4)]
    report = there.admin.import_([line(memkit=1, kind="export"), _opening(), *inside, *end])
    assert (report.imported, report.present) == (2, 2)
    assert (len(there.read("c")), len(there.read("c", LTM))) == (1, 1)


def test_messages_that_are_there_keep_their_life(clock, here, there):
    """An import into a conversation that has messages leaves their time to live as it is."""
    here.store("c", UserMessage("a", id="a"), ttl=10)
    there.store("c", UserMessage("b", id="b"), ttl=1000)
    there.admin.import_(here.admin.export())
    assert there.about("c").log_ms == 1_000_000
    there.store("d", UserMessage("b", id="b"), ttl=None)
    here.store("d", UserMessage("a", id="a"), ttl=10)
    there.admin.import_(here.admin.export(conversation_id="d"))
    assert there.about("d").log_ms == 0
    assert len(there.read("d")) == 2


def test_lives_without_end(here, there):
    """What lives for ever where it is exported lives for ever where it is imported, whatever the defaults are."""
    for kind in (WM, STM):
        here.store("c", Fact("text"), kind=kind, ttl=None)
    there.admin.import_(here.admin.export())
    assert (there.about("c").log_ms, there.about("c").wm_ms) == (0, 0)


def test_what_has_expired_leaves_no_trace(clock, here, there):
    """A conversation of which everything has expired is read and counted, and its name appears nowhere."""
    here.store("c", UserMessage("text"), ttl=1, user_id="ann")
    lines = list(here.admin.export())
    clock.advance(2)
    report = there.admin.import_(lines)
    assert (report.conversations, report.imported, report.expired) == (1, 0, 1)
    assert there.names() == there.names(conversations_of("ann")) == []


def test_title_without_messages(here, there):
    """Title and metadata of a conversation that has no messages are imported, and those that are there stay."""
    here.store("c", WorkingMemory("w"), kind=WM)
    pack = Codec().pack_map
    here.backend.execute(AboutSet(conversation("c", "about"), None, "theirs", pack({"a": 1}, "")))
    lines = list(here.admin.export())
    there.admin.import_(lines)
    assert (there.about("c").title, there.about("c").metadata) == ("theirs", pack({"a": 1}, ""))
    there.backend.execute(AboutSet(conversation("c", "about"), None, "ours"))
    there.admin.import_(lines)
    assert there.about("c").title == "ours"


def test_title_of_what_is_there_stays(clock, here, there):
    """Messages that come to a conversation which has a title and metadata already do not bring theirs."""
    pack = Codec().pack_map
    for subject, words in ((here, "theirs"), (there, "ours")):
        subject.store("c", WorkingMemory("w"), kind=WM)
        subject.backend.execute(AboutSet(conversation("c", "about"), None, words, pack({"a": words}, "")))
    here.store("c", UserMessage("m"))
    there.admin.import_(here.admin.export())
    assert (there.about("c").title, there.about("c").metadata) == ("ours", pack({"a": "ours"}, ""))
    assert len(there.read("c")) == 1


def test_age_of_a_conversation(clock, here, there):
    """A conversation that is imported later began when it began, with its title, in the write of its first messages."""
    here.store("c", UserMessage("m"))
    here.backend.execute(AboutSet(conversation("c", "about"), None, "title"))
    lines = list(here.admin.export())
    clock.advance(100)
    there.admin.import_(lines)
    assert there.about("c").created_us == here.about("c").created_us
    assert there.backend.of(LogAppend)[0].opening.title == "title"
    assert there.backend.of(AboutSet) == []


def test_rows_that_are_there_already(here, there):
    """Of rows that come together those that are there stay, and the others are stored."""
    here.store("c", *(Fact("theirs", id=f"f{number}") for number in range(9)), kind=LTM)
    there.store("c", *(Fact("ours", id=f"f{number}") for number in range(0, 9, 2)), kind=LTM)
    report = there.admin.import_(here.admin.export())
    assert (report.imported, report.present) == (4, 5)
    assert {found.id: found.text for found in there.read("c", LTM)} == {
        f"f{number}": "theirs" if number % 2 else "ours" for number in range(9)
    }


def test_rows_live_as_long_as_they_did(clock, here, there):
    """Each row keeps its own time to live, those that live equally long are stored together."""
    for number, ttl in enumerate((None, None, 10, 10, 5, None)):
        here.store("c", Fact(str(number), id=str(number)), kind=LTM, ttl=ttl)
    there.admin.import_(here.admin.export())
    assert sorted(len(command.rows) for command in there.backend.of(TableSwap)) == [1, 1, 2, 2]
    for after, left in ((0, "012345"), (6, "01235"), (6, "015")):
        clock.advance(after)
        assert sorted(found.id for found in there.read("c", LTM)) == list(left)


def test_what_stands_before_damage_is_stored(here, there):
    """An import that meets a damaged line has stored all that stands before it."""
    here.store("c", UserMessage("m"))
    here.store("c", Fact("f"), kind=LTM)
    *lines, _, _ = here.admin.export()
    with pytest.raises(ImportFormatError):
        there.admin.import_([*lines, b"damage"])
    assert (len(there.read("c")), len(there.read("c", LTM))) == (1, 1)


@pytest.mark.parametrize("at", range(1, 30, 3))
def test_interrupted_import_is_completed_by_repeating_it(here, there, at):
    """An import that failed at any command is completed by the same import, and everything is there once, in order."""
    _fill(here)
    lines = list(here.admin.export())
    there.backend.fails_at = at
    with pytest.raises(BackendUnavailableError):
        there.admin.import_(lines)
    there.backend.fails_at = None
    there.admin.import_(lines)
    again = list(there.admin.export())
    assert again == lines


def _fill(subject):
    for name, user_id in (("a", "ann"), ("b", "bob"), ("c", "ann"), ("d", None)):
        for kind, record in ((WM, WorkingMemory("w")), (STM, UserMessage("m")), (LTM, Fact("f"))):
            subject.store(name, record, kind=kind, user_id=user_id)
    subject.backend.execute(AboutSet(conversation("a", "about"), None, "title", None))


def test_progress_of_both(here, there):
    """After each conversation, export and import say how many conversations, records and lines are done."""
    _fill(here)
    out, back = [], []
    lines = list(here.admin.export(on_progress=out.append))
    there.admin.import_(lines, on_progress=back.append)
    assert out == back == [Progress(number, 3 * number, 1 + 5 * number) for number in range(1, 5)]


# Erasing


@pytest.mark.parametrize("given", [{"user_id": "ann"}, {"conversation_id": "a"}, {"namespace": True}], ids=str)
def test_interrupted_erase_is_completed_by_repeating_it(clock, given):
    """An erase that failed at any of its commands is completed by the same erase: no data and no name is left."""
    at = 0
    while True:
        subject = Subject(clock)
        _fill(subject)
        subject.backend.fails_at = len(subject.backend.seen) + at
        try:
            receipt = subject.admin.erase(**given)
        except BackendUnavailableError:
            subject.backend.fails_at = None
            _check_erased(subject, given)
        else:
            assert receipt.verified
            assert at > 3
            return
        at += 1


def _check_erased(subject, given):
    # Names of an interrupted erase of a single conversation are dropped by the next listing.
    assert subject.admin.erase(**given).verified
    gone = {"user_id": "ac", "conversation_id": "a", "namespace": "abcd"}[next(iter(given))]
    assert all((subject.about(name) is None) == (name in gone) for name in "abcd")
    if "conversation_id" not in given:
        assert sorted(subject.names()) == [name for name in "abcd" if name not in gone]
    if "user_id" in given:
        assert subject.names(conversations_of("ann")) == []
        assert subject.names(conversations_of("bob")) == ["b"]


def test_what_another_claimed_stays(here):
    """A conversation that stands on a user's list but belongs to another, or to nobody, is left alone and listed."""
    here.store("b", UserMessage("text"), user_id="bob")
    here.store("d", UserMessage("text"))
    for name in "bd":
        here.backend.execute(IndexTouch(conversations_of("ann"), name))
    receipt = here.admin.erase(user_id="ann")
    assert (receipt.conversations, receipt.messages, receipt.verified) == (0, 0, True)
    assert sorted(here.names()) == ["b", "d"]
    assert here.names(conversations_of("ann")) == []
    assert len(here.read("b")) == len(here.read("d")) == 1
    here.store("b", UserMessage("text"), user_id="bob")


def test_erased_conversation_is_named_nowhere(here):
    """A single conversation that is erased goes from the list of all, and from that of its owner."""
    _fill(here)
    assert here.admin.erase(conversation_id="a").verified
    assert sorted(here.names()) == ["b", "c", "d"]
    assert here.names(conversations_of("ann")) == ["c"]


def test_large_erase_goes_in_pages(here):
    """An erase of many holds a hundred names at a time, and fences its index anew for each page of them."""
    for number in range(250):
        here.store(f"c{number}", WorkingMemory("w"), kind=WM, user_id="ann")
    before = len(here.backend.seen)
    assert here.admin.erase(user_id="ann").conversations == 250
    del here.backend.seen[:before]
    assert max(command.count for command in here.backend.of(IndexRead)) == 100
    assert len(here.backend.of(IndexFence)) >= 3


def test_dry_run_writes_nothing(here):
    """A dry run sends nothing but reads, and erasures that only count."""
    _fill(here)
    before = len(here.backend.seen)
    for what in ({"user_id": "ann"}, {"conversation_id": "a"}, {"namespace": True}):
        receipt = here.admin.erase(**what, dry_run=True)
        assert (receipt.verified, receipt.fenced_for) == (False, 0.0)
    sent = here.backend.seen[before:]
    assert {type(command) for command in sent} == {IndexRead, AboutRead, AboutErase}
    assert all(command.dry for command in sent if type(command) is AboutErase)


class Stubborn(Watched):
    """A backend that says that it erased, and did not."""

    def execute(self, command):
        if type(command) is AboutErase and not command.dry:
            command = evolve(command, dry=True)
        return super().execute(command)


@pytest.mark.parametrize("given", [{"user_id": "ann"}, {"conversation_id": "a"}, {"namespace": True}], ids=str)
def test_what_is_still_there_is_not_verified(clock, given):
    """If anything is still there after an erase, the receipt says so, and its name stays where it is found again."""
    subject = Subject(clock)
    _fill(subject)
    liar = MemoryAdmin(Engine(Stubborn(subject.backend), subject.manager.engine.context))
    assert not liar.erase(**given).verified
    assert sorted(subject.names()) == ["a", "b", "c", "d"]
    assert sorted(subject.names(conversations_of("ann"))) == ["a", "c"]
    assert sorted(subject.names(ALL_USERS)) == ["ann", "bob"]


def test_names_of_what_was_deleted_are_erased(here):
    """What was deleted before is named nowhere after an erase of the namespace, and an erased user is named nowhere."""
    for user_id in ("ann", "bob"):
        here.store(user_id, Fact("f"), kind=LTM, user_id=user_id)
        here.manager.delete(MemoryInput(user_id, LTM))
    assert here.admin.erase(user_id="ann").verified
    assert (here.names(), here.names(ALL_USERS)) == (["bob"], ["bob"])
    assert here.admin.erase(namespace=True).verified
    assert here.names() == here.names(ALL_USERS) == here.names(conversations_of("bob")) == []


def test_data_without_a_name_is_not_verified(here):
    """Data of a namespace that no list names is noticed by its erasure."""
    here.backend.execute(LogAppend(conversation("lost", "log"), None, 0, (Entry("id", b"", fresh=False),)))
    assert not here.admin.erase(namespace=True).verified


# Listing


def test_names_of_nothing_are_dropped_after_ten_minutes(clock, here):
    """A name without data is dropped from the list once it was not touched for ten minutes, and not before."""
    here.backend.execute(IndexTouch(ALL_CONVERSATIONS, "never written"))
    here.store("c", UserMessage("text"))
    clock.advance(600)
    assert [found.id for found in here.admin.conversations()] == ["c"]
    assert sorted(here.names()) == ["c", "never written"]
    clock.advance(1)
    here.backend.execute(IndexTouch(ALL_CONVERSATIONS, "just now"))
    assert [found.id for found in here.admin.conversations()] == ["c"]
    assert sorted(here.names()) == ["c", "just now"]


def test_names_that_changed_hands_are_dropped_from_the_old_list(clock, here):
    """What belongs to another by now is dropped from the list of the user who had it, and stays on that of all."""
    here.store("c", UserMessage("text"), user_id="bob")
    here.backend.execute(IndexTouch(conversations_of("ann"), "c"))
    clock.advance(601)
    assert list(here.admin.conversations("ann")) == []
    assert here.names(conversations_of("ann")) == []
    assert here.names(conversations_of("bob")) == here.names() == ["c"]


def test_a_name_that_is_touched_meanwhile_is_not_dropped(clock, here):
    """A name that is touched after the listing looked at it stays: somebody is about to write."""
    here.backend.execute(IndexTouch(ALL_CONVERSATIONS, "c"))
    clock.advance(601)
    flow = conversations(here.manager.engine.context, None, 50, None)
    page = here.backend.execute(next(flow))
    (look,) = flow.send(page)
    drop = flow.send([here.backend.execute(look)])
    here.backend.execute(IndexTouch(ALL_CONVERSATIONS, "c"))
    assert here.backend.execute(drop) is False
    assert here.names() == ["c"]


def test_empty_pages_are_passed_over(here):
    """A page with nothing to show is not handed out while there is more; after some of them an empty one is."""
    here.store("c", UserMessage("text"))
    for number in range(25):
        here.backend.execute(IndexTouch(ALL_CONVERSATIONS, f"n{number}"))
    page = here.admin.conversations(limit=5)
    assert [found.id for found in page] == ["c"]
    assert page.cursor is None
    first = here.admin.conversations(limit=1)
    assert (first.items, first.cursor is None) == ((), False)
    assert len(here.backend.of(IndexRead)) < 20


def test_a_page_is_two_round_trips(here):
    """A page of a listing is asked for at once: the names, then all that is known of them."""
    _fill(here)
    flow = conversations(here.manager.engine.context, None, 50, None)
    reads = flow.send(None), flow.send(here.backend.execute(IndexRead(ALL_CONVERSATIONS, 50)))
    assert [type(read) for read in reads] == [IndexRead, tuple]
    assert len(reads[1]) == 4


# Both colours


@pytest.mark.parametrize(("sync", "asynchronous"), [(IMemoryAdmin, IAsyncMemoryAdmin), (MemoryAdmin, AsyncMemoryAdmin)])
def test_twins_have_the_same_methods(sync, asynchronous):
    """Sync and async administration have the same methods with the same parameters, in the same order."""
    assert _methods(sync) == _methods(asynchronous)


def _methods(cls):
    found = {name: value for name, value in vars(cls).items() if inspect.isfunction(value)}
    return [
        (name, list(inspect.signature(value).parameters.items())) for name, value in found.items() if name[1] != "_"
    ]


async def test_async_administration(here, clock):
    """The async administration does the same as the sync one."""
    _fill(here)
    manager = AsyncInMemoryManager(clock=clock, namespace="there")
    admin = AsyncMemoryAdmin(manager.engine)
    assert (await admin.import_(here.admin.export())).imported == 12
    assert [each async for each in admin.export()] == list(here.admin.export())
    assert len(await admin.conversations()) == (await admin.stats()).conversations == 4
    receipt = await admin.erase(user_id="ann")
    assert (receipt.conversations, receipt.verified) == (2, True)
    await manager.aclose()
    with pytest.raises(ClosedError):
        await admin.stats()
