"""Message histories: flows over a backend, in both colours."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from typing import Any

from attrs import evolve

from memkit.backends.base import ABSENT, Absent
from memkit.errors import ErasedError, MemkitError
from memkit.faces.engine import AsyncEngine, Engine
from memkit.faces.reading import key_of_history
from memkit.flows.base import Messages
from memkit.flows.history import about, append, branch, compact, edit, pages, repair, swap, turns, window
from memkit.flows.history.conversation import Conversation
from memkit.flows.history.follow import Follower
from memkit.interfaces.history import (
    AsyncSummarize,
    Counter,
    IAsyncMessageHistory,
    IAsyncTurn,
    IMessageHistory,
    ITurn,
    Summarize,
)
from memkit.records import Message
from memkit.results import Branch, Compaction, ConversationInfo, RepairReport, Start

__all__ = ["AsyncMessageHistory", "AsyncTurn", "MessageHistory", "Turn"]


class MessageHistory(IMessageHistory):
    """The messages of one conversation, over any backend. Made by `MemoryKit.history`.

    Args:
        engine: runs the flows.
        conversation: which conversation, on whose behalf.
    """

    def __init__(self, engine: Engine, conversation: Conversation) -> None:
        self._engine = engine
        self._conversation = conversation

    @property
    def conversation_id(self) -> str:
        return self._conversation.id

    @property
    def user_id(self) -> str | None:
        return self._conversation.user_id

    def append(self, *messages: Message, idempotency_key: str | None = None) -> list[str]:
        return self._engine.run("append", append.append(self._conversation, messages, idempotency_key))

    def window(self, last: int | None = None, tokens: int | None = None, counter: Counter | None = None) -> Messages:
        engine, conversation = self._engine, self._conversation
        if engine.tails is None or counter is not None:
            return engine.run("window", window.window(conversation, last, tokens, counter))
        key = key_of_history(engine, "window", conversation, last, tokens)
        found: Messages | Absent = engine.tails.find(key)
        if found is not ABSENT:
            return found
        return engine.fill("window", key, window.window(conversation, last, tokens, None))

    def messages(
        self,
        after: str | Start | None = None,
        before: str | Start | None = None,
        limit: int | None = None,
        role: str | None = None,
    ) -> Messages:
        engine, conversation = self._engine, self._conversation
        if engine.tails is None:
            return engine.run("messages", pages.messages(conversation, after, before, limit, role))
        asked = after, before, limit, role
        key = key_of_history(engine, "messages", conversation, *asked)
        found = engine.tails.find(key)
        return engine.fill("messages", key, pages.messages(conversation, *asked)) if found is ABSENT else found

    def get(self, message_id: str) -> Message | None:
        engine, conversation = self._engine, self._conversation
        if engine.tails is None:
            return engine.run("get", edit.get(conversation, message_id))
        key = key_of_history(engine, "get", conversation, message_id)
        found = engine.tails.find(key)
        return engine.fill("get", key, edit.get(conversation, message_id)) if found is ABSENT else found

    def update(self, message_id: str, message: Message, expected_version: int | None = None) -> Message:
        return self._engine.run("update", edit.update(self._conversation, message_id, message, expected_version))

    def remove(self, message_id: str) -> bool:
        return self._engine.run("remove", edit.remove(self._conversation, message_id))

    def pop(self) -> Message | None:
        return self._engine.run("pop", edit.pop(self._conversation))

    def clear(self) -> int:
        return self._engine.run("clear", edit.clear(self._conversation))

    def count(self) -> int:
        engine, conversation = self._engine, self._conversation
        if engine.tails is None:
            return engine.run("count", about.count(conversation))
        key = key_of_history(engine, "count", conversation)
        found = engine.tails.find(key)
        return engine.fill("count", key, about.count(conversation)) if found is ABSENT else found

    def info(self) -> ConversationInfo | None:
        return self._engine.run("info", about.info(self._conversation))

    def set_title(self, title: str | None) -> None:
        self._engine.run("set_title", about.set_title(self._conversation, title))

    def set_metadata(self, metadata: Mapping[str, Any] | None) -> None:
        self._engine.run("set_metadata", about.set_metadata(self._conversation, metadata))

    def expire(self, seconds: float) -> bool:
        return self._engine.run("expire", about.expire(self._conversation, seconds))

    def persist(self) -> bool:
        return self._engine.run("persist", about.persist(self._conversation))

    def ttl(self) -> float | None:
        return self._engine.run("ttl", about.ttl(self._conversation))

    def fork(self, new_id: str, at: str | None = None) -> ConversationInfo:
        return self._engine.run("fork", branch.fork(self._conversation, new_id, at))

    def rewind(self, to: str | None, grace: float = 86_400) -> Branch | None:
        return self._engine.run("rewind", branch.rewind(self._conversation, to, grace))

    def branches(self) -> list[Branch]:
        return self._engine.run("branches", branch.branches(self._conversation))

    def restore(self, branch_id: str, grace: float = 86_400) -> Branch | None:
        return self._engine.run("restore", branch.restore(self._conversation, branch_id, grace))

    def compact(self, through: str, summary: Message, expected_revision: int | None = None) -> Compaction:
        return self._engine.run("compact", compact.compact(self._conversation, through, summary, expected_revision))

    def compact_with(self, summarize: Summarize, keep_last: int = 20) -> Compaction | None:
        for _ in range(compact.ROUNDS):
            plan = self._engine.run("compact_with", compact.plan(self._conversation, summarize, keep_last))
            if plan is None:
                return None
            summary = summarize(plan.messages)
            done = self._engine.run("compact_with", compact.swap(self._conversation, plan, summary))
            if done is not None:
                return done
        raise swap.contended("compact_with", compact.ROUNDS)

    def repair(self) -> RepairReport:
        return self._engine.run("repair", repair.repair(self._conversation))

    def turn(self, ttl: float = 30, wait: float = 0) -> AbstractContextManager[ITurn]:
        return self._turning(turns.Taking(self._conversation, ttl, wait))

    @contextmanager
    def _turning(self, taking: turns.Taking) -> Iterator[ITurn]:
        while (number := self._engine.run("turn", taking.attempt())) is None:
            self._engine.context.clock.sleep(taking.pause)
        end = turns.end(self._conversation, number)
        try:
            yield Turn(self._engine, self._conversation, number, taking.ttl_ms)
        except BaseException:
            # What went wrong inside says more than that the turn could not be given back: it ends by itself.
            with suppress(MemkitError):
                self._engine.run("turn", end)
            raise
        with suppress(ErasedError):
            # An erasure took the turn away, too.
            self._engine.run("turn", end)

    def follow(
        self, after: str | Start | None = None, poll: float = 0.5, timeout: float | None = None
    ) -> Iterator[Message]:
        return self._following(Follower(self._conversation, after, poll, timeout))

    def _following(self, follower: Follower) -> Iterator[Message]:
        pause: float | None = 0.0
        while pause is not None:
            self._engine.context.clock.sleep(pause)
            yield from self._engine.run("follow", follower.look())
            pause = follower.pause()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._conversation.name}>"


class Turn(MessageHistory, ITurn):
    """A history during a turn. Made by `MessageHistory.turn`.

    Args:
        engine: runs the flows.
        conversation: which conversation, on whose behalf.
        number: of the turn.
        ttl_ms: milliseconds that it lasts if it is renewed without saying how long.
    """

    def __init__(self, engine: Engine, conversation: Conversation, number: int, ttl_ms: int) -> None:
        super().__init__(engine, evolve(conversation, turn=number))
        self._number = number
        self._ttl_ms = ttl_ms

    @property
    def number(self) -> int:
        return self._number

    def renew(self, ttl: float | None = None) -> None:
        self._engine.run("renew", turns.renew(self._conversation, self._number, ttl, self._ttl_ms))


class AsyncMessageHistory(IAsyncMessageHistory):
    """`MessageHistory` for asyncio. Made by `AsyncMemoryKit.history`.

    Args:
        engine: runs the flows.
        conversation: which conversation, on whose behalf.
    """

    def __init__(self, engine: AsyncEngine, conversation: Conversation) -> None:
        self._engine = engine
        self._conversation = conversation

    @property
    def conversation_id(self) -> str:
        return self._conversation.id

    @property
    def user_id(self) -> str | None:
        return self._conversation.user_id

    async def append(self, *messages: Message, idempotency_key: str | None = None) -> list[str]:
        return await self._engine.run("append", append.append(self._conversation, messages, idempotency_key))

    async def window(
        self, last: int | None = None, tokens: int | None = None, counter: Counter | None = None
    ) -> Messages:
        engine, conversation = self._engine, self._conversation
        if engine.tails is None or counter is not None:
            return await engine.run("window", window.window(conversation, last, tokens, counter))
        key = key_of_history(engine, "window", conversation, last, tokens)
        found: Messages | Absent = engine.tails.find(key)
        if found is not ABSENT:
            return found
        return await engine.fill("window", key, window.window(conversation, last, tokens, None))

    async def messages(
        self,
        after: str | Start | None = None,
        before: str | Start | None = None,
        limit: int | None = None,
        role: str | None = None,
    ) -> Messages:
        engine, conversation = self._engine, self._conversation
        if engine.tails is None:
            return await engine.run("messages", pages.messages(conversation, after, before, limit, role))
        asked = after, before, limit, role
        key = key_of_history(engine, "messages", conversation, *asked)
        found = engine.tails.find(key)
        return await engine.fill("messages", key, pages.messages(conversation, *asked)) if found is ABSENT else found

    async def get(self, message_id: str) -> Message | None:
        engine, conversation = self._engine, self._conversation
        if engine.tails is None:
            return await engine.run("get", edit.get(conversation, message_id))
        key = key_of_history(engine, "get", conversation, message_id)
        found = engine.tails.find(key)
        return await engine.fill("get", key, edit.get(conversation, message_id)) if found is ABSENT else found

    async def update(self, message_id: str, message: Message, expected_version: int | None = None) -> Message:
        return await self._engine.run("update", edit.update(self._conversation, message_id, message, expected_version))

    async def remove(self, message_id: str) -> bool:
        return await self._engine.run("remove", edit.remove(self._conversation, message_id))

    async def pop(self) -> Message | None:
        return await self._engine.run("pop", edit.pop(self._conversation))

    async def clear(self) -> int:
        return await self._engine.run("clear", edit.clear(self._conversation))

    async def count(self) -> int:
        engine, conversation = self._engine, self._conversation
        if engine.tails is None:
            return await engine.run("count", about.count(conversation))
        key = key_of_history(engine, "count", conversation)
        found = engine.tails.find(key)
        return await engine.fill("count", key, about.count(conversation)) if found is ABSENT else found

    async def info(self) -> ConversationInfo | None:
        return await self._engine.run("info", about.info(self._conversation))

    async def set_title(self, title: str | None) -> None:
        await self._engine.run("set_title", about.set_title(self._conversation, title))

    async def set_metadata(self, metadata: Mapping[str, Any] | None) -> None:
        await self._engine.run("set_metadata", about.set_metadata(self._conversation, metadata))

    async def expire(self, seconds: float) -> bool:
        return await self._engine.run("expire", about.expire(self._conversation, seconds))

    async def persist(self) -> bool:
        return await self._engine.run("persist", about.persist(self._conversation))

    async def ttl(self) -> float | None:
        return await self._engine.run("ttl", about.ttl(self._conversation))

    async def fork(self, new_id: str, at: str | None = None) -> ConversationInfo:
        return await self._engine.run("fork", branch.fork(self._conversation, new_id, at))

    async def rewind(self, to: str | None, grace: float = 86_400) -> Branch | None:
        return await self._engine.run("rewind", branch.rewind(self._conversation, to, grace))

    async def branches(self) -> list[Branch]:
        return await self._engine.run("branches", branch.branches(self._conversation))

    async def restore(self, branch_id: str, grace: float = 86_400) -> Branch | None:
        return await self._engine.run("restore", branch.restore(self._conversation, branch_id, grace))

    async def compact(self, through: str, summary: Message, expected_revision: int | None = None) -> Compaction:
        return await self._engine.run(
            "compact", compact.compact(self._conversation, through, summary, expected_revision)
        )

    async def compact_with(self, summarize: AsyncSummarize, keep_last: int = 20) -> Compaction | None:
        for _ in range(compact.ROUNDS):
            plan = await self._engine.run("compact_with", compact.plan(self._conversation, summarize, keep_last))
            if plan is None:
                return None
            made = summarize(plan.messages)
            summary = await made if inspect.isawaitable(made) else made
            done = await self._engine.run("compact_with", compact.swap(self._conversation, plan, summary))
            if done is not None:
                return done
        raise swap.contended("compact_with", compact.ROUNDS)

    async def repair(self) -> RepairReport:
        return await self._engine.run("repair", repair.repair(self._conversation))

    def turn(self, ttl: float = 30, wait: float = 0) -> AbstractAsyncContextManager[IAsyncTurn]:
        return self._turning(turns.Taking(self._conversation, ttl, wait))

    @asynccontextmanager
    async def _turning(self, taking: turns.Taking) -> AsyncIterator[IAsyncTurn]:
        while (number := await self._engine.run("turn", taking.attempt())) is None:
            await self._engine.context.clock.asleep(taking.pause)
        end = turns.end(self._conversation, number)
        try:
            yield AsyncTurn(self._engine, self._conversation, number, taking.ttl_ms)
        except BaseException:
            # What went wrong inside says more than that the turn could not be given back: it ends by itself.
            with suppress(MemkitError):
                await self._engine.run("turn", end)
            raise
        with suppress(ErasedError):
            # An erasure took the turn away, too.
            await self._engine.run("turn", end)

    def follow(
        self, after: str | Start | None = None, poll: float = 0.5, timeout: float | None = None
    ) -> AsyncIterator[Message]:
        return self._following(Follower(self._conversation, after, poll, timeout))

    async def _following(self, follower: Follower) -> AsyncIterator[Message]:
        pause: float | None = 0.0
        while pause is not None:
            await self._engine.context.clock.asleep(pause)
            for message in await self._engine.run("follow", follower.look()):
                yield message
            pause = follower.pause()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._conversation.name}>"


class AsyncTurn(AsyncMessageHistory, IAsyncTurn):
    """`Turn` for asyncio. Made by `AsyncMessageHistory.turn`.

    Args:
        engine: runs the flows.
        conversation: which conversation, on whose behalf.
        number: of the turn.
        ttl_ms: milliseconds that it lasts if it is renewed without saying how long.
    """

    def __init__(self, engine: AsyncEngine, conversation: Conversation, number: int, ttl_ms: int) -> None:
        super().__init__(engine, evolve(conversation, turn=number))
        self._number = number
        self._ttl_ms = ttl_ms

    @property
    def number(self) -> int:
        return self._number

    async def renew(self, ttl: float | None = None) -> None:
        await self._engine.run("renew", turns.renew(self._conversation, self._number, ttl, self._ttl_ms))
