"""The commands that write everything to a file and read it back."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click

from memkit.cli.operator import opened_admin, told, user_option

__all__ = ["export", "import_"]

_STANDARD = "-"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_PRIVATE = 0o600


@click.command()
@click.argument("file", default=_STANDARD)
@user_option
@click.option("--conversation", "conversation_id", metavar="ID", help="Only this conversation.")
def export(file: str, user_id: str | None, conversation_id: str | None) -> None:
    """Write everything that is stored to FILE, as lines of JSON; without it, to the standard output.

    FILE must not be there yet, and is only there once it is complete. Nobody but you can read it.
    """
    with opened_admin() as admin, _written(file) as out, told("exported") as tell:
        for line in admin.export(user_id=user_id, conversation_id=conversation_id, on_progress=tell):
            out.write(line)


@contextlib.contextmanager
def _written(file: str) -> Iterator[IO[bytes]]:
    if file == _STANDARD:
        yield sys.stdout.buffer
        return
    path = Path(file)
    part = path.with_name(path.name + ".part")
    if path.exists():
        raise click.ClickException(f"{path} is there already: choose another name, or remove it")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, _NEW, _PRIVATE), "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


@click.command("import")
@click.argument("file", default=_STANDARD)
def import_(file: str) -> None:
    """Store what `memkit export` wrote to FILE; without it, from the standard input.

    What is there already stays as it is, so an import that was interrupted is completed by repeating it.
    """
    with opened_admin() as admin, click.open_file(file, "rb") as lines, told("imported") as tell:
        report = admin.import_(lines, on_progress=tell)
    click.echo(
        f"{report.conversations:,} conversations: {report.imported:,} records stored, {report.present:,} were there "
        f"already, {report.expired:,} had expired."
    )
