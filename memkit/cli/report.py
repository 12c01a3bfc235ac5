"""What the demo found, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from memkit.cli.demo import Outcome, Row
from memkit.cli.screen import as_duration
from memkit.cli.storm import WRITERS, Result
from memkit.cli.talk import one_line
from memkit.converters.openai_chat import to_openai_chat
from memkit.records import (
    AssistantMessage,
    AudioPart,
    FilePart,
    ImagePart,
    Memory,
    Message,
    Part,
    TextPart,
    ToolMessage,
)

__all__ = ["print_outcome"]

_NAME = 16
_STYLES = {"system": "magenta", "user": "cyan", "assistant": "green", "tool": "yellow"}


def print_outcome(console: Console, outcome: Outcome) -> None:
    """Print everything, the verdict last."""
    _section(console, f"The last {len(outcome.last)} of {len(outcome.chat.messages):,} messages")
    console.print(_transcript(outcome.last, console.width))
    _section(console, "One conversation, three backends: only MEMKIT_URL differs")
    console.print(_backends(outcome.rows))
    processes = f"written by process {outcome.pid}, read by process {outcome.rows[0].reader}"
    console.print(Text(f" embedded:// was {processes}.", style="dim"))
    _section(console, "Writes while the server was killed with SIGKILL")
    console.print(_writes(outcome.storm))
    console.print()
    console.print(_verdict(outcome))


def _section(console: Console, title: str) -> None:
    console.print()
    console.print(Text(title, style="bold"))


def _table(**options: Any) -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, **options)


# The conversation


def _transcript(messages: Iterable[Memory], width: int) -> Text:
    speeches = [message for message in messages if isinstance(message, Message)]
    names = [one_line(message.name or message.role, _NAME) for message in speeches]
    indent = max(map(cell_len, names))
    lines = []
    for name, message in zip(names, speeches, strict=True):
        padded = name + " " * (indent - cell_len(name))
        lines.append(Text.assemble(" ", (padded, _STYLES[message.role]), "  ", one_line(_said(message), width)))
        lines[-1].truncate(width - 1, overflow="ellipsis")
    return Text("\n").join(lines)


def _said(message: Message) -> str:
    pieces = [message.content] if isinstance(message.content, str) else [_part(part) for part in message.content]
    if isinstance(message, ToolMessage) and message.is_error:
        pieces.insert(0, "(failed)")
    if isinstance(message, AssistantMessage):
        pieces += _calls(message)
    return " ".join(filter(None, pieces))


def _calls(message: AssistantMessage) -> Iterator[str]:
    raws = to_openai_chat([message])[0].get("tool_calls") or ()
    for call, raw in zip(message.tool_calls, raws, strict=True):
        given = ", ".join(map(str, call.arguments.values())) or _unread(raw.get("function"))
        yield f"→ {call.name}({given})"


def _unread(function: Any) -> str:
    """Arguments that are no JSON object: a record has none then, the message as it came still has their text."""
    text = function.get("arguments") if isinstance(function, dict) else None
    return text if isinstance(text, str) and text != "{}" else ""


def _part(part: Part) -> str:
    if isinstance(part, TextPart):
        return part.text
    data = part.data if isinstance(part, ImagePart | AudioPart | FilePart) else None
    kind = getattr(part, "media_type", None) or type(part).__name__
    return f"[{kind}]" if data is None else f"[{kind}, {len(data)} bytes]"


# The backends


def _backends(rows: Iterable[Row]) -> Table:
    table = _table()
    table.add_column("MEMKIT_URL", no_wrap=True)
    for name in ("stored", "came back", "working memory", "as written", "p50", "longest"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: Row) -> Iterator[str | Text]:
    yield f"{row.backend}://{'/…' if row.backend == 'embedded' else ''}"
    yield f"{row.acknowledged:,}"
    yield f"{row.found.messages:,}"
    yield "yes" if row.found.working_memory else "none"
    identical = row.found.identical and row.found.working_memory_identical
    yield _judged("yes" if identical else "no" if row.keeps else "-", good=row.right)
    yield as_duration(row.p50)
    yield as_duration(row.longest)


def _judged(text: str, *, good: bool) -> Text:
    return Text(text, style="green" if good else "bold red")


# The writes


def _writes(result: Result) -> Table:
    table = _table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    for name, value, remark in _figures(result):
        table.add_row(name, value, remark)
    return table


def _figures(result: Result) -> Iterator[tuple[str, str | Text, str]]:
    yield "acknowledged", f"{result.acknowledged:,}", f"{WRITERS} threads, {as_duration(result.took)}"
    yield "came back", f"{result.stored:,}", ""
    yield "duplicates", _zero(result.duplicates), ""
    yield "losses", _zero(result.losses), "acknowledged, not there"
    yield "out of order", _zero(result.order_breaks), ""
    yield "errors seen by callers", _zero(result.errors), one_line(result.first_error or "")
    yield "calls interrupted", f"{result.interrupted:,}", "repeated, unseen by their callers"
    yield "back after", as_duration(result.recovery), "from the kill to the next acknowledgement"
    yield "latency p50", as_duration(result.p50), ""
    yield "latency p99", as_duration(result.p99), ""
    yield "longest call", as_duration(result.longest), ""


def _zero(count: int) -> Text:
    return _judged(f"{count:,}", good=count == 0)


def _verdict(outcome: Outcome) -> Text:
    good = outcome.right
    return _judged("Nothing lost, nothing doubled." if good else "NOT AS IT SHOULD BE: see the red figures.", good=good)
