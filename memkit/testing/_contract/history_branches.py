"""Rewinding to a message, and what was cut off put back."""
# ruff: noqa: PLR2004 - the numbers are those of the messages that a test appends

from __future__ import annotations

from datetime import timedelta

import pytest

from memkit.clock import Clock
from memkit.errors import InvalidInputError, MemoryNotFoundError
from memkit.interfaces.history import IMessageHistory
from memkit.records import UserMessage
from memkit.results import Branch
from memkit.testing._contract.base import SHORT
from memkit.testing._contract.history_base import HistoryPiece, Kit, MakeKit, names, tell

__all__ = ["BranchContract"]

_SOON = 0.2
_LATE = 0.23


class BranchContract(HistoryPiece):
    """What a rewind cuts off can be put back, and then what stood there instead."""

    @pytest.mark.parametrize("own", [True, False])
    def test_rewind(self, history: IMessageHistory, own: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """What comes after a message is cut off, and the branch says what it holds."""
        ids = tell(history, "s1 u1 a1 u2 a2", own=own)
        branch = _made(history.rewind(ids["a1"]))
        assert (branch.after, branch.count) == (ids["a1"], 2)
        assert names(history.messages()) == "s1 u1 a1"
        assert (history.get(ids["u2"]), history.count()) == (None, 3)
        assert history.branches() == [branch]

    def test_times_of_a_branch(self, history: IMessageHistory, clock: Clock) -> None:
        """A branch is kept for its grace time, a day unless another is given."""
        ids = tell(history, "u1 u2 u3 u4")
        for name, grace in (("u3", None), ("u2", 60), ("u1", 0.5)):
            branch = _made(history.rewind(ids[name]) if grace is None else history.rewind(ids[name], grace=grace))
            kept = (branch.expires_at - branch.created_at).total_seconds()
            assert abs(kept - (grace or 86_400)) < 0.01
            assert branch.created_at.utcoffset() == timedelta(0)
            assert abs(branch.created_at.timestamp() - clock.time_us() / 1e6) < 60

    @pytest.mark.parametrize("own", [True, False])
    def test_restore(self, history: IMessageHistory, own: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """A branch is put back exactly as it was, once, where nothing else stands."""
        ids = tell(history, "u1 a1(x) t1=x u2! a2", own=own, metadata={"a": 1})
        history.update(ids["u2"], UserMessage("new", pinned=True))
        before = history.messages()
        branch = _made(history.rewind(ids["u1"]))
        assert history.restore(branch.id) is None
        assert history.messages() == before
        assert [history.get(message_id) for message_id in ids.values()] == before
        assert names(history.window(last=1)) == "new a2"
        assert history.branches() == []
        with pytest.raises(MemoryNotFoundError):
            history.restore(branch.id)

    def test_flip(self, history: IMessageHistory) -> None:
        """Edit and resend: the original and the new end take each other's place, back and forth."""
        ids = tell(history, "u1 a1 u2 a2")
        original = _made(history.rewind(ids["a1"]))
        tell(history, "u3 a3 u4")
        for _ in range(2):
            edited = _made(history.restore(original.id))
            assert names(history.messages()) == "u1 a1 u2 a2"
            assert (edited.after, edited.count, history.branches()) == (ids["a1"], 3, [edited])
            original = _made(history.restore(edited.id))
            assert names(history.messages()) == "u1 a1 u3 a3 u4"
            assert (original.after, original.count, history.branches()) == (ids["a1"], 2, [original])

    def test_rewind_all(self, history: IMessageHistory) -> None:
        """Everything can be cut off, and be put back; meanwhile the conversation is there."""
        tell(history, "s1 u1 a1")
        history.set_title("title")
        branch = _made(history.rewind(None))
        assert (branch.after, branch.count) == (None, 3)
        info = history.info()
        assert info is not None
        assert (info.count, info.title, history.messages()) == (0, "title", [])
        tell(history, "u2")
        other = _made(history.restore(branch.id))
        assert (other.after, other.count) == (None, 1)
        assert names(history.messages()) == "s1 u1 a1"

    def test_rewind_of_nothing(self, history: IMessageHistory) -> None:
        """Where nothing comes after the message, nothing is cut off and no branch is made."""
        ids = tell(history, "u1 u2 u3")
        assert history.rewind(ids["u3"]) is None
        history.remove(ids["u3"])
        assert history.rewind(ids["u2"]) is None
        assert history.branches() == []

    def test_rewind_to_what_is_gone(self, history: IMessageHistory) -> None:
        """A message that was removed, cut off or never there is no place to rewind to."""
        ids = tell(history, "u1 u2 u3")
        history.remove(ids["u1"])
        history.rewind(ids["u2"])
        for message_id in (ids["u1"], ids["u3"], "other"):
            with pytest.raises(MemoryNotFoundError):
                history.rewind(message_id)
        assert names(history.messages()) == "u2"

    @pytest.mark.parametrize("to", ["a1", "t1"])
    def test_rewind_inside_of_a_group(self, history: IMessageHistory, to: str) -> None:
        """A rewind that would cut a call from its results is refused, and changes nothing."""
        ids = tell(history, "u1 a1(x,y) t1=x t2=y u2")
        with pytest.raises(InvalidInputError) as caught:
            history.rewind(ids[to])
        assert caught.value.field == "to"
        assert (history.count(), history.branches()) == (5, [])
        assert _made(history.rewind(ids["t2"])).count == 1

    def test_branches_newest_first(self, history: IMessageHistory, clock: Clock) -> None:
        """Branches are listed newest first, each with its own messages."""
        ids = tell(history, "u1 u2 u3 u4 u5")
        made = []
        for name in ("u4", "u2", "u1"):
            clock.sleep(0.002)
            made.append(_made(history.rewind(ids[name])))
        assert history.branches() == made[::-1]
        assert [branch.count for branch in made] == [1, 2, 1]

    def test_branches_put_back_in_turn(self, history: IMessageHistory, clock: Clock) -> None:
        """Branches that were cut one after the other are put back one after the other."""
        ids = tell(history, "u1 u2 u3 u4 u5")
        for name in ("u4", "u2", "u1"):
            clock.sleep(0.002)
            history.rewind(ids[name])
        for expected in ("u1 u2", "u1 u2 u3 u4", "u1 u2 u3 u4 u5"):
            assert history.restore(history.branches()[0].id) is None
            assert names(history.messages()) == expected
        assert history.branches() == []

    @pytest.mark.parametrize("own", [True, False])
    def test_restore_where_the_message_is_gone(self, history: IMessageHistory, own: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """A branch is put back where it was cut off, also if the message there was removed meanwhile."""
        ids = tell(history, "u1 u2 u3 u4", own=own)
        branch = _made(history.rewind(ids["u2"]))
        history.remove(ids["u2"])
        tell(history, "u5 u6")
        other = _made(history.restore(branch.id))
        assert names(history.messages()) == "u1 u3 u4"
        assert other.count == 2
        history.restore(other.id)
        assert names(history.messages()) == "u1 u5 u6"

    @pytest.mark.parametrize("own", [True, False])
    @pytest.mark.parametrize("head", ["", "s1 ", "u0 "])
    def test_restore_after_a_compaction(self, history: IMessageHistory, head: str, own: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """A branch is put back behind its message also where a summary took the place of what stood before that."""
        ids = tell(history, f"{head}u1! u2 u3", own=own)
        branch = _made(history.rewind(ids["u1"]))
        ids |= tell(history, "u4 u5")
        history.compact(ids["u4"], UserMessage("sum"))
        other = _made(history.restore(branch.id))
        assert names(history.messages()) == f"{head.replace('u0 ', '')}sum u1 u2 u3"
        assert (other.after, other.count) == (ids["u1"], 1)
        history.restore(other.id)
        assert names(history.messages()).endswith("sum u1 u5")

    def test_grace_over(self, history: IMessageHistory, clock: Clock) -> None:
        """Once its grace time is over a branch is gone; others stay."""
        ids = tell(history, "u1 u2 u3")
        short = _made(history.rewind(ids["u2"], grace=_SOON))
        long = _made(history.rewind(ids["u1"], grace=60))
        tell(history, "u4")
        gone = _made(history.restore(long.id, grace=_SOON))
        clock.sleep(_LATE)
        assert history.branches() == []
        for branch in (short, gone, long):
            with pytest.raises(MemoryNotFoundError):
                history.restore(branch.id)
        assert names(history.messages()) == "u1 u2"

    def test_all_cut_off_and_forgotten(self, kit: Kit, clock: Clock) -> None:
        """A conversation of which only a branch was left is absent once that is gone."""
        history = kit.history(user_id="ann")
        tell(history, "u1")
        history.rewind(None, grace=_SOON)
        assert history.info() is not None
        clock.sleep(_LATE)
        assert (history.info(), history.ttl()) == (None, None)
        tell(kit.history(user_id="bob"), "u2")

    def test_branches_are_the_conversations(self, kit: Kit, make_kit: MakeKit) -> None:
        """A branch is known to every kit, and only in its conversation."""
        ids = tell(kit.history(), "u1 u2")
        tell(kit.history("d"), "u1")
        branch = _made(kit.history().rewind(ids["u1"]))
        assert kit.history("d").branches() == []
        with pytest.raises(MemoryNotFoundError):
            kit.history("d").restore(branch.id)
        other = make_kit().history()
        assert other.branches() == [branch]
        other.restore(branch.id)
        assert names(kit.history().messages()) == "u1 u2"

    def test_branches_stay_after_clear(self, history: IMessageHistory) -> None:
        """A clear removes the messages that are there, not those in branches."""
        ids = tell(history, "u1 u2")
        branch = _made(history.rewind(ids["u1"]))
        history.clear()
        assert history.branches() == [branch]

    def test_ids_that_were_cut_off(self, kit: Kit) -> None:
        """What was cut off is not there for any method, and the ids of what stands instead are its own."""
        history = kit.history()
        ids = tell(history, "u1 u2 u3", own=True)
        history.rewind(ids["u1"])
        assert history.remove("u2") is False
        assert kit.manager.retrieve(SHORT, memory_id="u3") == []
        with pytest.raises(MemoryNotFoundError):
            history.messages(after="u2")
        assert names(history.messages()) == "u1"

    def test_restored_messages_work(self, history: IMessageHistory) -> None:
        """What was put back is found, updated, removed and paged over as before."""
        ids = tell(history, "u1 u2 u3 u4")
        history.restore(_made(history.rewind(ids["u1"])).id)
        history.update(ids["u2"], UserMessage("new"))
        assert history.remove(ids["u3"]) is True
        tell(history, "u5")
        assert names(history.messages(after=ids["u1"])) == "new u4 u5"
        assert names(history.messages(before=ids["u4"], limit=1)) == "new"
        assert [message.version for message in history.messages()] == [1, 2, 1, 1]


def _made(branch: Branch | None) -> Branch:
    assert branch is not None
    return branch
