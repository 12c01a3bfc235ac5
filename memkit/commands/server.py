"""The store as a whole."""

from __future__ import annotations

from memkit.commands.base import Command
from memkit.shaping import value

__all__ = ["LeftoverPage", "Leftovers", "ServerState", "StoreState"]


@value
class StoreState:
    """What a store says of itself; None where it does not know.

    Attributes:
        server: name and version.
        used_bytes: memory in use.
        peak_bytes: the most that was ever in use.
        limit_bytes: bound on it; 0 is none.
        eviction: what it does at the bound.
        connected: number of clients.
    """

    server: str
    used_bytes: int | None = None
    peak_bytes: int | None = None
    limit_bytes: int | None = None
    eviction: str | None = None
    connected: int | None = None


@value
class ServerState(Command[StoreState]):
    """What the store says of itself. The place does not matter."""


@value
class LeftoverPage:
    """A part of a count.

    Attributes:
        count: how many keys were found.
        cursor: where to go on; None: that was all.
    """

    count: int
    cursor: int | None


@value
class Leftovers(Command[LeftoverPage]):
    """Count keys with data under a place's owner; fences are none. Looks at every key of the store, some at a time.

    Attributes:
        whole: all of the namespace, instead of only those of the place's owner.
        cursor: that of the page before.
    """

    whole: bool = False
    cursor: int = 0
