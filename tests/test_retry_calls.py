"""The retry decorator as others meet it: the switch for tests, threads and tasks, signatures, bad options."""

from __future__ import annotations

import asyncio
import inspect
import math
import threading
import time

import attrs
import pytest

import memkit
from memkit import ConfigurationError, RetryPolicy, limit_retries, remaining, retry
from memkit.testing.clock import ManualClock
from tests.flaky import Flaky, Other, Target, Worse, manual_clock  # noqa: F401 - a fixture is used by its name
from tests.managers import colours

# The switch for tests -----------------------------------------------------------------------------------------------


@colours
def test_retries_switched_off(colour):
    """Within limit_retries() every decorated call is tried once; afterwards as before."""
    made = Target(colour, Flaky(), Flaky()).decorated(Flaky, clock=ManualClock())
    with limit_retries(), pytest.raises(Flaky):
        made()
    assert made() == "done"


@colours
def test_retries_without_pauses(colour):
    """Within limit_retries(3) calls are tried three times and nobody waits."""
    target = Target(colour, *[Flaky()] * 5)
    made = target.decorated(Flaky, initial=60.0, cap=60.0, deadline=600.0, jitter=False)
    started = time.monotonic()
    with limit_retries(3), pytest.raises(Flaky):
        made()
    assert time.monotonic() - started < 5
    assert len(target.calls) == 3


def test_switch_only_lowers(clock):
    """The switch never makes more attempts than a call has, and nests."""
    target = Target("sync", *[Flaky()] * 9)
    made = target.decorated(Flaky, attempts=2, clock=clock)
    with limit_retries(5):
        with limit_retries(1), pytest.raises(Flaky):
            made()
        assert len(target.calls) == 1
        with pytest.raises(Flaky):
            made()
        assert len(target.calls) == 3


def test_switch_ends_with_an_error():
    """The switch is off again when its block ends in an error."""
    with pytest.raises(Other), limit_retries():
        raise Other
    assert Target("sync", Flaky()).decorated(Flaky, clock=ManualClock())() == "done"


# One call knows nothing of another ----------------------------------------------------------------------------------


def test_threads_share_no_state():
    """Calls of one decorated function in many threads each have all of their attempts and their own deadline."""
    local = threading.local()
    results = []

    @retry(Flaky, attempts=4, initial=0.001, cap=0.002)
    def act():
        local.count = getattr(local, "count", 0) + 1
        assert 9 < remaining() <= 10
        if local.count % 4:
            raise Flaky
        return local.count

    def work():
        results.extend(act() for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted([4 * (n + 1) for n in range(20)] * 16)


async def test_tasks_share_no_state():
    """Calls of one decorated coroutine function in many tasks each have all of their attempts."""
    counts = {}

    @retry(Flaky, attempts=4, initial=0.001, cap=0.002)
    async def act(number):
        counts[number] = counts.get(number, 0) + 1
        await asyncio.sleep(0)
        if counts[number] < 4:
            raise Flaky
        return number

    assert await asyncio.gather(*(act(number) for number in range(200))) == list(range(200))
    assert set(counts.values()) == {4}


def test_a_deadline_does_not_leak(clock):
    """A call that failed leaves no deadline behind for the next one."""
    target = Target("sync", *[Flaky()] * 3)
    made = target.decorated(Flaky, attempts=3, clock=clock, deadline=1)
    with pytest.raises(Flaky):
        made()
    clock.advance(100)
    assert made() == "done"
    assert remaining() is None


# Looks like the function --------------------------------------------------------------------------------------------


@retry(Flaky)
def documented(first: int, *rest: str, key: bool = False) -> list[str]:
    """What it says."""
    return [str(first), *rest, str(key)]


@retry(Flaky)
async def adocumented(first: int) -> int:
    return first


def test_signature_is_kept():
    """A decorated function keeps name, text, annotations, signature and colour."""
    assert documented.__name__ == "documented"
    assert documented.__doc__ == "What it says."
    assert str(inspect.signature(documented)) == "(first: 'int', *rest: 'str', key: 'bool' = False) -> 'list[str]'"
    assert not inspect.iscoroutinefunction(documented)
    assert inspect.iscoroutinefunction(adocumented)
    assert documented(1, "2", key=True) == ["1", "2", "True"]
    assert asyncio.run(adocumented(5)) == 5


class Service:
    """Methods of every kind."""

    def __init__(self):
        self.tries = 0

    @retry(Flaky, clock=ManualClock())
    def plain(self, number):
        self.tries += 1
        if self.tries < number:
            raise Flaky
        return self.tries

    @retry(Flaky, clock=ManualClock())
    async def coroutine(self, number):
        return self.plain(number)

    @classmethod
    @retry(Flaky)
    def of_class(cls):
        return cls.__name__

    @staticmethod
    @retry(Flaky)
    def static():
        return "static"


def test_methods():
    """Methods of instances, classes and static ones can be decorated."""
    assert Service().plain(3) == 3
    assert asyncio.run(Service().coroutine(4)) == 4
    assert (Service.of_class(), Service.static()) == ("Service", "static")


# Bad options --------------------------------------------------------------------------------------------------------

BAD = [
    {"attempts": 0},
    {"attempts": -1},
    {"attempts": 2.0},
    {"attempts": True},
    {"attempts": "3"},
    {"deadline": 0},
    {"deadline": -1},
    {"deadline": math.inf},
    {"deadline": math.nan},
    {"deadline": None},
    {"deadline": True},
    {"initial": 0},
    {"initial": "1"},
    {"cap": 0},
    {"cap": math.nan},
]


@pytest.mark.parametrize("options", BAD, ids=str)
def test_bad_options(options):
    """A value that is no count and no time is a ConfigurationError that names it, in policy and decorator alike."""
    (name,) = options
    for make in (lambda: RetryPolicy(**options), lambda: retry(Flaky, **options)):
        with pytest.raises(ConfigurationError, match=name):
            make()


@pytest.mark.parametrize("jitter", [None, 1, "no"])
def test_bad_jitter(jitter):
    """Jitter is on or off."""
    with pytest.raises(ConfigurationError, match="jitter"):
        RetryPolicy(jitter=jitter)


def test_unknown_option():
    """An option that retry does not have is a ConfigurationError that lists those it has."""
    with pytest.raises(ConfigurationError, match="attempts, deadline, initial, cap, jitter"):
        retry(Flaky, attempt=3)


def test_policy_and_options():
    """A policy and its single options contradict each other."""
    with pytest.raises(ConfigurationError, match="not both"):
        retry(Flaky, policy=RetryPolicy(), attempts=3)


@pytest.mark.parametrize(
    "on", [(), None, 5, "OSError", (Flaky, "x"), KeyboardInterrupt, (Flaky, BaseException)], ids=str
)
def test_bad_exceptions(on):
    """What is tried again is exception classes or a function; nothing that ends a program."""
    with pytest.raises(ConfigurationError, match="on must be"):
        retry(on)


def test_policy_is_a_value():
    """A policy is frozen, equal by value, and has the defaults that are documented."""
    policy = RetryPolicy()
    assert policy == RetryPolicy(attempts=30, deadline=10.0, initial=0.05, cap=1.0, jitter=True)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        policy.attempts = 3


def test_names():
    """The decorator and what belongs to it are public names of memkit."""
    assert {"retry", "RetryPolicy", "RetryEvent", "remaining", "limit_retries"} <= set(memkit.__all__)
