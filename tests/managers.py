"""Managers of both colours that are called alike, and what tests do with them."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager

import pytest

from memkit import (
    AsyncRedisMemoryManager,
    Fact,
    MemoryInput,
    MemoryType,
    RedisMemoryManager,
    RetryPolicy,
    UserMessage,
    WorkingMemory,
)

WM, STM, LTM = MemoryType.WORKING_MEMORY, MemoryType.SHORT_TERM_MEMORY, MemoryType.LONG_TERM_MEMORY
RECORD = {WM: WorkingMemory, STM: UserMessage, LTM: Fact}
QUICK = RetryPolicy(attempts=50, deadline=20.0, initial=0.001, cap=0.02)

colours = pytest.mark.parametrize("colour", ["sync", "async"])


class InLoop:
    """An async manager that is called like a sync one, in a loop of its own."""

    def __init__(self, manager):
        self._runner = asyncio.Runner()
        self._manager = manager

    def __getattr__(self, verb):
        return lambda *arguments: self._runner.run(self._call(verb, arguments))

    def __repr__(self):
        return repr(self._manager)

    async def _call(self, verb, arguments):
        return await getattr(self._manager, verb)(*arguments)

    def close(self):
        """Close the manager and its loop."""
        self._runner.run(self._manager.aclose())
        self._runner.close()


def make(colour, url, **options):
    """Make a manager of a colour, called like a sync one."""
    options = {"retry": QUICK, **options}
    return RedisMemoryManager(url, **options) if colour == "sync" else InLoop(AsyncRedisMemoryManager(url, **options))


@contextmanager
def opened(colour, url, **options):
    """Open a manager as `make` does, and close it in the end."""
    manager = make(colour, url, **options)
    try:
        yield manager
    finally:
        manager.close()


def work(name, text, **fields):
    """Return the input that stores a working memory."""
    return MemoryInput(name, WM, data=[WorkingMemory(text)], **fields)


def say(name, *words, **fields):
    """Return the input that appends messages."""
    return MemoryInput(name, STM, data=[UserMessage(word) for word in words], **fields)


def said(manager, name):
    """Return the texts of a conversation's messages."""
    return [record.content for record in manager.retrieve(MemoryInput(name, STM))]


def text_of(record):
    """Return the text of a record of any of the three memories."""
    return getattr(record, "working_memory", None) or getattr(record, "text", None) or record.content


def texts(manager, conversation, memory_type):
    """Return what is stored, each record as its text and version."""
    found = manager.retrieve(MemoryInput(conversation, memory_type))
    return [(text_of(record), record.version) for record in found]


def seeded(manager, conversation, kind, *words):
    """Store a record for each word and return their ids."""
    return [manager.store(MemoryInput(conversation, kind, data=[RECORD[kind](word)])) for word in words]


def every_verb(manager, name):
    """Use each verb on each memory type once and check what comes back."""
    for kind in (WM, STM, LTM):
        record_id = manager.store(MemoryInput(name, kind, data=[RECORD[kind]("a")]))
        (found,) = manager.retrieve(MemoryInput(name, kind))
        assert found.id == record_id
        updated = manager.update(MemoryInput(name, kind, memory_id=record_id, metadata={"seen": True}))
        assert (updated.version, updated.metadata) == (2, {"seen": True})
        assert manager.delete(MemoryInput(name, kind, memory_id=record_id)) == 1
        assert manager.retrieve(MemoryInput(name, kind)) == []
    assert manager.ping()


def in_threads(count, act):
    """Run `act(number)` in so many threads at once and return what they raised."""
    raised = []

    def run(number):
        try:
            act(number)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def wait_for(ready, seconds=5.0):
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.01)
