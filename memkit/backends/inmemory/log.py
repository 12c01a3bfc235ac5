"""The log in memory: a list of places, and where each id stands."""

from __future__ import annotations

from memkit.backends.inmemory.keyed import Keyed, clear_all, remove_one
from memkit.backends.inmemory.store import Store
from memkit.commands import LogAppend, LogClear, LogFind, LogRead, LogRemove, LogReplace, Slots, Swap

__all__ = ["append", "clear", "find", "read", "remove", "replace"]

_ENOUGH_GAPS = 64


class Log(Keyed):
    """Records in order; a removed one leaves a gap, so that the places of the others hold."""

    __slots__ = ("index", "slots")

    def __init__(self) -> None:
        super().__init__()
        self.slots: list[bytes | None] = []
        self.index: dict[bytes | str, int] = {}

    def expire(self, now: float) -> None:
        """A log expires as a whole, which is the store's business."""

    def forget(self) -> None:
        self.slots, self.index = [], {}

    def add(self, record_id: bytes | str, wire: bytes) -> None:
        self.index[record_id] = len(self.slots)
        self.slots.append(wire)

    def at(self, record_id: bytes | str) -> bytes | None:
        place = self.index.get(record_id)
        return None if place is None else self.slots[place]

    def take(self, record_id: bytes | str) -> None:
        self.slots[self.index.pop(record_id)] = None
        gaps = len(self.slots) - len(self.index)
        if gaps > _ENOUGH_GAPS and gaps > len(self.index):
            self._close_gaps()

    def _close_gaps(self) -> None:
        by_place = sorted(self.index, key=self.index.__getitem__)
        self.slots = [wire for wire in self.slots if wire is not None]
        self.index = {record_id: place for place, record_id in enumerate(by_place)}


def append(store: Store, command: LogAppend) -> int:
    """Execute `LogAppend`."""
    now = store.now()
    known = store.read(command, Log, now)
    new = [entry for entry in command.entries if known is None or entry.id not in known.index]
    size = sum(len(entry.wire) for entry in new)
    store.make_room(command, len(new), size)
    log = store.write(command, known, Log)
    for entry in new:
        log.add(entry.id, entry.wire)
    log.live_until(now, command.ttl_ms)
    store.changed(command.place, log, len(new), size)
    return len(new)


def read(store: Store, command: LogRead) -> Slots:
    """Execute `LogRead`."""
    log = store.read(command, Log, store.now())
    if log is None:
        return Slots([], 0)
    end = max(len(log.slots) - command.skip, 0)
    start = 0 if command.count is None else max(end - command.count, 0)
    return Slots([wire for wire in log.slots[start:end] if wire is not None], end - start)


def find(store: Store, command: LogFind) -> bytes | None:
    """Execute `LogFind`."""
    log = store.read(command, Log, store.now())
    return None if log is None else log.at(command.id)


def replace(store: Store, command: LogReplace) -> Swap:
    """Execute `LogReplace`."""
    now = store.now()
    log = store.read(command, Log, now)
    current = None if log is None else log.at(command.id)
    if log is None or current != command.old:
        return Swap(done=False, current=current)
    store.make_room(command, 0, len(command.new) - len(command.old))
    store.write(command, log, Log)
    log.slots[log.index[command.id]] = command.new
    log.live_until(now, command.ttl_ms)
    store.changed(command.place, log, 0, len(command.new) - len(command.old))
    return Swap(done=True)


def remove(store: Store, command: LogRemove) -> Swap:
    """Execute `LogRemove`."""
    return remove_one(store, command, Log)


def clear(store: Store, command: LogClear) -> int:
    """Execute `LogClear`."""
    return clear_all(store, command, Log)
