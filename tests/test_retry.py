"""The retry decorator and its policy: what is tried again, when, for how long, and what others see of it."""

from __future__ import annotations

import asyncio
import time

import attrs
import pytest

from memkit import RetryEvent, RetryPolicy, remaining, retry
from memkit.testing.clock import ManualClock
from tests.flaky import Flaky, Other, Target, Worse, manual_clock  # noqa: F401 - a fixture is used by its name
from tests.managers import colours

# What is tried again ------------------------------------------------------------------------------------------------


@colours
def test_named_exceptions_are_tried_again(colour, clock):
    """An exception that is named, or a subclass of it, is tried again, with the same arguments, until it passes."""
    target = Target(colour, Flaky(), Worse(), Flaky())
    assert target.decorated(Flaky, clock=clock)(1, two=2) == "done"
    assert target.calls == [((1,), {"two": 2})] * 4


@colours
def test_other_exceptions_pass_through(colour, clock):
    """An exception that is not named reaches the caller at once, as it is."""
    target = Target(colour, error := Other("it"))
    with pytest.raises(Other) as caught:
        target.decorated(Flaky, ValueError, clock=clock)()
    assert caught.value is error
    assert len(target.calls) == 1


@colours
def test_predicate(colour, clock):
    """A function may decide instead of a list of classes."""
    target = Target(colour, OSError(11, "again"), OSError(2, "gone"))
    with pytest.raises(OSError, match="gone"):
        target.decorated(lambda error: error.errno == 11, clock=clock)()
    assert len(target.calls) == 2


@colours
def test_several_classes(colour, clock):
    """Several classes may be named in a tuple."""
    target = Target(colour, Flaky(), Other(), Flaky())
    assert target.decorated((Flaky, Other), clock=clock)() == "done"


@colours
def test_attempts(colour, clock):
    """After so many attempts the last error reaches the caller."""
    errors = [Flaky(str(n)) for n in range(9)]
    target = Target(colour, *errors)
    with pytest.raises(Flaky) as caught:
        target.decorated(Flaky, attempts=4, clock=clock)()
    assert caught.value is errors[3]
    assert len(target.calls) == 4


@colours
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_what_ends_a_program_is_never_tried_again(colour, clock, error):
    """Cancellation and every BaseException that is no Exception pass at once, and no hook sees them."""
    events = []
    calls = []

    def act():
        calls.append(1)
        raise error

    async def aact():
        act()

    made = retry(Exception, clock=clock, hook=events.append, cut=False)(act if colour == "sync" else aact)
    # Driven by hand: a loop would take some of these for its own end.
    with pytest.raises(error):
        made() if colour == "sync" else made().send(None)
    assert (len(calls), events) == (1, [])


async def test_cancelled_during_a_pause():
    """A task that is cancelled while it pauses ends at once and is not tried again."""
    calls = []

    @retry(Flaky, initial=30.0, deadline=60.0, draw=lambda: 1.0)
    async def act():
        calls.append(1)
        raise Flaky

    task = asyncio.create_task(act())
    await asyncio.sleep(0.01)
    task.cancel()
    started = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 1
    assert calls == [1]


# Pauses -------------------------------------------------------------------------------------------------------------


def test_full_jitter():
    """Over 1,000 draws the mean pause is within 10 % of half of its upper end, and pauses reach all of the range."""
    pauses = []
    for _ in range(1000):
        clock = ManualClock()
        events = []
        target = Target("sync", *[Flaky()] * 7)
        target.decorated(Flaky, clock=clock, hook=events.append, initial=0.1, cap=0.4, deadline=1000)()
        pauses.append([event.pause for event in events])
    for number, ceiling in enumerate([0.1, 0.2, 0.4, 0.4, 0.4, 0.4, 0.4]):
        drawn = [each[number] for each in pauses]
        assert abs(sum(drawn) / 1000 - ceiling / 2) < ceiling / 20
        assert 0 <= min(drawn) < ceiling * 0.05
        assert ceiling * 0.95 < max(drawn) <= ceiling


@colours
def test_without_jitter(colour, clock):
    """Without jitter each pause is its upper end: doubling from the initial one up to the cap; the clock waits them."""
    events = []
    target = Target(colour, *[Flaky()] * 6)
    target.decorated(Flaky, clock=clock, hook=events.append, jitter=False, initial=0.5, cap=4, deadline=100)()
    assert [event.pause for event in events] == [0.5, 1, 2, 4, 4, 4]
    assert clock.monotonic() == 15.5


def test_pause_never_overflows():
    """However many failures there were, a pause is finite and within its cap."""
    policy = RetryPolicy(initial=0.001, cap=7.0)
    assert [policy.pause(n, 1.0) for n in (13, 14, 100, 10_000, 10**9)] == [4.096, 7, 7, 7, 7]


# Deadline -----------------------------------------------------------------------------------------------------------


@colours
def test_deadline_is_never_passed(colour, clock):
    """No attempt starts at or after the deadline; a pause that would reach it is not begun."""
    started = []
    events = []

    def act():
        started.append(clock.monotonic())
        clock.advance(0.3)
        raise Flaky

    async def aact():
        act()

    options = {
        "clock": clock,
        "attempts": 1000,
        "deadline": 2.0,
        "initial": 0.4,
        "jitter": False,
        "hook": events.append,
    }
    made = retry(Flaky, **options)(act if colour == "sync" else aact)
    with pytest.raises(Flaky):
        made() if colour == "sync" else asyncio.run(made())
    assert started == pytest.approx([0, 0.7, 1.8])
    assert clock.monotonic() == pytest.approx(2.1)
    assert [event.pause for event in events][-1] is None


@colours
def test_pause_beyond_the_deadline_is_not_waited_for(colour, clock):
    """A pause that would end at or after the deadline is not begun: the caller gets the error at once."""
    events = []
    target = Target(colour, *[Flaky()] * 9)
    options = {"clock": clock, "deadline": 2.0, "initial": 0.8, "cap": 8, "jitter": False, "hook": events.append}
    with pytest.raises(Flaky):
        target.decorated(Flaky, **options)()
    assert [event.pause for event in events] == [0.8, None]
    assert clock.monotonic() == pytest.approx(0.8)


async def test_coroutine_is_cut_at_the_deadline():
    """A coroutine that runs into the deadline is cut with TimeoutError; what it held is released."""
    released = []

    @retry(Flaky, deadline=0.1)
    async def act():
        try:
            await asyncio.sleep(30)
        finally:
            released.append(1)

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        await act()
    assert 0.09 < time.monotonic() - started < 0.5
    assert released == [1]


async def test_coroutine_is_not_cut_if_so_asked():
    """With cut=False nobody interrupts a coroutine; its attempts are still counted against the deadline."""
    calls = []

    @retry(Flaky, deadline=0.05, cut=False)
    async def act():
        calls.append(1)
        await asyncio.sleep(0.1)
        raise Flaky

    with pytest.raises(Flaky):
        await act()
    assert calls == [1]


@colours
def test_remaining(colour, clock):
    """Inside of a call `remaining` tells the seconds left of its deadline, from the first attempt on; outside, None."""
    seen = []

    def act():
        seen.append(remaining())
        clock.advance(1)
        seen.append(remaining())
        raise Flaky

    async def aact():
        act()

    options = {"clock": clock, "attempts": 2, "deadline": 10, "initial": 2, "cap": 2, "jitter": False}
    made = retry(Flaky, **options)(act if colour == "sync" else aact)
    assert remaining() is None
    with pytest.raises(Flaky):
        made() if colour == "sync" else asyncio.run(made())
    assert seen == pytest.approx([10, 9, 7, 6])
    assert remaining() is None


def test_remaining_is_that_of_the_innermost_call(clock):
    """Decorated calls inside of each other each see their own deadline, and it comes back after the inner one."""

    @retry(Flaky, clock=clock, deadline=5)
    def inner():
        return remaining()

    @retry(Flaky, clock=clock, deadline=50)
    def outer():
        return remaining(), inner(), remaining()

    assert outer() == (50, 5, 50)


def test_remaining_never_is_negative(clock):
    """Past the deadline nothing is left."""

    @retry(Flaky, clock=clock, deadline=1)
    def act():
        clock.advance(5)
        return remaining()

    assert act() == 0


# Events -------------------------------------------------------------------------------------------------------------


@colours
def test_events(colour, clock):
    """After each failed attempt the hook gets name, attempt, class of the error, pause and elapsed time, no content."""
    events = []
    target = Target(colour, Flaky("secret-0815"), Worse("secret-0815"), then="secret-0815")
    options = {"clock": clock, "hook": events.append, "jitter": False, "initial": 1, "name": "mine"}
    target.decorated(Flaky, **options)("secret-0815", key="secret-0815")
    assert events == [RetryEvent("mine", 1, "Flaky", 1, 0), RetryEvent("mine", 2, "Worse", 1, 1)]
    assert "secret-0815" not in repr(events)
    assert [field.name for field in attrs.fields(RetryEvent)] == ["name", "attempt", "error", "pause", "elapsed"]


@colours
def test_last_event_has_no_pause(colour, clock):
    """The event of the last attempt says that there is no next one, also where the error is not tried again."""
    for errors, attempts in (([Flaky(), Flaky()], 2), ([Flaky(), Other()], 9)):
        events = []
        with pytest.raises((Flaky, Other)):
            Target(colour, *errors).decorated(Flaky, clock=clock, attempts=attempts, hook=events.append)()
        assert [event.pause is None for event in events] == [False, True]


def test_name_of_the_function(clock):
    """Without a name of its own an event has that of the function."""
    events = []

    @retry(Flaky, clock=clock, attempts=1, hook=events.append)
    def named():
        raise Flaky

    with pytest.raises(Flaky):
        named()
    assert events[0].name.endswith("named")
