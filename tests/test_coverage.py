"""The table of what memkit covers says what is so: its tests exist, its items are complete, its counts are right."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
HEADINGS = [["item", "what", "state", "proof, or what is missing"], ["---"] * 4]
STATES = ("yes", "partly", "missing")
PLACES = ("tests", "memkit/testing/_contract")

ITEMS = [
    *(f"{number:03}.{item}" for number, last in enumerate((36, 60, 49, 22)) for item in range(1, last + 1)),
    "000x",
    *(f"M{item}" for item in range(1, 18)),
    *(f"A{item}" for item in range(1, 14)),
]


def _cells(line):
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


LINES = [_cells(line) for line in TEXT.splitlines() if line.lstrip().startswith("|")]
ROWS = [cells for cells in LINES if cells not in HEADINGS]
REFERENCES = sorted(set(re.findall(r"`([^`]+::[^`]+)`", TEXT)))


@cache
def _tests_in(file):
    """Return the names of the tests of a file; those of a class stand behind its name."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    names = set(_functions(tree))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{name}" for name in _functions(node)}
    return names


def _functions(node):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [child.name for child in node.body if isinstance(child, kinds) and child.name.startswith("test_")]


def test_every_row_has_four_cells():
    """Every row of every table has an item, what it is, a state and a proof, none of them empty."""
    assert [cells for cells in ROWS if len(cells) != 4 or not all(cells)] == []


def test_every_item_stands_exactly_once():
    """Every item stands in the tables exactly once, and nothing else does."""
    assert Counter(cells[0] for cells in ROWS) == Counter(ITEMS)


def test_every_state_is_one_of_three():
    """Every state is yes, partly or missing."""
    assert [cells for cells in ROWS if cells[2] not in STATES] == []


def test_counts_on_top_are_right():
    """The line on top counts the items, and those of each state, as they stand in the tables."""
    states = Counter(cells[2] for cells in ROWS)
    counts = ", ".join(f"{states[state]} {state}" for state in STATES)
    assert TEXT.splitlines()[2] == f"{len(ROWS)} items: {counts}."


@pytest.mark.parametrize("reference", REFERENCES)
def test_named_test_exists(reference):
    """Every test that is named stands in its file, and in its class where there is one."""
    file, name = reference.split("::", 1)
    assert str(Path(file).parent) in PLACES
    assert (ROOT / file).is_file()
    assert name in _tests_in(file)


def test_yes_is_proved_by_tests_alone():
    """The proof of a yes is a list of tests without excuses; every other state says what is missing."""
    only_tests = re.compile(r"`[^`]+::[^`]+`(, `[^`]+::[^`]+`)*")
    wrong = [cells for cells in ROWS if (cells[2] == "yes") != bool(only_tests.fullmatch(cells[3]))]
    assert wrong == []
