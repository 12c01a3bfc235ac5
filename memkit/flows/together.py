"""Several flows as one: what they ask for at the same time is sent together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from memkit.commands import Command
from memkit.errors import BackendUnavailableError, BatchError, InvalidInputError, MemkitError, OutcomeUnknownError
from memkit.flows.base import Flow, Step

__all__ = ["all_stored", "each", "placed", "together"]

T = TypeVar("T")


def together(flows: Sequence[Flow[T]]) -> Flow[list[T]]:
    """The results of flows that only read, in their order; as many round trips as the longest of them needs.

    Raises:
        MemkitError: what one of them raises; the others are not gone on with.
    """
    running = _Running(flows)
    while running.waiting:
        running.answer((yield tuple(running.commands())))
    return [running.results[number] for number in range(len(flows))]


def each(flows: Sequence[Flow[T]]) -> Flow[list[T | MemkitError]]:
    """The same for flows of any kind, each for itself: what one of them raises stands in the place of its result.

    Raises:
        InvalidInputError: an input of one of them is wrong; then nothing was sent for any.
    """
    running = _Running(flows, keeps_errors=True)
    for number, result in running.results.items():
        if isinstance(result, InvalidInputError):
            raise placed(result, number)
    while running.waiting:
        running.answer((yield list(running.commands())))
    return [running.results[number] for number in range(len(flows))]


def all_stored(stored: dict[int, str], errors: dict[int, MemkitError]) -> list[str]:
    """The ids of a batch, by the numbers of its inputs.

    Raises:
        BatchError: some were not stored.
    """
    if errors:
        raise BatchError(errors, stored)
    return list(stored.values())


def placed(error: InvalidInputError, number: int) -> InvalidInputError:
    """The error of one of many inputs."""
    return type(error)(f"memory_inputs[{number}].{error.field}", error.problem)


class _Running(Generic[T]):
    """Flows on their way.

    Args:
        flows: the flows; they are begun.
        keeps_errors: what one of them raises is its result.

    Attributes:
        waiting: what each flow that has not ended asked for, by its number.
        results: of those that have.
    """

    def __init__(self, flows: Sequence[Flow[T]], *, keeps_errors: bool = False) -> None:
        self._flows = flows
        self._keeps = MemkitError if keeps_errors else ()
        self.waiting: dict[int, Step] = {}
        self.results: dict[int, Any] = {}
        for number, flow in enumerate(flows):
            self._go_on(number, flow, None)

    def commands(self) -> Iterable[Command[Any]]:
        """All that is asked for now."""
        for step in self.waiting.values():
            if isinstance(step, tuple | list):
                yield from step
            else:
                yield step

    def answer(self, answers: Iterable[Any]) -> None:
        """Let each flow go on with what it asked for: results, and among those of a list also errors."""
        rest, waiting = iter(answers), self.waiting
        self.waiting = {}
        for number, step in waiting.items():
            many = isinstance(step, tuple | list)
            given = [next(rest) for _ in step] if isinstance(step, tuple | list) else next(rest)
            self._go_on(number, self._flows[number], given, many=many)

    def _go_on(self, number: int, flow: Flow[T], given: Any, *, many: bool = False) -> None:
        try:
            problem = _problem(given if many else [given], many=many)
            self.waiting[number] = flow.send(given) if problem is None else flow.throw(problem)
        except StopIteration as stop:
            self.results[number] = stop.value
        except self._keeps as error:
            self.results[number] = error


def _problem(given: list[Any], *, many: bool) -> MemkitError | None:
    """Why a flow cannot go on."""
    error = next((each for each in given if isinstance(each, MemkitError)), None)
    if many and isinstance(error, OutcomeUnknownError):
        # What comes in a tuple comes before the write that was asked for.
        return BackendUnavailableError("no answer before the deadline, and nothing was written")
    return error
