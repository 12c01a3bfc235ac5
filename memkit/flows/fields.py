"""Checks of single arguments: each returns the value as the flows take it, or says what is wrong and how to cure it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from memkit.errors import InvalidInputError, InvalidRecordError
from memkit.records import Memory, Message
from memkit.values import RefusedValue, check_text, check_time, plain_map

__all__ = [
    "MAX_ID",
    "ROLES",
    "above_zero",
    "distinct",
    "identifier",
    "message",
    "metadata",
    "milliseconds",
    "optional",
    "record",
    "role",
    "seconds",
    "text",
    "whole",
]

ROLES = ("system", "user", "assistant", "tool")
MAX_ID = 1 << 16
_MS = 1000
_MAX_SECONDS = 100 * 365 * 86400.0


def text(name: str, value: Any) -> str:
    """A text that is not empty."""
    if type(value) is not str:
        raise InvalidInputError(name, f"is of type {type(value).__name__}: give a str")
    if not value:
        raise InvalidInputError(name, "is empty")
    try:
        return check_text(value)
    except RefusedValue as refused:
        raise InvalidInputError(name, refused.problem) from None


def identifier(name: str, value: Any) -> str:
    """A text that is not too long for a name."""
    found = text(name, value)
    if len(found) > MAX_ID:
        raise InvalidInputError(name, f"has {len(found)} characters, more than {MAX_ID}")
    return found


def optional(check: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    """The same check, but None passes."""
    return lambda name, value: None if value is None else check(name, value)


def whole(name: str, value: Any) -> int:
    """A whole number from 0."""
    if type(value) is not int:
        raise InvalidInputError(name, f"is of type {type(value).__name__}: give a whole number")
    if value < 0:
        raise InvalidInputError(name, "is below zero")
    return value


def above_zero(name: str, value: Any) -> int:
    """A whole number from 1."""
    if whole(name, value) == 0:
        raise InvalidInputError(name, "is zero: give a whole number from 1, or leave it out")
    return int(value)


def seconds(name: str, value: Any) -> float:
    """A number of seconds, which may be zero."""
    if type(value) in (int, float) and value == 0:
        return 0.0
    return milliseconds(name, value) / _MS


def milliseconds(name: str, value: Any) -> int:
    """A number of seconds above zero, as whole milliseconds."""
    if type(value) not in (int, float):
        raise InvalidInputError(name, f"is of type {type(value).__name__}: give a number of seconds")
    if not value * _MS >= 1:
        raise InvalidInputError(name, "is under a millisecond: give a number of seconds above zero")
    if value > _MAX_SECONDS:
        raise InvalidInputError(name, "is over a hundred years: give fewer seconds")
    milliseconds: int = round(value * _MS)
    return milliseconds


def role(name: str, value: Any) -> str:
    """The role of a message."""
    if value not in ROLES:
        raise InvalidInputError(name, f"is no role: use {', '.join(ROLES)}")
    return str(value)


def metadata(name: str, value: Any) -> Mapping[str, Any]:
    """A mapping that can be stored; none is an empty one."""
    if value is None:
        return {}
    try:
        plain_map(value)
    except RefusedValue as refused:
        raise InvalidRecordError(name + refused.path, refused.problem) from None
    return dict(value)


def record(path: str, value: Any) -> Memory:
    """A record whose id and time can be stored."""
    if not isinstance(value, Memory):
        raise InvalidRecordError(path, f"is of type {type(value).__name__}: give a record such as UserMessage")
    if value.id is not None:
        identifier(f"{path}.id", value.id)
    if value.created_at is not None:
        _moment(f"{path}.created_at", value.created_at)
    return value


def message(path: str, value: Any) -> Message:
    """A record that is a message."""
    if isinstance(value, Message) and value.id is None and value.created_at is None:
        return value
    if isinstance(value, list | tuple):
        raise InvalidRecordError(path, f"is a {type(value).__name__}: give the messages one by one, with a * before it")
    if not isinstance(record(path, value), Message):
        raise InvalidRecordError(path, f"is a {type(value).__name__}: give a message such as UserMessage")
    return value  # type: ignore[no-any-return]  # checked just now


def distinct(name: str, records: Sequence[Memory]) -> None:
    """Refuse records of which two have the same id."""
    if len(records) == 1:
        return
    ids = [each.id for each in records if each.id is not None]
    if len(set(ids)) != len(ids):
        raise InvalidInputError(name, "has the same id twice: give each record its own, or none")


def _moment(path: str, value: Any) -> int:
    if not isinstance(value, datetime):
        raise InvalidRecordError(path, f"is of type {type(value).__name__}: give an aware datetime")
    try:
        return check_time(value)
    except RefusedValue as refused:
        raise InvalidRecordError(path, refused.problem) from None
