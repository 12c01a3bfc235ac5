"""Arguments: what is wrong is refused by name, before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from memkit.errors import InvalidInputError
from memkit.records import Fact, UserMessage
from memkit.testing._contract.history_base import HistoryPiece, Kit

__all__ = ["HistoryInputContract"]

_TEXTS: tuple[Any, ...] = ("", 5, True, b"a", ["a"], "\ud800")
_IDS: tuple[Any, ...] = (*_TEXTS, "x" * 70_000)
_WHOLE: tuple[Any, ...] = (True, -1, 1.0, "1", [1])
_SECONDS: tuple[Any, ...] = (0, -1, -0.5, math.nan, math.inf, -math.inf, True, "5", [5], 0.0009, 1e12)
_WAITS: tuple[Any, ...] = (-1, -0.5, math.nan, True, "5", [5])
_MESSAGES: tuple[Any, ...] = ("text", None, 5, {"content": "x"}, Fact("x"), [UserMessage("x")])
_MAPS: tuple[Any, ...] = (5, "a", ["a"], {1: 2})
_NEW = UserMessage("x")

_WRONG: list[tuple[str, dict[str, Any], str, tuple[Any, ...]]] = [
    # The method, its other arguments, the name of the wrong one, and wrong values.
    ("append", {}, "idempotency_key", _TEXTS),
    ("window", {}, "last", _WHOLE),
    ("window", {}, "tokens", _WHOLE),
    ("window", {"tokens": 5}, "counter", (5, "len")),
    ("messages", {}, "after", _IDS),
    ("messages", {}, "before", _IDS),
    ("messages", {}, "limit", _WHOLE),
    ("messages", {}, "role", ("human", "", 5, "USER", ["user"])),
    ("get", {}, "message_id", (None, *_IDS)),
    ("update", {"message": _NEW}, "message_id", (None, *_IDS)),
    ("update", {"message_id": "a"}, "message", _MESSAGES),
    ("update", {"message_id": "a", "message": _NEW}, "expected_version", _WHOLE),
    ("remove", {}, "message_id", (None, *_IDS)),
    ("set_title", {}, "title", (5, True, b"a", ["a"], "\ud800")),
    ("set_metadata", {}, "metadata", _MAPS),
    ("expire", {}, "seconds", (None, *_SECONDS)),
    ("fork", {}, "new_id", (None, *_IDS)),
    ("fork", {"new_id": "d"}, "at", _IDS),
    ("rewind", {}, "to", _IDS),
    ("rewind", {"to": "a"}, "grace", (None, *_SECONDS)),
    ("restore", {}, "branch_id", (None, *_TEXTS)),
    ("restore", {"branch_id": "a"}, "grace", (None, *_SECONDS)),
    ("compact", {"summary": _NEW}, "through", (None, *_IDS)),
    ("compact", {"through": "a"}, "summary", _MESSAGES),
    ("compact", {"through": "a", "summary": _NEW}, "expected_revision", _WHOLE),
    ("compact_with", {}, "summarize", (None, 5, "sum", _NEW)),
    ("compact_with", {"summarize": lambda _: _NEW}, "keep_last", (None, *_WHOLE)),
]


class HistoryInputContract(HistoryPiece):
    """What is wrong is refused by name; nothing is sent, so a store that is down is not noticed."""

    @pytest.mark.parametrize(
        ("method", "others", "name", "values"), _WRONG, ids=[f"{case[0]}-{case[2]}" for case in _WRONG]
    )
    def test_wrong_arguments(
        self, kit: Kit, method: str, others: dict[str, Any], name: str, values: tuple[Any, ...]
    ) -> None:
        """A value of the wrong type, or out of range, is refused by the name of its argument."""
        call = getattr(kit.history(), method)
        given = (_NEW,) if method == "append" else ()
        for value in values:
            _refused(lambda value=value: call(*given, **{**others, name: value}), name)  # type: ignore[misc]  # bound

    def test_wrong_messages(self, kit: Kit) -> None:
        """An append takes messages, one at least, and says which of them is none."""
        history = kit.history()
        _refused(history.append, "messages")
        for wrong in _MESSAGES:
            _refused(lambda wrong=wrong: history.append(_NEW, wrong), "messages[1]")  # type: ignore[misc]  # bound
        _refused(lambda: history.append(UserMessage("x", metadata={"a": object()})), "messages[0].metadata['a']")
        _refused(lambda: history.append(UserMessage(5)), "messages[0].content")
        _refused(lambda: history.append(UserMessage("x", id="")), "messages[0].id")

    def test_wrong_values_inside(self, kit: Kit) -> None:
        """A value that cannot be stored is refused with its path."""
        history, bad = kit.history(), UserMessage("x", metadata={"a": [object()]})
        _refused(lambda: history.set_metadata({"a": [object()]}), "metadata['a'][0]")
        _refused(lambda: history.compact("a", bad), "summary.metadata['a'][0]")

    def test_an_update_keeps_the_id(self, kit: Kit) -> None:
        """A message with another id than that of the message that it shall replace is refused."""
        _refused(lambda: kit.history().update("a", UserMessage("x", id="b")), "message.id")

    @pytest.mark.parametrize(("name", "values"), [("ttl", (None, *_SECONDS)), ("wait", (None, *_WAITS))])
    def test_wrong_turns(self, kit: Kit, name: str, values: tuple[Any, ...]) -> None:
        """A turn has a time above zero, and waits for a time that is not below."""
        history = kit.history()
        for value in values:
            _refused(lambda value=value: history.turn(**{name: value}).__enter__(), name)  # type: ignore[misc]  # bound

    @pytest.mark.parametrize(
        ("name", "values"),
        [("after", _IDS), ("poll", (None, *_WAITS, 0)), ("timeout", _WAITS)],
    )
    def test_wrong_follows(self, kit: Kit, name: str, values: tuple[Any, ...]) -> None:
        """Following begins at a message, and looks and ends after times that are such."""
        history = kit.history()
        for value in values:
            _refused(lambda value=value: next(history.follow(**{name: value})), name)  # type: ignore[misc]  # bound

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("conversation_id", (None, *_IDS)),
            ("user_id", _IDS),
            ("counter", (5, "len")),
            ("max_messages", (0, *_WHOLE)),
            ("max_age", _SECONDS),
        ],
    )
    def test_wrong_histories(self, kit: Kit, name: str, values: tuple[Any, ...]) -> None:
        """A history is of a conversation that can be named, and of a user who can; bounds are above zero."""
        for value in values:
            _refused(lambda value=value: kit.history(**{"conversation_id": "c", name: value}), name)  # type: ignore[misc]


def _refused(call: Callable[[], Any], name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        call()
    assert caught.value.field == name
