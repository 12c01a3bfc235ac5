"""The index in memory: listing names."""

from __future__ import annotations

import math
from itertools import islice

from attrs import evolve

from memkit.backends.inmemory.store import Store
from memkit.backends.inmemory.touches import Index
from memkit.commands import (
    Entered,
    IndexDrop,
    IndexEnter,
    IndexFence,
    IndexPage,
    IndexRead,
    IndexSize,
    IndexTouch,
    Place,
)

__all__ = ["drop", "enter", "fence", "read", "size", "touch"]

# A name is kept for so much longer than was asked for: a write within some seconds after a touch does not touch again.
_GRACE_S = 60.0


def _found(store: Store, place: Place, now: float) -> Index:
    """The index of a place, without what was swept from it; an empty one if there is none."""
    index = store.indexes.get(place)
    if index is None:
        return Index()
    index.sweep(now)
    if not len(index):
        del store.indexes[place]
    return index


def touch(store: Store, command: IndexTouch) -> None:
    """Execute `IndexTouch`."""
    now = store.now()
    _refuse(store, command, now)
    index = _found(store, command.place, now)
    until = now + command.ttl_ms / 1000 + _GRACE_S if command.ttl_ms else math.inf
    index.touch(command.name, store.time_us(), until)
    store.indexes[command.place] = index


def enter(store: Store, command: IndexEnter) -> Entered:
    """Execute `IndexEnter`."""
    now = store.now()
    scope = store.owned(command, now)
    if scope is not None and scope.owner is not None and command.owner is None:
        return Entered(done=False, owner=scope.owner, renews_ms=scope.lives_ms)
    for each in command.touches:
        _refuse(store, each, now)
    for each in command.touches:
        touch(store, each if scope is None or scope.lives_ms is None else evolve(each, ttl_ms=0))
    return Entered(done=True)


def _refuse(store: Store, command: IndexTouch, now: float) -> None:
    store.fences.refuse(command.place, now)
    store.fences.refuse(command.place, now, command.name)


def read(store: Store, command: IndexRead) -> IndexPage:
    """Execute `IndexRead`."""
    after = None if command.after is None else command.after.touched_us
    found = _found(store, command.place, store.now()).rows(after, newest=command.newest)
    rows = tuple(islice(found, command.count))
    return IndexPage(rows, more=next(found, None) is not None)


def drop(store: Store, command: IndexDrop) -> bool:
    """Execute `IndexDrop`."""
    now = store.now()
    if command.fence:
        store.fences.put(command.place, now, command.name)
    index = _found(store, command.place, now)
    touched = index.touched(command.name)
    if touched is None or (command.untouched is not None and touched > command.untouched):
        return False
    index.drop(command.name)
    if not len(index):
        del store.indexes[command.place]
    return True


def fence(store: Store, command: IndexFence) -> None:
    """Execute `IndexFence`."""
    store.fences.put(command.place, store.now())


def size(store: Store, command: IndexSize) -> int:
    """Execute `IndexSize`."""
    return len(_found(store, command.place, store.now()))
