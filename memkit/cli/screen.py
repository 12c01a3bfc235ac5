"""The terminal: consoles, steps with their times, figures as people read them."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

__all__ = ["Screen", "as_duration", "make_console"]

_SECOND = 1.0
_TENTH = 0.1
_TEN_MS = 0.01


def make_console(*, quiet: bool = False) -> Console:
    """A console on the standard output that also prints what its encoding does not have."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return Console(quiet=quiet, highlight=False)


def as_duration(seconds: float) -> str:
    """A time with as many digits as say something: ``0.21 ms``, ``87 ms``, ``1.32 s``."""
    if seconds >= _SECOND:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.{2 if seconds < _TEN_MS else 0}f} ms"


class Screen:
    """Shows what is being done: a moving bar on a terminal, and one line when it is done, anywhere."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextlib.contextmanager
    def step(self, text: str, total: float | None = None) -> Iterator[Callable[[float, str], None]]:
        """Do something that takes a while.

        Args:
            text: what it is.
            total: how far it goes; None where that is not known.

        Yields:
            A function to call with how far it is, and what is going on.
        """
        began = time.perf_counter()
        with self._bar() as bar:
            task = bar.add_task(text, total=total)
            yield lambda done, word: bar.update(task, completed=done, description=word)
        took = f"{time.perf_counter() - began:6.2f} s"
        self.console.print(Text.assemble((took, "dim"), "  ", text), soft_wrap=True)

    def _bar(self) -> Progress:
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(16), TimeElapsedColumn())
        # Elsewhere than on a terminal rich would print an empty line for it.
        return Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
