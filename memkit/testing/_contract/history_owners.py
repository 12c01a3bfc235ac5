"""user_id: a history is that of the user to whom the conversation belongs."""
# ruff: noqa: PLR2004 - the numbers are those of the messages that a test appends

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from memkit.errors import OwnerMismatchError
from memkit.interfaces.history import IMessageHistory
from memkit.records import UserMessage
from memkit.results import START
from memkit.testing._contract.base import LONG, WORKING, sample
from memkit.testing._contract.history_base import HistoryPiece, Kit, names, tell

__all__ = ["HistoryOwnerContract"]


def _reads(history: IMessageHistory, message_id: str) -> dict[str, Callable[[], Any]]:
    return {
        "window": history.window,
        "window last": lambda: history.window(last=1),
        "window tokens": lambda: history.window(tokens=10**6, counter=lambda _: 1),
        "messages": history.messages,
        "messages after": lambda: history.messages(after=message_id),
        "messages from the start": lambda: history.messages(after=START, limit=1, role="user"),
        "get": lambda: history.get(message_id),
        "count": history.count,
        "info": history.info,
        "ttl": history.ttl,
        "branches": history.branches,
        "follow": lambda: next(history.follow(poll=0.01, timeout=0.02)),
        "follow from the start": lambda: next(history.follow(START, poll=0.01, timeout=0.02)),
    }


def _writes(history: IMessageHistory, message_id: str, branch_id: str) -> dict[str, Callable[[], Any]]:
    new = UserMessage("new")
    return {
        "append": lambda: history.append(new),
        "append with a key": lambda: history.append(new, idempotency_key="k"),
        "update": lambda: history.update(message_id, new),
        "remove": lambda: history.remove(message_id),
        "pop": history.pop,
        "clear": history.clear,
        "set_title": lambda: history.set_title("his"),
        "set_metadata": lambda: history.set_metadata({"his": 1}),
        "expire": lambda: history.expire(1),
        "persist": history.persist,
        "fork": lambda: history.fork("his"),
        "fork at": lambda: history.fork("his", at=message_id),
        "rewind": lambda: history.rewind(message_id),
        "rewind all": lambda: history.rewind(None),
        "restore": lambda: history.restore(branch_id),
        "compact": lambda: history.compact(message_id, new),
        "compact_with": lambda: history.compact_with(lambda _: new, keep_last=0),
        "repair": history.repair,
        "turn": lambda: history.turn().__enter__(),
    }


class HistoryOwnerContract(HistoryPiece):
    """Nobody reads or changes a history in the name of another user."""

    def test_a_history_of_another_user(self, kit: Kit) -> None:
        """Every method is refused to another user, and changes nothing."""
        hers, his = kit.history(user_id="ann"), kit.history(user_id="bob")
        ids = tell(hers, "u1 u2 a1(x) u3")
        branch = hers.rewind(ids["a1"])
        assert branch is not None
        before = (hers.messages(), hers.info(), hers.branches())
        calls = _reads(his, ids["u1"]) | _writes(his, ids["u1"], branch.id)
        for what, call in calls.items():
            with pytest.raises(OwnerMismatchError):
                pytest.fail(f"{what}: {call()!r} is no error")
        after = hers.info()
        assert after is not None
        assert before[1] is not None
        assert (hers.messages(), after.revision, hers.branches()) == (before[0], before[1].revision, before[2])
        assert (after.title, after.metadata, kit.history("his").info()) == (None, {}, None)

    def test_the_owner_and_nobody_in_particular(self, kit: Kit) -> None:
        """The user who claimed it, and a caller who names nobody, read and write."""
        for user_id in ("ann", None):
            history = kit.history(user_id=user_id)
            ids = tell(history, "u1 u2 u3 u4")
            assert names(history.messages(limit=2)) == "u3 u4"
            assert history.remove(ids["u1"]) is True
            assert history.compact(ids["u3"], UserMessage("sum")).removed >= 2
            with history.turn() as turn:
                assert turn.rewind(None) is not None
            assert history.info() is not None
        assert kit.history().info().user_id == "ann"  # type: ignore[union-attr]  # it is there

    @pytest.mark.parametrize("kind", [WORKING, LONG])
    def test_owner_of_other_memories(self, kit: Kit, kind: Any) -> None:
        """Whose memories are there, his the history is, with and without messages."""
        kit.manager.store(kind, sample(kind), user_id="ann")
        his = kit.history(user_id="bob")
        for call in (lambda: his.append(UserMessage("u1")), his.messages, his.info, his.ttl, lambda: his.expire(60)):
            with pytest.raises(OwnerMismatchError):
                call()
        tell(kit.history(user_id="ann"), "u1")

    def test_the_first_who_appends_claims(self, kit: Kit) -> None:
        """A history that nobody claimed belongs to the first user who appends to it."""
        tell(kit.history(), "u1")
        for user_id in ("ann", "bob"):
            assert kit.history(user_id=user_id).count() == 1
        tell(kit.history(user_id="bob"), "u2")
        with pytest.raises(OwnerMismatchError):
            kit.history(user_id="ann").count()

    def test_a_cleared_history_is_free(self, kit: Kit) -> None:
        """Once nothing is left of it, a history is free for another user."""
        tell(kit.history(user_id="ann"), "u1")
        kit.history(user_id="ann").clear()
        tell(kit.history(user_id="bob"), "u1")
        with pytest.raises(OwnerMismatchError):
            kit.history(user_id="ann").count()
