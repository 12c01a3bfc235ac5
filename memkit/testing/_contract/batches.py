"""Reads and stores of many at once: the same as one by one."""
# ruff: noqa: PLR2004 - the numbers are those of the records that a test stores

from __future__ import annotations

from typing import Any

import pytest

from memkit.errors import BatchError, InvalidInputError, OwnerMismatchError, VersionConflictError
from memkit.inputs import MemoryInput
from memkit.interfaces.history import IMessageHistory
from memkit.records import Fact, UserMessage
from memkit.testing._contract.base import LONG, SHORT, WORKING, Contract, Subject, sample, texts
from memkit.testing._contract.history_base import HistoryPiece, Kit, names, script, tell

__all__ = ["BatchContract", "StoreManyContract", "WindowsContract"]


class BatchContract(Contract):
    """`retrieve_many` returns what `retrieve` returns for each input."""

    def test_many_are_the_same_as_one_by_one(self, manager: Subject) -> None:
        """Inputs of all memories, of several conversations, with queries, filters and limits, the same one twice."""
        for name in ("a", "b", "c"):
            manager.store(WORKING, sample(WORKING, f"value of {name}"), conversation_id=name)
            for number in range(30):
                message = UserMessage(f"{name} {number}", id=f"m{number}", metadata={"even": number % 2 == 0})
                manager.store(SHORT, message, conversation_id=name)
            manager.store(LONG, Fact(f"{name} likes walnuts"), Fact(f"{name} lives in Graz"), conversation_id=name)
        # What was removed makes a read with a limit look further back.
        for number in range(25, 30):
            manager.delete(SHORT, "b", memory_id=f"m{number}")
        inputs: list[Any] = [
            MemoryInput("a", WORKING),
            MemoryInput("b", SHORT, limit=3),
            MemoryInput("c", SHORT, filters={"even": True}, limit=2),
            MemoryInput("a", SHORT, memory_id="m7"),
            {"conversation_id": "b", "memory_type": "LONG_TERM_MEMORY", "query": "walnuts"},
            MemoryInput("nobody"),
            MemoryInput("a", WORKING),
            MemoryInput("a", limit=0),
        ]
        found = manager.send("retrieve_many", inputs)
        assert found == [manager.send("retrieve", one) for one in inputs]
        assert [len(each) for each in found] == [1, 3, 2, 1, 1, 0, 1, 0]
        assert texts(found[1]) == ["b 22", "b 23", "b 24"]

    def test_many_of_none(self, manager: Subject) -> None:
        """Nothing is retrieved for no input; any iterable of inputs will do."""
        manager.store(WORKING, sample(WORKING))
        assert manager.send("retrieve_many", []) == []
        assert [len(each) for each in manager.send("retrieve_many", (MemoryInput("c", WORKING) for _ in range(2)))] == [
            1,
            1,
        ]

    def test_many_are_refused_together(self, manager: Subject) -> None:
        """One wrong input, or one of somebody else's conversation, and nothing is returned."""
        manager.store(SHORT, UserMessage("mine"), user_id="ada")
        with pytest.raises(OwnerMismatchError):
            manager.send("retrieve_many", [MemoryInput("other"), MemoryInput("c", user_id="bob")])
        for wrong in ([MemoryInput("c"), MemoryInput("")], MemoryInput("c"), "c", {"conversation_id": "c"}, None):
            with pytest.raises(InvalidInputError):
                manager.send("retrieve_many", wrong)


class StoreManyContract(Contract):
    """`store_many` stores each input as `store` does, and each for itself."""

    def test_many_are_stored(self, manager: Subject) -> None:
        """Inputs of all memories and several conversations are stored in order, and their ids come back in it."""
        inputs: list[Any] = [
            MemoryInput("a", WORKING, data=[sample(WORKING, "value", id="w")]),
            MemoryInput("a", SHORT, data=[UserMessage("one", id="1"), UserMessage("two", id="2")]),
            MemoryInput("b", SHORT, data=[UserMessage("three")], user_id="ada"),
            {"conversation_id": "a", "data": [UserMessage("four", id="4")], "metadata": {"n": 4}},
            MemoryInput("c", LONG, data=[Fact("five", id="5")], ttl=None),
            MemoryInput("a", WORKING, data=[sample(WORKING, "newer", id="w")]),
        ]
        ids = manager.send("store_many", inputs)
        assert [*ids[:2], *ids[3:]] == ["w", "2", "4", "5", "w"]
        assert texts(manager.retrieve(SHORT, "a")) == ["one", "two", "four"]
        assert [(record.id, texts([record])) for record in manager.retrieve(SHORT, "b")] == [(ids[2], ["three"])]
        assert manager.only(WORKING, conversation_id="a").version == 2
        assert texts(manager.retrieve(LONG, "c")) == ["five"]
        assert manager.send("store_many", []) == []

    def test_many_are_stored_each_for_itself(self, manager: Subject) -> None:
        """What is refused says which input it was and why; the others are stored."""
        manager.store(SHORT, UserMessage("mine"), user_id="ada")
        manager.store(WORKING, sample(WORKING), conversation_id="d")
        inputs = [
            MemoryInput("a", data=[UserMessage("x", id="x")]),
            MemoryInput("c", data=[UserMessage("not yours")], user_id="bob"),
            MemoryInput("d", WORKING, data=[sample(WORKING)], expected_version=7),
            MemoryInput("b", data=[UserMessage("y", id="y")]),
        ]
        with pytest.raises(BatchError) as caught:
            manager.send("store_many", inputs)
        assert {number: type(error) for number, error in caught.value.errors.items()} == {
            1: OwnerMismatchError,
            2: VersionConflictError,
        }
        assert caught.value.stored == {0: "x", 3: "y"}
        assert texts(manager.retrieve(SHORT)) == ["mine"]
        assert [texts(manager.retrieve(SHORT, name)) for name in "ab"] == [["x"], ["y"]]

    def test_many_are_checked_first(self, manager: Subject) -> None:
        """One wrong input is named, and nothing at all is stored."""
        right = MemoryInput("a", data=[UserMessage("x")])
        wrong = {
            "memory_inputs[1].data": MemoryInput("b", data=[]),
            "memory_inputs[1].data[0].metadata['x']": MemoryInput("b", data=[UserMessage("y", metadata={"x": {1}})]),
        }
        for field, given in wrong.items():
            with pytest.raises(InvalidInputError) as caught:
                manager.send("store_many", [right, given])
            assert caught.value.field == field
        with pytest.raises(InvalidInputError, match="memory_inputs"):
            manager.send("store_many", right)
        assert manager.retrieve(SHORT, "a") == []


class WindowsContract(HistoryPiece):
    """`windows` of a kit returns what `window` of each history returns."""

    def test_windows_are_the_same_as_one_by_one(self, kit: Kit) -> None:
        """Those of several conversations, with bounds, one of them absent, one that has to be read in several pages."""
        tell(kit.history("a"), "s1 u1 a1(x) t1=x a2 u2")
        tell(kit.history("b"), "u1 " + " ".join(f"a{number}(x{number})" for number in range(80)))
        tell(kit.history("c"), "u1! a1 u2 a2 u3")
        for bounds in ({}, {"last": 1}, {"last": 4}, {"tokens": 9, "counter": lambda _: 3}):
            found = kit.windows(["a", "b", "nobody", "c", "a"], **bounds)
            assert found == [kit.history(name).window(**bounds) for name in ("a", "b", "nobody", "c", "a")]
        assert [names(each) for each in kit.windows(["a", "b", "c"], last=2)] == ["s1 a2 u2", "u1", "u1 a2 u3"]

    def test_windows_of_none(self, kit: Kit) -> None:
        """No conversations have no windows."""
        assert kit.windows([]) == []

    def test_windows_are_refused_together(self, kit: Kit) -> None:
        """One wrong id, or one of somebody else's conversation, and nothing is returned."""
        mine: IMessageHistory = kit.history("c", user_id="ada")
        mine.append(*script("u1"))
        assert [names(each) for each in kit.windows(["c", "d"], "ada", last=5)] == ["u1", ""]
        with pytest.raises(OwnerMismatchError):
            kit.windows(["d", "c"], "bob")
        for wrong in (["c", ""], "c", None, ["c", 7]):
            with pytest.raises(InvalidInputError):
                kit.windows(wrong)
        with pytest.raises(InvalidInputError, match="last"):
            kit.windows(["c"], last=0)
