"""Repair: every group is whole again after a crash."""
# ruff: noqa: PLR2004 - the numbers are those of the messages that a test appends

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from memkit.interfaces.history import IMessageHistory
from memkit.records import Memory, ToolMessage, UserMessage
from memkit.results import RepairReport
from memkit.testing._contract.history_base import HistoryPiece, Kit, is_valid, names, tell

__all__ = ["RepairContract"]

_WHOLE = ["", "u1", "s1 u1! a1(x,y) t1=y t2=x a2 u2", "u1 a1(x) t1=x u2 a2(x) t2=x a3(x) t3=x"]

# What is there, what is there afterwards ("+" is a result that was added), and what is reported.
_BROKEN: dict[str, tuple[str, str, dict[str, str]]] = {
    "a call at the end": ("u1 a1(x)", "u1 a1 +", {"closed": "x"}),
    "a call amid": ("u1 a1(x) u2", "u1 a1 + u2", {"closed": "x"}),
    "one of several": ("u1 a1(x,y,z) t1=y u2", "u1 a1 t1 + + u2", {"closed": "x z"}),
    "several groups": ("a1(x) u1 a2(y)", "a1 + u1 a2 +", {"closed": "x y"}),
    "a result without a call": ("u1 t1=x u2", "u1 u2", {"removed": "t1"}),
    "a result at the head": ("t1=x u1 a1(x) t2=x", "u1 a1 t2", {"removed": "t1"}),
    "a result of another call": ("u1 a1(x) t1=y u2", "u1 a1 + u2", {"closed": "x", "removed": "t1"}),
    "a result given twice": ("u1 a1(x,y) t1=x t2=x t3=y", "u1 a1 t1 t3", {"removed": "t2"}),
    "a result given again later": ("u1 a1(x) t1=x u2 t2=x", "u1 a1 t1 u2", {"removed": "t2"}),
    "a result that stands away": ("u1 a1(x) u2 t1=x u3", "u1 a1 t1 u2 u3", {"moved": "t1"}),
    "results that stand away": ("a1(x,y) u2 t1=y u3 t2=x", "a1 t1 t2 u2 u3", {"moved": "t1 t2"}),
    "one of them stands away": ("a1(x,y) t1=y u2 t2=x u3", "a1 t1 t2 u2 u3", {"moved": "t2"}),
    "a result of two calls": ("a1(x) u1 a2(x) u2 t1=x", "a1 + u1 a2 t1 u2", {"closed": "x", "moved": "t1"}),
    "all of it": (
        "t9=q u1 a1(x,y) u2 t1=y a2(z) u3",
        "u1 a1 t1 + u2 a2 + u3",
        {"closed": "x z", "moved": "t1", "removed": "t9"},
    ),
}


class RepairContract(HistoryPiece):
    """After a repair everything is valid, and nothing that is valid was touched."""

    @pytest.mark.parametrize("given", _WHOLE)
    def test_repair_of_what_is_whole(self, kit: Kit, given: str) -> None:
        """A history that is whole is left as it is, also where ids of calls recur."""
        history = kit.history()
        tell(history, given) if given else None
        before = (history.messages(), history.info())
        report = history.repair()
        assert (bool(report), report) == (False, RepairReport())
        assert history.messages() == before[0]

    @pytest.mark.parametrize("own", [True, False])
    @pytest.mark.parametrize("case", _BROKEN)
    def test_repair(self, history: IMessageHistory, case: str, own: bool) -> None:  # noqa: FBT001 - a pytest parameter
        """Calls are closed, results that stand away are moved, others are taken out, and all of it is told."""
        given, expected, told = _BROKEN[case]
        ids = tell(history, given, own=own)
        before = {message.id: message for message in history.messages()}
        report = history.repair()
        found = history.messages()
        assert _marked(found, ids) == _by_name(expected)
        assert set(report.closed) == set(told.get("closed", "").split())
        assert set(report.moved) == {ids[name] for name in told.get("moved", "").split()}
        assert set(report.removed) == {ids[name] for name in told.get("removed", "").split()}
        assert is_valid(found)
        assert history.window() == found
        assert all(before[message.id] == message for message in found if message.id in before)

    def test_results_of_a_repair(self, history: IMessageHistory) -> None:
        """A result that was added answers its call, says that it failed, and is found by its id."""
        tell(history, "u1 a1(x)")
        report = history.repair()
        added = history.messages()[-1]
        assert isinstance(added, ToolMessage)
        assert (added.tool_call_id, added.is_error, added.version) == ("x", True, 1)
        assert added.content
        assert report.closed == ("x",)
        assert history.get(str(added.id)) == added

    def test_repair_twice(self, history: IMessageHistory) -> None:
        """A second repair finds nothing to do, and the messages that come then are as usual."""
        tell(history, "t9=q u1 a1(x,y) u2 t1=y a2(z)")
        assert history.repair()
        before = (history.messages(), history.info())
        assert not history.repair()
        found = history.info()
        assert found is not None
        assert before[1] is not None
        assert (history.messages(), found.revision) == (before[0], before[1].revision)
        tell(history, "u3")
        assert names(history.messages()).endswith(" u3")
        assert names(history.window(last=1)) == "u3"

    def test_repair_between_removals(self, history: IMessageHistory) -> None:
        """Removed messages do not stand between a call and its result."""
        ids = tell(history, "u1 a1(x) u2 t1=x u3 t2=y")
        history.remove(ids["u2"])
        history.remove(ids["u3"])
        assert history.repair() == RepairReport(removed=(ids["t2"],))
        assert names(history.messages()) == "u1 a1 t1"

    def test_messages_after_a_repair(self, history: IMessageHistory) -> None:
        """Every message is found, paged over, updated and removed by its id after it was moved."""
        ids = tell(history, "u1 a1(x) u2 t1=x u3", own=True)
        history.repair()
        assert names(history.messages(after="a1", limit=2)) == "t1 u2"
        assert names(history.messages(before="t1", limit=1)) == "a1"
        assert history.update("u2", UserMessage("new")).version == 2
        assert history.remove(ids["t1"]) is True
        assert names(history.messages()) == "u1 a1 new u3"

    def test_repair_of_a_long_history(self, history: IMessageHistory) -> None:
        """What is broken is found at the head of a history of thousands as well as at its end."""
        tell(history, "u1 a1(x) u2")
        history.append(*(UserMessage(f"m{n}") for n in range(2500)))
        tell(history, "a2(y)")
        assert set(history.repair().closed) == {"x", "y"}
        assert history.count() == 2506
        assert is_valid(history.messages())


def _marked(found: Iterable[Memory], ids: Mapping[str, str]) -> list[list[str]]:
    """The names of messages, "+" for those that were not there before."""
    known = {message_id: name for name, message_id in ids.items()}
    return _by_name(" ".join(known.get(str(message.id), "+") for message in found))


def _by_name(text: str) -> list[list[str]]:
    """Groups of names; the results of a call may stand in any order."""
    groups: list[list[str]] = []
    for name in text.split():
        if name[0] in "t+" and groups:
            groups[-1].append(name)
        else:
            groups.append([name])
    return [[group[0], *sorted(group[1:])] for group in groups]
