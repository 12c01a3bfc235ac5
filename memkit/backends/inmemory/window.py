"""Pieces of a log: between two places, and those that a window is made of."""

from __future__ import annotations

from bisect import bisect_left

from memkit.backends.inmemory.slots import Log
from memkit.backends.inmemory.store import Store
from memkit.commands import Cursor, LogSlice, LogWindow, Slice, WindowSlots

__all__ = ["between", "window"]

_CURSOR_BYTES = 8


def between(store: Store, command: LogSlice) -> Slice | None:
    """Execute `LogSlice`."""
    log = store.read(command, Log, store.now()) or Log()
    first = log.head if command.after is None else _place(log, command.after, behind=True)
    last = log.end if command.before is None else _place(log, command.before, behind=False)
    if first is None or last is None:
        return None
    return _piece(log, first, max(first, last), command)


def _place(log: Log, anchor: bytes | str | Cursor, *, behind: bool) -> int | None:
    """The place of an anchor or the one behind it; None if it names a record that is not there."""
    if isinstance(anchor, Cursor):
        return log.place(int.from_bytes(anchor.value, "big") + behind)
    place = log.place_of(anchor)
    return None if place is None else place + behind


def _piece(log: Log, first: int, last: int, command: LogSlice) -> Slice:
    """What a command wants of the places from one up to another."""
    more = command.count is not None and last - first > command.count
    if more and command.newest:
        first = last - (command.count or 0)
    elif more:
        last = first + (command.count or 0)
    if first == last:
        return Slice([], None, None, more)
    return Slice(log.living(first, last), _cursor(log, first), _cursor(log, last - 1), more)


def _cursor(log: Log, place: int) -> Cursor:
    return Cursor(log.numbers[place].to_bytes(_CURSOR_BYTES, "big"))


def window(store: Store, command: LogWindow) -> WindowSlots:
    """Execute `LogWindow`."""
    log = store.read(command, Log, store.now())
    if log is None:
        return WindowSlots([], [], [], None, 0)
    start = log.group_start(max(log.end - max(command.count, 1), log.head))
    lead_end = log.lead_end(start)
    return WindowSlots(
        lead=log.living(log.head, lead_end),
        kept=_kept(log, lead_end, start),
        tail=log.living(start, log.end),
        first=_cursor(log, start),
        between=start - lead_end,
    )


def _kept(log: Log, first: int, last: int) -> list[bytes]:
    """The groups in which a record is pinned, from one place up to another."""
    kept: list[bytes] = []
    done = first
    for number in log.pins[bisect_left(log.pins, log.numbers[first]) :]:
        place = log.place(number)
        if place >= last:
            break
        if place >= done:
            start, done = max(log.group_start(place), first), log.group_end(place)
            kept += log.living(start, done)
    return kept
