"""The Redis backend with results of reads that are kept, in both colours: a write drops what it may change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import Token
from typing import Any, TypeVar

from memkit.backends.redis.driver import AsyncRedisBackend, RedisBackend
from memkit.backends.redis.tails import FILLING, Fill
from memkit.backends.redis.tracking import AsyncTracking, Tracking
from memkit.commands import Command, Effect, Place

__all__ = ["AsyncTrackedBackend", "TrackedBackend"]

T = TypeVar("T")


def _changed(commands: Iterable[Command[Any]]) -> list[Place]:
    return [command.place for command in commands if command.effect is not Effect.READ]


def _begun(tracking: Tracking | AsyncTracking, places: Iterable[Place]) -> Token[Fill | None]:
    """Something is to be written there."""
    tracking.drop(places)
    # It is no part of a read that is going on: a counter of tokens may call anything.
    return FILLING.set(None)


def _ended(tracking: Tracking | AsyncTracking, places: Iterable[Place], token: Token[Fill | None]) -> None:
    """It was written, or not."""
    FILLING.reset(token)
    tracking.drop(places)


class TrackedBackend(RedisBackend):
    """A `RedisBackend` that keeps results.

    Args:
        link: keeps them.
        more: the other arguments of `RedisBackend`.
    """

    def __init__(self, link: Tracking, *more: Any) -> None:
        super().__init__(link, *more)
        self.tails = self._tracking = link

    def execute(self, command: Command[T]) -> T:
        if command.effect is Effect.READ:
            return super().execute(command)
        token = _begun(self._tracking, (command.place,))
        try:
            return super().execute(command)
        finally:
            _ended(self._tracking, (command.place,), token)

    def execute_each(self, commands: Sequence[Command[Any]]) -> list[Any]:
        places = _changed(commands)
        token = _begun(self._tracking, places)
        try:
            return super().execute_each(commands)
        finally:
            _ended(self._tracking, places, token)


class AsyncTrackedBackend(AsyncRedisBackend):
    """`TrackedBackend` for asyncio.

    Args:
        link: keeps results.
        more: the other arguments of `AsyncRedisBackend`.
    """

    def __init__(self, link: AsyncTracking, *more: Any) -> None:
        super().__init__(link, *more)
        self.tails = self._tracking = link

    async def execute(self, command: Command[T]) -> T:
        if command.effect is Effect.READ:
            return await super().execute(command)
        token = _begun(self._tracking, (command.place,))
        try:
            return await super().execute(command)
        finally:
            _ended(self._tracking, (command.place,), token)

    async def execute_each(self, commands: Sequence[Command[Any]]) -> list[Any]:
        places = _changed(commands)
        token = _begun(self._tracking, places)
        try:
            return await super().execute_each(commands)
        finally:
            _ended(self._tracking, places, token)
