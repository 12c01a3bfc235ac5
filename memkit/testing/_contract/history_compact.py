"""Compaction: a summary in the place of messages, in one swap."""
# ruff: noqa: PLR2004 - the numbers are those of the messages that a test appends

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from memkit.errors import ContentionError, InvalidInputError, MemoryNotFoundError, RevisionConflictError
from memkit.interfaces.history import IMessageHistory
from memkit.records import SystemMessage, UserMessage
from memkit.results import Compaction
from memkit.testing._contract.history_base import HistoryPiece, Kit, MakeKit, Summarizer, names, tell

__all__ = ["CompactContract", "CompactWithContract"]

_SUMMARY = UserMessage("sum")


class CompactContract(HistoryPiece):
    """A summary takes the place of what stood from the first message through a given one, but for what always stays."""

    @pytest.mark.parametrize("own", [True, False])
    def test_compact(self, history: IMessageHistory, own: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """The summary stands where the range began, the rest is as it was, and the counts are told."""
        ids = tell(history, "u1 a1(x) t1=x u2 a2 u3", own=own)
        rest = history.messages(after=ids["u2"])
        done = history.compact(ids["u2"], _SUMMARY)
        assert names(history.messages()) == "sum a2 u3"
        assert (done.removed, done.kept, done.revision) == (4, 0, _revision(history))
        assert history.messages()[0].id == done.summary_id
        assert history.messages(after=done.summary_id) == rest
        assert [history.get(ids[name]) for name in ("u1", "a1", "t1", "u2")] == [None] * 4

    def test_compact_all(self, history: IMessageHistory) -> None:
        """The range may go to the end; what comes then stands behind the summary."""
        ids = tell(history, "u1 u2")
        history.compact(ids["u2"], _SUMMARY)
        tell(history, "u3")
        assert names(history.messages()) == "sum u3"
        assert names(history.window(last=1)) == "u3"

    def test_compact_keeps_what_stays(self, history: IMessageHistory) -> None:
        """Leading system messages, pinned messages and their groups stay; the summary stands behind the former."""
        ids = tell(history, "s1 s2 u1 u2! s3 a1(x,y) t1=x t2=y! u3 u4", own=True)
        before = {message.id: message for message in history.messages()}
        done = history.compact(ids["u3"], _SUMMARY)
        assert names(history.messages()) == "s1 s2 sum u2 a1 t1 t2 u4"
        assert (done.removed, done.kept) == (3, 6)
        after = {message.id: message for message in history.messages() if message.id in before}
        assert after == {message_id: before[message_id] for message_id in after}
        assert names(history.window(last=1)) == "s1 s2 u2 a1 t1 t2 u4"

    def test_compact_with_any_summary(self, history: IMessageHistory) -> None:
        """A summary may have an id of its own, be a system message, and be pinned."""
        ids = tell(history, "u1 u2 u3")
        done = history.compact(ids["u1"], SystemMessage("sum", id="mine", pinned=True, metadata={"a": 1}))
        assert done.summary_id == "mine"
        summary = history.messages()[0]
        assert (summary.id, summary.version, summary.metadata) == ("mine", 1, {"a": 1})
        assert names(history.window(last=1)) == "sum u3"

    def test_compact_with_an_id_that_is_taken(self, history: IMessageHistory) -> None:
        """A summary does not get the id of a message that stays, wherever that stands; nothing is changed."""
        ids = tell(history, "s1 u1 u2! u3 u4", own=True)
        for taken in ("s1", "u2", "u4"):
            with pytest.raises(InvalidInputError) as caught:
                history.compact(ids["u3"], UserMessage("sum", id=taken))
            assert caught.value.field == "summary.id"
        assert names(history.messages()) == "s1 u1 u2 u3 u4"

    def test_compact_again(self, history: IMessageHistory) -> None:
        """A summary is compacted like any message."""
        ids = tell(history, "s1 u1 u2 u3 u4")
        history.compact(ids["u2"], _SUMMARY)
        assert history.compact(ids["u3"], UserMessage("more")).removed == 2
        assert names(history.messages()) == "s1 more u4"

    @pytest.mark.parametrize("through", ["a1", "t1"])
    def test_compact_inside_of_a_group(self, history: IMessageHistory, through: str) -> None:
        """A range that would cut a call from its results is refused, and nothing is changed."""
        ids = tell(history, "u1 a1(x,y) t1=x t2=y u2")
        with pytest.raises(InvalidInputError) as caught:
            history.compact(ids[through], _SUMMARY)
        assert caught.value.field == "through"
        assert history.count() == 5
        assert history.compact(ids["t2"], _SUMMARY).removed == 4

    def test_nothing_to_compact(self, history: IMessageHistory) -> None:
        """A range in which everything always stays is refused."""
        ids = tell(history, "s1 s2 u1! u2")
        for name in ("s1", "s2", "u1"):
            with pytest.raises(InvalidInputError):
                history.compact(ids[name], _SUMMARY)
        assert history.count() == 4

    def test_compact_through_what_is_gone(self, history: IMessageHistory) -> None:
        """A message that was removed ends no range."""
        ids = tell(history, "u1 u2 u3")
        history.remove(ids["u2"])
        for message_id in (ids["u2"], "other"):
            with pytest.raises(MemoryNotFoundError):
                history.compact(message_id, _SUMMARY)
        assert names(history.messages()) == "u1 u3"

    def test_compact_at_a_revision(self, kit: Kit, make_kit: MakeKit) -> None:
        """With an expected revision, whatever changed since prevents the swap, and the error says what is there."""
        history, other = kit.history(), make_kit().history()
        ids = tell(history, "u1 u2 u3 u4")
        changes: list[Callable[[], Any]] = [
            lambda: tell(other, "u5"),
            lambda: other.update(ids["u4"], UserMessage("new")),
            lambda: other.remove(ids["u3"]),
        ]
        for change in changes:
            seen = _revision(history)
            change()
            before = history.messages()
            with pytest.raises(RevisionConflictError) as caught:
                history.compact(ids["u2"], _SUMMARY, expected_revision=seen)
            assert (caught.value.expected, caught.value.actual) == (seen, _revision(history))
            assert history.messages() == before
        history.compact(ids["u2"], _SUMMARY, expected_revision=_revision(history))
        assert names(history.messages()) == "sum new u5"

    def test_compact_what_is_broken(self, history: IMessageHistory) -> None:
        """Calls without results and results without calls go with the rest."""
        ids = tell(history, "t9=z u1 a1(x) u2 t1=x u3 u4")
        assert history.compact(ids["u3"], _SUMMARY).removed == 6
        assert names(history.messages()) == "sum u4"

    def test_ids_after_a_compaction(self, history: IMessageHistory) -> None:
        """Everything is found, paged over and updated by its id afterwards, and removals are gone for good."""
        ids = tell(history, "u1 u2! u3 u4 u5 u6")
        history.remove(ids["u3"])
        history.remove(ids["u5"])
        done = history.compact(ids["u4"], _SUMMARY)
        assert done.removed == 2
        assert names(history.messages()) == "sum u2 u6"
        assert names(history.messages(after=done.summary_id, limit=1)) == "u2"
        assert names(history.messages(before=ids["u6"], limit=1)) == "u2"
        assert history.update(ids["u2"], UserMessage("new", pinned=True)).version == 2
        assert history.remove(done.summary_id) is True
        assert names(history.messages()) == "new u6"

    def test_compact_leaves_the_life(self, history: IMessageHistory) -> None:
        """A compaction leaves the time to live as it is."""
        ids = tell(history, "u1 u2")
        history.expire(1000)
        history.compact(ids["u1"], _SUMMARY)
        assert 900 < (history.ttl() or 0) <= 1000

    def test_compact_a_long_history(self, history: IMessageHistory) -> None:
        """Thousands of messages are replaced in one step, and those that always stay among them are kept."""
        tell(history, "s1 u0!")
        ids = history.append(*(UserMessage(f"m{n}", pinned=n == 1500) for n in range(2500)))
        done = history.compact(ids[2400], _SUMMARY)
        assert (done.removed, done.kept) == (2400, 3)
        assert names(history.messages(limit=100)).startswith("u0 m1500 m2401") or history.count() == 103
        assert names(history.messages()).split()[:5] == ["s1", "sum", "u0", "m1500", "m2401"]


class CompactWithContract(HistoryPiece):
    """A function makes the summary, and what happens while it does is neither lost nor overwritten."""

    def test_compact_with(self, kit: Kit) -> None:
        """The function is called on what it shall replace; so many messages are left as they are."""
        history = kit.history()
        tell(history, "s1 u1 u2! a1(x) t1=x u3 u4 u5")
        summarize = Summarizer(kit)
        done = _done(history.compact_with(summarize, keep_last=2))
        assert summarize.seen == ["u1 a1 t1 u3"]
        assert names(history.messages()) == "s1 sum u2 u4 u5"
        assert (done.removed, done.kept, done.summary_id) == (4, 2, history.messages()[1].id)
        assert done.revision == _revision(history)

    def test_compact_with_a_plain_function(self, history: IMessageHistory) -> None:
        """A plain function does for both colours, and its message is stored as it is."""
        tell(history, "u1 u2 u3")
        done = _done(history.compact_with(lambda found: SystemMessage(f"{len(found)}", id="mine"), keep_last=1))
        assert (done.summary_id, names(history.messages())) == ("mine", "2 u3")

    def test_keep_last_keeps_groups(self, kit: Kit) -> None:
        """A group is left whole where its end is to be left."""
        history = kit.history()
        tell(history, "u1 u2 a1(x,y) t1=x t2=y u3")
        summarize = Summarizer(kit)
        history.compact_with(summarize, keep_last=2)
        assert summarize.seen == ["u1 u2"]
        assert names(history.messages()) == "sum a1 t1 t2 u3"

    def test_keep_none(self, kit: Kit) -> None:
        """With keep_last=0 everything is summarized."""
        history = kit.history()
        tell(history, "s1 u1 u2")
        _done(history.compact_with(Summarizer(kit), keep_last=0))
        assert names(history.messages()) == "s1 sum"

    def test_keep_last_by_default(self, history: IMessageHistory) -> None:
        """Unless it is said, twenty messages are left."""
        tell(history, " ".join(f"u{n}" for n in range(25)))
        assert _done(history.compact_with(lambda _: UserMessage("sum"))).removed == 5
        assert history.count() == 21

    def test_nothing_to_summarize(self, kit: Kit) -> None:
        """Where nothing may be replaced, the function is not called and nothing is changed."""
        history, summarize = kit.history(), Summarizer(kit)
        tell(history, "s1 u1! u2 u3")
        before = _revision(history)
        assert history.compact_with(summarize, keep_last=2) is None
        assert history.compact_with(summarize) is None
        assert (summarize.seen, _revision(history)) == ([], before)

    def test_what_arrives_meanwhile(self, kit: Kit, make_kit: MakeKit) -> None:
        """A message that comes while the function works is kept, and the function is called once."""
        history, raw = kit.history(), make_kit().raw()
        tell(history, "u1 u2 u3")
        summarize = Summarizer(kit, lambda: raw.append(UserMessage("new")))
        done = _done(history.compact_with(summarize, keep_last=1))
        assert (summarize.seen, done.removed) == (["u1 u2"], 2)
        assert names(history.messages()) == "sum u3 new"

    @pytest.mark.parametrize("change", ["update", "remove", "rewind"])
    def test_what_changes_meanwhile(self, kit: Kit, make_kit: MakeKit, change: str) -> None:
        """If a message of the range changes meanwhile, the function is called anew on what is there then."""
        history, raw = kit.history(), make_kit().raw()
        ids = tell(history, "u1 u2 u3 u4")
        acts: dict[str, tuple[Callable[[], Any], str, str]] = {
            "update": (lambda: raw.update(ids["u2"], UserMessage("new")), "u1 new u3", "sum u4"),
            "remove": (lambda: raw.remove(ids["u2"]), "u1 u3", "sum u4"),
            "rewind": (lambda: raw.rewind(ids["u3"]), "u1 u2", "sum u3"),
        }
        act, then, expected = acts[change]
        summarize = Summarizer(kit, act)
        _done(history.compact_with(summarize, keep_last=1))
        assert summarize.seen == ["u1 u2 u3", then]
        assert names(history.messages()) == expected

    def test_what_is_cleared_meanwhile(self, kit: Kit, make_kit: MakeKit) -> None:
        """If all messages are removed meanwhile, there is nothing to summarize any more."""
        history, raw = kit.history(), make_kit().raw()
        tell(history, "u1 u2 u3")
        assert history.compact_with(Summarizer(kit, raw.clear), keep_last=1) is None
        assert history.count() == 0

    def test_what_changes_each_time(self, kit: Kit, make_kit: MakeKit) -> None:
        """If the range changes each time, it is given up after a few, and nothing was swapped."""
        history, raw = kit.history(), make_kit().raw()
        ids = tell(history, "u1 u2 u3")
        summarize = Summarizer(kit, *[lambda: raw.update(ids["u1"], UserMessage("new"))] * 100)
        with pytest.raises(ContentionError):
            history.compact_with(summarize, keep_last=1)
        assert 2 <= len(summarize.seen) <= 20
        assert names(history.messages()) == "new u2 u3"

    def test_an_error_of_the_function(self, kit: Kit) -> None:
        """An error of the function is the caller's, and nothing is changed."""
        history = kit.history()
        tell(history, "u1 u2 u3")

        def fail() -> None:
            raise LookupError("no model")

        with pytest.raises(LookupError, match="no model"):
            history.compact_with(Summarizer(kit, fail), keep_last=1)
        assert names(history.messages()) == "u1 u2 u3"

    def test_a_function_that_makes_no_message(self, history: IMessageHistory) -> None:
        """What the function makes must be a message, and nothing is changed otherwise."""
        tell(history, "u1 u2 u3")
        for wrong in ("text", None, [UserMessage("x")]):
            with pytest.raises(InvalidInputError):
                history.compact_with(lambda _, wrong=wrong: wrong, keep_last=1)  # type: ignore[misc]  # refused
        assert names(history.messages()) == "u1 u2 u3"


def _done(done: Compaction | None) -> Compaction:
    assert done is not None
    return done


def _revision(history: IMessageHistory) -> int:
    found = history.info()
    assert found is not None
    return found.revision
