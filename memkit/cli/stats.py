"""The command that shows what the store says of itself."""

from __future__ import annotations

import json
import sys

import attrs
import click

from memkit.cli.operator import as_plain, json_option, opened_admin, print_figures
from memkit.cli.screen import make_console

__all__ = ["stats"]


@click.command()
@json_option
def stats(*, as_json: bool) -> None:
    """Show what the store says of itself.

    Exits with 1 if there is something that an operator should look at.
    """
    with opened_admin() as admin:
        found = admin.stats()
    if as_json:
        click.echo(json.dumps(as_plain(found), indent=2))
    else:
        figures = attrs.asdict(found, filter=lambda item, _: item.name != "warnings")
        print_figures(make_console(), ((name.replace("_", " "), value) for name, value in figures.items()))
    for warning in found.warnings:
        click.echo(f"Warning: {warning}", err=True)
    sys.exit(1 if found.warnings else 0)
