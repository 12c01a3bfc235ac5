"""What structures of records by id share: looking at one, removing one, removing all."""

from __future__ import annotations

from abc import abstractmethod

from memkit.backends.inmemory.parts import Part
from memkit.backends.inmemory.store import Store
from memkit.commands import LogRemove, Place, Swap, TableRemove

__all__ = ["Keyed", "clear_all", "remove_one"]


class Keyed(Part):
    """A structure whose records have ids."""

    __slots__ = ()

    @abstractmethod
    def at(self, record_id: bytes | str) -> bytes | None:
        """The bytes of a record, or None."""

    @abstractmethod
    def take(self, record_id: bytes | str) -> None:
        """Take out a record that is there."""


def remove_one(store: Store, command: LogRemove | TableRemove, part: Keyed | None) -> Swap:
    """Remove a record, if its bytes are those that the command expects."""
    current = None if part is None else part.at(command.id)
    if part is None or current is None or command.old not in (None, current):
        return Swap(done=False, current=current)
    part.take(command.id)
    store.changed(command.place, part, -1, -len(current))
    return Swap(done=True)


def clear_all(store: Store, place: Place, part: Keyed | None) -> int:
    """Remove all records; how many there were."""
    if part is None:
        return 0
    count = part.records
    store.changed(place, part, -count, -part.size)
    return count
