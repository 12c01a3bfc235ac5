"""What is printed and written of a run."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import attrs
from rich.table import Table

from benchmarks.peers import PEERS, version_of

RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("redis", "hiredis", "msgpack", "cattrs", "attrs", "snowballstemmer", "uvloop")


def machine():
    """Return what the figures depend on."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "versions": _versions(),
    }


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _versions():
    packages = (*_PACKAGES, *(peer.package for peer in PEERS))
    found = {package: version_of(package) for package in packages}
    return {name: number for name, number in found.items() if number is not None}


def server_of(server):
    """Return what a server calls itself, and how it allocates."""
    about = {**server.info("server"), **server.info("memory")}
    kind = "valkey" if "valkey_version" in about else "redis"
    return f"{kind} {about[f'{kind}_version']} with {about['mem_allocator']}"


def show(rows, console):
    """Print one table for each piece of work."""
    table = Table("work", "who", "µs", "times the first", title="medians of interleaved rounds, paired ratios")
    for _, group in groupby(rows, key=lambda row: row.work):
        for row in group:
            table.add_row(row.work, row.name, f"{row.microseconds:,.1f}", f"{row.ratio:.3g}")
        table.add_section()
    console.print(table)


def write(name, about, rows, figures, **more):
    """Write the results of a part."""
    RESULTS.mkdir(exist_ok=True)
    content = {
        "machine": about,
        "rows": [attrs.asdict(row) for row in rows],
        "figures": [figure.as_dict() for figure in figures],
        **more,
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(name):
    """Return the results of a part, or None if there are none."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
