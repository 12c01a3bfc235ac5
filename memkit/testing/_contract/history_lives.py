"""The time to live of a whole conversation."""
# ruff: noqa: PLR2004 - the numbers are those of the times that a test sets

from __future__ import annotations

import math

from memkit.clock import Clock
from memkit.interfaces.history import IMessageHistory
from memkit.records import UserMessage
from memkit.testing._contract.base import KINDS, LONG, SHORT, WORKING, sample, texts
from memkit.testing._contract.history_base import HistoryPiece, Kit, MakeKit, tell

__all__ = ["LivesContract"]

_SOON = 0.2
_LATE = 0.23
_HOUR, _DAY = 3600.0, 86_400.0


class LivesContract(HistoryPiece):
    """A conversation can be given a time to live as a whole, which its messages renew from then on."""

    def test_ttl(self, kit: Kit) -> None:
        """The time to live is that of the memory that lives longest; None is that of an absent conversation."""
        history = kit.history()
        assert history.ttl() is None
        kit.manager.store(WORKING, sample(WORKING), ttl=100)
        assert _about(history, 100)
        tell(history, "u1")
        assert _about(history, _DAY)
        kit.manager.store(LONG, sample(LONG))
        assert history.ttl() == math.inf
        kit.manager.delete(LONG)
        assert _about(history, _DAY)

    def test_expire_all(self, kit: Kit, clock: Clock) -> None:
        """Every memory of a conversation, title and owner end when `expire` says, whatever they had before."""
        history = kit.history(user_id="ann")
        for kind in KINDS:
            for ttl in (None, 1000):
                kit.manager.store(kind, sample(kind), ttl=ttl)
        tell(history, "u1 u2 u3")
        history.rewind(None)
        tell(history, "u4")
        history.set_title("title")
        tell(kit.history("other"), "u1")
        assert history.expire(_SOON) is True
        assert 0 < (history.ttl() or 0) <= _SOON
        clock.sleep(_LATE)
        assert [len(kit.manager.retrieve(kind)) for kind in KINDS] == [0, 0, 0]
        assert (history.ttl(), history.info(), history.branches(), history.count()) == (None, None, [], 0)
        assert (history.expire(60), history.persist()) == (False, False)
        tell(kit.history(user_id="bob"), "u1")
        assert kit.history("other").count() == 1

    def test_expire_later(self, kit: Kit, clock: Clock) -> None:
        """A conversation whose end was near lives on after `expire` and after `persist`, all of it."""
        for name in ("expire", "persist"):
            for kind in KINDS:
                kit.manager.store(kind, sample(kind), conversation_id=name, ttl=_SOON)
        assert kit.history("expire").expire(60) is True
        assert kit.history("persist").persist() is True
        clock.sleep(_LATE)
        for name, ttl in (("expire", 60), ("persist", math.inf)):
            assert [len(kit.manager.retrieve(kind, name)) for kind in KINDS] == [1, 1, 1]
            assert _about(kit.history(name), ttl)

    def test_what_comes_after_expire(self, kit: Kit, clock: Clock) -> None:
        """What is stored after `expire` has its own time to live; what was there before does not live on with it."""
        kit.manager.store(WORKING, sample(WORKING))
        kit.manager.store(LONG, sample(LONG, "old", id="a"), sample(LONG, "updated", id="b"), ttl=None)
        kit.history().expire(_SOON)
        kit.manager.store(LONG, sample(LONG, "new"), ttl=60)
        kit.manager.store(LONG, sample(LONG, "ever"), ttl=None)
        kit.manager.update(LONG, metadata={"a": 1}, memory_id="b", ttl=60)
        clock.sleep(_LATE)
        assert sorted(texts(kit.manager.retrieve(LONG))) == ["ever", "new", "updated"]
        assert kit.manager.retrieve(WORKING) == []

    def test_messages_renew_what_was_set(self, kit: Kit, make_kit: MakeKit) -> None:
        """Later changes of the messages renew the time that was set, not the default one, whoever makes them."""
        history, other = kit.history(), make_kit().history()
        (message_id,) = history.append(UserMessage("u1"))
        for set_to in (_HOUR, 2 * _DAY):
            history.expire(set_to)
            tell(other, "u2")
            assert _about(history, set_to)
            other.update(message_id, UserMessage("new"))
            assert _about(history, set_to)
            kit.manager.store(SHORT, sample(SHORT))
            assert _about(history, set_to)

    def test_messages_after_persist(self, kit: Kit) -> None:
        """What was told to live for ever does so through later changes."""
        history = kit.history()
        (message_id,) = history.append(UserMessage("u1"))
        assert history.persist() is True
        tell(history, "u2")
        history.update(message_id, UserMessage("new"))
        kit.manager.store(SHORT, sample(SHORT))
        assert history.ttl() == math.inf
        assert history.expire(_HOUR) is True
        tell(history, "u3")
        assert _about(history, _HOUR)

    def test_what_was_set_is_renewed(self, history: IMessageHistory, clock: Clock) -> None:
        """A conversation with messages coming in outlives the time that was set, counted from each of them."""
        tell(history, "u1")
        history.expire(0.5)
        for name in ("u2", "u3"):
            clock.sleep(0.3)
            tell(history, name)
        assert history.count() == 3

    def test_appends_renew_the_default(self, make_kit: MakeKit) -> None:
        """Without `expire`, an append gives the messages the time to live of the manager."""
        history = make_kit(ttl={SHORT: 500}).history()
        tell(history, "u1")
        assert _about(history, 500)
        tell(make_kit(ttl={SHORT: 900}).history(), "u2")
        assert _about(history, 900)

    def test_what_was_set_ends_with_the_conversation(self, kit: Kit) -> None:
        """A conversation that begins anew has the default time to live again."""
        history = kit.history()
        tell(history, "u1")
        history.expire(_HOUR)
        history.clear()
        tell(history, "u1")
        assert _about(history, _DAY)

    def test_what_is_put_back_lives(self, history: IMessageHistory) -> None:
        """A branch that is put back where nothing was left lives by default, or as long as was set."""
        tell(history, "u1 u2")
        for seconds in (_DAY, _HOUR):
            branch = history.rewind(None, grace=60)
            assert branch is not None
            assert _about(history, 60)
            history.restore(branch.id)
            assert _about(history, seconds)
            history.expire(_HOUR)

    def test_removals_leave_the_time(self, history: IMessageHistory) -> None:
        """Reads, removals and what is set beside the messages do not renew the time to live."""
        ids = tell(history, "u1 u2 u3")
        history.expire(_HOUR)
        tell(history, "u4")
        history.messages()
        history.remove(ids["u2"])
        history.pop()
        history.set_title("title")
        assert _about(history, _HOUR)

    def test_milliseconds_of_expire(self, kit: Kit, clock: Clock) -> None:
        """A fraction of a second is kept."""
        for name, seconds in (("short", 0.1), ("long", 60.5)):
            tell(kit.history(name), "u1")
            kit.history(name).expire(seconds)
        clock.sleep(_LATE)
        assert [kit.history(name).count() for name in ("short", "long")] == [0, 1]


def _about(history: IMessageHistory, seconds: float) -> bool:
    """Whether it lives so long, but for the time that passed since."""
    found = history.ttl()
    return found is not None and (found == seconds or seconds - 30 < found <= seconds)
