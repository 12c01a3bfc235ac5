"""The command that makes a dictionary for compression."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import click

from memkit.cli.operator import opened_admin, told
from memkit.codec.serializers import SERIALIZERS
from memkit.codec.training import train_dictionary
from memkit.codec.wire import Binding, Codec
from memkit.config import Settings
from memkit.flows.admin.lines import read_lines
from memkit.flows.admin.records import bound

__all__ = ["make_dictionary"]

_MOST = 20_000
_NOWHERE = Binding("nowhere", 0)


@click.command("train-dictionary")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--size", type=click.IntRange(256), default=16_384, show_default=True, help="Bytes of the dictionary at most."
)
def make_dictionary(file: Path, size: int) -> None:
    """Make a dictionary of what stored records have in common, and write it to FILE.

    It is for MEMKIT_COMPRESSION_DICTIONARY. FILE must not be there yet. It holds pieces of what is stored: nobody but
    you can read it.
    """
    if file.exists():
        raise click.ClickException(f"{file} is there already: records may need it, choose another name")
    with opened_admin() as admin, told("read") as tell:
        settings = Settings.from_environ()
        codec = Codec(SERIALIZERS[settings.codec](), settings.max_record_bytes)
        samples = list(islice(_packed(codec, admin.export(on_progress=tell)), _MOST))
        dictionary = train_dictionary(samples, size=size)
        dictionary.save(file)
    click.echo(f"{len(dictionary.to_bytes()):,} bytes from {len(samples):,} records, with the id {dictionary.id}.")


def _packed(codec: Codec, lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in read_lines(lines, codec.max_bytes):
        if "record" in line.fields:
            yield bound(codec, line.value("record"), _NOWHERE).wire
