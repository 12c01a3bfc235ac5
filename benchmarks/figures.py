"""What was asked for beside what came out."""

from __future__ import annotations

import attrs
from attrs import frozen
from rich.table import Table


@frozen
class Figure:
    """Something that was measured.

    Attributes:
        what: in words.
        value: what came out.
        unit: of value and target.
        target: what was asked for; None if nothing was.
        least: the target is the least that the value should be, not the most.
    """

    what: str
    value: float
    unit: str
    target: float | None = None
    least: bool = False

    @property
    def reached(self):
        """Whether the target was reached; None if there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.least else self.value <= self.target

    def as_row(self):
        """Cells of a table."""
        wanted = "" if self.target is None else f"{'≥' if self.least else '≤'} {_number(self.target)}"
        verdict = {None: "", True: "yes", False: "NO"}[self.reached]
        return self.what, _number(self.value), self.unit, wanted, verdict

    def as_dict(self):
        """What stands in the results."""
        return {**attrs.asdict(self), "value": round(self.value, 4), "reached": self.reached}


def _number(value):
    return f"{value:,.0f}" if value >= 1_000 or value == int(value) else f"{value:.3g}"


def table_of(title, figures):
    """All figures beside their targets."""
    table = Table("figure", "measured", "unit", "target", "reached", title=title)
    for figure in figures:
        table.add_row(*figure.as_row())
    return table
