"""The command line."""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from memkit.cli.chats import Chat, ChatFileError, read_chat, sample_chat
from memkit.cli.conversations import conversations
from memkit.cli.dictionary import make_dictionary
from memkit.cli.env import look, print_environment
from memkit.cli.erase import erase
from memkit.cli.screen import Screen, make_console
from memkit.cli.stats import stats
from memkit.cli.transfer import export, import_
from memkit.errors import MemkitError

__all__ = ["app"]

_DISTRIBUTION = "agent-memkit"


class _BadFileError(click.ClickException):
    exit_code = 2


def _version() -> str:
    try:
        return version(_DISTRIBUTION)
    except PackageNotFoundError:
        return f"unknown: {_DISTRIBUTION} is not installed"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), prog_name="memkit")
def app() -> None:
    """The memory layer for AI agents."""


for _command in (conversations, stats, export, import_, erase, make_dictionary):
    app.add_command(_command)


_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")


@app.command()
@_json_option
def env(*, as_json: bool) -> None:
    """List every environment variable: its meaning, its default, and its value now.

    Passwords are shown as ***. Exits with 1 if the environment is not right.
    """
    environment = look()
    if as_json:
        click.echo(json.dumps(environment.as_json(), indent=2))
    else:
        print_environment(make_console(), environment)
    for problem in environment.problems:
        click.echo(f"Error: {problem}", err=True)
    sys.exit(1 if environment.problems else 0)


@app.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--seconds",
    type=click.FloatRange(0.2, 60),
    default=4.0,
    show_default=True,
    help="Length of the run of writes in which the server is killed.",
)
@_json_option
def demo(file: Path | None, seconds: float, *, as_json: bool) -> None:
    """Show on a real conversation that nothing is lost and nothing doubled.

    FILE is a conversation in OpenAI's chat format, JSON or JSONL, or a LoCoMo file; without it, one that comes with
    memkit. Nothing is needed but the extra "embedded": a server is started in a temporary directory, and ended.

    Exits with 1 if anything was lost, doubled, changed or out of order, and with 2 if FILE cannot be read.
    """
    # Here: it loads the redis client, and works on POSIX only.
    from memkit.cli.demo import DemoError, run_demo  # noqa: PLC0415
    from memkit.cli.report import print_outcome  # noqa: PLC0415

    chat = _read(file)
    console = make_console(quiet=as_json)
    console.print(f"memkit demo: {chat.source}, {chat.form}, {len(chat.messages):,} messages\n", markup=False)
    try:
        outcome = run_demo(chat, seconds, Screen(console))
    except (DemoError, MemkitError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(outcome.as_json(), indent=2))
    print_outcome(console, outcome)
    sys.exit(0 if outcome.right else 1)


def _read(file: Path | None) -> Chat:
    try:
        return sample_chat() if file is None else read_chat(file)
    except ChatFileError as error:
        raise _BadFileError(str(error)) from None
