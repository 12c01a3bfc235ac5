"""What a backend is: something that executes commands. Implement one of these for a store of your own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

from memkit.commands import Command

__all__ = ["IAsyncBackend", "IBackend"]

T = TypeVar("T")


class IBackend(ABC):
    """A store for plain code. Every command is atomic: it happens whole, or not at all."""

    @abstractmethod
    def execute(self, command: Command[T]) -> T:
        """Do what the command says and return its result.

        Raises:
            OwnerMismatchError: the place belongs to another user.
            TurnHeldError: somebody else has the turn.
            TurnLostError: the turn that the command names is over.
            ErasedError: what it would write was erased a moment ago.
            OutcomeUnknownError: a write may or may not have been applied.
            BackendError: the store failed and nothing was changed.
        """

    def execute_many(self, commands: Sequence[Command[Any]]) -> list[Any]:
        """Execute reads, or touches of indexes, in order; where the store can, in one round trip."""
        return [self.execute(command) for command in commands]

    @abstractmethod
    def ping(self) -> bool:
        """True if the store answers."""

    @abstractmethod
    def close(self) -> None:
        """Give back what was opened. May be called twice."""


class IAsyncBackend(ABC):
    """A store for asyncio."""

    @abstractmethod
    async def execute(self, command: Command[T]) -> T:
        """See `IBackend.execute`."""

    async def execute_many(self, commands: Sequence[Command[Any]]) -> list[Any]:
        """See `IBackend.execute_many`."""
        return [await self.execute(command) for command in commands]

    @abstractmethod
    async def ping(self) -> bool:
        """See `IBackend.ping`."""

    @abstractmethod
    async def aclose(self) -> None:
        """See `IBackend.close`."""
