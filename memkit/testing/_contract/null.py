"""What is left of the contract for a manager that keeps nothing."""
# ruff: noqa: PLR2004 - the numbers are those of the records that a test stores

from __future__ import annotations

import pytest

from memkit.errors import InvalidRecordError, MemoryNotFoundError, VersionConflictError
from memkit.inputs import MemoryType
from memkit.records import UserMessage
from memkit.testing._contract.base import KINDS, LISTS, WORKING, Contract, Make, Subject, sample

__all__ = ["KeepsNothingContract"]


class KeepsNothingContract(Contract):
    """Every call is answered as by a store that is always empty."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_nothing_is_kept(self, manager: Subject, kind: MemoryType) -> None:
        """A store succeeds, returns the id of the last record, and leaves nothing to retrieve or delete."""
        assert manager.store(kind, sample(kind, id="mine"), user_id="ann") == "mine"
        record_id = manager.store(kind, sample(kind), user_id="bob")
        assert len(record_id) == 36
        assert manager.retrieve(kind) == []
        assert manager.retrieve(kind, memory_id=record_id) == []
        assert manager.delete(kind, memory_id=record_id) == 0
        assert manager.delete(kind) == 0

    @pytest.mark.parametrize("kind", LISTS)
    def test_batches(self, manager: Subject, kind: MemoryType) -> None:
        """Many records are taken in one store, again and again."""
        for _ in range(2):
            assert manager.store(kind, sample(kind, id="a"), sample(kind, id="b")) == "b"

    @pytest.mark.parametrize("kind", KINDS)
    def test_there_is_nothing_to_update(self, manager: Subject, kind: MemoryType) -> None:
        """No record is found for an update, not even what was stored just now."""
        record_id = manager.store(kind, sample(kind))
        with pytest.raises(MemoryNotFoundError):
            manager.update(kind, sample(kind), memory_id=record_id)

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_version_is_zero(self, manager: Subject, kind: MemoryType) -> None:
        """Who expects a version meets version 0."""
        manager.store(kind, sample(kind, id="a"))
        assert manager.delete(kind, memory_id="a", expected_version=0) == 0
        with pytest.raises(VersionConflictError) as caught:
            manager.delete(kind, memory_id="a", expected_version=1)
        assert (caught.value.expected, caught.value.actual) == (1, 0)

    def test_working_memory_over_a_version(self, manager: Subject) -> None:
        """A store of working memory that expects nothing succeeds every time; any other version is a conflict."""
        for _ in range(2):
            manager.store(WORKING, sample(WORKING), expected_version=0)
            with pytest.raises(VersionConflictError) as caught:
                manager.store(WORKING, sample(WORKING), expected_version=1)
            assert (caught.value.expected, caught.value.actual) == (1, 0)

    @pytest.mark.parametrize("kind", KINDS)
    def test_records_are_encoded_all_the_same(self, make: Make, kind: MemoryType) -> None:
        """A record above the size limit is refused, as by a store that keeps it."""
        subject = make(max_record_bytes=1000)
        with pytest.raises(InvalidRecordError) as caught:
            subject.store(kind, UserMessage("x" * 2000))
        assert caught.value.path == "data[0]"
