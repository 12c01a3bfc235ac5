"""Appending to a history: in order, all or none, exactly once."""
# ruff: noqa: PLR2004 - the numbers are those of the messages that a test appends

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

import pytest
from attrs import evolve

from memkit.errors import InvalidInputError, InvalidRecordError
from memkit.interfaces.history import IMessageHistory
from memkit.records import Memory, SystemMessage, UserMessage
from memkit.results import START
from memkit.testing._contract.base import LONG, SHORT, sample, texts
from memkit.testing._contract.history_base import HistoryPiece, Kit, MakeKit, names, script, tell
from memkit.testing._contract.names import NASTY

__all__ = ["HistoryAppendContract"]

_DAY = datetime(2024, 5, 17, 1, 2, 3, 456_789, tzinfo=UTC)


class HistoryAppendContract(HistoryPiece):
    """What was appended is there once, in order; and it is what the four verbs see."""

    def test_appends_in_order(self, history: IMessageHistory) -> None:
        """Messages come back in the order of the appends, and of the arguments of each."""
        tell(history, "s1 u1 a1(x,y) t1=x t2=y")
        tell(history, "u2")
        tell(history, "a2 u3")
        assert names(history.messages()) == "s1 u1 a1 t1 t2 u2 a2 u3"
        assert history.count() == 8

    def test_append_returns_ids(self, history: IMessageHistory) -> None:
        """The ids of all messages are returned in order; those that memkit chooses are UUIDv7 and rise."""
        ids = history.append(UserMessage("a"), UserMessage("b", id="mine"), UserMessage("c"))
        assert [message.id for message in history.messages()] == ids
        assert ids[1] == "mine"
        assert [uuid.UUID(ids[at]).version for at in (0, 2)] == [7, 7]
        assert ids[0] < ids[2]

    def test_appended_messages_are_exact(self, history: IMessageHistory) -> None:
        """Every field of every class comes back as it was, and the envelope is as the verbs make it."""
        given = script("s1! u1 a1(x,y) t1=x t2=y!", name="N", tokens=7, metadata={"a": [1, b"\xff"]}, created_at=_DAY)
        history.append(*given)
        for before, after in zip(given, history.messages(), strict=True):
            assert (after.version, after.created_at) == (1, _DAY)
            assert after.updated_at != _DAY
            assert _plain(after) == _plain(before)

    def test_append_of_ids_that_are_there(self, history: IMessageHistory) -> None:
        """A message whose id is there is not stored again and counts as stored; the others are."""
        history.append(UserMessage("one", id="a"))
        assert history.append(UserMessage("other", id="a"), UserMessage("two", id="b")) == ["a", "b"]
        assert history.append(UserMessage("three", id="b"), UserMessage("four", id="a")) == ["b", "a"]
        assert texts(history.messages()) == ["one", "two"]

    def test_append_takes_any_id(self, history: IMessageHistory) -> None:
        """Every nasty id is a message of its own, found and repeated under that id."""
        ids = history.append(*(UserMessage(str(n), id=name) for n, name in enumerate(NASTY)))
        assert ids == list(NASTY)
        history.append(*(UserMessage("again", id=name) for name in reversed(NASTY)))
        assert texts(history.messages()) == [str(n) for n in range(len(NASTY))]

    def test_append_is_all_or_none(self, make_kit: MakeKit) -> None:
        """One message that cannot be stored, and none of the batch is."""
        history = make_kit(max_record_bytes=1000).history()
        for bad in (UserMessage("x", metadata={"a": object()}), UserMessage("x" * 2000)):
            with pytest.raises(InvalidRecordError) as caught:
                history.append(UserMessage("a"), bad, UserMessage("c"))
            assert "[1]" in caught.value.path
        assert history.messages() == []
        assert history.info() is None

    def test_append_of_one_id_twice(self, history: IMessageHistory) -> None:
        """A batch that holds an id twice is refused."""
        with pytest.raises(InvalidInputError):
            history.append(UserMessage("a", id="a"), UserMessage("b"), UserMessage("c", id="a"))
        assert history.count() == 0

    def test_appends_at_the_same_time(self, kit: Kit) -> None:
        """Appends that run at the same time all land, each batch whole and in its own order."""
        raw = kit.raw()
        batches = [[UserMessage(f"{n} {at}") for at in range(4)] for n in range(8)]
        ids = kit.together([partial(raw.append, *batch) for batch in batches])
        found = kit.history().messages()
        batches_in_order = sorted(ids, key=lambda batch: _at(found, batch[0]))
        assert [message.id for message in found] == [each for batch in batches_in_order for each in batch]

    def test_large_appends(self, history: IMessageHistory) -> None:
        """Thousands of messages are taken in one append, and all come back."""
        history.append(*(UserMessage(str(n)) for n in range(2500)))
        assert history.count() == 2500
        assert texts(history.messages()) == [str(n) for n in range(2500)]

    def test_history_and_verbs_are_one_log(self, kit: Kit) -> None:
        """SHORT_TERM_MEMORY and the history are the same log: each sees what the other stores, changes and deletes."""
        history, manager = kit.history(), kit.manager
        stored = manager.store(SHORT, UserMessage("u1"))
        (appended,) = history.append(UserMessage("u2"))
        assert names(history.messages()) == names(manager.retrieve(SHORT)) == "u1 u2"
        manager.update(SHORT, UserMessage("u3"), memory_id=appended)
        history.update(stored, UserMessage("u4"))
        assert list[Memory](history.messages()) == manager.retrieve(SHORT)
        assert names(history.window()) == "u4 u3"
        assert manager.delete(SHORT, memory_id=stored) == 1
        assert history.remove(appended) is True
        assert (history.messages(), manager.retrieve(SHORT)) == ([], [])

    def test_marks_of_what_verbs_store(self, kit: Kit) -> None:
        """What the verbs store makes groups, leads and is pinned like what is appended."""
        kit.manager.store(SHORT, *script("s1 u1! u2 a1(x) t1=x u3"))
        assert names(kit.history().window(last=1)) == "s1 u1 u3"
        assert names(kit.history().window(last=3)) == "s1 u1 a1 t1 u3"

    def test_a_fact_in_the_log(self, kit: Kit) -> None:
        """A record that is no message stays in the log for the verbs, and no message is lost over it."""
        kit.manager.store(SHORT, UserMessage("u1"), sample(LONG, "fact", id="f"), UserMessage("u2"))
        assert names(kit.history().messages()) == names(kit.history().messages(limit=2)) == "u1 u2"
        assert names(kit.history().follow(START, timeout=0.01)) == "u1 u2"
        assert names(kit.manager.retrieve(SHORT)) == "u1 fact u2"

    def test_histories_of_other_conversations(self, kit: Kit, make_kit: MakeKit) -> None:
        """A history is that of its conversation and namespace alone, whatever the names hold."""
        for name in NASTY:
            kit.history(name).append(UserMessage(name, id="a"))
        assert [kit.history(name).messages()[0].content for name in NASTY] == list(NASTY)
        assert make_kit(namespace="other").history(NASTY[0]).messages() == []

    def test_names_of_a_history(self, kit: Kit) -> None:
        """A history says of which conversation it is, and on whose behalf."""
        assert (kit.history("é").conversation_id, kit.history("é").user_id) == ("é", None)
        assert kit.history("é", user_id="ann").user_id == "ann"


class HistoryRepeatContract(HistoryPiece):
    """An append with a key is done once, whoever repeats it."""

    def test_a_repeat_with_a_key(self, history: IMessageHistory) -> None:
        """A repeat under the same key stores nothing and returns the same ids."""
        ids = history.append(*script("u1 a1"), idempotency_key="k")
        for _ in range(2):
            assert history.append(*script("u1 a1"), idempotency_key="k") == ids
        assert names(history.messages()) == "u1 a1"
        assert [message.id for message in history.messages()] == ids

    def test_a_repeat_by_another(self, kit: Kit, make_kit: MakeKit) -> None:
        """Another kit over the same store repeats an append as well as the one that made it."""
        ids = kit.history().append(*script("u1 u2"), idempotency_key="k")
        assert make_kit().history().append(*script("u1 u2"), idempotency_key="k") == ids
        assert make_kit(codec="json").history().append(*script("u1 u2"), idempotency_key="k") == ids
        assert names(kit.history().messages()) == "u1 u2"

    def test_a_repeat_much_later(self, history: IMessageHistory) -> None:
        """A repeat is recognised however much was appended in between."""
        ids = history.append(*script("u1"), idempotency_key="k")
        for n in range(30):
            history.append(UserMessage(str(n)))
        assert history.append(*script("u1"), idempotency_key="k") == ids
        assert history.count() == 31

    @pytest.mark.parametrize("again", ["u3 u4", "u3", "u3 u4 u5"])
    def test_another_batch_under_a_key(self, history: IMessageHistory, again: str) -> None:
        """The key decides: under one that is known nothing more is stored, whatever the messages are."""
        ids = history.append(*script("u1 u2"), idempotency_key="k")
        assert history.append(*script(again), idempotency_key="k")[:1] == ids[:1]
        assert names(history.messages()) == "u1 u2"

    def test_a_key_after_a_removal(self, history: IMessageHistory) -> None:
        """A repeat stores nothing as long as the first of its messages is there, even if others are not."""
        ids = history.append(*script("u1 u2 u3"), idempotency_key="k")
        history.remove(ids[1])
        assert history.append(*script("u1 u2 u3"), idempotency_key="k") == ids
        assert names(history.messages()) == "u1 u3"

    def test_keys_are_apart(self, kit: Kit) -> None:
        """Every key is its own, also one that looks like another with a number behind, and in every conversation."""
        keys = [*NASTY, "k", "k0", "k:0", "k:1", "00"]
        batches = [kit.history().append(*script("u1 u2"), idempotency_key=key) for key in keys]
        assert len({record_id for batch in batches for record_id in batch}) == 2 * len(keys)
        many = script(" ".join(f"u{n}" for n in range(12)))
        batches = [kit.history("e").append(*many, idempotency_key=key) for key in ("k", "k1", "k11", "1")]
        assert kit.history("e").count() == len({record_id for batch in batches for record_id in batch}) == 48
        kit.history("d").append(*script("u1"), idempotency_key="k")
        assert (kit.history().count(), kit.history("d").count()) == (2 * len(keys), 1)

    def test_equal_appends_at_the_same_time(self, kit: Kit) -> None:
        """Of appends with one key that run at the same time one is stored, and all return its ids."""
        raw = kit.raw()
        results = kit.together([lambda: raw.append(*script("u1 u2"), idempotency_key="k")] * 6)
        assert results == [results[0]] * 6
        assert names(kit.history().messages()) == "u1 u2"

    def test_a_key_takes_no_ids(self, history: IMessageHistory) -> None:
        """Messages of an append with a key have no ids of their own, or it is refused."""
        with pytest.raises(InvalidInputError):
            history.append(UserMessage("a"), UserMessage("b", id="mine"), idempotency_key="k")
        assert history.count() == 0

    def test_messages_without_a_key(self, history: IMessageHistory) -> None:
        """Without a key, equal messages are as many messages."""
        assert len({history.append(SystemMessage("s"))[0] for _ in range(3)}) == 3
        assert history.count() == 3


def _plain(message: Memory) -> Memory:
    return evolve(message, id=None, updated_at=None, version=0)


def _at(found: Iterable[Memory], message_id: str) -> int:
    return [message.id for message in found].index(message_id)
