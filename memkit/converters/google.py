"""Google's ``contents``: parts without types, calls without ids, results that are mappings."""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import evolve, frozen

from memkit.converters.google_parts import Style, dialect_of, style_in, style_of
from memkit.converters.notes import checked, checked_value, dicts_in, hinted, keep, notes_of, refuse
from memkit.converters.notes import written_each as each
from memkit.converters.parts import parts_of, write_parts
from memkit.converters.turns import calls_at, merged, segments, simplest, with_joined, woven
from memkit.converters.verbatim import copied
from memkit.records import AssistantMessage, Message, Part, SystemMessage, TextPart, ToolCall, ToolMessage, UserMessage

__all__ = ["GooglePrompt", "from_google", "to_google"]

_KEY = "from_google"
_ROLES = {"user": "user", "assistant": "model", "tool": "user"}
_OUTPUT, _ERROR, _RESULT = "output", "error", "result"
_JSON = "json"

Block = dict[str, Any]


@frozen
class GooglePrompt:
    """What Google takes: the contents, and ``config={"system_instruction": prompt.system_instruction}``.

    Attributes:
        contents: the messages.
        system_instruction: in the form it came in; None where there is no system message.
    """

    contents: list[dict[str, Any]]
    system_instruction: str | Block | list[Any] | None


class _Ids:
    """Gives ids to calls and results that have none: the nth call of a tool and its nth result get the same one.

    They depend on nothing but names and order, so a result that is converted on its own still finds its call. They are
    not written back.
    """

    def __init__(self) -> None:
        self._open: defaultdict[str, deque[str]] = defaultdict(deque)
        self._seen: Counter[tuple[str, str]] = Counter()

    def of_call(self, name: str, given: str | None) -> str:
        made = given if given is not None else self._next("call", name)
        self._open[name].append(made)
        return made

    def of_result(self, name: str, given: str | None) -> str:
        waiting = self._open[name]
        if given is None:
            return waiting.popleft() if waiting else self._next("result", name)
        if given in waiting:
            waiting.remove(given)
        return given

    def _next(self, kind: str, name: str) -> str:
        self._seen[kind, name] += 1
        return f"google-{name}-{self._seen[kind, name]}"


def from_google(
    contents: Sequence[Mapping[str, Any]],
    system_instruction: str | Mapping[str, Any] | Sequence[Any] | None = None,
) -> list[Message]:
    """Records from the contents of Google and its system instruction.

    A message of a user becomes a `ToolMessage` for each function response in it and a `UserMessage` for each run of
    other parts; `to_google` puts them into one message again. A message without role is a user's. A response of the
    form ``{"output": text}``, ``{"result": text}`` or ``{"error": text}`` becomes text, any other JSON text.

    Raises:
        InvalidInputError: the input is not valid; its `field` is, for example, ``contents[3].parts[0]``.
    """
    out: list[Message] = [] if system_instruction is None else [_read_system(system_instruction)]
    ids = _Ids()
    for index, item in enumerate(checked(contents, "contents")):
        out.extend(_records(item, out[-1] if out else None, ids, f"contents[{index}]"))
    return out


def to_google(messages: Iterable[Message]) -> GooglePrompt:
    """The contents of Google and its system instruction from records.

    Results that follow each other stand in one message, as Google demands of the results of parallel calls.

    Raises:
        InvalidInputError: the format has no place for something; its `field` names it.
    """
    given = list(messages)
    calls = [call for message in given if isinstance(message, AssistantMessage) for call in message.tool_calls]
    written = list(each(given, _KEY, partial(_write, names={call.id: call.name for call in calls})))
    systems = [pair for pair in written if isinstance(pair[0], SystemMessage)]
    others = [pair for pair in written if not isinstance(pair[0], SystemMessage)]
    return GooglePrompt(merged(others, _KEY, _join), _system_of(systems))


# -- the system instruction --------------------------------------------------------------------------------------------


def _read_system(given: Any) -> SystemMessage:
    value = checked_value(list(given) if isinstance(given, tuple) else given, "system_instruction")
    if type(value) is str:
        return SystemMessage(value)
    form, wanted = _content_of_system(value)
    blocks = [{"text": block} if type(block) is str else block for block in _parts_in(wanted, "system_instruction")]
    style = style_in(blocks)
    parts = parts_of(blocks, dialect_of(style), "system_instruction.parts")
    record = SystemMessage(parts, metadata=_style_hints(style, form=form))
    return keep(record, _KEY, _write(record, ""), wanted)


def _content_of_system(value: Any) -> tuple[str | None, dict[str, Any]]:
    """The form of an instruction, and the content that it stands for."""
    if type(value) is list:
        return "list", {"parts": value}
    if type(value) is not dict:
        raise refuse(
            "system_instruction", f"is of type {type(value).__name__}: give text, a content or a list of parts"
        )
    return ("part", {"parts": [value]}) if "text" in value else (None, value)


def _system_of(systems: list[tuple[Message, dict[str, Any]]]) -> str | Block | list[Any] | None:
    if not systems:
        return None
    if len(systems) > 1:
        return {"parts": [part for _, unit in systems for part in unit.get("parts") or []]}
    message, unit = systems[0]
    if isinstance(message.content, str):
        return message.content
    form = notes_of(message, _KEY).get("form")
    parts: list[Any] = unit.get("parts") or []
    if form == "part" and len(parts) == 1:
        return parts[0]  # type: ignore[no-any-return]  # a part is a dict
    return parts if form == "list" else unit


# -- reading -----------------------------------------------------------------------------------------------------------


def _parts_in(item: dict[str, Any], at: str) -> list[Any]:
    parts = item.get("parts")
    if type(parts) not in {list, type(None)}:
        raise refuse(f"{at}.parts", f"is of type {type(parts).__name__}: give a list of mappings")
    return parts or []


def _style_hints(style: Style, **hints: Any) -> dict[str, Any]:
    return hinted(_KEY, camel=style.camel or None, binary=style.binary, **hints)


def _records(item: dict[str, Any], before: Message | None, ids: _Ids, at: str) -> list[Message]:
    role = item.get("role")
    if type(role) not in {str, type(None)}:
        raise refuse(f"{at}.role", f"is of type {type(role).__name__}: give user or model")
    blocks = dicts_in(_parts_in(item, at), f"{at}.parts")
    if role == "model":
        record = _read_assistant(blocks, ids, f"{at}.parts")
        return [keep(record, _KEY, _write(record, ""), item)]
    return _read_segments(item, blocks, before, ids, f"{at}.parts")


def _read_assistant(blocks: list[Block], ids: _Ids, at: str) -> AssistantMessage:
    style = style_in(blocks)
    key = style.key("function_call")
    is_call = [_is_call(block.get(key)) for block in blocks]
    bodies = [block[key] for block, call in zip(blocks, is_call, strict=True) if call]
    calls = [
        ToolCall(ids.of_call(body["name"], body.get("id")), body["name"], body.get("args") or {}) for body in bodies
    ]
    others = [block for block, call in zip(blocks, is_call, strict=True) if not call]
    made = [call.id for call, body in zip(calls, bodies, strict=True) if body.get("id") is None]
    return AssistantMessage(
        simplest(parts_of(others, dialect_of(style), at), has_calls=bool(calls)),
        tool_calls=tuple(calls),
        metadata=_style_hints(style, calls_at=calls_at(is_call), made=made or None),
    )


def _is_call(body: Any) -> bool:
    return _is_named(body) and type(body.get("args")) in {dict, type(None)}


def _is_named(body: Any) -> bool:
    return type(body) is dict and type(body.get("name")) is str and type(body.get("id")) in {str, type(None)}


def _read_segments(
    item: dict[str, Any], blocks: list[Block], before: Message | None, ids: _Ids, at: str
) -> list[Message]:
    style, out = style_in(blocks), list[Message]()
    key = style.key("function_response")
    for segment in segments(blocks, lambda block: _is_named(block.get(key))):
        body = segment[0].get(key, {}) if segment else {}
        read = _read_result(body, ids, style, at) if _is_named(body) else _read_user(segment, style, at)
        record = with_joined(_with_role(read, item), _KEY, before, first=not out)
        written = _write(record, "")
        envelope = written if out else item
        before = keep(record, _KEY, written, {**envelope, "parts": segment} if segment else item)
        out.append(before)
    return out


def _with_role(record: Any, item: dict[str, Any]) -> Any:
    role = item.get("role", "user")
    if role in {"user", None}:
        return record
    notes = {**notes_of(record, _KEY), "role": role}
    return evolve(record, metadata={_KEY: notes})


def _read_user(blocks: list[Block], style: Style, at: str) -> UserMessage:
    parts = parts_of(blocks, dialect_of(style), at)
    return UserMessage(simplest(parts, has_calls=False), metadata=_style_hints(style))


# -- results -----------------------------------------------------------------------------------------------------------


def _read_result(body: dict[str, Any], ids: _Ids, style: Style, at: str) -> ToolMessage:
    name = body["name"]
    call_id = ids.of_result(name, body.get("id"))
    media = body.get("parts")
    blocks = media if type(media) is list and all(type(block) is dict for block in media) else []
    content, form = _outcome(body.get("response"), parts_of(blocks, dialect_of(style), at))
    return ToolMessage(
        content,
        tool_call_id=call_id,
        name=name,
        is_error=_says_error(body.get("response")),
        metadata=_style_hints(style, form=form, made=[call_id] if body.get("id") is None else None),
    )


def _says_error(response: Any) -> bool:
    return type(response) is dict and _ERROR in response


def _outcome(response: Any, media: tuple[Part, ...]) -> tuple[str | tuple[Part, ...], str | None]:
    """The content of a response, and its form where that is not plain."""
    key, value = next(iter(response.items())) if type(response) is dict and len(response) == 1 else ("", None)
    texts = _texts_in(value)
    if key in {_OUTPUT, _ERROR} and texts is not None:
        return (*texts, *media), None
    if key in {_OUTPUT, _ERROR, _RESULT} and type(value) is str and not media:
        return value, _RESULT if key == _RESULT else None
    text = _json(response)
    return ((TextPart(text), *media) if media else text), _JSON if text else None


def _texts_in(value: Any) -> list[TextPart] | None:
    """The texts of a list of text parts and nothing else, else None."""
    if type(value) is not list:
        return None
    known = [item["text"] for item in value if type(item) is dict and type(item.get("text")) is str and len(item) == 1]
    return [TextPart(text) for text in known] if len(known) == len(value) else None


def _json(response: Any) -> str:
    """A response as JSON text; none where it is not a mapping of what JSON has."""
    try:
        return json.dumps(response, ensure_ascii=False) if type(response) is dict else ""
    except TypeError:
        return ""


def _response(message: ToolMessage) -> dict[str, Any]:
    content, form = message.content, notes_of(message, _KEY).get("form")
    texts = [content] if isinstance(content, str) else [part.text for part in content if isinstance(part, TextPart)]
    if form == _JSON and len(texts) == 1:
        known = _object(texts[0])
        if known is not None and _says_error(known) is message.is_error:
            return known
    key = _ERROR if message.is_error else _RESULT if form == _RESULT else _OUTPUT
    return {key: content if isinstance(content, str) else [{"text": text} for text in texts]}


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if type(value) is dict else None


# -- writing -----------------------------------------------------------------------------------------------------------


def _write(message: Message, at: str, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    style = style_of(notes_of(message, _KEY))
    if isinstance(message, ToolMessage):
        parts = [{style.key("function_response"): _write_result(message, style, names or {}, at)}]
    else:
        parts = _write_content(message.content, style, f"{at}.content")
    if isinstance(message, SystemMessage):
        return {"parts": parts}
    if isinstance(message, AssistantMessage) and message.tool_calls:
        notes = notes_of(message, _KEY)
        calls = [_write_call(call, style, notes.get("made") or ()) for call in message.tool_calls]
        parts = woven(parts if message.content else [], calls, notes.get("calls_at"))
    role = notes_of(message, _KEY).get("role")
    return {"role": role if isinstance(role, str) else _ROLES[message.role], "parts": parts}


def _write_content(content: str | tuple[Part, ...], style: Style, at: str) -> list[Block]:
    return [{"text": content}] if isinstance(content, str) else write_parts(content, dialect_of(style), at)


def _write_call(call: ToolCall, style: Style, made: Sequence[str]) -> Block:
    body = {"name": call.name, "args": copied(dict(call.arguments))}
    return {style.key("function_call"): body if call.id in made else {"id": call.id, **body}}


def _write_result(message: ToolMessage, style: Style, names: Mapping[str, str], at: str) -> Block:
    name = message.name if message.name is not None else names.get(message.tool_call_id)
    if name is None:
        raise refuse(f"{at}.name", "is missing, and no call has the id of this result: give the name of the function")
    made = notes_of(message, _KEY).get("made") or ()
    body: Block = {"name": name, "response": _response(message)}
    parts = message.content if isinstance(message.content, tuple) else ()
    media = write_parts(tuple(part for part in parts if not isinstance(part, TextPart)), dialect_of(style), at)
    if media:
        body["parts"] = media
    return body if message.tool_call_id in made else {"id": message.tool_call_id, **body}


def _join(message: dict[str, Any], unit: dict[str, Any]) -> None:
    message["parts"] = (message.get("parts") or []) + (unit.get("parts") or [])
