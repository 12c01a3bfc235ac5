"""The demo: a conversation on a real server, read by a second process; then writes while the server is killed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from attrs import asdict, frozen

from memkit.cli.chats import Chat
from memkit.cli.reader import fingerprint
from memkit.cli.screen import Screen
from memkit.cli.storm import WRITERS, Result, Storm
from memkit.cli.talk import CONVERSATION, Found, Written, find, note_of, percentile, write
from memkit.embedded import Attachment, attach
from memkit.factory import create_memory_manager
from memkit.inputs import MemoryInput
from memkit.records import Memory

__all__ = ["DemoError", "Outcome", "Row", "run_demo"]

_LAST = 8
_READER_SECONDS = 60.0
_END_SECONDS = 15.0
_POLL_SECONDS = 0.02


class DemoError(Exception):
    """The demo could not be carried out."""


@frozen
class Row:
    """What one backend did with the conversation.

    Attributes:
        backend: its name.
        keeps: whether it is meant to keep anything.
        acknowledged: how many messages it acknowledged.
        found: what came back.
        reader: process that read it.
        p50: seconds that half of the stores did not exceed.
        longest: seconds of the longest store.
    """

    backend: str
    keeps: bool
    acknowledged: int
    found: Found
    reader: int
    p50: float
    longest: float

    @property
    def right(self) -> bool:
        """Whether exactly what was written came back, or nothing from a backend that keeps nothing."""
        if not self.keeps:
            return not (self.found.messages or self.found.working_memory)
        return self.found.identical and self.found.working_memory_identical


@frozen
class Outcome:
    """All that the demo shows.

    Attributes:
        chat: the conversation.
        rows: one for each backend.
        storm: the run of writes.
        last: the last messages, as they came back from the server.
        pid: of the writing process.
    """

    chat: Chat
    rows: tuple[Row, ...]
    storm: Result
    last: tuple[Memory, ...]
    pid: int

    @property
    def right(self) -> bool:
        """Whether nothing was lost, doubled, changed or out of order."""
        return self.storm.flawless and all(row.right for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """The same for machines; times are in seconds."""
        chat = {"source": self.chat.source, "format": self.chat.form, "messages": len(self.chat.messages)}
        return {
            "ok": self.right,
            "conversation": chat,
            "writer_pid": self.pid,
            "backends": [asdict(row) for row in self.rows],
            "writes": asdict(self.storm),
        }


def run_demo(chat: Chat, seconds: float, screen: Screen) -> Outcome:
    """Carry it out.

    Args:
        chat: what is stored.
        seconds: length of the run of writes.
        screen: shows how far it is.

    Raises:
        DemoError: the second process failed.
        MemkitError: the server could not be started or used.
    """
    with _server(screen) as attachment:
        url = f"embedded://{quote(str(attachment.directory))}"
        with create_memory_manager({"MEMKIT_URL": url}) as manager:
            with screen.step("store the conversation and the working memory"):
                written = write(manager, chat.messages, note_of(chat.messages))
            with screen.step("read both back in a second process"):
                found, reader = _second_process(url, written)
            storm = Storm(manager, attachment, seconds)
            with screen.step(f"write from {WRITERS} threads, kill the server meanwhile", seconds) as progress:
                storm.run(progress)
            with screen.step("read every write back and compare"):
                result = storm.check()
            last = tuple(manager.retrieve(MemoryInput(CONVERSATION, limit=_LAST)))
    with screen.step("make the same calls with memory:// and null://"):
        others = [_elsewhere(chat, name) for name in ("memory", "null")]
    return Outcome(chat, (_row("embedded", written, found, reader), *others), result, last, os.getpid())


def _row(backend: str, written: Written, found: Found, reader: int) -> Row:
    return Row(
        backend=backend,
        keeps=backend != "null",
        acknowledged=len(written.messages),
        found=found,
        reader=reader,
        p50=percentile(written.seconds, 0.5),
        longest=max(written.seconds),
    )


def _elsewhere(chat: Chat, backend: str) -> Row:
    with create_memory_manager({"MEMKIT_URL": f"{backend}://"}) as manager:
        written = write(manager, chat.messages, note_of(chat.messages))
        return _row(backend, written, find(manager, written), os.getpid())


@contextlib.contextmanager
def _server(screen: Screen) -> Iterator[Attachment]:
    """An embedded server in a temporary directory, which is deleted once the server has ended."""
    with tempfile.TemporaryDirectory(prefix="memkit-demo-", ignore_cleanup_errors=True) as directory:
        with screen.step("start the embedded server"):
            attachment = attach(directory)
        try:
            yield attachment
        finally:
            attachment.close()
            with screen.step("end the server"):
                _wait_for_end(attachment.directory)


def _wait_for_end(home: Path) -> None:
    # The supervisor holds this lock for its whole life, which is longer than the server's.
    deadline = time.monotonic() + _END_SECONDS
    with (home / "supervisor.lock").open("ab") as lock:
        while time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return
            time.sleep(_POLL_SECONDS)


def _second_process(url: str, written: Written) -> tuple[Found, int]:
    # It finds memkit where this process did, and nothing in the working directory by mistake.
    places = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", "memkit.cli.reader", url, CONVERSATION],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))},
        capture_output=True,
        text=True,
        timeout=_READER_SECONDS,
        check=False,
    )
    if done.returncode:
        raise DemoError(f"the second process failed: {(done.stderr.strip().splitlines() or ['(no reason)'])[-1]}")
    seen = json.loads(done.stdout)
    return _compared(seen, written), seen["pid"]


def _compared(seen: dict[str, Any], written: Written) -> Found:
    return Found(
        messages=seen["messages"],
        identical=seen["messages_sha256"] == fingerprint(written.messages),
        working_memory=seen["working_memory"],
        working_memory_identical=seen["working_memory_sha256"] == fingerprint([written.working_memory]),
    )
