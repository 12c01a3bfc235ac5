"""The kits: everything that memkit does over one store, each facet where it belongs."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from memkit.errors import ConfigurationError
from memkit.faces.admin import AsyncMemoryAdmin, MemoryAdmin
from memkit.faces.history import AsyncMessageHistory, MessageHistory
from memkit.faces.manager import AsyncMemoryManager, MemoryManager
from memkit.flows.base import Messages
from memkit.flows.history.opening import opened
from memkit.flows.history.window import many_windows
from memkit.inputs import UNSET, Unset
from memkit.interfaces.admin import IAsyncMemoryAdmin, IMemoryAdmin
from memkit.interfaces.history import Counter, IAsyncMessageHistory, IMessageHistory

__all__ = ["AsyncMemoryKit", "MemoryKit"]


def _over(manager: Any, kind: type[Any]) -> Any:
    """The manager, if a kit can stand on it."""
    if isinstance(manager, kind):
        return manager
    problem = f"a kit stands on a {kind.__name__}, and {type(manager).__name__} is none"
    cure = f"make the backend an IBackend (or IAsyncBackend) and its manager a subclass of {kind.__name__}"
    raise ConfigurationError([f"{problem}: histories and administration need what executes its commands; {cure}"])


class MemoryKit:
    """The four verbs, message histories and administration over one store.

    ``with MemoryKit(manager) as kit: kit.history("chat-1").append(UserMessage("hello"))``

    Args:
        manager: gives the store and its options; it belongs to the kit and is closed with it.

    Raises:
        ConfigurationError: it is none on which a kit can stand.
    """

    def __init__(self, manager: MemoryManager) -> None:
        self._manager: MemoryManager = _over(manager, MemoryManager)

    @property
    def manager(self) -> MemoryManager:
        """The four verbs."""
        return self._manager

    def history(
        self,
        conversation_id: str,
        user_id: str | None = None,
        *,
        counter: Counter | None = None,
        max_messages: int | Unset | None = UNSET,
        max_age: float | Unset | None = UNSET,
    ) -> IMessageHistory:
        """The messages of a conversation. Nothing is sent.

        Args:
            conversation_id: which conversation; any text that is not empty.
            user_id: on whose behalf; a conversation that belongs to somebody else is refused.
            counter: counts the tokens of messages that come without `tokens`; the count is stored with them.
            max_messages: how many messages appends leave, see `Options`; None is no bound; left out: the manager's.
            max_age: seconds after which appends drop messages, likewise.

        Raises:
            InvalidInputError: an argument is wrong.
        """
        engine = self._manager.engine
        conversation = opened(
            engine.context, conversation_id, user_id, counter, max_messages=max_messages, max_age=max_age
        )
        return MessageHistory(engine, conversation)

    def windows(
        self,
        conversation_ids: Iterable[str],
        user_id: str | None = None,
        *,
        last: int | None = None,
        tokens: int | None = None,
        counter: Counter | None = None,
    ) -> list[Messages]:
        """The windows of many conversations; in one round trip where the store can.

        Args:
            conversation_ids: which conversations.
            user_id: on whose behalf; None asks for no owner.
            last: see `IMessageHistory.window`.
            tokens: see `IMessageHistory.window`.
            counter: see `IMessageHistory.window`.

        Returns:
            For each conversation what its `window` would return, in order; none for one without messages.

        Raises:
            MemkitError: what `window` raises for one of them; then nothing is returned.
        """
        engine = self._manager.engine
        flow = many_windows(engine.context, conversation_ids, user_id, last, tokens, counter)
        return engine.run("windows", flow)

    @property
    def admin(self) -> IMemoryAdmin:
        """All conversations: listed, erased, exported, imported."""
        return MemoryAdmin(self._manager.engine)

    def ping(self) -> bool:
        """True if the store answers.

        Raises:
            BackendError: it does not.
        """
        return self._manager.ping()

    def close(self) -> None:
        """Close the manager. May be called twice."""
        self._manager.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self._manager!r}>"


class AsyncMemoryKit:
    """`MemoryKit` for asyncio.

    Args:
        manager: gives the store and its options; it belongs to the kit and is closed with it.

    Raises:
        ConfigurationError: it is none on which a kit can stand.
    """

    def __init__(self, manager: AsyncMemoryManager) -> None:
        self._manager: AsyncMemoryManager = _over(manager, AsyncMemoryManager)

    @property
    def manager(self) -> AsyncMemoryManager:
        """The four verbs."""
        return self._manager

    def history(
        self,
        conversation_id: str,
        user_id: str | None = None,
        *,
        counter: Counter | None = None,
        max_messages: int | Unset | None = UNSET,
        max_age: float | Unset | None = UNSET,
    ) -> IAsyncMessageHistory:
        """See `MemoryKit.history`; nothing is awaited."""
        engine = self._manager.engine
        conversation = opened(
            engine.context, conversation_id, user_id, counter, max_messages=max_messages, max_age=max_age
        )
        return AsyncMessageHistory(engine, conversation)

    async def windows(
        self,
        conversation_ids: Iterable[str],
        user_id: str | None = None,
        *,
        last: int | None = None,
        tokens: int | None = None,
        counter: Counter | None = None,
    ) -> list[Messages]:
        """See `MemoryKit.windows`."""
        engine = self._manager.engine
        flow = many_windows(engine.context, conversation_ids, user_id, last, tokens, counter)
        return await engine.run("windows", flow)

    @property
    def admin(self) -> IAsyncMemoryAdmin:
        """See `MemoryKit.admin`."""
        return AsyncMemoryAdmin(self._manager.engine)

    async def ping(self) -> bool:
        """See `MemoryKit.ping`."""
        return await self._manager.ping()

    async def aclose(self) -> None:
        """See `MemoryKit.close`."""
        await self._manager.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self._manager!r}>"
