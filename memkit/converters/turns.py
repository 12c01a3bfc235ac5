"""Where things stand: calls among the text of a turn, and results and text in one message of a user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import evolve

from memkit.converters.notes import M, notes_of
from memkit.records import Message, Part, TextPart, ToolMessage, UserMessage

__all__ = ["calls_at", "joined", "merged", "segments", "simplest", "with_joined", "woven"]

_OF_A_USER = UserMessage | ToolMessage


def calls_at(is_call: Sequence[bool]) -> list[int] | None:
    """The places of the calls, or None if they stand at the end, where they stand by default."""
    places = [index for index, call in enumerate(is_call) if call]
    return None if places == list(range(len(is_call) - len(places), len(is_call))) else places


def woven(others: list[Any], calls: list[Any], places: Any) -> list[Any]:
    """Calls at their places among the others; at the end where the places do not fit."""
    total = len(others) + len(calls)
    if not _fit(places, len(calls), total):
        return others + calls
    placed = dict(zip(places, calls, strict=True))
    rest = iter(others)
    return [placed[index] if index in placed else next(rest) for index in range(total)]


def _fit(places: Any, count: int, total: int) -> bool:
    return isinstance(places, list) and len(places) == count and all(place in range(total) for place in places)


def simplest(parts: tuple[Part, ...], *, has_calls: bool) -> str | tuple[Part, ...]:
    """The content of a turn whose format has no place for text beside calls: one text part is its text."""
    if not parts:
        return "" if has_calls else ()
    only = parts[0] if len(parts) == 1 else None
    # Beside calls, empty text is not written: an empty part stays a part.
    return only.text if isinstance(only, TextPart) and (only.text or not has_calls) else parts


def segments(blocks: Iterable[Any], is_result: Callable[[Any], bool]) -> list[list[Any]]:
    """Blocks in order, cut so that every result stands alone."""
    out: list[list[Any]] = []
    open_ = False
    for block in blocks:
        result = is_result(block)
        if open_ and not result:
            out[-1].append(block)
        else:
            out.append([block])
        open_ = not result
    return out or [[]]


# Results that follow each other go into one message, as the providers demand of the results of parallel calls. Where it
# was otherwise, a hint says so.


def with_joined(record: M, key: str, before: Message | None, *, first: bool) -> M:
    """The record with a hint whether it stands in one message with the record `before` it, where that is not plain.

    Args:
        record: what was read.
        key: of the notes.
        before: the record before it; None if it is the first of all: it may be appended to others later.
        first: whether it begins a message.
    """
    plain = isinstance(record, ToolMessage) and (before is None or isinstance(before, ToolMessage))
    if plain is not first:
        return record
    notes = {**notes_of(record, key), "joined": not first}
    return evolve(record, metadata={**record.metadata, key: notes})


def joined(record: Message, key: str, before: Message | None) -> bool:
    """Whether a record goes into one message with the one before it."""
    if not (isinstance(before, _OF_A_USER) and isinstance(record, _OF_A_USER)):
        return False
    hint = notes_of(record, key).get("joined")
    if isinstance(hint, bool):
        return hint
    return isinstance(record, ToolMessage) and isinstance(before, ToolMessage)


def merged(
    written: Iterable[tuple[Message, dict[str, Any]]],
    key: str,
    join: Callable[[dict[str, Any], dict[str, Any]], None],
) -> list[dict[str, Any]]:
    """The messages of a provider from records and their written forms; `join` adds one to the message before it."""
    out: list[dict[str, Any]] = []
    before = None
    for record, unit in written:
        if joined(record, key, before):
            join(out[-1], unit)
        else:
            out.append(unit)
        before = record
    return out
