"""The log in memory: appending, reading and changing records."""

from __future__ import annotations

from memkit.backends.inmemory.keyed import clear_all, remove_one
from memkit.backends.inmemory.retention import Span, outlived
from memkit.backends.inmemory.scope import Scope
from memkit.backends.inmemory.slots import Log, Slot
from memkit.backends.inmemory.store import Store
from memkit.commands import (
    Entry,
    LogAppend,
    LogClear,
    LogFind,
    LogRead,
    LogRemove,
    LogReplace,
    Opening,
    Place,
    Slots,
    Swap,
)
from memkit.errors import CapacityError

__all__ = ["append", "clear", "find", "read", "remove", "replace"]


def append(store: Store, command: LogAppend) -> int | None:
    """Execute `LogAppend`."""
    now = store.now()
    known = store.in_turn(command, Log, now)
    if known is not None and command.alone:
        return None
    new = _unknown(known, command)
    if new:
        _append(store, command, known, new, now)
    elif known is not None:
        # A repeat keeps alive what is there.
        known.live_until(now, store.claim(command).lifetime(command.ttl_ms, default=command.default_ttl))
        store.changed(command.place, known, 0, 0)
    return len(new)


def _unknown(log: Log | None, command: LogAppend) -> list[Entry]:
    """The entries that are not there yet, each once."""
    there = {} if log is None else log.index
    if command.whole and command.entries and command.entries[0].id in there:
        return []
    new = [entry for entry in command.entries if entry.id not in there]
    return new if len(new) <= 1 else _once_each(new)


def _once_each(entries: list[Entry]) -> list[Entry]:
    first: dict[bytes | str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.id, entry)
    return list(first.values())


def _append(store: Store, command: LogAppend, known: Log | None, new: list[Entry], now: float) -> None:
    log = Log() if known is None else known
    end = log.end
    for entry, number in zip(new, store.numbers(len(new)), strict=True):
        log.add(Slot(entry.id, entry.wire, int(entry.mark), now, number))
    spans = outlived(log, command.retention, now)
    records, size = _growth(log, new, spans)
    if store.bounded:
        _make_room(store, command, log, end, (records, size))
    scope = store.claim(command)
    scope.parts[command.place.part] = log
    if spans:
        log.drop(spans)
    if scope.created_us is None and command.opening is not None:
        _open(store, command.place, scope, command.opening)
    scope.revise(store.time_us(), edited=known is None or bool(spans))
    log.live_until(now, scope.lifetime(command.ttl_ms, default=command.default_ttl))
    store.changed(command.place, log, records, size)


def _growth(log: Log, new: list[Entry], spans: list[Span]) -> tuple[int, int]:
    """How many records and bytes come, less those of spans that go."""
    records, size = len(new), sum([len(entry.wire) for entry in new])
    for span in spans:
        wires = log.living(*span)
        records -= len(wires)
        size -= sum(map(len, wires))
    return records, size


def _make_room(store: Store, command: LogAppend, log: Log, end: int, growth: tuple[int, int]) -> None:
    """Make room for what stands in a log from a place on; if there is none, it is taken out again."""
    records, size = growth
    scope, opening = store.scope(command.place), command.opening
    if opening is not None and (scope is None or scope.created_us is None):
        size += store.growth(command.place, opening.title, opening.metadata)
    try:
        store.make_room(command, records, size)
    except CapacityError:
        log.splice(end, log.end, [])
        raise


def _open(store: Store, place: Place, scope: Scope, opening: Opening) -> None:
    """Begin a log."""
    scope.created_us = opening.created_us
    scope.lives_ms = opening.renews_ms if scope.lives_ms is None else scope.lives_ms
    store.describe(place, opening.title, opening.metadata)


def read(store: Store, command: LogRead) -> Slots:
    """Execute `LogRead`."""
    log = store.read(command, Log, store.now())
    if log is None:
        return Slots([], 0)
    start = log.head if command.count is None else max(log.end - command.count, log.head)
    return Slots(log.living(start, log.end), log.end - start)


def find(store: Store, command: LogFind) -> bytes | None:
    """Execute `LogFind`."""
    log = store.read(command, Log, store.now())
    return None if log is None else log.at(command.id)


def replace(store: Store, command: LogReplace) -> Swap:
    """Execute `LogReplace`."""
    now = store.now()
    log = store.in_turn(command, Log, now)
    current = None if log is None else log.at(command.id)
    if log is None or current != command.old:
        return Swap(done=False, current=current)
    growth = len(command.new) - len(command.old)
    store.make_room(command, 0, growth)
    scope = store.claim(command)
    log.put(command.id, command.new, int(command.mark))
    scope.revise(store.time_us(), edited=True)
    log.live_until(now, scope.lifetime(command.ttl_ms, default=command.default_ttl))
    store.changed(command.place, log, 0, growth)
    return Swap(done=True)


def remove(store: Store, command: LogRemove) -> Swap:
    """Execute `LogRemove`."""
    log = store.in_turn(command, Log, store.now())
    scope = store.scope(command.place)
    swap = remove_one(store, command, log)
    if swap.done:
        _shrunk(store, scope, log)
    return swap


def clear(store: Store, command: LogClear) -> int:
    """Execute `LogClear`."""
    log = store.in_turn(command, Log, store.now())
    scope = store.scope(command.place)
    count = clear_all(store, command.place, log)
    _shrunk(store, scope, log)
    return count


def _shrunk(store: Store, scope: Scope | None, log: Log | None) -> None:
    """Note that records were removed; with the last one, the log has ended."""
    if scope is None or log is None:
        return
    scope.revise(store.time_us(), edited=True)
    if not log.index:
        scope.created_us = None
