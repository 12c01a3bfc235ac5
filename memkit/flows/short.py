"""SHORT_TERM_MEMORY: the ordered log of a conversation."""

from __future__ import annotations

from memkit.commands import (
    LogAppend,
    LogClear,
    LogFind,
    LogRead,
    LogRemove,
    LogReplace,
    LogSlice,
    Mark,
    Place,
    Slots,
    Swap,
)
from memkit.flows.base import Context, Flow, Memories, decode_all
from memkit.flows.change import Store, remove_record, update_record
from memkit.flows.check import Checked
from memkit.flows.narrow import narrowed
from memkit.flows.paging import collected, first_page
from memkit.flows.places import conversation
from memkit.flows.stamp import stamp_all
from memkit.flows.working import ttl_ms
from memkit.ids import pack_id, unpack_id
from memkit.inputs import UNSET
from memkit.records import Memory

__all__ = ["delete", "retrieve", "store", "update"]


def _place(checked: Checked) -> Place:
    return conversation(checked.conversation_id, "log")


def store(ctx: Context, checked: Checked) -> Flow[str]:
    """Append all records, in order, all or none; those that are there already count as stored."""
    stamped = stamp_all(ctx, checked)
    entries = tuple(item.entry(ctx) for item in stamped)
    ttl = ttl_ms(ctx, checked)
    if not ctx.is_touched(checked.conversation_id, checked.user_id, ttl):
        yield from ctx.touch(checked.conversation_id, checked.user_id, ttl)
    yield LogAppend(
        _place(checked),
        checked.user_id,
        ttl,
        entries,
        default_ttl=checked.ttl is UNSET,
        retention=ctx.retention,
    )
    return unpack_id(entries[-1].id)


def retrieve(ctx: Context, checked: Checked) -> Flow[Memories]:
    """Oldest to newest; ranked if there is a query."""
    if checked.memory_id is not None:
        return (yield from _one(ctx, checked))
    if checked.query is not None:
        return (yield from _ranked(ctx, checked))

    if checked.filters and checked.limit is not None:
        return (yield from _back(ctx, checked))
    size = first_page(checked.limit, is_filtered=False)
    slots: Slots = yield LogRead(_place(checked), checked.user_id, size)
    out = decode_all(ctx, ctx.bind(checked), slots.records)
    # Removed records have places, too.
    if checked.limit is None or len(out) >= checked.limit or slots.scanned < checked.limit:
        return narrowed(ctx, checked, out)
    return (yield from _back(ctx, checked))


def _back(ctx: Context, checked: Checked) -> Flow[Memories]:
    """The last records that pass the filters, as many as the limit."""

    def take(raws: list[bytes]) -> Memories:
        return narrowed(ctx, checked, decode_all(ctx, ctx.bind(checked), raws))

    size = first_page(checked.limit, is_filtered=bool(checked.filters))
    command = LogSlice(_place(checked), checked.user_id, count=size, newest=True)
    found = yield from collected(command, checked.limit, take)
    return Memories() if found is None else found


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

    def replace(old: bytes, new: bytes, mark: Mark) -> Flow[Swap]:
        swap: Swap = yield LogReplace(place, owner, ttl, wire_id, old, new, mark, default_ttl=checked.ttl is UNSET)
        return swap

    return Store(find, replace, lambda old: LogRemove(place, owner, wire_id, old))


def update(ctx: Context, checked: Checked) -> Flow[Memory]:
    """Replace the data and merge the metadata of one record; its place in the order is kept."""
    return (yield from update_record(ctx, checked, _store(ctx, checked), ttl_ms(ctx, checked)))


def delete(ctx: Context, checked: Checked) -> Flow[int]:
    """Remove one record, or the whole conversation."""
    if checked.memory_id is None:
        count: int = yield LogClear(_place(checked), checked.user_id)
        return count
    return (yield from remove_record(ctx, checked, _store(ctx, checked)))
