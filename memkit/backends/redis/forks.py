"""Whether this process is still the one that opened a connection.

Asking the system for the number of the process takes longer than most steps of a call.
"""

from __future__ import annotations

import os
from collections.abc import Callable

__all__ = ["after_fork", "generation"]

_generation = [0]


def _forked() -> None:
    _generation[0] += 1


def after_fork(call: Callable[[], None]) -> None:
    """Have something called in each child, on systems that fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=call)


after_fork(_forked)


def generation() -> int:
    """How many forks lie between the first process and this one."""
    return _generation[0]
