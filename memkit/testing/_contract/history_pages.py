"""Messages as they are: deltas, and pages from either end."""
# ruff: noqa: PLR2004 - the numbers are those of the messages that a test appends

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from memkit.errors import MemoryNotFoundError
from memkit.interfaces.history import IMessageHistory
from memkit.records import UserMessage
from memkit.results import START
from memkit.testing._contract.history_base import HistoryPiece, Kit, names, tell
from memkit.testing._contract.names import NASTY

__all__ = ["PagesContract"]

_ROLES = "s1 u1 a1(x,y) t1=x t2=y a2 u2 s2 a3(z) t3=z u3"


class PagesContract(HistoryPiece):
    """What was appended is read back piece by piece, nothing twice and nothing left out."""

    @pytest.mark.parametrize("own", [True, False])
    def test_messages_between(self, history: IMessageHistory, own: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """Messages are read behind one, in front of one, and between two."""
        ids = tell(history, "u1 u2 u3 u4 u5", own=own)
        assert names(history.messages(after=ids["u3"])) == "u4 u5"
        assert names(history.messages(before=ids["u3"])) == "u1 u2"
        assert names(history.messages(after=ids["u1"], before=ids["u5"])) == "u2 u3 u4"
        assert names(history.messages(after=ids["u2"], before=ids["u3"])) == ""
        assert names(history.messages(after=START)) == names(history.messages()) == "u1 u2 u3 u4 u5"
        assert names(history.messages(after=START, before=ids["u2"])) == "u1"
        assert (history.messages(after=ids["u5"]), history.messages(before=ids["u1"])) == ([], [])

    def test_messages_across(self, history: IMessageHistory) -> None:
        """There is nothing between a message and itself, or one that stands before it."""
        ids = tell(history, "u1 u2 u3")
        assert history.messages(after=ids["u2"], before=ids["u2"]) == []
        assert history.messages(after=ids["u3"], before=ids["u1"]) == []

    @pytest.mark.parametrize("own", [True, False])
    def test_messages_limit(self, history: IMessageHistory, own: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """A limit keeps the last ones; behind a message, the first ones."""
        ids = tell(history, "u1 u2 u3 u4 u5 u6", own=own)
        assert names(history.messages(limit=2)) == "u5 u6"
        assert names(history.messages(before=ids["u5"], limit=2)) == "u3 u4"
        assert names(history.messages(after=START, limit=2)) == "u1 u2"
        assert names(history.messages(after=ids["u2"], limit=2)) == "u3 u4"
        assert names(history.messages(after=ids["u1"], before=ids["u5"], limit=2)) == "u2 u3"
        for everything in (6, 7, 1 << 40, 10**30):
            assert names(history.messages(limit=everything)) == "u1 u2 u3 u4 u5 u6"
            assert names(history.messages(after=ids["u1"], limit=everything)) == "u2 u3 u4 u5 u6"

    @pytest.mark.parametrize("limit", [1, 3, 7, 50])
    def test_all_pages(self, history: IMessageHistory, limit: int) -> None:
        """Pages from either end give everything once, also where messages were removed between and at their ends."""
        ids = history.append(*(UserMessage(str(n)) for n in range(60)))
        for at in (0, 1, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 30, 49, 58, 59):
            history.remove(ids[at])
        everything = history.messages()
        assert len(everything) == 44
        assert _forward(history, limit) == everything
        assert _backward(history, limit) == everything

    def test_a_delta(self, kit: Kit) -> None:
        """Who knows the last message gets what came after it, and nothing while nothing comes."""
        history = kit.history()
        (last,) = history.append(UserMessage("old"))
        for n in range(3):
            kit.history().append(UserMessage(f"{n}a"), UserMessage(f"{n}b"))
            found = history.messages(after=last)
            assert names(found) == f"{n}a {n}b"
            last = str(found[-1].id)
            assert history.messages(after=last) == []

    def test_messages_by_role(self, history: IMessageHistory) -> None:
        """A role keeps the messages that have it."""
        tell(history, _ROLES)
        expected = {"system": "s1 s2", "user": "u1 u2 u3", "assistant": "a1 a2 a3", "tool": "t1 t2 t3"}
        assert {role: names(history.messages(role=role)) for role in expected} == expected

    def test_limit_counts_the_role(self, history: IMessageHistory) -> None:
        """A limit counts the messages that have the role, from the end that is asked for."""
        ids = tell(history, _ROLES)
        assert names(history.messages(role="user", limit=2)) == "u2 u3"
        assert names(history.messages(role="user", after=START, limit=2)) == "u1 u2"
        assert names(history.messages(role="assistant", before=ids["a3"], limit=1)) == "a2"
        assert names(history.messages(role="tool", after=ids["t1"], limit=1)) == "t2"
        assert names(history.messages(role="system", limit=1)) == "s2"
        assert names(history.messages(role="user", after=ids["u1"], before=ids["u3"])) == "u2"

    def test_roles_that_are_rare(self, history: IMessageHistory) -> None:
        """A role is found however many others stand between."""
        tell(history, "a1")
        history.append(*(UserMessage(str(n)) for n in range(1200)))
        tell(history, "a2")
        history.append(*(UserMessage(str(n)) for n in range(300)))
        assert names(history.messages(role="assistant")) == "a1 a2"
        assert names(history.messages(role="assistant", limit=2)) == "a1 a2"
        assert names(history.messages(role="assistant", limit=1)) == "a2"
        assert names(history.messages(role="assistant", limit=1, after=START)) == "a1"

    @pytest.mark.parametrize("own", [True, False])
    def test_an_anchor_that_is_gone(self, history: IMessageHistory, own: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """A message that was removed is no place to read from: that is an error, not an empty page."""
        ids = tell(history, "u1 u2 u3", own=own)
        history.remove(ids["u2"])
        calls: list[Callable[[], Any]] = [
            lambda: history.messages(after=ids["u2"]),
            lambda: history.messages(before=ids["u2"], limit=1),
            lambda: history.messages(after=ids["u2"], before=ids["u3"]),
            lambda: history.messages(after=ids["u1"], before=ids["u2"], role="user"),
            lambda: history.messages(after="never there"),
        ]
        for call in calls:
            with pytest.raises(MemoryNotFoundError):
                call()

    def test_anchors_of_any_id(self, history: IMessageHistory) -> None:
        """Every nasty id is a place to read from."""
        history.append(*(UserMessage(str(n), id=name) for n, name in enumerate(NASTY)))
        for n, name in enumerate(NASTY):
            assert names(history.messages(after=name, limit=1)) == (str(n + 1) if n + 1 < len(NASTY) else "")
            assert names(history.messages(before=name, limit=1)) == (str(n - 1) if n else "")

    def test_messages_are_as_they_are(self, history: IMessageHistory) -> None:
        """Nothing is left out of a page: broken groups are read as they stand, and cut where the limit is."""
        tell(history, "t0=q u1 a1(x,y) t1=x u2 t2=y")
        assert names(history.messages()) == "t0 u1 a1 t1 u2 t2"
        assert names(history.messages(limit=3)) == "t1 u2 t2"


def _forward(history: IMessageHistory, limit: int) -> list[Any]:
    found: list[Any] = []
    page = history.messages(after=START, limit=limit)
    while page:
        assert len(page) <= limit
        found += page
        page = history.messages(after=page[-1].id, limit=limit)
    return found


def _backward(history: IMessageHistory, limit: int) -> list[Any]:
    found: list[Any] = []
    page = history.messages(limit=limit)
    while page:
        assert len(page) <= limit
        found = [*page, *found]
        page = history.messages(before=page[0].id, limit=limit)
    return found
