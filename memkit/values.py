"""Values inside records: what may be stored, and how it is written losslessly.

A value is None, bool, int within 64 bits, float, str, bytes, list, dict with str keys, or an aware datetime. A datetime
is written as ``{"$time": microseconds}``. A dict whose only key begins with ``$`` is written as ``{"$map": {...}}``, so
that no value of a user can look like one of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from memkit.clock import from_us, to_us
from memkit.sealing import SealedDict, SealedList

__all__ = [
    "LEAVES",
    "MAX_DEPTH",
    "MAX_VALUES",
    "NESTED",
    "RefusedValue",
    "check_int",
    "check_text",
    "check_time",
    "plain",
    "plain_map",
    "quick_map",
    "revive",
    "revive_map",
]

MAX_DEPTH = 64
MAX_VALUES = 100_000

_SCALARS = frozenset({str, bool, float, bytes, type(None)})
LEAVES = _SCALARS | {int}
NESTED = frozenset({list, dict})
_INT_MIN = -(1 << 63)
_INT_MAX = (1 << 64) - 1
_TIME_MIN = to_us(datetime.min.replace(tzinfo=UTC))
_TIME_MAX = to_us(datetime.max.replace(tzinfo=UTC))


class RefusedValue(ValueError):  # noqa: N818 - it never leaves memkit: the verbs turn it into InvalidRecordError
    """A value cannot be stored; `path` is filled in on the way out."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def under(self, segment: str) -> RefusedValue:
        """The same refusal, seen from one level further out."""
        self.path = segment + self.path
        return self


def plain_map(value: Mapping[str, Any]) -> dict[str, Any]:
    """The written form of a mapping with str keys.

    Raises:
        RefusedValue: something in it cannot be stored.
    """
    return _escape(_plain_items(value, 1))


def _plain_items(value: Mapping[str, Any], depth: int) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise RefusedValue(f"is {_kind(value)}, not a mapping")
    out = {}
    for key, item in value.items():
        if type(key) is not str:
            raise RefusedValue(f"has a key of type {_kind(key)}: keys are str")
        check_text(key)
        try:
            # The scalars first: they are nearly all there is, and need no call.
            out[key] = item if type(item) in _SCALARS and type(item) is not str else plain(item, depth)
        except RefusedValue as refused:
            raise refused.under(f"[{key!r}]" if len(key) <= MAX_DEPTH else "[…]") from None
    return out


def plain(value: Any, depth: int = 0) -> Any:
    """The written form of a value; `depth` counts the containers around it."""
    kind = type(value)
    if kind is str:
        return check_text(value)
    if kind is int:
        return check_int(value)
    if kind in _SCALARS:
        return value
    if depth >= MAX_DEPTH:
        raise RefusedValue(f"is nested deeper than {MAX_DEPTH}: flatten it")
    if kind is list or kind is SealedList:
        return _plain_list(value, depth + 1)
    if kind is dict or kind is SealedDict:
        return _escape(_plain_items(value, depth + 1))
    if kind is datetime:
        return {"$time": check_time(value)}
    raise RefusedValue(_advice(value))


def _plain_list(value: list[Any], depth: int) -> list[Any]:
    out = []
    for index, item in enumerate(value):
        try:
            out.append(plain(item, depth))
        except RefusedValue as refused:
            raise refused.under(f"[{index}]") from None
    return out


def quick_map(value: Mapping[str, Any]) -> dict[str, Any]:
    """What `plain_map` makes of a mapping, for a packer that refuses what is no Unicode, and ints beyond 64 bits.

    Raises:
        RefusedValue: something in it cannot be stored; its path is not filled in.
    """
    return _quick_map(value, 1) if type(value) is dict else plain_map(value)


def _quick_map(value: dict[str, Any], depth: int) -> dict[str, Any]:
    # Nobody else can change the copy between these checks and the packing.
    out = value.copy()
    for key, item in out.items():
        if type(key) is not str:
            raise RefusedValue("has a key that is no text")
        if type(item) not in LEAVES:
            out[key] = _quick(item, depth)
    return out if len(out) != 1 else _escape(out)


def _quick(value: Any, depth: int) -> Any:
    """The written form of anything but a leaf."""
    kind = type(value)
    if kind is list and depth < MAX_DEPTH:
        return [item if type(item) in LEAVES else _quick(item, depth + 1) for item in value]
    if kind is dict and depth < MAX_DEPTH:
        return _quick_map(value, depth + 1)
    return plain(value, depth)


def _escape(value: dict[str, Any]) -> dict[str, Any]:
    return {"$map": value} if len(value) == 1 and next(iter(value)).startswith("$") else value


def revive_map(value: Any) -> dict[str, Any]:
    """A dict from its written form.

    Raises:
        ValueError: it was not written by `plain_map`.
    """
    if type(value) is not dict or len(value) != 1:
        return _revive_items(value)
    found = revive(value)
    if type(found) is not dict:
        raise ValueError("a mapping is expected")
    return found


def _revive_items(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise ValueError("a mapping is expected")
    out = value
    for key, item in value.items():
        if type(key) is not str:
            raise ValueError("a key is not text")
        if type(item) in NESTED:
            if out is value:
                out = value.copy()
            out[key] = revive(item)
    return out


def revive(value: Any) -> Any:
    """A value from its written form."""
    if type(value) is list:
        return [revive(item) if type(item) in NESTED else item for item in value]
    if type(value) is not dict:
        return value
    if len(value) == 1:
        key = next(iter(value))
        if type(key) is str and key.startswith("$"):
            return _untag(key, value[key])
    return _revive_items(value)


def _untag(tag: str, value: Any) -> Any:
    if tag == "$time" and type(value) is int:
        return from_us(value)
    if tag == "$map":
        return _revive_items(value)
    raise ValueError("a tagged value is not known")


def check_text(value: str) -> str:
    """`value` if it can be written as UTF-8."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RefusedValue("holds a lone surrogate: it is not valid Unicode text") from None
    return value


def check_int(value: int) -> int:
    """`value` if it fits into 64 bits."""
    if _INT_MIN <= value <= _INT_MAX:
        return value
    raise RefusedValue("is an int beyond 64 bits: store it as text")


def check_time(value: datetime) -> int:
    """Microseconds of an aware datetime."""
    if value.utcoffset() is None:
        raise RefusedValue("is a naive datetime: give it a time zone, for example datetime.now(UTC)")
    us = to_us(value)
    if _TIME_MIN <= us <= _TIME_MAX:
        return us
    raise RefusedValue("is outside of the years 1 to 9999 in UTC")


def _kind(value: Any) -> str:
    return type(value).__name__


def _advice(value: Any) -> str:
    if isinstance(value, tuple | set | frozenset):
        return f"is a {_kind(value)}, which would come back as a list: store a list"
    return f"is of type {_kind(value)}: use None, bool, int, float, str, bytes, list, dict or an aware datetime"
