"""Which of the records of a conversation a retrieve wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memkit.records import Fact, Memory, Message

__all__ = ["matches"]

_MISSING = object()


def matches(record: Memory, filters: Mapping[str, Any]) -> bool:
    """Whether a record passes every filter."""
    return all(_passes(record, key, wanted) for key, wanted in filters.items())


def _passes(record: Memory, key: str, wanted: Any) -> bool:
    if key == "role":
        return isinstance(record, Message) and record.role == wanted
    if key == "topic":
        return isinstance(record, Fact) and record.topic == wanted
    if key == "created_after":
        return record.created_at is not None and record.created_at > wanted
    if key == "created_before":
        return record.created_at is not None and record.created_at < wanted
    return _same(_look_up(record.metadata, key.removeprefix("metadata.")), wanted)


def _look_up(value: Any, path: str) -> Any:
    """What stands under a dotted path; a key that holds a dot itself is found first."""
    if not isinstance(value, Mapping):
        return _MISSING
    if path in value:
        return value[path]
    head, dot, rest = path.partition(".")
    return _look_up(value.get(head, _MISSING), rest) if dot else _MISSING


def _same(left: Any, right: Any) -> bool:
    """Equality that tells True from 1 and 1 from 1.0, all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    return bool(left == right)
