"""From the records of a conversation to those that a retrieve asked for."""

from __future__ import annotations

from memkit.flows.base import Context, Memories
from memkit.flows.check import Checked
from memkit.flows.select import matches
from memkit.flows.words import rank

__all__ = ["narrowed"]


def narrowed(ctx: Context, checked: Checked, records: Memories) -> Memories:
    """The records that pass the filters, ranked if there is a query. `limit` is left to the caller, but for a query."""
    if not checked.filters and checked.query is None:
        return records
    out = Memories(record for record in records if matches(record, checked.filters))
    if checked.query is not None:
        out = Memories(rank(out, checked.query, ctx.analyzer)[: checked.limit])
    out.damaged = records.damaged
    return out
