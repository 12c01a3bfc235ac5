"""Trying again: a decorator with full jitter and one deadline, for functions and coroutine functions alike."""

from __future__ import annotations

import asyncio
import functools
import inspect
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

from attrs import frozen

from memkit.clock import Clock, SystemClock
from memkit.errors import ConfigurationError
from memkit.policy import RetryPolicy

__all__ = ["RetryEvent", "aresume", "limit_retries", "remaining", "resume", "retry"]

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
Retryable = Callable[[Exception], bool]

_until: ContextVar[tuple[Clock, float] | None] = ContextVar("memkit_retry_deadline", default=None)


@frozen
class RetryEvent:
    """A try failed. It says nothing of the arguments, the result, or the text of the error.

    Attributes:
        name: qualified name of the decorated function.
        attempt: which try it was, from 1.
        error: class of the error.
        pause: seconds until the next try; None where there is none.
        elapsed: seconds since the first try began.
    """

    name: str
    attempt: int
    error: str
    pause: float | None
    elapsed: float


@frozen
class _Testing:
    attempts: int


_testing: _Testing | None = None


@contextmanager
def limit_retries(attempts: int = 1) -> Iterator[None]:
    """Within the block every decorated call is tried at most `attempts` times, and no pause is waited for.

    Args:
        attempts: 1 switches trying again off.
    """
    global _testing  # noqa: PLW0603 - a switch for the whole process is what it is for
    before, _testing = _testing, _Testing(attempts)
    try:
        yield
    finally:
        _testing = before


def remaining() -> float | None:
    """Seconds left of the deadline of the innermost decorated call, for a timeout of your own; None outside of one."""
    until = _until.get()
    return None if until is None else max(0.0, until[1] - until[0].monotonic())


class _Run:
    """A call that failed: what was tried so far. No two calls share one."""

    __slots__ = ("_plan", "_started", "failures")

    def __init__(self, plan: _Plan, started: float) -> None:
        self._plan = plan
        self._started = started
        self.failures = 0

    def after(self, error: Exception) -> float | None:
        """Seconds to pause before the next try, or None: give up."""
        plan = self._plan
        self.failures += 1
        elapsed = plan.clock.monotonic() - self._started
        pause = self._pause(error, elapsed)
        if plan.hook is not None:
            plan.hook(RetryEvent(plan.name, self.failures, type(error).__name__, pause, elapsed))
        return pause

    def _pause(self, error: Exception, elapsed: float) -> float | None:
        policy, testing = self._plan.policy, _testing
        attempts = policy.attempts if testing is None else min(policy.attempts, testing.attempts)
        if self.failures >= attempts or elapsed >= policy.deadline or not self._plan.retryable(error):
            return None
        pause = policy.pause(self.failures, self._plan.draw())
        if testing is not None:
            return 0.0
        # A pause that would end at the deadline leaves no time to try: give up now rather than keep the caller.
        return pause if elapsed + pause < policy.deadline else None


@frozen
class _Plan:
    """What a decorated function is tried by."""

    name: str
    policy: RetryPolicy
    retryable: Retryable
    hook: Callable[[RetryEvent], None] | None
    clock: Clock
    draw: Callable[[], float]

    def again(
        self, function: Callable[..., Any], args: Any, kwargs: Any, started: float, failed: list[Exception]
    ) -> Any:
        """Go on after a first try that failed.

        `failed` holds the last error: a frame that keeps the error it raises is only let go of by the collector.
        """
        run = _Run(self, started)
        while True:
            pause = run.after(failed[0])
            if pause is None:
                raise failed.pop()
            self.clock.sleep(pause)
            try:
                return function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - which ones are tried again is the caller's business
                failed[0] = error

    async def aagain(
        self, function: Callable[..., Any], args: Any, kwargs: Any, started: float, failed: list[Exception]
    ) -> Any:
        """`again` for coroutine functions."""
        run = _Run(self, started)
        while True:
            pause = run.after(failed[0])
            if pause is None:
                raise failed.pop()
            await self.clock.asleep(pause)
            try:
                return await function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - which ones are tried again is the caller's business
                failed[0] = error


def retry(
    on: type[Exception] | tuple[type[Exception], ...] | Retryable,
    *,
    policy: RetryPolicy | None = None,
    hook: Callable[[RetryEvent], None] | None = None,
    cut: bool = True,
    name: str | None = None,
    clock: Clock | None = None,
    draw: Callable[[], float] = random.random,
    **options: Any,
) -> Callable[[F], F]:
    """Decorate a function or coroutine function so that it is tried again when it fails for a passing reason.

    The caller sees the last error as it is. Cancellation and every other `BaseException` pass through at once. Only
    decorate what is harmless to repeat. A coroutine function is also cut off at the deadline while it runs; a plain
    function cannot be, so give what it waits for the timeout that `remaining` says.

    Args:
        on: the exceptions to try again after, or a function that decides.
        policy: attempts, deadline and pauses; the defaults of `RetryPolicy` if left out.
        hook: called after each failed try, before the pause.
        cut: cut a coroutine off at the deadline with `TimeoutError`.
        name: the name in events; the function's own if left out.
        clock: for tests.
        draw: returns a number from 0 to 1; for tests.
        options: `attempts`, `deadline`, `initial`, `cap`, `jitter`, instead of `policy`.

    Returns:
        A decorator that keeps the signature.

    Raises:
        ConfigurationError: an option is not valid, or given beside `policy`.
    """
    if policy is not None and options:
        raise ConfigurationError(["retry takes a policy or its single options, not both"])
    chosen = policy or _policy_of(options)
    decide = _decision(on)

    def decorate(function: F) -> F:
        label = str(name or getattr(function, "__qualname__", repr(function)))
        plan = _Plan(label, chosen, decide, hook, clock or SystemClock(), draw)
        return cast("F", _wrap(plan, function, cut=cut))

    return decorate


def _wrap(plan: _Plan, function: Callable[..., Any], *, cut: bool) -> Callable[..., Any]:
    if not inspect.iscoroutinefunction(function):
        return _planned(_plain(plan, function), plan)
    decorated = _coroutine(plan, function)
    return _planned(_cut(plan, decorated) if cut else decorated, plan)


def _plain(plan: _Plan, function: Callable[..., Any]) -> Callable[..., Any]:
    clock, deadline = plan.clock, plan.policy.deadline

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        started = clock.monotonic()
        token = _until.set((clock, started + deadline))
        try:
            try:
                return function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - which ones are tried again is the caller's business
                failed = [error]
            return plan.again(function, args, kwargs, started, failed)
        finally:
            _until.reset(token)

    return call


def _coroutine(plan: _Plan, function: Callable[..., Any]) -> Callable[..., Any]:
    clock, deadline = plan.clock, plan.policy.deadline

    @functools.wraps(function)
    async def acall(*args: Any, **kwargs: Any) -> Any:
        started = clock.monotonic()
        token = _until.set((clock, started + deadline))
        try:
            try:
                return await function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - which ones are tried again is the caller's business
                failed = [error]
            return await plan.aagain(function, args, kwargs, started, failed)
        finally:
            _until.reset(token)

    return acall


def _planned(decorated: Callable[..., Any], plan: _Plan) -> Callable[..., Any]:
    decorated.memkit_plan = plan  # type: ignore[attr-defined]  # for `resume`
    return decorated


def resume(decorated: Callable[..., T], started: float, error: Exception, *args: Any) -> T:
    """Go on as if a call of a decorated function had begun at `started`, and its first try had failed with `error`.

    For callers who make the first try themselves, because it nearly always is the only one.

    Args:
        decorated: what `retry` made of a plain function.
        started: monotonic seconds.
        error: of the first try.
        args: of the call.
    """
    plan, function = cast("Any", decorated).memkit_plan, cast("Any", decorated).__wrapped__
    token = _until.set((plan.clock, started + plan.policy.deadline))
    try:
        result: T = plan.again(function, args, {}, started, [error])
        return result
    finally:
        _until.reset(token)


async def aresume(decorated: Callable[..., Awaitable[T]], started: float, error: Exception, *args: Any) -> T:
    """`resume` for coroutine functions that are not cut off."""
    plan, function = cast("Any", decorated).memkit_plan, cast("Any", decorated).__wrapped__
    token = _until.set((plan.clock, started + plan.policy.deadline))
    try:
        result: T = await plan.aagain(function, args, {}, started, [error])
        return result
    finally:
        _until.reset(token)


def _cut(plan: _Plan, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def acall(*args: Any, **kwargs: Any) -> Any:
        async with asyncio.timeout(plan.policy.deadline):
            return await function(*args, **kwargs)

    return acall


def _policy_of(options: dict[str, Any]) -> RetryPolicy:
    try:
        return RetryPolicy(**options)
    except TypeError:
        known = "attempts, deadline, initial, cap, jitter"
        raise ConfigurationError([f"retry has the options {known}: {sorted(options)} is not all known"]) from None


def _decision(on: Any) -> Retryable:
    if isinstance(on, type | tuple):
        kinds = on if isinstance(on, tuple) else (on,)
        if not kinds or not all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds):
            raise ConfigurationError(["retry: on must be exception classes, or a function that decides"])
        return lambda error: isinstance(error, kinds)
    if not callable(on):
        raise ConfigurationError(["retry: on must be exception classes, or a function that decides"])
    return cast("Retryable", on)
