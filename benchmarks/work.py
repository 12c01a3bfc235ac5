"""What is stored and read: memkit gets records, hand-written code ready bytes of the same size."""

from __future__ import annotations

from memkit import AssistantMessage, MemoryInput, ToolCall, ToolMessage, WorkingMemory

WORKING = "WORKING_MEMORY"
MESSAGE = AssistantMessage(
    "x" * 304,
    tool_calls=[ToolCall("call_1", "search", {"q": "weather in Oslo", "days": 3})],
    metadata={"source": "web", "score": 0.5, "n": 7},
    model_id="some-model-1",
)
# A window leaves out calls without results.
RESULT = ToolMessage("x" * 360, tool_call_id="call_1", metadata=MESSAGE.metadata)
# The same in the form that chat APIs take, for those that store dicts.
MESSAGE_DICT = {
    "id": "01920f3c-8d5a-7c3e-9b1a-2f4e6d8c0a1b",
    "role": "assistant",
    "content": MESSAGE.content,
    "tool_calls": [{"id": "call_1", "name": "search", "arguments": {"q": "weather in Oslo", "days": 3}}],
    "metadata": {"source": "web", "score": 0.5, "n": 7},
    "model": "some-model-1",
    "created_at": 1_760_000_000.123456,
}
RAW_MESSAGE = b"m" * 434
MEMORY = WorkingMemory("y" * 1_914)
RAW_MEMORY = b"w" * 2_000
TTL = 86_400
KEPT = 1_000
LAST = 20
TALK = "chat-0"


def talk_of(number):
    """The conversation of one task."""
    return f"chat-{number}"


def put_of(conversation):
    """Store a working memory of 2 KB."""
    return MemoryInput(conversation, WORKING, data=[MEMORY])


def get_of(conversation):
    """Read it."""
    return MemoryInput(conversation, WORKING)


def append_of(conversation):
    """Append one message."""
    return MemoryInput(conversation, data=[MESSAGE])


def fill_of(conversation, count):
    """Append so many at once."""
    return MemoryInput(conversation, data=[MESSAGE] * count)


def groups_of(conversation, count):
    """Append so many at once, in groups of a call and its result."""
    return MemoryInput(conversation, data=[MESSAGE, RESULT] * (count // 2))


def last_of(conversation, count=LAST):
    """Read the last ones."""
    return MemoryInput(conversation, limit=count)
