"""Single messages: found, changed and removed by their ids."""
# ruff: noqa: PLR2004 - the numbers are those of the messages that a test appends

from __future__ import annotations

import pytest

from memkit.clock import Clock
from memkit.errors import InvalidRecordError, MemoryNotFoundError, VersionConflictError
from memkit.interfaces.history import IMessageHistory
from memkit.records import AssistantMessage, ToolCall, UserMessage
from memkit.testing._contract.base import LONG, WORKING, sample
from memkit.testing._contract.history_base import HistoryPiece, Kit, MakeKit, names, tell
from memkit.testing._contract.names import NASTY

__all__ = ["EditContract"]


class EditContract(HistoryPiece):
    """A message is found, replaced and removed by its id, and the others are untouched."""

    @pytest.mark.parametrize("own", [True, False])
    def test_get_a_message(self, history: IMessageHistory, own: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """A message is found by its id, as it stands in the history."""
        ids = tell(history, "s1 u1 a1(x) t1=x u2!", own=own, name="n", metadata={"a": 1})
        assert [history.get(message_id) for message_id in ids.values()] == history.messages()
        assert history.get("other") is None
        history.remove(ids["a1"])
        assert history.get(ids["a1"]) is None

    def test_get_in_a_long_history(self, history: IMessageHistory) -> None:
        """Every one of many messages is found."""
        ids = history.append(*(UserMessage(str(n)) for n in range(1000)))
        for n in (0, 1, 499, 500, 998, 999):
            found = history.get(ids[n])
            assert found is not None
            assert found.content == str(n)

    @pytest.mark.parametrize("own", [True, False])
    def test_update_a_message(self, history: IMessageHistory, clock: Clock, own: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """An update replaces a message; id, age and place stay, the version and the time of change move on."""
        ids = tell(history, "u1 u2 u3", own=own)
        before = history.messages()
        clock.sleep(0.002)
        updated = history.update(ids["u2"], AssistantMessage("new", tool_calls=[ToolCall("x", "f")], tokens=3))
        found = history.messages()
        assert names(found) == "u1 new u3"
        assert found[1] == updated == history.get(ids["u2"])
        assert (found[0], found[2]) == (before[0], before[2])
        assert (updated.id, updated.version, updated.created_at) == (ids["u2"], 2, before[1].created_at)
        assert updated.updated_at is not None
        assert updated.created_at is not None
        assert updated.updated_at > updated.created_at

    def test_update_replaces_metadata(self, history: IMessageHistory) -> None:
        """The metadata of a message is replaced whole, not merged."""
        (message_id,) = history.append(UserMessage("one", metadata={"a": 1, "b": 1}))
        assert history.update(message_id, UserMessage("two", metadata={"b": 2})).metadata == {"b": 2}
        assert history.update(message_id, UserMessage("three")).metadata == {}
        assert history.messages()[0].metadata == {}

    def test_update_over_an_expected_version(self, history: IMessageHistory) -> None:
        """With an expected version only that one is replaced, and the error says which is stored."""
        (message_id,) = history.append(UserMessage("one"))
        assert history.update(message_id, UserMessage("two"), expected_version=1).version == 2
        for wrong in (0, 1, 3):
            with pytest.raises(VersionConflictError) as caught:
                history.update(message_id, UserMessage("x"), expected_version=wrong)
            assert (caught.value.expected, caught.value.actual) == (wrong, 2)
        assert names(history.messages()) == "two"

    def test_update_of_a_message_that_is_gone(self, history: IMessageHistory) -> None:
        """There is nothing to update under an id that is unknown, or was removed."""
        ids = tell(history, "u1 u2")
        history.remove(ids["u1"])
        for message_id in (ids["u1"], "other"):
            with pytest.raises(MemoryNotFoundError):
                history.update(message_id, UserMessage("x"))
            with pytest.raises(MemoryNotFoundError):
                history.update(message_id, UserMessage("x"), expected_version=1)
        assert names(history.messages()) == "u2"

    def test_a_message_that_was_read_updates(self, history: IMessageHistory) -> None:
        """What was read can be handed back as it is, with its version."""
        ids = tell(history, "u1!", metadata={"a": 1})
        found = history.get(ids["u1"])
        assert found is not None
        updated = history.update(ids["u1"], found, expected_version=found.version)
        assert (updated.version, updated.metadata, updated.pinned) == (2, {"a": 1}, True)

    def test_update_with_what_cannot_be_stored(self, make_kit: MakeKit) -> None:
        """A message that cannot be stored is refused with its path, and the old one stays."""
        history = make_kit(max_record_bytes=1000).history()
        (message_id,) = history.append(UserMessage("one"))
        for bad in (UserMessage("x", metadata={"a": object()}), UserMessage("x" * 2000)):
            with pytest.raises(InvalidRecordError) as caught:
                history.update(message_id, bad)
            assert caught.value.path.startswith("message")
        assert names(history.messages()) == "one"

    def test_updates_of_one_version_at_the_same_time(self, kit: Kit) -> None:
        """Of updates that run at the same time over one version, one is made and the others conflict."""
        raw = kit.raw()
        (message_id,) = kit.history().append(UserMessage("one"))
        calls = [lambda n=n: raw.update(message_id, UserMessage(str(n)), expected_version=1) for n in range(6)]
        results = kit.together(calls)
        lost = [result for result in results if isinstance(result, VersionConflictError)]
        (won,) = [result for result in results if not isinstance(result, Exception)]
        assert len(lost) == 5
        assert kit.history().messages() == [won]

    @pytest.mark.parametrize("own", [True, False])
    def test_remove_a_message(self, history: IMessageHistory, own: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """A message is removed once; the others keep their order and are found as before."""
        ids = tell(history, "u1 u2 u3 u4", own=own)
        assert history.remove(ids["u2"]) is True
        assert history.remove(ids["u2"]) is False
        assert history.remove("other") is False
        assert names(history.messages()) == "u1 u3 u4"
        assert history.count() == 3
        assert history.remove(ids["u4"]) is True
        tell(history, "u5")
        assert names(history.messages()) == "u1 u3 u5"

    def test_every_message_removed(self, history: IMessageHistory) -> None:
        """Once all messages are removed the conversation is absent, and their ids are free."""
        for message_id in tell(history, "u1 u2 u3", own=True).values():
            assert history.remove(message_id) is True
        assert (history.count(), history.messages(), history.info()) == (0, [], None)
        tell(history, "u2 u1", own=True)
        assert names(history.messages()) == "u2 u1"

    def test_nasty_ids_of_messages(self, history: IMessageHistory) -> None:
        """Messages are found, updated and removed under every nasty id."""
        history.append(*(UserMessage(str(n), id=name) for n, name in enumerate(NASTY)))
        for n, name in enumerate(NASTY):
            assert names([history.update(name, UserMessage(f"new {n}"))]) == f"new {n}"
        assert [names([found]) for name in NASTY if (found := history.get(name))] == [
            f"new {n}" for n in range(len(NASTY))
        ]
        assert all(history.remove(name) for name in NASTY)
        assert history.count() == 0

    def test_pop(self, history: IMessageHistory) -> None:
        """The last message is removed and returned, one after the other, whatever it is."""
        ids = tell(history, "s1 u1! a1(x) t1=x u2")
        history.remove(ids["u2"])
        last = history.messages()[-1]
        assert history.pop() == last
        popped = [history.pop() for _ in range(3)]
        assert names(message for message in popped if message) == "a1 u1 s1"
        assert history.pop() is None
        assert history.count() == 0

    def test_pops_at_the_same_time(self, kit: Kit) -> None:
        """Pops that run at the same time return different messages, and none is lost."""
        tell(kit.history(), " ".join(f"u{n}" for n in range(10)))
        popped = kit.together([kit.raw().pop] * 6)
        assert sorted(names(popped).split()) == ["u4", "u5", "u6", "u7", "u8", "u9"]
        assert names(kit.history().messages()) == "u0 u1 u2 u3"

    def test_clear(self, kit: Kit) -> None:
        """All messages are removed and counted; the other memories of the conversation stay."""
        history = kit.history()
        kit.manager.store(WORKING, sample(WORKING))
        kit.manager.store(LONG, sample(LONG))
        ids = tell(history, "s1 u1! a1 u2")
        history.remove(ids["a1"])
        assert history.clear() == 3
        assert history.clear() == 0
        assert (history.messages(), history.count()) == ([], 0)
        assert (len(kit.manager.retrieve(WORKING)), len(kit.manager.retrieve(LONG))) == (1, 1)

    def test_append_after_clear(self, history: IMessageHistory) -> None:
        """After a clear the history begins anew, under the same ids too."""
        tell(history, "u1 u2", own=True)
        history.clear()
        tell(history, "u2 u3", own=True)
        assert names(history.messages()) == "u2 u3"
        assert [message.version for message in history.messages()] == [1, 1]

    def test_count(self, history: IMessageHistory) -> None:
        """The count is that of the messages that are there."""
        assert history.count() == 0
        ids = tell(history, "s1 u1 a1(x) t1=x")
        assert history.count() == 4
        history.remove(ids["u1"])
        assert history.count() == 3
        history.update(ids["s1"], UserMessage("x"))
        assert history.count() == 3
        history.pop()
        assert history.count() == 2
