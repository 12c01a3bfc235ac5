"""What the two formats of OpenAI have in common: JSON text of arguments, and the insides of media parts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from memkit.converters.notes import ROOM, refuse
from memkit.converters.parts import (
    data_url,
    decoded,
    encoded,
    from_data_url,
    map_in,
    media_type_of,
    only_source,
    text_in,
    text_or_none,
    without_none,
)
from memkit.records import AudioPart, FilePart, ImagePart
from memkit.values import plain

__all__ = [
    "all_compact",
    "arguments_text",
    "image_at",
    "image_url",
    "read_arguments",
    "read_audio",
    "read_file",
    "write_audio",
    "write_file",
]

_AUDIO = "audio/"
# The one format whose media type is not called like it.
_MP3, _MPEG = "mp3", "mpeg"


# -- arguments ---------------------------------------------------------------------------------------------------------


def read_arguments(text: Any) -> dict[str, Any]:
    """The arguments in a JSON text; none where it is not an object that can be stored."""
    try:
        value = json.loads(text) if type(text) is str else None
        plain(value, ROOM)
    except (ValueError, RecursionError):
        return {}
    return value if type(value) is dict else {}


def arguments_text(arguments: Mapping[str, Any], at: str, *, compact: bool = False) -> str:
    """Arguments as JSON text.

    Args:
        arguments: of a call.
        at: names the call in errors.
        compact: without spaces and with letters as they are, as models write it.

    Raises:
        InvalidInputError: a value has no form in JSON.
    """
    try:
        if compact:
            return json.dumps(dict(arguments), ensure_ascii=False, separators=(",", ":"))
        return json.dumps(dict(arguments))
    except TypeError:
        raise refuse(f"{at}.arguments", "hold bytes or a datetime, which JSON has no form for: give text") from None


def all_compact(texts: Iterable[Any]) -> bool | None:
    """True if all the texts are compact JSON and that is not their plain form, else None."""
    known = [(text, read_arguments(text)) for text in texts]
    if all(text == arguments_text(value, "") for text, value in known):
        return None
    return all(text == arguments_text(value, "", compact=True) for text, value in known) or None


# -- media -------------------------------------------------------------------------------------------------------------


def image_at(url: str, detail: str | None) -> ImagePart:
    """The image under a URL, which may hold it."""
    held = from_data_url(url)
    if held is None:
        return ImagePart(url=url, detail=detail)
    return ImagePart(data=held[1], media_type=held[0], detail=detail)


def image_url(part: ImagePart) -> str:
    """The URL of an image, which may hold it."""
    if only_source(part, "url", "data") == "url":
        return str(part.url)
    return data_url(part.data or b"", media_type_of(part))


def read_audio(block: dict[str, Any]) -> AudioPart:
    """An ``input_audio`` part."""
    inner = map_in(block, "input_audio")
    kind = text_in(inner, "format")
    return AudioPart(data=decoded(text_in(inner, "data")), media_type=_AUDIO + (_MPEG if kind == _MP3 else kind))


def write_audio(part: AudioPart) -> dict[str, Any]:
    """An ``input_audio`` part."""
    only_source(part, "data")
    kind = media_type_of(part).removeprefix(_AUDIO)
    inner = {"data": encoded(part.data or b""), "format": _MP3 if kind == _MPEG else kind}
    return {"type": "input_audio", "input_audio": inner}


def read_file(inner: dict[str, Any]) -> FilePart:
    """The keys that say where a file is."""
    held = text_or_none(inner, "file_data")
    known = from_data_url(held) if held is not None else None
    bare = decoded(held) if held is not None and known is None else None
    return FilePart(
        url=text_or_none(inner, "file_url"),
        data=known[1] if known else bare,
        media_type=known[0] if known else None,
        name=text_or_none(inner, "filename"),
        file_id=text_or_none(inner, "file_id"),
    )


def write_file(part: FilePart, *allowed: str) -> dict[str, Any]:
    """The keys that say where a file is; `allowed` are its possible sources."""
    only_source(part, *allowed)
    held = None
    if part.data is not None:
        held = encoded(part.data) if part.media_type is None else data_url(part.data, part.media_type)
    return without_none(file_url=part.url, file_data=held, file_id=part.file_id, filename=part.name)
