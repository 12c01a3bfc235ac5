"""The examples run, and a backend of one's own passes the shipped suite."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from memkit import IBackend, MemoryManager
from memkit.backends.inmemory import InMemoryBackend
from memkit.testing.clock import ManualClock
from memkit.testing.contract import ManagerContract

EXAMPLES = Path(__file__).parent.parent / "examples"
PRINTS = {
    "chat_history.py": (
        "while the tool runs: | You plan journeys. | Question 4 | Answer 4 | Which train?\n"
        "afterwards: | system You plan journeys. | user Which train? | assistant  | tool NJ 40233 "
        "| assistant The night train.\n"
        "cut off: 3 now: 13\n"
        "chat-1 Trains to Venice 13\n"
    ),
    "erase_user.py": (
        "lines for Ada: 12\n"
        "would erase: 2 conversations, 4 messages\n"
        "erased: 4 1 1\n"
        "verified: True\n"
        "a late write was refused\n"
        "left: ['chat-3']\n"
    ),
    "injected_agent.py": "You said 'hello'. I remember 0 messages.\nYou said 'and again'. I remember 2 messages.\n",
    "move_backends.py": "imported: 2 of 1 conversation\nequal: True\n[('m-1', 1), ('m-2', 2)]\n",
    "own_backend.py": "True\nIndexEnter LogAppend LogRead\n",
}


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_example_prints_what_it_should(name):
    """Every example runs without warnings and prints what is written here."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={})
    assert (done.stderr, done.stdout) == ("", PRINTS[name])


class _Own(IBackend):
    """What a third party writes: three methods."""

    def __init__(self, **options):
        self._store = InMemoryBackend(**options)

    def execute(self, command):
        return self._store.execute(command)

    def ping(self):
        return self._store.ping()

    def close(self):
        self._store.close()


class TestOwnBackend(ManagerContract):
    """A third party's backend passes the contract with one fixture overridden."""

    @pytest.fixture
    def make_manager(self):
        """Return managers that share one backend for each namespace."""
        stores = {}

        def make(*, namespace="only", **options):
            if namespace not in stores:
                stores[namespace] = _Own(clock=options.get("clock"))
            return MemoryManager(stores[namespace], namespace=namespace, **options)

        return make

    @pytest.fixture
    def clock(self):
        """Return a clock that moves by itself only when somebody sleeps."""
        return ManualClock()
