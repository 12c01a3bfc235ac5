"""The benchmarks run, and their results say on what they were measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rich")

ROOT = Path(__file__).parents[1]
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))


@pytest.mark.parametrize("part", ["histories", "memory", "listing"])
def test_part_runs_alone(binary, part):
    """A part that is named runs by itself, quickly, and prints what came out beside what was asked for."""
    binary("valkey")
    before = [path.read_bytes() for path in RESULTS]
    command = [sys.executable, "-m", "benchmarks", "--quick", part]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert part in done.stdout.splitlines()[0]
    assert "what came out beside what was asked for" in done.stdout
    assert [path.read_bytes() for path in RESULTS] == before


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_name_the_machine(path):
    """Every file of results names the machine, its load, the server and all versions, and has figures or rows."""
    report = json.loads(path.read_text(encoding="utf-8"))
    assert report.keys() == {"machine", "rows", "figures"}
    assert report["machine"].keys() >= {"at", "python", "machine", "cores", "load", "server", "versions"}
    assert report["rows"] or report["figures"]
