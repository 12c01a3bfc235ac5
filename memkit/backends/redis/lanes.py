"""Tokens of writes. A lane has one running write at a time, so its numbers rise in the order of its writes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from memkit.backends.redis.calls import Token
from memkit.backends.redis.forks import generation
from memkit.commands import Command, Effect

__all__ = ["NO_TOKEN", "Lanes"]

NO_TOKEN = Token(b"", 0)
"""For calls that change nothing."""

_LAST = (1 << 32) - 1


class Lanes:
    """Lends tokens; for threads, tasks and forks."""

    def __init__(self) -> None:
        self._free: list[Token] = []
        self._generation = generation()

    def give_back(self, token: Token) -> None:
        """End a write, also one whose outcome is not known: a late try of it is then below its lane's number."""
        if token.number < _LAST:
            self._free.append(token)

    def take(self) -> Token:
        """A token that no other running write has."""
        if self._generation != generation():
            # A child must not count on in the lanes of its parent.
            self._free, self._generation = [], generation()
        try:
            last = self._free.pop()
        except IndexError:
            return Token(os.urandom(8), 1)
        return Token(last.lane, last.number + 1)

    @contextmanager
    def lent(self, commands: Sequence[Command[Any]]) -> Iterator[list[Token]]:
        """A token for each command that changes something."""
        tokens = [NO_TOKEN if command.effect is Effect.READ else self.take() for command in commands]
        try:
            yield tokens
        finally:
            for token in tokens:
                if token is not NO_TOKEN:
                    self.give_back(token)
