"""Administration: what is erased is gone, and stays gone."""
# ruff: noqa: PLR2004 - the numbers are those of the records that a test stores

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from memkit.clock import Clock, from_us
from memkit.errors import ErasedError, OwnerMismatchError
from memkit.records import UserMessage
from memkit.results import EraseReceipt
from memkit.testing._contract.base import KINDS, LONG, SHORT, WORKING, sample
from memkit.testing._contract.history_base import HistoryPiece, Kit, MakeKit, tell
from memkit.testing._contract.names import NASTY

__all__ = ["EraseContract"]


def _fill(kit: Kit, name: str, user_id: str | None = None) -> None:
    """Three messages, one more in a branch, a working memory, two facts, and a title."""
    history = kit.history(name, user_id=user_id)
    ids = tell(history, "u1 u2 u3 u4")
    history.rewind(ids["u3"])
    history.set_title("title")
    kit.manager.store(WORKING, sample(WORKING), conversation_id=name)
    kit.manager.store(LONG, sample(LONG), sample(LONG), conversation_id=name)


def _writes(kit: Kit, name: str, **options: Any) -> dict[str, Callable[[], Any]]:
    """Every way to bring data to a conversation."""
    history, manager = kit.history(name, **options), kit.manager
    stores: dict[str, Callable[[], Any]] = {
        f"store {kind.value}": lambda kind=kind: manager.store(kind, sample(kind), conversation_id=name, **options)  # type: ignore[misc]
        for kind in KINDS
    }
    return stores | {
        "append": lambda: history.append(UserMessage("late")),
        "append with a key": lambda: history.append(UserMessage("late"), idempotency_key="k"),
        "turn": lambda: history.turn().__enter__(),
    }


def _counts(receipt: EraseReceipt) -> tuple[int, ...]:
    of = receipt
    return of.conversations, of.messages, of.working_memories, of.long_term_memories, of.branch_messages


def _is_absent(kit: Kit, name: str) -> bool:
    history = kit.history(name)
    memories = [kit.manager.retrieve(kind, name) for kind in KINDS]
    return (history.info(), history.ttl(), history.branches(), *memories) == (None, None, [], [], [], [])


class EraseContract(HistoryPiece):
    """An erase takes everything of what it is told to, nothing else, and nothing comes back."""

    def test_erase_a_conversation(self, kit: Kit, clock: Clock) -> None:
        """Every memory of a conversation goes, whoever owns it, and the receipt counts what it was."""
        _fill(kit, "c", "ann")
        _fill(kit, "d", "ann")
        before = from_us(clock.time_us())
        receipt = kit.admin.erase(conversation_id="c")
        assert _counts(receipt) == (1, 3, 1, 2, 1)
        assert (receipt.conversation_id, receipt.user_id, receipt.dry_run, receipt.verified) == ("c", None, False, True)
        assert receipt.fenced_for >= 120
        assert before <= receipt.started_at <= receipt.finished_at
        assert _is_absent(kit, "c")
        assert [found.id for found in kit.admin.conversations()] == ["d"]
        assert [found.id for found in kit.admin.conversations(user_id="ann")] == ["d"]
        assert kit.history("d").count() == 3

    def test_erase_a_user(self, kit: Kit) -> None:
        """All conversations of a user go; those of others and of nobody stay."""
        for name, user_id in (("a", "ann"), ("b", "bob"), ("c", "ann"), ("d", None)):
            _fill(kit, name, user_id)
        receipt = kit.admin.erase(user_id="ann")
        assert _counts(receipt) == (2, 6, 2, 4, 2)
        assert (receipt.user_id, receipt.conversation_id, receipt.verified) == ("ann", None, True)
        assert (_is_absent(kit, "a"), _is_absent(kit, "c")) == (True, True)
        assert sorted(found.id for found in kit.admin.conversations()) == ["b", "d"]
        assert list(kit.admin.conversations(user_id="ann")) == []
        for name in ("b", "d"):
            assert (kit.history(name).count(), len(kit.history(name).branches())) == (3, 1)
            tell(kit.history(name), "u5")

    def test_erase_a_user_who_was_refused(self, kit: Kit) -> None:
        """What a user wanted to write to another's conversation does not make it his to erase."""
        _fill(kit, "c", "ann")
        with pytest.raises(OwnerMismatchError):
            tell(kit.history("c", user_id="bob"), "u5")
        assert _counts(kit.admin.erase(user_id="bob", dry_run=True)) == (0, 0, 0, 0, 0)
        assert _counts(kit.admin.erase(user_id="bob")) == (0, 0, 0, 0, 0)
        assert kit.history("c").count() == 3
        tell(kit.history("c", user_id="ann"), "u5")

    def test_erase_a_namespace(self, kit: Kit, make_kit: MakeKit) -> None:
        """Everything of a namespace goes; others are not touched."""
        other = make_kit(namespace="other")
        for name, user_id in (("a", "ann"), ("b", None)):
            _fill(kit, name, user_id)
            _fill(other, name, user_id)
        receipt = kit.admin.erase(namespace=True)
        assert (_counts(receipt), receipt.verified) == ((2, 6, 2, 4, 2), True)
        assert (_is_absent(kit, "a"), _is_absent(kit, "b"), list(kit.admin.conversations())) == (True, True, [])
        assert sorted(found.id for found in other.admin.conversations()) == ["a", "b"]
        tell(other.history("a"), "u5")
        assert other.history("a").count() == 4

    @pytest.mark.parametrize("given", [{"conversation_id": "c"}, {"user_id": "ann"}, {"namespace": True}])
    def test_dry_run(self, kit: Kit, given: dict[str, Any]) -> None:
        """A dry run counts what an erase would take, and neither takes nor refuses anything."""
        _fill(kit, "c", "ann")
        receipt = kit.admin.erase(**given, dry_run=True)
        assert _counts(receipt) == (1, 3, 1, 2, 1)
        assert (receipt.dry_run, receipt.verified) == (True, False)
        tell(kit.history(user_id="ann"), "u5")
        assert kit.history().count() == 4
        assert _counts(kit.admin.erase(**given)) == (1, 4, 1, 2, 1)

    @pytest.mark.parametrize("given", [{"conversation_id": "c"}, {"user_id": "ann"}, {"namespace": True}])
    def test_nothing_to_erase(self, kit: Kit, given: dict[str, Any]) -> None:
        """An erase of nothing is no error, and an erase can be repeated."""
        assert (_counts(kit.admin.erase(**given)), kit.admin.erase(**given).verified) == ((0, 0, 0, 0, 0), True)

    @pytest.mark.parametrize("given", [{"conversation_id": "c"}, {"user_id": "ann"}, {"namespace": True}])
    def test_no_late_write_brings_it_back(self, kit: Kit, make_kit: MakeKit, given: dict[str, Any]) -> None:
        """For a while, whoever writes to what was erased is refused: who knew it before, and who comes anew."""
        _fill(kit, "c", "ann")
        tell(make_kit().history("c"), "u5")
        kit.admin.erase(**given)
        for who in (kit, make_kit()):
            for options in ({}, {"user_id": "ann"}, {"user_id": "bob"}):
                for what, write in _writes(who, "c", **options).items():
                    with pytest.raises(ErasedError):
                        pytest.fail(f"{what}: {write()!r} is no error")
        assert _is_absent(kit, "c")

    def test_new_conversations_of_an_erased_user(self, kit: Kit, make_kit: MakeKit) -> None:
        """For a while an erased user begins no conversation either; others do."""
        _fill(kit, "c", "ann")
        kit.admin.erase(user_id="ann")
        for who in (kit, make_kit()):
            with pytest.raises(ErasedError):
                tell(who.history("new", user_id="ann"), "u1")
            tell(who.history("his", user_id="bob"), "u1")
        assert _is_absent(kit, "new")
        assert sorted(found.id for found in kit.admin.conversations()) == ["his"]

    def test_new_conversations_of_an_erased_namespace(self, kit: Kit) -> None:
        """For a while nothing new begins in an erased namespace."""
        _fill(kit, "c")
        kit.admin.erase(namespace=True)
        for user_id in (None, "ann"):
            with pytest.raises(ErasedError):
                tell(kit.history("new", user_id=user_id), "u1")
        assert list(kit.admin.conversations()) == []

    def test_forks_and_restores_after_an_erase(self, kit: Kit) -> None:
        """Nothing gets into an erased conversation by a fork, nor out of it by a branch."""
        _fill(kit, "c")
        _fill(kit, "d")
        branch_id = kit.history("c").branches()[0].id
        kit.admin.erase(conversation_id="c")
        with pytest.raises(ErasedError):
            kit.history("d").fork("c")
        with pytest.raises((ErasedError, LookupError)):
            kit.history("c").restore(branch_id)
        assert _is_absent(kit, "c")

    def test_an_erase_in_a_turn(self, kit: Kit) -> None:
        """A turn does not hold up an erase, and writes nothing afterwards."""
        with kit.history().turn() as turn:
            tell(turn, "u1")
            assert kit.admin.erase(conversation_id="c").messages == 1
            with pytest.raises(ErasedError):
                tell(turn, "u2")
        assert _is_absent(kit, "c")

    def test_an_erase_is_only_of_its_own(self, kit: Kit) -> None:
        """Every nasty name is erased alone, as a conversation and as a user."""
        for name in NASTY:
            kit.manager.store(SHORT, sample(SHORT), conversation_id=name, user_id=name)
        left = set(NASTY)
        for n, name in enumerate(NASTY[:12]):
            receipt = kit.admin.erase(**({"user_id": name} if n % 2 else {"conversation_id": name}))  # type: ignore[arg-type]
            left.remove(name)
            assert _counts(receipt) == (1, 1, 0, 0, 0)
            assert {found.id for found in kit.admin.conversations(limit=1000)} == left

    def test_erase_many(self, kit: Kit) -> None:
        """Conversations by the hundred are erased at once."""
        for n in range(130):
            kit.manager.store(WORKING, sample(WORKING), conversation_id=f"c{n}", user_id="ann")
        assert _counts(kit.admin.erase(user_id="ann")) == (130, 0, 130, 0, 0)
        assert list(kit.admin.conversations()) == []
