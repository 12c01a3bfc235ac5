"""Anthropic's Messages: the system prompt apart, calls and results among the blocks of a content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from memkit.converters.notes import (
    M,
    checked,
    checked_value,
    dicts_in,
    hinted,
    keep,
    notes_of,
    required_text,
    role_of,
)
from memkit.converters.notes import written_each as each
from memkit.converters.parts import (
    Dialect,
    Misfit,
    content_of,
    decoded,
    encoded,
    from_data_url,
    map_in,
    media_type_of,
    only_source,
    parts_of,
    read_by_type,
    text_in,
    text_or_none,
    without_none,
    write_by_class,
    write_content,
)
from memkit.converters.turns import calls_at, merged, segments, simplest, with_joined, woven
from memkit.converters.verbatim import copied
from memkit.records import (
    AssistantMessage,
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

__all__ = ["AnthropicPrompt", "from_anthropic", "to_anthropic"]

_KEY = "from_anthropic"
_ROLES = {"system": "system", "user": "user", "assistant": "assistant", "tool": "user"}
_PLAIN_TEXT = "text/plain"

Block = dict[str, Any]


@frozen
class AnthropicPrompt:
    """What Anthropic takes: ``client.messages.create(system=prompt.system, messages=prompt.messages, …)``.

    Attributes:
        system: text, a list of text blocks, or None where there is no system message at the head.
        messages: the messages.
    """

    system: str | list[Block] | None
    messages: list[dict[str, Any]]


def from_anthropic(
    messages: Sequence[Mapping[str, Any]], system: str | Sequence[Mapping[str, Any]] | None = None
) -> list[Message]:
    """Records from the messages of Anthropic and its system prompt.

    A message of a user becomes a `ToolMessage` for each result in it and a `UserMessage` for each run of other blocks;
    `to_anthropic` puts them into one message again.

    Raises:
        InvalidInputError: the input is not valid; its `field` is, for example, ``messages[3].content[0]``.
    """
    out: list[Message] = [] if system is None else [_read_system(system)]
    for index, item in enumerate(checked(messages, "messages")):
        out.extend(_records(item, out[-1] if out else None, f"messages[{index}]"))
    return out


def to_anthropic(messages: Iterable[Message]) -> AnthropicPrompt:
    """The messages of Anthropic and its system prompt from records.

    The system messages at the head are the prompt; later ones stay where they are, with the role ``system``. Results
    that follow each other stand in one message, as Anthropic demands of the results of parallel calls.

    Raises:
        InvalidInputError: the format has no place for something; its `field` names it.
    """
    written = list(each(messages, _KEY, _write))
    head = next((index for index, (message, _) in enumerate(written) if not _is_prompt(message)), len(written))
    contents = [unit["content"] for _, unit in written[:head]]
    return AnthropicPrompt(_one_system(contents), merged(written[head:], _KEY, _join))


# -- parts -------------------------------------------------------------------------------------------------------------


def _read_image(block: Block) -> ImagePart:
    source = map_in(block, "source")
    if source.get("type") == "url":
        return ImagePart(url=text_in(source, "url"))
    return ImagePart(data=decoded(text_in(source, "data")), media_type=text_in(source, "media_type"))


def _write_image(part: ImagePart) -> Block:
    only_source(part, "url", "data")
    return {"type": "image", "source": _source(part)}


def _source(part: ImagePart | FilePart) -> Block:
    if part.url is not None:
        held = from_data_url(part.url)
        return _source(ImagePart(data=held[1], media_type=held[0])) if held else {"type": "url", "url": part.url}
    return {"type": "base64", "media_type": media_type_of(part), "data": encoded(part.data or b"")}


def _read_document(block: Block) -> FilePart:
    source, name = map_in(block, "source"), text_or_none(block, "title")
    kind = source.get("type")
    if kind == "url":
        return FilePart(url=text_in(source, "url"), name=name)
    if kind == "file":
        return FilePart(file_id=text_in(source, "file_id"), name=name)
    text = text_in(source, "data")
    data = text.encode() if kind == "text" else decoded(text)
    return FilePart(data=data, media_type=text_in(source, "media_type"), name=name)


def _write_document(part: FilePart) -> Block:
    source = _document_source(part, only_source(part, "url", "data", "file_id"))
    return {"type": "document", "source": source, **without_none(title=part.name)}


def _document_source(part: FilePart, given: str) -> Block:
    if given == "file_id":
        return {"type": "file", "file_id": part.file_id}
    if given == "data" and part.media_type == _PLAIN_TEXT:
        return {"type": "text", "media_type": _PLAIN_TEXT, "data": _utf8(part.data)}
    return _source(part)


def _utf8(data: bytes | None) -> str:
    try:
        return (data or b"").decode()
    except UnicodeDecodeError:
        raise Misfit("holds data that is not UTF-8 text") from None


def _read_redacted(block: Block) -> ReasoningPart:
    return ReasoningPart(data=text_in(block, "data").encode())


def _read_thinking(block: Block) -> ReasoningPart:
    return ReasoningPart(text_in(block, "thinking"), text_or_none(block, "signature"))


def _write_reasoning(part: ReasoningPart) -> Block:
    if part.data is None:
        return {"type": "thinking", "thinking": part.text, **without_none(signature=part.signature)}
    if part.text or part.signature is not None:
        raise Misfit("holds both text and data, as none of Anthropic does: leave out the reasoning of another provider")
    return {"type": "redacted_thinking", "data": _utf8(part.data)}


_DIALECT = Dialect(
    "anthropic",
    read=read_by_type(
        {
            "text": lambda block: TextPart(text_in(block, "text")),
            "image": _read_image,
            "document": _read_document,
            "thinking": _read_thinking,
            "redacted_thinking": _read_redacted,
        }
    ),
    write=write_by_class(
        "anthropic",
        {
            TextPart: lambda part: _text(part.text),
            ImagePart: _write_image,
            FilePart: _write_document,
            ReasoningPart: _write_reasoning,
        },
    ),
)


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


# -- reading -----------------------------------------------------------------------------------------------------------


def _read_system(system: Any) -> SystemMessage:
    blocks = list(system) if isinstance(system, tuple) else system
    value = checked_value(blocks, "system")
    return _kept(SystemMessage(content_of(value, _DIALECT, "system")), {"role": "system", "content": value})


def _records(item: dict[str, Any], before: Message | None, at: str) -> list[Message]:
    role = required_text(item, "role", at, "give user or assistant")
    content = item.get("content")
    if role == "assistant":
        return [_kept(_read_assistant(content, f"{at}.content"), item)]
    if role == "system":
        # It stays among the messages, also where a window makes it the first one.
        read = content_of(content, _DIALECT, f"{at}.content")
        return [_kept(SystemMessage(read, metadata=hinted(_KEY, inline=True)), item)]
    if role == "user" and type(content) is list:
        return _read_segments(item, content, before, f"{at}.content")
    metadata = hinted(_KEY, role=None if role == "user" else role)
    return [_kept(UserMessage(content_of(content, _DIALECT, f"{at}.content"), metadata=metadata), item)]


def _kept(record: M, wanted: dict[str, Any]) -> M:
    return keep(record, _KEY, _write(record, ""), wanted)


def _read_segments(item: dict[str, Any], content: list[Any], before: Message | None, at: str) -> list[Message]:
    out: list[Message] = []
    start = 0
    for blocks in segments(dicts_in(content, at), _is_result):
        record = with_joined(_read_segment(blocks, f"{at}[{start}]"), _KEY, before, first=not out)
        start += len(blocks)
        envelope = {"role": "user"} if out else item
        before = _kept(record, {**envelope, "content": blocks})
        out.append(before)
    return out


def _read_segment(blocks: list[Block], at: str) -> Message:
    if not (blocks and _is_result(blocks[0])):
        return UserMessage(parts_of(blocks, _DIALECT, at))
    block = blocks[0]
    return ToolMessage(
        content_of(block.get("content"), _DIALECT, f"{at}.content"),
        tool_call_id=block["tool_use_id"],
        is_error=block.get("is_error") is True,
    )


def _is_result(block: Block) -> bool:
    known = type(block.get("tool_use_id")) is str and type(block.get("content")) in {str, list, type(None)}
    return block.get("type") == "tool_result" and known


def _is_call(block: Block) -> bool:
    known = type(block.get("id")) is str and type(block.get("name")) is str and type(block.get("input")) is dict
    return block.get("type") == "tool_use" and known


def _read_assistant(content: Any, at: str) -> AssistantMessage:
    if type(content) is not list:
        return AssistantMessage(content_of(content, _DIALECT, at))
    is_call = [_is_call(block) for block in dicts_in(content, at)]
    calls = [block for block, call in zip(content, is_call, strict=True) if call]
    parts = parts_of([block for block, call in zip(content, is_call, strict=True) if not call], _DIALECT, at)
    return AssistantMessage(
        simplest(parts, has_calls=True) if calls else parts,
        tool_calls=tuple(ToolCall(block["id"], block["name"], block["input"]) for block in calls),
        metadata=hinted(_KEY, calls_at=calls_at(is_call)),
    )


# -- writing -----------------------------------------------------------------------------------------------------------


def _write(message: Message, at: str) -> dict[str, Any]:
    content = write_content(message.content, _DIALECT, f"{at}.content")
    if isinstance(message, ToolMessage):
        content = [_result(message, content)]
    if isinstance(message, AssistantMessage) and message.tool_calls:
        calls = [_call(call) for call in message.tool_calls]
        content = woven(_blocks(content), calls, notes_of(message, _KEY).get("calls_at"))
    return {"role": role_of(message, _KEY, _ROLES), "content": content}


def _result(message: ToolMessage, content: Any) -> Block:
    block = {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": content}
    return {**block, "is_error": True} if message.is_error else block


def _call(call: ToolCall) -> Block:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": copied(dict(call.arguments))}


def _blocks(content: Any) -> list[Block]:
    if isinstance(content, list):
        return content
    return [_text(content)] if content else []


def _join(message: dict[str, Any], unit: dict[str, Any]) -> None:
    message["content"] = _blocks(message.get("content")) + _blocks(unit.get("content"))


def _is_prompt(message: Message) -> bool:
    return isinstance(message, SystemMessage) and notes_of(message, _KEY).get("inline") is not True


def _one_system(contents: list[Any]) -> str | list[Block] | None:
    if len(contents) <= 1:
        return contents[0] if contents else None
    return [block for content in contents for block in _blocks(content)]
