"""The command that lists conversations."""

from __future__ import annotations

import json

import click
from rich import box
from rich.console import Console
from rich.table import Table

from memkit.cli.operator import as_plain, json_option, opened_admin, shown, user_option
from memkit.cli.screen import make_console
from memkit.results import ConversationInfo, Page

__all__ = ["conversations"]


@click.command()
@user_option
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most.")
@click.option("--cursor", help="That of the page before, to read on.")
@json_option
def conversations(user_id: str | None, limit: int, cursor: str | None, *, as_json: bool) -> None:
    """List conversations, those with the newest activity first."""
    with opened_admin() as admin:
        page = admin.conversations(user_id, limit, cursor)
    if as_json:
        click.echo(json.dumps(as_plain(page), indent=2))
    else:
        _print(make_console(), page)


def _print(console: Console, page: Page[ConversationInfo]) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("conversation", overflow="fold")
    table.add_column("user", overflow="fold")
    table.add_column("title", overflow="fold")
    table.add_column("messages", justify="right")
    table.add_column("changed", no_wrap=True)
    for each in page:
        table.add_row(*map(shown, (each.id, each.user_id, each.title, each.count, each.updated_at)))
    console.print(table)
    if page.cursor is not None:
        click.echo(f"There are more: --cursor {page.cursor}", err=True)
