"""Filters: equality on metadata, role, topic, and age."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from memkit.inputs import MemoryType
from memkit.records import AssistantMessage, Fact, SystemMessage, ToolMessage, UserMessage
from memkit.testing._contract.base import KINDS, LISTS, LONG, SHORT, Contract, Subject, sample, texts

__all__ = ["FilterContract"]

_MOMENT = datetime(2024, 5, 17, 12, tzinfo=UTC)
_VALUES = [None, True, False, 1, 0, 1.0, "1", "", b"1", [1], [1.0], [True], {"a": 1}, {"a": True}, {}, _MOMENT]


class FilterContract(Contract):
    """A filter keeps the records that pass all of it."""

    @pytest.mark.parametrize("kind", LISTS)
    def test_equality_tells_types_apart(self, manager: Subject, kind: MemoryType) -> None:
        """A value matches itself only: True is not 1, 1 is not 1.0, None is not a missing key."""
        manager.store(kind, *(sample(kind, str(n), metadata={"v": value}) for n, value in enumerate(_VALUES)))
        manager.store(kind, sample(kind, "without"))
        for n, value in enumerate(_VALUES):
            assert texts(manager.retrieve(kind, filters={"v": value})) == [str(n)]

    @pytest.mark.parametrize("kind", KINDS)
    def test_paths(self, manager: Subject, kind: MemoryType) -> None:
        """Dotted paths lead into maps; a key that holds the dot itself is found too, with or without the prefix."""
        manager.store(kind, sample(kind, metadata={"a": {"b": {"c": 1}}, "x.y": 2, "role": "x", "list": [{"k": 1}]}))
        found: list[dict[str, Any]] = [
            {"a.b.c": 1},
            {"a.b": {"c": 1}},
            {"metadata.a.b.c": 1},
            {"x.y": 2},
            {"metadata.x.y": 2},
            {"metadata.role": "x"},
            {"a.b.c": 1, "x.y": 2},
            {},
        ]
        missed: list[dict[str, Any]] = [{"a.b.d": 1}, {"a.b.c.d": 1}, {"b": 1}, {"list.k": 1}, {"a.b.c": 1, "x.y": 3}]
        assert [len(manager.retrieve(kind, filters=each)) for each in found] == [1] * len(found)
        assert [len(manager.retrieve(kind, filters=each)) for each in missed] == [0] * len(missed)

    def test_role(self, manager: Subject) -> None:
        """The role filter keeps the messages of that role, and no record without a role."""
        manager.store(
            SHORT,
            SystemMessage("system"),
            UserMessage("user"),
            AssistantMessage("assistant"),
            ToolMessage("tool", tool_call_id="1"),
            Fact("fact"),
        )
        for role in ("system", "user", "assistant", "tool"):
            assert texts(manager.retrieve(SHORT, filters={"role": role})) == [role]

    def test_topic(self, manager: Subject) -> None:
        """The topic filter keeps the facts of that topic, and no record without a topic."""
        manager.store(LONG, Fact("a", topic="x"), Fact("b", topic="y"), Fact("c"), UserMessage("d"))
        assert texts(manager.retrieve(LONG, filters={"topic": "x"})) == ["x a"]
        assert texts(manager.retrieve(LONG, filters={"topic": ""})) == ["c"]
        assert manager.retrieve(LONG, filters={"topic": "z"}) == []

    @pytest.mark.parametrize("kind", LISTS)
    def test_age(self, manager: Subject, kind: MemoryType) -> None:
        """The bounds of created_after and created_before are left out, to the microsecond, in any time zone."""
        step = timedelta(microseconds=1)
        manager.store(kind, *(sample(kind, str(n), created_at=_MOMENT + n * step) for n in range(5)))
        east = timezone(timedelta(hours=9))
        after = {"created_after": (_MOMENT + step).astimezone(east)}
        before = {"created_before": _MOMENT + 4 * step}
        assert sorted(texts(manager.retrieve(kind, filters=after))) == ["2", "3", "4"]
        assert sorted(texts(manager.retrieve(kind, filters=before))) == ["0", "1", "2", "3"]
        assert sorted(texts(manager.retrieve(kind, filters=after | before))) == ["2", "3"]

    @pytest.mark.parametrize("kind", LISTS)
    def test_filters_follow_updates(self, manager: Subject, kind: MemoryType) -> None:
        """A filter sees the metadata as it is now."""
        manager.store(kind, sample(kind, "a", id="1", metadata={"done": False}))
        manager.update(kind, memory_id="1", metadata={"done": True})
        assert manager.retrieve(kind, filters={"done": False}) == []
        assert texts(manager.retrieve(kind, filters={"done": True})) == ["a"]
