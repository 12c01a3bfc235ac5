"""Where the primary is: the address itself, or what the sentinels say."""

from __future__ import annotations

from attrs import frozen

from memkit.backends.redis.target import Target
from memkit.retrying import remaining

__all__ = ["Address", "AsyncFinder", "Finder", "Timeouts"]

Address = tuple[str, int]


@frozen
class Timeouts:
    """Seconds.

    Attributes:
        connect: to open a connection.
        attempt: for one try, from sending to the last reply.
    """

    connect: float = 2.0
    attempt: float = 2.0

    def within(self, seconds: float) -> Timeouts:
        """No longer than that."""
        bound = max(seconds, 0.001)
        return Timeouts(min(self.connect, bound), min(self.attempt, bound))

    def patience(self) -> float:
        """How long one step of the running call may take."""
        left = remaining()
        return self.attempt if left is None else min(left, self.attempt)


_NOWHERE: Address = ("", 0)


class Finder:
    """Finds the primary for the sync link.

    Args:
        target: the server, or the sentinels that know it.
        timeouts: of asking a sentinel.
    """

    def __init__(self, target: Target, timeouts: Timeouts) -> None:
        self._target = target
        self._timeouts = timeouts
        self._known: Address | None = None

    def find(self) -> Address:
        """Its address.

        Raises:
            Down: no sentinel knows.
        """
        if self._target.mode != "sentinel":
            return self._target.addresses[0] if self._target.addresses else _NOWHERE
        if self._known is None:
            self._known = self._ask()
        return self._known

    def forget(self) -> None:
        """Ask again the next time."""
        self._known = None

    def _ask(self) -> Address:
        from memkit.backends.redis.sentinels import ask  # noqa: PLC0415 - it loads redis-py, which takes a while

        return ask(self._target, self._timeouts)


class AsyncFinder:
    """`Finder` for the async link.

    Args:
        target: the server, or the sentinels that know it.
        timeouts: of asking a sentinel.
    """

    def __init__(self, target: Target, timeouts: Timeouts) -> None:
        self._target = target
        self._timeouts = timeouts
        self._known: Address | None = None

    async def find(self) -> Address:
        """See `Finder.find`."""
        if self._target.mode != "sentinel":
            return self._target.addresses[0] if self._target.addresses else _NOWHERE
        if self._known is None:
            self._known = await self._ask()
        return self._known

    def forget(self) -> None:
        """Ask again the next time."""
        self._known = None

    async def _ask(self) -> Address:
        from memkit.backends.redis.sentinels import aask  # noqa: PLC0415 - as in `Finder`

        return await aask(self._target, self._timeouts)
