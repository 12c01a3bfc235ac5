"""The parts of a run: what is measured, how much of it, and where client and server run."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from benchmarks import aims, scale, tasks
from benchmarks.codec import codec_races
from benchmarks.compression import compression, compression_races
from benchmarks.designs import designs
from benchmarks.flat import flat
from benchmarks.histories import histories
from benchmarks.inmemory import inmemory
from benchmarks.layers import layers
from benchmarks.listing import listing
from benchmarks.memory import memory
from benchmarks.readers import reader_races
from benchmarks.recall import DATA, PAGE, recall, with_table
from benchmarks.start import start
from benchmarks.sync import sync_races
from benchmarks.tails import tails
from benchmarks.wire import wire

TASKS = (1, 16, tasks.MAIN, 256)


@frozen
class Part:
    """Something that is measured alone.

    Attributes:
        measure: takes the URL of a server and whether to be quick; returns (rows, figures).
        pinned: client and server share one core. Otherwise each may have its own, as many tasks deserve.
    """

    measure: Callable
    pinned: bool = True

    @property
    def placement(self):
        """In words."""
        return "client and server on one core" if self.pinned else "free"


def measure_sync(url, quick):
    """The verbs in plain code."""
    return aims.run(sync_races(url), count=100 if quick else 1_000, rounds=3 if quick else 41)


def measure_task(url, quick):
    """The verbs in one task."""
    return aims.run(tasks.task_races(url), count=50 if quick else 500, rounds=3 if quick else 41)


def measure_tasks(url, quick):
    """The verbs in many tasks."""
    rows, figures = [], []
    for many in (4, 16) if quick else TASKS:
        # The more tasks there are, the more of them are in flight anyway.
        count = many * (2 if quick else max(2_048 // many, 8))
        races = tasks.tasks_races(url, many)
        more = aims.run(races, count=count, rounds=3 if quick else 21, more=tasks.waits)
        rows, figures = rows + more[0], figures + more[1]
    return rows, figures


def measure_readers(url, quick):
    """Long conversations, beside other libraries."""
    sizes = {"sizes": (100, 200)} if quick else {}
    return aims.run(reader_races(url, **sizes), count=20 if quick else 200, rounds=3 if quick else 15)


def measure_flat(url, quick):
    """Calls by the length of the conversation."""
    return flat(url, sizes=(20, 1_000), rounds=5) if quick else flat(url)


def measure_codec(url, quick):
    """Records to bytes and back; asks no server."""
    del url
    return aims.run(codec_races(), count=200 if quick else 2_000, rounds=3 if quick else 21)


def measure_inmemory(url, quick):
    """The in-memory manager; asks no server."""
    del url
    sizes = {"sizes": (100, 1_000), "burst": 1_000, "bursts": 1, "rounds": 3, "count": 500}
    return inmemory(**sizes) if quick else inmemory()


def measure_wire(url, quick):
    """Bytes on server and wire."""
    return [], wire(url, count=50) if quick else wire(url)


def measure_start(url, quick):
    """What it costs to begin."""
    return [], start(url, rounds=1) if quick else start(url)


def measure_scale(url, quick):
    """Threads and processes."""
    sizes = {"threads": (1, 4), "processes": (1, 2)} if quick else {}
    count, rounds = (64, 3) if quick else (1_600, 15)
    return aims.run(scale.scale_races(url, **sizes), count=count, rounds=rounds, more=scale.throughput)


def measure_tails(url, quick):
    """The same tail again and again, kept by the client."""
    return tails(url, count=200, rounds=3) if quick else tails(url)


def measure_layers(url, quick):
    """What each layer adds to a read."""
    return layers(url, count=64 if quick else 1_000, rounds=3 if quick else 21), []


def measure_compression(url, quick):
    """Compressed records: time and bytes."""
    del quick
    rows, figures = aims.run(compression_races(), count=100, rounds=9)
    return rows, [*figures, *compression(url)]


def measure_designs(url, quick):
    """Candidates for the log on the server, bare."""
    sizes = (100, 10_000) if quick else (100, 100_000)
    return designs(url, count=50 if quick else 500, rounds=3 if quick else 9, sizes=sizes), []


def measure_histories(url, quick):
    """Calls of a history by its length."""
    return histories(url, sizes=(100, 1_000), rounds=5) if quick else histories(url)


def measure_memory(url, quick):
    """What the server needs beside the payload."""
    return [], memory(url, sizes=(100, 1_000)) if quick else memory(url)


def measure_listing(url, quick):
    """Pages among very many conversations."""
    return listing(url, sizes=(1_000, 10_000), rounds=3) if quick else listing(url)


def measure_recall(url, quick):
    """Queries, which ask no server; writes the figures into the page, too."""
    del url
    if not DATA.is_dir():
        return [], []
    figures, table = recall()
    if not quick:
        PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")
    return [], figures


PARTS = {
    "sync": Part(measure_sync),
    "task": Part(measure_task),
    "tasks": Part(measure_tasks, pinned=False),
    "readers": Part(measure_readers),
    "flat": Part(measure_flat),
    "codec": Part(measure_codec),
    "inmemory": Part(measure_inmemory),
    "wire": Part(measure_wire),
    "start": Part(measure_start),
    "scale": Part(measure_scale, pinned=False),
    "tails": Part(measure_tails),
    "layers": Part(measure_layers),
    "compression": Part(measure_compression),
    "designs": Part(measure_designs),
    "histories": Part(measure_histories),
    "memory": Part(measure_memory),
    "listing": Part(measure_listing),
    "recall": Part(measure_recall),
}
