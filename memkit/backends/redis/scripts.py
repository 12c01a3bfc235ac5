"""The Lua scripts: read once from the package, their includes put in front, known to the server by their digest."""

from __future__ import annotations

import functools
import hashlib
from importlib.resources import files

from attrs import frozen

__all__ = ["Script", "script", "source_of"]

_INCLUDE = "--!include "


@frozen
class Script:
    """A script.

    Attributes:
        source: with what it includes.
        digest: by which `EVALSHA` calls it.
    """

    source: bytes
    digest: bytes


_by_digest: dict[bytes, Script] = {}


@functools.cache
def script(name: str) -> Script:
    """The script in ``lua/<name>.lua``."""
    source = _source(name)
    first, _, _ = source.partition("\n")
    if first.startswith(_INCLUDE):
        source = "\n".join([*(_source(part) for part in first.removeprefix(_INCLUDE).split()), source])
    encoded = source.encode()
    made = Script(encoded, hashlib.sha1(encoded, usedforsecurity=False).hexdigest().encode())
    _by_digest[made.digest] = made
    return made


def source_of(digest: bytes) -> bytes:
    """The source of a script that was made before."""
    return _by_digest[digest].source


def _source(name: str) -> str:
    return (files(__package__) / "lua" / f"{name}.lua").read_text(encoding="utf-8")
