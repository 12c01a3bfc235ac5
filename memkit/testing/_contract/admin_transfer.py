"""Administration: everything goes out as lines, and comes back as it was, into any store."""
# ruff: noqa: PLR2004 - the numbers are those of the records that a test stores

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from memkit.clock import Clock
from memkit.errors import ImportFormatError, OwnerMismatchError
from memkit.inputs import MemoryType
from memkit.interfaces.admin import Lines
from memkit.records import Fact, UserMessage, WorkingMemory
from memkit.results import ConversationInfo, ImportReport, Progress
from memkit.testing._contract.base import KINDS, LONG, SHORT, WORKING, sample
from memkit.testing._contract.history_base import HistoryPiece, Kit, MakeKit, names, script, tell
from memkit.testing._contract.names import NASTY

__all__ = ["TransferContract", "check_transfer", "fill"]

_SOON = 0.2
_LATE = 0.23
_EXOTIC: dict[str, Any] = {
    "": None,
    "$time": {"$map": [1, 1.0, True, b"\xff", float("inf"), -0.0, (1 << 64) - 1]},
    "when": datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    "é\n😀": "\x00",
}
_DAY = datetime(2001, 2, 3, 4, 5, 6, 7, tzinfo=UTC)


def fill(kit: Kit) -> None:
    """Three conversations with all that may be in one."""
    history = kit.history("all", user_id="ann")
    ids = tell(history, "s1 u1 a1(x,y) t1=x t2=y u2! a2 u3", metadata=_EXOTIC, created_at=_DAY, name="n", tokens=3)
    history.update(ids["a2"], UserMessage("u2 anew"))
    history.remove(ids["u3"])
    history.set_title("title\n😀")
    history.set_metadata(_EXOTIC)
    for text in ("one", "two", "three"):
        kit.manager.store(WORKING, WorkingMemory(text, metadata=_EXOTIC), conversation_id="all")
    facts = [Fact(str(n), id=f"f{n}", topic="t", created_at=_DAY) for n in range(3)]
    kit.manager.store(LONG, *facts, sample(LONG, "new", metadata=_EXOTIC), conversation_id="all")
    kit.manager.update(LONG, metadata={"seen": True}, memory_id="f1", conversation_id="all")
    kit.manager.store(LONG, Fact("short", id="f9"), conversation_id="all", ttl=500)
    tell(kit.history("messages"), "u1 u2", own=True)
    kit.history("messages").persist()
    kit.manager.store(WORKING, sample(WORKING), conversation_id="working", ttl=1000)


def check_transfer(here: Kit, there: Kit) -> None:
    """What was exported here is there as it was: records in every field, facts on each conversation, and lives."""
    for name in ("all", "messages", "working"):
        for kind in KINDS:
            assert _dump(there, name, kind) == _dump(here, name, kind)
        assert _lasting(there, name) == _lasting(here, name)
        lives = [kit.history(name).ttl() for kit in (here, there)]
        assert lives[0] == lives[1] or abs((lives[0] or 0) - (lives[1] or 0)) < 30


def _dump(kit: Kit, name: str, kind: MemoryType) -> tuple[list[Any], str]:
    found = kit.manager.retrieve(kind, name)
    return list(found), repr([record.metadata for record in found])


def _lasting(kit: Kit, name: str) -> tuple[ConversationInfo, str]:
    found = kit.history(name).info()
    assert found is not None
    return evolve(found, expires_in=None, updated_at=None, revision=0), repr(found.metadata)


class TransferContract(HistoryPiece):
    """An export is exact and complete, and an import can be repeated."""

    def test_export_and_import(self, kit: Kit, make_kit: MakeKit) -> None:
        """Every memory is in another store as it was: ids, times, versions, order, owner, title, metadata, lives."""
        fill(kit)
        other = make_kit(namespace="other", codec="json")
        report = other.admin.import_(list(kit.admin.export()))
        assert report == ImportReport(conversations=3, imported=16, present=0, expired=0)
        check_transfer(kit, other)

    def test_lives_of_what_was_imported(self, kit: Kit, make_kit: MakeKit, clock: Clock) -> None:
        """Times to live go with the records, each its own, and end at the same moment."""
        other = make_kit(namespace="other")
        # Connected before: to a cluster that takes longer than these live.
        assert list(other.admin.conversations()) == []
        for kind in KINDS:
            kit.manager.store(kind, sample(kind, id=f"short {kind.value}"), conversation_id=kind.value, ttl=1)
        kit.manager.store(LONG, Fact("long", id="long"), conversation_id=LONG.value, ttl=60)
        other.admin.import_(list(kit.admin.export()))
        assert [len(other.manager.retrieve(kind, kind.value)) for kind in KINDS] == [1, 1, 2]
        clock.sleep(1.03)
        assert [names(other.manager.retrieve(kind, kind.value)) for kind in KINDS] == ["", "", "long"]

    def test_what_expired_meanwhile(self, kit: Kit, make_kit: MakeKit, clock: Clock) -> None:
        """What has expired between export and import is left out, and counted."""
        for kind in KINDS:
            kit.manager.store(kind, sample(kind), conversation_id="short", ttl=_SOON)
        kit.manager.store(SHORT, sample(SHORT), conversation_id="long")
        lines = list(kit.admin.export())
        clock.sleep(_LATE)
        other = make_kit(namespace="other")
        report = other.admin.import_(lines)
        assert (report.imported, report.present, report.expired) == (1, 0, 3)
        assert [found.id for found in other.admin.conversations()] == ["long"]

    def test_import_again(self, kit: Kit, make_kit: MakeKit) -> None:
        """A repeated import finds everything there, and changes nothing."""
        fill(kit)
        lines, other = list(kit.admin.export()), make_kit(namespace="other")
        other.admin.import_(lines)
        before = [other.history(name).info() for name in ("all", "messages", "working")]
        report = other.admin.import_(lines)
        assert report == ImportReport(conversations=3, imported=0, present=16, expired=0)
        check_transfer(kit, other)
        after = [other.history(name).info() for name in ("all", "messages", "working")]
        assert [(info.revision, info.updated_at) for info in after if info] == [
            (info.revision, info.updated_at) for info in before if info
        ]

    def test_import_into_itself(self, kit: Kit) -> None:
        """An import into the store where everything is changes nothing."""
        fill(kit)
        before = [_dump(kit, "all", kind) for kind in KINDS]
        assert kit.admin.import_(list(kit.admin.export())).imported == 0
        assert [_dump(kit, "all", kind) for kind in KINDS] == before

    def test_import_beside_what_is_there(self, kit: Kit, make_kit: MakeKit) -> None:
        """What is there stays as it is, and what is missing is added."""
        tell(kit.history(), "u1 u2", own=True)
        kit.history().set_title("theirs")
        kit.manager.store(WORKING, WorkingMemory("theirs"))
        kit.manager.store(LONG, Fact("theirs", id="f1"), Fact("new", id="f2"))
        other = make_kit(namespace="other")
        other.history().append(UserMessage("ours", id="u1"))
        other.history().set_title("ours")
        other.manager.store(WORKING, WorkingMemory("ours"))
        other.manager.store(LONG, Fact("ours", id="f1"))
        report = other.admin.import_(list(kit.admin.export()))
        assert (report.imported, report.present) == (2, 3)
        assert names(other.history().messages()) == "ours u2"
        assert names(other.manager.retrieve(WORKING)) == "ours"
        assert sorted(names(other.manager.retrieve(LONG)).split()) == ["new", "ours"]
        found = other.history().info()
        assert found is not None
        assert found.title == "ours"

    def test_import_into_anothers(self, kit: Kit, make_kit: MakeKit) -> None:
        """A conversation that belongs to another user in the store is not written to."""
        tell(kit.history(user_id="ann"), "u1")
        other = make_kit(namespace="other")
        tell(other.history(user_id="bob"), "u2")
        with pytest.raises(OwnerMismatchError):
            other.admin.import_(list(kit.admin.export()))
        assert names(other.history().messages()) == "u2"

    def test_a_conversation_works_after_import(self, kit: Kit, make_kit: MakeKit) -> None:
        """What was imported is windowed, updated, repeated and listed like anything else."""
        ids = tell(kit.history(user_id="ann"), "s1 u1! u2 a1(x) t1=x u3")
        other = make_kit(namespace="other")
        other.admin.import_(list(kit.admin.export()))
        history = other.history(user_id="ann")
        assert names(history.window(last=1)) == "s1 u1 u3"
        assert names(history.window(last=3)) == "s1 u1 a1 t1 u3"
        history.append(*(evolve(message, id=ids[str(message.content)]) for message in script("u2 u3")))
        assert history.update(ids["u2"], UserMessage("new")).version == 2
        tell(history, "u4")
        assert names(history.messages()) == "s1 u1 new a1 t1 u3 u4"
        assert [found.id for found in other.admin.conversations(user_id="ann")] == ["c"]

    def test_parts_of_an_export(self, kit: Kit, make_kit: MakeKit) -> None:
        """An export may be of one user or of one conversation."""
        for name, user_id in (("a", "ann"), ("b", "bob"), ("c", "ann")):
            tell(kit.history(name, user_id=user_id), "u1")
        with pytest.raises(OwnerMismatchError):
            tell(kit.history("b", user_id="ann"), "u2")
        parts: list[tuple[dict[str, str], list[str]]] = [
            ({"user_id": "ann"}, ["a", "c"]),
            ({"conversation_id": "b"}, ["b"]),
            ({"user_id": "eve"}, []),
            ({"conversation_id": "z"}, []),
        ]
        for n, (given, expected) in enumerate(parts):
            other = make_kit(namespace=f"other {n}")
            assert other.admin.import_(list(kit.admin.export(**given))).conversations == len(expected)  # type: ignore[arg-type]
            assert sorted(found.id for found in other.admin.conversations()) == expected

    def test_lines_of_an_export(self, kit: Kit) -> None:
        """Every line is JSON and ends in a newline, whatever is in the records."""
        fill(kit)
        kit.history("nasty").append(*(UserMessage(name, id=name) for name in NASTY))
        lines = list(kit.admin.export())
        assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
        assert all(isinstance(json.loads(line), dict) for line in lines)

    def test_import_from_a_file(self, kit: Kit, make_kit: MakeKit) -> None:
        """An import reads a binary file, a list or anything else that gives lines."""
        fill(kit)
        lines = list(kit.admin.export())
        forms: tuple[Lines, ...] = (io.BytesIO(b"".join(lines)), lines, iter(lines), tuple(lines))
        for n, given in enumerate(forms):
            other = make_kit(namespace=f"other {n}")
            assert other.admin.import_(given).imported == 16
            check_transfer(kit, other)

    def test_names_in_an_export(self, kit: Kit, make_kit: MakeKit) -> None:
        """Every nasty id of a conversation, user or record goes through an export."""
        kit.manager.store(LONG, *(Fact("f", id=name) for name in NASTY))
        for name in NASTY:
            tell(kit.history(name, user_id=name), "u1")
        other = make_kit(namespace="other")
        other.admin.import_(list(kit.admin.export()))
        for name in NASTY:
            assert other.history(name, user_id=name).messages() == kit.history(name).messages()
        assert other.manager.retrieve(LONG) == kit.manager.retrieve(LONG)

    def test_progress(self, kit: Kit, make_kit: MakeKit) -> None:
        """Export and import say after each conversation how far they are."""
        fill(kit)
        out: list[Progress] = []
        back: list[Progress] = []
        lines = list(kit.admin.export(on_progress=out.append))
        make_kit(namespace="other").admin.import_(lines, on_progress=back.append)
        for told in (out, back):
            assert [progress.conversations for progress in told] == [1, 2, 3]
            assert told[-1].records == 16
            assert [progress.lines for progress in told] == sorted(progress.lines for progress in told)

    def test_a_file_that_is_cut_short(self, kit: Kit, make_kit: MakeKit) -> None:
        """Wherever an export is cut, between lines or within, the import says so, and can be completed."""
        tell(kit.history(), "u1 u2")
        kit.manager.store(LONG, sample(LONG))
        lines, other = list(kit.admin.export()), make_kit(namespace="other")
        for n in range(len(lines)):
            for cut in ([], [lines[n][: len(lines[n]) // 2]]):
                with pytest.raises(ImportFormatError) as caught:
                    other.admin.import_([*lines[:n], *cut])
                assert 1 <= caught.value.line <= n + 1
        other.admin.import_(lines)
        assert other.history().messages() == kit.history().messages()
        assert len(other.manager.retrieve(LONG)) == 1

    @pytest.mark.parametrize(
        "damage", [b"", b"x", b"5\n", b"null\n", b"[]\n", b"{}\n", b'{"kind":"other"}\n', b'{"kind":5}\n', b"\xff\n"]
    )
    def test_a_damaged_line(self, kit: Kit, make_kit: MakeKit, damage: bytes) -> None:
        """A line that is damaged is named; what stands before it is stored."""
        tell(kit.history(), "u1 u2 u3")
        lines = list(kit.admin.export())
        at = next(n for n, line in enumerate(lines) if b"u3" in line)
        lines[at] = damage or lines[at].replace(b"u3", b'u"')
        other = make_kit(namespace="other")
        with pytest.raises(ImportFormatError) as caught:
            other.admin.import_(lines)
        assert caught.value.line == at + 1
        assert names(other.history().messages()) == "u1 u2"

    def test_what_is_no_export(self, kit: Kit) -> None:
        """A file that is none of memkit's, or of a newer memkit, is refused at its first line."""
        for lines in ([b'{"a": 1}\n'], [b"# notes\n"], [b'{"memkit":99,"kind":"export"}\n'], [b"\x00" * 1000]):
            with pytest.raises(ImportFormatError) as caught:
                kit.admin.import_(lines)
            assert caught.value.line == 1
        assert list(kit.admin.conversations()) == []

    def test_errors_of_an_import_hold_no_content(self, kit: Kit, make_kit: MakeKit) -> None:
        """What is said of a damaged line holds nothing of what stands in it."""
        kit.history().append(UserMessage("canary-5d41"))
        lines = list(kit.admin.export())
        at = next(n for n, line in enumerate(lines) if b"canary" in line)
        for damaged in (lines[at][:-3], lines[at].replace(b'"canary', b'["canary')):
            with pytest.raises(ImportFormatError) as caught:
                make_kit(namespace="other").admin.import_([*lines[:at], damaged + b"\n", *lines[at + 1 :]])
            assert "canary" not in str(caught.value)

    def test_a_large_export(self, kit: Kit, make_kit: MakeKit) -> None:
        """Records by the thousand and conversations by the hundred go out and come in whole."""
        kit.history("long").append(*(UserMessage(str(n)) for n in range(700)))
        kit.manager.store(LONG, *(Fact(str(n)) for n in range(700)), conversation_id="long")
        for n in range(110):
            kit.manager.store(WORKING, sample(WORKING), conversation_id=f"c{n}")
        other = make_kit(namespace="other")
        report = other.admin.import_(list(kit.admin.export()))
        assert report == ImportReport(conversations=111, imported=1510, present=0, expired=0)
        assert other.history("long").messages() == kit.history("long").messages()
        assert other.manager.retrieve(LONG, "long") == kit.manager.retrieve(LONG, "long")
