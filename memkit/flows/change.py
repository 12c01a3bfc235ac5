"""Changing a stored record: read, change, put back only over the bytes that were read, and again if they moved."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve, frozen

from memkit.codec.wire import Binding, Envelope
from memkit.commands import Command, Mark, Swap
from memkit.errors import ContentionError, MemoryNotFoundError, VersionConflictError
from memkit.flows.base import Context, Flow
from memkit.flows.check import Checked
from memkit.flows.marks import mark_of
from memkit.flows.stamp import merged, succeeding
from memkit.records import Memory

__all__ = [
    "ROUNDS",
    "Change",
    "Store",
    "change_record",
    "changed",
    "check_version",
    "outrun",
    "remove_record",
    "update_record",
]

ROUNDS = 1000
"""How often a change is tried anew when others were faster; each round, one of them got ahead."""


def outrun(verb: str) -> ContentionError:
    """The error of a change that others outran in every round."""
    return ContentionError(f"{verb}: {ROUNDS} writers were faster, one after another: try again later")


@frozen
class Store:
    """The commands by which one kind of memory finds, replaces and removes a record.

    Attributes:
        find: yields the bytes of the record, or None.
        replace: takes the old bytes, the new ones and their mark.
        remove: takes the bytes that must be there, or None for any.
    """

    find: Callable[[], Flow[bytes | None]]
    replace: Callable[[bytes, bytes, Mark], Flow[Swap]]
    remove: Callable[[bytes | None], Command[Swap]]


@frozen
class Change:
    """What becomes of one record.

    Attributes:
        memory_id: its id.
        binding: where it belongs.
        expected_version: the version that it must have; None does not ask.
        make: takes the record and its bytes, and returns the new bytes.
        before: what is done first, if the record is there.
    """

    memory_id: str | None
    binding: Binding
    expected_version: int | None
    make: Callable[[Memory, bytes], bytes]
    before: Callable[[], Flow[None]]


def change_record(ctx: Context, change: Change, store: Store) -> Flow[Memory]:
    """Put a record in the place of another.

    Raises:
        MemoryNotFoundError: it is not there.
        VersionConflictError: it has not the expected version.
    """
    raw = yield from store.find()
    for _ in range(ROUNDS):
        if raw is None:
            raise MemoryNotFoundError(f"record {change.memory_id!r} of {change.binding.name}")
        old = ctx.codec.decode(raw, change.binding)
        check_version(change.expected_version, old.version)
        wire = change.make(old, raw)
        new = ctx.codec.decode(wire, change.binding)
        yield from change.before()
        swap = yield from store.replace(raw, wire, mark_of(new))
        if swap.done:
            return new
        raw = swap.current
    raise outrun("update")


def update_record(ctx: Context, checked: Checked, store: Store, ttl_ms: int) -> Flow[Memory]:
    """Replace the data and merge the metadata of one record, as `change_record`."""
    change = Change(
        checked.memory_id,
        ctx.bind(checked),
        checked.expected_version,
        make=lambda old, raw: changed(ctx, checked, old, raw),
        before=lambda: ctx.touch(checked.conversation_id, checked.user_id, ttl_ms),
    )
    return (yield from change_record(ctx, change, store))


def changed(ctx: Context, checked: Checked, old: Memory, raw: bytes) -> bytes:
    """The bytes of `old` after an update."""
    keep_fields = not checked.data
    base = old if keep_fields else checked.data[0]
    own = {} if keep_fields else base.metadata
    record = merged(evolve(base, metadata=own), {**old.metadata, **checked.metadata})
    scope = ctx.bind(checked).scope
    stamped = Envelope(b"", 0, ctx.clock.time_us(), 1, scope)
    return ctx.codec.rewrite(raw, record, succeeding(old, stamped), "data[0]", keep_fields=keep_fields)


def check_version(expected: int | None, actual: int) -> None:
    """Refuse a version that the caller does not expect."""
    if expected is not None and expected != actual:
        raise VersionConflictError(expected, actual)


def remove_record(ctx: Context, checked: Checked, store: Store) -> Flow[int]:
    """Remove one record. Returns 1, or 0 if it was not there.

    Raises:
        VersionConflictError: it has not the expected version.
    """
    if checked.expected_version is None:
        swap: Swap = yield store.remove(None)
        return int(swap.done)
    raw = yield from store.find()
    for _ in range(ROUNDS):
        check_version(checked.expected_version, _version(ctx, checked, raw))
        if raw is None:
            return 0
        swap = yield store.remove(raw)
        if swap.done:
            return 1
        raw = swap.current
    raise outrun("delete")


def _version(ctx: Context, checked: Checked, raw: bytes | None) -> int:
    if raw is None:
        return 0
    return ctx.codec.decode(raw, ctx.bind(checked)).version
