"""WORKING_MEMORY: one value a conversation."""

from __future__ import annotations

from attrs import evolve

from memkit.commands import Place, PutResult, RecordDrop, RecordGet, RecordPut, StoredRecord
from memkit.errors import MemoryNotFoundError, VersionConflictError
from memkit.flows.base import Context, Flow, Memories, decode_all
from memkit.flows.change import ROUNDS, changed, check_version, outrun
from memkit.flows.check import Checked
from memkit.flows.narrow import narrowed
from memkit.flows.places import conversation
from memkit.flows.stamp import stamp_all
from memkit.ids import unpack_id
from memkit.inputs import UNSET
from memkit.policy import ttl_to_ms
from memkit.records import Memory

__all__ = ["delete", "retrieve", "store", "update"]


def _place(checked: Checked) -> Place:
    return conversation(checked.conversation_id, "wm")


def store(ctx: Context, checked: Checked) -> Flow[str]:
    """Replace the value; the first time that it was stored is kept."""
    (stamped,) = stamp_all(ctx, checked)
    record_id = unpack_id(stamped.envelope.id)
    ttl, wire = ttl_ms(ctx, checked), stamped.encode(ctx)
    if not ctx.is_touched(checked.conversation_id, checked.user_id, ttl):
        yield from ctx.touch(checked.conversation_id, checked.user_id, ttl)
    result: PutResult = yield RecordPut(
        _place(checked),
        checked.user_id,
        ttl,
        wire,
        stamped.envelope.created_us,
        record_id,
        checked.expected_version,
    )
    if not result.done:
        raise VersionConflictError(checked.expected_version or 0, result.version)
    return record_id


def ttl_ms(ctx: Context, checked: Checked) -> int:
    """Milliseconds to live after this write."""
    return ctx.ttl.by_type[checked.memory_type] if checked.ttl is UNSET else ttl_to_ms(checked.ttl)


def retrieve(ctx: Context, checked: Checked) -> Flow[Memories]:
    """The value, if it is there and passes."""
    stored: StoredRecord | None = yield RecordGet(_place(checked), checked.user_id)
    if stored is None:
        return Memories()
    found = decode_all(ctx, ctx.bind(checked), [stored.wire], _head(stored))
    if checked.memory_id is None and checked.query is None and not checked.filters:
        return found
    found[:] = [record for record in found if _wanted(checked, record)]
    return narrowed(ctx, checked, found).first(checked.limit)


def _head(stored: StoredRecord) -> tuple[int, int]:
    """The version and the age that the store keeps beside the bytes of the record."""
    return stored.version, stored.created_us


def _wanted(checked: Checked, record: Memory) -> bool:
    return checked.memory_id is None or checked.memory_id == record.id


def update(ctx: Context, checked: Checked) -> Flow[Memory]:
    """Replace the data and merge the metadata."""
    binding, ttl = ctx.bind(checked), ttl_ms(ctx, checked)
    for _ in range(ROUNDS):
        stored: StoredRecord | None = yield RecordGet(_place(checked), checked.user_id)
        old = None if stored is None else ctx.codec.decode(stored.wire, binding, _head(stored))
        if stored is None or old is None or not _wanted(checked, old):
            raise MemoryNotFoundError(binding.name)
        check_version(checked.expected_version, stored.version)
        wire = changed(ctx, checked, old, stored.wire)
        yield from ctx.touch(checked.conversation_id, checked.user_id, ttl)
        result: PutResult = yield RecordPut(
            _place(checked),
            checked.user_id,
            ttl,
            wire,
            stored.created_us,
            old.id or "",
            stored.version,
        )
        if result.done:
            return evolve(ctx.codec.decode(wire, binding), version=result.version)
    raise outrun("update")


def delete(ctx: Context, checked: Checked) -> Flow[int]:
    """Remove the value; where an id is given, only if it has that id."""
    if checked.memory_id is not None:
        return (yield from _delete_by_id(ctx, checked))
    result: PutResult = yield RecordDrop(_place(checked), checked.user_id, checked.expected_version)
    if not result.done:
        check_version(checked.expected_version, result.version)
    return int(result.done)


def _delete_by_id(ctx: Context, checked: Checked) -> Flow[int]:
    binding = ctx.bind(checked)
    for _ in range(ROUNDS):
        stored: StoredRecord | None = yield RecordGet(_place(checked), checked.user_id)
        if stored is None or not _wanted(checked, ctx.codec.decode(stored.wire, binding)):
            check_version(checked.expected_version, 0)
            return 0
        check_version(checked.expected_version, stored.version)
        result: PutResult = yield RecordDrop(_place(checked), checked.user_id, stored.version)
        if result.done:
            return 1
    raise outrun("delete")
