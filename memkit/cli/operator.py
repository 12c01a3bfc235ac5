"""What the commands for operators share: the store that the environment names, progress, tables."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import attrs
import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from memkit.cli.screen import Screen
from memkit.cli.talk import one_line
from memkit.config import Settings
from memkit.errors import MemkitError
from memkit.factory import create_memory_manager
from memkit.interfaces.admin import IMemoryAdmin
from memkit.results import Progress

__all__ = ["as_plain", "json_option", "opened_admin", "print_figures", "shown", "told", "user_option"]

# They keep nothing that another process could look at.
_OF_ONE_PROCESS = ("memory", "null")
_WIDEST = 60

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
user_option = click.option("--user", "user_id", metavar="ID", help="Only conversations of this user.")


@contextlib.contextmanager
def opened_admin() -> Iterator[IMemoryAdmin]:
    """The administration of the store that the environment names; what goes wrong with it ends the command."""
    # Here: they load the codec, which other commands need not wait for.
    from memkit.faces.admin import MemoryAdmin  # noqa: PLC0415
    from memkit.faces.manager import MemoryManager  # noqa: PLC0415

    try:
        settings = Settings.from_environ()
        if settings.backend in _OF_ONE_PROCESS:
            raise click.ClickException(
                f"the backend is {settings.backend}, which no other process sees: set MEMKIT_URL"
            )
        with create_memory_manager(settings) as manager:
            if not isinstance(manager, MemoryManager):
                raise click.ClickException(f"the backend {settings.backend} has no administration")
            yield MemoryAdmin(manager.engine)
    except (MemkitError, OSError) as error:
        raise click.ClickException(str(error)) from error


@contextlib.contextmanager
def told(text: str) -> Iterator[Callable[[Progress], None]]:
    """Show on the standard error how far it is.

    Yields:
        What to give as `on_progress`.
    """
    with Screen(Console(stderr=True, highlight=False)).step(text) as show:
        yield lambda now: show(now.conversations, f"{now.conversations:,} conversations, {now.records:,} records")


def print_figures(console: Console, figures: Iterable[tuple[str, Any]]) -> None:
    """Print names and values below each other."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in figures:
        table.add_row(name, shown(value))
    console.print(table)


def shown(value: Any) -> Text:
    """A value as people read it, on one line."""
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, int):
        return Text(f"{value:,}")
    if isinstance(value, datetime):
        return Text(value.strftime("%Y-%m-%d %H:%M:%S"))
    return Text(one_line(str(value), _WIDEST))


def as_plain(result: Any) -> Any:
    """A result for machines: what JSON lacks becomes text."""
    if attrs.has(type(result)):
        return {item.name: as_plain(getattr(result, item.name)) for item in attrs.fields(type(result))}
    if isinstance(result, dict):
        return {key: as_plain(value) for key, value in result.items()}
    if isinstance(result, list | tuple):
        return [as_plain(value) for value in result]
    return result if isinstance(result, str | int | float | None) else str(result)
