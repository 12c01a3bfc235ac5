"""Whether this process is still the one that opened a connection.

Asking the system for the number of the process takes longer than most steps of a call.
"""

from __future__ import annotations

import os

__all__ = ["generation"]

_generation = [0]


def _forked() -> None:
    _generation[0] += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def generation() -> int:
    """How many forks lie between the first process and this one."""
    return _generation[0]
