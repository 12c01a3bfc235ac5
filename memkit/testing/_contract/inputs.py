"""Every field of an input works, or is refused by name before anything is sent."""
# ruff: noqa: PLR2004 - the numbers are those of the records that a test stores

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest

from memkit.errors import InvalidInputError, InvalidRecordError
from memkit.inputs import UNSET, MemoryInput, MemoryType
from memkit.records import Memory, UserMessage
from memkit.testing._contract.base import KINDS, LISTS, LONG, SHORT, WORKING, Contract, Subject, sample

__all__ = ["InputContract", "InputFormContract"]

_USED: dict[str, Any] = {
    "memory_id": "a",
    "query": "word",
    "limit": 3,
    "filters": {"a": 1},
    "metadata": {"a": 1},
    "ttl": 60,
    "expected_version": 1,
}
_VERBS = ("store", "retrieve", "update", "delete")
_UNUSED = {
    "store": ("memory_id", "query", "limit", "filters"),
    "retrieve": ("data", "metadata", "ttl", "expected_version"),
    "update": ("query", "limit", "filters"),
    "delete": ("data", "query", "limit", "filters", "metadata", "ttl"),
}
_TEXTS: tuple[Any, ...] = ("", 5, True, b"a", ["a"], "\ud800", "x" * 70_000)
_WHOLE: tuple[Any, ...] = (True, -1, 1.0, "1", [1])
_WRONG: list[tuple[str, str, tuple[Any, ...]]] = [
    *((verb, "conversation_id", (None, *_TEXTS)) for verb in _VERBS),
    *((verb, "user_id", _TEXTS) for verb in _VERBS),
    *((verb, "memory_id", _TEXTS) for verb in ("retrieve", "update", "delete")),
    *((verb, "memory_type", (None, "", "short_term_memory", 1, "OTHER")) for verb in _VERBS),
    *((verb, "expected_version", _WHOLE) for verb in ("update", "delete")),
    ("retrieve", "limit", _WHOLE),
    ("retrieve", "query", ("", 5, b"a", ["a"], "\ud800")),
    ("retrieve", "filters", (5, "a", ["a"])),
    *((verb, "metadata", (5, "a", ["a"])) for verb in ("store", "update")),
    *(
        (verb, "data", (None, 5, "abc", b"abc", {"a": 1}, UserMessage("x"), iter([UserMessage("x")])))
        for verb in ("store", "update")
    ),
]
_DEEP: Any = {}
for _ in range(70):
    _DEEP = {"a": _DEEP}


class _Unfit:
    pass


_BAD_VALUES: list[tuple[Any, str]] = [
    ({"a": object()}, "['a']"),
    ({"a": [1, {"b": {1, 2}}]}, "['a'][1]['b']"),
    ({"a": (1,)}, "['a']"),
    ({"a": 1 << 64}, "['a']"),
    ({"a": -(1 << 63) - 1}, "['a']"),
    ({"a": "\ud800"}, "['a']"),
    ({"a": datetime(2024, 1, 1)}, "['a']"),  # noqa: DTZ001 - it is to be refused
    ({"a": bytearray(b"x")}, "['a']"),
    ({"a": 1j}, "['a']"),
    ({"a": {1: 2}}, "['a']"),
    ({1: 2}, ""),
    ({"\ud800": 1}, ""),
    (None, ""),
    ([("a", 1)], ""),
    (_DEEP, "['a']" * 64),
]


class InputContract(Contract):
    """What is wrong is refused by name; what is refused leaves no trace. Null checks all of this too."""

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(("verb", "name"), [(verb, name) for verb, names in _UNUSED.items() for name in names])
    def test_no_field_is_ignored(self, manager: Subject, kind: MemoryType, verb: str, name: str) -> None:
        """A field that a verb does not use is refused by name, whatever its value."""
        fields = {"data": [sample(kind)], **_USED}
        given = _minimal(verb, kind) | {name: fields[name]}
        with pytest.raises(InvalidInputError) as caught:
            manager.send(verb, given)
        assert caught.value.field == name

    @pytest.mark.parametrize("verb", ["retrieve", "delete"])
    def test_a_ttl_of_none_is_a_ttl(self, manager: Subject, verb: str) -> None:
        """Where no time to live is used, None is refused too: it would mean "for ever"."""
        with pytest.raises(InvalidInputError) as caught:
            manager.send(verb, MemoryInput("c", ttl=None))
        assert caught.value.field == "ttl"

    @pytest.mark.parametrize(
        ("verb", "name", "values"), _WRONG, ids=lambda value: value if isinstance(value, str) else ""
    )
    def test_wrong_values(self, manager: Subject, verb: str, name: str, values: tuple[Any, ...]) -> None:
        """A value of the wrong type, or out of range, is refused by the name of its field."""
        for value in values:
            with pytest.raises(InvalidInputError) as caught:
                manager.send(verb, _minimal(verb, SHORT) | {name: value})
            assert caught.value.field == name

    @pytest.mark.parametrize("verb", _VERBS)
    def test_the_conversation_must_be_named(self, manager: Subject, verb: str) -> None:
        """A mapping or object without conversation_id is refused by name."""
        for given in ({"memory_type": "SHORT_TERM_MEMORY"}, {}, SimpleNamespace(data=[UserMessage("x")]), None, 5):
            with pytest.raises(InvalidInputError) as caught:
                manager.send(verb, given)
            assert caught.value.field == "conversation_id"

    @pytest.mark.parametrize("verb", _VERBS)
    def test_unknown_fields(self, manager: Subject, verb: str) -> None:
        """A mapping with a field that MemoryInput lacks is refused by that name."""
        with pytest.raises(InvalidInputError) as caught:
            manager.send(verb, _minimal(verb, SHORT) | {"memory_ids": ["a"]})
        assert caught.value.field == "memory_ids"

    @pytest.mark.parametrize("kind", KINDS)
    def test_store_needs_data(self, manager: Subject, kind: MemoryType) -> None:
        """Storing nothing is refused."""
        with pytest.raises(InvalidInputError) as caught:
            manager.store(kind)
        assert caught.value.field == "data"

    def test_working_memory_is_one_record(self, manager: Subject) -> None:
        """Two records are no working memory."""
        with pytest.raises(InvalidInputError) as caught:
            manager.store(WORKING, sample(WORKING), sample(WORKING))
        assert caught.value.field == "data"

    @pytest.mark.parametrize("kind", LISTS)
    def test_lists_have_no_version(self, manager: Subject, kind: MemoryType) -> None:
        """Storing into a log or set, and deleting all of one, take no expected_version, not even 0."""
        for version in (0, 1):
            for verb, data in (("store", [sample(kind)]), ("delete", [])):
                with pytest.raises(InvalidInputError) as caught:
                    manager.send(verb, MemoryInput("c", kind, data, expected_version=version))
                assert caught.value.field == "expected_version"

    @pytest.mark.parametrize("kind", LISTS)
    def test_an_id_twice_in_one_store(self, manager: Subject, kind: MemoryType) -> None:
        """A batch that holds an id twice is refused."""
        with pytest.raises(InvalidInputError) as caught:
            manager.store(kind, sample(kind, id="a"), sample(kind), sample(kind, id="a"))
        assert caught.value.field == "data"

    @pytest.mark.parametrize("kind", LISTS)
    def test_update_needs_an_id(self, manager: Subject, kind: MemoryType) -> None:
        """An update of a log or set says which record."""
        with pytest.raises(InvalidInputError) as caught:
            manager.update(kind, sample(kind))
        assert caught.value.field == "memory_id"

    @pytest.mark.parametrize("kind", KINDS)
    def test_update_takes_one_record_or_metadata(self, manager: Subject, kind: MemoryType) -> None:
        """An update with nothing, with two records, or with a record of another id is refused."""
        records: list[tuple[tuple[Memory, ...], str]] = [
            ((), "data"),
            ((sample(kind), sample(kind)), "data"),
            ((sample(kind, id="b"),), "data[0].id"),
        ]
        for data, name in records:
            with pytest.raises(InvalidInputError) as caught:
                manager.update(kind, *data, memory_id="a")
            assert caught.value.field == name

    def test_wrong_filters(self, manager: Subject) -> None:
        """An unknown role, a naive time or a value that no metadata can hold is refused by its key."""
        wrong: list[tuple[dict[Any, Any], str]] = [
            ({"role": "human"}, "filters['role']"),
            ({"role": None}, "filters['role']"),
            ({"created_after": "2024-01-01"}, "filters['created_after']"),
            ({"created_before": datetime(2024, 1, 1)}, "filters['created_before']"),  # noqa: DTZ001 - to be refused
            ({"a": object()}, "filters['a']"),
            ({1: 2}, "filters"),
        ]
        for filters, name in wrong:
            with pytest.raises(InvalidInputError) as caught:
                manager.retrieve(SHORT, filters=filters)
            assert caught.value.field == name

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(("metadata", "path"), _BAD_VALUES)
    def test_values_that_cannot_be_stored(self, manager: Subject, kind: MemoryType, metadata: Any, path: str) -> None:
        """A value that would not come back as it was is refused with its path."""
        with pytest.raises(InvalidRecordError) as caught:
            manager.store(kind, sample(kind, metadata=metadata))
        assert caught.value.path == f"data[0].metadata{path}"
        if metadata is not None:
            with pytest.raises(InvalidRecordError) as caught:
                manager.store(kind, sample(kind), metadata=metadata)
            assert caught.value.path == f"metadata{path}"
        assert manager.retrieve(kind) == []

    @pytest.mark.parametrize("kind", KINDS)
    def test_records_that_cannot_be_stored(self, manager: Subject, kind: MemoryType) -> None:
        """What is no record, or has a wrong field, is refused with its path."""
        naive = datetime(2024, 1, 1)  # noqa: DTZ001 - it is to be refused
        wrong: list[tuple[Any, str]] = [
            ("text", "data[0]"),
            ({"content": "x"}, "data[0]"),
            (None, "data[0]"),
            (Memory(), "data[0]"),
            (_Unfit(), "data[0]"),
            (sample(kind, id=""), "data[0].id"),
            (sample(kind, id=5), "data[0].id"),
            (sample(kind, created_at=naive), "data[0].created_at"),
            (sample(kind, created_at=5), "data[0].created_at"),
            (UserMessage(5), "data[0].content"),
            (UserMessage("x", tokens=1.5), "data[0].tokens"),  # type: ignore[arg-type]  # it is to be refused
            (UserMessage("x", name="\ud800"), "data[0].name"),
        ]
        for record, path in wrong:
            with pytest.raises(InvalidInputError) as caught:
                manager.send("store", MemoryInput("c", kind, [record]))
            assert caught.value.field == path
        assert manager.retrieve(kind) == []


class InputFormContract(Contract):
    """An input is a MemoryInput, or anything with the same fields."""

    def test_mappings(self, manager: Subject) -> None:
        """Every verb takes a mapping, and what it leaves out has the default of MemoryInput."""
        where = {"conversation_id": "c"}
        record_id = manager.send("store", where | {"data": (UserMessage("a"),), "ttl": UNSET})
        assert manager.send("update", where | {"memory_id": record_id, "metadata": {"a": 1}}).version == 2
        assert len(manager.send("retrieve", where)) == 1
        assert len(manager.retrieve(SHORT)) == 1
        assert manager.send("delete", where | {"memory_id": record_id}) == 1

    def test_objects(self, manager: Subject) -> None:
        """Every verb takes an object with the fields, and does not mind what else it has."""
        given = SimpleNamespace(conversation_id="c", memory_type="LONG_TERM_MEMORY", data=[sample(LONG)], other=1)
        record_id = manager.send("store", given)
        one = SimpleNamespace(conversation_id="c", memory_type=LONG, memory_id=record_id)
        assert len(manager.send("retrieve", one)) == 1
        assert manager.send("update", SimpleNamespace(**vars(one), metadata={"a": 1})).version == 2
        assert manager.send("delete", one) == 1

    @pytest.mark.parametrize("kind", KINDS)
    def test_names_of_memory_types(self, manager: Subject, kind: MemoryType) -> None:
        """A memory type is given as our enum, as its name, or as an enum of another library with that value."""
        theirs = Enum("Theirs", {each.name: each.value for each in KINDS})  # type: ignore[misc]  # made for the test
        for n, name in enumerate((kind, kind.value, theirs[kind.name])):
            manager.send("store", {"conversation_id": str(n), "memory_type": name, "data": [sample(kind)]})
            assert len(manager.retrieve(kind, str(n))) == 1

    def test_any_sequence_is_data(self, manager: Subject) -> None:
        """Data may be a list or a tuple."""
        for data in ([UserMessage("a")], (UserMessage("b"),)):
            manager.send("store", MemoryInput("c", data=data))
        assert len(manager.retrieve(SHORT)) == 2

    def test_empty_options_are_left_out(self, manager: Subject) -> None:
        """Empty filters, metadata and data are the same as none."""
        manager.store(SHORT, UserMessage("a"), metadata={})
        assert len(manager.retrieve(SHORT, filters={}, metadata={}, data=())) == 1


def _minimal(verb: str, kind: MemoryType) -> dict[str, Any]:
    """The least that a verb needs."""
    return {"conversation_id": "c", "memory_type": kind, **dict(_needed(verb, kind))}


def _needed(verb: str, kind: MemoryType) -> Iterator[tuple[str, Any]]:
    if verb in ("store", "update"):
        yield "data", [sample(kind)]
    if verb == "update" and kind is not WORKING:
        yield "memory_id", "a"
