"""What every face stands on: runs flows over a backend, in one colour."""

from __future__ import annotations

from typing import Any, TypeVar

from memkit.backends.base import IAsyncBackend, IBackend
from memkit.commands import Command
from memkit.errors import BackendError, BackendUnavailableError, ClosedError, OutcomeUnknownError
from memkit.flows.base import Context, Flow

__all__ = ["AsyncEngine", "Engine"]

T = TypeVar("T")
Step = Command[Any] | tuple[Command[Any], ...]


def _unanswered(verb: str, step: Step | None, error: OutcomeUnknownError) -> BackendError:
    """The error of a write that got no answer; those of a tuple come before the write that the user asked for."""
    if isinstance(step, tuple):
        return BackendUnavailableError(f"{verb}: no answer before the deadline, and nothing was written")
    return OutcomeUnknownError(verb, error.ids)


class Engine:
    """Runs flows.

    Args:
        backend: executes the commands; closed with the engine.
        context: what the flows are given.
    """

    def __init__(self, backend: IBackend, context: Context) -> None:
        self.backend = backend
        self.context = context
        self._closed = False

    def run(self, verb: str, flow: Flow[T]) -> T:
        """Run a flow to its end.

        Args:
            verb: what the user called, for errors.
            flow: the flow.
        """
        self.check_open()
        step: Step | None = None
        try:
            step = next(flow)
            while True:
                step = flow.send(self._execute(step))
        except StopIteration as stop:
            result: T = stop.value
            return result
        except OutcomeUnknownError as error:
            raise _unanswered(verb, step, error) from error.__cause__

    def _execute(self, step: Step) -> Any:
        return self.backend.execute_many(step) if isinstance(step, tuple) else self.backend.execute(step)

    def check_open(self) -> None:
        """Raise ClosedError if it was closed."""
        if self._closed:
            raise ClosedError("this manager was closed: make a new one")

    def close(self) -> None:
        """Close the backend. May be called twice."""
        self._closed = True
        self.backend.close()


class AsyncEngine:
    """`Engine` for asyncio.

    Args:
        backend: executes the commands; closed with the engine.
        context: what the flows are given.
    """

    def __init__(self, backend: IAsyncBackend, context: Context) -> None:
        self.backend = backend
        self.context = context
        self._closed = False

    async def run(self, verb: str, flow: Flow[T]) -> T:
        """See `Engine.run`."""
        self.check_open()
        step: Step | None = None
        try:
            step = next(flow)
            while True:
                step = flow.send(await self._execute(step))
        except StopIteration as stop:
            result: T = stop.value
            return result
        except OutcomeUnknownError as error:
            raise _unanswered(verb, step, error) from error.__cause__

    async def _execute(self, step: Step) -> Any:
        if isinstance(step, tuple):
            return await self.backend.execute_many(step)
        return await self.backend.execute(step)

    def check_open(self) -> None:
        """Raise ClosedError if it was closed."""
        if self._closed:
            raise ClosedError("this manager was closed: make a new one")

    async def aclose(self) -> None:
        """Close the backend. May be called twice."""
        self._closed = True
        await self.backend.aclose()
