"""Time to live: what has expired is absent."""
# ruff: noqa: PLR2004 - the numbers are those of the records that a test stores

from __future__ import annotations

import math
from typing import Any

import pytest

from memkit.clock import Clock
from memkit.errors import ConfigurationError, InvalidInputError, MemoryNotFoundError, OwnerMismatchError
from memkit.inputs import MemoryType
from memkit.testing._contract.base import KINDS, LISTS, LONG, SHORT, WORKING, Contract, Make, Subject, sample, texts

__all__ = ["TtlContract"]

_SOON = 0.2
_LATE = 0.23
_WRONG: tuple[Any, ...] = (0, -1, 0.0, -0.5, math.nan, math.inf, -math.inf, True, False, "5", b"5", [5], 0.0009, 1e12)


class TtlContract(Contract):
    """Each write says how long the data lives from then on; every test waits for `_LATE` seconds at most once."""

    @pytest.mark.parametrize("verb", ["store", "update"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_refused_values(self, manager: Subject, kind: MemoryType, verb: str) -> None:
        """A time to live that is no time above zero is refused by name."""
        for wrong in _WRONG:
            with pytest.raises(InvalidInputError) as caught:
                getattr(manager, verb)(kind, sample(kind), ttl=wrong, memory_id="a" if verb == "update" else None)
            assert caught.value.field == "ttl"

    def test_refused_settings(self, make: Make) -> None:
        """The same values are refused as the ttl of a manager, alone or for one memory type."""
        for wrong in _WRONG:
            for ttl in (wrong, {"SHORT_TERM_MEMORY": wrong}):
                with pytest.raises(ConfigurationError):
                    make(ttl=ttl)

    def test_expires(self, manager: Subject, clock: Clock) -> None:
        """What has expired is absent to every verb, and its id and its conversation are free again."""
        for kind in KINDS:
            for name in ("read", "update", "delete", "again"):
                where = f"{name} {kind.value}"
                manager.store(kind, sample(kind, "old", id="a"), ttl=_SOON, conversation_id=where, user_id="ann")
                assert len(manager.retrieve(kind, where)) == 1
        clock.sleep(_LATE)
        for kind in KINDS:
            _check_absent(manager, kind)

    def test_milliseconds_count(self, manager: Subject, clock: Clock) -> None:
        """A fraction of a second is kept, an int is as good as a float, and None lives for ever."""
        lives = {"short": 0.1, "float": 60.5, "int": 60, "never": None}
        for kind in KINDS:
            for name, ttl in lives.items():
                manager.store(kind, sample(kind), conversation_id=name + kind.value, ttl=ttl)
        clock.sleep(_LATE)
        for kind in KINDS:
            assert [len(manager.retrieve(kind, name + kind.value)) for name in lives] == [0, 1, 1, 1]

    def test_writes_renew(self, manager: Subject, clock: Clock) -> None:
        """Every store and update sets the time to live anew, longer or shorter; reads leave it."""
        for kind in KINDS:
            _write_twice(manager, kind)
        clock.sleep(_LATE)
        names = ("longer", "shorter", "ever", "longer again", "shorter again", "ever again", "read")
        for kind in KINDS:
            found = [len(manager.retrieve(kind, f"{name} {kind.value}")) for name in names]
            assert found == [1, 0, 1, 1, 0, 1, 0]

    def test_a_log_lives_and_dies_as_one(self, manager: Subject, clock: Clock) -> None:
        """An append renews a short-term conversation with all that is in it, or shortens its life."""
        manager.store(SHORT, sample(SHORT, "a"), conversation_id="renewed", ttl=_SOON)
        manager.store(SHORT, sample(SHORT, "b"), conversation_id="renewed", ttl=60)
        manager.store(SHORT, sample(SHORT, "a"), conversation_id="cut")
        manager.store(SHORT, sample(SHORT, "b"), conversation_id="cut", ttl=_SOON)
        clock.sleep(_LATE)
        assert texts(manager.retrieve(SHORT, "renewed")) == ["a", "b"]
        assert manager.retrieve(SHORT, "cut") == []

    def test_each_fact_has_a_life_of_its_own(self, manager: Subject, clock: Clock) -> None:
        """Long-term records expire one by one, and those that are left are counted and found as before."""
        manager.store(LONG, sample(LONG, "a", id="a"), sample(LONG, "b", id="b"), ttl=_SOON)
        manager.store(LONG, sample(LONG, "c", id="c"), ttl=60)
        manager.store(LONG, sample(LONG, "d", id="d"))
        manager.update(LONG, metadata={"kept": True}, memory_id="b", ttl=60)
        clock.sleep(_LATE)
        assert sorted(texts(manager.retrieve(LONG))) == ["b", "c", "d"]
        assert sorted(texts(manager.retrieve(LONG, limit=3))) == ["b", "c", "d"]
        assert manager.retrieve(LONG, memory_id="a") == []
        assert manager.delete(LONG) == 3

    def test_one_memory_expires_alone(self, manager: Subject, clock: Clock) -> None:
        """The three memories of a conversation expire on their own, and the owner stays as long as any of them."""
        manager.store(WORKING, sample(WORKING), ttl=_SOON, user_id="ann")
        manager.store(SHORT, sample(SHORT), ttl=60)
        manager.store(LONG, sample(LONG), ttl=_SOON)
        clock.sleep(_LATE)
        assert [len(manager.retrieve(kind)) for kind in (WORKING, SHORT, LONG)] == [0, 1, 0]
        with pytest.raises(OwnerMismatchError):
            manager.retrieve(SHORT, user_id="bob")

    def test_an_owner_ends_with_the_last_data(self, manager: Subject, clock: Clock) -> None:
        """Whatever lives were given before, a conversation is free once the last of its data has expired."""
        for name, first in (("cut", 60.0), ("never", None)):
            manager.store(SHORT, sample(SHORT), conversation_id=name, ttl=first, user_id="ann")
            manager.store(SHORT, sample(SHORT), conversation_id=name, ttl=_SOON, user_id="ann")
        manager.store(WORKING, sample(WORKING), conversation_id="deleted", ttl=None, user_id="ann")
        manager.store(SHORT, sample(SHORT), conversation_id="deleted", ttl=_SOON, user_id="ann")
        manager.delete(WORKING, "deleted", user_id="ann")
        clock.sleep(_LATE)
        for name in ("cut", "never", "deleted"):
            assert manager.retrieve(SHORT, name, user_id="bob") == []
            manager.store(SHORT, sample(SHORT, "his"), conversation_id=name, user_id="bob")
            assert texts(manager.retrieve(SHORT, name, user_id="bob")) == ["his"]

    def test_default_of_the_manager(self, make: Make, clock: Clock) -> None:
        """A manager's ttl holds for every write that names none, for all memory types or type by type."""
        for_all, by_type = make(ttl=_SOON, namespace="all"), make(ttl={SHORT: _SOON, "LONG_TERM_MEMORY": 60})
        for kind in KINDS:
            for_all.store(kind, sample(kind))
            for_all.store(kind, sample(kind), conversation_id="own", ttl=60)
            by_type.store(kind, sample(kind))
        clock.sleep(_LATE)
        assert [len(for_all.retrieve(kind)) for kind in KINDS] == [0, 0, 0]
        assert [len(for_all.retrieve(kind, "own")) for kind in KINDS] == [1, 1, 1]
        assert {kind: len(by_type.retrieve(kind)) for kind in KINDS} == {WORKING: 1, SHORT: 0, LONG: 1}

    def test_an_expired_id_is_free(self, manager: Subject, clock: Clock) -> None:
        """What was stored, deleted and stored again under one id expires like anything else."""
        for kind in LISTS:
            for text in ("one", "two"):
                manager.store(kind, sample(kind, text, id="a"), ttl=_SOON)
                manager.delete(kind, memory_id="a")
            manager.store(kind, sample(kind, "three", id="a"), ttl=_SOON)
        clock.sleep(_LATE)
        for kind in LISTS:
            manager.store(kind, sample(kind, "four", id="a"))
            assert texts(manager.retrieve(kind)) == ["four"]


def _check_absent(manager: Subject, kind: MemoryType) -> None:
    of = f" {kind.value}"
    assert manager.retrieve(kind, "read" + of) == []
    assert manager.retrieve(kind, "read" + of, memory_id="a") == []
    with pytest.raises(MemoryNotFoundError):
        manager.update(kind, sample(kind), memory_id="a", conversation_id="update" + of)
    assert manager.delete(kind, "delete" + of, memory_id="a") == 0
    assert manager.delete(kind, "delete" + of) == 0
    manager.store(kind, sample(kind, "new", id="a"), conversation_id="again" + of, user_id="bob")
    (record,) = manager.retrieve(kind, "again" + of, user_id="bob")
    assert (texts([record]), record.version) == (["new"], 1)


def _write_twice(manager: Subject, kind: MemoryType) -> None:
    lives: dict[str, tuple[float, float | None]] = {
        "longer": (_SOON, 60),
        "shorter": (60, _SOON),
        "ever": (_SOON, None),
    }
    for name, (first, then) in lives.items():
        where = f"{name} {kind.value}"
        record_id = manager.store(kind, sample(kind), conversation_id=where, ttl=first)
        manager.update(kind, metadata={"a": 1}, conversation_id=where, memory_id=record_id, ttl=then)
        again = f"{name} again {kind.value}"
        manager.store(kind, sample(kind, id="a"), conversation_id=again, ttl=first)
        manager.store(kind, sample(kind, id="a"), conversation_id=again, ttl=then)
    manager.store(kind, sample(kind), conversation_id=f"read {kind.value}", ttl=_SOON)
    manager.retrieve(kind, f"read {kind.value}")
