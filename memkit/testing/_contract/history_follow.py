"""Following a history: each message once, in order, as it comes."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from memkit.clock import Clock
from memkit.errors import MemoryNotFoundError
from memkit.interfaces.history import IMessageHistory
from memkit.records import Message, UserMessage
from memkit.results import START, Start
from memkit.testing._contract.history_base import HistoryPiece, Kit, MakeKit, names, tell

__all__ = ["FollowContract"]


class FollowContract(HistoryPiece):
    """Who follows a history gets what others append, whether it was there already or comes later."""

    def test_follow_from_the_start(self, kit: Kit, make_kit: MakeKit) -> None:
        """What is there comes first, then what another kit appends, each message once."""
        history, other = kit.history(), make_kit().history()
        tell(history, "s1 u1")
        with _following(history, START) as following:
            assert names(itertools.islice(following, 2)) == "s1 u1"
            for text in ("u2", "a1(x) t1=x u3", "u4"):
                ids = tell(other, text)
                assert names(itertools.islice(following, len(ids))) == " ".join(ids)

    @pytest.mark.parametrize("own", [True, False])
    def test_follow_behind_a_message(self, history: IMessageHistory, own: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """Following begins behind the message that is named."""
        ids = tell(history, "u1 u2 u3", own=own)
        with _following(history, ids["u1"]) as following:
            assert names(itertools.islice(following, 2)) == "u2 u3"
            tell(history, "u4")
            assert names(itertools.islice(following, 1)) == "u4"

    def test_follow_what_comes(self, kit: Kit, make_kit: MakeKit) -> None:
        """Without a message that is named only what comes from then on is given, without a gap."""
        tell(kit.history(), "u1 u2")
        raw, other = kit.raw(), make_kit().raw()
        found = kit.manager.wait(_follow_async(raw, other)) if kit.is_async else _follow_sync(raw, other)
        numbers = [int(message.content) for message in found]
        assert numbers == list(range(numbers[0], numbers[0] + 5))

    def test_follow_until_nothing_comes(self, history: IMessageHistory) -> None:
        """Following ends when nothing came for so long."""
        tell(history, "u1 u2")
        assert names(history.follow(START, poll=0.005, timeout=0.02)) == "u1 u2"
        assert names(history.follow(poll=0.005, timeout=0.02)) == ""

    def test_follow_while_something_comes(self, history: IMessageHistory, clock: Clock) -> None:
        """The time without messages is counted from the last one, and not while the caller is busy with it."""
        following = history.follow(START, poll=0.01, timeout=0.12)
        for name in ("u1", "u2", "u3"):
            tell(history, name)
            assert names(itertools.islice(following, 1)) == name
            clock.sleep(0.09)
        assert list(following) == []

    def test_follow_after_removals(self, history: IMessageHistory) -> None:
        """Following goes on where the last message that it gave was removed, and gives no message that is gone."""
        ids = tell(history, "u1 u2 u3")
        with _following(history, START) as following:
            assert names(itertools.islice(following, 3)) == "u1 u2 u3"
            ids |= tell(history, "u4 u5")
            for name in ("u3", "u4"):
                history.remove(ids[name])
            assert names(itertools.islice(following, 1)) == "u5"

    @pytest.mark.parametrize("own", [True, False])
    def test_follow_over_a_change_of_order(self, history: IMessageHistory, own: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """What was given is not given again after a repair moved it, or a compaction put a summary before it."""
        ids = tell(history, "u1! a1(x) u2 u3! t1=x", own=own)
        with _following(history, START) as following:
            assert names(itertools.islice(following, 5)) == "u1 a1 u2 u3 t1"
            assert history.repair().moved == (ids["t1"],)
            tell(history, "u4")
            assert names(itertools.islice(following, 1)) == "u4"
            history.compact(ids["u3"], UserMessage("sum"))
            tell(history, "u5")
            assert names(itertools.islice(following, 1)) == "u5"

    def test_follow_begins_over(self, history: IMessageHistory) -> None:
        """What is appended after all messages were removed is given too."""
        tell(history, "u1 u2")
        with _following(history, START) as following:
            assert names(itertools.islice(following, 2)) == "u1 u2"
            history.clear()
            tell(history, "u3")
            assert names(itertools.islice(following, 1)) == "u3"

    def test_follow_many(self, history: IMessageHistory) -> None:
        """Hundreds of messages are given in order, each once."""
        history.append(*(UserMessage(str(n)) for n in range(600)))
        found = history.follow(START, poll=0.005, timeout=0.02)
        assert [message.content for message in found] == [str(n) for n in range(600)]

    def test_follow_from_what_is_gone(self, history: IMessageHistory) -> None:
        """A message that was removed, or never there, is no place to begin."""
        ids = tell(history, "u1 u2")
        history.remove(ids["u1"])
        for message_id in (ids["u1"], "other"):
            with pytest.raises(MemoryNotFoundError):
                next(history.follow(message_id, poll=0.01, timeout=10))


def _follow_sync(history: Any, other: Any) -> list[Any]:
    found: list[Any] = []
    reader = threading.Thread(target=lambda: found.extend(itertools.islice(history.follow(poll=0.001), 5)))
    reader.start()
    # Nobody tells when the reader has begun: it is given messages until it has had enough of them.
    for n in itertools.count():
        other.append(UserMessage(str(n)))
        reader.join(0.002)
        if not reader.is_alive():
            return found
    raise AssertionError


async def _follow_async(history: Any, other: Any) -> list[Any]:
    async def read() -> list[Any]:
        following = history.follow(poll=0.001)
        return [await anext(following) for _ in range(5)]

    reader = asyncio.create_task(read())
    for n in itertools.count():
        await other.append(UserMessage(str(n)))
        await asyncio.sleep(0.002)
        if reader.done():
            return await reader
    raise AssertionError


@contextmanager
def _following(history: IMessageHistory, after: str | Start) -> Iterator[Iterator[Message]]:
    """Follow, and end an iterator that would go on."""
    following = history.follow(after, poll=0.01, timeout=10)
    try:
        yield following
    finally:
        if isinstance(following, Generator):
            following.close()
