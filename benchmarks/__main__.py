"""``python -m benchmarks``: starts its own servers, measures in interleaved rounds, writes JSON, prints tables.

Named parts are run alone, all of them if none is named:

sync       the verbs in plain code: memkit with records, redis-py and a bare socket with ready bytes
task       the same in one asyncio task, with and without uvloop
tasks      the same in 1 to 256 tasks, beside valkey-glide and openai-agents, with latencies
readers    the last 20 of long conversations, beside other libraries
flat       calls by the length of the conversation
codec      records to bytes and back
inmemory   the in-memory manager by what it holds, and after a burst of expiries
wire       bytes of a message on the server and on the wire, round trips, beside other libraries
start      what it costs to begin
scale      threads and processes
tails      the same window again and again, with client-side caches
layers     what each layer of memkit adds to a read
compression  records compressed: time and bytes
designs    candidates for the log on the server
histories  calls of a history by its length
memory     what the server needs beside the payload
listing    pages among very many conversations
recall     what queries find in LoCoMo; only where its files are

Two run only when they are named:

soak       many minutes of everything; does anything grow?
plots      draw the results again

Other libraries are left out where they are not installed. Figures stand beside what was asked for; nothing passes or
fails by the clock.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import nullcontext

import attrs
from rich.console import Console

from benchmarks.figures import summary, table_of
from benchmarks.page import rewrite
from benchmarks.parts import PARTS
from benchmarks.peers import missing
from benchmarks.report import RESULTS, machine, server_of, show, write
from benchmarks.rounds import pinned
from benchmarks.soak import MINUTES, soak, verdict
from memkit.testing.servers import Server, find_binaries

_SOAK, _PLOTS = "soak", "plots"
_QUICK_SOAK = {"minutes": 1 / 20, "step": 0.5, "warm": 100}


def main():
    """Run the benchmarks."""
    options = parsed()
    console = Console(width=None if sys.stdout.isatty() else 150)
    for package in missing():
        console.print(f"left out: {package} is not installed", highlight=False)
    figures = [figure for name in options.parts or PARTS for figure in run(name, options, console)]
    if figures:
        console.print(table_of("what came out beside what was asked for", figures))
        console.print(summary(figures), highlight=False)
    if writes(options) or _PLOTS in options.parts:
        from benchmarks.plots import draw_all  # noqa: PLC0415 - what is measured should not carry it

        console.print(draw_all(RESULTS), highlight=False)
        rewrite()


def parsed():
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="part", help="what to run; everything if left out")
    parser.add_argument("--quick", action="store_true", help="a few rounds, to see that they run; writes no results")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="how long to soak (%(default)s)")
    servers = find_binaries()
    parser.add_argument("--server", choices=servers, help="another server than the first; writes no results")
    options = parser.parse_args()
    known = [*PARTS, _SOAK, _PLOTS]
    if unknown := set(options.parts) - set(known):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return options


def writes(options):
    """Whether results are written."""
    return not options.quick and options.server is None


def run(name, options, console):
    """Run one part on a server of its own, print and write what came out, and return its figures."""
    if name == _PLOTS:
        return []
    binary = find_binaries()[options.server] if options.server else None
    with Server(binary) as server:
        measure = soaked if name == _SOAK else measured
        return measure(name, server, options, console)


def measured(name, server, options, console):
    """Run a part that has works."""
    part, began = PARTS[name], time.monotonic()
    about = introduced(name, server, part.placement, console)
    with pinned(server.pid) if part.pinned else nullcontext():
        rows, figures = part.measure(server.url, options.quick)
    if rows:
        show(rows, console)
    console.print(f"{name} took {time.monotonic() - began:.0f} s", highlight=False)
    if writes(options):
        write(name, about, rows, figures)
    return figures


def introduced(name, server, placement, console):
    """Say what is run, and return what its figures depend on."""
    about = {**machine(), "server": server_of(server), "placement": placement}
    console.print(f"[bold]{name}[/bold] on {about['server']}, {placement}, load {about['load']} …", highlight=False)
    return about


def soaked(name, server, options, console):
    """Soak, and say how it goes."""
    about = introduced(name, server, "free", console)
    how_long = _QUICK_SOAK if options.quick else {"minutes": options.minutes}
    samples, figures = soak(server.url, **how_long, report=lambda sample: console.print(_line(sample)))
    console.print(f"[bold]{verdict(figures, how_long['minutes'])}[/bold]", highlight=False)
    if writes(options):
        write(name, about, [], figures, samples=[attrs.asdict(sample) for sample in samples])
    return figures


def _line(sample):
    memory = f"client {sample.resident / 1e6:.1f} MB, server {sample.used / 1e6:.1f} MB"
    return (
        f"{sample.seconds:6.0f} s: {sample.calls:,.0f} calls/s, p50 {sample.p50:.2f}, p99 {sample.p99:.2f} ms, {memory}"
    )


if __name__ == "__main__":
    main()
