"""A clock that a test moves."""

from __future__ import annotations

import asyncio
import math
import threading

from memkit.clock import Clock

__all__ = ["ManualClock"]


class ManualClock(Clock):
    """Time stands still until it is moved; whoever sleeps moves it and goes on at once. For threads.

    Args:
        start_us: wall time at the beginning, in microseconds since 1970; the default is in September 2001.
    """

    def __init__(self, start_us: int = 1_000_000_000_000_000) -> None:
        self._start_us = start_us
        self._passed_us = 0
        self._lock = threading.Lock()

    def advance(self, seconds: float) -> None:
        """Move on, wall time and monotonic time alike.

        Args:
            seconds: how far; rounded to microseconds.

        Raises:
            ValueError: it is negative or not finite: monotonic time never goes back.
        """
        if not 0 <= seconds < math.inf:
            raise ValueError("a clock moves by a finite number of seconds from 0")
        with self._lock:
            self._passed_us += round(seconds * 1_000_000)

    def time_us(self) -> int:
        return self._start_us + self._passed_us

    def monotonic(self) -> float:
        return self._passed_us / 1_000_000

    def sleep(self, seconds: float) -> None:
        """Advance."""
        self.advance(max(seconds, 0))

    async def asleep(self, seconds: float) -> None:
        """Advance, and let other tasks run."""
        self.advance(max(seconds, 0))
        await asyncio.sleep(0)
