"""Ids, versions and times: what memkit writes around a record."""
# ruff: noqa: PLR2004 - the numbers are those of the records that a test stores

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest

from memkit.clock import Clock
from memkit.errors import MemoryNotFoundError, VersionConflictError
from memkit.inputs import MemoryInput, MemoryType
from memkit.records import Memory
from memkit.testing._contract.base import KINDS, Contract, Subject, sample, texts

__all__ = ["VersionContract"]


class VersionContract(Contract):
    """The envelope is memkit's, but for an id and an age that the caller gives."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_stamps_of_a_new_record(self, manager: Subject, kind: MemoryType) -> None:
        """A new record has an id, version 1, and one time for created_at and updated_at, in UTC."""
        record_id = manager.store(kind, sample(kind))
        record = manager.only(kind)
        assert record.id == record_id
        assert (uuid.UUID(record_id).version, str(uuid.UUID(record_id))) == (7, record_id)
        assert record.version == 1
        assert record.created_at is not None
        assert record.created_at == record.updated_at
        assert record.created_at.utcoffset() == timedelta(0)

    @pytest.mark.parametrize("kind", KINDS)
    def test_stamps_of_an_update(self, manager: Subject, clock: Clock, kind: MemoryType) -> None:
        """Each update adds 1 to the version and moves updated_at on; id and created_at stay."""
        record_id = manager.store(kind, sample(kind))
        before = manager.only(kind)
        for version in (2, 3):
            clock.sleep(0.002)
            after = manager.update(kind, sample(kind, f"v{version}"), memory_id=record_id)
            assert (after.id, after.version, after.created_at) == (record_id, version, before.created_at)
            assert _later(before, after)
            assert manager.only(kind) == after
            before = after

    @pytest.mark.parametrize("kind", KINDS)
    def test_age_given_by_the_caller(self, manager: Subject, kind: MemoryType) -> None:
        """A created_at of the caller's is kept to the microsecond, as UTC; updated_at is still memkit's."""
        given = datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=-5)))
        manager.store(kind, sample(kind, created_at=given))
        record = manager.only(kind)
        assert record.created_at is not None
        assert record.created_at == given
        assert record.created_at.utcoffset() == timedelta(0)
        assert _later(sample(kind, updated_at=given), record)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("year", [1, 1969, 9999])
    def test_far_ages(self, manager: Subject, kind: MemoryType, year: int) -> None:
        """Ages before 1970 and in far years are kept to the microsecond, also through an update."""
        given = datetime(year, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
        record_id = manager.store(kind, sample(kind, created_at=given))
        manager.update(kind, metadata={"a": 1}, memory_id=record_id)
        assert manager.only(kind).created_at == given

    @pytest.mark.parametrize("kind", KINDS)
    def test_version_and_updated_at_are_not_the_callers(self, manager: Subject, kind: MemoryType) -> None:
        """A version or updated_at inside of a record that is stored does not count."""
        old = datetime(2001, 1, 1, tzinfo=UTC)
        manager.store(kind, sample(kind, version=41, updated_at=old))
        record = manager.only(kind)
        assert record.version == 1
        assert record.updated_at != old

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_retrieved_record_updates(self, manager: Subject, kind: MemoryType) -> None:
        """What was retrieved can be handed back to an update as it is."""
        manager.store(kind, sample(kind, "same", metadata={"a": 1}))
        record = manager.only(kind)
        updated = manager.update(kind, record, memory_id=record.id, expected_version=record.version)
        assert (updated.id, updated.version, updated.metadata, texts([updated])) == (record.id, 2, {"a": 1}, ["same"])

    @pytest.mark.parametrize("kind", KINDS)
    def test_update_over_a_version(self, manager: Subject, kind: MemoryType) -> None:
        """An update with expected_version changes that version only, and says which one is stored."""
        record_id = manager.store(kind, sample(kind, "one"))
        updated = manager.update(kind, sample(kind, "two"), memory_id=record_id, expected_version=1)
        assert updated.version == 2
        for wrong in (0, 1, 3, 1 << 62):
            with pytest.raises(VersionConflictError) as caught:
                manager.update(kind, sample(kind, "x"), memory_id=record_id, expected_version=wrong)
            assert (caught.value.expected, caught.value.actual) == (wrong, 2)
        assert manager.only(kind) == updated

    @pytest.mark.parametrize("kind", KINDS)
    def test_update_of_nothing_over_a_version(self, manager: Subject, kind: MemoryType) -> None:
        """An update of what is not there says so, whatever version was expected."""
        for version in (0, 1):
            with pytest.raises(MemoryNotFoundError):
                manager.update(kind, sample(kind), memory_id="a", expected_version=version)

    @pytest.mark.parametrize("kind", KINDS)
    def test_delete_over_a_version(self, manager: Subject, kind: MemoryType) -> None:
        """A delete with expected_version deletes that version only, and says which one is stored."""
        record_id = manager.store(kind, sample(kind, "one"))
        manager.update(kind, sample(kind, "two"), memory_id=record_id)
        for wrong in (0, 1, 3):
            with pytest.raises(VersionConflictError) as caught:
                manager.delete(kind, memory_id=record_id, expected_version=wrong)
            assert (caught.value.expected, caught.value.actual) == (wrong, 2)
        assert len(manager.retrieve(kind)) == 1
        assert manager.delete(kind, memory_id=record_id, expected_version=2) == 1
        assert manager.retrieve(kind) == []

    @pytest.mark.parametrize("kind", KINDS)
    def test_delete_of_nothing_over_a_version(self, manager: Subject, kind: MemoryType) -> None:
        """What is not there has version 0: expecting that deletes nothing, expecting another is a conflict."""
        assert manager.delete(kind, memory_id="a", expected_version=0) == 0
        with pytest.raises(VersionConflictError) as caught:
            manager.delete(kind, memory_id="a", expected_version=2)
        assert (caught.value.expected, caught.value.actual) == (2, 0)

    def test_delete_of_working_memory_over_a_version(self, manager: Subject) -> None:
        """Working memory is deleted over a version without naming its id."""
        working = MemoryType.WORKING_MEMORY
        manager.store(working, sample(working))
        with pytest.raises(VersionConflictError):
            manager.delete(working, expected_version=2)
        assert manager.delete(working, expected_version=1) == 1

    @pytest.mark.parametrize("kind", KINDS)
    def test_one_of_many_wins(self, manager: Subject, kind: MemoryType) -> None:
        """Of updates that run at the same time and expect the same version, one is made and the others conflict."""
        record_id = manager.store(kind, sample(kind))
        inputs = [
            MemoryInput("c", kind, [sample(kind, str(n))], memory_id=record_id, expected_version=1) for n in range(6)
        ]
        results = manager.together("update", inputs)
        won = [result for result in results if isinstance(result, Memory)]
        lost = [result for result in results if isinstance(result, VersionConflictError)]
        assert (len(won), len(lost)) == (1, 5)
        assert manager.only(kind) == won[0]

    @pytest.mark.parametrize("kind", KINDS)
    def test_no_update_is_lost(self, manager: Subject, kind: MemoryType) -> None:
        """Metadata updates that run at the same time are all merged, each with a version of its own."""
        record_id = manager.store(kind, sample(kind))
        inputs = [MemoryInput("c", kind, memory_id=record_id, metadata={f"k{n}": n}) for n in range(6)]
        versions = sorted(record.version for record in manager.together("update", inputs))
        assert versions == [2, 3, 4, 5, 6, 7]
        assert manager.only(kind).metadata == {f"k{n}": n for n in range(6)}


def _later(before: Memory, after: Memory) -> bool:
    return before.updated_at is not None and after.updated_at is not None and before.updated_at < after.updated_at
