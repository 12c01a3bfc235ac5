"""A plain list, a history in memory and one on a real server are given the same commands and give the same answers.

The list is written from the contract alone, as simply as possible, and shares no code with memkit's flows or backends.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter

import pytest
from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from memkit import (
    AssistantMessage,
    InMemoryManager,
    InvalidInputError,
    MemkitError,
    MemoryInput,
    MemoryKit,
    MemoryNotFoundError,
    RedisMemoryManager,
    RevisionConflictError,
    SystemMessage,
    ToolMessage,
    UserMessage,
    VersionConflictError,
    WindowError,
)
from memkit.results import START
from memkit.testing._contract.history_base import is_valid
from memkit.testing.clock import ManualClock
from memkit.testing.contract import SHORT
from tests.strategies import HISTORIES

EXAMPLES = int(os.environ.get("MEMKIT_TEST_MACHINE_EXAMPLES", "60"))
STEPS = 40

# Two of them have 15 and 16 bytes: the size of a packed UUID, with and without a mark in front.
IDS = ["a", "é", "x" * 15, "y" * 16, "018f8a3c-1b2d-7e4f-8a9b-0c1d2e3f4a5b", "ffffffff-ffff-7fff-bfff-ffffffffffff"]
KEYS = ["k", "l"]


# -- the model ---------------------------------------------------------------------------------------------------------


@define(eq=False)
class Item:
    """A message that is there: under which id, as it was given, and how often it was written."""

    id: str
    message: object
    version: int = 1

    @property
    def plain(self):
        """What is compared of a message."""
        return plain(self.message, self.id, self.version)


@define
class Cut:
    """A branch: the messages, and the one after which they were cut."""

    after: Item | None
    items: list

    @property
    def plain(self):
        """What is compared of a branch."""
        return self.after and self.after.id, len(self.items)


@define
class Model:
    """What the contract says, over a list. The ids that memkit chooses are names here: ``?1``, ``?2``, and so on."""

    items: list = field(factory=list)
    branches: list = field(factory=list)
    changes: int = 0
    named: int = 0

    def fresh(self):
        self.named += 1
        return f"?{self.named}"

    def at(self, message_id):
        for place, item in enumerate(self.items):
            if item.id == message_id:
                return place
        raise MemoryNotFoundError("x")

    def append(self, pairs, most, whole):
        ids = [message_id for message_id, _ in pairs]
        there = {item.id for item in self.items}
        new = [] if whole and ids[0] in there else [Item(*pair) for pair in pairs if pair[0] not in there]
        self.items += new
        if most is not None and new:
            self.retain(most)
        self.changes += bool(new)
        return ids

    def retain(self, most):
        runs, lead = groups(self.items), leading(self.items)
        kept_lead = {item.id for item in self.items[:lead]}
        pinned = sum(item.message.pinned for item in self.items[lead:])
        over = len(self.items) - lead - pinned - most
        gone = set()
        for run in runs[:-1]:
            if run[0].id in kept_lead or any(item.message.pinned for item in run):
                continue
            if over <= 0:
                break
            gone |= {item.id for item in run}
            over -= len(run)
        self.items = [item for item in self.items if item.id not in gone]

    def window(self, last):
        lead = leading(self.items)
        left, taken = last, []
        for group in reversed([valid(run) for run in groups(self.items[lead:])]):
            if not group:
                continue
            if any(item.message.pinned for item in group):
                taken.append(group)
            elif left is not None:
                if last is not None and left == last and len(group) > last:
                    raise WindowError("last", last, len(group), "x")
                fits = len(group) <= left
                left = left - len(group) if fits else None
                taken += [group] if fits else []
            elif last is None:
                taken.append(group)
        return [item.plain for item in self.items[:lead]] + [item.plain for group in taken[::-1] for item in group]

    def messages(self, after, before, limit, role):
        if limit == 0:
            return []
        start = 0 if after in (None, START) else self.at(after) + 1
        end = len(self.items) if before is None else self.at(before)
        found = [item for item in self.items[start:end] if role in (None, item.message.role)]
        if limit is not None:
            found = found[max(len(found) - limit, 0) :] if after is None else found[:limit]
        return [item.plain for item in found]

    def get(self, message_id):
        return next((item.plain for item in self.items if item.id == message_id), None)

    def update(self, message_id, message, expected):
        item = self.items[self.at(message_id)]
        if expected not in (None, item.version):
            raise VersionConflictError(expected, item.version)
        item.message, item.version = message, item.version + 1
        self.changes += 1
        return item.plain

    def remove(self, message_id):
        before = len(self.items)
        self.items = [item for item in self.items if item.id != message_id]
        self.changes += before - len(self.items)
        return len(self.items) < before

    def pop(self):
        self.changes += bool(self.items)
        return self.items.pop().plain if self.items else None

    def clear(self):
        count = len(self.items)
        self.changes += bool(count)
        self.items = []
        return count

    def end_of(self, message_id, name):
        """The place behind a message, if no group is cut there."""
        end = self.at(message_id) + 1
        if end < len(self.items) and isinstance(self.items[end].message, ToolMessage):
            raise InvalidInputError(name, "x")
        return end

    def rewind(self, to):
        return self.cut(None if to is None else self.items[self.end_of(to, "to") - 1])

    def cut(self, after):
        end = 0 if after is None else self.items.index(after) + 1
        items = self.items[end:]
        del self.items[end:]
        if not items:
            return None
        self.changes += 1
        self.branches.insert(0, Cut(after, items))
        return self.branches[0].plain

    def may_restore(self, number):
        """Where a branch goes whose message is gone is told by nobody."""
        after = self.branches[number].after
        return after is None or after in self.items

    def restore(self, number):
        cut = self.branches.pop(number)
        other = self.cut(cut.after)
        self.items += cut.items
        self.changes += 1
        return other

    def compact(self, through, message, stale):
        end = self.at(through) + 1
        if stale:
            raise RevisionConflictError(0, 1)
        lead = min(leading(self.items), end)
        kept = [item for run in groups(self.items[lead:end]) if any(i.message.pinned for i in run) for item in run]
        removed = end - lead - len(kept)
        if not removed:
            raise InvalidInputError("through", "x")
        self.end_of(through, "through")
        summary = Item(self.fresh(), message)
        self.items[lead:end] = [summary, *kept]
        self.changes += 1
        return removed, lead + len(kept)

    def repaired(self, plains):
        """Take over what a repair left; the contract says what holds for it, and more than one result keeps it."""
        there = {item.id: item for item in self.items}
        items = [there.get(message_id) or Item(message_id, message) for message_id, message in plains]
        heads = [[item for item in run if not isinstance(item.message, ToolMessage)] for run in (self.items, items)]
        assert heads[0] == heads[1]
        assert all(valid(run) == run for run in groups(items))
        taken = {item.id for run in groups(self.items) for item in valid(run)}
        assert taken <= {item.id for item in items}
        self.changes += items != self.items
        self.items = items


def leading(items):
    """How many system messages stand at the head."""
    count = 0
    while count < len(items) and isinstance(items[count].message, SystemMessage):
        count += 1
    return count


def groups(items):
    """Each message with the results right behind it."""
    out = []
    for item in items:
        if out and isinstance(item.message, ToolMessage):
            out[-1].append(item)
        else:
            out.append([item])
    return out


def valid(run):
    """What of a run may be sent to a model: all of it, all but results that answer nothing, or nothing."""
    head, *behind = run
    if isinstance(head.message, ToolMessage):
        return []
    calls = head.message.tool_calls if isinstance(head.message, AssistantMessage) else ()
    owed, taken = Counter(call.id for call in calls), []
    for item in behind:
        if owed[item.message.tool_call_id]:
            owed[item.message.tool_call_id] -= 1
            taken.append(item)
    return [] if owed.total() else [head, *taken]


def plain(message, message_id, version):
    """What is compared of a message, in a form that tells types apart."""
    return message_id, version, repr(_bare(message))


def _bare(message):
    return evolve(message, id=None, version=0, created_at=None, updated_at=None)


# -- the histories under test ------------------------------------------------------------------------------------------


class Side:
    """A history, with the ids that memkit chose there."""

    def __init__(self, manager):
        self.manager = manager
        self.kit = MemoryKit(manager)
        self.history = self.kit.history("c")
        self.real = {}
        self.named = {}
        self.revision = 0

    def learn(self, ids, returned):
        """Remember which ids memkit gave."""
        for name, found in zip(ids, returned, strict=True):
            assert self.real.setdefault(name, found) == found
            self.named[found] = name
        return list(ids)

    def id(self, name):
        """The id of a message here."""
        return name if name is START else self.real.get(name, name)

    def plain(self, message):
        """A message, with the id of the model."""
        return message and plain(message, self.named.get(message.id, message.id), message.version)

    def all_plain(self, messages):
        """Each message, with its id in the model."""
        return [self.plain(message) for message in messages]

    def branch(self, found):
        """What is compared of a branch."""
        return found and (found.after and self.named.get(found.after, found.after), found.count)

    def window(self, last):
        """A window, compared."""
        return self.all_plain(self.history.window(last=last))

    def messages(self, after, before, limit, role):
        """Messages, compared."""
        return self.all_plain(self.history.messages(self.id(after), self.id(before), limit, role))

    def repair(self, named):
        """Repair; the report and what is there then. The results that were added get the next names."""
        report = self.history.repair()
        found = self.history.messages()
        new = [message.id for message in found if message.id not in self.named]
        self.learn([f"?{named + number + 1}" for number in range(len(new))], new)
        told = (report.closed, *([self.named[one] for one in ids] for ids in (report.moved, report.removed)))
        return bool(report), told, [(self.named[message.id], _bare(message)) for message in found]

    def compact(self, through, message, summary, stale):
        """Compact, and remember the id of the summary."""
        info = self.history.info()
        revision = None if info is None else info.revision - stale
        done = self.history.compact(self.id(through), message, expected_revision=revision if stale else None)
        self.learn([summary], [done.summary_id])
        return done.removed, done.kept


def outcome(call):
    """What a call returned, or the class of its error with its numbers."""
    try:
        return call()
    except VersionConflictError as error:
        return type(error), error.expected, error.actual
    except WindowError as error:
        return type(error), error.bound, error.allowed, error.needed
    except MemkitError as error:
        return type(error)


LIMITS = st.none() | st.integers(0, 6)
ANY = st.integers(0, 60)


class Machine(RuleBasedStateMachine):
    """Every rule sends one call to all three."""

    url = ""

    @initialize()
    def begin(self):
        """Start with three empty histories."""
        self.model = Model()
        clock = ManualClock()
        self.sides = [
            Side(InMemoryManager(clock=clock)),
            Side(RedisMemoryManager(self.url, namespace=uuid.uuid4().hex, clock=clock, codec="json")),
        ]

    def teardown(self):
        """Compare all that is left, and close what was opened."""
        if hasattr(self, "sides"):
            for side in self.sides:
                side.history.clear()
                side.manager.close()

    def _all(self, model_call, side_call):
        """Make a call on each, and compare values or error classes; then all that is there."""
        changes = self.model.changes
        expected = outcome(model_call)
        for side in self.sides:
            assert outcome(lambda side=side: side_call(side)) == expected
        self._check(changed=self.model.changes > changes)

    def _check(self, *, changed=False):
        expected = [item.plain for item in self.model.items]
        for side in self.sides:
            found = side.history.messages()
            assert side.all_plain(found) == expected
            assert side.manager.retrieve(MemoryInput("c", SHORT)) == found
            assert [side.branch(branch) for branch in side.history.branches()] == [
                cut.plain for cut in self.model.branches
            ]
            info = side.history.info()
            assert (info is None) == (not expected and not self.model.branches)
            if info is not None:
                assert info.count == len(expected)
                assert info.revision > side.revision if changed else info.revision == side.revision
                side.revision = info.revision

    def _name(self, number):
        """One of the messages that are there, mostly; else one that was, or never was."""
        there = [item.id for item in self.model.items]
        gone = [*IDS, "never", *(f"?{n + 1}" for n in range(self.model.named))]
        return there[number % len(there)] if there and number < 48 else gone[number % len(gone)]

    def _pairs(self, messages, own):
        """Messages with ids: those that were drawn, each once, and fresh ones."""
        ids = list(dict.fromkeys(own))
        return [(ids.pop() if ids and n % 2 else self.model.fresh(), message) for n, message in enumerate(messages)]

    @rule(
        messages=HISTORIES.filter(bool),
        own=st.lists(st.sampled_from(IDS), max_size=4),
        most=st.none() | st.integers(1, 8),
    )
    def append(self, messages, own, most):
        """Append messages under given and fresh ids, with and without a bound."""
        pairs = self._pairs(messages, own)
        named = [evolve(message, id=None if name[0] == "?" else name) for name, message in pairs]
        ids = [name for name, _ in pairs]
        self._all(
            lambda: self.model.append(pairs, most, whole=False),
            lambda side: side.learn(ids, side.kit.history("c", max_messages=most).append(*named)),
        )

    @rule(messages=HISTORIES.filter(bool), key=st.sampled_from(KEYS), most=st.none() | st.integers(1, 8))
    def append_with_a_key(self, messages, key, most):
        """Append under a key, for the first time or again."""
        pairs = [(f"{key} {n}", message) for n, message in enumerate(messages)]
        ids = [name for name, _ in pairs]
        self._all(
            lambda: self.model.append(pairs, most, whole=True),
            lambda side: side.learn(
                ids, side.kit.history("c", max_messages=most).append(*messages, idempotency_key=key)
            ),
        )

    @rule(last=st.none() | st.integers(1, 12))
    def window(self, last):
        """Windows of any size."""
        self._all(lambda: self.model.window(last), lambda side: side.window(last))

    @rule(
        after=st.none() | st.just(START) | ANY,
        before=st.none() | ANY,
        limit=LIMITS,
        role=st.sampled_from([None, None, None, "system", "user", "assistant", "tool"]),
    )
    def messages(self, after, before, limit, role):
        """Pages from either end, and between two messages."""
        after = self._name(after) if isinstance(after, int) else after
        before = self._name(before) if isinstance(before, int) else before
        self._all(
            lambda: self.model.messages(after, before, limit, role),
            lambda side: side.messages(after, before, limit, role),
        )

    @rule(number=ANY)
    def get(self, number):
        """One message."""
        name = self._name(number)
        self._all(lambda: self.model.get(name), lambda side: side.plain(side.history.get(side.id(name))))

    @rule(number=ANY, messages=HISTORIES.filter(bool), expected=st.none() | st.none() | st.integers(0, 3))
    def update(self, number, messages, expected):
        """Replace a message by one of any class."""
        name = self._name(number)
        self._all(
            lambda: self.model.update(name, messages[0], expected),
            lambda side: side.plain(side.history.update(side.id(name), messages[0], expected)),
        )

    @rule(number=ANY)
    def remove(self, number):
        """Remove one message."""
        name = self._name(number)
        self._all(lambda: self.model.remove(name), lambda side: side.history.remove(side.id(name)))

    @rule()
    def pop(self):
        """Remove the last message."""
        self._all(self.model.pop, lambda side: side.plain(side.history.pop()))

    @rule()
    @precondition(lambda self: len(self.model.items) > 12)
    def clear(self):
        """Remove all messages."""
        self._all(self.model.clear, lambda side: side.history.clear())

    @rule(number=st.none() | ANY)
    def rewind(self, number):
        """Cut off the end."""
        name = None if number is None else self._name(number)
        self._all(
            lambda: self.model.rewind(name), lambda side: side.branch(side.history.rewind(name and side.id(name)))
        )

    @rule(number=ANY)
    @precondition(lambda self: self.model.branches)
    def restore(self, number):
        """Put a branch back."""
        number %= len(self.model.branches)
        if self.model.may_restore(number):
            self._all(
                lambda: self.model.restore(number),
                lambda side: side.branch(side.history.restore(side.history.branches()[number].id)),
            )

    @rule(number=ANY, kind=st.sampled_from([UserMessage, SystemMessage]), stale=st.sampled_from([0, 0, 0, 1]))
    def compact(self, number, kind, stale):
        """Put a summary in the place of the head."""
        name, summary = self._name(number), f"?{self.model.named + 1}"
        message = kind("sum")
        self._all(
            lambda: self.model.compact(name, message, stale),
            lambda side: side.compact(name, message, summary, stale),
        )

    @rule()
    def repair(self):
        """Make every group whole."""
        changes, named = self.model.changes, self.model.named
        one, other = (side.repair(named) for side in self.sides)
        assert one == other
        report, _, plains = one
        self.model.named += sum(name[0] == "?" and int(name[1:]) > named for name, _ in plains)
        self.model.repaired(plains)
        assert report == (self.model.changes > changes)
        self._check(changed=report)


def _run(url, examples):
    class At(Machine):
        pass

    At.url = url
    At.__qualname__ = At.__name__ = "Machine"
    run_state_machine_as_test(At, settings=settings(max_examples=examples, stateful_step_count=STEPS, deadline=None))


def test_all_histories_give_the_same_answers(valkey):
    """The model, the history in memory and the one on a server agree on every value and every class of error."""
    _run(valkey.url, EXAMPLES)


@pytest.mark.slow
@pytest.mark.parametrize("server", ["valkey", "redis7", "redis62"])
def test_all_histories_give_the_same_answers_for_long(servers, server):
    """They agree in many more runs, and on every kind of server."""
    _run(servers(server).url, 20 * EXAMPLES)


def _both(*batches):
    """A model and a history in memory to which the same was appended, each batch with its bound."""
    model, side = Model(), Side(InMemoryManager())
    for messages, most in batches:
        pairs = [(model.fresh(), message) for message in messages]
        if messages:
            ids = model.append(pairs, most, whole=False)
            side.learn(ids, side.kit.history("c", max_messages=most).append(*messages))
    return model, side


@given(HISTORIES, st.integers(1, 12))
def test_any_window(messages, last):
    """A window of any history, of any size, has what the contract says."""
    model, side = _both((messages, None))
    for bound in (last, None):
        assert outcome(lambda bound=bound: side.window(bound)) == outcome(lambda bound=bound: model.window(bound))


@given(HISTORIES)
def test_any_repair(messages):
    """After a repair of any history everything is valid, nothing that was valid was touched, and that is all."""
    history = MemoryKit(InMemoryManager()).history("c")
    if messages:
        history.append(*messages)
    before = history.window()
    report = history.repair()
    found = history.messages()
    assert is_valid(found)
    assert history.window() == found
    assert [message for message in found if message in before] == before
    assert len(found) == len(messages) + len(report.closed) - len(report.removed)
    assert not history.repair()


@given(HISTORIES, HISTORIES, st.integers(1, 6))
def test_any_retention(before, messages, most):
    """What an append with a bound leaves of any history is what the contract says."""
    model, side = _both((before, None), (messages, most))
    assert side.all_plain(side.history.messages()) == [item.plain for item in model.items]
