"""What a log need not keep."""

from __future__ import annotations

from memkit.backends.inmemory.slots import PINNED, Log
from memkit.commands import Retention

__all__ = ["outlived"]

Span = tuple[int, int]


def outlived(log: Log, keep: Retention, now: float) -> list[Span]:
    """The spans of places that a log need not keep, oldest first; together they are whole groups."""
    spans: list[Span] = []
    if not keep.age_ms and not 0 < keep.most < len(log.index):
        return spans
    lead = log.lead_end(log.end)
    over = _over(log, keep, lead)
    newest = log.group_start(log.end - 1)
    place = log.group_end(lead - 1) if lead > log.head else lead
    while place < newest:
        start, place = place, log.group_end(place)
        if log.pins and any(mark & PINNED for mark in log.marks[start:place]):
            continue
        if over <= 0 and not _is_old(log, keep, place, now):
            break
        over -= len(log.living(start, place))
        _put(spans, (start, place))
    return spans


def _over(log: Log, keep: Retention, lead: int) -> int:
    """How many records too many there are."""
    if not keep.most:
        return 0
    exempt = len(log.living(log.head, lead)) + len(log.pins)
    exempt -= sum(mark & PINNED > 0 for mark in log.marks[log.head : lead])
    return len(log.index) - exempt - keep.most


def _is_old(log: Log, keep: Retention, end: int, now: float) -> bool:
    """Whether the last record before a place is older than a log keeps any."""
    if not keep.age_ms:
        return False
    last = end - 1
    while log.wires[last] is None:
        last -= 1
    # In whole microseconds, or what is exactly as old as it may be would hang on the last bit.
    return round((now - log.times[last]) * 1_000_000) > keep.age_ms * 1000


def _put(spans: list[Span], span: Span) -> None:
    """Add a span, to the last one if it stands right behind it."""
    if spans and spans[-1][1] == span[0]:
        span = (spans.pop()[0], span[1])
    spans.append(span)
