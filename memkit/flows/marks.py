"""What a backend has to know of a record."""

from __future__ import annotations

from memkit.commands import Mark
from memkit.records import Memory, Message, SystemMessage, ToolMessage

__all__ = ["mark_of"]


_MARKS = tuple(Mark(number) for number in range(8))


_OF_CLASS: dict[type, int] = {}


def _of_class(kind: type[Memory]) -> int:
    follows = Mark.FOLLOWS if issubclass(kind, ToolMessage) else Mark.NONE
    system = Mark.SYSTEM if issubclass(kind, SystemMessage) else Mark.NONE
    mark = _OF_CLASS[kind] = int(follows | system)
    return mark


def mark_of(record: Memory) -> Mark:
    """The mark of a record: whether it follows the one before it, leads the log, is pinned."""
    kind = type(record)
    mark = _OF_CLASS[kind] if kind in _OF_CLASS else _of_class(kind)
    if isinstance(record, Message) and record.pinned:
        mark += Mark.PINNED.value
    return _MARKS[mark]
