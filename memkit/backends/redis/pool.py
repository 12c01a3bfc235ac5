"""The sync link: a small pool of connections, last in, first out."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from memkit.backends.redis.calls import Commands
from memkit.backends.redis.discovery import Finder, Timeouts
from memkit.backends.redis.faults import Down, accepted, closed
from memkit.backends.redis.forks import generation
from memkit.backends.redis.target import Target
from memkit.backends.redis.wire import Wire, connect

__all__ = ["Pool"]

# A connection that rested for longer is looked at before it is used: the server may have closed it.
_RESTED = 2.0


class _Waiter:
    """A thread that waits for a place."""

    __slots__ = ("_served", "place")

    def __init__(self) -> None:
        self.place: Wire | None = None
        self._served = threading.Lock()
        self._served.acquire()

    def serve(self, place: Wire | None) -> None:
        """Hand a place over."""
        self.place = place
        self._served.release()

    def wait(self, seconds: float) -> bool:
        """Whether a place was handed over in time."""
        return self._served.acquire(timeout=seconds)


def _is_stale(wire: Wire) -> bool:
    return time.monotonic() - wire.used > _RESTED and wire.is_stale()


class Pool:
    """Opens at most `size` connections, and waits for a free one. For threads, also after a fork.

    Args:
        target: the server, or the sentinels that know it.
        size: how many connections at most.
        timeouts: of connecting and of one try, in seconds.
    """

    is_cluster = False

    def __init__(self, target: Target, size: int, timeouts: Timeouts) -> None:
        self._target = target
        self._size = size
        self._timeouts = timeouts
        self._finder = Finder(target, timeouts)
        self._closed = False
        self._fill()

    def __str__(self) -> str:
        return str(self._target)

    def _fill(self) -> None:
        """All places empty, as at the start."""
        self._generation = generation()
        # Taking from the end of a list and adding there is atomic: the lock is only for who finds it empty.
        self._places: list[Wire | None] = [None] * self._size
        self._waiters: deque[_Waiter] = deque()
        self._lock = threading.Lock()

    def exchange(self, commands: Commands, *, fresh: bool = False) -> list[Any]:
        """Send commands in one write and return their replies.

        Args:
            commands: what is sent.
            fresh: nothing of the call's time has gone yet.

        Raises:
            Fault: a reply is an error, or did not come.
        """
        return accepted(self.replies(commands, fresh=fresh))

    def replies(self, commands: Commands, *, fresh: bool = False) -> list[Any]:
        """Send commands in one write and return their replies, errors among them; see `exchange`.

        Raises:
            Fault: they did not come.
        """
        self._check_open()
        try:
            wire = self._places.pop()
        except IndexError:
            wire, fresh = self._await_place(self._timeouts.patience()), False
        try:
            if wire is None or _is_stale(wire):
                wire, fresh = self._renewed(wire, self._timeouts.patience()), False
            replies = wire.exchange(commands, self._timeouts.attempt if fresh else self._timeouts.patience())
        except BaseException:
            if wire is not None:
                wire.close()
            self._give_back(None)
            raise
        wire.used = time.monotonic()
        self._give_back(wire)
        return replies

    @contextmanager
    def lent(self, patience: float) -> Iterator[Wire]:
        """A connection for more than one step. If one of them fails it is closed.

        Args:
            patience: seconds until it is there.

        Raises:
            Down: it is not.
        """
        self._check_open()
        try:
            wire = self._places.pop()
        except IndexError:
            wire = self._await_place(patience)
        try:
            if wire is None or _is_stale(wire):
                wire = self._renewed(wire, patience)
            yield wire
        except BaseException:
            if wire is not None:
                wire.close()
            self._give_back(None)
            raise
        wire.used = time.monotonic()
        self._give_back(wire)

    def _check_open(self) -> None:
        if self._closed:
            raise closed()
        if self._generation != generation():
            # Connections are the parent's; the finder's address may be that of one of them, and is asked for anew.
            self._fill()

    def _await_place(self, patience: float) -> Wire | None:
        waiter = _Waiter()
        with self._lock:
            self._waiters.append(waiter)
            self._hand_over()
        if waiter.wait(patience):
            return waiter.place
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
                raise Down(f"all {self._size} connections were busy for {patience:.1f} s: raise pool_size")
        # It was served just now.
        return waiter.place

    def _hand_over(self) -> None:
        """Places for those who wait, who came first is served first. The lock is held."""
        while self._waiters:
            try:
                place = self._places.pop()
            except IndexError:
                return
            self._waiters.popleft().serve(place)

    def _give_back(self, wire: Wire | None) -> None:
        if self._closed and wire is not None:
            wire.close()
            wire = None
        self._places.append(wire)
        if self._waiters:
            with self._lock:
                self._hand_over()

    def _renewed(self, old: Wire | None, patience: float) -> Wire:
        if old is not None:
            old.close()
        host, port = self._finder.find()
        return connect(
            self._target, host, port, connect_timeout=min(patience, self._timeouts.connect), patience=patience
        )

    def rediscover(self, *, leave: bool) -> None:
        """Forget the address and close the connections that rest; they are broken, or their server is the wrong one."""
        del leave
        self._finder.forget()
        self._close_resting()

    def close(self) -> None:
        """Close the connections that rest now, and those in use when they are given back."""
        self._closed = True
        self._close_resting()

    def _close_resting(self) -> None:
        if self._generation != generation():
            return
        for _ in range(self._size):
            try:
                wire = self._places.pop()
            except IndexError:
                return
            # To the other end: the next to be taken is another one, until all were looked at.
            self._places.insert(0, None)
            if wire is not None:
                wire.close()
