"""How the parts of a content are read and written, whatever the provider."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from memkit.converters.notes import dicts_in, refuse
from memkit.converters.verbatim import copied, covers
from memkit.errors import InvalidInputError
from memkit.records import Part, RawPart

__all__ = [
    "Dialect",
    "Misfit",
    "content_of",
    "data_url",
    "decoded",
    "encoded",
    "from_data_url",
    "map_in",
    "media_type_of",
    "only_source",
    "parts_of",
    "read_by_type",
    "text_in",
    "text_or_none",
    "without_none",
    "write_by_class",
    "write_content",
    "write_part",
    "write_parts",
]

_BASE64 = ";base64"


class Misfit(ValueError):  # noqa: N818 - it never leaves the converters
    """A block or a part is not of a shape that has a counterpart on the other side."""


@frozen
class Dialect:
    """How one provider writes parts.

    Attributes:
        name: provider of the `RawPart` that it makes.
        family: other providers whose `RawPart` it takes.
        read: makes a part of a block; raises `Misfit` where there is none for it.
        write: makes a block of a part; raises `Misfit` where there is none for it.
        leaves_out: parts that it has no place for, and passes over.
    """

    name: str
    read: Callable[[dict[str, Any]], Part]
    write: Callable[[Part], dict[str, Any]]
    family: tuple[str, ...] = ("",)
    leaves_out: tuple[type[Part], ...] = ()


# -- reading -----------------------------------------------------------------------------------------------------------


def content_of(value: Any, dialect: Dialect, at: str) -> str | tuple[Part, ...]:
    """A content from what a provider has under ``content``; nothing is empty text.

    Raises:
        InvalidInputError: it is neither text nor a list of mappings nor None.
    """
    if value is None or type(value) is str:
        return value or ""
    if type(value) is not list:
        raise refuse(at, f"is of type {type(value).__name__}: give text, a list of parts, or None")
    return parts_of(value, dialect, at)


def parts_of(blocks: list[Any], dialect: Dialect, at: str) -> tuple[Part, ...]:
    """A part for each block.

    Raises:
        InvalidInputError: a block is not a mapping.
    """
    return tuple(_part(block, dialect) for block in dicts_in(blocks, at))


def _part(block: dict[str, Any], dialect: Dialect) -> Part:
    try:
        part = dialect.read(block)
        if covers(dialect.write(part), block):
            return part
    except Misfit:
        pass
    return RawPart(block, provider=dialect.name)


def read_by_type(readers: Mapping[str, Callable[[dict[str, Any]], Part]]) -> Callable[[dict[str, Any]], Part]:
    """A reader that goes by the ``type`` of a block."""

    def read(block: dict[str, Any]) -> Part:
        kind = block.get("type")
        if type(kind) is not str or kind not in readers:
            raise Misfit("is of an unknown type")
        return readers[kind](block)

    return read


def text_in(block: dict[str, Any], key: str) -> str:
    """The text under a key, or `Misfit`."""
    value = block.get(key)
    if type(value) is not str:
        raise Misfit(f"has no text under {key!r}")
    return value


def text_or_none(block: dict[str, Any], key: str) -> str | None:
    """The text under a key or None; `Misfit` if something else is there."""
    return None if block.get(key) is None else text_in(block, key)


def map_in(block: dict[str, Any], key: str) -> dict[str, Any]:
    """The dict under a key, or `Misfit`."""
    value = block.get(key)
    if type(value) is not dict:
        raise Misfit(f"has no mapping under {key!r}")
    return value


# -- writing -----------------------------------------------------------------------------------------------------------


def write_content(content: str | tuple[Part, ...], dialect: Dialect, at: str) -> str | list[dict[str, Any]]:
    """What a provider has under ``content``: text stays text.

    Raises:
        InvalidInputError: a part has no place there.
    """
    return content if isinstance(content, str) else write_parts(content, dialect, at)


def write_parts(parts: tuple[Part, ...], dialect: Dialect, at: str) -> list[dict[str, Any]]:
    """A block for each part.

    Raises:
        InvalidInputError: a part has no place there.
    """
    numbered = enumerate(parts)
    return [
        write_part(part, dialect, f"{at}[{index}]")
        for index, part in numbered
        if not isinstance(part, dialect.leaves_out)
    ]


def write_part(part: Part, dialect: Dialect, at: str) -> dict[str, Any]:
    """The block of a part.

    Raises:
        InvalidInputError: it has no place there.
    """
    try:
        return _raw(part, dialect) if isinstance(part, RawPart) else dialect.write(part)
    except Misfit as misfit:
        raise InvalidInputError(at, str(misfit)) from None


def _raw(part: RawPart, dialect: Dialect) -> dict[str, Any]:
    if part.provider != dialect.name and part.provider not in dialect.family:
        cure = "leave it out, or put text in its place"
        raise Misfit(f"is a part of {part.provider!r}, which {dialect.name} has no place for: {cure}")
    payload: dict[str, Any] = copied(dict(part.payload))
    return payload


def write_by_class(
    name: str, writers: Mapping[type[Part], Callable[[Any], dict[str, Any]]]
) -> Callable[[Part], dict[str, Any]]:
    """A writer that goes by the class of a part; `name` is the provider."""

    def write(part: Part) -> dict[str, Any]:
        writer = writers.get(type(part))
        if writer is None:
            cure = "leave it out, or put text in its place"
            raise Misfit(f"is of type {type(part).__name__}, which {name} has no place for: {cure}")
        return writer(part)

    return write


def without_none(**values: Any) -> dict[str, Any]:
    """The values that are not None."""
    return {key: value for key, value in values.items() if value is not None}


# -- media -------------------------------------------------------------------------------------------------------------


def only_source(part: Any, *allowed: str) -> str:
    """Which one of url, data and file_id a part has, or `Misfit`."""
    given = [name for name in ("url", "data", "file_id") if getattr(part, name, None) is not None]
    if len(given) != 1 or given[0] not in allowed:
        has = " and ".join(given) or "neither"
        raise Misfit(f"has {has}: exactly one of {', '.join(allowed)} can be written here")
    return given[0]


def media_type_of(part: Any) -> str:
    """The media type of a part, or `Misfit`."""
    if part.media_type is None:
        raise Misfit("has no media_type: give it, for example media_type='image/png'")
    return str(part.media_type)


def encoded(data: bytes) -> str:
    """Bytes as base64."""
    return b64encode(data).decode()


def decoded(text: str) -> bytes:
    """The bytes of canonical base64, or `Misfit`."""
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        raise Misfit("is not base64") from None
    if encoded(data) != text:
        raise Misfit("is not canonical base64")
    return data


def data_url(data: bytes, media_type: str) -> str:
    """A ``data:`` URL."""
    return f"data:{media_type}{_BASE64},{encoded(data)}"


def from_data_url(url: str) -> tuple[str, bytes] | None:
    """Media type and bytes of a ``data:`` URL that `data_url` would write in the same way, else None."""
    head, comma, body = url.partition(",")
    media_type = head.removeprefix("data:").removesuffix(_BASE64)
    if not comma or not media_type or head != f"data:{media_type}{_BASE64}":
        return None
    try:
        return media_type, decoded(body)
    except Misfit:
        return None
