"""``python -m benchmarks``: starts its own server, measures in interleaved rounds, writes JSON, prints tables."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import attrs
from rich.console import Console
from rich.table import Table

from benchmarks.designs import designs
from benchmarks.growth import SIZES, bytes_per_message, growth
from benchmarks.rounds import pinned, race
from benchmarks.work import async_races, memory_races, sync_races
from memkit.testing.servers import Server

RESULTS = Path(__file__).parent / "results"


def measure(url, options):
    """Return all rows."""
    count, rounds = (200, 3) if options.quick else (2_000, 9)
    rows = []
    for work, contenders in sync_races(url):
        rows += race(work, contenders, count=count, rounds=rounds)
    loop = asyncio.new_event_loop()
    for tasks in (1, 64):
        for work, contenders in async_races(url, tasks, loop):
            rows += race(work, contenders, count=count, rounds=rounds)
    loop.close()
    for work, contenders in memory_races():
        rows += race(work, contenders, count=count, rounds=rounds)
    sizes = SIZES[:2] if options.quick else SIZES
    rows += growth(url, count=count // 4, rounds=rounds, sizes=sizes)
    return rows + designs(url, count=count // 4, rounds=rounds, sizes=(sizes[0], sizes[-1]))


def machine():
    """Return what the figures depend on."""
    packages = ("redis", "hiredis", "msgpack", "cattrs", "attrs")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in packages},
    }


def show(rows, console):
    """Print one table for each piece of work."""
    table = Table("work", "who", "µs", "times the first", title="medians of interleaved rounds, paired ratios")
    for _, group in groupby(rows, key=lambda row: row.work):
        for row in group:
            table.add_row(row.work, row.name, f"{row.microseconds:.1f}", f"{row.ratio:.2f}")
        table.add_section()
    console.print(table)


def main():
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few rounds, to see that they run")
    options = parser.parse_args()
    with Server() as server, pinned(server.pid):
        rows = measure(server.url, options)
        payload, used = bytes_per_message(server.url)
    console = Console(width=None if sys.stdout.isatty() else 120)
    show(rows, console)
    console.print(f"a message of {payload} bytes takes {used:.0f} on the server, {used - payload:.0f} more")
    report = {
        "machine": machine(),
        "rows": [attrs.asdict(row) for row in rows],
        "message": {"payload": payload, "server": used},
    }
    if not options.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "latest.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
