"""Move everything from one store to another, exactly: ids, times, versions and times to live."""

from __future__ import annotations

import tempfile
from pathlib import Path

from memkit import InMemoryManager, MemoryKit, UserMessage


def main() -> None:
    """Export to a file and import it; in production one of the two managers would be on Redis."""
    with InMemoryManager() as old, InMemoryManager() as new, tempfile.TemporaryDirectory() as directory:
        here, there = MemoryKit(old), MemoryKit(new)
        history = here.history("chat-1", user_id="ada")
        history.append(UserMessage("one", id="m-1"), UserMessage("two", id="m-2"))
        history.update("m-2", UserMessage("two, corrected"))

        backup = Path(directory) / "backup.jsonl"
        with backup.open("wb") as file:
            file.writelines(here.admin.export())
        with backup.open("rb") as file:
            report = there.admin.import_(file)
        print("imported:", report.imported, "of", report.conversations, "conversation")

        moved = there.history("chat-1", user_id="ada").messages()
        print("equal:", moved == history.messages())
        print([(message.id, message.version) for message in moved])


if __name__ == "__main__":
    main()
