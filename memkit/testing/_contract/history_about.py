"""What is known of a conversation: info, title, metadata, and that an absent one is absent to every method."""
# ruff: noqa: PLR2004 - the numbers are those of the messages that a test appends

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from memkit.clock import Clock, from_us
from memkit.errors import InvalidRecordError, MemoryNotFoundError
from memkit.interfaces.history import IMessageHistory
from memkit.records import UserMessage
from memkit.results import START, ConversationInfo
from memkit.testing._contract.base import LONG, WORKING, sample
from memkit.testing._contract.history_base import HistoryPiece, Kit, MakeKit, tell

__all__ = ["AboutContract", "AbsentContract"]

_EXOTIC: dict[str, Any] = {
    "": None,
    "$time": 5,
    "nested": {"$map": {"a": [1, 1.0, True, b"\xff", float("inf")]}},
    "when": datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    "large": (1 << 64) - 1,
    "é\n😀": ["", "\x00"],
}
_TITLES = ("A title", "é\n😀", "x" * 10_000, " ", "\x00", '{"a": 1}', "5", "None")
_ID = "018f4b6e-7d2a-7c3b-8a4d-1234567890ab"


class AboutContract(HistoryPiece):
    """A conversation tells what it is, since when, and at which revision."""

    def test_info(self, kit: Kit, clock: Clock) -> None:
        """A new conversation tells whose it is, how many messages it has, its times, and nothing that nobody set."""
        history = kit.history(user_id="ann")
        before = from_us(clock.time_us()) - timedelta(seconds=5)
        tell(history, "u1 u2")
        found = _info(history)
        assert (found.id, found.user_id, found.count) == ("c", "ann", 2)
        assert (found.title, found.metadata) == (None, {})
        assert found.created_at is not None
        assert found.updated_at is not None
        assert before <= found.created_at <= found.updated_at <= before + timedelta(seconds=60)
        assert found.created_at.utcoffset() == timedelta(0)
        assert found.expires_in is not None
        assert 86_340 < found.expires_in <= 86_400
        assert found.revision > 0

    def test_info_without_a_user(self, history: IMessageHistory) -> None:
        """A conversation that nobody claimed has no user, until somebody claims it."""
        tell(history, "u1")
        assert _info(history).user_id is None

    def test_info_of_other_memories(self, kit: Kit) -> None:
        """A conversation that never had messages has no times of theirs and revision 0."""
        kit.manager.store(WORKING, sample(WORKING), user_id="ann")
        found = _info(kit.history())
        assert (found.user_id, found.count, found.revision) == ("ann", 0, 0)
        assert (found.created_at, found.updated_at) == (None, None)

    def test_info_of_what_lives_for_ever(self, kit: Kit) -> None:
        """While any memory lives for ever, the conversation does."""
        tell(kit.history(), "u1")
        kit.manager.store(LONG, sample(LONG))
        assert _info(kit.history()).expires_in is None

    def test_times_of_a_conversation(self, history: IMessageHistory, clock: Clock) -> None:
        """Every change moves updated_at on; created_at is that of the first message, also when that is removed."""
        ids = tell(history, "u1 u2 u3")
        first = _info(history)
        clock.sleep(0.002)
        history.remove(ids["u1"])
        second = _info(history)
        clock.sleep(0.002)
        tell(history, "u4")
        third = _info(history)
        assert first.created_at == second.created_at == third.created_at
        assert first.updated_at is not None
        assert second.updated_at is not None
        assert third.updated_at is not None
        assert first.updated_at < second.updated_at < third.updated_at

    def test_revision_rises_with_every_change(self, kit: Kit, make_kit: MakeKit) -> None:
        """Every change of the messages raises the revision, whoever makes it, and no revision is given twice."""
        history, other = kit.history(), make_kit().history()
        tell(history, "s1 u1 a1(x) t1=x u2 u3 u4 u5 u6", own=True)
        changes: list[Callable[[], Any]] = [
            lambda: tell(other, "u7"),
            lambda: history.update("u1", UserMessage("new")),
            lambda: other.remove("u1"),
            history.pop,
            lambda: history.rewind("u5"),
            lambda: history.restore(history.branches()[0].id) is None,
            lambda: other.compact("u2", UserMessage("sum", id="sum")),
            lambda: other.compact_with(lambda _: UserMessage("sum of sums"), keep_last=1),
            lambda: tell(history, "t9=z"),
            history.repair,
        ]
        seen = [_info(history).revision]
        for change in changes:
            assert change()
            seen.append(_info(other).revision)
        assert seen == sorted(set(seen))
        history.clear()
        tell(history, "u1")
        assert _info(history).revision > seen[-1]

    def test_revision_stays_with_reads(self, kit: Kit) -> None:
        """What changes no message leaves the revision and the time of the last change."""
        history = kit.history()
        ids = tell(history, "u1 a1(x) t1=x", tokens=1)
        before = _info(history)
        history.messages(after=START, limit=1)
        history.window(last=2)
        history.window(tokens=100)
        history.get(ids["u1"])
        history.set_title("title")
        history.set_metadata({"a": 1})
        history.expire(1000)
        history.fork("d")
        assert not history.repair()
        assert history.remove("other") is False
        kit.manager.store(WORKING, sample(WORKING))
        after = _info(history)
        assert (after.revision, after.updated_at) == (before.revision, before.updated_at)

    def test_title(self, kit: Kit, make_kit: MakeKit) -> None:
        """A title of any text is kept as it is, for everybody, until it is replaced or taken away."""
        history, other = kit.history(), make_kit(codec="json").history()
        tell(history, "u1")
        for title in _TITLES:
            history.set_title(title)
            assert _info(other).title == title
        tell(other, "u2")
        assert _info(history).title == _TITLES[-1]
        other.set_title(None)
        assert _info(history).title is None

    def test_metadata(self, kit: Kit, make_kit: MakeKit) -> None:
        """Metadata comes back exactly, with either codec, and is replaced as a whole."""
        history, other = kit.history(), make_kit(codec="json").history()
        tell(history, "u1")
        for one, reader in ((history, other), (other, history)):
            one.set_metadata(_EXOTIC)
            assert repr(_info(reader).metadata) == repr(_EXOTIC)
            one.set_metadata({"b": 1})
            assert _info(reader).metadata == {"b": 1}
        history.set_metadata({})
        assert _info(other).metadata == {}
        history.set_metadata({"a": 1})
        history.set_metadata(None)
        assert _info(other).metadata == {}

    def test_title_and_metadata_are_apart(self, history: IMessageHistory) -> None:
        """Setting or taking away one of them leaves the other."""
        tell(history, "u1")
        history.set_title("title")
        history.set_metadata({"a": 1})
        assert (_info(history).title, _info(history).metadata) == ("title", {"a": 1})
        history.set_title(None)
        assert _info(history).metadata == {"a": 1}
        history.set_title("title")
        history.set_metadata(None)
        assert _info(history).title == "title"

    def test_metadata_that_cannot_be_stored(self, history: IMessageHistory) -> None:
        """A value that would not come back as it was is refused with its path, and the old metadata stays."""
        tell(history, "u1")
        history.set_metadata({"a": 1})
        for bad in ({"b": object()}, {"b": 1 << 64}, {"b": (1,)}, {"b": datetime(2024, 1, 1)}):  # noqa: DTZ001 - refused
            with pytest.raises(InvalidRecordError) as caught:
                history.set_metadata(bad)
            assert caught.value.path == "metadata['b']"
        assert _info(history).metadata == {"a": 1}

    def test_title_of_other_memories(self, kit: Kit) -> None:
        """A conversation that has only other memories may have title and metadata too."""
        history = kit.history()
        kit.manager.store(LONG, sample(LONG))
        history.set_title("title")
        history.set_metadata({"a": 1})
        assert (_info(history).title, _info(history).metadata) == ("title", {"a": 1})
        tell(history, "u1")
        assert _info(history).title == "title"

    def test_title_goes_with_the_conversation(self, kit: Kit) -> None:
        """A conversation without any data left is absent, and one that begins anew has no title of the old."""
        history = kit.history(user_id="ann")
        tell(history, "u1")
        history.set_title("title")
        history.set_metadata({"a": 1})
        kit.manager.store(WORKING, sample(WORKING))
        history.clear()
        assert _info(history).title == "title"
        kit.manager.delete(WORKING)
        assert history.info() is None
        other = kit.history(user_id="bob")
        tell(other, "u1")
        found = _info(other)
        assert (found.user_id, found.title, found.metadata) == ("bob", None, {})


class AbsentContract(HistoryPiece):
    """A conversation that is not there has nothing to read, and nothing to change."""

    def test_reads_of_an_absent_conversation(self, history: IMessageHistory) -> None:
        """Every read says that there is nothing."""
        assert (history.messages(), history.messages(after=START, limit=3, role="user")) == ([], [])
        assert (history.window(), history.window(last=3), history.window(tokens=3)) == ([], [], [])
        assert (history.get("a"), history.count(), history.branches()) == (None, 0, [])
        assert (history.info(), history.ttl()) == (None, None)
        assert list(history.follow(START, poll=0.001, timeout=0.002)) == []
        assert list(history.follow(poll=0.001, timeout=0.002)) == []

    def test_nothing_to_change(self, history: IMessageHistory) -> None:
        """What may find nothing to do says that it did nothing."""
        assert (history.remove("a"), history.pop(), history.clear()) == (False, None, 0)
        assert (history.expire(60), history.persist()) == (False, False)
        assert history.rewind(None) is None
        assert history.compact_with(lambda _: UserMessage("sum"), keep_last=0) is None
        report = history.repair()
        assert (bool(report), report.closed, report.moved, report.removed) == (False, (), (), ())
        assert history.info() is None

    def test_what_must_be_there(self, history: IMessageHistory) -> None:
        """What names something that must be there says that it was not found."""
        calls: dict[str, Callable[[], Any]] = {
            "after": lambda: history.messages(after="a"),
            "before": lambda: history.messages(before="a"),
            "update": lambda: history.update("a", UserMessage("x")),
            "update over a version": lambda: history.update("a", UserMessage("x"), expected_version=1),
            "title": lambda: history.set_title("x"),
            "no title": lambda: history.set_title(None),
            "metadata": lambda: history.set_metadata({"a": 1}),
            "fork": lambda: history.fork("d"),
            "fork at": lambda: history.fork("d", at="a"),
            "rewind": lambda: history.rewind("a"),
            "restore": lambda: history.restore(_ID),
            "restore of any text": lambda: history.restore("a"),
            "compact": lambda: history.compact("a", UserMessage("x")),
            "follow": lambda: next(history.follow("a", timeout=0.01)),
        }
        for what, call in calls.items():
            with pytest.raises(MemoryNotFoundError):
                pytest.fail(f"{what}: {call()!r} is no error")
        assert history.info() is None


def _info(history: IMessageHistory) -> ConversationInfo:
    found = history.info()
    assert found is not None
    return found
