"""How much goes through with threads and with processes: appends and reads of the last 20, memkit beside redis-py."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import redis

from benchmarks import aims
from benchmarks.byhand import append_to, log_of, prepare
from benchmarks.figures import Figure
from benchmarks.rounds import Contender
from benchmarks.work import LAST, append_of, fill_of, last_of, talk_of
from memkit import RedisMemoryManager

THREADS = (1, 4, 16)
PROCESSES = (1, 2, 4)
KEPT = 100
_NAMES = (aims.REDIS_SYNC, aims.MEMKIT)


class Pairs:
    """An append and a read of the last 20, by both.

    Args:
        url: of the server.
    """

    def __init__(self, url):
        self._client = redis.Redis.from_url(url)
        self._manager = RedisMemoryManager(url)
        self._does = {aims.REDIS_SYNC: self._by_hand, aims.MEMKIT: self._own}

    def run(self, name, number, count):
        """Do so many on a conversation."""
        does = self._does[name]
        for _ in range(count):
            does(number)

    def _by_hand(self, number):
        append_to(self._client.pipeline(transaction=False), log_of(number), KEPT).execute()
        self._client.lrange(log_of(number), -LAST, -1)

    def _own(self, number):
        self._manager.store(append_of(talk_of(number)))
        self._manager.retrieve(last_of(talk_of(number)))

    def close(self):
        self._client.close()
        self._manager.close()


def fill(url, most):
    """Make so many conversations."""
    with redis.Redis.from_url(url) as client, RedisMemoryManager(url) as manager:
        prepare(client, most, KEPT)
        for number in range(most):
            manager.store(fill_of(talk_of(number), KEPT))


def scale_races(url, *, threads=THREADS, processes=PROCESSES):
    """Yield (work, contenders)."""
    fill(url, max(*threads, *processes))
    for many in threads:
        with in_threads(url, many) as contenders:
            yield f"append and last 20, threads: {many}", contenders
    for many in processes:
        with in_processes(url, many) as contenders:
            yield f"append and last 20, processes: {many}", contenders


@contextmanager
def in_threads(url, many):
    """Both sides in so many threads of this process that share a client."""
    pairs, pool = Pairs(url), ThreadPoolExecutor(many)

    def run(name, count):
        for done in [pool.submit(pairs.run, name, number, each) for number, each in _shared_out(count, many)]:
            done.result()

    with pool:
        yield _contenders(run)
    pairs.close()


@contextmanager
def in_processes(url, many):
    """Both sides in so many processes, each with a client of its own."""
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        pipes = [_started(stack, context, url, number) for number in range(many)]

        def run(name, count):
            for pipe, (_, each) in zip(pipes, _shared_out(count, many), strict=True):
                pipe.send((name, each))
            for pipe in pipes:
                assert pipe.recv() == "done"

        yield _contenders(run)


def _started(stack, context, url, number):
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, url, number), daemon=True)
    process.start()
    stack.callback(process.join)
    # Callbacks run in reverse: the process is told to end before it is waited for.
    stack.callback(here.send, None)
    assert here.recv() == "ready"
    return here


def serve(pipe, url, number):
    """Do what comes down a pipe."""
    pairs = Pairs(url)
    pipe.send("ready")
    while (order := pipe.recv()) is not None:
        name, count = order
        pairs.run(name, number, count)
        pipe.send("done")
    pairs.close()


def _shared_out(count, many):
    each, more = divmod(count, many)
    return [(number, each + (number < more)) for number in range(many)]


def _contenders(run):
    return [Contender(name, lambda count, name=name: run(name, count)) for name in _NAMES]


def throughput(work, contenders):
    """Return figures: how many go through in a second, and how that compares."""
    by_hand, own = contenders
    return [
        *[Figure(f"{work}: {each.name}", 1e6 / each.microseconds, "a second") for each in contenders],
        Figure(f"{work}: {own.name} against {by_hand.name}", own.times_as_fast(by_hand), "times as fast"),
    ]
