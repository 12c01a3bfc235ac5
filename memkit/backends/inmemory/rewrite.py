"""Putting records in the place of others, and the numbers that they get."""

from __future__ import annotations

from collections.abc import Sequence

from memkit.backends.inmemory.slots import Log, Slot, size_of
from memkit.backends.inmemory.store import Store
from memkit.commands import Entry, InTurn, LogRewrite, Outcome, Rewritten

__all__ = ["answer", "rewrite"]

Span = tuple[int, int]


def answer(
    store: Store, command: InTurn[Rewritten], outcome: Outcome, count: int = 0, last: bytes | str | None = None
) -> Rewritten:
    """What became of a command, with the revision as it is now."""
    scope = store.scope(command.place)
    return Rewritten(outcome, count, 0 if scope is None else scope.revision, last)


def rewrite(store: Store, command: LogRewrite) -> Rewritten:
    """Execute `LogRewrite`."""
    known = store.in_turn(command, Log, store.now())
    log = Log() if known is None else known
    if not _is_current(store, command):
        return answer(store, command, Outcome.CONFLICT)
    span = _span(log, command)
    # Where nothing is, nothing says how long it shall live.
    if span is None or (known is None and command.entries):
        return answer(store, command, Outcome.MISSING)
    cut = log.last_of_cut(span[1])
    if cut is not None:
        return answer(store, command, Outcome.INSIDE, last=cut)
    elsewhere = _elsewhere(log, span, command.entries)
    if elsewhere is not None:
        return answer(store, command, Outcome.EXISTS, last=elsewhere)
    return _rewrite(store, command, log, span)


def _is_current(store: Store, command: LogRewrite) -> bool:
    """Whether the log is still what the command was made for."""
    scope = store.scope(command.place)
    revision, edits = (0, 0) if scope is None else (scope.revision, scope.edits)
    return command.revision in (None, revision) and command.edits in (None, edits)


def _span(log: Log, command: LogRewrite) -> Span | None:
    """The piece to replace; None if a record that bounds it is not there, or they stand the wrong way round."""
    before = log.head - 1 if command.after is None else log.place_of(command.after)
    last = log.end - 1 if command.through is None else log.place_of(command.through)
    return None if before is None or last is None or last < before else (before + 1, last + 1)


def _elsewhere(log: Log, span: Span, entries: Sequence[Entry]) -> bytes | str | None:
    """The id of an entry that stands in the log outside of a span, or of one that comes twice."""
    seen: set[bytes | str] = set()
    for entry in entries:
        place = log.place_of(entry.id)
        if entry.id in seen or (place is not None and not span[0] <= place < span[1]):
            return entry.id
        seen.add(entry.id)
    return None


def _rewrite(store: Store, command: LogRewrite, log: Log, span: Span) -> Rewritten:
    start, end = span
    piece = log.slots(start, end)
    if not piece and not command.entries:
        return answer(store, command, Outcome.DONE)
    slots = _numbered(command.entries, piece, _before(log, start))
    end, moved = _moved(log, end, slots[-1].number if slots else 0)
    records = len(slots) - len(piece)
    size = size_of(slots) - size_of(piece)
    store.make_room(command, records, size)
    store.used((slots + moved)[-1].number if slots else 0)
    log.splice(start, end, slots + moved)
    revision = store.enter(command.place).revise(store.time_us(), edited=True)
    store.changed(command.place, log, records, size)
    stay = {slot.id for slot in slots}
    return Rewritten(Outcome.DONE, sum(slot.id not in stay for slot in piece), revision)


def _before(log: Log, start: int) -> tuple[int, float]:
    """Number and time of what stands in front of a place."""
    return (log.numbers[start - 1], log.times[start - 1]) if start > log.head else (0, 0.0)


def _numbered(entries: Sequence[Entry], piece: Sequence[Slot], before: tuple[int, float]) -> list[Slot]:
    """The entries with numbers that rise. Those that stand in the piece keep theirs as far as the order allows.

    New ones stand where the piece ended, so that they are as old as its end; or where it began, if others of it stay.
    """
    old = {slot.id: slot for slot in piece}
    stay = any(entry.id in old for entry in entries)
    base = (piece[0] if stay else piece[-1]) if piece else None
    number, time = before
    slots = []
    for entry in entries:
        own = old.get(entry.id, base)
        number, time = (own.number, own.time) if own is not None and own.number > number else (number + 1, time)
        slots.append(Slot(entry.id, entry.wire, int(entry.mark), time, number))
    return slots


def _moved(log: Log, end: int, number: int) -> tuple[int, list[Slot]]:
    """What stands from a place on and has to move up behind a number, and the place behind it."""
    moved: list[Slot] = []
    while end < log.end and log.numbers[end] <= number:
        for slot in log.slots(end, end + 1):
            number += 1
            moved.append(slot._replace(number=number))
        end += 1
    return end, moved
