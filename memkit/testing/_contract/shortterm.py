"""SHORT_TERM_MEMORY: an ordered log."""
# ruff: noqa: PLR2004 - the numbers are those of the records that a test stores

from __future__ import annotations

import uuid

import pytest

from memkit.errors import InvalidRecordError, MemoryNotFoundError
from memkit.ids import new_id
from memkit.records import AssistantMessage, Fact, UserMessage
from memkit.testing._contract.base import SHORT, Contract, Make, Subject, texts

__all__ = ["ShortContract"]


def _numbered(count: int) -> list[UserMessage]:
    return [UserMessage(str(n), id=f"n{n}") for n in range(count)]


class ShortContract(Contract):
    """Records come back in the order in which they were stored."""

    def test_log_order(self, manager: Subject) -> None:
        """Records of one store and of several come back oldest first."""
        manager.store(SHORT, UserMessage("a"), AssistantMessage("b"))
        manager.store(SHORT, UserMessage("c"))
        manager.store(SHORT, Fact("d"), UserMessage("e"))
        assert texts(manager.retrieve(SHORT)) == ["a", "b", "c", "d", "e"]

    def test_log_order_is_not_that_of_ids_or_times(self, manager: Subject) -> None:
        """The order is that of storing, whatever ids and created_at say."""
        for record_id in ("z", "a", new_id(), "m"):
            manager.store(SHORT, UserMessage(record_id, id=record_id))
        early = new_id()
        manager.store(SHORT, UserMessage("late", id=new_id()))
        manager.store(SHORT, UserMessage("early", id=early))
        found = manager.retrieve(SHORT)
        assert [found[0].id, found[1].id, found[3].id] == ["z", "a", "m"]
        assert texts(found)[4:] == ["late", "early"]
        assert texts(manager.retrieve(SHORT, memory_id=early)) == ["early"]

    def test_log_store_returns_the_last_id(self, manager: Subject) -> None:
        """Store returns the id of the last record, chosen by the caller or by memkit."""
        assert manager.store(SHORT, UserMessage("a"), UserMessage("b", id="mine")) == "mine"
        chosen = manager.store(SHORT, UserMessage("c"), UserMessage("d"))
        ids = [record.id for record in manager.retrieve(SHORT)]
        assert (ids[1], ids[3], len(set(ids))) == ("mine", chosen, 4)

    def test_log_limit_keeps_the_last(self, manager: Subject) -> None:
        """A limit keeps the newest records, in order; None, and more than there are, mean all."""
        manager.store(SHORT, *_numbered(5))
        assert texts(manager.retrieve(SHORT, limit=2)) == ["3", "4"]
        assert texts(manager.retrieve(SHORT, limit=1)) == ["4"]
        assert manager.retrieve(SHORT, limit=0) == []
        for everything in (None, 5, 6, 1000, 1 << 40, 10**30):
            assert texts(manager.retrieve(SHORT, limit=everything)) == ["0", "1", "2", "3", "4"]

    def test_log_no_cap_that_nobody_set(self, manager: Subject) -> None:
        """A conversation of thousands comes back whole, and a store of thousands is taken whole."""
        manager.store(SHORT, *_numbered(3000))
        assert texts(manager.retrieve(SHORT)) == [str(n) for n in range(3000)]
        assert texts(manager.retrieve(SHORT, limit=2000)) == [str(n) for n in range(1000, 3000)]

    def test_log_limit_counts_what_passes_the_filters(self, manager: Subject) -> None:
        """The last N are the last N that pass, however far back they are."""
        manager.store(SHORT, *(UserMessage(str(n), metadata={"rare": n % 100 == 0}) for n in range(700)))
        assert texts(manager.retrieve(SHORT, filters={"rare": True}, limit=3)) == ["400", "500", "600"]
        assert texts(manager.retrieve(SHORT, filters={"rare": True}, limit=7)) == [str(n) for n in range(0, 700, 100)]
        assert texts(manager.retrieve(SHORT, filters={"rare": True}, limit=8)) == [str(n) for n in range(0, 700, 100)]

    def test_log_limit_after_deletes(self, manager: Subject) -> None:
        """A limit counts the records that are there, not those that were deleted."""
        manager.store(SHORT, *_numbered(60))
        for n in range(60):
            if n % 3:
                assert manager.delete(SHORT, memory_id=f"n{n}") == 1
        left = [str(n) for n in range(0, 60, 3)]
        assert texts(manager.retrieve(SHORT)) == left
        for limit in (1, 7, 19, 20, 21):
            assert texts(manager.retrieve(SHORT, limit=limit)) == left[-limit:]

    def test_log_memory_id(self, manager: Subject) -> None:
        """An id finds its record, and only if the filters pass too."""
        manager.store(SHORT, *(UserMessage(f"text {n}", id=f"n{n}", metadata={"n": n}) for n in range(4)))
        assert texts(manager.retrieve(SHORT, memory_id="n2")) == ["text 2"]
        assert texts(manager.retrieve(SHORT, memory_id="n2", filters={"n": 2}, limit=1, query="text")) == ["text 2"]
        assert manager.retrieve(SHORT, memory_id="n2", filters={"n": 3}) == []
        assert manager.retrieve(SHORT, memory_id="n2", query="other") == []
        assert manager.retrieve(SHORT, memory_id="n2", limit=0) == []
        assert manager.retrieve(SHORT, memory_id="n9") == []

    def test_log_same_id_is_stored_once(self, manager: Subject) -> None:
        """A record whose id is there already stays as it is, and storing it again is a success."""
        assert manager.store(SHORT, UserMessage("first", id="a")) == "a"
        assert manager.store(SHORT, UserMessage("second", id="a")) == "a"
        record = manager.only(SHORT)
        assert (texts([record]), record.version) == (["first"], 1)

    def test_log_batch_that_is_there_in_part(self, manager: Subject) -> None:
        """Of a batch, only the records that are not there yet are stored, in order."""
        ids = [new_id(), "b", new_id(), "d", "e"]
        batch = [UserMessage(str(n), id=record_id) for n, record_id in enumerate(ids)]
        manager.store(SHORT, batch[1], batch[2])
        assert manager.store(SHORT, *batch) == "e"
        assert manager.store(SHORT, *batch) == "e"
        assert texts(manager.retrieve(SHORT)) == ["1", "2", "0", "3", "4"]

    @pytest.mark.parametrize("own", [True, False])
    def test_log_store_again_after_delete(self, manager: Subject, own: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """A deleted record may be stored again under its id; it is then the newest."""
        record_id = "mine" if own else manager.store(SHORT, UserMessage("made"))
        manager.store(SHORT, UserMessage("one", id=record_id), UserMessage("two", id="b"))
        assert manager.delete(SHORT, memory_id=record_id) == 1
        manager.store(SHORT, UserMessage("again", id=record_id))
        assert texts(manager.retrieve(SHORT)) == ["two", "again"]
        assert manager.update(SHORT, UserMessage("new"), memory_id=record_id).version == 2
        assert manager.delete(SHORT) == 2
        manager.store(SHORT, UserMessage("b again", id="b"), UserMessage("and again", id=record_id))
        assert texts(manager.retrieve(SHORT)) == ["b again", "and again"]

    def test_log_of_neighbouring_ids(self, manager: Subject) -> None:
        """Ids that follow each other without a gap are as different as any, and what is not there is not found."""
        ids = [str(uuid.UUID(int=(0x018F << 112) | (7 << 76) | (2 << 62) | n)) for n in range(20)]
        names = [name for n in range(0, 18, 3) for name in (ids[n], f"own {n}", ids[n + 1])]
        manager.store(SHORT, *(UserMessage(name, id=name) for name in names))
        assert texts(manager.retrieve(SHORT)) == names
        for n in (2, 5, 17, 18, 19):
            assert manager.retrieve(SHORT, memory_id=ids[n]) == []
            assert manager.delete(SHORT, memory_id=ids[n]) == 0
        for name in names:
            assert texts(manager.retrieve(SHORT, memory_id=name)) == [name]

    def test_log_update_in_place(self, manager: Subject) -> None:
        """An updated record keeps its place, and the others are untouched."""
        manager.store(SHORT, *_numbered(3))
        before = manager.retrieve(SHORT)
        updated = manager.update(SHORT, AssistantMessage("new"), memory_id="n1")
        found = manager.retrieve(SHORT)
        assert texts(found) == ["0", "new", "2"]
        assert found[1] == updated
        assert (found[0], found[2]) == (before[0], before[2])
        assert texts(manager.retrieve(SHORT, memory_id="n1")) == ["new"]

    def test_log_update_of_what_memkit_named(self, manager: Subject) -> None:
        """Records are found for update and delete also under the ids that memkit chose."""
        manager.store(SHORT, UserMessage("a"), UserMessage("b"), UserMessage("c"))
        ids = [record.id for record in manager.retrieve(SHORT)]
        for record_id in ids:
            manager.update(SHORT, metadata={"seen": True}, memory_id=record_id)
        assert [record.version for record in manager.retrieve(SHORT)] == [2, 2, 2]
        assert [manager.delete(SHORT, memory_id=record_id) for record_id in ids] == [1, 1, 1]
        assert manager.retrieve(SHORT) == []

    def test_log_update_of_nothing(self, manager: Subject) -> None:
        """There is nothing to update under an unknown id, before the first store or after it."""
        with pytest.raises(MemoryNotFoundError):
            manager.update(SHORT, UserMessage("x"), memory_id="a")
        manager.store(SHORT, UserMessage("one", id="a"))
        with pytest.raises(MemoryNotFoundError):
            manager.update(SHORT, UserMessage("x"), memory_id="b")
        manager.delete(SHORT, memory_id="a")
        with pytest.raises(MemoryNotFoundError):
            manager.update(SHORT, UserMessage("x"), memory_id="a")

    def test_log_delete(self, manager: Subject) -> None:
        """Deleting counts what was there: one record by its id, or the whole conversation."""
        manager.store(SHORT, *_numbered(4))
        assert manager.delete(SHORT, memory_id="n1") == 1
        assert manager.delete(SHORT, memory_id="n1") == 0
        assert texts(manager.retrieve(SHORT)) == ["0", "2", "3"]
        assert manager.retrieve(SHORT, memory_id="n1") == []
        assert manager.delete(SHORT) == 3
        assert manager.delete(SHORT) == 0
        assert manager.retrieve(SHORT) == []

    def test_log_a_batch_is_all_or_none(self, make: Make) -> None:
        """One bad record in a batch, and nothing of it is stored."""
        subject = make(max_record_bytes=1000)
        for bad in (UserMessage("x", metadata={"a": object()}), UserMessage("x" * 2000)):
            with pytest.raises(InvalidRecordError) as caught:
                subject.store(SHORT, UserMessage("a"), bad, UserMessage("c"))
            assert caught.value.path.startswith("data[1]")
        assert subject.retrieve(SHORT) == []
