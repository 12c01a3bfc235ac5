"""What all converters do around the records: check what comes in, and keep notes in metadata.

The notes of `from_x` stand in ``metadata["from_x"]``: hints, which hold whatever the record says (``role``, ``joined``,
``calls_at``, …), and ``patch``, the difference between the record as it is written and the original. ``of`` is the
fingerprint of the former, so that a patch is never applied to a record that was changed. Patches are stored: what the
converters write for a record is therefore part of the stored format, and the tests pin it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from attrs import evolve

from memkit.converters.verbatim import amended, copied, difference, digest
from memkit.errors import InvalidInputError
from memkit.records import AssistantMessage, Message, SystemMessage, ToolMessage, UserMessage
from memkit.sealing import unsealed
from memkit.values import RefusedValue, plain

__all__ = [
    "ROOM",
    "checked",
    "checked_value",
    "dicts_in",
    "hinted",
    "keep",
    "notes_of",
    "refuse",
    "required_text",
    "role_of",
    "written_each",
]

M = TypeVar("M", bound=Message)

ROOM = 16
"""Levels of nesting that a note may add to what it holds."""

_MESSAGES = SystemMessage | UserMessage | AssistantMessage | ToolMessage
_KEY_IN_PATH = re.compile(r"\['([A-Za-z_]\w*)'\]")


def refuse(at: str, problem: str) -> InvalidInputError:
    """The error for a wrong value at a path."""
    return InvalidInputError(at, problem)


def checked(items: Any, name: str) -> list[dict[str, Any]]:
    """Copies of the messages of a provider.

    Raises:
        InvalidInputError: they are not a list of mappings, or hold what cannot be stored.
    """
    if not isinstance(items, Sequence) or isinstance(items, str | bytes):
        raise refuse(name, f"is of type {type(items).__name__}: give a list of mappings")
    return [_checked_item(item, f"{name}[{index}]") for index, item in enumerate(items)]


def _checked_item(item: Any, at: str) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise refuse(at, _not_a_mapping(item))
    copy: dict[str, Any] = checked_value(dict(item), at)
    return copy


def _not_a_mapping(value: Any) -> str:
    return f"is of type {type(value).__name__}: give a mapping; a model gives one by model_dump(exclude_unset=True)"


def checked_value(value: Any, at: str) -> Any:
    """A copy of a value that can be stored inside a note.

    Raises:
        InvalidInputError: it cannot; names the place.
    """
    try:
        plain(value, ROOM)
    except RefusedValue as refused:
        raise refuse(at + _KEY_IN_PATH.sub(r".\1", refused.path), refused.problem) from None
    return copied(value)


def dicts_in(value: list[Any], at: str) -> list[dict[str, Any]]:
    """`value` if every item is a dict.

    Raises:
        InvalidInputError: one is not; names it.
    """
    for index, item in enumerate(value):
        if type(item) is not dict:
            raise refuse(f"{at}[{index}]", _not_a_mapping(item))
    return value


def required_text(item: dict[str, Any], key: str, at: str, cure: str) -> str:
    """The text under a key.

    Raises:
        InvalidInputError: there is none.
    """
    value = item.get(key)
    if type(value) is not str:
        problem = f"is of type {type(value).__name__}" if key in item else "is missing"
        raise refuse(f"{at}.{key}", f"{problem}: {cure}")
    return value


def hinted(key: str, **hints: Any) -> dict[str, Any]:
    """Metadata with hints; those that are None are left out."""
    given = {name: value for name, value in hints.items() if value is not None}
    return {key: given} if given else {}


def notes_of(message: Message, key: str) -> Mapping[str, Any]:
    """The notes that a converter left in a record."""
    notes = message.metadata.get(key)
    return notes if isinstance(notes, Mapping) else {}


def role_of(message: Message, key: str, names: Mapping[str, str]) -> str:
    """The provider's role of a record: the one it came with, else by `names`."""
    role = notes_of(message, key).get("role")
    return role if isinstance(role, str) else names[message.role]


def keep(message: M, key: str, written: Any, wanted: Any) -> M:
    """The record with a note of what is to be done to `written`, its written form, to get `wanted`."""
    change = difference(written, wanted)
    if change is None:
        return message
    notes = {**notes_of(message, key), "patch": change, "of": digest(written)}
    return evolve(message, metadata={**message.metadata, key: notes})


def _restored(message: Message, key: str, written: Any) -> Any:
    notes = notes_of(message, key)
    change = notes.get("patch")
    if type(change) is dict and notes.get("of") == digest(written):
        return amended(written, change)
    return written


def written_each(
    messages: Iterable[Message], key: str, write: Callable[[Any, str], Any]
) -> Iterator[tuple[Message, Any]]:
    """Every record beside its written form, exactly as it came.

    Raises:
        InvalidInputError: something is not a message, or cannot be written.
    """
    for index, message in enumerate(messages):
        at = f"messages[{index}]"
        if not isinstance(message, _MESSAGES):
            cure = "give system, user, assistant and tool messages of memkit"
            raise refuse(at, f"is of type {type(message).__name__}: {cure}")
        own = unsealed(message)
        yield own, _restored(own, key, write(own, at))
