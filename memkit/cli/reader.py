"""The second process of the demo: it reads what another one wrote, and says what it found.

``python -m memkit.cli.reader URL CONVERSATION_ID`` prints one JSON object.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import evolve

from memkit.factory import create_memory_manager
from memkit.inputs import MemoryInput, MemoryType
from memkit.records import Memory

__all__ = ["fingerprint", "main"]


def fingerprint(records: Iterable[Memory]) -> str:
    """SHA-256 over everything that a caller wrote, in order, types included.

    Left out is what each write changes: `version` and `updated_at`.
    """
    digest = hashlib.sha256()
    for record in records:
        digest.update(repr(evolve(record, version=0, updated_at=None)).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def _look(url: str, conversation_id: str) -> dict[str, Any]:
    with create_memory_manager(url) as manager:
        messages = manager.retrieve(MemoryInput(conversation_id))
        working = manager.retrieve(MemoryInput(conversation_id, MemoryType.WORKING_MEMORY))
    return {
        "pid": os.getpid(),
        "messages": len(messages),
        "messages_sha256": fingerprint(messages),
        "working_memory": len(working),
        "working_memory_sha256": fingerprint(working),
    }


def main(arguments: Sequence[str]) -> None:
    """Read and print.

    Args:
        arguments: URL of the backend and id of the conversation.
    """
    url, conversation_id = arguments
    sys.stdout.write(json.dumps(_look(url, conversation_id)))


if __name__ == "__main__":
    main(sys.argv[1:])
