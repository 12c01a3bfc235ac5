"""The table of environment variables."""

from __future__ import annotations

import os
from typing import Any

from attrs import asdict, frozen
from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from memkit.cli.talk import one_line
from memkit.config import Settings, Variable
from memkit.errors import ConfigurationError

__all__ = ["Environment", "look", "print_environment"]

_LONGEST = 200
_WIDEST = 28


@frozen
class Environment:
    """What the environment of this process says to memkit.

    Attributes:
        variables: every variable there is; with the values in force, if there are no problems.
        problems: everything that is wrong.
    """

    variables: tuple[Variable, ...]
    problems: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {"problems": list(self.problems), "variables": [asdict(each) for each in self.variables]}


def look() -> Environment:
    """Read the environment of this process."""
    try:
        return Environment(tuple(Settings.from_environ().describe()), ())
    except ConfigurationError as error:
        return Environment(tuple(Settings.variables()), error.problems)


def print_environment(console: Console, environment: Environment) -> None:
    """Print the table."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("variable and its meaning", ratio=1, overflow="fold")
    table.add_column("default", no_wrap=True)
    table.add_column("now", overflow="fold", max_width=_WIDEST)
    for each in environment.variables:
        # Below each other: side by side, eighty columns are too few.
        about = Group(Text(each.name, style="bold"), Padding(Text(each.meaning), (0, 0, 0, 2)))
        table.add_row(about, Text(each.default, style="dim"), _now(each))
    console.print(table)


def _now(each: Variable) -> Text:
    if each.current is None:
        # There are no settings; the text of a variable is not shown, it may be a password that went astray.
        return Text("(set)" if each.name in os.environ else "")
    return Text(one_line(each.current, _LONGEST), style="bold" if each.given else "dim")
