"""An agent that is given its memory: the same code in production, in development and in tests."""

from __future__ import annotations

from collections.abc import Callable

from memkit import (
    AssistantMessage,
    IMemoryManager,
    MemoryInput,
    Message,
    UserMessage,
    WorkingMemory,
    create_memory_manager,
)

Model = Callable[[str, list[Message]], str]


class Agent:
    """Remembers what was said, and keeps a note of what matters."""

    def __init__(self, memory: IMemoryManager, model: Model) -> None:
        self._memory = memory
        self._model = model

    def reply(self, conversation: str, text: str) -> str:
        """Answer, and remember both sides in one write."""
        history = [
            item for item in self._memory.retrieve(MemoryInput(conversation, limit=20)) if isinstance(item, Message)
        ]
        answer = self._model(text, history)
        self._memory.store(MemoryInput(conversation, data=[UserMessage(text), AssistantMessage(answer)]))
        note = WorkingMemory(f"The last thing the user said: {text}")
        self._memory.store(MemoryInput(conversation, "WORKING_MEMORY", data=[note]))
        return answer


def echo(text: str, history: list[Message]) -> str:
    """Stand in for a model."""
    return f"You said {text!r}. I remember {len(history)} messages."


def main() -> None:
    """Talk twice; MEMKIT_URL decides where the memory is."""
    with create_memory_manager() as memory:
        agent = Agent(memory, echo)
        print(agent.reply("chat-1", "hello"))
        print(agent.reply("chat-1", "and again"))


if __name__ == "__main__":
    main()
