"""How users' code is typed. Checked by mypy, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import assert_type

from attrs import frozen

import memkit
from memkit import (
    START,
    AsyncMemoryKit,
    AsyncRedisMemoryManager,
    Branch,
    Compaction,
    ConversationInfo,
    EraseReceipt,
    IAsyncMemoryManager,
    IAsyncMessageHistory,
    IAsyncTurn,
    IMemoryAdmin,
    IMemoryManager,
    IMessageHistory,
    InMemoryManager,
    ITurn,
    Memories,
    Memory,
    MemoryInput,
    MemoryKit,
    MemoryType,
    Message,
    Messages,
    Page,
    Part,
    RedisMemoryManager,
    RepairReport,
    RetryPolicy,
    ToolCall,
    UserMessage,
    create_async_memory_kit,
    create_async_memory_manager,
    create_memory_kit,
    create_memory_manager,
)


@memkit.register("acme.note", schema=2, upcasters={1: lambda fields: [*fields, 0]})
@frozen
class Note(Memory):
    text: str
    stars: int = 0


def verbs(manager: IMemoryManager) -> None:
    assert_type(manager.store(MemoryInput("c", data=[UserMessage("hi"), Note("x", stars=3)])), str)
    assert_type(manager.retrieve({"conversation_id": "c", "limit": 3}), Memories)
    assert_type(manager.update(MemoryInput("c", MemoryType.LONG_TERM_MEMORY, memory_id="x", metadata={"a": 1})), Memory)
    assert_type(manager.delete(MemoryInput("c", "WORKING_MEMORY", ttl=None)), int)


async def averbs(manager: IAsyncMemoryManager) -> None:
    assert_type(await manager.store(MemoryInput("c", data=[UserMessage("hi")])), str)
    assert_type(await manager.retrieve(MemoryInput("c")), Memories)


def managers() -> None:
    with RedisMemoryManager("redis://localhost", ttl=60, retry=RetryPolicy(attempts=3), codec="json") as redis_manager:
        assert_type(redis_manager, RedisMemoryManager)
    InMemoryManager(ttl={MemoryType.WORKING_MEMORY: None}, max_records=10, on_corrupt="report")
    AsyncRedisMemoryManager("redis://localhost", namespace="x", protocol=2)
    assert_type(create_memory_manager("memory://", ttl=60), IMemoryManager)
    assert_type(create_async_memory_manager({"MEMKIT_BACKEND": "null"}), IAsyncMemoryManager)


def count(message: Message) -> int:
    return len(message.content)


def summarize(messages: Sequence[Message]) -> Message:
    return UserMessage(str(len(messages)))


async def asummarize(messages: Sequence[Message]) -> Message:
    return UserMessage(str(len(messages)))


def kits(manager: RedisMemoryManager, amanager: AsyncRedisMemoryManager) -> None:
    with MemoryKit(manager) as kit:
        assert_type(kit, MemoryKit)
        assert_type(kit.history("c", "ada", counter=count, max_messages=3, max_age=None), IMessageHistory)
        assert_type(kit.admin, IMemoryAdmin)
    assert_type(AsyncMemoryKit(amanager).history("c"), IAsyncMessageHistory)
    assert_type(create_memory_kit("memory://", max_messages=3), MemoryKit)
    assert_type(create_async_memory_kit(), AsyncMemoryKit)
    MemoryKit(amanager)  # type: ignore[arg-type]  # of the other colour


def history(history: IMessageHistory) -> None:
    assert_type(history.append(UserMessage("a"), UserMessage("b"), idempotency_key="k"), list[str])
    assert_type(history.window(last=3, tokens=100, counter=count), Messages)
    assert_type(history.messages(after=START, limit=3), Messages)
    assert_type(history.window(last=3)[0].content, str | tuple[Part, ...])
    assert_type(history.get("x"), Message | None)
    assert_type(history.update("x", UserMessage("a"), expected_version=1), Message)
    assert_type(history.pop(), Message | None)
    assert_type(history.info(), ConversationInfo | None)
    assert_type(history.ttl(), float | None)
    assert_type(history.fork("d", at="x"), ConversationInfo)
    assert_type(history.rewind(None), Branch | None)
    assert_type(history.branches(), list[Branch])
    assert_type(history.compact("x", UserMessage("a")), Compaction)
    assert_type(history.compact_with(summarize, keep_last=3), Compaction | None)
    assert_type(history.repair(), RepairReport)
    assert_type(history.follow(START), Iterator[Message])
    with history.turn(ttl=3) as turn:
        assert_type(turn, ITurn)
        assert_type(turn.append(UserMessage("a")), list[str])
        assert_type(turn.number, int)
    history.append("a")  # type: ignore[arg-type]  # a message, no text
    history.compact_with(asummarize)  # type: ignore[arg-type]  # nobody awaits it


async def ahistory(history: IAsyncMessageHistory) -> None:
    assert_type(await history.append(UserMessage("a")), list[str])
    assert_type(await history.window(last=3), Messages)
    assert_type(await history.compact_with(asummarize), Compaction | None)
    assert_type(await history.compact_with(summarize), Compaction | None)
    assert_type(history.follow(), AsyncIterator[Message])
    async with history.turn() as turn:
        assert_type(turn, IAsyncTurn)
        await turn.renew()


def admin(admin: IMemoryAdmin) -> None:
    assert_type(admin.conversations(limit=3), Page[ConversationInfo])
    assert_type([info.title for info in admin.conversations()], list[str | None])
    assert_type(admin.erase(user_id="ada", dry_run=True), EraseReceipt)
    assert_type(admin.export(), Iterator[bytes])
    admin.import_([b"{}\n"])


@memkit.retry(ConnectionError, attempts=3)
def add(one: int, two: int = 2) -> int:
    return one + two


@memkit.retry(lambda error: isinstance(error, OSError))
async def aadd(one: int) -> str:
    return str(one)


async def decorated() -> None:
    assert_type(add(1, two=3), int)
    assert_type(await aadd(1), str)
    add("x")  # type: ignore[arg-type]  # the signature is kept
    InMemoryManager(tttl=3)  # type: ignore[call-arg]  # options are known by name
    ToolCall("1", "f", {"x": 1})
