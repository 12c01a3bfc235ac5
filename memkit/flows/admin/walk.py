"""Walking over all names of an index, in memory that hardly grows with it."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable

from memkit.commands import IndexPage, IndexRead, IndexRow, Place
from memkit.flows.base import Flow

__all__ = ["Seen", "Walk"]

_PAGE = 100
_DIGEST = 8


class Seen:
    """What went by already: eight bytes for each."""

    def __init__(self) -> None:
        self._digests = array("Q")

    def add(self, things: Iterable[bytes]) -> None:
        """Remember these."""
        self._digests.extend(map(_digest, things))

    def unknown(self, things: Iterable[bytes]) -> list[bytes]:
        """Those that were not added, in their order. Looks at all that were."""
        by_digest = {_digest(thing): thing for thing in things}
        for known in set(by_digest).intersection(self._digests):
            del by_digest[known]
        return list(by_digest.values())


def _digest(thing: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(thing, digest_size=_DIGEST).digest(), "big")


class Walk:
    """The names of an index from the oldest touch on, each once.

    Touches move names to the end meanwhile, so none is missed, and those that come by a second time are told.

    Args:
        place: of the index.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._after: IndexRow | None = None
        self._border: int | None = None
        self._more = True
        self._seen = Seen()

    def page(self) -> Flow[list[str]]:
        """The next names; an empty list at the end."""
        if self._border is None:
            self._border = yield from self._newest()
        while self._more:
            found: IndexPage = yield IndexRead(self._place, _PAGE, self._after, newest=False)
            self._more = found.more
            self._after = found.rows[-1] if found.rows else self._after
            names = self._new(found.rows)
            if names:
                return names
        return []

    def _newest(self) -> Flow[int]:
        """When an index that is read from here on was touched last, by the clock of the store."""
        newest: IndexPage = yield IndexRead(self._place, 1)
        return newest.rows[0].touched_us if newest.rows else 0

    def _new(self, rows: Iterable[IndexRow]) -> list[str]:
        # What was touched before the walk began cannot come by twice.
        names = {row.name.encode(): row.touched_us >= (self._border or 0) for row in rows}
        late = {name for name, moved in names.items() if moved}
        known = late.difference(self._seen.unknown(late)) if late else set()
        self._seen.add(names.keys() - late)
        self._seen.add(late - known)
        return [name.decode() for name in names if name not in known]
