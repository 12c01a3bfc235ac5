"""What the pieces on histories and administration stand on: one view of both colours, and scripts for conversations."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, cast

import pytest

from memkit.faces.kit import AsyncMemoryKit, MemoryKit
from memkit.flows.base import Messages
from memkit.interfaces import IAsyncMemoryManager
from memkit.interfaces.admin import IMemoryAdmin
from memkit.interfaces.history import IMessageHistory
from memkit.records import AssistantMessage, Memory, Message, SystemMessage, ToolCall, ToolMessage, UserMessage
from memkit.testing._contract.base import Contract, Make, Subject, texts

__all__ = ["HistoryPiece", "Kit", "MakeKit", "Summarizer", "is_valid", "names", "script", "tell"]

_WORD = re.compile(r"(?P<name>([suat])\w*)(?:\((?P<calls>[\w,]+)\))?(?:=(?P<call>\w+))?(?P<pinned>!)?")
_CLASSES: dict[str, type[Message]] = {"s": SystemMessage, "u": UserMessage, "a": AssistantMessage, "t": ToolMessage}


class Kit:
    """A kit of either colour as plain methods.

    Args:
        manager: what the kit is over.
    """

    def __init__(self, manager: Subject) -> None:
        self.manager = manager
        self.is_async = isinstance(manager.manager, IAsyncMemoryManager)
        face: Any = AsyncMemoryKit if self.is_async else MemoryKit
        self._kit = face(manager.manager)

    def history(self, conversation_id: str = "c", **options: Any) -> IMessageHistory:
        """A history as plain methods."""
        return cast("IMessageHistory", self._plain(self.raw(conversation_id, **options)))

    def raw(self, conversation_id: str = "c", **options: Any) -> Any:
        """A history of the kit's own colour."""
        return self._kit.history(conversation_id, **options)

    def windows(self, conversation_ids: Any, *given: Any, **bounds: Any) -> list[Messages]:
        """The windows of many conversations."""
        return cast("list[Messages]", self.manager.wait(self._kit.windows(conversation_ids, *given, **bounds)))

    @property
    def admin(self) -> IMemoryAdmin:
        """The administration as plain methods."""
        return cast("IMemoryAdmin", self._plain(self._kit.admin))

    def _plain(self, inner: Any) -> Any:
        return _Plain(inner, self.manager.wait) if self.is_async else inner

    def together(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """Make calls of the kit's own colour at the same time: results and exceptions, in the order of the calls."""
        if self.is_async:
            return cast("list[Any]", self.manager.wait(_gathered(calls)))
        with ThreadPoolExecutor(len(calls)) as threads:
            running = [threads.submit(call) for call in calls]
            return [call.exception() or call.result() for call in running]


async def _gathered(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    return await asyncio.gather(*(call() for call in calls), return_exceptions=True)


class _Plain:
    """Something async as plain methods: awaited, entered and iterated in one event loop."""

    def __init__(self, inner: Any, wait: Callable[[Any], Any]) -> None:
        self._inner = inner
        self._wait = wait

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        return (lambda *given, **options: self._told(value(*given, **options))) if callable(value) else value

    def _told(self, result: Any) -> Any:
        if hasattr(result, "__aenter__"):
            return self._entered(result)
        return self._iterated(result) if hasattr(result, "__anext__") else self._wait(result)

    @contextmanager
    def _entered(self, context: Any) -> Iterator[Any]:
        inner = self._wait(context.__aenter__())
        try:
            yield _Plain(inner, self._wait)
        except BaseException as error:
            if not self._wait(context.__aexit__(type(error), error, error.__traceback__)):
                raise
        else:
            self._wait(context.__aexit__(None, None, None))

    def _iterated(self, iterator: Any) -> Iterator[Any]:
        end = object()
        try:
            while (item := self._wait(anext(iterator, end))) is not end:
                yield item
        finally:
            if inspect.isasyncgen(iterator):
                self._wait(iterator.aclose())


class MakeKit(Protocol):
    """Makes kits, each over a manager of its own."""

    def __call__(self, **options: Any) -> Kit:
        """A kit over a manager with these options."""


class Summarizer:
    """A function for `compact_with`, async where the kit is; it notes on what it was called.

    Args:
        kit: of which colour it is.
        acts: what happens in the first call, in the second, and so on: each makes a call of the kit's own colour.
    """

    def __init__(self, kit: Kit, *acts: Callable[[], Any]) -> None:
        self.seen: list[str] = []
        self._is_async = kit.is_async
        self._acts = list(acts)

    def __call__(self, messages: Sequence[Message]) -> Any:
        """The summary, or what is awaited for it."""
        self.seen.append(names(messages))
        happened = self._acts.pop(0)() if self._acts else None
        return self._later(happened) if self._is_async else UserMessage("sum")

    async def _later(self, happened: Any) -> Message:
        if inspect.isawaitable(happened):
            await happened
        return UserMessage("sum")


class HistoryPiece(Contract):
    """The fixtures of the pieces on histories and administration."""

    @pytest.fixture
    def make_kit(self, make: Make) -> MakeKit:
        """Makes kits; all of them work on one store, unless their namespaces differ."""
        return lambda **options: Kit(make(**options))

    @pytest.fixture
    def kit(self, manager: Subject) -> Kit:
        """A kit over the manager of the test."""
        return Kit(manager)

    @pytest.fixture
    def history(self, kit: Kit) -> IMessageHistory:
        """The history of the conversation on which the verbs of the test's manager work, too."""
        return kit.history()


def script(text: str, *, own: bool = False, **fields: Any) -> list[Message]:
    """Messages from words: the first letter of each is that of its role, and the word is its text.

    ``s1 u1 a1(x,y) t1=x t2=y u2!`` is a system message, a user message, an assistant message with the calls x and y,
    the results of both, and a pinned user message.

    Args:
        text: the words.
        own: the names are the ids, too; else memkit chooses them.
        fields: of every message.
    """
    return [_message(found, own=own, **fields) for found in map(_WORD.fullmatch, text.split()) if found]


def _message(found: re.Match[str], *, own: bool, **fields: Any) -> Message:
    name = found["name"]
    given: dict[str, Any] = {"pinned": bool(found["pinned"]), **fields}
    if own:
        given["id"] = name
    if found["calls"]:
        given["tool_calls"] = [ToolCall(call, "look_up", {"of": call}) for call in found["calls"].split(",")]
    if found["call"]:
        given["tool_call_id"] = found["call"]
    return _CLASSES[name[0]](name, **given)


def tell(history: IMessageHistory, text: str, *, own: bool = False, **fields: Any) -> dict[str, str]:
    """Append the messages of a script at once; their ids by their names."""
    messages = script(text, own=own, **fields)
    return dict(zip(texts(messages), history.append(*messages), strict=True))


def names(messages: Iterable[Memory]) -> str:
    """The texts of messages, as in a script."""
    return " ".join(texts(messages))


def is_valid(messages: Sequence[Memory]) -> bool:
    """Whether a chat API takes these messages: all results stand right behind their calls, each once."""
    owed: set[str] = set()
    for message in messages:
        if isinstance(message, ToolMessage):
            if message.tool_call_id not in owed:
                return False
            owed.remove(message.tool_call_id)
        elif owed:
            return False
        elif isinstance(message, AssistantMessage):
            owed = {call.id for call in message.tool_calls}
    return not owed
