"""Tokens of writes. A lane has one running write at a time, so its numbers rise in the order of its writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from memkit.backends.redis.calls import Token

__all__ = ["NO_TOKEN", "Lanes"]

NO_TOKEN = Token(b"", 0)
"""For calls that change nothing."""

_LAST = (1 << 32) - 1


class Lanes:
    """Lends tokens; for threads, tasks and forks."""

    def __init__(self) -> None:
        self._free: list[Token] = []
        self._pid = os.getpid()

    @contextmanager
    def token(self) -> Iterator[Token]:
        """A token that no other running write has."""
        token = self._take()
        try:
            yield token
        finally:
            # Also after a write whose outcome is not known: a late attempt of it is then below its lane's number.
            if token.number < _LAST:
                self._free.append(token)

    def _take(self) -> Token:
        if self._pid != os.getpid():
            # A child must not count on in the lanes of its parent.
            self._free, self._pid = [], os.getpid()
        try:
            last = self._free.pop()
        except IndexError:
            return Token(os.urandom(8), 1)
        return Token(last.lane, last.number + 1)
