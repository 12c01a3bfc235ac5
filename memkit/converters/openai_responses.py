"""The items of OpenAI's Responses: messages, calls, results, reasoning, and whatever else there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import Any

from memkit.converters.notes import checked, hinted, keep, notes_of, required_text, role_of
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
    Misfit,
    content_of,
    read_by_type,
    text_in,
    text_or_none,
    without_none,
    write_by_class,
    write_content,
    write_part,
    write_parts,
)
from memkit.converters.turns import calls_at, woven
from memkit.converters.verbatim import copied
from memkit.records import (
    AssistantMessage,
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    Part,
    RawPart,
    ReasoningPart,
    SystemMessage,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)

__all__ = ["from_openai_responses", "to_openai_responses"]

_KEY = "from_openai_responses"
_ITEM = "openai_responses.item"
_ROLES = {"system": "system", "user": "user", "assistant": "assistant"}

Item = dict[str, Any]


def from_openai_responses(items: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Records from the ``input`` or ``output`` items of a response.

    What a model says in a row (reasoning, a message, function calls) is one `AssistantMessage`; each other item is a
    record of its own. An item of another type is a `RawPart`; where it has a ``call_id`` it also counts as a call or
    as the result of one, so that no window cuts them apart.

    Raises:
        InvalidInputError: the input is not valid; its `field` is, for example, ``items[3].content[0]``.
    """
    numbered = [(item, f"items[{index}]") for index, item in enumerate(checked(items, "items"))]
    return [_record(group) for group in _groups(numbered)]


def to_openai_responses(messages: Iterable[Message]) -> list[Item]:
    """The ``input`` items of a response from records.

    Raises:
        InvalidInputError: the format has no place for something; its `field` names it.
    """
    return list(chain.from_iterable(items for _, items in each(messages, _KEY, _write)))


# -- parts -------------------------------------------------------------------------------------------------------------


def _read_text(block: Item) -> TextPart:
    return TextPart(text_in(block, "text"))


def _write_image(part: ImagePart) -> Item:
    return {"type": "input_image", "image_url": image_url(part), **without_none(detail=part.detail)}


def _write_file(part: FilePart) -> Item:
    return {"type": "input_file", **write_file(part, "url", "data", "file_id")}


def _dialect(text_type: str) -> Dialect:
    readers = {
        text_type: _read_text,
        "input_image": lambda block: image_at(text_in(block, "image_url"), text_or_none(block, "detail")),
        "input_audio": read_audio,
        "input_file": read_file,
    }
    writers = {
        TextPart: lambda part: {"type": text_type, "text": part.text},
        ImagePart: _write_image,
        AudioPart: write_audio,
        FilePart: _write_file,
    }
    name = "openai_responses"
    return Dialect(name, read_by_type(readers), write_by_class(name, writers), family=("openai", ""))


_INPUT = _dialect("input_text")
_OUTPUT = _dialect("output_text")


def _dialect_of(role: str) -> Dialect:
    return _OUTPUT if role == "assistant" else _INPUT


def _read_reasoning(item: Item) -> ReasoningPart:
    sealed = text_or_none(item, "encrypted_content")
    said = _texts(item, "summary") or _texts(item, "content")
    return ReasoningPart(text="\n\n".join(said), data=None if sealed is None else sealed.encode())


def _texts(item: Item, key: str) -> list[str]:
    given = item.get(key)
    blocks = given if type(given) is list else []
    return [block["text"] for block in blocks if type(block) is dict and type(block.get("text")) is str]


def _write_reasoning(part: ReasoningPart) -> Item:
    try:
        sealed = None if part.data is None else part.data.decode()
    except UnicodeDecodeError:
        raise Misfit("holds data that is not of OpenAI: leave out the reasoning of another provider") from None
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    return {"type": "reasoning", "summary": summary, **without_none(encrypted_content=sealed)}


# -- kinds of items ----------------------------------------------------------------------------------------------------


def _kind(item: Item, at: str) -> str:
    """What an item is to memkit: message, function_call, function_call_output, reasoning, or other."""
    kind = item.get("type")
    if kind == "message" or (kind is None and "id" not in item):
        required_text(item, "role", at, "give user, assistant, system or developer")
    if kind == "message" or (kind is None and "role" in item):
        return "message"
    known = type(kind) is str and kind in _IS_WHOLE and _IS_WHOLE[kind](item)
    return str(kind) if known else "other"


def _has_text(*keys: str) -> Any:
    return lambda item: all(type(item.get(key)) is str for key in keys)


_IS_WHOLE: dict[str, Any] = {
    "function_call": _has_text("call_id", "name"),
    "function_call_output": _has_text("call_id"),
    "reasoning": lambda item: type(item.get("encrypted_content")) in {str, type(None)},
}


def _of_a_turn(item: Item, at: str) -> bool:
    kind = _kind(item, at)
    return kind in {"function_call", "reasoning"} or (kind == "message" and item["role"] == "assistant")


def _groups(numbered: Iterable[tuple[Item, str]]) -> Iterator[list[tuple[Item, str]]]:
    for in_turn, run in groupby(numbered, lambda pair: _of_a_turn(*pair)):
        if in_turn:
            yield from _turns(run)
        else:
            yield from ([pair] for pair in run)


def _turns(run: Iterable[tuple[Item, str]]) -> Iterator[list[tuple[Item, str]]]:
    """Cut where a message follows another with nothing but calls between: their parts could not be told apart."""
    turn: list[tuple[Item, str]] = []
    spoken = False
    for item, at in run:
        kind = _kind(item, at)
        if kind == "message" and spoken:
            yield turn
            turn = []
        turn.append((item, at))
        spoken = kind == "message" or (spoken and kind == "function_call")
    yield turn


# -- reading -----------------------------------------------------------------------------------------------------------


def _record(group: list[tuple[Item, str]]) -> Message:
    item, at = group[0]
    record = _read_turn(group) if _of_a_turn(item, at) else _read(item, at)
    return keep(record, _KEY, _write(record, at), [item for item, _ in group])


def _read(item: Item, at: str) -> Message:
    kind = _kind(item, at)
    if kind == "message":
        return _read_message(item, at)
    if kind == "function_call_output":
        return ToolMessage(content_of(item.get("output"), _INPUT, f"{at}.output"), tool_call_id=item["call_id"])
    return _read_other(item)


def _read_message(item: Item, at: str) -> Message:
    role = item["role"]
    content = content_of(item.get("content"), _INPUT, f"{at}.content")
    made = SystemMessage if role in {"system", "developer"} else UserMessage
    return made(content, metadata=hinted(_KEY, role=None if role in _ROLES else role))


def _read_other(item: Item) -> Message:
    """An item of another type; who says it is told by its role or type."""
    content = (RawPart(item, provider=_ITEM),)
    kind, call_id = str(item.get("type")), item.get("call_id")
    if item.get("role") in {"system", "developer"}:
        return SystemMessage(content)
    if kind.endswith("_output"):
        answered = item.get("id") if call_id is None else call_id
        return ToolMessage(content, tool_call_id=answered) if type(answered) is str else UserMessage(content)
    if type(call_id) is str:
        return AssistantMessage(content, tool_calls=(_call_of_other(item, kind),))
    by_user = item.get("role") == "user" or kind.endswith("_response")
    return UserMessage(content) if by_user else AssistantMessage(content)


def _call_of_other(item: Item, kind: str) -> ToolCall:
    name = item.get("name")
    arguments: dict[str, Any] = {key: copied(item[key]) for key in ("input", "action", "operation") if key in item}
    return ToolCall(item["call_id"], name if type(name) is str else kind, arguments)


def _read_turn(group: list[tuple[Item, str]]) -> AssistantMessage:
    is_call = [_kind(item, at) == "function_call" for item, at in group]
    calls = [item for (item, _), call in zip(group, is_call, strict=True) if call]
    others = [pair for pair, call in zip(group, is_call, strict=True) if not call]
    return AssistantMessage(
        _content_of_turn(others),
        tool_calls=tuple(ToolCall(c["call_id"], c["name"], read_arguments(c.get("arguments"))) for c in calls),
        metadata=hinted(
            _KEY, calls_at=calls_at(is_call), compact=all_compact(c["arguments"] for c in calls if "arguments" in c)
        ),
    )


def _content_of_turn(others: list[tuple[Item, str]]) -> str | tuple[Part, ...]:
    contents = [_content_of_item(item, at) for item, at in others]
    if len(contents) <= 1:
        return contents[0] if contents else ""
    whole = [(TextPart(content),) if isinstance(content, str) else content for content in contents]
    return tuple(chain.from_iterable(whole))


def _content_of_item(item: Item, at: str) -> str | tuple[Part, ...]:
    if item.get("type") == "reasoning":
        return (_read_reasoning(item),)
    return content_of(item.get("content"), _OUTPUT, f"{at}.content")


# -- writing -----------------------------------------------------------------------------------------------------------


def _write(message: Message, at: str) -> list[Item]:
    if isinstance(message, ToolMessage):
        return _write_result(message, at)
    role = role_of(message, _KEY, _ROLES)
    if not isinstance(message, AssistantMessage):
        return _write_content(message, role, at)
    calls = _write_calls(message, at)
    # A turn that is nothing but calls has no message.
    others = _write_content(message, role, at) if message.content or not message.tool_calls else []
    return woven(others, calls, notes_of(message, _KEY).get("calls_at"))


def _write_content(message: Message, role: str, at: str) -> list[Item]:
    at = f"{at}.content"
    if isinstance(message.content, str) or not message.content:
        return [{"role": role, "content": write_content(message.content, _INPUT, at)}]
    numbered = [(part, f"{at}[{index}]") for index, part in enumerate(message.content)]
    runs = groupby(numbered, lambda pair: _stands_alone(pair[0]))
    return list(chain.from_iterable(_write_run(list(run), role, alone=alone) for alone, run in runs))


def _stands_alone(part: Part) -> bool:
    return isinstance(part, ReasoningPart) or (isinstance(part, RawPart) and part.provider == _ITEM)


def _write_run(run: list[tuple[Part, str]], role: str, *, alone: bool) -> list[Item]:
    dialect = _ITEMS if alone else _dialect_of(role)
    written = [write_part(part, dialect, at) for part, at in run]
    return written if alone else [{"role": role, "content": written}]


_ITEMS = Dialect(_ITEM, read_by_type({}), write_by_class(_ITEM, {ReasoningPart: _write_reasoning}), family=())


def _write_result(message: ToolMessage, at: str) -> list[Item]:
    at = f"{at}.content"
    content = message.content
    if isinstance(content, tuple) and any(map(_is_item, content)):
        return write_parts(content, _ITEMS, at)
    output = write_content(content, _INPUT, at)
    return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": output}]


def _is_item(part: Part) -> bool:
    return isinstance(part, RawPart) and part.provider == _ITEM


def _write_calls(message: AssistantMessage, at: str) -> list[Item]:
    compact = notes_of(message, _KEY).get("compact") is True
    # These stand in the items that were kept whole.
    parts = message.content if isinstance(message.content, tuple) else ()
    written = [part.payload.get("call_id") for part in parts if isinstance(part, RawPart) and _is_item(part)]
    return [
        _write_call(call, f"{at}.tool_calls[{index}]", compact=compact)
        for index, call in enumerate(message.tool_calls)
        if call.id not in written
    ]


def _write_call(call: ToolCall, at: str, *, compact: bool) -> Item:
    text = arguments_text(call.arguments, at, compact=compact)
    return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": text}
