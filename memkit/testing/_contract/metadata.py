"""How metadata of an input, of a record and of what is stored come together."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from memkit.inputs import MemoryType
from memkit.testing._contract.base import KINDS, LISTS, Contract, Subject, sample, texts

__all__ = ["MetadataContract"]

_VALUES: dict[str, Any] = {
    "none": None,
    "yes": True,
    "one": 1,
    "float": 1.0,
    "least": -(1 << 63),
    "most": (1 << 64) - 1,
    "minus zero": -0.0,
    "inf": math.inf,
    "text": "a\x00b\n😀",
    "empty": "",
    "bytes": b"\x00\xff",
    "list": [1, [True, None], {"a": b""}],
    "map": {"": {}, "$time": 5},
    "tag": {"$bytes": "x"},
    "tags": {"$time": {"$map": {"$float": "nan"}}},
    "moment": datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=UTC),
    "$key": 1,
    "a.b": {"c.d": 1},
}


class MetadataContract(Contract):
    """Metadata is merged key by key, and comes back as it was given."""

    @pytest.mark.parametrize("codec", ["msgpack", "json"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_values_come_back(self, make: Any, kind: MemoryType, codec: str) -> None:
        """Every kind of value comes back equal and of the same type, with both codecs."""
        subject = make(codec=codec)
        subject.store(kind, sample(kind, metadata=_VALUES))
        found = subject.only(kind).metadata
        assert found == _VALUES
        assert repr(found) == repr(_VALUES)

    @pytest.mark.parametrize("codec", ["msgpack", "json"])
    @pytest.mark.parametrize("alone", [{"$bytes": "aGk="}, {"$float": "nan"}, {"$map": {"a": 1}}, {"$time": 5}])
    def test_keys_that_look_like_tags(self, make: Any, codec: str, alone: dict[str, Any]) -> None:
        """Metadata with a single key that begins with a dollar sign is metadata like any other."""
        subject = make(codec=codec)
        for kind in KINDS:
            subject.store(kind, sample(kind, metadata=alone))
            assert subject.only(kind).metadata == alone

    @pytest.mark.parametrize("kind", KINDS)
    def test_store_merges_under(self, manager: Subject, kind: MemoryType) -> None:
        """Metadata of the input comes under that of the record, whose values win whole."""
        own = {"a": "own", "deep": {"x": 1}}
        manager.store(kind, sample(kind, metadata=own), metadata={"a": "input", "b": "input", "deep": {"y": 2}})
        assert manager.only(kind).metadata == {"a": "own", "b": "input", "deep": {"x": 1}}

    @pytest.mark.parametrize("kind", LISTS)
    def test_store_merges_under_each(self, manager: Subject, kind: MemoryType) -> None:
        """Metadata of the input reaches every record of a batch."""
        manager.store(kind, sample(kind, id="1"), sample(kind, id="2", metadata={"a": 0}), metadata={"a": 1})
        found = {record.id: record.metadata for record in manager.retrieve(kind)}
        assert found == {"1": {"a": 1}, "2": {"a": 0}}

    @pytest.mark.parametrize("kind", KINDS)
    def test_update_merges(self, manager: Subject, kind: MemoryType) -> None:
        """An update merges: the stored metadata, over it the input's, over both the new record's own."""
        record_id = manager.store(kind, sample(kind, metadata={"a": 1, "b": 1, "c": 1, "d": {"x": 1}}))
        new = sample(kind, "new", metadata={"c": 3, "e": 3})
        updated = manager.update(kind, new, metadata={"b": 2, "c": 2, "d": {"y": 2}}, memory_id=record_id)
        assert updated.metadata == {"a": 1, "b": 2, "c": 3, "d": {"y": 2}, "e": 3}
        assert manager.only(kind) == updated

    @pytest.mark.parametrize("kind", KINDS)
    def test_update_of_metadata_only(self, manager: Subject, kind: MemoryType) -> None:
        """Without data an update merges metadata and leaves the record's own fields alone."""
        record_id = manager.store(kind, sample(kind, "kept", metadata={"a": 1}))
        updated = manager.update(kind, metadata={"a": None, "b": 2}, memory_id=record_id)
        assert (texts([updated]), updated.metadata, updated.version) == (["kept"], {"a": None, "b": 2}, 2)
        assert type(updated) is type(sample(kind))
        assert manager.only(kind) == updated

    @pytest.mark.parametrize("kind", KINDS)
    def test_update_without_metadata_keeps_it(self, manager: Subject, kind: MemoryType) -> None:
        """An update of the data alone keeps the stored metadata."""
        record_id = manager.store(kind, sample(kind, metadata={"a": [1]}))
        assert manager.update(kind, sample(kind, "new"), memory_id=record_id).metadata == {"a": [1]}
