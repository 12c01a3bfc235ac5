"""What it costs to begin: loading the library, its memory, and the first call, each in a process of its own."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from attrs import define, field

from benchmarks.figures import Figure

ROOT = Path(__file__).parents[1]
_FRAME = """
import json, sys, time
from benchmarks.process import resident
url, empty, start = sys.argv[1], resident(), time.perf_counter()
{imports}
loaded = time.perf_counter()
{first}
done = time.perf_counter()
print(json.dumps([1e3 * (loaded - start), 1e3 * (done - start), (resident() - empty) / 1e6]))
"""
_STORE = 'memkit.MemoryInput("c", data=[memkit.UserMessage("hello")])'
_COUNTED = ("loaded after", "first call done after", "memory")
_UNITS = ("ms", "ms", "MB")


@define
class Beginning:
    """How somebody begins.

    Attributes:
        name: of it.
        imports: statements that load what is needed.
        first: statements that connect and make one call.
        took: for each process milliseconds until all is loaded, until the first call is done, and megabytes then.
    """

    name: str
    imports: str
    first: str
    took: list[list[float]] = field(factory=list)

    def run(self, url):
        """Begin once, in a new process."""
        code = _FRAME.format(imports=self.imports, first=self.first)
        command = [sys.executable, "-c", code, url]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        self.took.append(json.loads(done.stdout))

    def figures(self):
        """The medians."""
        medians = (statistics.median(column) for column in zip(*self.took, strict=True))
        what = zip(_COUNTED, medians, _UNITS, strict=True)
        return [Figure(f"start, {counted}: {self.name}", value, unit) for counted, value, unit in what]


def beginnings():
    """Everybody's."""
    return [
        Beginning("redis.Redis", "import redis", 'redis.Redis.from_url(url).rpush("raw:start", b"hello")'),
        Beginning(
            "redis.asyncio",
            "import asyncio, redis.asyncio",
            """
async def main():
    async with redis.asyncio.Redis.from_url(url) as client:
        await client.rpush("raw:start", b"hello")
asyncio.run(main())
""",
        ),
        Beginning("memkit, the name alone", "import memkit", ""),
        Beginning("memkit, in memory", "import memkit", f"memkit.InMemoryManager().store({_STORE})"),
        Beginning("memkit, a server", "import memkit", f"memkit.RedisMemoryManager(url).store({_STORE})"),
        Beginning(
            "memkit, a server and asyncio",
            "import asyncio, memkit",
            f"""
async def main():
    async with memkit.AsyncRedisMemoryManager(url) as manager:
        await manager.store({_STORE})
asyncio.run(main())
""",
        ),
    ]


def start(url, *, rounds=11):
    """Return figures. memkit loads what it needs when it is first used."""
    all_of_them = beginnings()
    for number in range(rounds + 1):
        shift = number % len(all_of_them)
        for beginning in all_of_them[shift:] + all_of_them[:shift]:
            beginning.run(url)
    for beginning in all_of_them:
        # The first ones read from the disk.
        del beginning.took[0]
    return [figure for beginning in all_of_them for figure in beginning.figures()]
