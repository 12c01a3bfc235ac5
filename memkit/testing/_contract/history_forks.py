"""Forks: a copy of a conversation, up to a message."""
# ruff: noqa: PLR2004 - the numbers are those of the messages that a test appends

from __future__ import annotations

from typing import Any

import pytest

from memkit.errors import ConversationExistsError, InvalidInputError, MemoryNotFoundError, OwnerMismatchError
from memkit.interfaces.history import IMessageHistory
from memkit.records import UserMessage
from memkit.testing._contract.base import LONG, SHORT, WORKING, sample
from memkit.testing._contract.history_base import HistoryPiece, Kit, MakeKit, names, tell
from memkit.testing._contract.names import NASTY

__all__ = ["ForkContract"]

_GIVEN = "s1 u1 a1(x,y) t1=x t2=y u2! a2"


class ForkContract(HistoryPiece):
    """A fork is a conversation of its own, that begins as another one was."""

    @pytest.mark.parametrize("own", [True, False])
    def test_fork_of_all(self, kit: Kit, own: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """A fork has the same messages with the same ids, times and versions, and the original is as it was."""
        history = kit.history()
        ids = tell(history, _GIVEN, own=own, metadata={"a": 1})
        history.update(ids["u1"], UserMessage("new"))
        before = (history.messages(), _facts(history))
        info = history.fork("d")
        assert (info.id, info.count) == ("d", 7)
        assert kit.history("d").messages() == before[0]
        assert (history.messages(), _facts(history)) == before

    @pytest.mark.parametrize(
        ("at", "expected"),
        [("s1", "s1"), ("u1", "s1 u1"), ("t2", "s1 u1 a1 t1 t2"), ("a2", "s1 u1 a1 t1 t2 u2 a2")],
    )
    def test_fork_at(self, kit: Kit, at: str, expected: str) -> None:
        """A fork at a message ends with it."""
        ids = tell(kit.history(), _GIVEN)
        kit.history().fork("d", at=ids[at])
        assert names(kit.history("d").messages()) == expected

    @pytest.mark.parametrize("at", ["a1", "t1"])
    def test_fork_inside_of_a_group(self, kit: Kit, at: str) -> None:
        """A fork that would cut a group is refused, and makes nothing."""
        ids = tell(kit.history(), _GIVEN)
        with pytest.raises(InvalidInputError) as caught:
            kit.history().fork("d", at=ids[at])
        assert caught.value.field == "at"
        assert kit.history("d").info() is None

    def test_a_fork_works(self, kit: Kit) -> None:
        """In a fork, windows, ids, groups and later changes are as in any conversation."""
        history, fork = kit.history(), kit.history("d")
        ids = tell(history, _GIVEN)
        history.fork("d")
        assert fork.window(last=1) == history.window(last=1)
        assert fork.window(last=4) == history.window(last=4)
        assert fork.get(ids["t1"]) == history.get(ids["t1"])
        fork.append(UserMessage("again", id=ids["u1"]))
        fork.update(ids["u1"], UserMessage("u1 of d"))
        tell(fork, "u3")
        history.remove(ids["u2"])
        assert names(fork.messages()) == "s1 u1 of d a1 t1 t2 u2 a2 u3"
        assert names(history.messages()) == "s1 u1 a1 t1 t2 a2"

    def test_fork_of_what_is_left(self, kit: Kit) -> None:
        """What was removed is not copied, and its id is free in the fork."""
        history, fork = kit.history(), kit.history("d")
        ids = tell(history, "u1 u2 u3", own=True)
        history.remove(ids["u2"])
        history.fork("d")
        tell(fork, "u2", own=True)
        assert names(fork.messages()) == "u1 u3 u2"

    def test_a_fork_has_title_and_metadata(self, kit: Kit) -> None:
        """Title, metadata and user are those of the original, and change on their own."""
        history, fork = kit.history(user_id="ann"), kit.history("d")
        ids = tell(history, "u1 u2")
        history.set_title("title")
        history.set_metadata({"a": [1]})
        found = history.fork("d", at=ids["u1"])
        assert (found.title, found.metadata, found.user_id, found.count) == ("title", {"a": [1]}, "ann", 1)
        fork.set_title("other")
        fork.set_metadata(None)
        assert _facts(history)[:2] == ("title", {"a": [1]})
        assert _facts(fork)[:2] == ("other", {})
        with pytest.raises(OwnerMismatchError):
            kit.history("d", user_id="bob").count()

    def test_a_fork_is_only_of_messages(self, kit: Kit) -> None:
        """Working and long-term memory, branches and the turn are not copied."""
        history, fork = kit.history(), kit.history("d")
        for kind in (WORKING, LONG):
            kit.manager.store(kind, sample(kind))
        ids = tell(history, "u1 u2 u3")
        history.rewind(ids["u2"])
        with history.turn():
            history.fork("d")
        tell(fork, "u4")
        assert names(fork.messages()) == "u1 u2 u4"
        assert (kit.manager.retrieve(WORKING, "d"), kit.manager.retrieve(LONG, "d"), fork.branches()) == ([], [], [])

    def test_a_fork_has_the_default_life(self, make_kit: MakeKit) -> None:
        """A fork lives as long as any new conversation, whatever was set for the original."""
        kit = make_kit(ttl={SHORT: 500})
        history = kit.history()
        tell(history, "u1")
        history.persist()
        found = history.fork("d")
        assert found.expires_in is not None
        assert 400 < found.expires_in <= 500

    def test_fork_over_messages(self, kit: Kit) -> None:
        """A conversation that has messages is not overwritten; one with other memories only takes the fork."""
        history = kit.history()
        tell(history, "u1")
        tell(kit.history("d"), "u2")
        with pytest.raises(ConversationExistsError) as caught:
            history.fork("d")
        assert caught.value.conversation_id == "d"
        assert names(kit.history("d").messages()) == "u2"
        kit.manager.store(WORKING, sample(WORKING), conversation_id="e")
        history.fork("e")
        assert names(kit.history("e").messages()) == "u1"
        assert len(kit.manager.retrieve(WORKING, "e")) == 1

    def test_fork_again(self, kit: Kit) -> None:
        """A fork can be made anew once the old one was cleared, and one can be forked itself."""
        history = kit.history()
        tell(history, "u1 u2")
        history.fork("d")
        with pytest.raises(ConversationExistsError):
            history.fork("d")
        kit.history("d").clear()
        history.fork("d")
        kit.history("d").fork("e")
        assert kit.history("e").messages() == history.messages()

    def test_fork_onto_itself(self, history: IMessageHistory) -> None:
        """The new conversation is another one."""
        tell(history, "u1")
        with pytest.raises(InvalidInputError) as caught:
            history.fork("c")
        assert caught.value.field == "new_id"
        assert history.count() == 1

    def test_fork_of_nothing(self, kit: Kit) -> None:
        """Without messages there is nothing to copy, and no place that is not there."""
        history = kit.history()
        kit.manager.store(WORKING, sample(WORKING))
        with pytest.raises(MemoryNotFoundError):
            history.fork("d")
        ids = tell(history, "u1 u2")
        history.remove(ids["u1"])
        for at in (ids["u1"], "other"):
            with pytest.raises(MemoryNotFoundError):
                history.fork("d", at=at)
        assert kit.history("d").info() is None

    def test_fork_into_anothers(self, kit: Kit) -> None:
        """A fork does not get into a conversation of another user."""
        tell(kit.history(user_id="ann"), "u1")
        kit.manager.store(WORKING, sample(WORKING), conversation_id="d", user_id="bob")
        with pytest.raises(OwnerMismatchError):
            kit.history(user_id="ann").fork("d")
        assert kit.history("d").count() == 0

    def test_fork_under_any_name(self, kit: Kit) -> None:
        """Every nasty id names a fork of its own."""
        tell(kit.history(), "u1")
        for name in NASTY:
            assert kit.history().fork(name).id == name
        assert [kit.history(name).count() for name in NASTY] == [1] * len(NASTY)

    def test_fork_of_a_long_history(self, kit: Kit) -> None:
        """A history of thousands is copied whole, in one step, with a pinned message far back."""
        history = kit.history()
        tell(history, "s1 u0!")
        history.append(*(UserMessage(f"m{n}") for n in range(2500)))
        assert history.fork("d").count == 2502
        assert kit.history("d").messages() == history.messages()
        assert names(kit.history("d").window(last=1)) == "s1 u0 m2499"

    def test_one_of_many_forks(self, kit: Kit) -> None:
        """Of forks into one conversation at the same time one is made."""
        tell(kit.history(), "u1 u2")
        raw = kit.raw()
        results = kit.together([lambda: raw.fork("d")] * 4)
        assert sum(isinstance(result, ConversationExistsError) for result in results) == 3
        assert names(kit.history("d").messages()) == "u1 u2"


def _facts(history: IMessageHistory) -> tuple[Any, ...]:
    found = history.info()
    assert found is not None
    return found.title, found.metadata, found.user_id, found.count, found.revision
