"""Conversations read from files: OpenAI chat format as JSON or JSONL, and LoCoMo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from memkit.backends.null import NullMemoryManager
from memkit.cli.locomo import MalformedError, is_locomo, turns_of
from memkit.converters.openai_chat import from_openai_chat
from memkit.errors import InvalidInputError
from memkit.inputs import MemoryInput
from memkit.records import Message, ToolMessage

__all__ = ["Chat", "ChatFileError", "read_chat", "sample_chat"]

_Located = Iterator[tuple[str, Message]]


class ChatFileError(Exception):
    """A file holds no conversation that can be read; says which file, where in it, and what is wrong."""

    def __init__(self, source: str, place: str, problem: str) -> None:
        super().__init__(": ".join(filter(None, (source, place, problem))))


@frozen
class Chat:
    """A conversation.

    Attributes:
        source: name of the file.
        form: the format it was found in.
        messages: its messages, in order, each checked: every backend will take them.
    """

    source: str
    form: str
    messages: tuple[Message, ...]


def read_chat(path: Path) -> Chat:
    """Read the conversation of a file; the content tells the format.

    A tool message counts as failed if it has ``"is_error": true``, or its content is a JSON object with an ``error``.
    Several conversations in one file (JSONL with ``{"messages": […]}`` on each line) become one, in the file's order.

    Raises:
        ChatFileError: it cannot be read, or not wholly.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ChatFileError(str(path), "", error.strerror or "cannot be read") from None
    except UnicodeDecodeError as error:
        raise ChatFileError(str(path), f"byte {error.start + 1}", "is not UTF-8 text") from None
    return _chat(str(path), text)


def sample_chat() -> Chat:
    """The conversation that comes with memkit."""
    return _chat("bundled sample", (files("memkit.cli") / "sample.json").read_text(encoding="utf-8"))


def _chat(source: str, text: str) -> Chat:
    try:
        form, located = _open(text)
        messages = tuple(_checked(place, message) for place, message in located)
    except _PlacedError as error:
        raise ChatFileError(source, error.place, error.problem) from None
    if not messages:
        raise ChatFileError(source, "", "holds no messages")
    return Chat(source, form, messages)


class _PlacedError(Exception):
    def __init__(self, place: str, problem: str) -> None:
        super().__init__(place, problem)
        self.place = place
        self.problem = problem


def _open(text: str) -> tuple[str, _Located]:
    if not text.strip():
        raise _PlacedError("", "is empty")
    try:
        document = _parse(text, "")
    except _PlacedError:
        if not _is_jsonl(text):
            raise
        return "OpenAI chat format, JSONL", _of_lines(text)
    if is_locomo(document):
        return "LoCoMo", _of_locomo(document)
    return "OpenAI chat format, JSON", _of_document(document, "")


def _parse(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"column {error.colno}" if place else f"line {error.lineno}, column {error.colno}"
        raise _PlacedError(", ".join(filter(None, (place, where))), f"is not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        problem = "is nested too deeply" if isinstance(error, RecursionError) else "holds a number with too many digits"
        raise _PlacedError(place, problem) from None


def _is_jsonl(text: str) -> bool:
    first = text.lstrip().partition("\n")[0]
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _of_lines(text: str) -> _Located:
    # Not splitlines: a JSON text may hold U+2028 and others that it takes for the end of a line.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield from _of_document(_parse(line, f"line {number}"), f"line {number}")


def _of_document(document: Any, place: str) -> _Located:
    if isinstance(document, dict) and "role" in document:
        yield place, _placed(place, document)
        return
    messages = document.get("messages") if isinstance(document, dict) else document
    if not isinstance(messages, list):
        wanted = 'a message with a role, or {"messages": […]}' if place else 'a list of messages, or {"messages": […]}'
        raise _PlacedError(place, f"is neither {wanted}, nor a LoCoMo conversation")
    for number, raw in enumerate(messages, 1):
        where = ", ".join(filter(None, (place, f"message {number}")))
        yield where, _placed(where, raw)


def _placed(place: str, raw: Any) -> Message:
    try:
        (message,) = from_openai_chat([raw])
    except InvalidInputError as error:
        raise _refused(place, error, "messages[0]") from None
    return evolve(message, is_error=True) if isinstance(message, ToolMessage) and _failed(raw) else message


def _failed(raw: dict[str, Any]) -> bool:
    """Whether a result, in whose format nothing says so, has ``"is_error": true`` or is a JSON object with an error."""
    if "is_error" in raw:
        return raw["is_error"] is True
    content = raw.get("content")
    try:
        result = json.loads(content) if isinstance(content, str) else None
    except (ValueError, RecursionError):
        return False
    return isinstance(result, dict) and bool(result.get("error"))


def _of_locomo(document: Any) -> _Located:
    try:
        yield from turns_of(document)
    except MalformedError as error:
        raise _PlacedError("", str(error)) from None


def _checked(place: str, message: Message) -> Message:
    """The message, if a backend will take it: the null backend checks as all do, and keeps nothing."""
    try:
        NullMemoryManager().store(MemoryInput("check", data=[message]))
    except InvalidInputError as error:
        raise _refused(place, error, "data[0]") from None
    return message


def _refused(place: str, error: InvalidInputError, prefix: str) -> _PlacedError:
    field = error.field.removeprefix(prefix).removeprefix(".")
    return _PlacedError(place, f"{field} {error.problem}".lstrip())
