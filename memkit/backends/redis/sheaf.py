"""Several connections for each event loop, where one is not enough: calls go to them in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import cycle
from typing import Any

from memkit.backends.redis.calls import Commands
from memkit.backends.redis.loops import Loops

__all__ = ["Sheaf"]


class Sheaf:
    """An async link of several.

    Args:
        links: to the same server.
    """

    is_cluster = False

    def __init__(self, links: Sequence[Loops]) -> None:
        self._links = tuple(links)
        # One step of it is atomic, also for loops in several threads.
        self._turns = cycle(self._links)

    def __str__(self) -> str:
        return str(self._links[0])

    def begin(self, commands: Commands) -> asyncio.Future[list[Any]] | None:
        """See `Loops.begin`."""
        return next(self._turns).begin(commands)

    async def exchange(self, commands: Commands) -> list[Any]:
        """See `Loops.exchange`."""
        return await next(self._turns).exchange(commands)

    async def replies(self, commands: Commands) -> list[Any]:
        """See `Loops.replies`."""
        return await next(self._turns).replies(commands)

    def rediscover(self, *, leave: bool) -> None:
        """See `Loops.rediscover`; when the server is the wrong one, it is so for all."""
        for link in self._links:
            link.rediscover(leave=leave)

    async def aclose(self) -> None:
        """Close the connections of all loops."""
        for link in self._links:
            await link.aclose()
