"""The record in memory: one value with its version."""

from __future__ import annotations

from memkit.backends.inmemory.parts import Part
from memkit.backends.inmemory.store import Store
from memkit.commands import PutResult, RecordDrop, RecordGet, RecordLoad, RecordPut, StoredRecord

__all__ = ["Record", "drop", "get", "load", "put"]


class Record(Part):
    """The value; `records` is 0 until it is set."""

    __slots__ = ("created_us", "version", "wire")

    def __init__(self) -> None:
        super().__init__()
        self.version = 0
        self.created_us = 0
        self.wire = b""

    def expire(self, now: float) -> None:
        """A record expires as a whole, which is the store's business."""

    def forget(self) -> None:
        self.wire = b""


def put(store: Store, command: RecordPut) -> PutResult:
    """Execute `RecordPut`."""
    now = store.now()
    old = store.change(command, Record, now)
    version = 0 if old is None else old.version
    if command.expected not in (None, version):
        return PutResult(done=False, version=version, created_us=0 if old is None else old.created_us)
    growth = len(command.wire) - (0 if old is None else len(old.wire))
    if store.bounded:
        store.make_room(command, int(old is None), growth)
    record = store.write(command, old, Record)
    record.version = version + 1
    record.wire = command.wire
    record.created_us = command.created_us if old is None else old.created_us
    record.live_until(now, command.ttl_ms)
    store.changed(command.place, record, int(old is None), growth)
    return PutResult(done=True, version=record.version, created_us=record.created_us)


def load(store: Store, command: RecordLoad) -> bool:
    """Execute `RecordLoad`."""
    now = store.now()
    if store.change(command, Record, now) is not None:
        return False
    stored = command.stored
    store.make_room(command, 1, len(stored.wire))
    record = store.write(command, None, Record)
    record.version, record.created_us, record.wire = stored.version, stored.created_us, stored.wire
    record.live_until(now, command.ttl_ms)
    store.changed(command.place, record, 1, len(stored.wire))
    return True


def get(store: Store, command: RecordGet) -> StoredRecord | None:
    """Execute `RecordGet`."""
    record = store.read(command, Record, store.now())
    return None if record is None else StoredRecord(record.version, record.created_us, record.wire)


def drop(store: Store, command: RecordDrop) -> PutResult:
    """Execute `RecordDrop`."""
    record = store.change(command, Record, store.now())
    if record is None:
        return PutResult(done=False, version=0)
    if command.expected not in (None, record.version):
        return PutResult(done=False, version=record.version, created_us=record.created_us)
    store.changed(command.place, record, -1, -record.size)
    return PutResult(done=True, version=record.version, created_us=record.created_us)
