"""What the proofs on histories under faults share: kits, faults of their own, and views of what a server holds."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import random
import threading
import time
from collections import defaultdict, deque
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import files
from itertools import chain

import redis

from memkit import AsyncRedisMemoryManager, RedisMemoryManager
from memkit.backends.redis.scripts import script
from memkit.faces.kit import AsyncMemoryKit, MemoryKit
from memkit.testing._resp import read_frame
from memkit.testing.proxy import Fault, Hangup
from tests.managers import QUICK

# Kits ----------------------------------------------------------------------------------------------------------------


@contextmanager
def opened(url, **options):
    """Open a kit over a manager, which stands at `kit.manager`, and close it in the end."""
    with RedisMemoryManager(url, **{"retry": QUICK, **options}) as manager:
        yield MemoryKit(manager)


@asynccontextmanager
async def aopened(url, **options):
    """Open an async kit over a manager, and close it in the end."""
    async with AsyncRedisMemoryManager(url, **{"retry": QUICK, **options}) as manager:
        yield AsyncMemoryKit(manager)


# Requests ------------------------------------------------------------------------------------------------------------

_LUA = files("memkit.backends.redis") / "lua"
_READERS = frozenset(
    {
        *("about_read", "index_read", "log_branches", "log_find", "log_read", "log_slice", "log_window"),
        *("record_get", "table_dump", "table_fetch", "table_read"),
    }
)


@functools.cache
def _names():
    found = [path.name.removesuffix(".lua") for path in _LUA.iterdir() if path.name.endswith(".lua")]
    return {script(name).digest: name for name in found}


def script_of(command):
    """Return the name of the script that a request runs; None for other requests."""
    if command[0] == b"EVALSHA":
        return _names().get(command[1])
    if command[0] == b"EVAL":
        return _names().get(hashlib.sha1(command[1], usedforsecurity=False).hexdigest().encode())
    return None


def runs(*names):
    """Return a predicate that accepts requests of these scripts."""
    return lambda command: script_of(command) in names


def is_write(command):
    """Tell whether a request changes data."""
    name = script_of(command)
    return name is not None and name not in _READERS


# Faults --------------------------------------------------------------------------------------------------------------


class Overtaken:
    """First attempts that land only after their own repeats were answered; two rules of a proxy.

    Args:
        proxy: where they happen.
        seconds: up to so long after the repeat they land.
    """

    def __init__(self, proxy, seconds=0.02):
        self.landed = 0
        self._waiting = set()
        self._fault = _SetAside()
        proxy.inject(_Repeat(self, seconds), when=self._is_repeat, times=None)

    def rule(self, proxy, when):
        """Let it happen to the requests that a predicate accepts."""
        proxy.inject(self._fault, when=lambda command: when(command) and self._note(command), times=None)

    def _note(self, command):
        self._waiting.add(command)
        return True

    def _is_repeat(self, command):
        if command not in self._waiting:
            return False
        self._waiting.discard(command)
        return True


class _SetAside(Fault):
    name = "OVERTAKEN"

    async def request(self, link, frame):
        raise Hangup


class _Repeat(Fault):
    name = "REPEAT"

    def __init__(self, owner, seconds):
        self._owner = owner
        self._seconds = seconds
        self._frames = defaultdict(deque)

    async def request(self, link, frame):
        self._frames[link].append(frame)
        await link.to_server(frame)

    async def reply(self, link, frame):
        request = self._frames[link].popleft()
        await link.to_client(frame)
        self._owner.landed += 1
        link.deliver_later(request, random.uniform(0, self._seconds))


class Weather:
    """Hits a share of the requests that a predicate accepts, each with one of several faults, by a seeded chance.

    Args:
        proxy: where it happens.
        when: which requests may be hit.
        share: how many of them.
        kinds: faults with weights. `Overtaken` is a fault here too.
        seed: of the chance.
    """

    def __init__(self, proxy, when, share, kinds, seed):
        self.seen = set()
        self.hit = set()
        self._when = when
        self._share = share
        self._kinds = kinds
        self._random = random.Random(seed)
        self._last = None, None
        for kind in kinds:
            place = functools.partial(self._strikes, kind)
            if isinstance(kind, Overtaken):
                kind.rule(proxy, place)
            else:
                proxy.inject(kind, when=place, times=None)

    def _strikes(self, kind, command):
        # Asked by one rule after the other, it must say the same to each of them.
        if self._last[0] is not command:
            self._last = command, self._decide(command)
        return self._last[1] is kind

    def _decide(self, command):
        if not self._when(command):
            return None
        self.seen.add(command[3:])
        if self._random.random() >= self._share:
            return None
        self.hit.add(command[3:])
        (kind,) = self._random.choices(list(self._kinds), list(self._kinds.values()))
        return kind


class Held(Fault):
    """Sets requests aside and closes their connections; `release` lets them land, and returns what they were told."""

    name = "HELD"

    def __init__(self):
        self._frames = []

    def __len__(self):
        return len(self._frames)

    async def request(self, link, frame):
        self._frames.append(frame)
        raise Hangup

    def release(self, server):
        """Send all requests to a server and return its replies; an error is in the place of a reply."""
        frames, self._frames = self._frames, []
        return asyncio.run(_exchanged(server, frames))


async def _exchanged(server, frames):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    replies = []
    for frame in frames:
        writer.write(frame)
        await writer.drain()
        replies.append(await read_frame(reader))
    writer.close()
    return replies


class EveryFirst:
    """Accepts the first attempt of each request that another predicate accepts."""

    def __init__(self, when):
        self._when = when
        self._seen = set()

    def __call__(self, command):
        if not self._when(command) or command in self._seen:
            return False
        self._seen.add(command)
        return True


class Stop(Fault):
    """Stops a client for good at its n-th request on data.

    Args:
        number: at which request, from 1.
        moment: ``before`` the server sees it; ``after`` the server has answered it, and nobody heard; ``late``: like
            ``before``, but it reaches the server when `go` was called.
    """

    name = "STOP"

    def __init__(self, number, moment):
        self.reached = threading.Event()
        self._left = number
        self._moment = moment
        self._go = threading.Event()
        self._gone = threading.Event()

    def __call__(self, command):
        """Accept the request in question: the predicate of its rule."""
        self._left -= 1
        return self._left == 0

    def go(self):
        """Let a late request land."""
        self._go.set()
        if self._moment == "late":
            assert self._gone.wait(10)

    async def request(self, link, frame):
        if self._moment == "after":
            await link.to_server(frame)
            return
        link.silent = True
        self.reached.set()
        while self._moment == "late" and not self._go.is_set():  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0.001)
        if self._moment == "late":
            link.deliver_later(frame, 0)
            self._gone.set()

    async def reply(self, link, frame):
        link.silent = True
        self.reached.set()


# What a server holds -------------------------------------------------------------------------------------------------


@contextmanager
def raw(server):
    """Open a client that returns bytes as they are."""
    with redis.Redis.from_url(server.unix_url) as client:
        yield client


_READ = {
    b"string": lambda client, key: [client.get(key)],
    b"list": lambda client, key: client.lrange(key, 0, -1),
    b"set": lambda client, key: sorted(client.smembers(key)),
    b"hash": lambda client, key: list(chain.from_iterable(sorted(client.hgetall(key).items()))),
    b"zset": lambda client, key: [
        each for member, score in client.zrange(key, 0, -1, withscores=True) for each in (member, repr(score).encode())
    ],
}


def contents(server, pattern="*"):
    """Return every key of a server, each with all that it holds, piece by piece."""
    with raw(server) as client:
        keys = sorted(client.scan_iter(pattern, count=1000))
        return {key: _READ[client.type(key)](client, key) for key in keys if client.exists(key)}


def dumps(server, keys):
    """Return the serialized value of each of these keys."""
    keys = list(keys)
    with raw(server) as client, client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.dump(key)
        return dict(zip(keys, pipe.execute(), strict=True))


def traces(server, *needles):
    """Return the keys in whose name or value one of these bytes stands, in any case."""
    found = set()
    for key, pieces in contents(server).items():
        text = b"\n".join([key, *pieces]).lower()
        found |= {key for needle in needles if needle.lower() in text}
    return found


def is_fence(key):
    """Tell whether a key is what an erasure leaves."""
    tag, _, rest = key.partition(b"}:f:")
    return tag.rpartition(b":{")[2].isdigit() and len(rest) == 32


def wait_for(ready, seconds=20.0):
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.002)
