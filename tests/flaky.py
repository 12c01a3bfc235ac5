"""Functions of both colours that fail as told, and the clock that their retries go by."""

from __future__ import annotations

import asyncio

import pytest

from memkit import retry
from memkit.testing.clock import ManualClock


class Flaky(Exception):  # noqa: N818 - what it is
    """Passes."""


class Worse(Flaky):
    """A kind of it."""


class Other(Exception):  # noqa: N818 - what it is
    """Does not pass."""


class Target:
    """A function of either colour that fails as told and counts its calls."""

    def __init__(self, colour, *errors, then="done"):
        self.calls = []
        self.errors = list(errors)
        self.then = then
        self.colour = colour

    def decorated(self, *on, **options):
        def step(*args, **kwargs):
            self.calls.append((args, kwargs))
            if self.errors:
                error = self.errors.pop(0)
                raise error
            return self.then

        async def astep(*args, **kwargs):
            return step(*args, **kwargs)

        made = retry(on[0] if len(on) == 1 else on, **options)(step if self.colour == "sync" else astep)
        if self.colour == "sync":
            return made
        return lambda *args, **kwargs: asyncio.run(made(*args, **kwargs))


@pytest.fixture(name="clock")
def manual_clock():
    return ManualClock()
