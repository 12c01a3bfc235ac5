"""What was read over one connection and is kept until the server says on it that it has changed.

The server remembers which keys were read over a connection, those read by scripts included, and pushes there which of
them changed since. So a result is right as long as nothing was pushed for its conversation, and its keys live.
"""

from __future__ import annotations

import math
import threading
from contextvars import ContextVar
from typing import Any, TypeVar

from memkit.backends.base import ABSENT, Key
from memkit.backends.redis.calls import Argument, Commands
from memkit.sealing import seal

__all__ = ["FILLING", "QUIET", "TRACK", "Fill", "Shelf", "questions", "spoil"]

T = TypeVar("T")

QUIET = 1.0
"""Seconds for which a connection may say nothing and still be taken for alive. A result is never further behind."""

TRACK: Commands = (("CLIENT", "TRACKING", "ON"),)

# Keeping a whole long conversation would cost more memory than it saves time.
_LARGEST = 1_000
_MS = 1000


class Fill:
    """A read whose result may be kept.

    Args:
        owner: what keeps results; reads over anything else do not belong to it.
        prefix: what the keys of the conversation begin with.

    Attributes:
        is_spoiled: something speaks against keeping the result.
        until: monotonic seconds until which all that was read lives.
    """

    __slots__ = ("_shelf", "is_spoiled", "owner", "prefix", "until")

    def __init__(self, owner: object, prefix: bytes) -> None:
        self.owner = owner
        self.prefix = prefix
        self.is_spoiled = False
        self.until = math.inf
        self._shelf: Shelf | None = None

    def join(self, shelf: Shelf) -> None:
        """Be told of what changes, before anything is read over the connection of a shelf."""
        if self._shelf is None:
            self._shelf = shelf
            shelf.join(self)
        elif self._shelf is not shelf:
            self.is_spoiled = True

    def bound(self, sent: float, asked: Commands, answers: list[Any]) -> None:
        """Take in how long the keys live.

        Args:
            sent: monotonic seconds of the reading.
            asked: see `questions`.
            answers: the replies.
        """
        now = 0
        for (name, *_), answer in zip(asked, answers, strict=True):
            if name == "PTTL" and answer >= 0:
                self.until = min(self.until, sent + answer / _MS)
            elif name == "TIME":
                now = int(answer[0]) * _MS + int(answer[1]) // _MS
            elif name == "ZRANGE" and answer:
                self.until = min(self.until, sent + (_score(answer) - now) / _MS)

    def done(self, key: Key, result: T) -> T:
        """The result, which is kept if nothing speaks against it; what is in its records is read-only."""
        keeps = False
        try:
            keeps = _is_fit(result)
        finally:
            if self._shelf is not None:
                self._shelf.leave(self, key, result, keeps=keeps)
        return result

    def leave(self) -> None:
        """There is no result."""
        if self._shelf is not None:
            self._shelf.leave(self, (), None, keeps=False)


FILLING: ContextVar[Fill | None] = ContextVar("memkit_filling", default=None)
"""The read that is going on."""


def spoil() -> None:
    """What is read now is read where nobody listens."""
    fill = FILLING.get()
    if fill is not None:
        fill.is_spoiled = True


def _score(answer: list[Any]) -> float:
    """The first score of a reply with scores, in either protocol."""
    first = answer[0]
    return float(first[1] if isinstance(first, list) else answer[1])


def _is_fit(result: Any) -> bool:
    """Whether a result is one to keep; then its records are sealed."""
    if not isinstance(result, list):
        return result is None or type(result) is int or seal(result)
    return len(result) <= _LARGEST and not getattr(result, "damaged", ()) and all(map(seal, result))


def questions(commands: Commands) -> Commands:
    """What asks how long lives what commands read: keys, and the rows of tables."""
    keys = dict.fromkeys(key for command in commands for key in _keys_of(command))
    asked: list[tuple[Argument, ...]] = [("PTTL", key) for key in keys]
    for key in keys:
        if key.endswith(b":ltx"):
            asked += [("TIME",), ("ZRANGE", key, 0, 0, "WITHSCORES")]
    return tuple(asked)


def _keys_of(command: tuple[Any, ...]) -> tuple[bytes, ...]:
    return command[3 : 3 + command[2]] if command[0] in _SCRIPTS else command[1:2]


_SCRIPTS = frozenset({"EVAL", "EVALSHA"})


class _Kept:
    """A result that is kept.

    Args:
        result: the result; a tuple of its items where it is a list.
        kind: the class of the list.
        until: monotonic seconds until which it is right.
        prefix: what the keys of its conversation begin with.

    Attributes:
        was_used: since it was last spared.
    """

    __slots__ = ("kind", "prefix", "result", "until", "was_used")

    def __init__(self, result: Any, kind: type | None, until: float, prefix: bytes) -> None:
        self.result = result if kind is None else tuple(result)
        self.kind = kind
        self.until = until
        self.prefix = prefix
        self.was_used = False

    def taken(self, now: float) -> Any:
        """The result, as a list of the caller's own where it is one; `ABSENT` if it is over."""
        if self.until <= now:
            return ABSENT
        self.was_used = True
        return self.result if self.kind is None else self.kind(self.result)


class Shelf:
    """Results; where there are too many the oldest goes that was not used since its turn came last. For threads.

    Args:
        size: how many.

    Attributes:
        look: what is kept under a key, or None. Without the lock: what is dropped at the same time may be used as well.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._kept: dict[Key | None, _Kept] = {}
        self.look = self._kept.get
        self._keys: dict[bytes, set[Key | None]] = {}
        self._fills: set[Fill] = set()

    def join(self, fill: Fill) -> None:
        """A read begins: what is dropped from now on spoils it."""
        with self._lock:
            self._fills.add(fill)

    def leave(self, fill: Fill, key: Key, result: Any, *, keeps: bool) -> None:
        """A read has ended; keep its result, if that is wanted and nothing has spoilt it."""
        kind = type(result) if isinstance(result, list) else None
        with self._lock:
            self._fills.discard(fill)
            if not keeps or fill.is_spoiled:
                return
            self._kept[key] = _Kept(result, kind, fill.until, fill.prefix)
            self._keys.setdefault(fill.prefix, set()).add(key)
            if len(self._kept) > self._size:
                self._make_room()

    def _make_room(self) -> None:
        while True:
            key = next(iter(self._kept))
            oldest = self._kept.pop(key)
            if not oldest.was_used:
                break
            oldest.was_used = False
            self._kept[key] = oldest
        keys = self._keys[oldest.prefix]
        keys.discard(key)
        if not keys:
            del self._keys[oldest.prefix]

    def heard(self, push: list[Any]) -> None:
        """Take in what the server pushes."""
        if push[0] != b"invalidate":
            return
        if push[1] is None:
            self.clear()
        else:
            for prefix in {key[: key.rfind(b":") + 1] for key in push[1]}:
                self.drop(prefix)

    def drop(self, prefix: bytes) -> None:
        """Forget a conversation: all of whose keys begin with this."""
        with self._lock:
            self._drop(prefix)

    def _drop(self, prefix: bytes) -> None:
        for key in self._keys.pop(prefix, ()):
            del self._kept[key]
        for fill in self._fills:
            fill.is_spoiled = fill.is_spoiled or fill.prefix == prefix

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self._keys.clear()
            for fill in self._fills:
                fill.is_spoiled = True
