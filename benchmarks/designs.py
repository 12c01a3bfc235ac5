"""The candidates for the log on the server, bare: what decided for a list beside order keys."""

from __future__ import annotations

import random
import uuid

import redis

from benchmarks.rounds import Contender, race

PAYLOAD = b"m" * 434
_LPOS = """
local place = redis.call('LPOS', KEYS[2], ARGV[1])
return place and redis.call('LINDEX', KEYS[1], place)
"""
_SEARCH = """
local low, high = 0, redis.call('LLEN', KEYS[2]) - 1
while low <= high do
  local middle = math.floor((low + high) / 2)
  local found = redis.call('LINDEX', KEYS[2], middle)
  if found == ARGV[1] then return redis.call('LINDEX', KEYS[1], middle) end
  if found < ARGV[1] then low = middle + 1 else high = middle - 1 end
end
"""


def designs(url, *, count, rounds, sizes=(100, 100_000)):
    """Return rows that compare a list with LPOS, a list with a binary search over rising keys, and a stream."""
    client, draw, rows = redis.Redis.from_url(url), random.Random(3), []
    lpos, search = client.register_script(_LPOS), client.register_script(_SEARCH)
    for size in sizes:
        keys, entries = _fill(client, size)
        names = [f"d{size}:log", f"d{size}:pos"]

        def by(script, names=names, keys=keys):
            return lambda n: [script(keys=names, args=[draw.choice(keys)]) for _ in range(n)]

        rows += race(
            f"designs: by id of {size}",
            [
                Contender("list, LPOS over ids", by(lpos)),
                Contender("list, binary search", by(search)),
                Contender("stream", _by_entry(client, f"d{size}:stream", entries, draw)),
            ],
            count=count,
            rounds=rounds,
        )
        rows += race(
            f"designs: last 20 of {size}",
            [
                Contender("list", lambda n, k=names[0]: [client.lrange(k, -20, -1) for _ in range(n)]),
                Contender("stream", lambda n, k=f"d{size}:stream": [client.xrevrange(k, count=20) for _ in range(n)]),
            ],
            count=count,
            rounds=rounds,
        )
    client.close()
    return rows


def _by_entry(client, name, entries, draw):
    def run(count):
        for _ in range(count):
            entry = draw.choice(entries)
            client.xrange(name, entry, entry)

    return run


def _fill(client, size):
    keys = [uuid.UUID(int=number).bytes for number in range(1, size + 1)]
    entries = [f"1-{number}" for number in range(1, size + 1)]
    for start in range(0, size, 1_000):
        pipe = client.pipeline(transaction=False)
        part = slice(start, start + 1_000)
        pipe.rpush(f"d{size}:log", *[PAYLOAD] * len(keys[part]))
        pipe.rpush(f"d{size}:pos", *keys[part])
        for entry in entries[part]:
            pipe.xadd(f"d{size}:stream", {"p": PAYLOAD}, id=entry)
        pipe.execute()
    return keys, entries
