"""Telling how far a long operation is."""

from __future__ import annotations

from typing import Any

from memkit.errors import InvalidInputError
from memkit.results import OnProgress, Progress

__all__ = ["Teller"]


class Teller:
    """Counts, and calls back after each conversation.

    Args:
        on_progress: the function to call; None: nobody asks.

    Raises:
        InvalidInputError: it is no function.
    """

    def __init__(self, on_progress: Any) -> None:
        if on_progress is not None and not callable(on_progress):
            raise InvalidInputError("on_progress", f"is of type {type(on_progress).__name__}: give a function")
        self._call: OnProgress | None = on_progress
        self.progress = Progress()

    def tell(self, records: int, lines: int) -> None:
        """One conversation more is done.

        Args:
            records: of that conversation.
            lines: all so far.
        """
        before = self.progress
        self.progress = Progress(before.conversations + 1, before.records + records, lines)
        if self._call is not None:
            self._call(self.progress)
