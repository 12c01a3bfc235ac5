"""The interface of message histories, sync and async side by side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any

from memkit.flows.base import Counter, Messages
from memkit.records import Message
from memkit.results import Branch, Compaction, ConversationInfo, RepairReport, Start

__all__ = ["AsyncSummarize", "Counter", "IAsyncMessageHistory", "IAsyncTurn", "IMessageHistory", "ITurn", "Summarize"]

Summarize = Callable[[Sequence[Message]], Message]
"""Makes one message of many."""

AsyncSummarize = Callable[[Sequence[Message]], Message | Awaitable[Message]]
"""The same; may be async."""


class IMessageHistory(ABC):
    """The messages of one conversation: the log that SHORT_TERM_MEMORY of the four verbs is, too.

    A *group* is an assistant message with tool calls and the results that follow it at once, or any other single
    message. No read for a model and no trim ever cuts one.

    Every method raises InvalidInputError if an argument is wrong, and InvalidRecordError if a value cannot be stored
    losslessly, before anything is sent; OwnerMismatchError if the
    conversation belongs to another user; OutcomeUnknownError if a write got no answer before the deadline; and
    BackendError if the store failed. Writes raise ErasedError for some minutes after the conversation was erased, and
    those that change messages raise TurnHeldError while somebody else has the turn. What reads a record raises
    CorruptRecordError if it is damaged; with ``on_corrupt="report"``, `window`, `messages` and `follow` leave it out,
    and the first two report it in `Messages.damaged`.
    """

    @property
    @abstractmethod
    def conversation_id(self) -> str:
        """Which conversation."""

    @property
    @abstractmethod
    def user_id(self) -> str | None:
        """On whose behalf."""

    @abstractmethod
    def append(self, *messages: Message, idempotency_key: str | None = None) -> list[str]:
        """Append messages, in order, all or none, and exactly once; their ids. The time to live starts anew.

        Args:
            messages: one or more. One whose id is there already is not stored again and counts as stored.
            idempotency_key: names this append, for a caller that may have to repeat it, from a new process too: a
                repeat stores nothing and returns the same ids, as long as the first of the messages is there. Messages
                of such an append have no ids of their own.
        """

    @abstractmethod
    def window(self, last: int | None = None, tokens: int | None = None, counter: Counter | None = None) -> Messages:
        """The messages to send to a model: valid by the rules of the chat APIs, however the history looks.

        The system messages that lead the history and pinned messages (with their groups) always stay. Then come the
        newest groups, as many as fit: the first that does not fit ends the window. Calls without all of their results,
        results without their call and second results of one call are left out, pinned or not. Costs as much as what it
        returns, however long the history is.

        Args:
            last: at most so many messages; those that always stay do not count.
            tokens: at most so many tokens, all messages counted.
            counter: counts messages that were stored without `tokens`; left out, that of the history.

        Returns:
            Oldest to newest, each message in its place. Without `last` and `tokens`: everything that is valid.

        Raises:
            InvalidInputError: an argument is wrong; or messages have no token count and no counter is given.
            WindowError: the newest of the groups that do not always stay has more messages than `last`; or what always
                stays, alone or together with it, has more than `tokens`.
        """

    @abstractmethod
    def messages(
        self,
        after: str | Start | None = None,
        before: str | Start | None = None,
        limit: int | None = None,
        role: str | None = None,
    ) -> Messages:
        """Messages as they are, oldest to newest: a delta, or a page from either end.

        ``messages(limit=50)`` is the last page and ``messages(before=page[0].id, limit=50)`` the one before it;
        ``messages(after=START, limit=50)`` is the first page and ``messages(after=page[-1].id, limit=50)`` the next.

        Args:
            after: only those behind the message with this id; the first `limit` of them.
            before: only those in front of the message with this id; the last `limit` of them unless `after` is given
                too.
            limit: at most so many; None is no bound.
            role: only ``system``, ``user``, ``assistant`` or ``tool``.

        Returns:
            As many as there are, up to `limit`: fewer than that means that there are no others.

        Raises:
            MemoryNotFoundError: the message of `after` or `before` is not there: removed, trimmed, or expired.
        """

    @abstractmethod
    def get(self, message_id: str) -> Message | None:
        """One message by its id, or None. Costs hardly more in a long history."""

    @abstractmethod
    def update(self, message_id: str, message: Message, expected_version: int | None = None) -> Message:
        """Replace a message; its id, age and place stay, its version rises. Metadata is replaced, not merged.

        Raises:
            MemoryNotFoundError: it is not there.
            VersionConflictError: the stored version is another.
        """

    @abstractmethod
    def remove(self, message_id: str) -> bool:
        """Remove a message. False: it was not there."""

    @abstractmethod
    def pop(self) -> Message | None:
        """Remove the last message and return it; None if there is none."""

    @abstractmethod
    def clear(self) -> int:
        """Remove all messages; how many there were. Other memories of the conversation stay; branches too."""

    @abstractmethod
    def count(self) -> int:
        """How many messages there are. Loads none."""

    @abstractmethod
    def info(self) -> ConversationInfo | None:
        """What is known of the conversation; None if it is absent."""

    @abstractmethod
    def set_title(self, title: str | None) -> None:
        """Set or take away the title.

        Args:
            title: the title; None takes it away.

        Raises:
            MemoryNotFoundError: the conversation is absent.
        """

    @abstractmethod
    def set_metadata(self, metadata: Mapping[str, Any] | None) -> None:
        """Set or take away the metadata of the conversation.

        Args:
            metadata: the same values as in `Memory.metadata`; None takes it away.

        Raises:
            MemoryNotFoundError: the conversation is absent.
        """

    @abstractmethod
    def expire(self, seconds: float) -> bool:
        """Let the whole conversation, all of its memories, live that long from now on. False: it is absent.

        Later changes of its messages renew this time, instead of the default one.

        Args:
            seconds: above zero; see `persist` for ever.
        """

    @abstractmethod
    def persist(self) -> bool:
        """Let the whole conversation live for ever. False: it is absent."""

    @abstractmethod
    def ttl(self) -> float | None:
        """Seconds until the last of the conversation is gone; `math.inf` if it lives for ever; None if it is absent."""

    @abstractmethod
    def fork(self, new_id: str, at: str | None = None) -> ConversationInfo:
        """Copy messages, title and metadata into a new conversation of the same user, in one atomic write.

        Records keep their ids, times and versions. The copy has the default time to live.

        Args:
            new_id: id of the new conversation.
            at: id of the last message to copy; None copies all.

        Raises:
            ConversationExistsError: the new conversation has messages already; nothing was changed.
            MemoryNotFoundError: `at` is not there, or there is nothing to copy.
            InvalidInputError: `at` would cut a group, or the new conversation is this one.
        """

    @abstractmethod
    def rewind(self, to: str | None, grace: float = 86_400) -> Branch | None:
        """Cut off everything after a message, and keep it in a branch: to edit and resend without losing the original.

        Args:
            to: id of the last message that stays; None cuts off all.
            grace: seconds for which the branch is kept.

        Raises:
            MemoryNotFoundError: the message is not there.
            InvalidInputError: it would cut a group.
        """

    @abstractmethod
    def branches(self) -> list[Branch]:
        """The branches that are kept, newest first."""

    @abstractmethod
    def restore(self, branch_id: str, grace: float = 86_400) -> Branch | None:
        """Put a branch back where it was cut off; what stands there now becomes a branch in its turn.

        Args:
            branch_id: id of the branch.
            grace: seconds for which that other branch is kept.

        Raises:
            MemoryNotFoundError: the branch is not there: never made, restored, or its grace time is over.
        """

    @abstractmethod
    def compact(self, through: str, summary: Message, expected_revision: int | None = None) -> Compaction:
        """Replace the messages from the first through a given one by a summary, in one atomic swap.

        Leading system messages, pinned messages and the groups in which they are stay.

        Args:
            through: id of the last message of the range; it must end a group.
            summary: stands where the range began, behind leading system messages; neither with calls nor a result.
            expected_revision: only if the conversation is at this revision.

        Raises:
            MemoryNotFoundError: the message is not there.
            InvalidInputError: the range would cut a group, or nothing in it may be replaced.
            RevisionConflictError: the conversation has changed; nothing was changed.
        """

    @abstractmethod
    def compact_with(self, summarize: Summarize, keep_last: int = 20) -> Compaction | None:
        """Summarize all but the last messages with a function, and swap the summary in; None if there is nothing to do.

        The function is called on the messages that it shall replace. Messages that arrive meanwhile are kept. If any of
        the others changed meanwhile, nothing is swapped and the function is called anew, a few times.

        Args:
            summarize: makes a message of a sequence of messages.
            keep_last: at least so many messages are left as they are; more, where they would begin inside of a group.

        Raises:
            ContentionError: the range changed each time.
        """

    @abstractmethod
    def repair(self) -> RepairReport:
        """Make every group whole after a crash: all of it in one atomic swap.

        A call without result gets one that says that it was interrupted (`is_error`). A result that stands away from
        its call is put behind it: the nearest before it that has none, else the nearest behind it. A result whose call
        is not there, or is answered already, is taken out. All other messages stay as they are.
        """

    @abstractmethod
    def turn(self, ttl: float = 30, wait: float = 0) -> AbstractContextManager[ITurn]:
        """Take the turn: until it is over, nobody else can change the messages.

        ``with history.turn() as turn: turn.append(...)``. The turn is a history; its writes carry its number, and the
        server refuses them once the turn is over, even if the writer has not noticed.

        Args:
            ttl: seconds after which it is over, if it is not given back or renewed before.
            wait: seconds to wait for somebody else's turn to end.

        Raises:
            TurnHeldError: somebody else has the turn, after all of `wait`.
            InvalidInputError: an argument is wrong, or this history is a turn itself.
        """

    @abstractmethod
    def follow(
        self, after: str | Start | None = None, poll: float = 0.5, timeout: float | None = None
    ) -> Iterator[Message]:
        """Iterate over new messages as they come; each once, in order, without a gap over lost connections.

        Nothing is read before the first step of the iteration.

        Args:
            after: begin behind the message with this id, or at START; None: behind the last one that is there at the
                first step.
            poll: seconds between two looks while nothing comes; right after a message it looks sooner.
            timeout: end when nothing came for so many seconds; None waits for ever.

        Raises:
            MemoryNotFoundError: the message of `after` is not there.
        """


class ITurn(IMessageHistory):
    """A history during a turn. What changes messages raises TurnLostError once the turn is over."""

    @property
    @abstractmethod
    def number(self) -> int:
        """Rises with every turn of the conversation."""

    @abstractmethod
    def renew(self, ttl: float | None = None) -> None:
        """Let the turn last that many seconds from now on; left out, as many as at first.

        Raises:
            TurnLostError: it was over already.
        """


class IAsyncMessageHistory(ABC):
    """`IMessageHistory` for asyncio: the same methods, the same behaviour."""

    @property
    @abstractmethod
    def conversation_id(self) -> str:
        """See `IMessageHistory.conversation_id`."""

    @property
    @abstractmethod
    def user_id(self) -> str | None:
        """See `IMessageHistory.user_id`."""

    @abstractmethod
    async def append(self, *messages: Message, idempotency_key: str | None = None) -> list[str]:
        """See `IMessageHistory.append`."""

    @abstractmethod
    async def window(
        self, last: int | None = None, tokens: int | None = None, counter: Counter | None = None
    ) -> Messages:
        """See `IMessageHistory.window`."""

    @abstractmethod
    async def messages(
        self,
        after: str | Start | None = None,
        before: str | Start | None = None,
        limit: int | None = None,
        role: str | None = None,
    ) -> Messages:
        """See `IMessageHistory.messages`."""

    @abstractmethod
    async def get(self, message_id: str) -> Message | None:
        """See `IMessageHistory.get`."""

    @abstractmethod
    async def update(self, message_id: str, message: Message, expected_version: int | None = None) -> Message:
        """See `IMessageHistory.update`."""

    @abstractmethod
    async def remove(self, message_id: str) -> bool:
        """See `IMessageHistory.remove`."""

    @abstractmethod
    async def pop(self) -> Message | None:
        """See `IMessageHistory.pop`."""

    @abstractmethod
    async def clear(self) -> int:
        """See `IMessageHistory.clear`."""

    @abstractmethod
    async def count(self) -> int:
        """See `IMessageHistory.count`."""

    @abstractmethod
    async def info(self) -> ConversationInfo | None:
        """See `IMessageHistory.info`."""

    @abstractmethod
    async def set_title(self, title: str | None) -> None:
        """See `IMessageHistory.set_title`."""

    @abstractmethod
    async def set_metadata(self, metadata: Mapping[str, Any] | None) -> None:
        """See `IMessageHistory.set_metadata`."""

    @abstractmethod
    async def expire(self, seconds: float) -> bool:
        """See `IMessageHistory.expire`."""

    @abstractmethod
    async def persist(self) -> bool:
        """See `IMessageHistory.persist`."""

    @abstractmethod
    async def ttl(self) -> float | None:
        """See `IMessageHistory.ttl`."""

    @abstractmethod
    async def fork(self, new_id: str, at: str | None = None) -> ConversationInfo:
        """See `IMessageHistory.fork`."""

    @abstractmethod
    async def rewind(self, to: str | None, grace: float = 86_400) -> Branch | None:
        """See `IMessageHistory.rewind`."""

    @abstractmethod
    async def branches(self) -> list[Branch]:
        """See `IMessageHistory.branches`."""

    @abstractmethod
    async def restore(self, branch_id: str, grace: float = 86_400) -> Branch | None:
        """See `IMessageHistory.restore`."""

    @abstractmethod
    async def compact(self, through: str, summary: Message, expected_revision: int | None = None) -> Compaction:
        """See `IMessageHistory.compact`."""

    @abstractmethod
    async def compact_with(self, summarize: AsyncSummarize, keep_last: int = 20) -> Compaction | None:
        """See `IMessageHistory.compact_with`."""

    @abstractmethod
    async def repair(self) -> RepairReport:
        """See `IMessageHistory.repair`."""

    @abstractmethod
    def turn(self, ttl: float = 30, wait: float = 0) -> AbstractAsyncContextManager[IAsyncTurn]:
        """See `IMessageHistory.turn`."""

    @abstractmethod
    def follow(
        self, after: str | Start | None = None, poll: float = 0.5, timeout: float | None = None
    ) -> AsyncIterator[Message]:
        """See `IMessageHistory.follow`."""


class IAsyncTurn(IAsyncMessageHistory):
    """`ITurn` for asyncio: the same methods, the same behaviour."""

    @property
    @abstractmethod
    def number(self) -> int:
        """See `ITurn.number`."""

    @abstractmethod
    async def renew(self, ttl: float | None = None) -> None:
        """See `ITurn.renew`."""
