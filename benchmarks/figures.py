"""What was asked for beside what came out."""

from __future__ import annotations

import attrs
from attrs import frozen
from rich.table import Table

_VERDICTS = {None: "", True: "yes", False: "NO"}


@frozen
class Figure:
    """Something that was measured.

    Attributes:
        what: in words.
        value: what came out.
        unit: of value, target and bound.
        target: what was asked for; None if nothing was.
        least: the target is the least that the value should be, not the most.
        bound: what must hold even where the target is missed: never under it, or never over it; None if there is none.
    """

    what: str
    value: float
    unit: str
    target: float | None = None
    least: bool = False
    bound: float | None = None

    @property
    def reached(self):
        """Whether the target was reached; None if there is none."""
        return self._is_good_for(self.target)

    @property
    def held(self):
        """Whether the bound was held; None if there is none."""
        return self._is_good_for(self.bound)

    def _is_good_for(self, wanted):
        if wanted is None:
            return None
        return self.value >= wanted if self.least else self.value <= wanted

    def as_row(self):
        """Cells of a table."""
        aim, never = ("≥", "under") if self.least else ("≤", "over")
        target = "" if self.target is None else f"{aim} {_number(self.target)}"
        bound = "" if self.bound is None else f"{never} {_number(self.bound)}"
        return self.what, _number(self.value), self.unit, target, _VERDICTS[self.reached], bound, _VERDICTS[self.held]

    def as_dict(self):
        """What stands in the results."""
        return {**attrs.asdict(self), "value": round(self.value, 4), "reached": self.reached, "held": self.held}


def _number(value):
    return f"{value:,.0f}" if value >= 1_000 or value == int(value) else f"{value:.3g}"


def table_of(title, figures):
    """All figures beside their targets."""
    table = Table("figure", "measured", "unit", "aim", "reached", "never", "held", title=title)
    for figure in figures:
        table.add_row(*figure.as_row())
    return table


def summary(figures):
    """Say in one line how many aims were reached, and how many bounds held."""
    reached = [figure.reached for figure in figures if figure.reached is not None]
    held = [figure.held for figure in figures if figure.held is not None]
    return f"aims reached: {sum(reached)} of {len(reached)}; never under or over: {sum(held)} of {len(held)} held"
