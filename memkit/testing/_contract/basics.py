"""What holds for every manager, also for one that keeps nothing: it answers, and it closes."""

from __future__ import annotations

import pytest

from memkit.errors import ClosedError
from memkit.inputs import MemoryInput, MemoryType
from memkit.testing._contract.base import KINDS, Contract, Make, Subject, sample

__all__ = ["BasicContract"]


class BasicContract(Contract):
    """A manager answers until it is closed, and never after."""

    def test_ping(self, manager: Subject) -> None:
        """A manager whose store answers says so."""
        assert manager.ping() is True

    @pytest.mark.parametrize("kind", KINDS)
    def test_nothing_is_there_at_first(self, manager: Subject, kind: MemoryType) -> None:
        """A conversation that nobody stored is an empty list, and deleting it deletes nothing."""
        assert manager.retrieve(kind) == []
        assert manager.retrieve(kind, memory_id="x", limit=3, filters={"a": 1}, query="word") == []
        assert manager.delete(kind) == 0
        assert manager.delete(kind, memory_id="x") == 0

    def test_closes_twice(self, make: Make) -> None:
        """A manager may be closed again and again, used or not."""
        for used in (False, True):
            subject = make()
            if used:
                subject.ping()
            subject.close()
            subject.close()

    @pytest.mark.parametrize("used", [False, True])
    def test_is_of_no_use_once_closed(self, make: Make, used: bool) -> None:  # noqa: FBT001 - a parameter of pytest
        """Every verb and ping of a closed manager say that it was closed."""
        subject = make()
        if used:
            subject.ping()
        subject.close()
        for verb in ("store", "retrieve", "update", "delete"):
            with pytest.raises(ClosedError):
                subject.send(verb, MemoryInput("c"))
        with pytest.raises(ClosedError):
            subject.ping()

    def test_closes_at_the_end_of_a_with_block(self, make: Make) -> None:
        """A manager is its own context manager, closed at the end."""
        subject = make()
        subject.within(lambda: None)
        with pytest.raises(ClosedError):
            subject.ping()

    def test_one_closed_manager_leaves_the_others_open(self, make: Make) -> None:
        """Two managers of one store are closed on their own."""
        first, second = make(), make()
        assert first.ping()
        assert second.ping()
        first.close()
        assert second.ping()
        second.store(KINDS[0], sample(KINDS[0]))
