"""SHORT_TERM_MEMORY: the ordered log of a conversation."""

from __future__ import annotations

from memkit.commands import (
    Entry,
    LogAppend,
    LogClear,
    LogFind,
    LogRead,
    LogRemove,
    LogReplace,
    Place,
    Swap,
)
from memkit.flows.base import Context, Flow, Memories, decode_all
from memkit.flows.change import Store, remove_record, update_record
from memkit.flows.check import Checked
from memkit.flows.narrow import narrowed, newest
from memkit.flows.stamp import stamp_all
from memkit.flows.working import ttl_ms
from memkit.ids import pack_id, unpack_id
from memkit.records import Memory

__all__ = ["delete", "retrieve", "store", "update"]


def _place(checked: Checked) -> Place:
    return Place("c", checked.conversation_id, "log")


def store(ctx: Context, checked: Checked) -> Flow[str]:
    """Append all records, in order, all or none; those that are there already count as stored."""
    stamped = stamp_all(ctx, checked)
    entries = tuple(Entry(item.envelope.id, item.encode(ctx), item.fresh) for item in stamped)
    yield LogAppend(_place(checked), checked.user_id, ttl_ms(ctx, checked), entries)
    return unpack_id(entries[-1].id)


def retrieve(ctx: Context, checked: Checked) -> Flow[Memories]:
    """Oldest to newest; ranked if there is a query."""
    if checked.memory_id is not None:
        return (yield from _one(ctx, checked))
    if checked.query is not None:
        return (yield from _ranked(ctx, checked))

    def read(count: int | None, skip: int) -> LogRead:
        return LogRead(_place(checked), checked.user_id, count, skip)

    out = yield from newest(ctx, checked, read, oldest_first=True)
    out.reverse()
    return out


def _ranked(ctx: Context, checked: Checked) -> Flow[Memories]:
    slots = yield LogRead(_place(checked), checked.user_id)
    binding = ctx.bind(checked)
    return narrowed(ctx, checked, decode_all(ctx, binding, slots.records))


def _one(ctx: Context, checked: Checked) -> Flow[Memories]:
    raw = yield from _store(ctx, checked).find()
    binding = ctx.bind(checked)
    out = narrowed(ctx, checked, decode_all(ctx, binding, [] if raw is None else [raw]))
    return out.first(checked.limit)


def _store(ctx: Context, checked: Checked) -> Store:
    place, owner, ttl = _place(checked), checked.user_id, ttl_ms(ctx, checked)
    wire_id = pack_id(checked.memory_id or "")

    def find() -> Flow[bytes | None]:
        raw: bytes | None = yield LogFind(place, owner, wire_id)
        return raw

    def replace(old: bytes, new: bytes) -> Flow[Swap]:
        swap: Swap = yield LogReplace(place, owner, ttl, wire_id, old, new)
        return swap

    return Store(find, replace, lambda old: LogRemove(place, owner, wire_id, old))


def update(ctx: Context, checked: Checked) -> Flow[Memory]:
    """Replace the data and merge the metadata of one record; its place in the order is kept."""
    return (yield from update_record(ctx, checked, _store(ctx, checked)))


def delete(ctx: Context, checked: Checked) -> Flow[int]:
    """Remove one record, or the whole conversation."""
    if checked.memory_id is None:
        count: int = yield LogClear(_place(checked), checked.user_id)
        return count
    return (yield from remove_record(ctx, checked, _store(ctx, checked)))
