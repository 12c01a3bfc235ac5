"""LONG_TERM_MEMORY: a set of records by id."""
# ruff: noqa: PLR2004 - the numbers are those of the records that a test stores

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from memkit.errors import InvalidRecordError, MemoryNotFoundError
from memkit.records import Fact, UserMessage
from memkit.testing._contract.base import LONG, Contract, Make, Subject, texts

__all__ = ["LongContract"]

_DAY = datetime(2024, 5, 17, tzinfo=UTC)


def _aged(count: int) -> list[Fact]:
    """Facts that are each a microsecond older than the one before."""
    return [Fact(str(n), id=f"n{n}", created_at=_DAY - timedelta(microseconds=n)) for n in range(count)]


class LongContract(Contract):
    """Records are found by id, and listed newest first."""

    def test_set_newest_first(self, manager: Subject) -> None:
        """Records come back by created_at, the newest first, whatever the order of storing."""
        records = _aged(6)
        manager.store(LONG, records[3], records[0], records[5])
        manager.store(LONG, records[4])
        manager.store(LONG, records[2], records[1])
        assert texts(manager.retrieve(LONG)) == ["0", "1", "2", "3", "4", "5"]

    def test_set_later_stores_are_newer(self, manager: Subject) -> None:
        """Without a created_at of the caller's, what was stored later comes first."""
        for text in ("a", "b", "c"):
            manager.store(LONG, Fact(text))
        manager.store(LONG, Fact("d"), Fact("e"))
        assert texts(manager.retrieve(LONG)) == ["e", "d", "c", "b", "a"]

    def test_set_store_returns_the_last_id(self, manager: Subject) -> None:
        """Store returns the id of the last record, chosen by the caller or by memkit."""
        assert manager.store(LONG, Fact("a"), Fact("b", id="mine")) == "mine"
        chosen = manager.store(LONG, Fact("c"), Fact("d"))
        assert texts(manager.retrieve(LONG, memory_id=chosen)) == ["d"]

    def test_set_limit(self, manager: Subject) -> None:
        """A limit keeps the newest; None, and more than there are, mean all."""
        manager.store(LONG, *_aged(5))
        assert texts(manager.retrieve(LONG, limit=2)) == ["0", "1"]
        assert manager.retrieve(LONG, limit=0) == []
        for everything in (None, 5, 6, 1000, 1 << 40, 10**30):
            assert texts(manager.retrieve(LONG, limit=everything)) == ["0", "1", "2", "3", "4"]

    def test_set_no_cap_that_nobody_set(self, manager: Subject) -> None:
        """A set of thousands comes back whole, and a store of thousands is taken whole."""
        manager.store(LONG, *_aged(1500))
        assert texts(manager.retrieve(LONG)) == [str(n) for n in range(1500)]
        assert texts(manager.retrieve(LONG, limit=1200)) == [str(n) for n in range(1200)]

    def test_set_limit_counts_what_passes_the_filters(self, manager: Subject) -> None:
        """The newest N are the newest N that pass."""
        manager.store(LONG, *(Fact(str(n), topic="ab"[n % 2], created_at=_DAY - timedelta(n)) for n in range(200)))
        assert texts(manager.retrieve(LONG, filters={"topic": "b"}, limit=3)) == ["b 1", "b 3", "b 5"]
        assert len(manager.retrieve(LONG, filters={"topic": "b"}, limit=150)) == 100

    def test_set_memory_id(self, manager: Subject) -> None:
        """An id finds its record, and only if the filters pass too."""
        manager.store(LONG, *(Fact(f"text {n}", id=f"n{n}", metadata={"n": n}) for n in range(4)))
        assert texts(manager.retrieve(LONG, memory_id="n2")) == ["text 2"]
        assert texts(manager.retrieve(LONG, memory_id="n2", filters={"n": 2}, limit=1, query="text")) == ["text 2"]
        for unwanted in ({"filters": {"n": 3}}, {"query": "other"}, {"limit": 0}):
            assert manager.retrieve(LONG, memory_id="n2", **unwanted) == []
        assert manager.retrieve(LONG, memory_id="n9") == []

    def test_set_store_replaces_by_id(self, manager: Subject) -> None:
        """Storing an id again replaces the record: the next version, at its old place and age."""
        manager.store(LONG, *_aged(3))
        manager.store(LONG, UserMessage("new", id="n1", metadata={"a": 1}))
        found = manager.retrieve(LONG)
        assert texts(found) == ["0", "new", "2"]
        assert (found[1].version, found[1].created_at) == (2, _DAY - timedelta(microseconds=1))
        assert isinstance(found[1], UserMessage)
        assert [found[0].version, found[2].version] == [1, 1]

    def test_set_replacing_leaves_nothing_of_the_old(self, manager: Subject) -> None:
        """A record that is stored again has its new metadata only."""
        manager.store(LONG, Fact("old", id="a", metadata={"old": 1}))
        manager.store(LONG, Fact("new", id="a", metadata={"new": 1}))
        assert manager.only(LONG).metadata == {"new": 1}

    def test_set_batch_adds_and_replaces(self, manager: Subject) -> None:
        """One store may add some records and replace others."""
        manager.store(LONG, *_aged(2))
        assert manager.store(LONG, Fact("new 1", id="n1"), Fact("added", id="x")) == "x"
        assert sorted(texts(manager.retrieve(LONG))) == ["0", "added", "new 1"]

    def test_set_update(self, manager: Subject) -> None:
        """An update replaces the data; place and age stay; the others are untouched."""
        manager.store(LONG, *_aged(3))
        before = manager.retrieve(LONG)
        updated = manager.update(LONG, Fact("new", topic="t"), memory_id="n1")
        found = manager.retrieve(LONG)
        assert texts(found) == ["0", "t new", "2"]
        assert found[1] == updated
        assert (found[0], found[2]) == (before[0], before[2])
        assert updated.created_at == before[1].created_at

    def test_set_update_of_nothing(self, manager: Subject) -> None:
        """There is nothing to update under an unknown id, before the first store or after it."""
        with pytest.raises(MemoryNotFoundError):
            manager.update(LONG, Fact("x"), memory_id="a")
        manager.store(LONG, Fact("one", id="a"))
        with pytest.raises(MemoryNotFoundError):
            manager.update(LONG, Fact("x"), memory_id="b")
        manager.delete(LONG, memory_id="a")
        with pytest.raises(MemoryNotFoundError):
            manager.update(LONG, metadata={"a": 1}, memory_id="a")

    def test_set_delete(self, manager: Subject) -> None:
        """Deleting counts what was there: one record by its id, or all."""
        manager.store(LONG, *_aged(4))
        assert manager.delete(LONG, memory_id="n1") == 1
        assert manager.delete(LONG, memory_id="n1") == 0
        assert texts(manager.retrieve(LONG)) == ["0", "2", "3"]
        assert manager.delete(LONG) == 3
        assert manager.delete(LONG) == 0
        assert manager.retrieve(LONG) == []

    def test_set_store_again_after_delete(self, manager: Subject) -> None:
        """A record stored after its delete is new: version 1, and the age that it says."""
        manager.store(LONG, Fact("one", id="a"))
        manager.store(LONG, Fact("two", id="a"))
        manager.delete(LONG, memory_id="a")
        manager.store(LONG, Fact("three", id="a", created_at=_DAY))
        record = manager.only(LONG)
        assert (record.version, record.created_at) == (1, _DAY)

    def test_set_a_batch_is_all_or_none(self, make: Make) -> None:
        """One bad record in a batch, and nothing of it is stored or replaced."""
        subject = make(max_record_bytes=1000)
        subject.store(LONG, Fact("old", id="a"))
        for bad in (Fact("x", metadata={"a": object()}), Fact("x" * 2000)):
            with pytest.raises(InvalidRecordError) as caught:
                subject.store(LONG, Fact("new", id="a"), bad, Fact("c"))
            assert caught.value.path.startswith("data[1]")
        assert texts(subject.retrieve(LONG)) == ["old"]
