"""What a backend is: something that executes commands. Implement one of these for a store of your own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Any, Final, Protocol, TypeVar

from memkit.commands import Command
from memkit.errors import MemkitError

__all__ = ["ABSENT", "Absent", "AsyncTails", "IAsyncBackend", "IBackend", "Key", "Tails"]

T = TypeVar("T")


class Absent(Enum):
    """Type of `ABSENT`."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
"""Stands for "nothing is kept" where None is a result."""


Key = tuple[Any, ...]
"""What a result depends on beside the store; begins with the id of the conversation."""


class Tails(Protocol):
    """Results of reads that a backend keeps for as long as they are right."""

    def find(self, key: Key | None) -> Any:
        """What is kept under a key, as a list of the caller's own where it is one; else `ABSENT`."""

    def fill(self, key: Key, read: Callable[[], T]) -> T:
        """Read, keep what came out if nothing speaks against it, and return it."""


class AsyncTails(Protocol):
    """`Tails` for asyncio."""

    def find(self, key: Key | None) -> Any:
        """See `Tails.find`; nothing is awaited."""

    async def fill(self, key: Key, read: Callable[[], Awaitable[T]]) -> T:
        """See `Tails.fill`."""


class IBackend(ABC):
    """A store for plain code. Every command is atomic: it happens whole, or not at all.

    Attributes:
        tails: what keeps results of reads; None: nothing does.
    """

    tails: Tails | None = None

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

    def execute_each(self, commands: Sequence[Command[Any]]) -> list[Any]:
        """Execute commands of any kind, each for itself, where the store can in one round trip.

        Returns:
            Their results; in the place of one that failed the error that `execute` would raise.
        """
        results: list[Any] = []
        for command in commands:
            try:
                results.append(self.execute(command))
            except MemkitError as error:
                results.append(error)
        return results

    @abstractmethod
    def ping(self) -> bool:
        """True if the store answers."""

    @abstractmethod
    def close(self) -> None:
        """Give back what was opened. May be called twice."""


class IAsyncBackend(ABC):
    """A store for asyncio.

    Attributes:
        tails: see `IBackend`.
    """

    tails: AsyncTails | None = None

    @abstractmethod
    async def execute(self, command: Command[T]) -> T:
        """See `IBackend.execute`."""

    async def execute_many(self, commands: Sequence[Command[Any]]) -> list[Any]:
        """See `IBackend.execute_many`."""
        return [await self.execute(command) for command in commands]

    async def execute_each(self, commands: Sequence[Command[Any]]) -> list[Any]:
        """See `IBackend.execute_each`."""
        results: list[Any] = []
        for command in commands:
            try:
                results.append(await self.execute(command))
            except MemkitError as error:
                results.append(error)
        return results

    @abstractmethod
    async def ping(self) -> bool:
        """See `IBackend.ping`."""

    @abstractmethod
    async def aclose(self) -> None:
        """See `IBackend.close`."""
