"""WORKING_MEMORY: one value a conversation."""

from __future__ import annotations

import pytest

from memkit.errors import MemoryNotFoundError, VersionConflictError
from memkit.records import Fact, WorkingMemory
from memkit.testing._contract.base import WORKING, Contract, Subject, texts

__all__ = ["WorkingContract"]


class WorkingContract(Contract):
    """Each store replaces the value before it."""

    def test_working_store_replaces(self, manager: Subject) -> None:
        """A conversation has the value that was stored last, and only that."""
        manager.store(WORKING, WorkingMemory("first"))
        record_id = manager.store(WORKING, WorkingMemory("second"))
        record = manager.only(WORKING)
        assert (record.id, texts([record])) == (record_id, ["second"])

    def test_working_replaced_value_keeps_its_age(self, manager: Subject) -> None:
        """Storing again raises the version, and created_at stays that of the first value."""
        manager.store(WORKING, WorkingMemory("first"))
        first = manager.only(WORKING)
        manager.store(WORKING, WorkingMemory("second"))
        second = manager.only(WORKING)
        assert (first.version, second.version) == (1, 2)
        assert second.created_at == first.created_at

    def test_working_value_may_be_of_any_record_type(self, manager: Subject) -> None:
        """Working memory takes a record of another class, and returns it as that class."""
        manager.store(WORKING, Fact("the sky is blue", topic="sky"))
        record = manager.only(WORKING)
        assert isinstance(record, Fact)
        assert record.topic == "sky"

    def test_working_retrieve_options(self, manager: Subject) -> None:
        """Every option of a retrieve narrows also the one value."""
        record_id = manager.store(WORKING, WorkingMemory("buy milk", metadata={"a": 1}))
        for wanted in ({"memory_id": record_id}, {"limit": 1}, {"filters": {"a": 1}}, {"query": "milk"}):
            assert texts(manager.retrieve(WORKING, **wanted)) == ["buy milk"]
        for unwanted in ({"memory_id": "other"}, {"limit": 0}, {"filters": {"a": 2}}, {"query": "bread"}):
            assert manager.retrieve(WORKING, **unwanted) == []

    def test_working_update_needs_no_id(self, manager: Subject) -> None:
        """An update replaces the text and keeps the id, with or without saying which."""
        record_id = manager.store(WORKING, WorkingMemory("one", metadata={"a": 1}))
        assert texts([manager.update(WORKING, WorkingMemory("two"))]) == ["two"]
        assert texts([manager.update(WORKING, WorkingMemory("three"), memory_id=record_id)]) == ["three"]
        record = manager.only(WORKING)
        assert (record.id, record.version, record.metadata) == (record_id, 3, {"a": 1})

    def test_working_update_returns_what_is_stored(self, manager: Subject) -> None:
        """What update returns equals what the next retrieve returns."""
        manager.store(WORKING, WorkingMemory("one"))
        updated = manager.update(WORKING, WorkingMemory("two"), metadata={"b": 2})
        assert manager.only(WORKING) == updated

    def test_working_update_of_nothing(self, manager: Subject) -> None:
        """There is no value to update before the first store, after a delete, or under another id."""
        with pytest.raises(MemoryNotFoundError):
            manager.update(WORKING, WorkingMemory("x"))
        manager.store(WORKING, WorkingMemory("one"))
        with pytest.raises(MemoryNotFoundError):
            manager.update(WORKING, WorkingMemory("x"), memory_id="other")
        manager.delete(WORKING)
        with pytest.raises(MemoryNotFoundError):
            manager.update(WORKING, metadata={"a": 1})

    def test_working_delete(self, manager: Subject) -> None:
        """Deleting counts one value, then none; an id that is not the value's deletes nothing."""
        record_id = manager.store(WORKING, WorkingMemory("one"))
        assert manager.delete(WORKING, memory_id="other") == 0
        assert manager.delete(WORKING, memory_id=record_id) == 1
        assert manager.delete(WORKING) == 0
        manager.store(WORKING, WorkingMemory("two"))
        assert manager.delete(WORKING) == 1
        assert manager.retrieve(WORKING) == []

    def test_working_versions_start_anew_after_delete(self, manager: Subject) -> None:
        """A value stored after a delete is version 1, stored for the first time now."""
        manager.store(WORKING, WorkingMemory("one"))
        manager.store(WORKING, WorkingMemory("two"))
        manager.delete(WORKING)
        manager.store(WORKING, WorkingMemory("three"), expected_version=0)
        record = manager.only(WORKING)
        assert record.version == 1
        assert record.created_at == record.updated_at

    def test_working_store_only_if_there_is_none(self, manager: Subject) -> None:
        """An expected_version of 0 stores the first value and refuses to replace it."""
        manager.store(WORKING, WorkingMemory("one"), expected_version=0)
        with pytest.raises(VersionConflictError) as caught:
            manager.store(WORKING, WorkingMemory("two"), expected_version=0)
        assert (caught.value.expected, caught.value.actual) == (0, 1)
        assert texts(manager.retrieve(WORKING)) == ["one"]

    def test_working_store_only_over_a_version(self, manager: Subject) -> None:
        """An expected_version replaces exactly that version."""
        with pytest.raises(VersionConflictError) as caught:
            manager.store(WORKING, WorkingMemory("x"), expected_version=3)
        assert (caught.value.expected, caught.value.actual) == (3, 0)
        manager.store(WORKING, WorkingMemory("one"))
        manager.store(WORKING, WorkingMemory("two"), expected_version=1)
        for wrong in (1, 3):
            with pytest.raises(VersionConflictError) as caught:
                manager.store(WORKING, WorkingMemory("x"), expected_version=wrong)
            assert (caught.value.expected, caught.value.actual) == (wrong, 2)
        assert texts(manager.retrieve(WORKING)) == ["two"]
