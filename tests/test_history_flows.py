"""Claims about the flows of histories: pure logic over a log that is a plain list."""

from __future__ import annotations

import uuid
from contextlib import contextmanager

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from memkit import (
    START,
    AssistantMessage,
    CodecError,
    CorruptRecordError,
    Fact,
    InvalidInputError,
    InvalidRecordError,
    MemoryKit,
    MemoryManager,
    MemoryNotFoundError,
    Message,
    RevisionConflictError,
    SystemMessage,
    ToolCall,
    ToolMessage,
    TurnHeldError,
    UserMessage,
    WindowError,
)
from memkit.backends.base import IBackend
from memkit.backends.inmemory import InMemoryBackend
from memkit.codec.serializers import JsonSerializer, MsgpackSerializer
from memkit.codec.wire import Codec, Envelope, binding_of
from memkit.commands import (
    Cursor,
    Entered,
    IndexEnter,
    IndexTouch,
    LogAppend,
    LogFind,
    LogRemove,
    LogRewrite,
    LogSlice,
    LogWindow,
    Mark,
    Retention,
    Slice,
    Swap,
    TurnGrant,
    TurnTake,
    WindowSlots,
)
from memkit.faces.options import context_of
from memkit.flows.history import window as window_module
from memkit.flows.history.append import append
from memkit.flows.history.compact import Plan
from memkit.flows.history.conversation import Conversation
from memkit.flows.history.edit import pop
from memkit.flows.history.follow import Follower
from memkit.flows.history.groups import groups_of, runs
from memkit.flows.history.opening import opened
from memkit.flows.history.pages import messages
from memkit.flows.history.repair import INTERRUPTED, mended
from memkit.flows.history.swap import Stand
from memkit.flows.history.turns import Taking
from memkit.flows.history.window import window
from memkit.flows.marks import mark_of
from memkit.flows.places import ALL_CONVERSATIONS, ALL_USERS, conversations_of
from memkit.flows.touch import Touches
from memkit.ids import pack_id
from memkit.testing.clock import ManualClock

# -- a log that is a list ----------------------------------------------------------------------------------------------

DEAD = None


@frozen
class Stored:
    """A place of the log: its bytes, what the backend knows of it, and what was stored there."""

    wire: bytes
    mark: Mark
    message: object

    def joins(self):
        return Mark.FOLLOWS in self.mark


def conversation(**options):
    return Conversation(context_of(clock=ManualClock(), **options), "c")


def stored(talk, message, *, is_damaged=False):
    wire = talk.ctx.codec.encode(message, Envelope(pack_id(message.id), 0, 0, 1, talk.binding.scope), "m")
    return Stored(b"\xc1" + wire if is_damaged else wire, mark_of(message), message)


class List:
    """Answers the reading commands from a list of places; DEAD is one whose record was removed."""

    def __init__(self, places):
        self.places = places
        self.reads = []

    def run(self, flow):
        try:
            command = next(flow)
            while True:
                command = flow.send(self.answer(command))
        except StopIteration as stop:
            return stop.value

    def answer(self, command):
        if isinstance(command, tuple):
            return [self.answer(each) for each in command]
        if isinstance(command, IndexEnter):
            return Entered(done=True)
        answers = {LogWindow: self.window, LogSlice: self.slice, LogFind: self.find, LogRemove: self.remove}
        return answers.get(type(command), lambda _: None)(command)

    def live(self, start, end):
        return [place.wire for place in self.places[start:end] if place is not DEAD]

    def joins(self, at):
        return self.places[at] is DEAD or self.places[at].joins()

    def window(self, command):
        total = len(self.places)
        start = max(total - command.count, 0)
        while 0 < start < total and self.joins(start):
            start -= 1
        lead = 0
        while lead < start and (self.places[lead] is DEAD or Mark.SYSTEM in self.places[lead].mark):
            lead += 1
        self.reads.append(total - start)
        first = Cursor(b"%d" % start) if total else None
        return WindowSlots(self.live(0, lead), self.kept(lead, start), self.live(start, total), first, start - lead)

    def kept(self, lead, start):
        out, at = [], lead
        while at < start:
            end = at + 1
            while end < start and self.joins(end):
                end += 1
            if any(place is not DEAD and Mark.PINNED in place.mark for place in self.places[at:end]):
                out += self.live(at, end)
            at = end
        return out

    def find(self, command):
        at = self.at(command.id)
        return None if at is None else self.places[at].wire

    def remove(self, command):
        at = self.at(command.id)
        done = at is not None and command.old in (None, self.places[at].wire)
        if done:
            self.places[at] = DEAD
        return Swap(done)

    def at(self, anchor):
        if isinstance(anchor, Cursor):
            return int(anchor.value)
        ids = [None if place is DEAD else pack_id(place.message.id) for place in self.places]
        return ids.index(anchor) if anchor in ids else None

    def slice(self, command):
        after = -1 if command.after is None else self.at(command.after)
        before = len(self.places) if command.before is None else self.at(command.before)
        if after is None or before is None:
            return None
        start, end = after + 1, max(before, after + 1)
        count = end - start if command.count is None else min(command.count, end - start)
        more = count < end - start
        start, end = (end - count, end) if command.newest else (start, start + count)
        self.reads.append(count)
        ends = (Cursor(b"%d" % start), Cursor(b"%d" % (end - 1))) if count else (None, None)
        return Slice(self.live(start, end), *ends, more)


# -- any history -------------------------------------------------------------------------------------------------------

CALLS = ("x", "y", "z")
KINDS = "s", "u", "a", "c", "t", "fact"


def message_of(number, kind, calls, *, pinned, tokens):
    fields = {"id": f"{kind}{number}", "pinned": pinned, "tokens": tokens}
    if kind == "fact":
        return Fact("known", id=f"fact{number}")
    if kind == "t":
        return ToolMessage("result", tool_call_id=calls[0], **fields)
    if kind == "c":
        return AssistantMessage(tool_calls=[ToolCall(call, "f") for call in calls], **fields)
    return {"s": SystemMessage, "u": UserMessage, "a": AssistantMessage}[kind]("text", **fields)


@st.composite
def histories(draw, kinds=KINDS, most=30):
    """Any messages in any order, with a bias to calls that are followed by results."""
    out = []
    for _ in range(draw(st.integers(0, most))):
        kind = draw(st.sampled_from(kinds))
        calls = draw(st.lists(st.sampled_from(CALLS), min_size=1, max_size=3))
        pinned, tokens = draw(st.integers(0, 9)) == 0, draw(st.integers(0, 4))
        out.append(message_of(len(out), kind, calls, pinned=pinned, tokens=tokens))
        answered = draw(st.permutations(calls)) if kind == "c" and draw(st.booleans()) else []
        if answered and draw(st.integers(0, 2)) == 0:
            answered.insert(draw(st.integers(0, len(answered))), draw(st.sampled_from(CALLS)))
        for call in answered:
            out.append(message_of(len(out), "t", [call], pinned=False, tokens=draw(st.integers(0, 4))))
    return out


@st.composite
def logs(draw):
    """A log with any history in it, in which some places are dead."""
    places = [(message, draw(st.integers(0, 7)) == 0) for message in draw(histories())]
    return [DEAD if is_dead else message for message, is_dead in places]


BOUNDS = st.none() | st.integers(1, 12)


def naive_groups(live):
    """All valid groups of a history, told by looking at every message from the first on."""
    out, at = [], 0
    while at < len(live):
        head, end = live[at], at + 1
        while end < len(live) and isinstance(live[end], ToolMessage):
            end += 1
        open_calls = [call.id for call in getattr(head, "tool_calls", ())]
        answers = []
        for result in live[at + 1 : end]:
            if result.tool_call_id in open_calls:
                open_calls.remove(result.tool_call_id)
                answers.append(result)
        if not open_calls and not isinstance(head, ToolMessage | Fact):
            out.append([head, *answers])
        at = end
    return out


def naive_window(live, last, tokens):
    """The window of a whole history: a list of ids, or the bound that is too small."""
    lead = 0
    while lead < len(live) and isinstance(live[lead], SystemMessage):
        lead += 1
    groups = naive_groups(live[lead:])
    stays = [any(message.pinned for message in group) for group in groups]
    count = 0
    weight = sum(message.tokens for message in live[:lead])
    weight += sum(message.tokens for group, stay in zip(groups, stays, strict=True) if stay for message in group)
    if tokens is not None and weight > tokens:
        return "tokens"
    for at in reversed(range(len(groups))):
        if stays[at]:
            continue
        count += len(groups[at])
        weight += sum(message.tokens for message in groups[at])
        too_many = last is not None and count > last
        if too_many or (tokens is not None and weight > tokens):
            if count == len(groups[at]):
                return "last" if too_many else "tokens"
            break
        stays[at] = True
    chosen = [message for group, stay in zip(groups, stays, strict=True) if stay for message in group]
    return [message.id for message in [*live[:lead], *chosen]]


def assert_valid(found):
    """OpenAI and Anthropic take these messages."""
    owed, begun = [], False
    for message in found:
        if isinstance(message, ToolMessage):
            assert begun
            owed.remove(message.tool_call_id)
        else:
            assert not owed
            owed = [call.id for call in getattr(message, "tool_calls", ())]
        begun = begun or not isinstance(message, SystemMessage)
    assert not owed


def or_bound(make):
    """What a window is, or the bound that is too small."""
    try:
        return make()
    except WindowError as error:
        return error.bound


# -- the window --------------------------------------------------------------------------------------------------------


@contextmanager
def pages_of(size):
    """Pages so small that groups lie across them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window_module, "_PAGE", size)
        patch.setattr(window_module, "LARGEST_PAGE", 2 * size)
        yield


@pytest.mark.parametrize("page", [2, 32])
@given(log=logs(), last=BOUNDS, tokens=BOUNDS | st.integers(1, 60))
def test_the_window_is_what_the_whole_history_says(page, log, last, tokens):
    """For any history and any bounds the window is valid, and exactly the largest that looking at everything gives."""
    talk = conversation()
    live = [message for message in log if message is not DEAD]
    source = List([DEAD if message is DEAD else stored(talk, message) for message in log])
    with pages_of(page):
        found = or_bound(lambda: source.run(window(talk, last, tokens, None)))
    expected = naive_window(live, last, tokens)
    assert (found if isinstance(found, str) else [message.id for message in found]) == expected
    assert_valid([] if isinstance(found, str) else found)


@given(logs(), st.sets(st.integers(0, 40)), BOUNDS)
def test_damage_breaks_only_its_group(log, damaged, last):
    """Where damage is reported a window is valid all the same, without a group in which a result is damaged."""
    talk = conversation(on_corrupt="report")
    places = [
        DEAD if message is DEAD else stored(talk, message, is_damaged=n in damaged) for n, message in enumerate(log)
    ]
    source = List(places)
    found = or_bound(lambda: source.run(window(talk, last, None, None)))
    assert_valid([] if isinstance(found, str) else found)
    everything = source.run(window(talk, None, None, None))
    assert_valid(everything)
    assert len(everything.damaged) == sum(n in damaged and message is not DEAD for n, message in enumerate(log))
    broken = {message.id for message in log if message is not DEAD} - {message.id for message in everything}
    assert {log[n].id for n in damaged if n < len(log) and log[n] is not DEAD} <= broken


def test_damage_far_away_is_reported():
    """A damaged result in a pinned group far from the end is reported, once, and the group is left out."""
    talk = conversation(on_corrupt="report")
    history = [
        UserMessage(id="u0", tokens=1),
        AssistantMessage(id="a", tool_calls=[ToolCall("x", "f"), ToolCall("y", "f")], pinned=True, tokens=1),
        ToolMessage(tool_call_id="x", id="t1", tokens=1),
        ToolMessage(tool_call_id="y", id="t2", tokens=1),
        *(UserMessage(id=f"u{n}", tokens=1) for n in range(1, 60)),
    ]
    source = List([stored(talk, message, is_damaged=message.id == "t2") for message in history])
    found = source.run(window(talk, 1, None, None))
    assert ([message.id for message in found], len(found.damaged)) == (["u59"], 1)
    found = source.run(window(talk, None, 1000, None))
    assert (len(found), len(found.damaged)) == (60, 1)


def long_history(talk, count=3000):
    talks = [SystemMessage(id="s", tokens=1), UserMessage(id="p", pinned=True, tokens=1)]
    talks += [UserMessage(id=f"u{n}", tokens=1) for n in range(count)]
    return List([stored(talk, message) for message in talks])


@pytest.mark.parametrize(
    ("last", "tokens", "reads"),
    [
        (1, None, [1]),
        (10, None, [10]),
        (1000, None, [1000]),
        (None, 3, [32]),
        (None, 100, [32, 64, 128]),
        (5, 1000, [5]),
        (500, 5, [32]),
        (None, 2500, [32, 64, 128, 256, 512, 1024, 985]),
    ],
)
def test_a_window_costs_what_it_returns(last, tokens, reads):
    """In a long history only as much is read as is needed: one command for `last`, growing pages for `tokens`."""
    talk = conversation()
    source = long_history(talk)
    source.run(window(talk, last, tokens, None))
    assert source.reads == reads
    assert sum(source.reads) <= 4 * (last or tokens) + 64


def test_a_window_reads_on_for_what_was_left_out():
    """Where places at the end hold nothing for the window, older ones are read until it is full."""
    talk = conversation()
    source = long_history(talk, 200)
    source.places[-40:] = [DEAD] * 20 + [
        stored(talk, ToolMessage(tool_call_id="x", id=f"t{n}", tokens=1)) for n in range(20)
    ]
    found = source.run(window(talk, 3, None, None))
    assert [message.id for message in found] == ["s", "p", "u157", "u158", "u159"]


class Moving(List):
    """A list into which others write between two commands."""

    def __init__(self, places, act):
        super().__init__(places)
        self.act = act

    def answer(self, command):
        try:
            return super().answer(command)
        finally:
            self.act(self.places)


@pytest.mark.parametrize("page", [2, 32])
@given(log=logs(), chance=st.randoms(use_true_random=False))
def test_a_window_of_what_changes_is_valid(page, log, chance):
    """Whatever is removed or put at the head between two reads, a window is valid and has nothing twice."""
    talk = conversation()

    def act(places):
        if places and chance.random() < 0.7:
            places[chance.randrange(len(places))] = DEAD
        if places and chance.random() < 0.5:
            places.pop(0)
        if chance.random() < 0.3:
            places.insert(0, stored(talk, UserMessage(id=f"new{len(places)}", tokens=1)))

    source = Moving([DEAD if message is DEAD else stored(talk, message) for message in log], act)
    with pages_of(page):
        found = source.run(window(talk, None, 10_000, None))
    assert_valid(found)
    assert len({message.id for message in found}) == len(found)


def test_who_counts_tokens():
    """Stored counts come first, then the counter of the call, then that of the history; a wrong count is refused."""
    talk = conversation()
    source = List([stored(talk, UserMessage(id="a", tokens=9)), stored(talk, UserMessage(id="b"))])
    own = opened(talk.ctx, "c", None, lambda _: 2, max_messages=None, max_age=None)
    assert len(source.run(window(own, None, 11, None))) == 2
    assert len(source.run(window(own, None, 11, lambda _: 3))) == 1
    for wrong in (lambda _: -1, lambda _: 1.0, lambda _: True, lambda _: None):
        with pytest.raises(InvalidInputError, match="counter: returned"):
            source.run(window(talk, None, 11, wrong))
    with pytest.raises(InvalidInputError, match="counter: is missing"):
        source.run(window(talk, None, 11, None))


@pytest.mark.parametrize("wrong", [0, -1, True, 1.0, "3"])
@pytest.mark.parametrize("name", ["last", "tokens"])
def test_bounds_are_checked(name, wrong):
    """A bound that is no whole number from 1 is refused by its name, before anything is read."""
    bounds = {"last": None, "tokens": None, name: wrong}
    with pytest.raises(InvalidInputError) as caught:
        next(window(conversation(), **bounds, counter=None))
    assert caught.value.field == name


# -- pages -------------------------------------------------------------------------------------------------------------


def naive_page(live, after, before, limit, role):
    ids = [message.id for message in live]
    if before is START:
        return []
    start = ids.index(after) + 1 if isinstance(after, str) else 0
    end = ids.index(before) if isinstance(before, str) else len(live)
    found = [m for m in live[start:end] if isinstance(m, Message) and role in (None, m.role)]
    if limit is None:
        return found
    return found[:limit] if after is not None else found[max(len(found) - limit, 0) :]


@given(logs(), st.data())
def test_pages_are_what_the_whole_history_says(log, data):
    """For any anchors, limit and role, `messages` gives what slicing the whole history gives, dead places or not."""
    talk = conversation()
    live = [message for message in log if message is not DEAD]
    anchors = st.none() | (st.sampled_from([message.id for message in live]) if live else st.none())
    after, before = data.draw(anchors | st.just(START)), data.draw(anchors | st.just(START))
    limit, role = data.draw(st.none() | st.integers(0, 6)), data.draw(st.sampled_from([None, "user", "tool"]))
    source = List([DEAD if message is DEAD else stored(talk, message) for message in log])
    found = source.run(messages(talk, after, before, limit, role))
    assert [message.id for message in found] == [m.id for m in naive_page(live, after, before, limit, role)]


@pytest.mark.parametrize("start", [None, START])
def test_pages_read_until_they_are_full(start):
    """A page is full although most places hold no message of the role, and reads no more than it needs."""
    talk = conversation()
    places = [stored(talk, (SystemMessage if n % 100 == 0 else UserMessage)(id=f"m{n}")) for n in range(5000)]
    source = List(places)
    found = source.run(messages(talk, start, None, 3, "system"))
    expected = ["m0", "m100", "m200"] if start else ["m4700", "m4800", "m4900"]
    assert [message.id for message in found] == expected
    assert sum(source.reads) < 1000


def test_the_missing_anchor_is_named():
    """The error names the anchor that is not there, not the other one."""
    talk = conversation()
    source = List([stored(talk, UserMessage(id="there"))])
    for anchors in ({"after": "gone", "before": "there"}, {"after": "there", "before": "gone"}):
        with pytest.raises(MemoryNotFoundError, match="'gone'"):
            source.run(messages(talk, **anchors, limit=None, role=None))


# -- groups, repair, compaction ----------------------------------------------------------------------------------------


@given(histories(kinds=("s", "u", "a", "c", "t")))
def test_repair_makes_every_group_whole(history):
    """After a repair every message is in a window, calls have one result each, and another repair has nothing to do."""
    result = mended(history)
    after = [
        history[item] if isinstance(item, int) else ToolMessage(tool_call_id=item.id, id=f"new{n}")
        for n, item in enumerate(result.order)
    ]
    assert_valid(after)
    assert [message for group in groups_of(after) for message in group.messages] == after
    assert not mended(after).report
    assert bool(result.report) == (after != history)


@given(histories())
def test_repair_takes_out_only_results(history):
    """A repair keeps every other message in its order, and what it does is what it says."""
    result = mended(history)
    places = [item for item in result.order if isinstance(item, int)]
    gone = set(range(len(history))) - set(places)
    assert {history[place].id for place in gone} == set(result.report.removed)
    assert all(isinstance(history[place], ToolMessage) for place in gone)
    others = [place for place in places if not isinstance(history[place], ToolMessage)]
    assert others == sorted(others)
    assert len(result.report.closed) == len(result.order) - len(places)
    assert len(set(places)) == len(places)


@given(histories())
def test_repair_writes_only_what_differs(history):
    """Putting the piece into its place gives the whole result; it holds a message, and behind it stands no result."""
    result = mended(history)
    if not result.report:
        return
    first, end, order = result.changed(history)
    whole = [*range(first), *order, *range(end, len(history))]
    assert whole == result.order
    assert 0 <= first < end <= len(history)
    assert end == len(history) or not isinstance(history[end], ToolMessage)


def test_repair_of_a_crash():
    """A call that was cut off is closed, a late result goes to its call, and what nobody asked for is taken out."""
    history = [
        ToolMessage(tool_call_id="nobody", id="t0"),
        AssistantMessage(tool_calls=[ToolCall("x", "f"), ToolCall("y", "g")], id="a1"),
        ToolMessage(tool_call_id="y", id="t1"),
        UserMessage("and?", id="u1"),
        ToolMessage(tool_call_id="y", id="t2"),
        AssistantMessage(tool_calls=[ToolCall("x", "f")], id="a2"),
        ToolMessage(tool_call_id="x", id="t3"),
        ToolMessage(tool_call_id="x", id="t4"),
        AssistantMessage(tool_calls=[ToolCall("z", "h")], id="a3"),
    ]
    result = mended(history)
    report = result.report
    assert (report.closed, report.moved, report.removed) == (("z",), ("t4",), ("t0", "t2"))
    names = [history[item].id if isinstance(item, int) else item.id for item in result.order]
    assert names == ["a1", "t1", "t4", "u1", "a2", "t3", "a3", "z"]


@pytest.mark.parametrize(("place", "call"), [(0, "a1"), (3, "a1"), (5, "a2"), (7, "a3")])
def test_a_stray_result_goes_to_the_nearest_call(place, call):
    """Of several calls with one id and no result, the nearest before a stray result gets it, else the next behind."""
    history = []
    for n in (1, 2, 3):
        history.append(UserMessage(id=f"u{n}"))
        history.append(AssistantMessage(tool_calls=[ToolCall("x", "f")], id=f"a{n}"))
    history.append(UserMessage(id="u4"))
    history.insert(place, ToolMessage(tool_call_id="x", id="t"))
    names = [history[item].id for item in mended(history).order if isinstance(item, int)]
    assert names[names.index("t") - 1] == call


@given(histories(), st.integers(0, 30))
def test_compaction_keeps_what_stays(history, end):
    """Of a range, system messages at its head and every run with a pinned message stay; all others go, each once."""
    end = min(end, len(history))
    plan = Plan.of(Stand(None, history, []), end)
    lead = len(history[:end]) - len(list(_without_lead(history[:end])))
    assert plan.head == lead
    assert sorted([*range(plan.head), *plan.kept, *plan.gone]) == list(range(end))
    assert not any(getattr(message, "pinned", False) for message in plan.messages)
    at = plan.head
    for run in runs(history[plan.head : end]):
        stays = {at + n in plan.kept for n in range(len(run))}
        assert stays == {any(getattr(item, "pinned", False) for item in run)}
        at += len(run)


def _without_lead(messages):
    begun = False
    for message in messages:
        begun = begun or not isinstance(message, SystemMessage)
        if begun:
            yield message


# -- others write meanwhile --------------------------------------------------------------------------------------------


class Meddling(IBackend):
    """In-memory, and right before a command of some class somebody else acts, once for each act."""

    def __init__(self):
        self._backend = InMemoryBackend()
        self.acts = {}

    def execute(self, command):
        acts = self.acts.get(type(command))
        if acts:
            acts.pop(0)()
        return self._backend.execute(command)

    def ping(self):
        return True

    def close(self):
        pass


@pytest.fixture
def meddled():
    """Return a history whose backend meddles, and another one of the same conversation."""
    backend = Meddling()
    with MemoryKit(MemoryManager(backend)) as kit:
        yield backend, kit.history("c"), kit.history("c")


CALL = AssistantMessage(tool_calls=[ToolCall("x", "f")], id="a")
RESULT = ToolMessage(tool_call_id="x", id="t")


def test_a_pop_returns_what_it_removed(meddled):
    """Where the last message changes in between, the changed one is removed and returned."""
    backend, history, other = meddled
    history.append(UserMessage("old", id="m"))
    backend.acts[LogRemove] = [lambda: other.update("m", UserMessage("new"))]
    assert history.pop().content == "new"
    assert history.count() == 0


@pytest.mark.parametrize("dead", [0, 1, 5, 100])
def test_a_pop_looks_behind_removed_places(dead):
    """The last message is found however many were removed behind it; without any there is none."""
    talk = conversation()
    source = List([DEAD] * 3 + [stored(talk, UserMessage(id="m"))] + [DEAD] * dead)
    assert source.run(pop(talk)).id == "m"
    assert source.run(pop(talk)) is None


def test_a_compaction_begins_anew_when_the_range_changes(meddled):
    """Where a message of the range is pinned in between, it stays; where one is appended, it stays, too."""
    backend, history, other = meddled
    history.append(*(UserMessage(name, id=name) for name in "abcd"))
    pin = [lambda: other.update("b", UserMessage("b", pinned=True)), lambda: other.append(UserMessage("e", id="e"))]
    backend.acts[LogRewrite] = pin
    done = history.compact("c", UserMessage("sum", id="s"))
    assert [message.id for message in history.messages()] == ["s", "b", "d", "e"]
    assert (done.removed, done.kept, done.summary_id) == (2, 1, "s")


def test_a_compaction_of_another_revision(meddled):
    """With an expected revision an append in between is a conflict that names the new one, and nothing is changed."""
    backend, history, other = meddled
    history.append(*(UserMessage(name, id=name) for name in "abc"))
    revision = history.info().revision
    backend.acts[LogRewrite] = [lambda: other.append(UserMessage("d"))]
    with pytest.raises(RevisionConflictError) as caught:
        history.compact("b", UserMessage("sum"), expected_revision=revision)
    assert (caught.value.expected, caught.value.actual) == (revision, history.info().revision)
    assert history.count() == 4


def test_a_repair_begins_anew(meddled):
    """A result that arrives while its call is being closed is kept, and no other one is made."""
    backend, history, other = meddled
    history.append(UserMessage("u", id="u"), CALL)
    backend.acts[LogRewrite] = [lambda: other.append(RESULT)]
    assert not history.repair()
    assert [message.id for message in history.messages()] == ["u", "a", "t"]


def test_a_repair_leaves_new_messages_alone(meddled):
    """What is appended during a repair stands behind what was repaired."""
    backend, history, other = meddled
    history.append(CALL)
    backend.acts[LogRewrite] = [lambda: other.append(UserMessage("new", id="u"))]
    assert history.repair().closed == ("x",)
    found = history.messages()
    assert [message.role for message in found] == ["assistant", "tool", "user"]
    assert (found[1].content, found[1].is_error, found[1].name) == (INTERRUPTED, True, "f")


def test_a_fork_within_a_turn(meddled):
    """The turn is that of the conversation alone: its copy is made in no turn."""
    _, history, _ = meddled
    with history.turn() as turn:
        turn.append(UserMessage("a"))
        assert turn.fork("d").count == 1


# -- appends -----------------------------------------------------------------------------------------------------------


def commands_of(flow, owner=None):
    """What a flow asks for, in its order, and what it returns, on a cluster; the conversation has this owner."""
    commands = []

    def answer(command):
        return Entered(done=False, owner=owner) if isinstance(command, IndexEnter) else 1

    try:
        step = next(flow)
        while True:
            several = isinstance(step, tuple)
            commands += step if several else [step]
            step = flow.send([answer(command) for command in step] if several else answer(step))
    except StopIteration as stop:
        return commands, stop.value


def appended(talk, *given, key=None):
    return commands_of(append(talk, given, key))


def test_ids_follow_from_the_key():
    """An idempotency key makes UUIDv8 that depend on namespace, conversation, key and number, and on nothing else."""
    one, two, three = conversation(), conversation(namespace="other"), evolve(conversation(), id="c:k")
    messages = [UserMessage("a"), UserMessage("b")]
    ids = [appended(talk, *messages, key=key)[1] for talk in (one, two, three) for key in ("k", "k:1", "1")]
    assert len({message_id for batch in ids for message_id in batch}) == 18
    assert {uuid.UUID(message_id).version for batch in ids for message_id in batch} == {8}
    assert {uuid.UUID(message_id).variant for batch in ids for message_id in batch} == {uuid.RFC_4122}
    assert appended(one, UserMessage("x"), UserMessage("y"), key="k")[1] == ids[0]
    (command,) = [each for each in appended(one, *messages, key="k")[0] if isinstance(each, LogAppend)]
    assert command.whole
    assert not any(entry.fresh for entry in command.entries)


def test_an_append_says_what_a_backend_has_to_know():
    """Marks, retention, default time to live and turn go along; without a key the first message decides nothing."""
    ctx = context_of(clock=ManualClock(), max_messages=7, max_age=60)
    talk = evolve(opened(ctx, "c", "ada", lambda _: 3, max_messages=5, max_age=None), turn=4)
    given = [SystemMessage("s", pinned=True), ToolMessage("t", tool_call_id="x"), UserMessage("u", tokens=1)]
    commands, _ = appended(talk, *given)
    assert [type(command) for command in commands] == [IndexEnter, IndexTouch, IndexTouch, IndexTouch, LogAppend]
    (command,) = commands[4:]
    assert [entry.mark for entry in command.entries] == [Mark.SYSTEM | Mark.PINNED, Mark.FOLLOWS, Mark.NONE]
    assert (command.retention, command.default_ttl, command.turn) == (Retention(5, 0), True, 4)
    assert (command.whole, command.alone, command.owner) == (False, False, "ada")
    tokens = [ctx.codec.decode(entry.wire, talk.binding).tokens for entry in command.entries]
    assert tokens == [3, 3, 1]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([], "messages"),
        ([Fact("x")], "messages[0]"),
        ([UserMessage("a"), "b"], "messages[1]"),
        ([[UserMessage("a")]], "messages[0]"),
        ([UserMessage("a", id="x"), UserMessage("b", id="x")], "messages"),
        ([UserMessage("a", id="")], "messages[0].id"),
        ([UserMessage("a", metadata={"x": {1, 2}})], "messages[0].metadata['x']"),
    ],
)
def test_wrong_messages_are_refused(given, field):
    """What cannot be appended is refused with its path, before anything is sent."""
    with pytest.raises(InvalidInputError) as caught:
        appended(conversation(), *given)
    assert caught.value.field == field


@pytest.mark.parametrize("key", ["", 3, b"k"])
def test_a_wrong_key_is_refused(key):
    """An idempotency key is a text that is not empty."""
    with pytest.raises(InvalidInputError) as caught:
        appended(conversation(), UserMessage("a"), key=key)
    assert caught.value.field == "idempotency_key"


# -- touches -----------------------------------------------------------------------------------------------------------


def touched(touches, now, name, user=None, **options):
    owner, ttl_ms = options.get("owner"), options.get("ttl_ms", 1000)
    commands, _ = commands_of(touches.touch(now, name, user, ttl_ms), owner)
    return [(each.place, each.name, each.ttl_ms) for each in commands if isinstance(each, IndexTouch)]


def test_a_conversation_is_touched_once_in_ten_seconds():
    """The user's index is touched first and that of all last; nothing for ten seconds, and then once more."""
    touches = Touches()
    assert touched(touches, 0, "c", "ada") == [
        (conversations_of("ada"), "c", 1000),
        (ALL_USERS, "ada", 1000),
        (ALL_CONVERSATIONS, "c", 1000),
    ]
    assert touched(touches, 9.9, "c", "ada") == []
    assert touched(touches, 9.9, "c") == [(ALL_CONVERSATIONS, "c", 1000)]
    assert touched(touches, 9.9, "c", "bob") != []
    assert len(touched(touches, 10, "c", "ada")) == 3


def test_an_owner_keeps_what_others_write_to():
    """A write on nobody's behalf touches the index of the owner too, or an erasure of his data could miss it."""
    assert touched(Touches(), 0, "c", owner="ada") == [
        (conversations_of("ada"), "c", 1000),
        (ALL_USERS, "ada", 1000),
        (ALL_CONVERSATIONS, "c", 1000),
    ]


def test_a_renewed_life_is_touched_for_ever():
    """Where writes renew a time to live that was set, nobody knows here how long it is: the indexes keep the name."""
    flow = Touches().touch(0, "c", "ada", 1000)
    next(flow)
    touches = [*flow.send([Entered(done=False, owner="ada", renews_ms=5)]), *flow.send([None])]
    assert [command.ttl_ms for command in touches] == [0] * 3


def test_a_longer_life_touches_again():
    """A write that lives longer than the last touch said touches again; for ever is longer than anything."""
    touches = Touches()
    for ttl_ms, count in ((1000, 1), (999, 0), (1001, 1), (0, 1), (0, 0), (5000, 0)):
        assert len(touched(touches, 0, "c", ttl_ms=ttl_ms)) == count, ttl_ms


def test_a_touch_that_failed_is_made_again():
    """Only what was done counts: after an error in between, the next write touches once more."""
    touches = Touches()
    flow = touches.touch(0, "c", "ada", 0)
    next(flow)
    flow.close()
    assert len(touched(touches, 0, "c", "ada", ttl_ms=0)) == 3


def test_touches_are_bounded():
    """Of more conversations than there is room for, those not touched for longest are forgotten."""
    touches = Touches(most=3)
    for name in "abcd":
        touched(touches, 0, name)
    assert [touched(touches, 1, name) == [] for name in "bcd"] == [True] * 3
    assert touched(touches, 1, "a") != []
    assert len(touches._known) == 3
    touched(touches, 20, "c")
    touched(touches, 20, "b")
    assert [touched(touches, 20, name) == [] for name in "cb"] == [True, True]


# -- waiting -----------------------------------------------------------------------------------------------------------


def take(taking, clock, grants):
    """Attempt until it ends; the pauses."""
    pauses = []
    for grant in grants:
        flow = taking.attempt()
        try:
            step = next(flow)
            while True:
                # Where the conversation is named is looked at elsewhere.
                step = flow.send(grant if isinstance(step, TurnTake) else [Entered(done=True)])
        except StopIteration as stop:
            if stop.value is not None:
                return pauses
        pauses.append(taking.pause)
        clock.sleep(taking.pause)
    return pauses


def test_taking_a_turn_waits_in_growing_steps():
    """The pauses grow, end with the other's turn at the latest, and together last no longer than one wants to wait."""
    talk = conversation()
    pauses = take(Taking(talk, 30, 2), talk.ctx.clock, [TurnGrant(None, 60_000)] * 8 + [TurnGrant(5)])
    assert pauses == sorted(pauses)
    assert (pauses[0], max(pauses)) == (0.01, 0.5)
    assert take(Taking(talk, 30, 9), talk.ctx.clock, [TurnGrant(None, 3), TurnGrant(7)]) == [0.003]
    began = talk.ctx.clock.monotonic()
    with pytest.raises(TurnHeldError) as caught:
        take(Taking(talk, 30, 2), talk.ctx.clock, [TurnGrant(None, 60_000)] * 100)
    assert caught.value.retry_after == 60
    assert talk.ctx.clock.monotonic() - began == pytest.approx(2)
    with pytest.raises(TurnHeldError):
        take(Taking(talk, 30, 0), talk.ctx.clock, [TurnGrant(None, 500)])


def test_a_turn_has_no_turn_inside():
    """Whoever has the turn is told so when he takes it again, instead of waiting for himself."""
    with pytest.raises(InvalidInputError, match="turn: "):
        Taking(evolve(conversation(), turn=3), 30, 100)


def follow(source, follower, clock, acts=()):
    """Follow to the end; what was seen, and the pauses."""
    seen, pauses, acts = [], [], list(acts)
    while True:
        seen += [message.id for message in source.run(follower.look())]
        pause = follower.pause()
        if pause is None:
            return seen, pauses
        pauses.append(pause)
        clock.sleep(pause)
        if acts:
            acts.pop(0)()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_following_begins_behind_the_last(count):
    """Without a start only what comes later is seen, in an empty log too, and each message once."""
    talk = conversation()
    source = List([stored(talk, UserMessage(id=f"old{n}")) for n in range(count)])
    acts = [lambda n=n: source.places.append(stored(talk, UserMessage(id=f"new{n}"))) for n in range(3)]
    seen, _ = follow(source, Follower(talk, None, 0.5, 1), talk.ctx.clock, acts)
    assert seen == ["new0", "new1", "new2"]


def test_following_holds_its_place():
    """The message to begin behind may be removed as soon as it was found, and nothing is missed or seen twice."""
    talk = conversation()
    source = List([stored(talk, UserMessage(id="a")), stored(talk, UserMessage(id="b"))])

    def remove():
        source.places[1] = DEAD

    acts = [remove, lambda: source.places.append(stored(talk, UserMessage(id="c")))]
    assert follow(source, Follower(talk, "b", 0.5, 1), talk.ctx.clock, acts)[0] == ["c"]
    with pytest.raises(MemoryNotFoundError, match="'b'"):
        follow(source, Follower(talk, "b", 0.5, 1), talk.ctx.clock)


@pytest.mark.parametrize("start", [START, "m0"])
def test_following_reads_all_there_is(start):
    """What is there already is read without a pause, in pages."""
    talk = conversation()
    source = List([stored(talk, UserMessage(id=f"m{n}")) for n in range(700)])
    seen, pauses = follow(source, Follower(talk, start, 0.5, 0), talk.ctx.clock)
    assert seen == [f"m{n}" for n in range(700)][0 if start is START else 1 :]
    assert set(pauses) <= {0.0}
    assert max(source.reads) <= 256


def test_following_looks_soon_after_a_message():
    """The pauses begin short after each message, double up to `poll`, and end after `timeout` of silence."""
    talk = conversation()
    source = List([])
    came = [lambda: None] * 3 + [lambda: source.places.append(stored(talk, UserMessage(id="m")))]
    _, pauses = follow(source, Follower(talk, None, 0.1, 1), talk.ctx.clock, came)
    assert pauses[:4] == [0.02, 0.04, 0.08, 0.1]
    assert pauses[4:8] == [0.02, 0.04, 0.08, 0.1]
    assert sum(pauses[4:]) == pytest.approx(1)


# -- bytes -------------------------------------------------------------------------------------------------------------

SERIALIZERS = [MsgpackSerializer, JsonSerializer]


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_a_mapping_comes_back(serializer):
    """A mapping that belongs to no record is packed losslessly, and read whatever packed it."""
    codec = Codec(serializer())
    given = {"a": [1, b"\x00", {"$time": 3}], "$map": {}, "t": None}
    assert Codec().unpack_map(codec.pack_map(given, "metadata"), "here") == given
    with pytest.raises(InvalidRecordError) as caught:
        codec.pack_map({"a": {1}}, "metadata")
    assert caught.value.path == "metadata['a']"


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"[", b"[1]", b"\x90", b"\x98\x01\x01\x01\x01\x01\x01\x01\x01"])
def test_a_damaged_mapping_is_told(raw):
    """Bytes that are no mapping are corrupt, by the name of their place."""
    with pytest.raises(CorruptRecordError, match="here"):
        Codec().unpack_map(raw, "here")


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_a_record_moves_to_another_place(serializer):
    """A record that is bound anew is refused in its old place, and else it is the same, to the last unknown field."""
    codec = Codec(serializer())
    old, new = binding_of("n", "k", "c"), binding_of("n", "k", "d")
    raw = codec.encode(UserMessage("hi", metadata={"a": 1}), Envelope("m", 5, 6, 7, old.scope), "m")
    newer = codec.serializer.unpack(raw)
    newer[0] = 2
    newer += [None] * 3 + [0, "from a newer schema"]
    moved = codec.rebound(codec.serializer.pack(newer), new.scope, "m")
    back = codec.serializer.unpack(moved)
    assert back[2] == new.scope
    assert back[:2] + back[3:] == newer[:2] + newer[3:]
    with pytest.raises(CodecError):
        codec.decode(moved, old)
    assert codec.decode(codec.rebound(raw, new.scope, "m"), new) == codec.decode(raw, old)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("", None, None), "conversation_id"),
        (("c", "", None), "user_id"),
        (("c", None, 3), "counter"),
    ],
)
def test_the_arguments_of_a_history_are_checked(arguments, field):
    """Ids and counter of a history are checked when it is made."""
    with pytest.raises(InvalidInputError) as caught:
        opened(conversation().ctx, *arguments, max_messages=None, max_age=None)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("max_messages", 0), ("max_messages", True), ("max_messages", 1.5), ("max_age", 0), ("max_age", float("nan"))],
)
def test_the_bounds_of_a_history_are_checked(name, wrong):
    """Bounds of what a history keeps are checked when it is made."""
    with pytest.raises(InvalidInputError) as caught:
        opened(conversation().ctx, "c", None, None, **{"max_messages": None, "max_age": None, name: wrong})
    assert caught.value.field == name
