"""Envelopes for records on their way to the store."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from attrs import evolve

from memkit.clock import to_us
from memkit.codec.wire import Envelope
from memkit.commands import Entry
from memkit.flows.base import Context
from memkit.flows.check import Checked
from memkit.flows.marks import mark_of
from memkit.ids import pack_id
from memkit.records import Memory
from memkit.shaping import value

__all__ = ["Stamped", "merged", "paths_of", "stamp", "stamp_all", "succeeding"]


@value
class Stamped:
    """A record of the caller with what it will be stored under.

    Attributes:
        record: with the metadata of the input merged under its own.
        envelope: of a record that is new.
        fresh: memkit made the id.
        path: names the record in errors.
    """

    record: Memory
    envelope: Envelope
    fresh: bool
    path: str

    def encode(self, ctx: Context, replaces: Memory | None = None) -> bytes:
        """The bytes to store: of a new record, or of one that replaces `replaces` and keeps its age."""
        envelope = self.envelope if replaces is None else succeeding(replaces, self.envelope)
        return ctx.codec.encode(self.record, envelope, self.path)

    def entry(self, ctx: Context) -> Entry:
        """What is appended to a log."""
        return Entry(self.envelope.id, self.encode(ctx), self.fresh, mark_of(self.record))


def stamp_all(ctx: Context, checked: Checked) -> list[Stamped]:
    """Every record of an input, stamped with one and the same time."""
    now, scope = ctx.clock.time_us(), ctx.bind(checked).scope
    more = checked.metadata
    records = [merged(record, more) for record in checked.data] if more else checked.data
    paths = paths_of("data", len(records))
    return [stamp(ctx, record, now, scope, path) for record, path in zip(records, paths, strict=True)]


@functools.lru_cache(maxsize=64)
def paths_of(name: str, count: int) -> tuple[str, ...]:
    """What errors call the items of an argument."""
    return tuple(f"{name}[{index}]" for index in range(count))


def stamp(ctx: Context, record: Memory, now: int, scope: int, path: str) -> Stamped:
    """A record, stamped with a time; it gets an id if it has none.

    Args:
        ctx: what flows are given.
        record: the record.
        now: microseconds since 1970.
        scope: of the binding of its place.
        path: names the record in errors.
    """
    fresh = record.id is None
    wire_id = ctx.fresh_id() if record.id is None else pack_id(record.id)
    created = now if record.created_at is None else to_us(record.created_at)
    return Stamped(record, Envelope(wire_id, created, now, 1, scope), fresh, path)


def succeeding(old: Memory, new: Envelope) -> Envelope:
    """The envelope of what replaces a stored record: its id and age, the next version, the new time."""
    if old.id is None or old.created_at is None:  # pragma: no cover - a decoded record has both
        return new
    return Envelope(pack_id(old.id), to_us(old.created_at), new.updated_us, old.version + 1, new.scope)


def merged(record: Memory, under: Mapping[str, Any]) -> Memory:
    """The record with more metadata merged under its own."""
    return evolve(record, metadata={**under, **record.metadata}) if under and _is_map(record.metadata) else record


def _is_map(metadata: Any) -> bool:
    # A wrong type is left for the codec, which refuses it with its path.
    return isinstance(metadata, Mapping)
