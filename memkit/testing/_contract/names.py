"""Ids and namespaces: any text is an id, and no two are mixed up."""

from __future__ import annotations

import pytest

from memkit.errors import OwnerMismatchError
from memkit.inputs import MemoryType
from memkit.testing._contract.base import KINDS, LISTS, SHORT, Contract, Make, Subject, sample, texts

__all__ = ["NASTY", "NameContract"]

NASTY = (
    "\x00",
    "a\nb",
    "a\r\nb",
    " ",
    "*",
    "?",
    "[a-z]",
    "{}",
    "{c}",
    "}{",
    ":",
    "::",
    "a:b",
    "c:log",
    "%",
    "%3A",
    "%2A",
    "\\",
    "/../",
    "'\"",
    "a|b",
    "\u202e",
    "é",
    "e\u0301",
    "😀",
    "\U0010ffff",
    "\uffff",
    "s",
    "x" * 15,
    "x" * 16,
    "None",
    "0",
    "-1",
    "018f4b6e-7d2a-7c3b-8a4d-1234567890ab",
    # The bytes of this UUID are the text below it behind an "s".
    "73616263-6465-7a67-8869-6a6b6c6d6e6f",
    "abcdezg\x88ijklmno",
    "73616263-6465-7a67-6869-6a6b6c6d6e6f",
    "abcdezghijklmno",
    "018F4B6E-7D2A-7C3B-8A4D-1234567890AB",
    "018f4b6e7d2a7c3b8a4d1234567890ab",
    "k" * 10_000,
    "k" * 9_999 + "😀",
    "k" * 9_999 + "*",
)
"""Ids that break a careless store; no two are equal."""


class NameContract(Contract):
    """Ids work whatever they hold."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_conversations(self, manager: Subject, kind: MemoryType) -> None:
        """Every nasty id names a conversation of its own."""
        for name in NASTY:
            manager.store(kind, sample(kind, f"of {name}"), conversation_id=name)
        for name in NASTY:
            assert [record.strip() for record in texts(manager.retrieve(kind, name))] == [f"of {name}".strip()]
        for n, name in enumerate(NASTY):
            assert manager.delete(kind, name) == 1
            assert all(len(manager.retrieve(kind, other)) == 1 for other in NASTY[n + 1 : n + 4])

    @pytest.mark.parametrize("kind", LISTS)
    def test_records(self, manager: Subject, kind: MemoryType) -> None:
        """Every nasty id names a record of its own, for every verb."""
        manager.store(kind, *(sample(kind, id=name, metadata={"name": name}) for name in NASTY))
        assert {record.id for record in manager.retrieve(kind)} == set(NASTY)
        for name in NASTY:
            (record,) = manager.retrieve(kind, memory_id=name)
            assert record.metadata == {"name": name}
            assert manager.update(kind, memory_id=name, metadata={"seen": True}).id == name
        assert [manager.delete(kind, memory_id=name) for name in NASTY] == [1] * len(NASTY)

    def test_users(self, manager: Subject) -> None:
        """Every nasty id names a user of its own."""
        for n, name in enumerate(NASTY):
            manager.store(SHORT, sample(SHORT), conversation_id=str(n), user_id=name)
        for n, name in enumerate(NASTY):
            assert len(manager.retrieve(SHORT, str(n), user_id=name)) == 1
            with pytest.raises(OwnerMismatchError):
                manager.retrieve(SHORT, str(n), user_id=NASTY[n - 1])

    def test_pieces_of_ids_do_not_flow_together(self, make: Make) -> None:
        """A namespace "a:b" with a conversation "c" is not "a" with "b:c"."""
        pairs = [("a", "b:c"), ("a:b", "c"), ("a", "b}:c"), ("a{b", "c"), ("a%3Ab", "c"), ("a", "*"), ("*", "a")]
        managers = {name: make(namespace=name) for name, _ in pairs}
        for name, conversation in pairs:
            managers[name].store(SHORT, sample(SHORT, f"{name} {conversation}"), conversation_id=conversation)
        for name, conversation in pairs:
            assert texts(managers[name].retrieve(SHORT, conversation)) == [f"{name} {conversation}"]

    @pytest.mark.parametrize("kind", KINDS)
    def test_namespaces(self, make: Make, kind: MemoryType) -> None:
        """Tenants with equal ids never see, change or delete each other's data."""
        first, second = make(namespace="first"), make(namespace="second")
        first.store(kind, sample(kind, "one", id="a"), user_id="ann")
        assert second.retrieve(kind, user_id="bob") == []
        second.store(kind, sample(kind, "two", id="a"), user_id="bob")
        assert second.delete(kind) == 1
        assert texts(first.retrieve(kind)) == ["one"]
