"""The Lua scripts: read once from the package, their includes put in front, known to the server by their digest."""

from __future__ import annotations

import functools
import hashlib
import re
from importlib.resources import files

from attrs import frozen

__all__ = ["Script", "script", "source_of"]

# A script's first lines may name what stands in front of it: first what may answer alone, then functions that it needs.
_FIRST = "--!first "
_INCLUDE = "--!include "
# Only for those who read the file.
_COMMENT = re.compile(r"^ *--.*\n|^\n", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z_]\w*")
# At the left margin: a function with its end, or the names of values.
_DEFINITION = re.compile(r"^(local (?:function (\w+)[^\n]*\n.*?\nend|([\w, ]+) = [^\n]*))$", re.MULTILINE | re.DOTALL)


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
    lines = source.split("\n", 2)[:2]
    first = [_source(part) for line in lines for part in _named(line, _FIRST)]
    included = "\n".join(_source(part) for line in lines for part in _named(line, _INCLUDE))
    text = "\n".join([*first, *_needed(included, source), source])
    encoded = _COMMENT.sub("", text).encode()
    made = Script(encoded, hashlib.sha1(encoded, usedforsecurity=False).hexdigest().encode())
    _by_digest[made.digest] = made
    return made


def _named(line: str, mark: str) -> list[str]:
    return line.removeprefix(mark).split() if line.startswith(mark) else []


def _needed(included: str, source: str) -> list[str]:
    """The definitions that a script needs, directly or through others.

    Each run of a script creates all functions that stand in it, which takes a server longer than what most of them do.
    """
    used, kept = set(_NAME.findall(source)), list[str]()
    for text, function, values in reversed(_DEFINITION.findall(included)):
        # What is defined uses only what stands before it.
        if used.intersection(_NAME.findall(function or values)):
            used.update(_NAME.findall(text))
            kept.insert(0, text)
    return kept


def source_of(digest: bytes) -> bytes:
    """The source of a script that was made before."""
    return _by_digest[digest].source


def _source(name: str) -> str:
    return (files(__package__) / "lua" / f"{name}.lua").read_text(encoding="utf-8")
