"""The command that erases conversations."""

from __future__ import annotations

import json
import sys

import attrs
import click

from memkit.cli.operator import as_plain, json_option, opened_admin, print_figures
from memkit.cli.screen import make_console
from memkit.results import EraseReceipt

__all__ = ["erase"]


@click.command()
@click.option("--user", "user_id", metavar="ID", help="All conversations of this user.")
@click.option("--conversation", "conversation_id", metavar="ID", help="This conversation, whoever owns it.")
@click.option("--namespace", is_flag=True, help="Everything.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def erase(
    user_id: str | None, conversation_id: str | None, *, namespace: bool, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Erase all data of a user, of a conversation, or of the namespace, and print the receipt.

    Exits with 1 if not all of it is gone: call it again then.
    """
    with opened_admin() as admin:
        if not (yes or dry_run):
            _ask(admin.erase(user_id=user_id, conversation_id=conversation_id, namespace=namespace, dry_run=True))
        receipt = admin.erase(user_id=user_id, conversation_id=conversation_id, namespace=namespace, dry_run=dry_run)
    _print(receipt, as_json=as_json)
    sys.exit(0 if receipt.verified or receipt.dry_run else 1)


def _ask(counted: EraseReceipt) -> None:
    records = counted.messages + counted.working_memories + counted.long_term_memories + counted.branch_messages
    question = f"Erase {counted.conversations:,} conversations with {records:,} records for good?"
    click.confirm(question, abort=True, err=True)


def _print(receipt: EraseReceipt, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(as_plain(receipt), indent=2))
        return
    print_figures(make_console(), ((name.replace("_", " "), value) for name, value in attrs.asdict(receipt).items()))
