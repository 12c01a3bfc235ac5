"""How users' code is typed. Checked by mypy, never run."""

from __future__ import annotations

from typing import assert_type

from attrs import frozen

import memkit
from memkit import (
    AsyncRedisMemoryManager,
    IAsyncMemoryManager,
    IMemoryManager,
    InMemoryManager,
    Memories,
    Memory,
    MemoryInput,
    MemoryType,
    RedisMemoryManager,
    RetryPolicy,
    ToolCall,
    UserMessage,
    create_async_memory_manager,
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
