"""Many processes on one conversation: nothing is lost, nothing doubled, each writer's order kept."""

from __future__ import annotations

import itertools
import subprocess
import sys
import textwrap
import uuid

import pytest

from memkit import MemoryInput, MemoryType, RedisMemoryManager, UserMessage, WorkingMemory

WM = MemoryType.WORKING_MEMORY
WRITERS, EACH = 8, 250

HEAD = """
    import asyncio, sys
    from memkit import *

    url, name, me = sys.argv[1:]
    WM = MemoryType.WORKING_MEMORY
    sys.stdin.readline()
"""

APPEND = """
    with RedisMemoryManager(url) as manager:
        for n in range(250):
            manager.store(MemoryInput(name, data=[UserMessage(f"{me} {n}")]))
"""

APPEND_ASYNC = """
    async def main():
        async with AsyncRedisMemoryManager(url) as manager:
            for n in range(250):
                await manager.store(MemoryInput(name, data=[UserMessage(f"{me} {n}")]))

    asyncio.run(main())
"""

COUNT = """
    with RedisMemoryManager(url) as manager:
        for _ in range(250):
            while True:
                (now,) = manager.retrieve(MemoryInput(name, WM))
                more = WorkingMemory(str(int(now.working_memory) + 1))
                try:
                    manager.update(MemoryInput(name, WM, data=[more], expected_version=now.version))
                    break
                except VersionConflictError:
                    continue
"""

COUNT_ASYNC = """
    async def main():
        async with AsyncRedisMemoryManager(url) as manager:
            for _ in range(250):
                while True:
                    (now,) = await manager.retrieve(MemoryInput(name, WM))
                    more = WorkingMemory(str(int(now.working_memory) + 1))
                    try:
                        await manager.update(MemoryInput(name, WM, data=[more], expected_version=now.version))
                        break
                    except VersionConflictError:
                        continue

    asyncio.run(main())
"""

MERGE = """
    with RedisMemoryManager(url) as manager:
        for n in range(60):
            manager.update(MemoryInput(name, memory_id="x", metadata={f"{me}-{n % 25}": n}))
"""

BEGIN = """
    with RedisMemoryManager(url) as manager:
        for n in range(50):
            each = f"{name}-{n}"
            manager.store(MemoryInput(each, data=[SystemMessage(f"You help. {me}", id="system")]))
            manager.store(MemoryInput(each, data=[UserMessage(me)]))
            # All go on together, so that each conversation is begun by all at the same time.
            while len(manager.retrieve(MemoryInput(each))) < 9:
                pass
"""


def run_writers(url, name, *sources):
    """Run a process for each writer, all from the same moment on, and wait for them."""
    writers = [_start(url, name, str(number), sources[number % len(sources)]) for number in range(WRITERS)]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.close()
    for writer in writers:
        errors = writer.stderr.read()
        writer.stderr.close()
        assert (writer.wait(60), errors) == (0, "")


def _start(url, name, me, source):
    script = textwrap.dedent(HEAD) + textwrap.dedent(source)
    command = [sys.executable, "-W", "error", "-c", script, url, name, me]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def name():
    return uuid.uuid4().hex


@pytest.fixture
def manager(valkey):
    with RedisMemoryManager(valkey.url) as manager:
        yield manager


def test_appends(valkey, manager, name):
    """8 processes of both colours append 250 records each: 2,000 are stored, each writer's in its order."""
    run_writers(valkey.url, name, APPEND, APPEND_ASYNC)
    stored = manager.retrieve(MemoryInput(name))
    assert len({record.id for record in stored}) == len(stored) == WRITERS * EACH
    for me in range(WRITERS):
        mine = [record.content for record in stored if record.content.startswith(f"{me} ")]
        assert mine == [f"{me} {n}" for n in range(EACH)]
    for record in stored[::97]:
        assert manager.retrieve(MemoryInput(name, memory_id=record.id)) == [record]


def test_appends_interleave(valkey, manager, name):
    """The processes do write at the same time: no writer's records stand all in one piece."""
    run_writers(valkey.url, name, APPEND)
    order = [record.content.split()[0] for record in manager.retrieve(MemoryInput(name))]
    changes = sum(one != other for one, other in itertools.pairwise(order))
    assert changes > 10 * WRITERS


def test_increments(valkey, manager, name):
    """8 processes of both colours each increment one working memory 250 times under expected_version: none is lost."""
    manager.store(MemoryInput(name, WM, data=[WorkingMemory("0")]))
    run_writers(valkey.url, name, COUNT, COUNT_ASYNC)
    (end,) = manager.retrieve(MemoryInput(name, WM))
    assert (end.working_memory, end.version) == (str(WRITERS * EACH), WRITERS * EACH + 1)


def test_merges(valkey, manager, name):
    """8 processes that each merge metadata into one message without expected_version lose no update of another."""
    manager.store(MemoryInput(name, data=[UserMessage("text", id="x")]))
    run_writers(valkey.url, name, MERGE)
    (end,) = manager.retrieve(MemoryInput(name))
    assert end.version == WRITERS * 60 + 1
    assert dict(end.metadata) == {f"{me}-{n % 25}": n for me in range(WRITERS) for n in range(35, 60)}


def test_one_beginning(valkey, manager, name):
    """8 processes begin the same 50 conversations with a system message under one id: each has one, on top."""
    run_writers(valkey.url, name, BEGIN)
    firsts = set()
    for n in range(50):
        first, *others = manager.retrieve(MemoryInput(f"{name}-{n}"))
        assert (first.role, first.id) == ("system", "system")
        assert sorted((other.role, other.content) for other in others) == [("user", str(me)) for me in range(WRITERS)]
        firsts.add(first.content)
    # Not one process was always the first: they did race.
    assert len(firsts) > 1
