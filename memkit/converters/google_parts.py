"""The parts of Google's ``contents``: keys in two spellings, bytes in three."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from attrs import frozen

from memkit.converters.parts import (
    Dialect,
    Misfit,
    decoded,
    encoded,
    from_data_url,
    map_in,
    media_type_of,
    only_source,
    text_in,
    text_or_none,
    without_none,
    write_by_class,
)
from memkit.records import AudioPart, FilePart, ImagePart, Part, ReasoningPart, TextPart

__all__ = ["Style", "dialect_of", "style_in", "style_of"]

Block = dict[str, Any]
_Media = ImagePart | AudioPart | FilePart

_CAMEL = {
    "inline_data": "inlineData",
    "file_data": "fileData",
    "mime_type": "mimeType",
    "file_uri": "fileUri",
    "display_name": "displayName",
    "function_call": "functionCall",
    "function_response": "functionResponse",
    "thought_signature": "thoughtSignature",
}
_CAMEL_KEYS = frozenset(_CAMEL.values())
_BYTES, _URLSAFE = "bytes", "urlsafe"


@frozen
class Style:
    """How a message is spelt.

    Attributes:
        camel: keys as in JSON (``inlineData``), not as in Python (``inline_data``).
        binary: bytes as ``bytes``, as ``urlsafe`` base64, or, where it is None, as base64.
    """

    camel: bool = False
    binary: str | None = None

    def key(self, name: str) -> str:
        """A key in this spelling."""
        return _CAMEL.get(name, name) if self.camel else name

    def packed(self, data: bytes) -> str | bytes:
        """Bytes in this spelling."""
        if self.binary == _BYTES:
            return data
        return urlsafe_b64encode(data).decode() if self.binary == _URLSAFE else encoded(data)

    def unpacked(self, value: Any) -> bytes:
        """The bytes of a value in this spelling, or `Misfit`."""
        if type(value) is bytes:
            return value
        if type(value) is not str:
            raise Misfit("is not base64")
        try:
            # It is written again and compared: what is not canonical does not pass.
            return urlsafe_b64decode(value) if self.binary == _URLSAFE else decoded(value)
        except ValueError:
            raise Misfit("is not base64") from None


def style_of(notes: Mapping[str, Any]) -> Style:
    """The style that notes remember."""
    binary = notes.get("binary")
    return Style(notes.get("camel") is True, binary if binary in {_BYTES, _URLSAFE} else None)


def style_in(blocks: Iterable[Any]) -> Style:
    """The style of a provider's parts; a part that is spelt otherwise will be kept raw."""
    seen = list(_items_in(blocks))
    values = [value for key, value in seen if key in {"data", "thought_signature", "thoughtSignature"}]
    spellings = {_spelling(value) for value in values} - {None}
    return Style(any(key in _CAMEL_KEYS for key, _ in seen), min(spellings, default=None))


def _spelling(value: Any) -> Any:
    if type(value) is bytes:
        return _BYTES
    return _URLSAFE if type(value) is str and ("-" in value or "_" in value) else None


def _items_in(blocks: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Keys and values of parts, of what is in them, and of the parts of results."""
    for block in blocks:
        for key, value in block.items() if type(block) is dict else ():
            yield key, value
            if type(value) is dict:
                yield from value.items()
                inner = value.get("parts")
                yield from _items_in(inner) if type(inner) is list else ()


# -- parts -------------------------------------------------------------------------------------------------------------


def dialect_of(style: Style) -> Dialect:
    """How parts are read and written in a style."""
    writers: dict[type[Part], Callable[[Any], Block]] = {
        TextPart: lambda part: {"text": part.text},
        ReasoningPart: lambda part: _write_thought(part, style),
        **dict.fromkeys((ImagePart, AudioPart, FilePart), lambda part: _write_media(part, style)),
    }
    return Dialect("google", lambda block: _read(block, style), write_by_class("google", writers))


def _read(block: Block, style: Style) -> Part:
    inline, address = style.key("inline_data"), style.key("file_data")
    # A dump of a whole model has every key, with None under all but one.
    if block.get(inline) is not None:
        return _read_inline(map_in(block, inline), style)
    if block.get(address) is not None:
        return _read_address(map_in(block, address), style)
    if block.get("thought") is True:
        return _read_thought(block, style)
    return TextPart(text_in(block, "text"))


def _read_thought(block: Block, style: Style) -> ReasoningPart:
    proof = block.get(style.key("thought_signature"))
    if type(proof) is bytes:
        return ReasoningPart(text_in(block, "text"), encoded(proof))
    return ReasoningPart(text_in(block, "text"), text_or_none(block, style.key("thought_signature")))


def _write_thought(part: ReasoningPart, style: Style) -> Block:
    if part.data is not None:
        raise Misfit("holds data, as none of Google does: leave out the reasoning of another provider")
    proof: Any = part.signature
    if proof is not None and style.binary == _BYTES:
        proof = decoded(proof)
    return {"text": part.text, "thought": True, **without_none(**{style.key("thought_signature"): proof})}


def _media_class(media_type: str | None) -> type[_Media]:
    known: dict[str, type[_Media]] = {"image": ImagePart, "audio": AudioPart}
    return known.get((media_type or "").partition("/")[0], FilePart)


def _read_inline(inner: Block, style: Style) -> Part:
    media_type = text_in(inner, style.key("mime_type"))
    data = style.unpacked(inner.get("data"))
    return _named(_media_class(media_type)(data=data, media_type=media_type), inner, style)


def _read_address(inner: Block, style: Style) -> Part:
    media_type = text_or_none(inner, style.key("mime_type"))
    url = text_in(inner, style.key("file_uri"))
    return _named(_media_class(media_type)(url=url, media_type=media_type), inner, style)


def _named(part: _Media, inner: Block, style: Style) -> Part:
    """A file with its name; images and audio have none."""
    if not isinstance(part, FilePart):
        return part
    name = text_or_none(inner, style.key("display_name"))
    return FilePart(url=part.url, data=part.data, media_type=part.media_type, name=name)


def _write_media(part: _Media, style: Style) -> Block:
    given = only_source(part, "url", "data")
    held = from_data_url(part.url or "") if given == "url" else None
    if held is not None:
        return _write_media(FilePart(data=held[1], media_type=held[0], name=_name_of(part)), style)
    name = {style.key("display_name"): _name_of(part)}
    if given == "data":
        inline = {style.key("mime_type"): media_type_of(part), "data": style.packed(part.data or b"")}
        return {style.key("inline_data"): {**inline, **without_none(**name)}}
    # Only a file may come without: an image would come back as a file.
    media_type = part.media_type if isinstance(part, FilePart) else media_type_of(part)
    address = {style.key("file_uri"): part.url, style.key("mime_type"): media_type}
    return {style.key("file_data"): without_none(**address, **name)}


def _name_of(part: _Media) -> str | None:
    return part.name if isinstance(part, FilePart) else None
