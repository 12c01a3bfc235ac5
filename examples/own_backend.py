"""A backend of one's own: execute commands, and have every memory of memkit in both colours.

This one writes down each command and hands it on; a real one would talk to a database. Subclass
`memkit.testing.contract.ManagerContract` and override `make_manager` to prove that it behaves.
"""

from __future__ import annotations

from typing import TypeVar

from memkit import IBackend, MemoryInput, MemoryManager, UserMessage
from memkit.backends.inmemory import InMemoryBackend
from memkit.commands import Command

T = TypeVar("T")


class Written(IBackend):
    """Executes commands in memory and keeps their names."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._store = InMemoryBackend()

    def execute(self, command: Command[T]) -> T:
        self.names.append(type(command).__name__)
        return self._store.execute(command)

    def ping(self) -> bool:
        return self._store.ping()

    def close(self) -> None:
        self._store.close()


def main() -> None:
    """Store and retrieve, and show what the backend was asked."""
    backend = Written()
    with MemoryManager(backend) as memory:
        memory.store(MemoryInput("chat-1", data=[UserMessage("hello")]))
        print(memory.retrieve(MemoryInput("chat-1"))[0].id is not None)
    print(*backend.names)


if __name__ == "__main__":
    main()
