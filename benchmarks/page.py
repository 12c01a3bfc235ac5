"""The figures that were asked for, as tables in ``docs/performance.md``."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.report import read

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
_PIECE = re.compile(r"(<!-- (?P<what>figures|rows): (?P<part>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_FIGURES = "| figure | measured | aim | never |\n| --- | --- | --- | --- |\n"
_ROWS = "| work | who | µs | times the first |\n| --- | --- | --- | --- |\n"


def page_with(text, find=read):
    """Return the page with what was measured last in the place of older figures.

    Args:
        text: the page; the name of a part stands in front of each table.
        find: returns the results of a part.
    """

    def fresh(piece):
        results = find(piece["part"])
        if results is None:
            return piece[0]
        table = _figures(results["figures"]) if piece["what"] == "figures" else _rows(results)
        return f"{piece[1]}{_where(results['machine'])}\n\n{table}\n{piece[4]}"

    return _PIECE.sub(fresh, text)


def rewrite():
    """Put what was measured last into the page."""
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def _where(machine):
    return f"{machine['server']}, {machine['placement']}, Python {machine['python']}:"


def _figures(figures):
    asked = [figure for figure in figures if figure["target"] is not None or figure["bound"] is not None]
    return _FIGURES + "".join(map(_row, asked))


def _rows(results):
    """What was only to be told: rows of works, or figures without aims."""
    rows = [
        f"| {row['work']} | {row['name']} | {row['microseconds']:,.1f} | {row['ratio']:.2f} |\n"
        for row in results["rows"]
    ]
    return _ROWS + "".join(rows) if rows else _FIGURES + "".join(map(_row, results["figures"]))


def _row(figure):
    aim, never = ("at least", "under") if figure["least"] else ("at most", "over")
    target = "" if figure["target"] is None else f"{aim} {figure['target']:g}: {_verdict(figure['reached'])}"
    bound = "" if figure["bound"] is None else f"{never} {figure['bound']:g}: {_verdict(figure['held'])}"
    return f"| {figure['what']} | {figure['value']:,.3g} {figure['unit']} | {target} | {bound} |\n"


def _verdict(is_good):
    return "yes" if is_good else "**no**"
