"""The messages of OpenAI's chat completions, which many other servers speak too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from memkit.converters.notes import checked, dicts_in, hinted, keep, notes_of, refuse, required_text, role_of
from memkit.converters.notes import written_each as each
from memkit.converters.openai_shared import (
    all_compact,
    arguments_text,
    image_at,
    image_url,
    read_arguments,
    read_audio,
    read_file,
    write_audio,
    write_file,
)
from memkit.converters.parts import (
    Dialect,
    content_of,
    map_in,
    read_by_type,
    text_in,
    text_or_none,
    without_none,
    write_by_class,
    write_content,
)
from memkit.records import (
    AssistantMessage,
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    SystemMessage,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)

__all__ = ["from_openai_chat", "to_openai_chat"]

_KEY = "from_openai_chat"
_ROLES = {"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}


def from_openai_chat(items: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Records from the ``messages`` of a chat completion, one for each.

    The role ``developer`` makes a `SystemMessage`, ``function`` and unknown ones a `UserMessage`; `to_openai_chat`
    gives them their role again. ``function_call``, ``refusal``, ``annotations`` and ``audio`` are kept verbatim.

    Raises:
        InvalidInputError: the input is not valid; its `field` is, for example, ``messages[3].content[0]``.
    """
    return [_record(item, f"messages[{index}]") for index, item in enumerate(checked(items, "messages"))]


def to_openai_chat(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """The ``messages`` of a chat completion from records, one for each.

    Raises:
        InvalidInputError: the format has no place for something; its `field` names it.
    """
    return [item for _, item in each(messages, _KEY, _write)]


# -- parts -------------------------------------------------------------------------------------------------------------


def _read_image(block: dict[str, Any]) -> ImagePart:
    inner = map_in(block, "image_url")
    return image_at(text_in(inner, "url"), text_or_none(inner, "detail"))


def _write_image(part: ImagePart) -> dict[str, Any]:
    return {"type": "image_url", "image_url": without_none(url=image_url(part), detail=part.detail)}


_DIALECT = Dialect(
    "openai_chat",
    read=read_by_type(
        {
            "text": lambda block: TextPart(text_in(block, "text")),
            "image_url": _read_image,
            "input_audio": read_audio,
            "file": lambda block: read_file(map_in(block, "file")),
        }
    ),
    write=write_by_class(
        "openai_chat",
        {
            TextPart: lambda part: {"type": "text", "text": part.text},
            ImagePart: _write_image,
            AudioPart: write_audio,
            FilePart: lambda part: {"type": "file", "file": write_file(part, "data", "file_id")},
        },
    ),
    family=("openai", ""),
    leaves_out=(ReasoningPart,),
)


# -- reading -----------------------------------------------------------------------------------------------------------


def _record(item: dict[str, Any], at: str) -> Message:
    record = _read(item, at)
    return keep(record, _KEY, _write(record, at), item)


def _read(item: dict[str, Any], at: str) -> Message:
    role = required_text(item, "role", at, "give system, developer, user, assistant or tool")
    name = item.get("name")
    fields: dict[str, Any] = {
        "content": content_of(item.get("content"), _DIALECT, f"{at}.content"),
        "name": name if type(name) is str else None,
        "metadata": hinted(_KEY, role=None if role in _ROLES else role),
    }
    if role == "assistant":
        return _read_assistant(item, fields, at)
    if role == "tool":
        answered = required_text(item, "tool_call_id", at, "give the id of the call that it answers")
        return ToolMessage(tool_call_id=answered, **fields)
    return SystemMessage(**fields) if role in {"system", "developer"} else UserMessage(**fields)


def _read_assistant(item: dict[str, Any], fields: dict[str, Any], at: str) -> AssistantMessage:
    given = item.get("tool_calls") or []
    at = f"{at}.tool_calls"
    if type(given) is not list:
        raise refuse(at, f"is of type {type(given).__name__}: give a list of mappings")
    bodies = [_body(call) for call in dicts_in(given, at)]
    fields["metadata"] = hinted(_KEY, compact=all_compact(body["arguments"] for body in bodies if "arguments" in body))
    calls = [_call(call, body, f"{at}[{index}]") for index, (call, body) in enumerate(zip(given, bodies, strict=True))]
    return AssistantMessage(tool_calls=tuple(calls), **fields)


def _body(call: dict[str, Any]) -> dict[str, Any]:
    """What a call says under its type: ``function`` or ``custom``."""
    kind = call.get("type", "function")
    body = call.get(kind) if type(kind) is str else None
    return body if type(body) is dict else {}


def _call(call: dict[str, Any], body: dict[str, Any], at: str) -> ToolCall:
    call_id = required_text(call, "id", at, "give the id that its result will name")
    name = body.get("name")
    # A custom tool takes text, not JSON.
    arguments = {"input": body["input"]} if "input" in body else read_arguments(body.get("arguments"))
    return ToolCall(call_id, name if type(name) is str else "", arguments)


# -- writing -----------------------------------------------------------------------------------------------------------


def _write(message: Message, at: str) -> dict[str, Any]:
    item = {
        "role": role_of(message, _KEY, _ROLES),
        "content": write_content(message.content, _DIALECT, f"{at}.content"),
        **without_none(name=message.name),
    }
    if isinstance(message, ToolMessage):
        item["tool_call_id"] = message.tool_call_id
    if isinstance(message, AssistantMessage) and message.tool_calls:
        item["content"] = item["content"] or None
        item["tool_calls"] = _write_calls(message, at)
    return item


def _write_calls(message: AssistantMessage, at: str) -> list[dict[str, Any]]:
    compact = notes_of(message, _KEY).get("compact") is True
    return [
        _write_call(call, f"{at}.tool_calls[{index}]", compact=compact) for index, call in enumerate(message.tool_calls)
    ]


def _write_call(call: ToolCall, at: str, *, compact: bool) -> dict[str, Any]:
    function = {"name": call.name, "arguments": arguments_text(call.arguments, at, compact=compact)}
    return {"id": call.id, "type": "function", "function": function}
