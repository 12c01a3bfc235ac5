"""``python -m benchmarks``: starts its own servers, measures in interleaved rounds, writes JSON, prints tables.

The parts are ``managers`` (the four verbs against plain clients), ``histories`` (cost of a conversation by its length),
``memory`` (bytes on the server), ``listing`` (pages among very many conversations) and ``recall`` (what queries find in
LoCoMo; only where its files are). Named parts are run alone. Figures stand beside what was asked for; nothing passes or
fails by the clock.
"""

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
from benchmarks.figures import table_of
from benchmarks.growth import SIZES, growth
from benchmarks.histories import histories
from benchmarks.listing import listing
from benchmarks.memory import memory
from benchmarks.recall import DATA, PAGE, recall, with_table
from benchmarks.rounds import pinned, race
from benchmarks.work import async_races, memory_races, sync_races
from memkit.testing.servers import Server, find_binaries

RESULTS = Path(__file__).parent / "results"


def measure_managers(url, quick):
    """Return (rows, figures) of the four verbs."""
    count, rounds = (200, 3) if quick else (2_000, 9)
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
    sizes = SIZES[:2] if quick else SIZES
    rows += growth(url, count=count // 4, rounds=rounds, sizes=sizes)
    rows += designs(url, count=count // 4, rounds=rounds, sizes=(sizes[0], sizes[-1]))
    return rows, []


def measure_histories(url, quick):
    """Return (rows, figures) of histories."""
    return histories(url, sizes=(100, 1_000), rounds=5) if quick else histories(url)


def measure_memory(url, quick):
    """Return (rows, figures) of what the server needs."""
    return [], memory(url, sizes=(100, 1_000)) if quick else memory(url)


def measure_listing(url, quick):
    """Return (rows, figures) of the listing."""
    return listing(url, sizes=(1_000, 10_000), rounds=3) if quick else listing(url)


def measure_recall(url, quick):
    """Return (rows, figures) of queries, which ask no server; writes the figures into the page, too."""
    del url
    if not DATA.is_dir():
        return [], []
    figures, table = recall()
    if not quick:
        PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")
    return [], figures


PARTS = {
    "managers": measure_managers,
    "histories": measure_histories,
    "memory": measure_memory,
    "listing": measure_listing,
    "recall": measure_recall,
}


def machine():
    """Return what the figures depend on."""
    packages = ("redis", "hiredis", "msgpack", "cattrs", "attrs", "snowballstemmer")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
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
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="part", help="what to run; everything if left out")
    parser.add_argument("--quick", action="store_true", help="a few rounds, to see that they run; writes no results")
    servers = find_binaries()
    parser.add_argument("--server", choices=servers, help="another server than the first; writes no results")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    console = Console(width=None if sys.stdout.isatty() else 150)
    figures = [figure for name in options.parts or PARTS for figure in run(name, options, console)]
    console.print(table_of("what came out beside what was asked for", figures))


def run(name, options, console):
    """Run one part on a server of its own, print and write what came out, and return its figures."""
    binary = find_binaries()[options.server] if options.server else None
    with Server(binary) as server, pinned(server.pid):
        about = {**machine(), "server": server_of(server)}
        console.print(f"[bold]{name}[/bold] on {about['server']}, load {about['load']} …", highlight=False)
        rows, figures = PARTS[name](server.url, options.quick)
    if rows:
        show(rows, console)
    if not options.quick and binary is None:
        write(name, about, rows, figures)
    return figures


def server_of(server):
    """Return what a server calls itself, and how it allocates."""
    about = {**server.info("server"), **server.info("memory")}
    kind = "valkey" if "valkey_version" in about else "redis"
    return f"{kind} {about[f'{kind}_version']} with {about['mem_allocator']}"


def write(name, about, rows, figures):
    """Write the results of a part."""
    RESULTS.mkdir(exist_ok=True)
    report = {
        "machine": about,
        "rows": [attrs.asdict(row) for row in rows],
        "figures": [figure.as_dict() for figure in figures],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
