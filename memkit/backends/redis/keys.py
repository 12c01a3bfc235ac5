"""Names of keys: no two different places share one, and no id can act as a pattern.

``<namespace>:{<scope>:<name>}:<part>``; all keys of one conversation carry one hash tag, so every script runs in one
slot.
"""

from __future__ import annotations

import functools
import hashlib
import re

from memkit.commands import Place

__all__ = ["KeySpace", "quoted"]

# What separates, what a hash tag is made of, what a pattern is made of, the sign of escaping itself, white space and
# control characters.
_SPECIAL = re.compile(r"[:{}*?\[\]\\%^\s\x00-\x1f\x7f-\x9f]")
_LONGEST = 200


def quoted(text: str) -> str:
    """Text as a piece of a key. Injective; a text that gets too long stands as its SHA-256."""
    out = _SPECIAL.sub(_escape, text) if _SPECIAL.search(text) else text
    if len(out) <= _LONGEST:
        return out
    # Escaping never writes a % in front of an h.
    return "%h" + hashlib.sha256(text.encode()).hexdigest()


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode())


class KeySpace:
    """All keys of a namespace.

    Args:
        namespace: what keeps tenants apart.
    """

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._stem = quoted(namespace)
        self._of_owner = functools.lru_cache(maxsize=4096)(self._make_prefix)

    def prefix(self, place: Place) -> bytes:
        """What all keys of a place's owner begin with; a part's name follows."""
        return self._of_owner(place.scope, place.name)

    def _make_prefix(self, scope: str, name: str) -> bytes:
        return f"{self._stem}:{{{scope}:{quoted(name)}}}:".encode()

    def key(self, place: Place) -> bytes:
        """The key of a place."""
        return self.prefix(place) + place.part.encode()
