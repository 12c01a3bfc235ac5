"""Records that several callers share: what is inside of them cannot be changed, and looks like any other record.

Records are frozen, but the mappings in them are dicts. In a sealed record these are dicts and lists that refuse to be
changed. They are equal to others, a copy of one, however it is made, is an ordinary one, and such a record is stored
like any other.
"""

from __future__ import annotations

import functools
import operator
from datetime import datetime
from enum import Enum
from types import UnionType
from typing import Any, NoReturn, TypeVar, Union, get_args, get_origin

import attrs

from memkit.records import Memory, Part, ToolCall

__all__ = ["SealedDict", "SealedList", "seal", "unsealed"]

M = TypeVar("M", bound=Memory)

_LEAVES = frozenset({str, int, float, bool, bytes, type(None), datetime})


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise TypeError("this record is shared with other callers of cached reads, so it is read-only: change a copy")


class SealedDict(dict[str, Any]):
    """A dict that refuses to be changed."""

    __slots__ = ()

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


class SealedList(list[Any]):
    """A list that refuses to be changed."""

    __slots__ = ()

    __setitem__ = __delitem__ = __iadd__ = __imul__ = append = extend = insert = _refuse
    remove = pop = clear = sort = reverse = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)


_EMPTY = SealedDict()


class _OpenValue(Exception):  # noqa: N818 - it never leaves this module
    """A value can be changed, and cannot be kept from it."""


def seal(record: Memory) -> bool:
    """Seal a record that nobody else has yet. False: there is something in it that cannot be sealed.

    That is any value of a field that is a list, or an object of a class of one's own: neither would be stored again as
    it was.
    """
    try:
        _seal_fields(record)
    except _OpenValue:
        return False
    return True


@functools.cache
def _names(kind: type) -> tuple[str, ...]:
    """Fields of a class that may hold something that can be changed."""
    return tuple(attribute.name for attribute in attrs.fields(kind) if not _is_leaf(attribute.type))


def _is_leaf(annotation: Any) -> bool:
    # The types of a class that is stored are resolved, and what is loaded is of them exactly.
    is_union = get_origin(annotation) in _UNIONS
    return _LEAVES.issuperset(get_args(annotation) if is_union else (annotation,))


_UNIONS = (Union, UnionType)


def _seal_fields(thing: Any) -> None:
    kind: Any = type(thing)
    for name in _names(kind):
        value = getattr(thing, name)
        if type(value) not in _LEAVES:
            sealed = _sealed_field(value)
            if sealed is not value:
                object.__setattr__(thing, name, sealed)


def _sealed_field(value: Any) -> Any:
    kind = type(value)
    if kind is dict or kind is SealedDict:
        return _sealed(value)
    if kind is tuple:
        return _sealed_items(value)
    if isinstance(value, Part | ToolCall):
        _seal_fields(value)
        return value
    if kind in _LEAVES or isinstance(value, Enum):
        return value
    raise _OpenValue


def _sealed_items(value: tuple[Any, ...]) -> tuple[Any, ...]:
    items = [_sealed_field(item) for item in value]
    return value if all(map(operator.is_, items, value)) else tuple(items)


def _sealed(value: Any) -> Any:
    """A value as metadata may hold it."""
    kind = type(value)
    if kind is dict:
        if _LEAVES.issuperset(map(type, value.values())):
            return SealedDict(value) if value else _EMPTY
        return SealedDict({key: _sealed(item) for key, item in value.items()})
    return SealedList(map(_sealed, value)) if kind is list else value


def unsealed(record: M) -> M:
    """The same record; where it is sealed, a copy that is not."""
    return _with_open_fields(record) if type(record.metadata) is SealedDict else record


def _with_open_fields(thing: Any) -> Any:
    values = {attribute.alias: getattr(thing, attribute.name) for attribute in attrs.fields(type(thing))}
    opened = {alias: _opened(value) for alias, value in values.items() if type(value) not in _LEAVES}
    return attrs.evolve(thing, **opened)


def _opened(value: Any) -> Any:
    kind = type(value)
    if kind is SealedDict:
        return {key: _opened(item) for key, item in value.items()}
    if kind is SealedList:
        return list(map(_opened, value))
    if kind is tuple:
        return tuple(map(_opened, value))
    return _with_open_fields(value) if isinstance(value, Part | ToolCall) else value
