"""What a backend has to know of a record."""

from __future__ import annotations

from memkit.commands import Mark
from memkit.records import Memory, Message, SystemMessage, ToolMessage

__all__ = ["mark_of"]


def mark_of(record: Memory) -> Mark:
    """The mark of a record: whether it follows the one before it, leads the log, is pinned."""
    mark = Mark.NONE
    if isinstance(record, ToolMessage):
        mark |= Mark.FOLLOWS
    if isinstance(record, SystemMessage):
        mark |= Mark.SYSTEM
    if isinstance(record, Message) and record.pinned:
        mark |= Mark.PINNED
    return mark
