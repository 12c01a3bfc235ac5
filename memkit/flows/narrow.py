"""From the records of a conversation to those that a retrieve asked for."""

from __future__ import annotations

from collections.abc import Callable

from memkit.commands import Command, Slots
from memkit.flows.base import Context, Flow, Memories, decode_all
from memkit.flows.check import Checked
from memkit.flows.select import matches
from memkit.flows.words import rank

__all__ = ["narrowed", "newest"]

_PAGE = 64
_LARGEST_PAGE = 1024
# More than any server holds in one conversation; beyond 64 bits it would not know the number.
_MOST = 1 << 40

Read = Callable[[int | None, int], Command[Slots]]


def narrowed(ctx: Context, checked: Checked, records: Memories) -> Memories:
    """The records that pass the filters, ranked if there is a query. `limit` is left to the caller, but for a query."""
    out = Memories(record for record in records if matches(record, checked.filters))
    if checked.query is not None:
        out = Memories(rank(out, checked.query, ctx.analyzer)[: checked.limit])
    out.damaged = records.damaged
    return out


def newest(ctx: Context, checked: Checked, read: Read, *, oldest_first: bool) -> Flow[Memories]:
    """The newest records that pass the filters, as many as `limit`, newest first.

    Args:
        ctx: what flows are given.
        checked: the input.
        read: makes the command that reads so many places, leaving out so many of the newest.
        oldest_first: the order in which that command returns them.
    """
    binding = ctx.bind(checked)
    limit, seen, out = checked.limit, set[str | None](), Memories()
    size, skip = _first_page(checked), 0
    while True:
        slots: Slots = yield read(size, skip)
        page = decode_all(ctx, binding, reversed(slots.records) if oldest_first else slots.records)
        out.damaged += page.damaged
        # Records that came in between two pages push others into the next page a second time.
        out.extend(record for record in narrowed(ctx, checked, page) if record.id not in seen)
        seen.update(record.id for record in page)
        if size is None or slots.scanned < size or len(out) >= (limit or 0):
            break
        size, skip = min(2 * max(size, _PAGE), _LARGEST_PAGE), skip + slots.scanned
    return out.first(limit)


def _first_page(checked: Checked) -> int | None:
    if checked.limit is None:
        return None
    wanted = max(checked.limit, _PAGE) if checked.filters else checked.limit
    return min(wanted, _MOST)
