"""How long a page of the listing takes among very many conversations, and what the listing takes on the server."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack

import redis
from attrs import define, field, frozen

from benchmarks.crowd import PAGE, Crowd
from benchmarks.figures import Figure
from benchmarks.rounds import Row

SIZES = (1_000, 100_000, 1_000_000)
_MOST_MS = 2


@frozen
class Cost:
    """What one piece of work took, in microseconds.

    Attributes:
        wall: from the call to its result.
        scripts: what the server says that its scripts took.
        server: time of its main thread, protocol included.
    """

    wall: float
    scripts: float
    server: float


@define
class View:
    """A page that is read again and again."""

    name: str
    size: int
    read: Callable[[], object]
    costs: list[Cost] = field(factory=list)

    def median(self, part):
        """The median of a part of the costs."""
        return statistics.median(getattr(cost, part) for cost in self.costs)


def listing(url, *, sizes=SIZES, rounds=15, count=20):
    """Return (rows, figures)."""
    with ExitStack() as stack:
        client = stack.enter_context(redis.Redis.from_url(url))
        crowds = [stack.enter_context(Crowd(client, url, size)) for size in sizes]
        views = [View(name, crowd.size, read) for crowd in crowds for name, read in crowd.reads()]
        for number in range(rounds):
            shift = number % len(views)
            for view in views[shift:] + views[:shift]:
                view.costs.append(_cost(client, view.read, count))
    return _rows(views), _figures(views, crowds)


def _cost(client, read, count):
    client.config_resetstat()
    cpu, start = _server_us(client), time.perf_counter()
    for _ in range(count):
        read()
    wall = 1e6 * (time.perf_counter() - start)
    server = _server_us(client) - cpu
    scripts = client.info("commandstats")["cmdstat_evalsha"]["usec"]
    return Cost(wall / count, scripts / count, server / count)


def _server_us(client):
    found = client.info("cpu")
    return 1e6 * (found["used_cpu_user_main_thread"] + found["used_cpu_sys_main_thread"])


def _rows(views):
    """Rows that compare each page among many with the same among few."""
    rows = []
    for view in views:
        first = next(other for other in views if other.name == view.name)
        for part in ("wall", "server"):
            ratios = (getattr(a, part) / getattr(b, part) for a, b in zip(first.costs, view.costs, strict=True))
            row = Row(
                f"{view.name}, {part}", f"{view.size:,} conversations", view.median(part), statistics.median(ratios)
            )
            rows.append(row)
    return sorted(rows, key=lambda row: row.work)


def _figures(views, crowds):
    most = crowds[-1].size
    largest = [view for view in views if view.size == most]
    pages = [view for view in largest if f"page of {PAGE}" in view.name]
    return [
        *[_in_ms(view, "server", _MOST_MS) for view in pages],
        *[_in_ms(view, "scripts", _MOST_MS) for view in pages],
        *[_in_ms(view, "wall") for view in pages],
        *[_in_ms(view, "scripts") for view in largest if view not in pages],
        *[Figure(f"a conversation in both indexes, of {crowd.size:,}", crowd.index_bytes, "bytes") for crowd in crowds],
    ]


_PARTS = {"server": "time of the server", "scripts": "of that in scripts", "wall": "from call to result"}


def _in_ms(view, part, target=None):
    return Figure(f"{view.name} of {view.size:,}: {_PARTS[part]}", view.median(part) / 1e3, "ms", target)
