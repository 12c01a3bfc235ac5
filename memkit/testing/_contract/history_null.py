"""What is left of histories and administration for a manager that keeps nothing."""

from __future__ import annotations

from memkit.errors import TurnLostError
from memkit.interfaces.history import IMessageHistory
from memkit.records import UserMessage
from memkit.testing._contract.base import KINDS, sample
from memkit.testing._contract.history_base import HistoryPiece, Kit, script

__all__ = ["HistoryKeepsNothingContract"]


class HistoryKeepsNothingContract(HistoryPiece):
    """Every call is answered as by a store that is always empty."""

    def test_null_appends(self, history: IMessageHistory) -> None:
        """An append succeeds and returns ids; a repeat returns the same where it has a key; nothing is kept."""
        assert len(set(history.append(*script("u1 a1(x) t1=x")))) == len("uat")
        assert history.append(UserMessage("x", id="mine")) == ["mine"]
        ids = history.append(*script("u1 u2"), idempotency_key="k")
        assert history.append(*script("u1 u2"), idempotency_key="k") == ids
        assert (history.messages(), history.window(), history.count(), history.info()) == ([], [], 0, None)

    def test_null_turns(self, history: IMessageHistory) -> None:
        """Whoever wants the turn gets it, writes in it, and gives it back."""
        for _ in range(2):
            with history.turn(ttl=60) as turn:
                assert turn.number > 0
                assert len(turn.append(UserMessage("x"))) == 1
                try:
                    turn.renew()
                except TurnLostError:
                    assert turn.count() == 0

    def test_null_admin(self, kit: Kit) -> None:
        """There is nothing to list, to erase and to export, and the store says what it is."""
        for kind in KINDS:
            kit.manager.store(kind, sample(kind), user_id="ann")
        assert kit.admin.conversations().items == kit.admin.conversations(user_id="ann").items == ()
        for given in ({"conversation_id": "c"}, {"user_id": "ann"}, {"namespace": True}):
            receipt = kit.admin.erase(**given)
            assert (receipt.conversations, receipt.messages, receipt.verified) == (0, 0, True)
        assert kit.admin.import_(list(kit.admin.export())).conversations == 0
        stats = kit.admin.stats()
        assert (bool(stats.backend), stats.conversations) == (True, 0)
