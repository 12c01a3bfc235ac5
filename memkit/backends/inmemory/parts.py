"""What the data structures of the in-memory backend share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

__all__ = ["Part", "left_ms"]


class Part(ABC):
    """One data structure of a conversation.

    Attributes:
        begins: it is what a conversation begins with: when it expires, nobody knows any more when it was begun.
        expires: monotonic seconds at which all of it is gone; None is never.
        queued: when the store will look at it next; None: it is not in the store's queue.
        records: how many records it holds.
        size: how many bytes they take.
    """

    __slots__ = ("expires", "queued", "records", "size")

    begins: ClassVar[bool] = False

    def __init__(self) -> None:
        self.expires: float | None = None
        self.queued: float | None = None
        self.records = 0
        self.size = 0

    def live_until(self, now: float, ttl_ms: int) -> None:
        """Let all of it live that long from now; 0 is for ever."""
        self.expires = now + ttl_ms / 1000 if ttl_ms else None

    def next_due(self) -> float | None:
        """When something in it expires next."""
        return self.expires

    def last_due(self) -> float | None:
        """When the last of it expires; None is never."""
        return self.expires

    def tally(self, records: int, size: int) -> None:
        """Add to the counts."""
        self.records += records
        self.size += size

    @abstractmethod
    def forget(self) -> None:
        """Let go of all data: the store's queue may hold the part for longer than anybody can read it."""

    @abstractmethod
    def expire(self, now: float) -> None:
        """Forget what has expired by now."""


def left_ms(due: float | None, now: float) -> int:
    """Milliseconds until something that is still there expires; 0 is never."""
    return 0 if due is None else max(round((due - now) * 1000), 1)
