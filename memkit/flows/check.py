"""Every field of an input is checked here, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import attrs

from memkit.errors import InvalidInputError
from memkit.flows import fields
from memkit.inputs import UNSET, MemoryInput, MemoryType
from memkit.policy import ttl_problem
from memkit.records import Memory
from memkit.shaping import value as value_class

__all__ = ["Checked", "check_input"]

_FIELDS = {item.name: item.default for item in attrs.fields(MemoryInput)}
_REQUIRED = "conversation_id"
_TIME_FILTERS = ("created_after", "created_before")

_USES = {
    "store": {"data", "metadata", "user_id", "ttl", "expected_version"},
    "retrieve": {"memory_id", "query", "limit", "filters", "user_id"},
    "update": {"data", "memory_id", "metadata", "user_id", "ttl", "expected_version"},
    "delete": {"memory_id", "user_id", "expected_version"},
}


@value_class
class Checked:
    """An input whose every field is right for its verb. The same fields as `MemoryInput`, with their final types."""

    conversation_id: str
    memory_type: MemoryType
    data: tuple[Memory, ...]
    memory_id: str | None
    query: str | None
    limit: int | None
    filters: Mapping[str, Any]
    metadata: Mapping[str, Any]
    user_id: str | None
    ttl: Any
    expected_version: int | None


def check_input(memory_input: Any, verb: str) -> Checked:
    """The input as the flows take it.

    Args:
        memory_input: a `MemoryInput`, or any object or mapping with the same fields.
        verb: ``store``, ``retrieve``, ``update`` or ``delete``.

    Raises:
        InvalidInputError: a field is wrong, missing, or not used by the verb.
    """
    if type(memory_input) is MemoryInput and verb in _QUICK:
        quick = _QUICK[verb](memory_input)
        if quick is not None:
            return quick
    given = _fields_of(memory_input)
    for name, check in _CHECKS.items():
        # Most fields are left alone, and a default needs no check.
        left_alone = given[name] is _FIELDS[name]
        given[name] = _SETTLED[name] if left_alone else check(name, given[name])
    checked = Checked(**given)
    _refuse_unused(checked, verb)
    _RULES[verb](checked)
    return checked


# -- the usual input, of which there is nothing to say -----------------------------------------------------------------

_TYPES: dict[Any, MemoryType] = {member.value: member for member in MemoryType}


def _is_plain(name: Any) -> bool:
    return type(name) is str and 0 < len(name) <= fields.MAX_ID and name.isascii()


def _quick_type(given: MemoryInput) -> MemoryType | None:
    """Its memory type, if its names are plain and what few calls use was left alone."""
    asked: Any = given.memory_type
    kind = asked if type(asked) is MemoryType else _TYPES.get(asked) if type(asked) is str else None
    rare = given.query, given.filters, given.metadata, given.expected_version
    if rare != _LEFT_ALONE or given.ttl is not UNSET or not _is_plain(given.conversation_id):
        return None
    return kind if given.user_id is None or _is_plain(given.user_id) else None


_LEFT_ALONE = (None, None, None, None)


def _quick_store(given: MemoryInput) -> Checked | None:
    kind, data = _quick_type(given), cast("Sequence[Any]", given.data)
    if kind is None or given.memory_id is not None or given.limit is not None:
        return None
    if type(data) not in _LISTS or not data or (kind is MemoryType.WORKING_MEMORY and len(data) > 1):
        return None
    for record in data:
        if not isinstance(record, Memory) or record.id is not None or record.created_at is not None:
            return None
    return Checked(given.conversation_id, kind, tuple(data), None, None, None, {}, {}, given.user_id, UNSET, None)


_LISTS = (list, tuple)


def _quick_retrieve(given: MemoryInput) -> Checked | None:
    kind, limit, wanted = _quick_type(given), given.limit, given.memory_id
    if kind is None or given.data or not (wanted is None or _is_plain(wanted)):
        return None
    if limit is not None and (type(limit) is not int or limit < 0):
        return None
    return Checked(given.conversation_id, kind, (), wanted, None, limit, {}, {}, given.user_id, UNSET, None)


_QUICK: dict[str, Callable[[MemoryInput], Checked | None]] = {"store": _quick_store, "retrieve": _quick_retrieve}


# -- any input ---------------------------------------------------------------------------------------------------------


def _fields_of(source: Any) -> dict[str, Any]:
    if isinstance(source, Mapping):
        unknown = [name for name in source if name not in _FIELDS]
        if unknown:
            raise InvalidInputError(str(unknown[0]), f"is no field of MemoryInput: use {', '.join(_FIELDS)}")
        given = {name: source.get(name, default) for name, default in _FIELDS.items()}
    else:
        given = {name: getattr(source, name, default) for name, default in _FIELDS.items()}
    if given[_REQUIRED] is attrs.NOTHING:
        raise InvalidInputError(_REQUIRED, "is missing: say which conversation")
    return given


# -- single fields -----------------------------------------------------------------------------------------------------


def _memory_type(name: str, value: Any) -> MemoryType:
    if isinstance(value, MemoryType):
        return value
    try:
        # An enum of another library with the same values is taken for ours.
        return MemoryType(getattr(value, "value", value))
    except ValueError:
        names = ", ".join(member.value for member in MemoryType)
        raise InvalidInputError(name, f"is no memory type: use {names}") from None


def _records(name: str, value: Any) -> tuple[Memory, ...]:
    if isinstance(value, Memory):
        raise InvalidInputError(name, "is a single record: give a list of records")
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise InvalidInputError(name, f"is of type {type(value).__name__}: give a list of records")
    return tuple(fields.record(f"{name}[{index}]", record) for index, record in enumerate(value))


def _ttl(name: str, value: Any) -> Any:
    problem = None if value is UNSET else ttl_problem(value)
    if problem:
        raise InvalidInputError(name, problem)
    return value


def _filters(name: str, value: Any) -> Mapping[str, Any]:
    filters = fields.metadata(name, value)
    for key in _TIME_FILTERS:
        if key in filters and not isinstance(filters[key], datetime):
            raise InvalidInputError(f"{name}[{key!r}]", "must be an aware datetime")
    if "role" in filters:
        fields.role(f"{name}['role']", filters["role"])
    return filters


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "conversation_id": fields.identifier,
    "memory_type": _memory_type,
    "data": _records,
    "memory_id": fields.optional(fields.identifier),
    "query": fields.optional(fields.text),
    "limit": fields.optional(fields.whole),
    "filters": _filters,
    "metadata": fields.metadata,
    "user_id": fields.optional(fields.identifier),
    "ttl": _ttl,
    "expected_version": fields.optional(fields.whole),
}


_SETTLED = {name: check(name, _FIELDS[name]) for name, check in _CHECKS.items() if name != _REQUIRED}


# -- what each verb needs ----------------------------------------------------------------------------------------------


def _refuse_unused(checked: Checked, verb: str) -> None:
    for name in ("data", "memory_id", "query", "limit", "filters", "metadata", "ttl", "expected_version"):
        value = getattr(checked, name)
        unset = value is UNSET if name == "ttl" else value is None or (not value and name in _EMPTY_IS_UNSET)
        if not unset and name not in _USES[verb]:
            raise InvalidInputError(name, f"is not used by {verb}: leave it out")


_EMPTY_IS_UNSET = {"data", "filters", "metadata"}


def _store_rule(checked: Checked) -> None:
    if not checked.data:
        raise InvalidInputError("data", "is empty: store needs at least one record")
    working = checked.memory_type is MemoryType.WORKING_MEMORY
    if working and len(checked.data) > 1:
        raise InvalidInputError("data", f"has {len(checked.data)} records: working memory is exactly one")
    if checked.expected_version is not None and not working:
        raise InvalidInputError("expected_version", "is for storing working memory, and for update and delete")
    fields.distinct("data", checked.data)


def _update_rule(checked: Checked) -> None:
    if len(checked.data) > 1:
        raise InvalidInputError("data", f"has {len(checked.data)} records: update takes one")
    if not checked.data and not checked.metadata:
        raise InvalidInputError("data", "is empty: update needs a record, or metadata to merge")
    if checked.memory_id is None and checked.memory_type is not MemoryType.WORKING_MEMORY:
        raise InvalidInputError("memory_id", "is missing: say which record to update")
    own_id = checked.data[0].id if checked.data else None
    if own_id is not None and checked.memory_id is not None and own_id != checked.memory_id:
        raise InvalidInputError("data[0].id", "is not memory_id: leave it out, an update keeps the id")


def _delete_rule(checked: Checked) -> None:
    whole = checked.memory_id is None and checked.memory_type is not MemoryType.WORKING_MEMORY
    if checked.expected_version is not None and whole:
        raise InvalidInputError("expected_version", "needs memory_id: a whole conversation has no version")


def _no_rule(checked: Checked) -> None:
    del checked


_RULES: dict[str, Callable[[Checked], None]] = {
    "store": _store_rule,
    "retrieve": _no_rule,
    "update": _update_rule,
    "delete": _delete_rule,
}
