"""Names of keys: no two different places share one, and no id can act as a pattern.

``<namespace>:{<scope>:<name>}:<part>``; all keys of one conversation carry one hash tag, so every script runs in one
slot. What is left of something erased must not tell its name: ``<namespace>:{<number>}:f:<hash>``, where the number is
one that falls into the same slot.
"""

from __future__ import annotations

import binascii
import functools
import hashlib
import re

from memkit.commands import Place

__all__ = ["SLOTS", "KeySpace", "quoted", "slot_of"]

# What separates, what a hash tag is made of, what a pattern is made of, the sign of escaping itself, white space and
# control characters.
_SPECIAL = re.compile(r"[:{}*?\[\]\\%^\s\x00-\x1f\x7f-\x9f]")
_LONGEST = 200

SLOTS = 16384
"""How many slots a cluster has."""


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
        self._of_place = functools.lru_cache(maxsize=4096)(self._make_key)
        self._fence_of = functools.lru_cache(maxsize=4096)(self._make_fence)

    def prefix(self, place: Place) -> bytes:
        """What all keys of a place's owner begin with; a part's name follows."""
        return self._of_owner(place.scope, place.name)

    def _make_prefix(self, scope: str, name: str) -> bytes:
        return f"{self._stem}:{{{scope}:{quoted(name)}}}:".encode()

    def fence(self, place: Place, member: str = "") -> bytes:
        """The key that stands for a while after an erasure: in the slot of the place, without its name."""
        return self._fence_of(place.scope, place.name, member)

    def _make_fence(self, scope: str, name: str, member: str) -> bytes:
        tag = f"{scope}:{quoted(name)}"
        digest = hashlib.blake2b(f"{self._stem}:{{{tag}}}:{member}".encode(), digest_size=16).hexdigest()
        return f"{self._stem}:{{{_number_in(_slot(tag.encode()))}}}:f:{digest}".encode()

    @property
    def everything(self) -> str:
        """A pattern for all keys of the namespace."""
        return f"{self._stem}:*"

    @property
    def fences(self) -> re.Pattern[bytes]:
        """What the keys of fences look like."""
        return re.compile(re.escape(f"{self._stem}:").encode() + rb"\{\d+\}:f:[0-9a-f]{32}")

    def key(self, place: Place) -> bytes:
        """The key of a place."""
        return self._of_place(place.scope, place.name, place.part)

    def _make_key(self, scope: str, name: str, part: str) -> bytes:
        return self._of_owner(scope, name) + part.encode()


@functools.lru_cache(maxsize=4096)
def slot_of(key: bytes) -> int:
    """The slot of a cluster that a key falls into: that of its hash tag, where it has one."""
    _, _, rest = key.partition(b"{")
    tag, end, _ = rest.partition(b"}")
    return _slot(tag if tag and end else key)


def _slot(tag: bytes) -> int:
    return binascii.crc_hqx(tag, 0) % SLOTS


@functools.lru_cache(maxsize=4096)
def _number_in(slot: int) -> int:
    """The smallest number that falls into a slot when it is a hash tag."""
    number = 0
    while _slot(str(number).encode()) != slot:
        number += 1
    return number
