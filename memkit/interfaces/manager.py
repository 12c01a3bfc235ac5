"""The interface of the four verbs, sync and async side by side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from memkit.errors import MemkitError
from memkit.flows.base import Memories
from memkit.flows.together import all_stored
from memkit.inputs import MemoryInput
from memkit.records import Memory

__all__ = ["IAsyncMemoryManager", "IMemoryManager", "InputLike"]


class InputFields(Protocol):
    """Any object with the fields of `MemoryInput`; fields that it lacks have their defaults."""

    conversation_id: str


InputLike = MemoryInput | InputFields | Mapping[str, Any]


class IMemoryManager(ABC):
    """Memories of conversations: store, retrieve, update, delete."""

    @abstractmethod
    def store(self, memory_input: InputLike) -> str:
        """Store the records in `data`.

        WORKING_MEMORY: replaces the one value; exactly one record. SHORT_TERM_MEMORY: appends all, in order, all or
        none; a record whose id is there already is not stored again and counts as stored. LONG_TERM_MEMORY: adds, or
        replaces by id, all or none. `metadata` is merged under each record's own. The time to live starts anew.

        Args:
            memory_input: uses `conversation_id`, `memory_type`, `data`, `metadata`, `user_id`, `ttl`, and for
                WORKING_MEMORY `expected_version` (0: only if nothing is stored).

        Returns:
            The id of the last record.

        Raises:
            InvalidInputError: a field is wrong; nothing was sent.
            InvalidRecordError: a value cannot be stored losslessly; nothing was sent.
            VersionConflictError: the stored version is another.
            OwnerMismatchError: the conversation belongs to another user.
            OutcomeUnknownError: no answer before the deadline; repeat with the id that it names.
            BackendError: the store failed; nothing was changed.
        """

    def store_many(self, memory_inputs: Iterable[InputLike]) -> list[str]:
        """Store many inputs, of one conversation or of many, each for itself; in one round trip where the store can.

        Args:
            memory_inputs: each as for `store`.

        Returns:
            For each input what `store` would return, in order.

        Raises:
            InvalidInputError: one of them is wrong, and is named; nothing was sent.
            BatchError: some were not stored, for reasons that it names; the others were.
        """
        stored, errors = dict[int, str](), dict[int, MemkitError]()
        for number, memory_input in enumerate(memory_inputs):
            try:
                stored[number] = self.store(memory_input)
            except MemkitError as error:
                errors[number] = error
        return all_stored(stored, errors)

    @abstractmethod
    def retrieve(self, memory_input: InputLike) -> Memories:
        """Retrieve records; an empty list if there are none.

        WORKING_MEMORY: none or one. SHORT_TERM_MEMORY: oldest to newest, `limit` keeps the last ones. LONG_TERM_MEMORY:
        newest first. With a `query`, the best match first, on every backend in the same order.

        Args:
            memory_input: uses `conversation_id`, `memory_type`, `memory_id`, `query`, `limit`, `filters`, `user_id`.

        Returns:
            The records; its `damaged` lists what could not be read, if ``on_corrupt="report"``.

        Raises:
            InvalidInputError: a field is wrong; nothing was sent.
            CorruptRecordError: a stored record is damaged, and ``on_corrupt="raise"``.
            UnknownRecordTypeError: the class of a stored record is not registered, likewise.
            OwnerMismatchError: the conversation belongs to another user.
            BackendError: the store failed; that is never an empty list.
        """

    def retrieve_many(self, memory_inputs: Iterable[InputLike]) -> list[Memories]:
        """Retrieve for many inputs, of one conversation or of many; in one round trip where the store can.

        Args:
            memory_inputs: each as for `retrieve`.

        Returns:
            For each input what `retrieve` would return, in order.

        Raises:
            MemkitError: what `retrieve` raises for one of them; then nothing is returned.
        """
        return [self.retrieve(memory_input) for memory_input in memory_inputs]

    @abstractmethod
    def update(self, memory_input: InputLike) -> Memory:
        """Replace the data of one record and merge `metadata` into its own; its id, age and place stay.

        Args:
            memory_input: uses `conversation_id`, `memory_type`, `memory_id` (not needed for WORKING_MEMORY), `data`
                (one record; may be empty to merge metadata only), `metadata`, `user_id`, `ttl`, `expected_version`.

        Returns:
            The record as it is stored now.

        Raises:
            InvalidInputError: a field is wrong; nothing was sent.
            MemoryNotFoundError: it is not there.
            VersionConflictError: the stored version is another.
            OwnerMismatchError: the conversation belongs to another user.
            OutcomeUnknownError: no answer before the deadline; it may have been applied.
            BackendError: the store failed; nothing was changed.
        """

    @abstractmethod
    def delete(self, memory_input: InputLike) -> int:
        """Delete one record, or without `memory_id` the whole memory of that type.

        Args:
            memory_input: uses `conversation_id`, `memory_type`, `memory_id`, `user_id`, `expected_version`.

        Returns:
            How many records were deleted; 0 if there were none.

        Raises:
            InvalidInputError: a field is wrong; nothing was sent.
            VersionConflictError: the stored version is another.
            OwnerMismatchError: the conversation belongs to another user.
            OutcomeUnknownError: no answer before the deadline; it may have been applied.
            BackendError: the store failed; nothing was changed.
        """

    @abstractmethod
    def ping(self) -> bool:
        """True if the store answers.

        Raises:
            BackendError: it does not.
        """

    @abstractmethod
    def close(self) -> None:
        """Give back what the manager opened; an injected client stays open. May be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class IAsyncMemoryManager(ABC):
    """`IMemoryManager` for asyncio: the same verbs, the same behaviour."""

    @abstractmethod
    async def store(self, memory_input: InputLike) -> str:
        """See `IMemoryManager.store`."""

    async def store_many(self, memory_inputs: Iterable[InputLike]) -> list[str]:
        """See `IMemoryManager.store_many`."""
        stored, errors = dict[int, str](), dict[int, MemkitError]()
        for number, memory_input in enumerate(memory_inputs):
            try:
                stored[number] = await self.store(memory_input)
            except MemkitError as error:
                errors[number] = error
        return all_stored(stored, errors)

    @abstractmethod
    async def retrieve(self, memory_input: InputLike) -> Memories:
        """See `IMemoryManager.retrieve`."""

    async def retrieve_many(self, memory_inputs: Iterable[InputLike]) -> list[Memories]:
        """See `IMemoryManager.retrieve_many`."""
        return [await self.retrieve(memory_input) for memory_input in memory_inputs]

    @abstractmethod
    async def update(self, memory_input: InputLike) -> Memory:
        """See `IMemoryManager.update`."""

    @abstractmethod
    async def delete(self, memory_input: InputLike) -> int:
        """See `IMemoryManager.delete`."""

    @abstractmethod
    async def ping(self) -> bool:
        """See `IMemoryManager.ping`."""

    @abstractmethod
    async def aclose(self) -> None:
        """See `IMemoryManager.close`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
