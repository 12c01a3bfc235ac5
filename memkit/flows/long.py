"""LONG_TERM_MEMORY: a set of records by id."""

from __future__ import annotations

from memkit.clock import to_us
from memkit.codec.wire import Binding
from memkit.commands import (
    Mark,
    Place,
    Row,
    Slots,
    Swap,
    TableClear,
    TableFetch,
    TableRead,
    TableRemove,
    TableSwap,
    TableSwapped,
)
from memkit.flows.base import Context, Flow, Memories, decode_all
from memkit.flows.change import ROUNDS, Store, outrun, remove_record, update_record
from memkit.flows.check import Checked
from memkit.flows.narrow import narrowed
from memkit.flows.paging import first_page, next_page
from memkit.flows.places import conversation
from memkit.flows.stamp import Stamped, stamp_all
from memkit.flows.working import ttl_ms
from memkit.ids import pack_id, unpack_id
from memkit.records import Memory

__all__ = ["delete", "retrieve", "store", "update"]


def _place(checked: Checked) -> Place:
    return conversation(checked.conversation_id, "ltm")


def store(ctx: Context, checked: Checked) -> Flow[str]:
    """Add or replace by id, all or none; what is replaced keeps its age."""
    stamped = stamp_all(ctx, checked)
    binding = ctx.bind(checked)
    ttl = ttl_ms(ctx, checked)
    current: tuple[bytes | None, ...] = (None,) * len(stamped)
    for _ in range(ROUNDS):
        rows = tuple(_row(ctx, item, old, binding) for item, old in zip(stamped, current, strict=True))
        yield from ctx.touch(checked.conversation_id, checked.user_id, ttl)
        swapped: TableSwapped = yield TableSwap(_place(checked), checked.user_id, ttl, rows)
        if swapped.done:
            return unpack_id(rows[-1].id)
        current = swapped.current
    raise outrun("store")


def _row(ctx: Context, item: Stamped, raw: bytes | None, binding: Binding) -> Row:
    if raw is None:
        return Row(item.envelope.id, item.encode(ctx), item.envelope.created_us)
    old = ctx.codec.decode(raw, binding)
    return Row(item.envelope.id, item.encode(ctx, old), _age(old), raw)


def _age(record: Memory) -> int:
    return 0 if record.created_at is None else to_us(record.created_at)


def retrieve(ctx: Context, checked: Checked) -> Flow[Memories]:
    """Newest first; ranked if there is a query."""
    if checked.memory_id is not None:
        return (yield from _some(ctx, checked, _wanted(checked)))
    if checked.query is not None or checked.filters:
        return (yield from _some(ctx, checked, TableRead(_place(checked), checked.user_id)))
    return (yield from _newest(ctx, checked))


def _newest(ctx: Context, checked: Checked) -> Flow[Memories]:
    """The newest records, as many as the limit; a single page, but for what is damaged."""
    binding = ctx.bind(checked)
    limit, seen, out = checked.limit, set[str | None](), Memories()
    size, skip = first_page(checked.limit, is_filtered=False), 0
    while True:
        slots: Slots = yield TableRead(_place(checked), checked.user_id, size, skip)
        page = decode_all(ctx, binding, slots.records)
        out.damaged += page.damaged
        # Records that came in between two pages push others into the next page a second time.
        out.extend(record for record in page if record.id not in seen)
        seen.update(record.id for record in page)
        if size is None or slots.scanned < size or len(out) >= (limit or 0):
            return out.first(limit)
        size, skip = next_page(size), skip + slots.scanned


def _wanted(checked: Checked) -> TableFetch:
    return TableFetch(_place(checked), checked.user_id, (pack_id(checked.memory_id or ""),))


def _some(ctx: Context, checked: Checked, read: TableRead | TableFetch) -> Flow[Memories]:
    found: Slots | list[bytes | None] = yield read
    raws = found.records if isinstance(found, Slots) else [raw for raw in found if raw is not None]
    binding = ctx.bind(checked)
    out = narrowed(ctx, checked, decode_all(ctx, binding, raws))
    return out.first(checked.limit)


def _store(ctx: Context, checked: Checked) -> Store:
    place, owner, ttl = _place(checked), checked.user_id, ttl_ms(ctx, checked)
    wire_id = pack_id(checked.memory_id or "")

    def find() -> Flow[bytes | None]:
        found: list[bytes | None] = yield _wanted(checked)
        return found[0]

    def replace(old: bytes, new: bytes, _: Mark) -> Flow[Swap]:
        age = _age(ctx.codec.decode(old, ctx.bind(checked)))
        swapped: TableSwapped = yield TableSwap(place, owner, ttl, (Row(wire_id, new, age, old),))
        return Swap(swapped.done, None if swapped.done else swapped.current[0])

    return Store(find, replace, lambda old: TableRemove(place, owner, wire_id, old))


def update(ctx: Context, checked: Checked) -> Flow[Memory]:
    """Replace the data and merge the metadata of one record."""
    return (yield from update_record(ctx, checked, _store(ctx, checked), ttl_ms(ctx, checked)))


def delete(ctx: Context, checked: Checked) -> Flow[int]:
    """Remove one record, or all of them."""
    if checked.memory_id is None:
        count: int = yield TableClear(_place(checked), checked.user_id)
        return count
    return (yield from remove_record(ctx, checked, _store(ctx, checked)))
