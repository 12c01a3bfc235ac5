"""The closed registry of record types: nothing is ever imported by a name found in data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs
from attrs import field, frozen

from memkit.codec.compiled import QuickDump, QuickLoad, compile_dump, compile_load
from memkit.codec.shapes import Field, field_of
from memkit.errors import ConfigurationError
from memkit.records import (
    AssistantMessage,
    Fact,
    Memory,
    SystemMessage,
    ToolMessage,
    UserMessage,
    WorkingMemory,
)

__all__ = ["RecordType", "Registry", "Upcaster", "register", "registry"]

Upcaster = Callable[[list[Any]], list[Any]]
"""Takes the field values of one schema version, in order, and returns those of the next."""

M = TypeVar("M", bound=Memory)

_ENVELOPE = {attribute.name for attribute in attrs.fields(Memory)}
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+\Z")


@frozen
class RecordType:
    """How a class is written.

    Attributes:
        cls: the class.
        name: its stable name in the data.
        schema: version of its fields, from 1.
        upcasters: for each older version, what makes the next one of it.
        fields: its own fields, without the envelope.
        trims: trailing fields that hold their default are left out. Not for users' classes: their upcasters count on
            every field, and a default that changes must not change what was stored.
    """

    cls: type[Memory]
    name: str
    schema: int
    upcasters: Mapping[int, Upcaster]
    fields: tuple[Field, ...] = field(repr=False)
    trims: bool = False


class Registry:
    """Record types by class and by name.

    Attributes:
        dumps: what dumps the records of a class while they are usual; see `memkit.codec.compiled`.
        loads: what loads those of a type, by its name.
    """

    def __init__(self) -> None:
        self._by_class: dict[type, RecordType] = {}
        self._by_name: dict[str, RecordType] = {}
        self.dumps: dict[type, QuickDump] = {}
        self.loads: dict[str, QuickLoad] = {}

    def add(
        self, cls: type[Memory], name: str, schema: int, upcasters: Mapping[int, Upcaster], *, trims: bool = False
    ) -> None:
        """Register a class; the same class under the same name again replaces it."""
        known = self._by_name.get(name)
        if known is not None and known.cls.__qualname__ != cls.__qualname__:
            raise ConfigurationError([f"the record name {name!r} belongs to {known.cls.__qualname__}"])
        entry = RecordType(cls, name, schema, dict(upcasters), _own_fields(cls), trims)
        self._by_class[cls] = self._by_name[name] = entry
        self.dumps[cls] = compile_dump(name, schema, entry.fields, trims=trims)
        self.loads[name] = compile_load(cls, schema, entry.fields)

    def of(self, cls: type) -> RecordType | None:
        """The type of a class, or None."""
        return self._by_class.get(cls)

    def named(self, name: str) -> RecordType | None:
        """The type under a name, or None."""
        return self._by_name.get(name)


def _own_fields(cls: type[Memory]) -> tuple[Field, ...]:
    attrs.resolve_types(cls)
    own = [attribute for attribute in attrs.fields(cls) if attribute.name not in _ENVELOPE]
    unset = [attribute.name for attribute in own if not attribute.init]
    if unset:
        raise ConfigurationError([f"{cls.__qualname__}.{unset[0]} is init=False: it could not be read back"])
    try:
        return tuple(field_of(attribute) for attribute in own)
    except TypeError as error:
        raise ConfigurationError([f"{cls.__qualname__} cannot be a record: {error}"]) from error


registry = Registry()

for _cls, _name in {
    WorkingMemory: "wm",
    SystemMessage: "sys",
    UserMessage: "usr",
    AssistantMessage: "ast",
    ToolMessage: "tool",
    Fact: "fact",
}.items():
    registry.add(_cls, _name, 1, {}, trims=True)


def register(
    name: str, *, schema: int = 1, upcasters: Mapping[int, Upcaster] | None = None
) -> Callable[[type[M]], type[M]]:
    """Make an attrs class of your own a record that memkit stores and returns.

    Fields may be str, int, float, bool, bytes, datetime, `Any` (what metadata may hold), ``dict[str, Any]``, a list
    or tuple of these, other attrs classes, and any of them ``| None``. Append new fields at the end, with a default;
    for any other change raise `schema` and give an upcaster.

    Args:
        name: stable name in the data, with a dot: ``acme.note``. Never change it.
        schema: version of the fields, from 1.
        upcasters: for each older version, a function from its list of field values to the list of the next version.

    Returns:
        A class decorator.

    Raises:
        ConfigurationError: the class, the name or the versions cannot be used.
    """

    def decorate(cls: type[M]) -> type[M]:
        problems = _problems(cls, name, schema, upcasters or {})
        if problems:
            raise ConfigurationError(problems)
        registry.add(cls, name, schema, upcasters or {})
        return cls

    return decorate


def _problems(cls: Any, name: str, schema: int, upcasters: Mapping[int, Upcaster]) -> list[str]:
    found = []
    if not (isinstance(cls, type) and issubclass(cls, Memory) and "__attrs_attrs__" in cls.__dict__):
        found.append(f"{cls!r} is not an attrs class derived from Memory: decorate it with attrs.frozen first")
    if not _NAME.match(name):
        found.append(f"the record name {name!r} needs a dot and lower-case letters, like 'acme.note'")
    if type(schema) is not int or schema < 1:
        found.append(f"schema {schema!r} is not a whole number from 1")
    elif sorted(upcasters) != list(range(1, schema)):
        found.append(f"schema {schema} needs an upcaster for each version before it, 1 to {schema - 1}")
    return found
