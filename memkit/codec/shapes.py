"""How fields become plain values: one private cattrs converter, strict in both directions.

An attrs class becomes an array of its fields. A field that a class gained later stands at the end, so that an older
array, which is shorter, still reads.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin

import attrs
from attrs import frozen
from cattrs import Converter

from memkit.clock import from_us
from memkit.records import (
    AudioPart,
    FilePart,
    ImagePart,
    Part,
    RawPart,
    ReasoningPart,
    TextPart,
)
from memkit.values import RefusedValue, check_int, check_text, check_time, plain, plain_map, revive, revive_map

__all__ = [
    "CONTENT",
    "PART_KINDS",
    "Field",
    "dump_fields",
    "dump_hook",
    "dump_part",
    "field_of",
    "fields_of",
    "is_mapping",
    "is_sequence",
    "is_union",
    "item_of",
    "load_fields",
    "load_hook",
    "load_part",
    "only_member",
]

Dump = Callable[[Any], Any]
Load = Callable[[Any], Any]

PART_KINDS: dict[str, type[Part]] = {
    "text": TextPart,
    "image": ImagePart,
    "audio": AudioPart,
    "file": FilePart,
    "reasoning": ReasoningPart,
    "raw": RawPart,
}
# attrs types Factory as a function.
_FACTORY: Any = attrs.Factory
_PART_NAMES = {kind: name for name, kind in PART_KINDS.items()}

_converter = Converter(detailed_validation=False, prefer_attrib_converters=False)


def _refuse_type(kind: Any) -> Any:
    raise TypeError(f"{kind} is not supported: see memkit.register for the types that are")


# What none of the hooks below takes is refused: cattrs' own hooks for other types change what they are given.
_converter.register_unstructure_hook_factory(lambda _: True, _refuse_type)
_converter.register_structure_hook_factory(lambda _: True, _refuse_type)


@frozen
class Field:
    """One field of a class: its name, its two hooks, and its default.

    Attributes:
        alias: its name as an argument of the class.
        default: the value of a field that is missing; `attrs.NOTHING` where the field is required.
        plain_default: the same as a plain value.
        kind: its type.
    """

    name: str
    alias: str
    dump: Dump
    load: Load
    default: Any
    plain_default: Any
    kind: Any

    def missing(self) -> Any:
        """The value of the field in an array that is too short to hold it."""
        if _is_factory(self.default):
            return self.default.factory()
        if self.default is attrs.NOTHING:
            raise ValueError(f"the field {self.name!r} is missing")
        return self.default


def field_of(attribute: attrs.Attribute[Any]) -> Field:
    """The `Field` of an attribute of a class whose types are resolved.

    Raises:
        TypeError: its type has no lossless form.
    """
    dump = dump_hook(attribute.type)
    default: Any = attribute.default
    if _is_factory(default) and default.takes_self:
        default = attrs.NOTHING
    alias = attribute.alias or attribute.name
    plain_default = _plain_default(dump, default)
    return Field(attribute.name, alias, dump, load_hook(attribute.type), default, plain_default, attribute.type)


def _plain_default(dump: Dump, default: Any) -> Any:
    if default is attrs.NOTHING:
        return default
    return dump(default.factory() if _is_factory(default) else default)


def _is_factory(default: Any) -> bool:
    return type(default) is _FACTORY


def dump_hook(kind: Any) -> Dump:
    """The function that turns a value of type `kind` into plain values, or refuses it."""
    return _converter.get_unstructure_hook(kind, cache_result=False)


def load_hook(kind: Any) -> Load:
    """The function that turns plain values into a value of type `kind`, or raises ValueError."""
    hook = _converter.get_structure_hook(kind, cache_result=False)
    return cast("Load", hook.__wrapped__)  # type: ignore[attr-defined]  # every hook here is made by _hook


def _hook(load: Load) -> Callable[[Any, Any], Any]:
    """A hook as cattrs wants it; `load_hook` takes the function inside of it, and saves a call for each value."""

    @functools.wraps(load)
    def hook(value: Any, _: Any) -> Any:
        return load(value)

    return hook


def _exactly(kind: type) -> Dump:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise RefusedValue(f"is of type {type(value).__name__}: {kind.__name__} is expected")
        return value

    return check


def _then(first: Dump, second: Dump) -> Dump:
    return lambda value: second(first(value))


def _register(kind: Any, dump: Dump, load: Load) -> None:
    _converter.register_unstructure_hook_func(lambda candidate: candidate is kind, dump)
    _converter.register_structure_hook_func(lambda candidate: candidate is kind, _hook(load))


def _register_scalar(kind: Any, dump: Dump, load: Load) -> None:
    # cattrs looks at classes before it looks at predicates, and has hooks of its own for these classes.
    _converter.register_unstructure_hook(kind, dump)
    _converter.register_structure_hook(kind, _hook(load))


def _load_time(value: Any) -> datetime:
    return from_us(_exactly(int)(value))


for _kind in (bool, float, bytes):
    _register_scalar(_kind, _exactly(_kind), _exactly(_kind))
_register_scalar(str, _then(_exactly(str), check_text), _exactly(str))
_register_scalar(int, _then(_exactly(int), check_int), _exactly(int))
_register_scalar(datetime, _then(_exactly(datetime), check_time), _load_time)
_register(Any, plain, revive)


# -- containers --------------------------------------------------------------------------------------------------------


def is_mapping(kind: Any) -> bool:
    """Whether the kind is a mapping."""
    return (get_origin(kind) or kind) in (dict, Mapping)


def _check_mapping(kind: Any) -> None:
    arguments = get_args(kind)
    if arguments and (arguments[0] is not str or arguments[1] is not Any):
        raise TypeError(f"{kind} is not supported: annotate dict[str, Any]")


def _dump_mapping(kind: Any) -> Dump:
    _check_mapping(kind)
    return plain_map


def _load_mapping(kind: Any) -> Callable[[Any, Any], Any]:
    _check_mapping(kind)
    return _hook(revive_map)


def is_sequence(kind: Any) -> bool:
    """Whether the kind is a list or a tuple."""
    return (get_origin(kind) or kind) in (list, tuple)


def item_of(kind: Any) -> Any:
    """The kind of the items of a sequence."""
    arguments = get_args(kind)
    if not arguments:
        return Any
    if get_origin(kind) is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis):  # noqa: PLR2004
        raise TypeError(f"{kind} is not supported: annotate list[T] or tuple[T, ...]")
    return arguments[0]


def _dump_sequence(kind: Any) -> Dump:
    check = _exactly(get_origin(kind) or kind)
    dump = dump_hook(item_of(kind))

    def dump_items(value: Any) -> list[Any]:
        out = []
        for index, item in enumerate(check(value)):
            try:
                out.append(dump(item))
            except RefusedValue as refused:
                raise refused.under(f"[{index}]") from None
        return out

    return dump_items


def _load_sequence(kind: Any) -> Callable[[Any, Any], Any]:
    load = load_hook(item_of(kind))
    make = get_origin(kind) or kind
    check = _exactly(list)
    return _hook(lambda value: make([load(item) for item in check(value)]))


_converter.register_unstructure_hook_factory(is_mapping, _dump_mapping)
_converter.register_structure_hook_factory(is_mapping, _load_mapping)
_converter.register_unstructure_hook_factory(is_sequence, _dump_sequence)
_converter.register_structure_hook_factory(is_sequence, _load_sequence)


# -- unions: None or one thing, and the content of a message -----------------------------------------------------------

CONTENT = str | tuple[Part, ...]


def is_union(kind: Any) -> bool:
    """Whether the kind is a union."""
    return isinstance(kind, UnionType) or get_origin(kind) is Union


def only_member(kind: Any) -> Any:
    """What a union holds beside None."""
    members = [member for member in get_args(kind) if member is not type(None)]
    if len(members) != 1:
        raise TypeError(f"{kind} is not supported: a union may hold None and one other type")
    return members[0]


def _dump_union(kind: Any) -> Dump:
    if kind == CONTENT:
        text, parts = dump_hook(str), dump_hook(tuple[Part, ...])
        return lambda value: parts(value) if type(value) is tuple else text(value)
    dump = dump_hook(only_member(kind))
    return lambda value: None if value is None else dump(value)


def _load_union(kind: Any) -> Callable[[Any, Any], Any]:
    if kind == CONTENT:
        text, parts = load_hook(str), load_hook(tuple[Part, ...])
        return _hook(lambda value: parts(value) if type(value) is list else text(value))
    load = load_hook(only_member(kind))
    return _hook(lambda value: None if value is None else load(value))


_converter.register_unstructure_hook_factory(is_union, _dump_union)
_converter.register_structure_hook_factory(is_union, _load_union)


# -- choices -----------------------------------------------------------------------------------------------------------


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _check_choices(kind: Any, choices: Iterable[Any]) -> None:
    if not all(type(choice) in (str, int, bool, NoneType) for choice in choices):
        raise TypeError(f"{kind} is not supported: its values must be str, int or bool")


def _dump_enum(kind: Any) -> Dump:
    _check_choices(kind, [member.value for member in kind])
    check = _exactly(kind)
    return lambda value: check(value).value


def _load_enum(kind: Any) -> Callable[[Any, Any], Any]:
    members = {(type(member.value), member.value): member for member in kind}
    return _hook(lambda value: members[type(value), value])


def _is_literal(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _literal(kind: Any) -> Dump:
    choices = {(type(choice), choice) for choice in get_args(kind)}
    _check_choices(kind, get_args(kind))

    def check(value: Any) -> Any:
        if type(value) not in (str, int, bool, NoneType) or (type(value), value) not in choices:
            raise RefusedValue("is none of the values that the field allows")
        return value

    return check


def _load_literal(kind: Any) -> Callable[[Any, Any], Any]:
    check = _literal(kind)
    return _hook(check)


_converter.register_unstructure_hook_factory(_is_enum, _dump_enum)
_converter.register_structure_hook_factory(_is_enum, _load_enum)
_converter.register_unstructure_hook_factory(_is_literal, _literal)
_converter.register_structure_hook_factory(_is_literal, _load_literal)


# -- attrs classes -----------------------------------------------------------------------------------------------------


def fields_of(kind: Any) -> tuple[Field, ...]:
    """The fields of an attrs class, in order."""
    attrs.resolve_types(kind)
    return tuple(field_of(attribute) for attribute in attrs.fields(kind))


def dump_fields(value: Any, fields: tuple[Field, ...]) -> list[Any]:
    """The plain values of the fields of an object."""
    out = []
    for item in fields:
        try:
            out.append(item.dump(getattr(value, item.name)))
        except RefusedValue as refused:
            raise refused.under(f".{item.name}") from None
    return out


def load_fields(values: list[Any], fields: tuple[Field, ...]) -> dict[str, Any]:
    """Keyword arguments from the plain values of fields; what came later than these fields is passed over."""
    given = {item.alias: item.load(value) for item, value in zip(fields, values, strict=False)}
    for item in fields[len(values) :]:
        given[item.alias] = item.missing()
    return given


def _dump_class(kind: Any) -> Dump:
    fields = fields_of(kind)
    check = _exactly(kind)
    return lambda value: dump_fields(check(value), fields)


def _load_class(kind: Any) -> Callable[[Any, Any], Any]:
    fields = fields_of(kind)
    check = _exactly(list)
    return _hook(lambda value: kind(**load_fields(check(value), fields)))


_converter.register_unstructure_hook_factory(attrs.has, _dump_class)
_converter.register_structure_hook_factory(attrs.has, _load_class)


# -- parts -------------------------------------------------------------------------------------------------------------


@frozen
class UnknownPart(RawPart):
    """A part of a kind that a newer memkit wrote; its payload has the ``kind`` and the ``fields``."""


def dump_part(value: Any) -> list[Any]:
    """The plain values of a part of any kind."""
    if type(value) is UnknownPart:
        return [str(value.payload["kind"]), *plain(value.payload["fields"])]
    name = _PART_NAMES.get(type(value))
    if name is None:
        raise RefusedValue(f"is of type {type(value).__name__}: a part of memkit.records is expected")
    return [name, *dump_hook_of_part[name](value)]


def load_part(value: Any) -> Part:
    """The part of plain values."""
    name, *fields = _exactly(list)(value)
    load = load_hook_of_part.get(name)
    if load is None:
        # A newer memkit wrote it: kept as it is, and written back as it is.
        return UnknownPart({"kind": _exactly(str)(name), "fields": revive(fields)}, provider="memkit")
    return load(fields)  # type: ignore[no-any-return]  # a hook returns what its class makes


dump_hook_of_part = {name: dump_hook(kind) for name, kind in PART_KINDS.items()}
load_hook_of_part = {name: load_hook(kind) for name, kind in PART_KINDS.items()}
_register(Part, dump_part, load_part)
