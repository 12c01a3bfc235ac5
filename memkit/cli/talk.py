"""The calls of the demo: a conversation and its working memory, the same for every backend."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from attrs import evolve, frozen

from memkit.cli.reader import fingerprint
from memkit.inputs import MemoryInput, MemoryType
from memkit.interfaces import IMemoryManager
from memkit.records import Message, WorkingMemory

__all__ = ["CONVERSATION", "Found", "Written", "find", "note_of", "one_line", "percentile", "write"]

CONVERSATION = "demo"
_SHORT = 80


@frozen
class Written:
    """What a writer holds of its writes.

    Attributes:
        messages: with the ids under which the manager acknowledged them.
        working_memory: the same.
        seconds: how long each store of a message took.
    """

    messages: tuple[Message, ...]
    working_memory: WorkingMemory
    seconds: tuple[float, ...]


@frozen
class Found:
    """What came back.

    Attributes:
        messages: how many.
        identical: whether they are those that were written, every field and the order too.
        working_memory: how many, 0 or 1.
        working_memory_identical: the same for the working memory.
    """

    messages: int
    identical: bool
    working_memory: int
    working_memory_identical: bool


def write(manager: IMemoryManager, messages: Sequence[Message], note: str) -> Written:
    """Append message after message, as an agent would, then write the working memory."""
    held, seconds = [], []
    for message in messages:
        dated = evolve(message, created_at=message.created_at or datetime.now(UTC))
        began = time.perf_counter()
        record_id = manager.store(MemoryInput(CONVERSATION, data=[dated]))
        seconds.append(time.perf_counter() - began)
        held.append(evolve(dated, id=record_id))
    working = WorkingMemory(note, created_at=datetime.now(UTC))
    record_id = manager.store(MemoryInput(CONVERSATION, MemoryType.WORKING_MEMORY, data=[working]))
    return Written(tuple(held), evolve(working, id=record_id), tuple(seconds))


def find(manager: IMemoryManager, written: Written) -> Found:
    """Read both back and compare."""
    messages = manager.retrieve(MemoryInput(CONVERSATION))
    working = manager.retrieve(MemoryInput(CONVERSATION, MemoryType.WORKING_MEMORY))
    return Found(
        messages=len(messages),
        identical=fingerprint(messages) == fingerprint(written.messages),
        working_memory=len(working),
        working_memory_identical=fingerprint(working) == fingerprint([written.working_memory]),
    )


def note_of(messages: Sequence[Message]) -> str:
    """What an agent could note of a conversation."""
    asked = next((message for message in reversed(messages) if message.role == "user"), messages[-1])
    said = asked.content if isinstance(asked.content, str) else "(parts)"
    return f"{len(messages)} messages so far. The last that was asked: {one_line(said)}"


def one_line(text: str, width: int = _SHORT) -> str:
    """A text on one line, cut to a width, without characters that would steer a terminal."""
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return plain if len(plain) <= width else plain[: width - 1] + "…"


def percentile(seconds: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    ranked = sorted(seconds)
    return ranked[min(int(share * len(ranked)), len(ranked) - 1)]
