"""A plain model, the manager in memory and one on a real server are given the same commands and give the same answers.

The model is written from the contract alone, as simply as possible, and shares no code with memkit's backends.
"""
# ruff: noqa: PLR0917 - rules and the model take the fields of an input one by one

from __future__ import annotations

import os
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from memkit import (
    Fact,
    InMemoryManager,
    MemkitError,
    MemoryInput,
    MemoryNotFoundError,
    OwnerMismatchError,
    RedisMemoryManager,
    UserMessage,
    VersionConflictError,
    WorkingMemory,
)
from memkit.testing.clock import ManualClock
from memkit.testing.contract import KINDS, LISTS, LONG, SHORT, WORKING, texts

EXAMPLES = int(os.environ.get("MEMKIT_TEST_MACHINE_EXAMPLES", "60"))
STEPS = 40

CONVERSATIONS = st.sampled_from(["c", "d:*"])
USERS = st.sampled_from([None, None, None, "ann", "bob"])
# Two of them have 15 and 16 bytes: the size of a packed UUID, with and without a mark in front.
IDS = [
    "a",
    "b",
    "zz",
    "é",
    "x" * 15,
    "y" * 16,
    "018f8a3c-1b2d-7e4f-8a9b-0c1d2e3f4a5b",
    "ffffffff-ffff-7fff-bfff-ffffffffffff",
]
WORDS = ["apple", "banana", "cherry", "apple apple", "banana apple", ""]
AGES = [
    None,
    datetime(2020, 1, 1, tzinfo=UTC),
    datetime(2020, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(1960, 1, 1, tzinfo=UTC),
]
METADATA = st.dictionaries(st.sampled_from("kmn"), st.sampled_from([None, 1, True, 1.0, "1", [1]]), max_size=2)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "k": st.sampled_from([None, 1, True, 1.0, "1", [1], 2]),
        "role": st.sampled_from(["user", "system"]),
        "topic": st.sampled_from(["", "t"]),
        "created_after": st.sampled_from(AGES[1:]),
        "created_before": st.sampled_from(AGES[1:]),
    },
)
CLASSES = {
    WORKING: WorkingMemory,
    SHORT: UserMessage,
    LONG: lambda text, **fields: Fact(text, topic="t", **fields),
}


class Model:
    """What the contract says, over dicts and lists. Ids that memkit chose are given to it afterwards."""

    def __init__(self):
        self.memories = {}
        self.owners = {}

    def _records(self, conversation, kind):
        return self.memories.setdefault((conversation, kind), [])

    def check_owner(self, conversation, user_id):
        if user_id is not None and self.owners.get(conversation, user_id) != user_id:
            raise OwnerMismatchError

    def _claim(self, conversation, user_id):
        if user_id is not None:
            self.owners[conversation] = user_id

    def _release(self, conversation):
        if not any(self._records(conversation, kind) for kind in KINDS):
            self.owners.pop(conversation, None)

    def _check_version(self, expected, actual):
        if expected is not None and expected != actual:
            raise VersionConflictError(expected, actual)

    def store(self, conversation, kind, user_id, records, ids, metadata, expected):
        self.check_owner(conversation, user_id)
        there = self._records(conversation, kind)
        if kind is WORKING:
            self._check_version(expected, there[0].version if there else 0)
        self._claim(conversation, user_id)
        for record, record_id in zip(records, ids, strict=True):
            new = evolve(record, id=record_id, version=1, metadata={**metadata, **record.metadata})
            self._put(there, kind, new)
        return ids[-1]

    def _put(self, there, kind, new):
        old = next((at for at, record in enumerate(there) if kind is WORKING or record.id == new.id), None)
        if old is None:
            there.append(new)
        elif kind is not SHORT:
            there[old] = evolve(new, version=there[old].version + 1, created_at=there[old].created_at)

    def _find(self, conversation, kind, memory_id):
        for at, record in enumerate(self._records(conversation, kind)):
            if memory_id is None or record.id == memory_id:
                return at, record
        return None

    def update(self, conversation, kind, user_id, memory_id, record, metadata, expected):
        self.check_owner(conversation, user_id)
        found = self._find(conversation, kind, memory_id)
        if found is None:
            raise MemoryNotFoundError("x")
        at, old = found
        self._check_version(expected, old.version)
        self._claim(conversation, user_id)
        base = old if record is None else record
        merged = {**old.metadata, **metadata, **(record.metadata if record else {})}
        new = evolve(base, id=old.id, version=old.version + 1, created_at=old.created_at, metadata=merged)
        self._records(conversation, kind)[at] = new
        return new

    def delete(self, conversation, kind, user_id, memory_id, expected):
        self.check_owner(conversation, user_id)
        there = self._records(conversation, kind)
        found = self._find(conversation, kind, memory_id)
        if expected is not None:
            self._check_version(expected, found[1].version if found else 0)
        gone = [] if found is None else [found[1]] if memory_id is not None else list(there)
        for record in gone:
            there.remove(record)
        if gone:
            self._release(conversation)
        return len(gone)

    def retrieve(self, conversation, kind, user_id, memory_id, query, limit, filters):
        if limit == 0:
            return []
        self.check_owner(conversation, user_id)
        found = [record for record in self._listed(conversation, kind) if memory_id in (None, record.id)]
        found = [record for record in found if all(_passes(record, *item) for item in (filters or {}).items())]
        if query is not None:
            return _best(found, query)[:limit]
        if limit is None:
            return found
        return found[-limit:] if kind is SHORT else found[:limit]

    def _listed(self, conversation, kind):
        there = self._records(conversation, kind)
        return sorted(there, key=_rank, reverse=True) if kind is LONG else there


def _rank(record):
    return record.created_at, _id_bytes(record.id)


def _id_bytes(record_id):
    """Records of equal age are ordered by id, UUIDs by their 16 bytes, others behind a mark."""
    if len(record_id) == 36 and record_id == str(uuid.UUID(record_id)):
        return uuid.UUID(record_id).bytes
    encoded = record_id.encode()
    return b"x" + encoded + b"x" if len(encoded) == 15 else b"s" + encoded


def _passes(record, key, wanted):
    if key == "role":
        return getattr(record, "role", None) == wanted
    if key == "topic":
        return isinstance(record, Fact) and record.topic == wanted
    if key == "created_after":
        return record.created_at > wanted
    if key == "created_before":
        return record.created_at < wanted
    return key in record.metadata and repr(record.metadata[key]) == repr(wanted)


def _best(records, query):
    """The records that share a word with the query; with one word, whoever has more of it in less text is first."""
    bags = [Counter(text.split()) for text in texts(records)]
    word = query.removesuffix("s")
    mean = sum(map(Counter.total, bags)) / len(bags) if bags else 0

    def score(at):
        count, length = bags[at][word], bags[at].total()
        return count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / mean))

    return [
        records[at] for at in sorted((at for at in range(len(records)) if bags[at][word]), key=lambda at: -score(at))
    ]


RECORDS = st.tuples(st.sampled_from(WORDS), st.none() | st.sampled_from(IDS), st.sampled_from(AGES), METADATA)
EXPECTED = st.none() | st.integers(0, 3)


class Machine(RuleBasedStateMachine):
    """Every rule sends one call to all three."""

    url = ""

    @initialize()
    def begin(self):
        """Start with three empty stores, whose times are those of one clock."""
        self.clock = ManualClock()
        self.model = Model()
        self.memory = InMemoryManager(clock=self.clock)
        self.redis = RedisMemoryManager(self.url, namespace=uuid.uuid4().hex, clock=self.clock, codec="json")
        self.fresh = 0
        self.ids = list(IDS)

    def teardown(self):
        """Compare all that is left, and close what was opened."""
        if hasattr(self, "redis"):
            for conversation in ("c", "d:*"):
                for kind in KINDS:
                    self.retrieve_all(conversation, kind)
                    self.redis.delete(MemoryInput(conversation, kind))
            self.redis.close()

    def _all(self, verb, memory_input, model_call):
        """Call a verb on each, and compare values or error classes."""
        expected = _outcome(model_call)
        for manager in (self.memory, self.redis):
            assert _outcome(lambda manager=manager: getattr(manager, verb)(memory_input)) == expected
        if verb != "retrieve":
            self.retrieve_all(memory_input.conversation_id, memory_input.memory_type)

    def _id(self, number):
        return self.ids[number % len(self.ids)]

    @rule(
        conversation=CONVERSATIONS,
        kind=st.sampled_from(KINDS),
        user_id=USERS,
        drawn=st.lists(RECORDS, min_size=1, max_size=4, unique_by=lambda item: item[1] or object()),
        metadata=METADATA,
        expected=EXPECTED,
    )
    def store(self, conversation, kind, user_id, drawn, metadata, expected):
        """Store one or more records, under given and fresh ids."""
        if kind is WORKING:
            drawn = drawn[:1]
        records = [
            CLASSES[kind](text, id=self._named(given), created_at=age, metadata=own) for text, given, age, own in drawn
        ]
        memory_input = MemoryInput(
            conversation,
            kind,
            records,
            user_id=user_id,
            metadata=metadata,
            expected_version=expected if kind is WORKING else None,
        )
        ids = [record.id for record in records]
        aged = [evolve(record, created_at=record.created_at or self._now()) for record in records]
        self._all(
            "store",
            memory_input,
            lambda: self.model.store(conversation, kind, user_id, aged, ids, metadata, memory_input.expected_version),
        )
        self.clock.advance(0.001)

    def _named(self, given):
        """A given id, or one that nobody used before; pinned, so that all three have the same."""
        if given is not None:
            return given
        self.fresh += 1
        name = str(uuid.UUID(int=(0x018F << 112) | (7 << 76) | (2 << 62) | self.fresh))
        self.ids.append(name)
        return name

    def _now(self):
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.clock.time_us())

    @rule(conversation=CONVERSATIONS, kind=st.sampled_from(LISTS), user_id=USERS, count=st.integers(1, 3))
    def store_unnamed(self, conversation, kind, user_id, count):
        """Store records whose ids memkit chooses: the same number is new everywhere, and is deleted by its ids."""
        where = MemoryInput(conversation, kind, user_id=user_id)
        records = [CLASSES[kind]("unnamed", created_at=AGES[3], metadata={"u": n}) for n in range(count)]
        refused = _outcome(lambda: self.model.check_owner(conversation, user_id))
        for manager in (self.memory, self.redis):
            before = _outcome(lambda manager=manager: len(manager.retrieve(where)))
            outcome = _outcome(lambda manager=manager: manager.store(evolve(where, data=records)))
            if refused is not None:
                assert outcome == refused
                continue
            found = [record for record in manager.retrieve(where) if "u" in record.metadata]
            assert len(manager.retrieve(where)) == before + count
            assert [record.metadata["u"] for record in found] == sorted(range(count), reverse=kind is LONG)
            assert outcome == next(record.id for record in found if record.metadata["u"] == count - 1)
            for record in found:
                assert manager.delete(evolve(where, memory_id=record.id)) == 1
        if refused is None:
            self.model.store(conversation, kind, user_id, records, [f"u{n}" for n in range(count)], {}, None)
            for n in range(count):
                self.model.delete(conversation, kind, user_id, f"u{n}", None)
        self.clock.advance(0.001)

    @rule(
        conversation=CONVERSATIONS,
        kind=st.sampled_from(KINDS),
        user_id=USERS,
        number=st.integers(0, 30),
        name_it=st.booleans(),
        text=st.none() | st.sampled_from(WORDS),
        own=METADATA,
        metadata=METADATA,
        expected=EXPECTED,
    )
    def update(self, conversation, kind, user_id, number, name_it, text, own, metadata, expected):
        """Replace data, merge metadata, or both."""
        memory_id = self._id(number) if name_it or kind is not WORKING else None
        record = None if text is None else CLASSES[kind](text, metadata=own)
        if record is None and not metadata:
            metadata = {"k": 1}
        memory_input = MemoryInput(
            conversation,
            kind,
            [record] if record else [],
            memory_id=memory_id,
            user_id=user_id,
            metadata=metadata,
            expected_version=expected,
        )
        self._all(
            "update",
            memory_input,
            lambda: self.model.update(conversation, kind, user_id, memory_id, record, metadata, expected),
        )
        self.clock.advance(0.001)

    @rule(
        conversation=CONVERSATIONS,
        kind=st.sampled_from(KINDS),
        user_id=USERS,
        number=st.integers(0, 30),
        one=st.sampled_from([True, True, True, False]),
        expected=EXPECTED,
    )
    def delete(self, conversation, kind, user_id, number, one, expected):
        """Delete one record, or all."""
        memory_id = self._id(number) if one else None
        expected = expected if one or kind is WORKING else None
        memory_input = MemoryInput(conversation, kind, memory_id=memory_id, user_id=user_id, expected_version=expected)
        self._all("delete", memory_input, lambda: self.model.delete(conversation, kind, user_id, memory_id, expected))

    @rule(
        conversation=CONVERSATIONS,
        kind=st.sampled_from(KINDS),
        user_id=USERS,
        number=st.none() | st.integers(0, 30),
        query=st.none() | st.sampled_from(["apple", "bananas", "nothing"]),
        limit=st.none() | st.integers(0, 5),
        filters=st.none() | FILTERS,
    )
    def retrieve(self, conversation, kind, user_id, number, query, limit, filters):
        """Retrieve with any options."""
        memory_id = None if number is None else self._id(number)
        memory_input = MemoryInput(
            conversation, kind, memory_id=memory_id, user_id=user_id, query=query, limit=limit, filters=filters
        )
        self._all(
            "retrieve",
            memory_input,
            lambda: self.model.retrieve(conversation, kind, user_id, memory_id, query, limit, filters),
        )

    def retrieve_all(self, conversation, kind):
        """Compare one memory whole."""
        expected = _outcome(lambda: self.model.retrieve(conversation, kind, None, None, None, None, None))
        for manager in (self.memory, self.redis):
            assert _outcome(lambda manager=manager: manager.retrieve(MemoryInput(conversation, kind))) == expected


def _outcome(call):
    """What a call returned, in a form that tells types apart; or the class and the numbers of its error."""
    try:
        result = call()
    except VersionConflictError as error:
        return type(error), error.expected, error.actual
    except MemkitError as error:
        return type(error)
    if isinstance(result, list):
        return [_plain(record) for record in result]
    return result if isinstance(result, str | int | None) else _plain(result)


def _plain(record):
    return (
        type(record),
        record.id,
        record.version,
        record.created_at,
        texts([record]),
        repr(sorted(record.metadata.items())),
    )


def _run(url, examples):
    class At(Machine):
        pass

    At.url = url
    At.__qualname__ = At.__name__ = "Machine"
    run_state_machine_as_test(At, settings=settings(max_examples=examples, stateful_step_count=STEPS, deadline=None))


def test_all_give_the_same_answers(valkey):
    """The model, the manager in memory and the one on a server agree on every value and every class of error."""
    _run(valkey.url, EXAMPLES)


@pytest.mark.slow
@pytest.mark.parametrize("server", ["valkey", "redis7", "redis62"])
def test_all_give_the_same_answers_for_long(servers, server):
    """They agree in many more runs, and on every kind of server."""
    _run(servers(server).url, 20 * EXAMPLES)
