"""A client process that a test gives orders to, and kills."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

WORKER = Path(__file__).with_name("history_worker.py")


class Client:
    """A process that carries out orders, each in a fork of its own."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._seen = {}
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            with self._news:
                self._seen |= json.loads(line)
                self._news.notify_all()

    def start(self, order):
        """Give an order, and return when a process carries it out."""
        self._seen = {}
        self._say(json.dumps(order))
        self._await("begun")

    @property
    def done(self):
        """Whether that process has done its work."""
        return "result" in self._seen or "error" in self._seen

    def kill(self):
        """Kill that process; tell whether its work was not done."""
        self._say("kill")
        status = self._await("status")
        assert status == -signal.SIGKILL or "result" in self._seen, self._seen
        return not self.done

    def run(self, order):
        """Give an order, and return its result."""
        self.start(order)
        return self.finish()

    def finish(self):
        """Wait until that process has done its work, and return the result."""
        self._say("wait")
        assert self._await("status") == 0, self._seen
        return self._seen["result"]

    def _say(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _await(self, what):
        with self._news:
            assert self._news.wait_for(lambda: what in self._seen, 30), f"no {what}"
            return self._seen[what]

    def close(self):
        """End the process in order."""
        self._process.stdin.close()
        self._process.wait(20)
        self._reader.join()
        self._process.stdout.close()
