"""Many minutes of everything at once: does anything grow?

Threads and tasks append, read, take windows, put and get against one server, at a steady pace, for what is stored
depends on it. Conversations are trimmed, are left behind after a while, and expire. Memory of this process and of the
server should stay where they were once all of that is going on. What recognises late repeats lives for two minutes.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import threading
import time

import redis
from attrs import frozen

from benchmarks.figures import Figure
from benchmarks.process import resident
from benchmarks.work import LAST, append_of, get_of, groups_of, last_of, put_of
from memkit import AsyncRedisMemoryManager, RedisMemoryManager
from memkit.faces.kit import AsyncMemoryKit, MemoryKit

MINUTES = 10
THREADS, TASKS = 4, 16
STEP = 5.0
TTL, KEPT = 20, 40
WORKS = ("append", "append", "last", "window", "put", "get")
# So many pieces of work each worker does in a second, if it can.
PACE = 100
# Each worker has so many conversations at a time, and others after so many seconds.
_CONVERSATIONS, _LASTS = 10, 15
_MOST = 1.05
# What memkit remembers of conversations is bounded; above that many names it grows no more.
WARM = 12_000


@frozen
class Sample:
    """What was seen at one moment, and since the one before.

    Attributes:
        seconds: since the beginning.
        resident: bytes of memory of this process.
        used: bytes of memory that the server uses.
        calls: how many there were in a second.
        p50: the median of what they took, in milliseconds.
        p99: what one in a hundred took longer than.
    """

    seconds: float
    resident: int
    used: int
    calls: float
    p50: float
    p99: float


class Worker:
    """Chooses what is done next, and notes what it took.

    Args:
        number: which one.
        kit: of the manager's colour.
    """

    def __init__(self, number, kit):
        self._number = number
        self._kit = kit
        self._draw = random.Random(number)
        self._waits = []
        self._due = 0.0

    def pause(self):
        """Return the seconds until the next piece of work is due; what it is late for is forgotten."""
        now = time.monotonic()
        self._due = max(self._due + 1 / PACE, now)
        return self._due - now

    def begin(self):
        """Do the next piece of work; with asyncio, what is returned is still to be awaited."""
        # They do not all begin anew at the same moment.
        era = int(time.monotonic() / _LASTS + self._number / (THREADS + TASKS))
        talk = f"{era}-{self._number}-{self._draw.randrange(_CONVERSATIONS)}"
        return getattr(self, f"_{self._draw.choice(WORKS)}")(talk)

    def note(self, began):
        """Note what a piece of work took."""
        self._waits.append(time.perf_counter() - began)

    def take(self):
        """Return what all took since the last time."""
        waits, self._waits = self._waits, []
        return waits

    def _append(self, talk):
        return self._kit.manager.store(groups_of(talk, 2))

    def _last(self, talk):
        return self._kit.manager.retrieve(last_of(talk))

    def _window(self, talk):
        return self._kit.history(talk).window(last=LAST)

    def _put(self, talk):
        return self._kit.manager.store(put_of(talk))

    def _get(self, talk):
        return self._kit.manager.retrieve(get_of(talk))


class Crew:
    """Threads and tasks at work; a context manager.

    Args:
        url: of the server.
        warm: so many conversations are begun first.
    """

    def __init__(self, url, warm=WARM):
        self._url = url
        self._warm = warm
        self._manager = RedisMemoryManager(url, ttl=TTL, max_messages=KEPT)
        self._async_manager = AsyncRedisMemoryManager(url, ttl=TTL, max_messages=KEPT)
        plain, asynchronous = MemoryKit(self._manager), AsyncMemoryKit(self._async_manager)
        self._plain = [Worker(number, plain) for number in range(THREADS)]
        self._asynchronous = [Worker(THREADS + number, asynchronous) for number in range(TASKS)]
        self._over = threading.Event()
        self._problems = []

    def __enter__(self):
        for number in range(self._warm):
            self._manager.store(append_of(f"warm-{number}"))
        asyncio.run(self._warm_up())
        with redis.Redis.from_url(self._url) as client:
            # What that left on the server would make what comes later look small.
            client.flushall()
        jobs = [*[lambda worker=worker: self._work(worker) for worker in self._plain], self._run_loop]
        self._threads = [threading.Thread(target=self._guarded, args=(job,)) for job in jobs]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._manager.close()

    def take(self):
        """Return what all calls took since the last time.

        Raises:
            RuntimeError: one failed.
        """
        if self._problems:
            raise RuntimeError("a call failed") from self._problems[0]
        return [wait for worker in (*self._plain, *self._asynchronous) for wait in worker.take()]

    def _guarded(self, job):
        try:
            job()
        except Exception as error:  # noqa: BLE001 - raised where the samples are taken
            self._problems.append(error)

    def _work(self, worker):
        while not self._over.wait(worker.pause()):
            began = time.perf_counter()
            worker.begin()
            worker.note(began)

    def _run_loop(self):
        asyncio.run(self._work_in_tasks())

    async def _warm_up(self):
        for number in range(self._warm):
            await self._async_manager.store(append_of(f"warm-{number}"))

    async def _work_in_tasks(self):
        async with self._async_manager, asyncio.TaskGroup() as group:
            for worker in self._asynchronous:
                group.create_task(self._work_async(worker))

    async def _work_async(self, worker):
        while not self._over.is_set():
            await asyncio.sleep(worker.pause())
            began = time.perf_counter()
            await worker.begin()
            worker.note(began)


def soak(url, *, minutes=MINUTES, step=STEP, warm=WARM, report=lambda _sample: None):
    """Return (samples, figures); every sample is reported as it is taken."""
    samples = []
    with redis.Redis.from_url(url) as client, Crew(url, warm) as crew:
        began = last = time.monotonic()
        while last - began < 60 * minutes:
            time.sleep(step)
            last, before = time.monotonic(), last
            samples.append(_sample(client, crew.take(), last - began, last - before))
            report(samples[-1])
    return samples, figures_of(samples)


def _sample(client, waits, seconds, passed):
    cuts = statistics.quantiles(waits, n=100)
    used = client.info("memory")["used_memory"]
    return Sample(seconds, resident(), used, len(waits) / passed, 1e3 * cuts[49], 1e3 * cuts[98])


def figures_of(samples):
    """How the last fifth of the time compares with the second: before that, everything fills."""
    fifth = max(len(samples) // 5, 1)
    early, late = samples[fifth : 2 * fifth] or samples[:1], samples[-fifth:]

    def grown(what, name, most=None):
        ratio = _mean(late, name) / _mean(early, name)
        return Figure(f"soak, {what}, last fifth against second", ratio, "times as much", most, bound=most)

    return [
        grown("memory of the client", "resident", _MOST),
        grown("memory of the server", "used", _MOST),
        grown("p50", "p50"),
        grown("p99", "p99"),
        grown("calls a second", "calls"),
        Figure("soak, calls a second", _mean(samples, "calls"), "a second"),
        Figure("soak, p99", _mean(samples, "p99"), "ms"),
    ]


def _mean(samples, name):
    return statistics.fmean(getattr(sample, name) for sample in samples)


def verdict(figures, minutes=MINUTES):
    """Say in one line whether something grew."""
    if minutes < MINUTES:
        return f"too short to tell: {MINUTES} minutes are needed"
    grown = [figure.what for figure in figures if figure.held is False]
    return f"GROWS: {', '.join(grown)}" if grown else "nothing grows"
