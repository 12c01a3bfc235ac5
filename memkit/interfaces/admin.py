"""The interface of what an operator does with all conversations, sync and async side by side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import IO

from memkit.results import ConversationInfo, EraseReceipt, ImportReport, OnProgress, Page, Stats

__all__ = ["IAsyncMemoryAdmin", "IMemoryAdmin", "Lines"]

Lines = IO[bytes] | Iterable[bytes]
"""A binary file, or any iterable of lines."""


class IMemoryAdmin(ABC):
    """All conversations of a namespace: listed, erased, exported, imported.

    Every method raises BackendError if the store failed, and InvalidInputError if an argument is wrong.
    """

    @abstractmethod
    def conversations(
        self, user_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[ConversationInfo]:
        """List conversations, those with the newest activity first.

        Activity is noted when a conversation is new, and then at most once in ten seconds. What has expired is left
        out, so a page may hold fewer than `limit`.

        Args:
            user_id: only those that this user claimed; None lists all.
            limit: how many on a page, up to 1,000.
            cursor: that of the page before; None is the first page.

        Returns:
            The page; its `cursor` is None on the last one.
        """

    @abstractmethod
    def erase(
        self,
        *,
        user_id: str | None = None,
        conversation_id: str | None = None,
        namespace: bool = False,
        dry_run: bool = False,
    ) -> EraseReceipt:
        """Erase all data of a user, of a conversation, or of the namespace: exactly one of them is given.

        Each conversation goes in one atomic step, with its name; then all is looked for once more. For some minutes,
        writes to what was erased are refused with ErasedError, so that no late write can bring anything back. An erase
        that was interrupted is completed by calling it again.

        Args:
            user_id: whose conversations.
            conversation_id: which conversation, whoever owns it.
            namespace: everything.
            dry_run: only count.

        Returns:
            A receipt, with counts for each kind.
        """

    @abstractmethod
    def export(
        self, *, user_id: str | None = None, conversation_id: str | None = None, on_progress: OnProgress | None = None
    ) -> Iterator[bytes]:
        """Everything that is stored, as lines of JSON, each ending in a newline.

        Records are exact: ids, times, versions and times to live included. A conversation that is written to meanwhile
        is exported as it was at some moment of each of its pages. Branches and turns are left out.

        Args:
            user_id: only the conversations of this user.
            conversation_id: only this one.
            on_progress: called after each conversation.
        """

    @abstractmethod
    def import_(self, lines: Lines, *, on_progress: OnProgress | None = None) -> ImportReport:
        """Store what `export` wrote, into any backend.

        What is there already stays as it is, so an import that was interrupted is completed by repeating it. Times to
        live count from the export on: what has expired meanwhile is left out.

        Args:
            lines: a binary file, or any iterable of lines.
            on_progress: called after each conversation.

        Raises:
            ImportFormatError: a line is damaged or of a newer format; names the line. What stands before it is stored.
        """

    @abstractmethod
    def stats(self) -> Stats:
        """What the store says of itself."""


class IAsyncMemoryAdmin(ABC):
    """`IMemoryAdmin` for asyncio: the same methods, the same behaviour."""

    @abstractmethod
    async def conversations(
        self, user_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[ConversationInfo]:
        """See `IMemoryAdmin.conversations`."""

    @abstractmethod
    async def erase(
        self,
        *,
        user_id: str | None = None,
        conversation_id: str | None = None,
        namespace: bool = False,
        dry_run: bool = False,
    ) -> EraseReceipt:
        """See `IMemoryAdmin.erase`."""

    @abstractmethod
    def export(
        self, *, user_id: str | None = None, conversation_id: str | None = None, on_progress: OnProgress | None = None
    ) -> AsyncIterator[bytes]:
        """See `IMemoryAdmin.export`."""

    @abstractmethod
    async def import_(self, lines: Lines, *, on_progress: OnProgress | None = None) -> ImportReport:
        """See `IMemoryAdmin.import_`."""

    @abstractmethod
    async def stats(self) -> Stats:
        """See `IMemoryAdmin.stats`."""
