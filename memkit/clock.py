"""Time as an argument: wall time for stamps, monotonic time for intervals."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta

__all__ = ["Clock", "SystemClock", "from_us", "to_us"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


class Clock(ABC):
    """Where memkit takes the time from, and how it waits."""

    @abstractmethod
    def time_us(self) -> int:
        """Wall time in whole microseconds since 1970, UTC."""

    @abstractmethod
    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""

    @abstractmethod
    def sleep(self, seconds: float) -> None:
        """Wait in the calling thread."""

    @abstractmethod
    async def asleep(self, seconds: float) -> None:
        """Wait in the calling task."""


class SystemClock(Clock):
    """The clock of the machine."""

    def time_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exact in every year."""
    return (moment - _EPOCH) // _US


def from_us(us: int) -> datetime:
    """The aware UTC datetime at `us` microseconds since 1970.

    Raises:
        OverflowError: the moment is outside of the years 1 to 9999.
    """
    # Quicker than a timedelta of so many microseconds, and as exact.
    return _EPOCH + us * _US
