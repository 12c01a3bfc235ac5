"""Pytest plugin: a real server for the tests of whoever uses memkit.

The fixture `memkit_server` is a running `memkit.testing.servers.Server`, one for the test session::

    def test_something(memkit_server):
        kit = create_memory_kit(memkit_server.url)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memkit.testing.servers import Server

__all__ = ["memkit_server", "skip_or_fail"]


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test at home, and fail it where the environment says ``CI=true``.

    Args:
        reason: what is missing, and how to get it.
    """
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def memkit_server() -> Iterator[Server]:
    """A running server: Valkey from its wheel, else a Redis that is installed here."""
    from memkit.testing.servers import Server  # noqa: PLC0415 - a plugin is imported in every test run

    try:
        server = Server()
    except FileNotFoundError as error:
        skip_or_fail(str(error))
    with server:
        yield server
