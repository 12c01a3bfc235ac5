"""user_id: a conversation belongs to the user who first wrote to it."""
# ruff: noqa: PLR2004 - the numbers are those of the records that a test stores

from __future__ import annotations

from typing import Any

import pytest

from memkit.errors import OwnerMismatchError
from memkit.inputs import MemoryInput, MemoryType
from memkit.testing._contract.base import KINDS, SHORT, WORKING, Contract, Subject, sample, texts

__all__ = ["OwnerContract"]


class OwnerContract(Contract):
    """Nobody reads or changes a conversation in the name of another user."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_owner_may_do_everything(self, manager: Subject, kind: MemoryType) -> None:
        """Every verb works for the user who stored first, and for a caller who names no user."""
        for user_id in ("ann", None):
            record_id = manager.store(kind, sample(kind), user_id="ann")
            assert len(manager.retrieve(kind, user_id=user_id)) == 1
            assert len(manager.retrieve(kind, user_id=user_id, memory_id=record_id)) == 1
            assert manager.update(kind, sample(kind, "b"), user_id=user_id, memory_id=record_id).version == 2
            assert manager.delete(kind, user_id=user_id, memory_id=record_id) == 1

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("where", KINDS)
    def test_another_user_may_do_nothing(self, manager: Subject, kind: MemoryType, where: MemoryType) -> None:
        """Every verb is refused to another user, in each memory of the conversation, and changes nothing."""
        record_id = manager.store(kind, sample(kind, "hers"), user_id="ann")
        one: dict[str, Any] = {"memory_id": record_id}
        calls: list[tuple[str, dict[str, Any]]] = [
            ("store", {"data": [sample(where)]}),
            ("retrieve", {}),
            ("retrieve", {"limit": 1}),
            ("retrieve", {"query": "hers"}),
            ("retrieve", {"filters": {"a": 1}}),
            ("retrieve", one),
            ("update", {"data": [sample(where)], **one}),
            ("delete", {}),
            ("delete", one),
            ("delete", {"expected_version": 1, **one}),
        ]
        for verb, fields in calls:
            with pytest.raises(OwnerMismatchError):
                manager.send(verb, MemoryInput("c", where, user_id="bob", **fields))
        assert texts(manager.retrieve(kind, user_id="ann")) == ["hers"]

    def test_owner_of_one_memory_owns_all(self, manager: Subject) -> None:
        """The conversation belongs to its owner also through data that was stored without naming anybody."""
        manager.store(WORKING, sample(WORKING), user_id="ann")
        manager.store(SHORT, sample(SHORT))
        manager.delete(WORKING)
        with pytest.raises(OwnerMismatchError):
            manager.retrieve(SHORT, user_id="bob")

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_first_who_writes_claims(self, manager: Subject, kind: MemoryType) -> None:
        """A conversation without an owner is anybody's to read, and belongs to the first user who writes to it."""
        record_id = manager.store(kind, sample(kind))
        for user_id in ("ann", "bob"):
            assert len(manager.retrieve(kind, user_id=user_id)) == 1
        manager.update(kind, metadata={"a": 1}, memory_id=record_id, user_id="bob")
        with pytest.raises(OwnerMismatchError):
            manager.retrieve(kind, user_id="ann")

    @pytest.mark.parametrize("kind", KINDS)
    def test_what_changes_nothing_claims_nothing(self, manager: Subject, kind: MemoryType) -> None:
        """Reads, deletes of nothing, and deletes of one of many do not claim a conversation."""
        manager.store(kind, sample(kind, id="a"))
        assert manager.delete(kind, memory_id="b", user_id="bob") == 0
        assert len(manager.retrieve(kind, user_id="bob")) == 1
        assert len(manager.retrieve(kind, user_id="ann")) == 1

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("one", [True, False])
    def test_nothing_left_belongs_to_nobody(self, manager: Subject, kind: MemoryType, one: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """Once all of it is deleted, a conversation is free for another user."""
        record_id = manager.store(kind, sample(kind), user_id="ann")
        assert manager.delete(kind, user_id="ann", memory_id=record_id if one else None) == 1
        assert manager.retrieve(kind, user_id="bob") == []
        manager.store(kind, sample(kind, "his"), user_id="bob")
        with pytest.raises(OwnerMismatchError):
            manager.store(kind, sample(kind), user_id="ann")

    def test_owners_of_other_conversations(self, manager: Subject) -> None:
        """Who owns one conversation says nothing about the next."""
        manager.store(SHORT, sample(SHORT, "a"), conversation_id="1", user_id="ann")
        manager.store(SHORT, sample(SHORT, "b"), conversation_id="2", user_id="bob")
        assert texts(manager.retrieve(SHORT, "1", user_id="ann")) == ["a"]
        assert texts(manager.retrieve(SHORT, "2", user_id="bob")) == ["b"]
