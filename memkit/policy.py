"""How long things live, and how long memkit tries: values that a manager is built with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from memkit.errors import ConfigurationError
from memkit.inputs import UNSET, MemoryType, Unset

__all__ = ["DEFAULT_TTL", "RetryPolicy", "TtlPolicy", "ttl_problem", "ttl_to_ms"]

DEFAULT_TTL: Mapping[MemoryType, float | None] = {
    MemoryType.WORKING_MEMORY: 12 * 3600.0,
    MemoryType.SHORT_TERM_MEMORY: 24 * 3600.0,
    MemoryType.LONG_TERM_MEMORY: None,
}
"""Seconds that each memory lives after its last write; None is for ever."""

_MAX_TTL = 100 * 365 * 86400.0
_MS = 1000


def ttl_problem(value: Any) -> str | None:
    """What is wrong with a time to live in seconds, or None; None itself (for ever) is right."""
    if value is None:
        return None
    if type(value) not in (int, float):
        return f"is of type {type(value).__name__}: give seconds as a number, or None for ever"
    if math.isnan(value) or value <= 0:
        return "is not above zero: give the seconds to live, or None for ever; to remove data use delete"
    if value * _MS < 1:
        return "is under a millisecond"
    return None if value <= _MAX_TTL else "is over a hundred years: use None for ever"


def ttl_to_ms(seconds: float | None) -> int:
    """Whole milliseconds; 0 stands for ever."""
    return 0 if seconds is None else round(seconds * _MS)


@frozen
class TtlPolicy:
    """Milliseconds to live of each memory type; 0 is for ever."""

    by_type: Mapping[MemoryType, int]

    @classmethod
    def of(cls, ttl: float | Mapping[Any, float | None] | Unset | None) -> TtlPolicy:
        """The policy of a manager's `ttl` argument.

        Args:
            ttl: seconds for every type, None for ever, or a mapping from memory type to seconds or None; types that it
                leaves out, and a `ttl` left alone, keep `DEFAULT_TTL`.

        Raises:
            ConfigurationError: a value is no time to live.
        """
        seconds: dict[MemoryType, Any] = dict(DEFAULT_TTL)
        if isinstance(ttl, Mapping):
            seconds |= {_memory_type(kind): value for kind, value in ttl.items()}
        elif ttl is not UNSET:
            seconds = dict.fromkeys(MemoryType, ttl)
        problems = {kind: ttl_problem(value) for kind, value in seconds.items()}
        found = [f"ttl of {kind.value} {problem}" for kind, problem in problems.items() if problem]
        if found:
            raise ConfigurationError(found)
        return cls({kind: ttl_to_ms(value) for kind, value in seconds.items()})


def _memory_type(kind: Any) -> MemoryType:
    try:
        return kind if isinstance(kind, MemoryType) else MemoryType(kind)
    except ValueError:
        names = ", ".join(member.value for member in MemoryType)
        raise ConfigurationError([f"ttl: {kind!r} is no memory type: use {names}"]) from None


def _positive(policy: RetryPolicy, attribute: Any, value: Any) -> None:
    del policy
    if type(value) not in (int, float) or not 0 < value < math.inf:
        raise ConfigurationError([f"{attribute.name} of the retry policy must be a number of seconds above zero"])


def _count(policy: RetryPolicy, attribute: Any, value: Any) -> None:
    del policy
    if type(value) is not int or value < 1:
        raise ConfigurationError([f"{attribute.name} of the retry policy must be a whole number from 1"])


def _on_or_off(policy: RetryPolicy, attribute: Any, value: Any) -> None:
    del policy
    if type(value) is not bool:
        raise ConfigurationError([f"{attribute.name} of the retry policy must be True or False"])


@frozen
class RetryPolicy:
    """How often and how long a call is tried.

    The n-th pause is drawn evenly from 0 to ``min(cap, initial * 2**(n-1))`` seconds (full jitter: Brooker,
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015); without `jitter` it is the upper end.

    Attributes:
        attempts: at most so many tries, the first one included.
        deadline: seconds for all tries and pauses together; it also bounds each try.
        initial: seconds, upper end of the first pause.
        cap: seconds, upper end of any pause.
        jitter: draw the pause; without it many clients come back at the same instant.
    """

    attempts: int = field(default=30, validator=_count)
    deadline: float = field(default=10.0, validator=_positive)
    initial: float = field(default=0.05, validator=_positive)
    cap: float = field(default=1.0, validator=_positive)
    jitter: bool = field(default=True, validator=_on_or_off)

    def pause(self, failures: int, draw: float) -> float:
        """Seconds to wait after that many failures.

        Args:
            failures: 1 after the first.
            draw: a number from 0 to 1.
        """
        # Past 2**32 the doubling has long met the cap; the bound keeps the float finite.
        ceiling = min(self.cap, self.initial * 2.0 ** min(failures - 1, 32))
        return ceiling * draw if self.jitter else ceiling
