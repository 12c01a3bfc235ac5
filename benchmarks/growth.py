"""How the cost of the four verbs grows with the length of a conversation."""

from __future__ import annotations

import random

from benchmarks.rounds import Contender, race
from benchmarks.work import MESSAGE, repeat
from memkit import MemoryInput, RedisMemoryManager

SIZES = (100, 10_000, 100_000)


def fill(manager, conversation, size):
    """Store so many messages and return their ids."""
    for start in range(0, size, 500):
        manager.store(MemoryInput(conversation, data=[MESSAGE] * min(500, size - start)))
    return [message.id for message in manager.retrieve(MemoryInput(conversation))]


def growth(url, *, count, rounds, sizes=SIZES):
    """Return rows: each operation at each size against the same at the smallest."""
    rows, manager = [], RedisMemoryManager(url, namespace="growth", attempt_timeout=30)
    ids = {size: fill(manager, f"c{size}", size) for size in sizes}
    draw = random.Random(7)

    def by_id(function, size, **more):
        return lambda n: [function(MemoryInput(f"c{size}", memory_id=draw.choice(ids[size]), **more)) for _ in range(n)]

    works = {
        "append": lambda size: repeat(manager.store, MemoryInput(f"c{size}", data=[MESSAGE])),
        "last 20": lambda size: repeat(manager.retrieve, MemoryInput(f"c{size}", limit=20)),
        "get by id": lambda size: by_id(manager.retrieve, size),
        "update by id": lambda size: by_id(manager.update, size, metadata={"n": 8}),
        "delete by id, then append": lambda size: remove_and_append(manager, f"c{size}", ids[size], draw),
    }
    for work, make in works.items():
        contenders = [Contender(f"{size} messages", make(size)) for size in sizes]
        rows += race(f"growth: {work}", contenders, count=count, rounds=rounds)
    manager.close()
    return rows


def remove_and_append(manager, conversation, ids, draw):
    """Return a function that removes random messages, each made up for by a new one."""

    def run(count):
        for _ in range(count):
            place = draw.randrange(len(ids))
            manager.delete(MemoryInput(conversation, memory_id=ids[place]))
            ids[place] = manager.store(MemoryInput(conversation, data=[MESSAGE]))

    return run
