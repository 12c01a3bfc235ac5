"""Fences: what was erased a moment ago, so that no late write brings it back."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

from memkit.commands import Place
from memkit.errors import ErasedError

__all__ = ["FENCED_S", "Fences"]

FENCED_S = 120.0
"""Seconds for which writes are refused."""


class Fences:
    """Names under a hash, each with the time until which it is fenced. All last equally long, so they end in order."""

    def __init__(self) -> None:
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def put(self, place: Place, now: float, member: str = "") -> None:
        """Refuse writes to the scope of a place from now on, or only those of a name in it."""
        name = _hashed(place, member)
        self._until[name] = now + FENCED_S
        self._until.move_to_end(name)

    def refuse(self, place: Place, now: float, member: str = "") -> None:
        """Refuse a write.

        Raises:
            ErasedError: the scope of the place is fenced, or this name in it.
        """
        while self._until and next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)
        if self._until and _hashed(place, member) in self._until:
            raise ErasedError


def _hashed(place: Place, member: str) -> bytes:
    return blake2b(f"{place.scope}:{len(place.name)}:{place.name}:{member}".encode(), digest_size=16).digest()
