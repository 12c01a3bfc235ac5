"""Functions written for one class each: all that a record costs as long as nothing is wrong with it.

The hooks of `memkit.codec.shapes` find what is wrong with a value, and where. The functions here only find that
something is unusual, and raise whatever comes: then the hooks are asked, and they decide. What msgpack refuses by
itself is left to it: text that is no Unicode, ints beyond 64 bits, types that it does not know.

The source of a function is made of the fields of a class, never of data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, get_origin

import attrs
from attrs import define, field, frozen

from memkit import records
from memkit.clock import from_us
from memkit.codec.shapes import (
    CONTENT,
    PART_KINDS,
    Field,
    dump_hook,
    dump_part,
    fields_of,
    is_mapping,
    is_sequence,
    is_union,
    item_of,
    load_hook,
    load_part,
    only_member,
)
from memkit.ids import unpack_id
from memkit.records import Memory, Part
from memkit.values import LEAVES, NESTED, quick_map, revive_map

__all__ = ["QuickDump", "QuickLoad", "compile_dump", "compile_load"]

QuickDump = Callable[[Any, Any], list[Any]]
"""Takes a record and its `Envelope`; returns the elements of the wire record."""

QuickLoad = Callable[[list[Any], int, tuple[int, int] | None], Memory]
"""Takes the elements of a wire record, the scope that must stand in it, and None or the version and the microseconds
of the creation that count instead of those in it."""

Lines = list[str]

_SCALARS = (str, int, float, bool, bytes)
_EPOCH = from_us(0)
_MICROSECOND = from_us(1) - _EPOCH


class _Doubt(Exception):  # noqa: N818 - it never leaves the codec: the hooks decide what it was
    """Something is not of the usual form."""


@define
class _Source:
    """A function in the making: its lines, and what the names in them stand for."""

    lines: Lines
    names: dict[str, Any] = field(factory=lambda: {"Doubt": _Doubt})

    def name(self, thing: Any) -> str:
        """The name of a thing."""
        name = f"n{len(self.names)}"
        self.names[name] = thing
        return name

    def function(self) -> Any:
        """The function."""
        code = compile("\n ".join(self.lines), "<memkit.codec.compiled>", "exec")
        exec(code, self.names)  # noqa: S102 - see the top of the module
        return self.names["function"]


@frozen
class _Way:
    """One of the two directions. Each attribute that makes lines is given the source and the name of a value.

    Attributes:
        hook: finds the hook of a kind.
        mapping: makes the lines for a mapping.
        of_class: makes the lines for an object of an attrs class.
        part: takes a part of a message.
        sequence: class and, as source, the end of a sequence of a class.
    """

    hook: Callable[[Any], Any]
    mapping: Callable[[_Source, str], Lines]
    of_class: Callable[[_Source, type, str], Lines]
    part: Callable[[Any], Any]
    sequence: Callable[[type], tuple[str, str]]


def _indented(lines: Iterable[str]) -> Lines:
    return [" " + line for line in lines]


def _lines(source: _Source, way: _Way, kind: Any, value: str) -> Lines:
    """What turns a value of a kind into its other form; `value` is the name of both."""
    if kind == CONTENT:
        return [f"if type({value}) is not str:", *_indented(_lines(source, way, tuple[Part, ...], value))]
    if is_union(kind):
        return _perhaps(source, way, only_member(kind), value)
    if kind in _SCALARS:
        return [f"if type({value}) is not {kind.__name__}: raise Doubt"]
    return _composed(source, way, kind, value)


def _composed(source: _Source, way: _Way, kind: Any, value: str) -> Lines:
    if is_mapping(kind):
        return way.mapping(source, value)
    if is_sequence(kind):
        return _sequence(source, way, kind, value)
    if isinstance(kind, type) and attrs.has(kind) and kind is not Part:
        return way.of_class(source, kind, value)
    return [f"{value} = {source.name(way.part if kind is Part else way.hook(kind))}({value})"]


def _perhaps(source: _Source, way: _Way, kind: Any, value: str) -> Lines:
    if kind in _SCALARS:
        return [f"if {value} is not None and type({value}) is not {kind.__name__}: raise Doubt"]
    return [f"if {value} is not None:", *_indented(_lines(source, way, kind, value))]


def _sequence(source: _Source, way: _Way, kind: Any, value: str) -> Lines:
    item, (given, end) = f"{value}i", way.sequence(get_origin(kind) or kind)
    return [
        f"if type({value}) is not {given}: raise Doubt",
        f"{value}s, {value} = {value}, []",
        f"for {item} in {value}s:",
        *_indented(_lines(source, way, item_of(kind), item)),
        f" {value}.append({item})",
        *([end.format(value)] if end else []),
    ]


def _names(value: str, fields: tuple[Field, ...]) -> Lines:
    """Names for the values of the fields of an object; no other value has them."""
    return [f"{value}_{at}" for at in range(len(fields))]


# -- from records to plain values --------------------------------------------------------------------------------------


def compile_dump(name: str, schema: int, fields: tuple[Field, ...], *, trims: bool) -> QuickDump:
    """The function that dumps the records of a class; it must not be given one of another class.

    Args:
        name: of the class, as it stands in the data.
        schema: version of the fields.
        fields: its own, without the envelope.
        trims: trailing fields that hold their default are left out.
    """
    source, values = _Source(["def function(x, e):"]), _names("v", fields)
    source.lines += ["id, created, updated, version, scope = e", "metadata = x.metadata"]
    source.lines += [*_dump_mapping(source, "metadata"), *_dump_fields(source, "x", fields, values)]
    head = [repr(schema), repr(name), "scope, id, created, None if updated == created else updated, version, metadata"]
    for count in range(len(fields), 0, -1) if trims else ():
        test = _is_given(values[count - 1], fields[count - 1].plain_default)
        source.lines.append(f"if {test}: return [{', '.join(head + values[:count])}]")
    source.lines.append(f"return [{', '.join(head if trims else head + values)}]")
    return source.function()  # type: ignore[no-any-return]  # it was written just now


def _is_given(value: str, default: Any) -> str:
    """Whether a value is not its default; for the defaults of memkit's own records nothing else needs to be asked."""
    if default is attrs.NOTHING:
        return "True"
    return f"{value} is not {default}" if default is None or default is False else f"{value} != {default!r}"


def _dump_fields(source: _Source, value: str, fields: tuple[Field, ...], names: Lines) -> Lines:
    lines: Lines = []
    for item, name in zip(fields, names, strict=True):
        lines += [f"{name} = {value}.{item.name}", *_lines(source, _DUMP, item.kind, name)]
    return lines


def _dump_class(source: _Source, cls: type, value: str, *before: str) -> Lines:
    fields = fields_of(cls)
    names = _names(value, fields)
    return [
        f"if type({value}) is not {source.name(cls)}: raise Doubt",
        *_dump_fields(source, value, fields, names),
        f"{value} = [{', '.join([*before, *names])}]",
    ]


def _dump_mapping(source: _Source, value: str) -> Lines:
    quick, leaves = source.name(quick_map), source.name(LEAVES)
    return [
        f"if type({value}) is dict and len({value}) != 1:",
        # Nobody else can change the copy between these checks and the packing.
        f" {value} = {value}.copy()",
        f" for key, item in {value}.items():",
        f"  if type(key) is not str or type(item) not in {leaves}: {value} = {quick}({value}); break",
        f"else: {value} = {quick}({value})",
    ]


def _compile_dump_part(cls: type, kind: str) -> Callable[[Any], list[Any]]:
    source = _Source(["def function(x):"])
    source.lines += [*_dump_class(source, cls, "x", repr(kind)), "return x"]
    return source.function()  # type: ignore[no-any-return]  # it was written just now


def _dump_part(value: Any) -> list[Any]:
    return _DUMP_PARTS.get(type(value), dump_part)(value)


_DUMP = _Way(dump_hook, _dump_mapping, _dump_class, _dump_part, lambda of: (of.__name__, ""))
_DUMP_PARTS = {cls: _compile_dump_part(cls, kind) for kind, cls in PART_KINDS.items()}


# -- from plain values to records --------------------------------------------------------------------------------------


def compile_load(cls: type, schema: int, fields: tuple[Field, ...]) -> QuickLoad:
    """The function that loads the records of a class.

    Args:
        cls: the class.
        schema: version of the fields; a record of another one is unusual.
        fields: its own, without the envelope.
    """
    source, values = _Source(["def function(x, place, head):"]), _names("v", fields)
    head = ["schema", "_", "scope", "id", "created", "updated", "version", "metadata"]
    ints = " or ".join(f"type({name}) is not int" for name in ("schema", "created", "version"))
    source.lines += [
        *_unpacked(source, "x", fields, [*head, *values]),
        f"if schema != {schema} or scope != place or {ints}: raise Doubt",
        *_load_mapping(source, "metadata"),
        *_load_fields(source, fields, values),
        *_load_head(source),
    ]
    envelope = {"id": "id", "metadata": "metadata", "created_at": "created", "updated_at": "updated"}
    own = {item.alias: value for item, value in zip(fields, values, strict=True)}
    source.lines += [*_built(source, cls, "x", {**envelope, "version": "version", **own}), "return x"]
    return source.function()  # type: ignore[no-any-return]  # it was written just now


def _load_head(source: _Source) -> Lines:
    """What `unpack_id` and `from_us` do, without their calls."""
    text, moment = source.name(unpack_id), source.name(from_us)
    return [
        "if type(id) is bytes and len(id) == 16: id = f\"{id[:4].hex()}-{id[4:10].hex('-', 2)}-{id[10:].hex()}\"",
        f"else: id = {text}(id)",
        f"created = {source.name(_EPOCH)} + created * {source.name(_MICROSECOND)}",
        f"updated = created if updated is None else {moment}(updated)",
        f"if head is not None: version, created = head[0], {moment}(head[1])",
    ]


def _unpacked(source: _Source, value: str, fields: tuple[Field, ...], names: Lines) -> Lines:
    """Lines that take a list apart; the last names are those of the fields."""
    pads = source.name(_pads(fields, len(names)))
    target = ", ".join(names)
    return [
        f"if len({value}) != {len(names)}: {value} = {value} + {pads}[len({value})]",
        f"[{target}] = {value}",
    ]


def _pads(fields: tuple[Field, ...], full: int) -> dict[int, list[Any]]:
    """What a list lacks that is too short, by its length; only where that is the same each time."""
    pads: dict[int, list[Any]] = {}
    missing: list[Any] = []
    for item in reversed(fields):
        if not (item.default is None or item.default == () or type(item.default) in _SCALARS):
            break
        missing = [item.plain_default, *missing]
        pads[full - len(missing)] = missing
    return pads


def _load_fields(source: _Source, fields: tuple[Field, ...], names: Lines) -> Lines:
    return [line for item, name in zip(fields, names, strict=True) for line in _lines(source, _LOAD, item.kind, name)]


def _load_class(source: _Source, cls: type, value: str, *before: str) -> Lines:
    fields = fields_of(cls)
    names = _names(value, fields)
    return [
        f"if type({value}) is not list: raise Doubt",
        *_unpacked(source, value, fields, [*before, *names]),
        *_load_fields(source, fields, names),
        *_built(source, cls, value, {item.alias: name for item, name in zip(fields, names, strict=True)}),
    ]


def _built(source: _Source, cls: type, value: str, values: dict[str, str]) -> Lines:
    """Lines that make an object of a class from the values of its fields."""
    made = source.name(cls)
    if cls.__module__ != records.__name__:
        return [f"{value} = {made}({', '.join(f'{alias}={name}' for alias, name in values.items())})"]
    # The constructor of a frozen class takes several times as long. What else it does was done to the values before.
    new, open_class = source.name(object.__new__), source.name(_opened(cls))
    return [
        f"{value} = {new}({open_class})",
        *[f"{value}.{alias} = {name}" for alias, name in values.items()],
        f"{value}.__class__ = {made}",
    ]


def _opened(cls: type) -> type:
    """A class with the slots of `cls` whose objects can be changed, and become objects of `cls` by assignment."""
    # Both methods: they share one place in a class, and assignments are only quick if neither is written in Python.
    own = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    return type(f"_Open{cls.__name__}", (cls,), own)


def _load_mapping(source: _Source, value: str) -> Lines:
    revive, nested = source.name(revive_map), source.name(NESTED)
    return [
        f"if type({value}) is dict and len({value}) != 1:",
        f" for key, item in {value}.items():",
        f"  if type(key) is not str or type(item) in {nested}: {value} = {revive}({value}); break",
        f"else: {value} = {revive}({value})",
    ]


def _compile_load_part(cls: type) -> Callable[[list[Any]], Any]:
    source = _Source(["def function(x):"])
    source.lines += [*_load_class(source, cls, "x", "_"), "return x"]
    return source.function()  # type: ignore[no-any-return]  # it was written just now


def _load_part(value: Any) -> Any:
    load: Callable[[Any], Any] = _LOAD_PARTS.get(value[0], load_part)
    return load(value)


def _loaded_sequence(of: type) -> tuple[str, str]:
    return "list", "{0} = tuple({0})" if of is tuple else ""


_LOAD = _Way(load_hook, _load_mapping, _load_class, _load_part, _loaded_sequence)
_LOAD_PARTS: dict[Any, Callable[[list[Any]], Any]] = {kind: _compile_load_part(cls) for kind, cls in PART_KINDS.items()}
