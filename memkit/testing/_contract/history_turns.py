"""Turns: one writer at a time, enforced by the store."""
# ruff: noqa: PLR2004 - the numbers are those of the messages that a test appends

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from memkit.clock import Clock
from memkit.errors import TurnHeldError, TurnLostError
from memkit.interfaces.history import IMessageHistory
from memkit.records import Message, UserMessage
from memkit.results import START
from memkit.testing._contract.base import LONG, SHORT, WORKING, sample
from memkit.testing._contract.history_base import HistoryPiece, Kit, MakeKit, names, tell

__all__ = ["TurnContract"]

_SOON = 0.2
_LATE = 0.23
_ID = "018f4b6e-7d2a-7c3b-8a4d-1234567890ab"


def _changes(history: IMessageHistory, ids: dict[str, str], branch_id: str) -> dict[str, Callable[[], Any]]:
    """Every method that changes messages."""
    new = UserMessage("new")
    return {
        "append": lambda: history.append(new),
        "append with a key": lambda: history.append(new, idempotency_key="k"),
        "update": lambda: history.update(ids["u1"], new),
        "remove": lambda: history.remove(ids["u1"]),
        "pop": history.pop,
        "clear": history.clear,
        "rewind": lambda: history.rewind(ids["u1"]),
        "restore": lambda: history.restore(branch_id),
        "compact": lambda: history.compact(ids["u1"], new),
        "compact with": lambda: history.compact_with(lambda _: new, keep_last=0),
        "repair": history.repair,
    }


class TurnContract(HistoryPiece):
    """While somebody has the turn nobody else changes the messages; and who lost it changes nothing."""

    def test_a_turn(self, history: IMessageHistory) -> None:
        """The turn is a history: who has it reads and writes through it."""
        with history.turn() as turn:
            ids = tell(turn, "u1 a1(x) t1=x")
            turn.update(ids["u1"], UserMessage("new"))
            assert names(turn.messages()) == names(turn.window()) == "new a1 t1"
            assert (turn.conversation_id, turn.user_id, turn.count()) == ("c", None, 3)
            assert turn.number > 0
        assert names(history.messages()) == "new a1 t1"

    def test_everything_in_a_turn(self, history: IMessageHistory) -> None:
        """Every method that changes messages does so in a turn."""
        ids = tell(history, "u0 u1 u2 a1(x)")
        branch = history.rewind(ids["u2"])
        assert branch is not None
        with history.turn() as turn:
            assert turn.restore(branch.id) is None
            assert turn.repair().closed == ("x",)
            assert turn.compact(ids["u0"], UserMessage("sum")).removed == 1
            assert turn.compact_with(lambda _: UserMessage("all"), keep_last=3) is not None
            assert turn.pop() is not None
            assert turn.rewind(ids["u2"]) is not None
            assert turn.append(UserMessage("k"), idempotency_key="k")
            assert turn.remove(ids["u2"]) is True
            assert names(turn.messages()) == "all k"
            assert turn.clear() == 2

    def test_nobody_else_writes(self, kit: Kit, make_kit: MakeKit) -> None:
        """Every change of the messages by anybody else is refused, says for how long at most, and changes nothing."""
        history = kit.history()
        ids = tell(history, "u1 a1(x) t1=x t2=y u2")
        branch = history.rewind(ids["t2"])
        assert branch is not None
        before = history.messages()
        with history.turn(ttl=60):
            for other in (make_kit().history(), history):
                for what, change in _changes(other, ids, branch.id).items():
                    with pytest.raises(TurnHeldError) as caught:
                        pytest.fail(f"{what}: {change()!r} is no error")
                    assert 0 < caught.value.retry_after <= 60
        assert (history.messages(), history.branches()) == (before, [branch])

    def test_verbs_in_the_turn_of_another(self, kit: Kit) -> None:
        """The verbs change no messages meanwhile either; the other memories are not the turn's."""
        ids = tell(kit.history(), "u1")
        manager = kit.manager
        with kit.history().turn():
            calls: list[Callable[[], Any]] = [
                lambda: manager.store(SHORT, sample(SHORT)),
                lambda: manager.update(SHORT, metadata={"a": 1}, memory_id=ids["u1"]),
                lambda: manager.delete(SHORT, memory_id=ids["u1"]),
                lambda: manager.delete(SHORT),
            ]
            for call in calls:
                with pytest.raises(TurnHeldError):
                    call()
            for kind in (WORKING, LONG):
                manager.store(kind, sample(kind))
                assert len(manager.retrieve(kind)) == 1
        assert len(manager.retrieve(SHORT)) == 1

    def test_reads_in_the_turn_of_another(self, kit: Kit, make_kit: MakeKit) -> None:
        """Everybody reads meanwhile, and what is no change of the messages goes on."""
        tell(kit.history(), "u1")
        other = make_kit().history()
        with kit.history().turn() as turn:
            tell(turn, "u2")
            assert names(other.messages(after=START)) == names(other.window(last=2)) == "u1 u2"
            assert (other.count(), len(other.branches())) == (2, 0)
            assert len(list(other.follow(START, poll=0.001, timeout=0.002))) == 2
            other.set_title("title")
            assert other.expire(100) is True
            other.fork("d")
            found = other.info()
            assert found is not None
            assert found.title == "title"
        tell(kit.history("d"), "u3")

    def test_turns_are_the_conversations(self, kit: Kit) -> None:
        """A turn holds up its own conversation only."""
        with kit.history().turn(), kit.history("d").turn() as turn:
            tell(turn, "u1")
            tell(kit.history("e"), "u1")

    def test_two_want_the_turn(self, kit: Kit, make_kit: MakeKit) -> None:
        """While one has the turn another does not get it, and afterwards does."""
        one, other = kit.history(), make_kit().history()
        with one.turn(ttl=60):
            for history in (other, one):
                with pytest.raises(TurnHeldError) as caught:
                    _enter(history.turn())
                assert 0 < caught.value.retry_after <= 60
        with other.turn() as turn:
            tell(turn, "u1")
        tell(one, "u2")
        assert names(one.messages()) == "u1 u2"

    def test_one_of_many_gets_the_turn(self, kit: Kit) -> None:
        """Of those who want the turn at the same time one gets it."""
        raw = kit.raw()
        contexts = [raw.turn(ttl=60) for _ in range(5)]
        enter, leave = ("__aenter__", "__aexit__") if kit.is_async else ("__enter__", "__exit__")
        results = kit.together([getattr(context, enter) for context in contexts])
        assert sum(isinstance(result, TurnHeldError) for result in results) == 4
        (won,) = [n for n, result in enumerate(results) if not isinstance(result, Exception)]
        kit.manager.wait(getattr(contexts[won], leave)(None, None, None))

    def test_a_turn_ends_with_an_error(self, history: IMessageHistory) -> None:
        """An error inside of a turn comes out, and the turn is given back."""
        with pytest.raises(LookupError), history.turn(ttl=60) as turn:
            _fail(tell(turn, "u1"))
        tell(history, "u2")
        assert names(history.messages()) == "u1 u2"

    def test_numbers_rise(self, kit: Kit, make_kit: MakeKit) -> None:
        """Every turn has a number above those before it, whoever had them."""
        numbers = []
        for each in (kit, make_kit(), kit, make_kit()):
            with each.history().turn() as turn:
                numbers.append(turn.number)
        assert numbers == sorted(set(numbers))

    def test_a_turn_that_is_over(self, kit: Kit, make_kit: MakeKit, clock: Clock) -> None:
        """Once its time is over every write of a turn is refused and changes nothing, also after the next turn."""
        history, other = kit.history(), make_kit().history()
        ids = tell(history, "u1 a1(x) t1=x t2=y u2")
        branch = history.rewind(ids["t2"])
        assert branch is not None
        before = history.messages()
        with history.turn(ttl=_SOON) as turn:
            clock.sleep(_LATE)
            _check_lost(turn, ids, branch.id)
            with other.turn():
                _check_lost(turn, ids, branch.id)
            _check_lost(turn, ids, branch.id)
            assert turn.messages() == before
        assert history.messages() == before

    def test_writes_after_a_turn(self, history: IMessageHistory) -> None:
        """A turn that was given back writes no more."""
        with history.turn() as turn:
            tell(turn, "u1")
        with pytest.raises(TurnLostError):
            tell(turn, "u2")
        with pytest.raises(TurnLostError):
            turn.renew()
        tell(history, "u3")
        assert names(history.messages()) == "u1 u3"

    def test_nobody_waits_for_a_turn_that_is_over(self, history: IMessageHistory, clock: Clock) -> None:
        """Once the time of a turn is over everybody writes, and its end does no harm to the next."""
        with history.turn(ttl=_SOON):
            clock.sleep(_LATE)
            tell(history, "u1")
            context = history.turn(ttl=60)
            late = context.__enter__()
        tell(late, "u2")
        with pytest.raises(TurnHeldError):
            tell(history, "u3")
        context.__exit__(None, None, None)
        assert names(history.messages()) == "u1 u2"

    def test_renew(self, history: IMessageHistory, clock: Clock) -> None:
        """A turn that is renewed lasts on, as long as at first or as long as is said."""
        with history.turn(ttl=0.5) as turn:
            for _ in range(2):
                clock.sleep(0.3)
                turn.renew()
            tell(turn, "u1")
            turn.renew(60)
            with pytest.raises(TurnHeldError) as caught:
                tell(history, "u2")
            assert 30 < caught.value.retry_after <= 60
            turn.renew(0.1)
            clock.sleep(0.13)
            with pytest.raises(TurnLostError):
                turn.renew()

    def test_wait_for_the_turn(self, kit: Kit, make_kit: MakeKit, clock: Clock) -> None:
        """Who waits long enough gets the turn once the other is over; who does not is told."""
        one, other = kit.history(), make_kit().history()
        # Connected before: to a cluster that takes longer than the turn.
        assert other.count() == 0
        context = one.turn(ttl=0.3)
        lost = context.__enter__()
        with pytest.raises(TurnHeldError):
            _enter(other.turn(wait=0.02))
        began = clock.monotonic()
        with other.turn(wait=30) as turn:
            assert clock.monotonic() - began < 10
            tell(turn, "u1")
            assert turn.number > lost.number
        context.__exit__(None, None, None)

    def test_a_turn_outlives_the_messages(self, kit: Kit) -> None:
        """A turn may be taken where nothing is yet, and lasts when all messages are removed."""
        history = kit.history()
        with history.turn() as turn:
            assert history.info() is None
            for _ in range(2):
                with pytest.raises(TurnHeldError):
                    tell(history, "u1")
                tell(turn, "u2")
                assert turn.clear() == 1
        tell(history, "u3")
        assert history.count() == 1

    def test_a_turn_of_a_user(self, kit: Kit) -> None:
        """A turn writes on behalf of the user whose history it is of, with its counter."""

        def count(message: Message) -> int:
            return len(str(message.content))

        with kit.history(user_id="ann", counter=count).turn() as turn:
            tell(turn, "u1 u2 u3")
            assert turn.user_id == "ann"
            assert names(turn.window(tokens=4)) == "u2 u3"
        found = kit.history().info()
        assert found is not None
        assert found.user_id == "ann"


def _check_lost(turn: IMessageHistory, ids: dict[str, str], branch_id: str) -> None:
    for what, change in _changes(turn, ids, branch_id).items():
        with pytest.raises(TurnLostError):
            pytest.fail(f"{what}: {change()!r} is no error")


def _fail(ids: dict[str, str]) -> None:
    raise LookupError(str(ids))


def _enter(context: AbstractContextManager[Any]) -> None:
    with context:
        pytest.fail("the turn was given twice")
