"""What is known about a conversation as a whole, its time to live, its turns, and its erasure."""

from __future__ import annotations

from memkit.backends.inmemory.branch import Branches
from memkit.backends.inmemory.parts import Part, left_ms
from memkit.backends.inmemory.record import Record
from memkit.backends.inmemory.scope import Scope
from memkit.backends.inmemory.slots import Log
from memkit.backends.inmemory.store import Store
from memkit.backends.inmemory.table import Table
from memkit.commands import (
    About,
    AboutErase,
    AboutExpire,
    AboutRead,
    AboutSet,
    Erased,
    Place,
    TurnEnd,
    TurnGrant,
    TurnRenew,
    TurnTake,
)

__all__ = ["erase", "expire", "read", "turn_end", "turn_renew", "turn_take", "write"]


def read(store: Store, command: AboutRead) -> About | None:
    """Execute `AboutRead`."""
    now = store.now()
    scope = store.owned(command, now)
    if scope is None:
        return None
    log, wm = _part(scope, Log), _part(scope, Record)
    return About(
        owner=scope.owner,
        title=scope.title,
        metadata=scope.metadata,
        created_us=scope.created_us,
        revision=scope.revision,
        edits=scope.edits,
        count=0 if log is None else log.records,
        lives_ms=_lives_ms(scope, now),
        log_ms=None if log is None else left_ms(log.expires, now),
        wm_ms=None if wm is None else left_ms(wm.expires, now),
        renews_ms=scope.lives_ms,
    )


def _part(scope: Scope, kind: type[Part]) -> Part | None:
    return next((part for part in scope.parts.values() if isinstance(part, kind)), None)


def _lives_ms(scope: Scope, now: float) -> int:
    """Milliseconds until the last of all parts is gone; 0 is never."""
    left = [left_ms(part.last_due(), now) for part in scope.parts.values()]
    return max(left) if all(left) else 0


def write(store: Store, command: AboutSet) -> bool:
    """Execute `AboutSet`."""
    if store.opened(command, store.now()) is None:
        return False
    store.make_room(command, 0, store.growth(command.place, command.title, command.metadata))
    store.claim(command)
    store.describe(command.place, command.title, command.metadata)
    return True


def expire(store: Store, command: AboutExpire) -> bool:
    """Execute `AboutExpire`."""
    now = store.now()
    scope = store.opened(command, now)
    if scope is None:
        return False
    store.claim(command).lives_ms = command.ttl_ms
    for name, part in scope.parts.items():
        part.live_until(now, command.ttl_ms)
        store.changed(Place(command.place.scope, command.place.name, name), part, 0, 0)
    return True


def erase(store: Store, command: AboutErase) -> Erased:
    """Execute `AboutErase`."""
    now = store.now()
    scope = store.live(command.place, now)
    if scope is not None and command.owner not in (None, scope.owner):
        return Erased(theirs=True)
    found = Erased() if scope is None else _counted(scope)
    if not command.dry:
        store.turns.forget(command.place)
        store.fences.put(command.place, now)
        if scope is not None:
            store.drop((command.place.scope, command.place.name))
    return found


def _counted(scope: Scope) -> Erased:
    def count(kind: type[Part]) -> int:
        return sum(part.records for part in scope.parts.values() if isinstance(part, kind))

    return Erased(messages=count(Log), working=count(Record), long_term=count(Table), branched=count(Branches))


def turn_take(store: Store, command: TurnTake) -> TurnGrant:
    """Execute `TurnTake`."""
    now = store.now()
    store.opened(command, now)
    return store.turns.take(command.place, command.ttl_ms, now, store.time_us())


def turn_renew(store: Store, command: TurnRenew) -> bool:
    """Execute `TurnRenew`."""
    now = store.now()
    store.opened(command, now)
    return store.turns.renew(command.place, command.number, command.ttl_ms, now)


def turn_end(store: Store, command: TurnEnd) -> bool:
    """Execute `TurnEnd`."""
    now = store.now()
    store.opened(command, now)
    return store.turns.end(command.place, command.number, now)
