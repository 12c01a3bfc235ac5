"""Reading a log page by page, until there is as much as is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from attrs import evolve

from memkit.commands import LogSlice, Slice
from memkit.flows.base import Flow, Memories, Messages

__all__ = ["LARGEST_PAGE", "MOST", "collected", "first_page", "next_page"]

_PAGE = 64
LARGEST_PAGE = 1024
MOST = 1 << 40
"""More than any server holds in one conversation; beyond 64 bits it would not know the number."""

F = TypeVar("F", Memories, Messages)


def first_page(limit: int | None, *, is_filtered: bool) -> int | None:
    """How many places to look at first; None for all."""
    if limit is None:
        return None
    return min(max(limit, _PAGE) if is_filtered else limit, MOST)


def next_page(size: int | None) -> int:
    """How many places to look at after so many."""
    return min(2 * max(size or 0, _PAGE), LARGEST_PAGE)


def collected(command: LogSlice, limit: int | None, take: Callable[[list[bytes]], F]) -> Flow[F | None]:
    """What is wanted of a log: removed records take places, and not every record may be wanted.

    Args:
        command: reads the first page, from the end at which it begins.
        limit: as much is enough; None: the first page is all.
        take: what is wanted of the records of a page.

    Returns:
        None: a record that the command names is not there.
    """
    out: F | None = None
    while True:
        piece: Slice | None = yield command
        if piece is None:
            return None
        page = take(piece.records)
        out = page if out is None else _joined(page, out) if command.newest else _joined(out, page)
        if not piece.more or limit is None or len(out) >= limit:
            return _cut(out, limit, newest=command.newest)
        command = _further(command, piece)


def _joined(one: F, other: F) -> F:
    one.extend(other)
    one.damaged += other.damaged
    return one


def _cut(out: F, limit: int | None, *, newest: bool) -> F:
    if limit is not None and newest:
        del out[: max(len(out) - limit, 0)]
    return out.first(limit)


def _further(command: LogSlice, piece: Slice) -> LogSlice:
    """What reads the page beyond a piece."""
    count = next_page(command.count)
    if command.newest:
        return evolve(command, before=piece.first, count=count)
    return evolve(command, after=piece.last, count=count)
