"""Branches in memory: what was cut off a log, each with its own time to live."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define

from memkit.backends.inmemory.parts import Part
from memkit.backends.inmemory.rewrite import answer
from memkit.backends.inmemory.slots import Log, Slot, size_of
from memkit.backends.inmemory.store import Store
from memkit.commands import BranchRow, LogBranches, LogCut, LogRestore, Outcome, Place, Rewritten

__all__ = ["Branches", "branches", "cut", "restore"]


@define
class _Branch:
    """What was cut off: behind which record and number, when (in wall time and monotonic seconds), and for how long."""

    after: bytes | str | None
    number: int
    slots: Sequence[Slot]
    created_us: int
    created: float
    expires: float = 0.0

    def row(self, branch_id: bytes) -> BranchRow:
        lasts = round((self.expires - self.created) * 1_000_000)
        return BranchRow(branch_id, self.after, len(self.slots), self.created_us, self.created_us + lasts)


class Branches(Part):
    """The branches of one log, oldest first."""

    __slots__ = ("kept",)

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[bytes, _Branch] = {}

    def forget(self) -> None:
        self.kept = {}

    def next_due(self) -> float | None:
        return min((branch.expires for branch in self.kept.values()), default=None)

    def last_due(self) -> float | None:
        return max((branch.expires for branch in self.kept.values()), default=None)

    def live_until(self, now: float, ttl_ms: int) -> None:
        """A branch may go sooner with the rest, but never stays for longer than it was to."""
        for branch in self.kept.values():
            branch.expires = min(branch.expires, now + ttl_ms / 1000) if ttl_ms else branch.expires

    def expire(self, now: float) -> None:
        for branch_id in [branch_id for branch_id, branch in self.kept.items() if branch.expires <= now]:
            branch = self.kept.pop(branch_id)
            self.tally(-len(branch.slots), -size_of(branch.slots))


def _place(command: LogCut | LogRestore | LogBranches) -> Place:
    return Place(command.place.scope, command.place.name, "branches")


def _of(store: Store, command: LogCut | LogRestore | LogBranches) -> Branches:
    scope = store.scope(command.place)
    part = None if scope is None else scope.parts.get("branches")
    return part if isinstance(part, Branches) else Branches()


def branches(store: Store, command: LogBranches) -> list[BranchRow]:
    """Execute `LogBranches`."""
    store.owned(command, store.now())
    return [branch.row(branch_id) for branch_id, branch in reversed(_of(store, command).kept.items())]


def cut(store: Store, command: LogCut) -> Rewritten:
    """Execute `LogCut`."""
    now = store.now()
    log = store.in_turn(command, Log, now) or Log()
    before = log.head - 1 if command.after is None else log.place_of(command.after)
    if before is None:
        return answer(store, command, Outcome.MISSING)
    inside = None if command.after is None else log.last_of_cut(before + 1)
    if inside is not None:
        return answer(store, command, Outcome.INSIDE, last=inside)
    slots = log.slots(before + 1, log.end)
    if not slots:
        return answer(store, command, Outcome.DONE)
    number = 0 if command.after is None else log.numbers[before]
    log.splice(before + 1, log.end, [])
    revision = store.enter(command.place).revise(store.time_us(), edited=True)
    _keep(store, command, command.branch, _Branch(command.after, number, slots, store.time_us(), now), now)
    store.changed(command.place, log, -len(slots), -size_of(slots))
    return Rewritten(Outcome.DONE, len(slots), revision)


def _keep(store: Store, command: LogCut | LogRestore, branch_id: bytes, branch: _Branch, now: float) -> None:
    """Keep a branch for as long as a command says."""
    branch.expires = now + command.grace_ms / 1000
    part = _of(store, command)
    before = part.kept.pop(branch_id, None)
    gone = [] if before is None else before.slots
    part.kept[branch_id] = branch
    store.enter(command.place).parts["branches"] = part
    store.changed(_place(command), part, len(branch.slots) - len(gone), size_of(branch.slots) - size_of(gone))


def restore(store: Store, command: LogRestore) -> Rewritten:
    """Execute `LogRestore`."""
    now = store.now()
    log = store.in_turn(command, Log, now) or Log()
    part = _of(store, command)
    branch = part.kept.get(command.branch)
    if branch is None:
        return answer(store, command, Outcome.MISSING)
    taken, put = _exchange(store, log, branch)
    time_us = store.time_us()
    scope = store.claim(command)
    scope.parts[command.place.part] = log
    revision = scope.revise(time_us, edited=True)
    log.live_until(now, scope.lifetime(command.ttl_ms, default=True))
    store.changed(command.place, log, len(put) - len(taken), size_of(put) - size_of(taken))
    del part.kept[command.branch]
    if taken:
        _keep(store, command, command.other, _Branch(branch.after, branch.number, taken, time_us, now), now)
    store.changed(_place(command), part, -len(branch.slots), -size_of(branch.slots))
    return Rewritten(Outcome.DONE, len(taken), revision, branch.after)


def _start(log: Log, branch: _Branch) -> int:
    """Behind the record after which a branch was cut; where that is gone, behind where it was."""
    if branch.after is None:
        return log.head
    before = log.place_of(branch.after)
    return log.place(branch.number + 1) if before is None else before + 1


def _exchange(store: Store, log: Log, branch: _Branch) -> tuple[list[Slot], list[Slot]]:
    """Put a branch in the place of what stands where it was cut; what that was, and what stands there now."""
    start = _start(log, branch)
    taken = log.slots(start, log.end)
    free = {slot.id for slot in taken}
    number = log.numbers[start - 1] if start > log.head else 0
    put: list[Slot] = []
    for slot in branch.slots:
        # Another record with this id may have moved in front of the place meanwhile.
        if slot.id not in log.index or slot.id in free:
            number = max(slot.number, number + 1)
            put.append(slot._replace(number=number))
    store.used(number)
    log.splice(start, log.end, put)
    return taken, put
