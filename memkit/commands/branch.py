"""Branches: pieces cut from the end of a log, kept for a while so that they can be put back."""

from __future__ import annotations

from typing import ClassVar

from memkit.commands.base import InTurn, Owned
from memkit.commands.log import Rewritten
from memkit.shaping import value

__all__ = ["BranchRow", "LogBranches", "LogCut", "LogRestore"]


@value
class BranchRow:
    """A branch.

    Attributes:
        id: its 16 bytes.
        after: wire form of the id of the record after which it was cut; None: all was cut.
        count: how many records it holds.
        created_us: when it was cut.
        expires_us: when it goes.
    """

    id: bytes
    after: bytes | str | None
    count: int
    created_us: int
    expires_us: int


@value
class LogCut(InTurn[Rewritten]):
    """Cut off all records after one, and keep them in a branch. Without records there, no branch is made.

    Attributes:
        after: wire form of its id; None cuts off all.
        branch: 16 bytes, id of the branch.
        grace_ms: milliseconds for which the branch is kept.
    """

    after: bytes | str | None
    branch: bytes
    grace_ms: int


@value
class LogBranches(Owned[list[BranchRow]]):
    """The branches, newest first."""


@value
class LogRestore(InTurn[Rewritten]):
    """Put a branch back where it was cut; what stands there now is cut off in its turn, and kept in another branch.

    The outcome is DONE, or MISSING: there is no such branch any more. `count` says how many records were cut off.

    Attributes:
        ttl_ms: milliseconds to live from now on, unless `AboutExpire` set another; 0 is for ever.
        branch: 16 bytes, id of the branch to put back; it is gone afterwards.
        other: 16 bytes, id of the branch for what is cut off.
        grace_ms: milliseconds for which that is kept.
    """

    default_ttl: ClassVar[bool] = True

    ttl_ms: int
    branch: bytes
    other: bytes
    grace_ms: int
