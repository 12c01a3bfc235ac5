"""From the records of a conversation to those that a retrieve asked for."""

from __future__ import annotations

from memkit.flows.base import Context, Memories
from memkit.flows.check import Checked
from memkit.flows.select import matches
from memkit.flows.words import rank

__all__ = ["first_page", "narrowed", "next_page"]

_PAGE = 64
_LARGEST_PAGE = 1024
# More than any server holds in one conversation; beyond 64 bits it would not know the number.
_MOST = 1 << 40


def narrowed(ctx: Context, checked: Checked, records: Memories) -> Memories:
    """The records that pass the filters, ranked if there is a query. `limit` is left to the caller, but for a query."""
    out = Memories(record for record in records if matches(record, checked.filters))
    if checked.query is not None:
        out = Memories(rank(out, checked.query, ctx.analyzer)[: checked.limit])
    out.damaged = records.damaged
    return out


def first_page(checked: Checked) -> int | None:
    """How many records to look at first; None for all."""
    if checked.limit is None:
        return None
    wanted = max(checked.limit, _PAGE) if checked.filters else checked.limit
    return min(wanted, _MOST)


def next_page(size: int | None) -> int:
    """How many records to look at after so many."""
    return min(2 * max(size or 0, _PAGE), _LARGEST_PAGE)
