"""Results of reads, kept as long as the server says nothing else: a connection that listens, in both colours.

Reads that are kept go over a connection of their own with ``CLIENT TRACKING ON``. Whatever is wrong with it, everything
that was read over it is dropped, and the read goes the way of all others, with its errors.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import Any, TypeVar, cast
from weakref import WeakSet

from memkit.backends.base import ABSENT, Key
from memkit.backends.redis.calls import Commands
from memkit.backends.redis.discovery import Finder, Timeouts
from memkit.backends.redis.driver import AsyncLink, Link
from memkit.backends.redis.ears import Ear, EarMux, Ears
from memkit.backends.redis.faults import Fault, accepted, closed, is_transient
from memkit.backends.redis.forks import after_fork
from memkit.backends.redis.keys import KeySpace
from memkit.backends.redis.tails import FILLING, QUIET, TRACK, Fill, questions, spoil
from memkit.backends.redis.target import Target
from memkit.backends.redis.wire import connect
from memkit.commands import Place
from memkit.retrying import remaining

__all__ = ["AsyncTracking", "Tracking"]

T = TypeVar("T")

# Seconds to wait for the reply of a server that has said nothing for a while.
_PATIENCE = 0.5
# Seconds after which a connection that could not be opened is tried again.
_REST = 1.0
_PING: Commands = (("PING",),)


# To ask for the process at each look would cost more than the rest of it.
_all: WeakSet[Tracking | AsyncTracking] = WeakSet()


def _after_fork() -> None:
    for each in list(_all):
        each.forked()


after_fork(_after_fork)


def _prefix(keys: KeySpace, key: Key) -> bytes:
    return keys.prefix(Place("c", key[0], ""))


# -- plain code --------------------------------------------------------------------------------------------------------


class Tracking:
    """Keeps results of reads, and is the link that reads them. For threads, also after a fork.

    Args:
        link: for everything else.
        target: the server, or the sentinels that know it.
        timeouts: of connecting and of one try, in seconds.
        keys: names of keys.
        size: how many results are kept.
    """

    is_cluster = False

    def __init__(self, link: Link, target: Target, timeouts: Timeouts, keys: KeySpace, size: int) -> None:
        self._link = link
        self._target = target
        self._timeouts = timeouts
        self._keys = keys
        self._size = size
        self._finder = Finder(target, timeouts)
        self._ear: Ear | None = None
        self._left: list[Ear] = []
        self._closed = False
        self.forked()
        _all.add(self)

    def __str__(self) -> str:
        return str(self._link)

    def forked(self) -> None:
        """Begin anew in a child: the connection is the parent's, only its file is closed here."""
        self._lose()
        # Held by who uses the connection.
        self._lock = threading.Lock()
        self._rests_until = 0.0

    # -- what is kept --------------------------------------------------------------------------------------------------

    def find(self, key: Key | None) -> Any:
        """See `Tails.find`."""
        # Not by `with`, which takes a tenth of all that a hit takes.
        self._lock.acquire()
        try:
            ear = self._ear
            kept = None if ear is None else ear.shelf.look(key)
            if ear is None or kept is None:
                return ABSENT
            now = monotonic()
            if ear.poll(0) or now - ear.asked > QUIET:
                kept = ear.shelf.look(key) if self._is_well(ear, now) else None
                now = monotonic()
        finally:
            self._lock.release()
        return ABSENT if kept is None else kept.taken(now)

    def _is_well(self, ear: Ear, now: float) -> bool:
        """Take in what was pushed, and whether the server is there at all."""
        try:
            ear.listen()
            if now - ear.asked > QUIET:
                accepted(ear.ask(_PING, min(_PATIENCE, self._timeouts.attempt)))
        except Fault:
            self._lose()
            return False
        except BaseException:
            self._lose()
            raise
        return True

    def fill(self, key: Key, read: Callable[[], T]) -> T:
        """See `Tails.fill`."""
        fill = Fill(self, _prefix(self._keys, key))
        token = FILLING.set(fill)
        try:
            result = read()
        except BaseException:
            fill.leave()
            raise
        finally:
            FILLING.reset(token)
        return fill.done(key, result)

    def drop(self, places: Iterable[Place]) -> None:
        """Forget what is kept of them, before something is written there and again afterwards."""
        ear = self._ear
        if ear is not None:
            for place in places:
                ear.shelf.drop(self._keys.prefix(place))

    # -- the link ------------------------------------------------------------------------------------------------------

    def exchange(self, commands: Commands, *, fresh: bool = False) -> list[Any]:
        """See `Link.exchange`."""
        fill = FILLING.get()
        if fill is None or fill.owner is not self:
            return self._link.exchange(commands, fresh=fresh)
        replies = self._read(commands, fill, fresh=fresh)
        if replies is None:
            fill.is_spoiled = True
            replies = self._link.exchange(commands)
        return accepted(replies)

    def replies(self, commands: Commands) -> list[Any]:
        """See `Link.replies`; these keys are not listened to."""
        spoil()
        return self._link.replies(commands)

    def _read(self, commands: Commands, fill: Fill, *, fresh: bool) -> list[Any] | None:
        """Replies over the connection that listens; None if they have to be got the usual way."""
        # Who finds it in use does not wait: the pool has other connections.
        if not self._lock.acquire(blocking=False):
            return None
        try:
            return self._ask(commands, fill, self._timeouts.attempt if fresh else self._timeouts.patience())
        except Fault as fault:
            if not is_transient(fault):
                raise
            self._rests_until = monotonic() + _REST if self._ear is None else 0.0
            self._lose()
            return None
        except BaseException:
            self._lose()
            raise
        finally:
            self._lock.release()

    def _ask(self, commands: Commands, fill: Fill, patience: float) -> list[Any] | None:
        ear = self._ear or self._opened(patience)
        if ear is None:
            return None
        fill.join(ear.shelf)
        asked = questions(commands)
        replies = ear.ask((*commands, *asked), patience)
        count = len(commands)
        fill.bound(ear.asked, asked, accepted(replies[count:]))
        return replies[:count]

    def _opened(self, patience: float) -> Ear | None:
        """A new connection; None if one could not be opened a moment ago."""
        if self._closed:
            raise closed()
        if monotonic() < self._rests_until:
            return None
        self._lose()
        host, port = self._finder.find()
        made = connect(
            self._target,
            host,
            port,
            connect_timeout=min(patience, self._timeouts.connect),
            patience=patience,
            kind=lambda sock, seconds: Ear(sock, seconds, self._size),
        )
        ear = cast("Ear", made)
        try:
            accepted(ear.ask(TRACK, patience))
        except BaseException:
            ear.close()
            raise
        self._ear = ear
        return ear

    def _lose(self) -> None:
        """Close the connection; with it goes what was read over it. The lock is held."""
        ear, self._ear = self._ear, None
        for each in [*self._left, *([] if ear is None else [ear])]:
            each.close()
        self._left.clear()

    def rediscover(self, *, leave: bool) -> None:
        """See `Link.rediscover`; nothing that was read from the server so far is right any more."""
        self._link.rediscover(leave=leave)
        self._finder.forget()
        # Somebody may be using it: who has the lock next closes it.
        ear, self._ear = self._ear, None
        if ear is not None:
            self._left.append(ear)

    def close(self) -> None:
        """See `Link.close`."""
        self._closed = True
        with self._lock:
            self._lose()
        self._link.close()


# -- asyncio -----------------------------------------------------------------------------------------------------------


class AsyncTracking:
    """`Tracking` for asyncio: each loop keeps results of its own.

    Args:
        link: for everything else.
        target: the server, or the sentinels that know it.
        timeouts: of connecting and of one try, in seconds.
        keys: names of keys.
        size: how many results are kept for each loop.
    """

    is_cluster = False

    def __init__(self, link: AsyncLink, target: Target, timeouts: Timeouts, keys: KeySpace, size: int) -> None:
        self._link = link
        self._timeouts = timeouts
        self._keys = keys
        self._ears = Ears(target, timeouts, size)
        self._rests_until = 0.0
        _all.add(self)

    def __str__(self) -> str:
        return str(self._link)

    def forked(self) -> None:
        """See `Tracking.forked`."""
        self._ears.forked()

    # -- what is kept --------------------------------------------------------------------------------------------------

    def find(self, key: Key | None) -> Any:
        """See `AsyncTails.find`."""
        ear = self._ears.current()
        kept = None if ear is None else ear.shelf.look(key)
        if ear is None or kept is None:
            return ABSENT
        now = monotonic()
        # What has come is read by the loop, or by `fill`.
        return ABSENT if ear.poll(0) or now - ear.asked > QUIET else kept.taken(now)

    async def _is_well(self, ear: EarMux) -> bool:
        """Take in what was pushed, and whether the server is there at all."""
        try:
            async with asyncio.timeout(min(_PATIENCE, self._timeouts.attempt)):
                await ear.ask(_PING)
        except (Fault, TimeoutError):
            ear.abort()
            return False
        return True

    async def fill(self, key: Key, read: Callable[[], Awaitable[T]]) -> T:
        """See `AsyncTails.fill`."""
        ear = self._ears.current()
        if ear is not None and ear.shelf.look(key) is not None and await self._is_well(ear):
            kept = ear.shelf.look(key)
            found = ABSENT if kept is None else kept.taken(monotonic())
            if found is not ABSENT:
                return found  # type: ignore[no-any-return]  # it is what a read returned once
        fill = Fill(self, _prefix(self._keys, key))
        token = FILLING.set(fill)
        try:
            result = await read()
        except BaseException:
            fill.leave()
            raise
        finally:
            FILLING.reset(token)
        return fill.done(key, result)

    def drop(self, places: Iterable[Place]) -> None:
        """See `Tracking.drop`; in all loops."""
        for shelf in self._ears.shelves():
            for place in places:
                shelf.drop(self._keys.prefix(place))

    # -- the link ------------------------------------------------------------------------------------------------------

    def begin(self, commands: Commands) -> Awaitable[list[Any]] | None:
        """See `AsyncLink.begin`."""
        fill = FILLING.get()
        return self._link.begin(commands) if fill is None or fill.owner is not self else None

    async def exchange(self, commands: Commands) -> list[Any]:
        """See `AsyncLink.exchange`."""
        fill = FILLING.get()
        if fill is None or fill.owner is not self:
            return await self._link.exchange(commands)
        replies = await self._read(commands, fill)
        if replies is None:
            fill.is_spoiled = True
            replies = await self._link.exchange(commands)
        return replies

    async def replies(self, commands: Commands) -> list[Any]:
        """See `Tracking.replies`."""
        spoil()
        return await self._link.replies(commands)

    async def _read(self, commands: Commands, fill: Fill) -> list[Any] | None:
        """Replies over the connection that listens; None if they have to be got the usual way."""
        if monotonic() < self._rests_until:
            return None
        ear = None
        try:
            ear = await self._ears.opened()
            fill.join(ear.shelf)
            asked, sent = questions(commands), monotonic()
            async with asyncio.timeout(remaining()):
                replies = await ear.ask((*commands, *asked))
        except (Fault, TimeoutError) as fault:
            if isinstance(fault, Fault) and not is_transient(fault):
                raise
            self._rests_until = monotonic() + _REST if ear is None else 0.0
            return None
        count = len(commands)
        fill.bound(sent, asked, replies[count:])
        return replies[:count]

    def rediscover(self, *, leave: bool) -> None:
        """See `AsyncLink.rediscover`; nothing that was read from the server so far is right any more."""
        self._link.rediscover(leave=leave)
        self._ears.rediscover(leave=True)
        for shelf in self._ears.shelves():
            shelf.clear()

    async def aclose(self) -> None:
        """See `AsyncLink.aclose`."""
        await self._ears.aclose()
        await self._link.aclose()
