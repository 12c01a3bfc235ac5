"""What is kept apart, and what is shared."""
# ruff: noqa: PLR2004 - the numbers are those of the records that a test stores

from __future__ import annotations

from typing import Any

import pytest

from memkit.inputs import MemoryInput, MemoryType
from memkit.testing._contract.base import KINDS, LISTS, SHORT, Contract, Make, Subject, sample, texts

__all__ = ["SharingContract"]


class SharingContract(Contract):
    """Conversations, memory types and callers are kept apart; managers of one store see the same."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_memory_types_are_apart(self, manager: Subject, kind: MemoryType) -> None:
        """The memories of a conversation hold equal ids on their own, and one is deleted without the others."""
        for each in KINDS:
            manager.store(each, sample(each, each.value, id="a"))
        assert manager.delete(kind, memory_id="a") == 1
        assert [texts(manager.retrieve(each)) for each in KINDS] == [
            [] if each is kind else [each.value] for each in KINDS
        ]

    @pytest.mark.parametrize("kind", KINDS)
    def test_conversations_are_apart(self, manager: Subject, kind: MemoryType) -> None:
        """The same id in two conversations is two records."""
        for conversation in ("1", "2"):
            manager.store(kind, sample(kind, conversation, id="a"), conversation_id=conversation)
        manager.update(kind, sample(kind, "new"), conversation_id="1", memory_id="a")
        assert texts(manager.retrieve(kind, "2")) == ["2"]
        assert manager.delete(kind, "1") == 1
        assert texts(manager.retrieve(kind, "2")) == ["2"]

    @pytest.mark.parametrize("kind", KINDS)
    def test_nothing_is_shared_with_the_caller(self, manager: Subject, kind: MemoryType) -> None:
        """Changing what was stored or retrieved afterwards changes nothing in the store."""
        inside: dict[str, Any] = {"list": [1], "map": {"a": 1}}
        outside: dict[str, Any] = {"input": [1]}
        record_id = manager.store(kind, sample(kind, metadata=inside), metadata=outside)
        expected = {"list": [1], "map": {"a": 1}, "input": [1]}
        for metadata in (
            inside,
            outside,
            manager.only(kind).metadata,
            manager.only(kind, memory_id=record_id).metadata,
        ):
            for value in metadata.values():
                value.clear()
        updated = manager.update(kind, metadata={"more": [1]}, memory_id=record_id)
        updated.metadata["more"].clear()
        assert manager.only(kind).metadata == {**expected, "more": [1]}

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_input_is_left_as_it_was(self, manager: Subject, kind: MemoryType) -> None:
        """No verb changes the input or its records."""
        data, metadata = [sample(kind, metadata={"a": 1})], {"b": 2}
        memory_input = MemoryInput("c", kind, data=data, metadata=metadata)
        manager.send("store", memory_input)
        assert (data, metadata) == ([sample(kind, metadata={"a": 1})], {"b": 2})
        assert memory_input == MemoryInput("c", kind, data=data, metadata=metadata)

    @pytest.mark.parametrize("kind", KINDS)
    def test_managers_of_one_store_see_the_same(self, make: Make, kind: MemoryType) -> None:
        """What one manager writes, with either codec, another reads, changes and deletes."""
        packed, json = make(codec="msgpack"), make(codec="json")
        for writer, reader in ((packed, json), (json, packed)):
            record_id = writer.store(kind, sample(kind, "one", metadata={"a": b"\xff"}))
            record = reader.only(kind)
            assert (record.id, texts([record]), record.metadata) == (record_id, ["one"], {"a": b"\xff"})
            reader.update(kind, metadata={"b": 1}, memory_id=record_id)
            reader.update(kind, sample(kind, "two"), memory_id=record_id)
            assert (texts(writer.retrieve(kind)), writer.only(kind).version) == (["two"], 3)
            assert writer.only(kind).metadata == {"a": b"\xff", "b": 1}
            assert writer.delete(kind, memory_id=record_id) == 1

    @pytest.mark.parametrize("kind", LISTS)
    def test_stores_at_the_same_time(self, manager: Subject, kind: MemoryType) -> None:
        """Stores that run at the same time all land, each batch in its own order."""
        inputs = [
            MemoryInput("c", kind, [sample(kind, f"{n}", metadata={"at": at}) for at in range(5)]) for n in range(8)
        ]
        ids = manager.together("store", inputs)
        found = manager.retrieve(kind)
        assert len({record.id for record in found}) == 40
        assert set(ids) <= {record.id for record in found}
        if kind is SHORT:
            for n in range(8):
                at = [record.metadata["at"] for record in found if texts([record]) == [str(n)]]
                assert at == [0, 1, 2, 3, 4]

    def test_one_of_many_equal_stores_lands(self, manager: Subject) -> None:
        """The same record stored many times at once is stored once, and every call succeeds."""
        inputs = [MemoryInput("c", SHORT, [sample(SHORT, str(n), id="a")]) for n in range(8)]
        assert manager.together("store", inputs) == ["a"] * 8
        assert len(manager.retrieve(SHORT)) == 1
