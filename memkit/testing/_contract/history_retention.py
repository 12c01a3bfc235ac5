"""Retention: what a history keeps when it is appended to."""
# ruff: noqa: PLR2004 - the numbers are those of the messages that a test appends

from __future__ import annotations

import pytest

from memkit.clock import Clock
from memkit.errors import MemoryNotFoundError
from memkit.records import UserMessage
from memkit.testing._contract.base import SHORT
from memkit.testing._contract.history_base import HistoryPiece, Kit, MakeKit, names, script, tell

__all__ = ["RetentionContract"]

_SOON = 0.2
_LATE = 0.23


class RetentionContract(HistoryPiece):
    """The oldest groups go when there are too many messages, or when they are too old; what always stays does."""

    def test_bound_of_single_messages(self, kit: Kit) -> None:
        """Messages without ids of their own, each appended alone: the last are kept, and found by their ids."""
        history = kit.history(max_messages=3)
        ids: list[str] = []
        for number in range(10):
            ids += history.append(UserMessage(str(number)))
            kept = [message.content for message in history.messages()]
            assert kept == [str(each) for each in range(10)][max(number - 2, 0) : number + 1]
        assert [message and message.content for message in map(history.get, ids)] == [None] * 7 + ["7", "8", "9"]
        assert history.count() == 3

    def test_most_messages(self, kit: Kit) -> None:
        """An append drops the oldest messages above the bound, one by one or many at once."""
        history = kit.history(max_messages=3)
        seen = []
        for name in ("u1", "u2", "u3", "u4", "u5"):
            tell(history, name)
            seen.append(names(history.messages()))
        assert seen == ["u1", "u1 u2", "u1 u2 u3", "u2 u3 u4", "u3 u4 u5"]
        tell(history, "u6 u7 u8 u9")
        assert names(history.messages()) == "u7 u8 u9"
        assert history.count() == 3

    def test_most_messages_by_groups(self, kit: Kit) -> None:
        """Groups go whole: rather too many messages are dropped than a call is cut from its results."""
        history = kit.history(max_messages=4)
        tell(history, "u1 a1(x,y) t1=x t2=y")
        tell(history, "u2")
        assert names(history.messages()) == "a1 t1 t2 u2"
        tell(history, "u3 u4")
        assert names(history.messages()) == "u2 u3 u4"

    def test_the_newest_group_stays(self, kit: Kit) -> None:
        """The newest group stays, however large it is."""
        history = kit.history(max_messages=2)
        tell(history, "u1 a1(x,y,z) t1=x t2=y t3=z")
        assert names(history.messages()) == "a1 t1 t2 t3"
        tell(history, "u2")
        assert names(history.messages()) == "u2"

    def test_results_that_come_later(self, kit: Kit) -> None:
        """The results of the newest group join it, message by message, and it stays whole."""
        history = kit.history(max_messages=2)
        tell(history, "u1")
        for given in ("a1(x,y)", "t1=x", "t2=y"):
            tell(history, given)
        assert names(history.messages()) == "a1 t1 t2"

    def test_what_stays_does_not_count(self, kit: Kit) -> None:
        """Leading system messages and pinned ones with their groups stay; they do not count."""
        history = kit.history(max_messages=2)
        tell(history, "s1 s2 u1! u2 u3 u4")
        assert names(history.messages()) == "s1 s2 u1 u3 u4"
        tell(history, "u5! u6")
        assert names(history.messages()) == "s1 s2 u1 u4 u5 u6"
        tell(history, "u7")
        assert names(history.messages()) == "s1 s2 u1 u5 u6 u7"

    def test_a_pinned_group_is_kept(self, kit: Kit) -> None:
        """A group with a pinned message in it is passed over whole."""
        history = kit.history(max_messages=1)
        tell(history, "u1 a1(x) t1=x! u2 u3")
        assert names(history.messages()) == "a1 t1 u3"

    @pytest.mark.parametrize("between", ["u1", "t1=x", "u1!"])
    def test_what_leads_ends(self, kit: Kit, between: str) -> None:
        """System messages behind the first other message do not lead: they go like any."""
        tell(kit.history(), f"s1 {between} s2 u2")
        tell(kit.history(max_messages=1), "u3")
        left = names(kit.history().messages()).split()
        assert (left[0], "s2" in left, left[-1]) == ("s1", False, "u3")

    def test_pins_by_an_update_are_kept(self, kit: Kit) -> None:
        """What an update pinned is kept, and what it unpinned is not."""
        history = kit.history(max_messages=2)
        ids = tell(history, "u1 u2!")
        history.update(ids["u1"], UserMessage("u1", pinned=True))
        history.update(ids["u2"], UserMessage("u2"))
        tell(history, "u3 u4")
        assert names(history.messages()) == "u1 u3 u4"

    def test_what_was_dropped_is_gone(self, kit: Kit) -> None:
        """What was dropped is not found any more, and no place to read from; what is left is found as before."""
        history = kit.history(max_messages=2)
        ids = tell(history, "u1 u2 u3 u4", own=True)
        assert [history.get(name) is None for name in ids] == [True, True, False, False]
        with pytest.raises(MemoryNotFoundError):
            history.messages(after="u2")
        assert names(history.messages(after="u3")) == "u4"
        assert history.remove("u1") is False
        assert history.update("u3", UserMessage("new")).version == 2

    def test_removed_messages_do_not_count(self, kit: Kit) -> None:
        """Only messages that are there count."""
        history = kit.history(max_messages=3)
        ids = tell(history, "u1 u2 u3")
        history.remove(ids["u2"])
        tell(history, "u4")
        assert names(history.messages()) == "u1 u3 u4"

    def test_who_names_no_bound_drops_nothing(self, kit: Kit, make_kit: MakeKit) -> None:
        """The bounds are those of the history that appends; reads and other histories drop nothing."""
        tell(kit.history(), "u1 u2 u3 u4")
        bounded = make_kit().history(max_messages=2)
        assert (bounded.count(), len(bounded.window())) == (4, 4)
        tell(kit.history(), "u5")
        assert bounded.count() == 5
        tell(bounded, "u6")
        assert names(kit.history().messages()) == "u5 u6"

    def test_bounds_of_the_manager(self, make_kit: MakeKit) -> None:
        """The bounds of a manager hold for its histories and its stores, unless a history names others, or none."""
        kit = make_kit(max_messages=2)
        tell(kit.history(), "u1 u2 u3")
        assert names(kit.history().messages()) == "u2 u3"
        kit.manager.store(SHORT, *script("u4 u5"))
        assert names(kit.history().messages()) == "u4 u5"
        tell(kit.history(max_messages=3), "u6")
        tell(kit.history(max_messages=None), "u7 u8")
        assert names(kit.history().messages()) == "u4 u5 u6 u7 u8"

    def test_a_repeat_after_a_drop(self, kit: Kit) -> None:
        """A repeat of the last append drops nothing more."""
        history = kit.history(max_messages=2)
        for _ in range(3):
            history.append(UserMessage("u1", id="a"), UserMessage("u2", id="b"))
        assert names(history.messages()) == "u1 u2"

    def test_oldest_messages(self, kit: Kit, clock: Clock) -> None:
        """An append drops the messages that were appended too long ago, but for those that always stay."""
        history = kit.history(max_age=_SOON)
        tell(kit.history(), "s1 u1! u2 a1(x) t1=x a2(y)! t2=y u3")
        clock.sleep(_LATE)
        assert history.count() == 8
        tell(history, "u4 u5")
        tell(history, "u6")
        assert names(history.messages()) == "s1 u1 a2 t2 u4 u5 u6"

    def test_age_is_that_of_the_append(self, kit: Kit, clock: Clock) -> None:
        """The age is counted from the append, whatever `created_at` says; an update makes nothing younger."""
        ids = tell(kit.history(), "u1 u2 u3")
        clock.sleep(_LATE)
        kit.history().update(ids["u2"], UserMessage("new"))
        tell(kit.history(max_age=_SOON), "u4")
        tell(kit.history(max_age=60), "u5")
        assert names(kit.history().messages()) == "u4 u5"

    def test_both_bounds(self, kit: Kit) -> None:
        """With both bounds a message goes by whichever it passes first."""
        history = kit.history(max_messages=2, max_age=60)
        tell(history, "u1 u2 u3")
        assert names(history.messages()) == "u2 u3"
