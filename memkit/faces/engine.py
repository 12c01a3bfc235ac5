"""What every face stands on: runs flows over a backend, in one colour."""

from __future__ import annotations

from typing import TypeVar

from memkit.backends.base import IAsyncBackend, IBackend, Key
from memkit.errors import BackendError, BackendUnavailableError, ClosedError, OutcomeUnknownError
from memkit.flows.base import Context, Flow, Step

__all__ = ["AsyncEngine", "Engine"]

T = TypeVar("T")


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

    Attributes:
        tails: keeps results of reads; None: nothing is kept.
    """

    def __init__(self, backend: IBackend, context: Context) -> None:
        self.backend = backend
        self.tails = backend.tails
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
                if type(step) is tuple:
                    step = flow.send(self.backend.execute_many(step))
                elif type(step) is list:
                    step = flow.send(self.backend.execute_each(step))
                else:
                    step = flow.send(self.backend.execute(step))  # type: ignore[arg-type]  # it is a command
        except StopIteration as stop:
            result: T = stop.value
            return result
        except OutcomeUnknownError as error:
            raise _unanswered(verb, step, error) from error.__cause__

    def fill(self, verb: str, key: Key | None, flow: Flow[T]) -> T:
        """Run a flow that reads, and keep its result; for results of which `tails` has none.

        Args:
            verb: what the user called, for errors.
            key: see `Tails`; None: the result is not kept.
            flow: the flow.
        """
        self.check_open()
        if key is None or self.tails is None:
            return self.run(verb, flow)
        return self.tails.fill(key, lambda: self.run(verb, flow))

    @property
    def open_context(self) -> Context:
        """The context, for flows that check their arguments at once; raises as `check_open`."""
        self.check_open()
        return self.context

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
        self.tails = backend.tails
        self.context = context
        self._closed = False

    async def run(self, verb: str, flow: Flow[T]) -> T:
        """See `Engine.run`."""
        self.check_open()
        step: Step | None = None
        try:
            step = next(flow)
            while True:
                if type(step) is tuple:
                    step = flow.send(await self.backend.execute_many(step))
                elif type(step) is list:
                    step = flow.send(await self.backend.execute_each(step))
                else:
                    step = flow.send(await self.backend.execute(step))  # type: ignore[arg-type]  # it is a command
        except StopIteration as stop:
            result: T = stop.value
            return result
        except OutcomeUnknownError as error:
            raise _unanswered(verb, step, error) from error.__cause__

    async def fill(self, verb: str, key: Key | None, flow: Flow[T]) -> T:
        """See `Engine.fill`."""
        self.check_open()
        if key is None or self.tails is None:
            return await self.run(verb, flow)
        return await self.tails.fill(key, lambda: self.run(verb, flow))

    @property
    def open_context(self) -> Context:
        """The context, for flows that check their arguments at once; raises as `check_open`."""
        self.check_open()
        return self.context

    def check_open(self) -> None:
        """Raise ClosedError if it was closed."""
        if self._closed:
            raise ClosedError("this manager was closed: make a new one")

    async def aclose(self) -> None:
        """Close the backend. May be called twice."""
        self._closed = True
        await self.backend.aclose()
