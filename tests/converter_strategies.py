"""Messages in the formats of the providers, valid and with keys that memkit has never heard of."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode

from hypothesis import strategies as st

from memkit.records import (
    AssistantMessage,
    AudioPart,
    FilePart,
    ImagePart,
    RawPart,
    ReasoningPart,
    SystemMessage,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
words = st.text("abcdefghij_", min_size=1, max_size=6)
ids = st.builds("id_{}".format, st.integers(0, 9))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
keys = st.sampled_from(["a", "$time", "$map", "text", "type", "id", "ü", ""]) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6
)
objects = st.dictionaries(keys, values, max_size=3)
unknown = st.dictionaries(
    st.sampled_from(["cache_control", "x_unknown", "$map", "phase", "prompt_cache_breakpoint"]), values, max_size=2
)
none_or = st.none().__or__
small = st.binary(max_size=8)
base64s = small.map(lambda data: b64encode(data).decode())
# Unpadded, in the other alphabet, or no base64 at all: what must not be decoded and written differently.
odd_base64s = (
    base64s
    | small.map(lambda data: urlsafe_b64encode(data).decode())
    | base64s.map(lambda text: text.rstrip("="))
    | texts
)
image_types = st.sampled_from(["image/png", "image/jpeg"])
urls = st.sampled_from(["https://example.org/a.png", "https://example.org/b?c=d,e", "gs://bucket/f"])
data_urls = st.builds("data:{};base64,{}".format, image_types, odd_base64s)
file_datas = odd_base64s | st.builds("data:application/pdf;base64,{}".format, odd_base64s)


def shape(required, optional=None, extra=unknown):
    """Dicts with the keys of a format and, now and then, unknown ones."""
    known = st.fixed_dictionaries(required, optional=optional or {})
    return st.tuples(extra, known).map(lambda pair: {**pair[0], **pair[1]})


def typed(name, required=None, optional=None):
    """Blocks with a type."""
    return shape({"type": st.just(name), **(required or {})}, optional)


def turns(*kinds, max_size=5):
    """Lists of messages of the given kinds."""
    return st.lists(st.one_of(*kinds), max_size=max_size)


def blocks(*kinds):
    """Contents: a few blocks of the given kinds or of an unknown one."""
    return st.lists(st.one_of(*kinds, typed("x_new", {"payload": values})), max_size=4)


argument_texts = st.one_of(
    objects.map(json.dumps),
    objects.map(lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))),
    objects.map(lambda value: json.dumps(value, indent=2)),
    st.sampled_from(
        [
            "",
            "{",
            "[1]",
            "null",
            "compact",
            '{"a":1,"a":2}',
            '{"n": 1e999}',
            '{"n": NaN}',
            '{"n": 1.00}',
            '{"n": 123456789012345678901234567890}',
            '{"s": "\\ud800"}',
            "[" * 70 + "]" * 70,
            '{"a":' * 70 + "1" + "}" * 70,
        ]
    ),
    texts,
)


# -- OpenAI chat -------------------------------------------------------------------------------------------------------

_chat_text = typed("text", {"text": texts})
_input_audio = typed(
    "input_audio", {"input_audio": shape({"data": odd_base64s, "format": st.sampled_from(["wav", "mp3", "mpeg", "x"])})}
)
_chat_parts = blocks(
    _chat_text,
    typed("image_url", {"image_url": shape({"url": urls | data_urls}, {"detail": none_or(words)})}),
    _input_audio,
    typed("file", {"file": shape({}, {"file_data": file_datas, "file_id": none_or(ids), "filename": words})}),
    typed("refusal", {"refusal": texts}),
)
_chat_call = shape(
    {"id": ids, "type": st.just("function"), "function": shape({"name": words, "arguments": argument_texts})}
) | shape({"id": ids, "type": st.just("custom"), "custom": shape({"name": words, "input": texts})})
openai_chat = turns(
    shape(
        {"role": st.sampled_from(["user", "system", "developer", "critic"]), "content": texts | _chat_parts},
        {"name": none_or(words)},
    ),
    shape(
        {"role": st.just("assistant")},
        {
            "content": none_or(texts | _chat_parts),
            "tool_calls": none_or(st.lists(_chat_call, max_size=3)),
            "refusal": none_or(texts),
            "annotations": st.lists(objects, max_size=1),
            "function_call": none_or(shape({"name": words, "arguments": argument_texts})),
            "audio": none_or(shape({"id": ids})),
            "name": words,
        },
    ),
    shape(
        {"role": st.just("tool"), "tool_call_id": ids, "content": texts | st.lists(_chat_text, max_size=2)},
        {"name": words},
    ),
    shape({"role": st.just("function"), "name": words, "content": none_or(texts)}),
)


# -- OpenAI Responses --------------------------------------------------------------------------------------------------

_input_parts = blocks(
    typed("input_text", {"text": texts}),
    typed("input_image", {}, {"image_url": none_or(urls | data_urls), "detail": words, "file_id": none_or(ids)}),
    typed("input_file", {}, {"file_url": urls, "file_data": file_datas, "file_id": none_or(ids), "filename": words}),
    _input_audio,
)
_output_parts = blocks(
    typed("output_text", {"text": texts}, {"annotations": st.lists(objects, max_size=1), "logprobs": values}),
    typed("refusal", {"refusal": texts}),
)
_status = {"status": st.sampled_from(["completed", "incomplete"]), "id": ids}
_reasoning = typed(
    "reasoning",
    {"summary": st.lists(typed("summary_text", {"text": texts}), max_size=2)},
    {"encrypted_content": none_or(texts), "content": st.lists(typed("reasoning_text", {"text": texts})), **_status},
)
_function_call = typed("function_call", {"call_id": ids, "name": words, "arguments": argument_texts}, _status)
_optional_type = {"type": st.just("message")}
openai_responses = turns(
    shape(
        {"role": st.sampled_from(["user", "system", "developer", "critic"]), "content": texts | _input_parts},
        {**_optional_type, **_status},
    ),
    shape({"role": st.just("assistant"), "content": texts | _output_parts}, {**_optional_type, **_status}),
    _reasoning,
    _function_call,
    typed("function_call_output", {"call_id": none_or(ids), "output": texts | _input_parts}, _status),
    typed("custom_tool_call", {"call_id": ids, "name": words, "input": texts}, _status),
    typed("custom_tool_call_output", {"call_id": ids, "output": texts}, _status),
    typed("web_search_call", {"id": ids, "action": objects}, {"status": texts}),
    typed("local_shell_call_output", {"id": ids, "output": texts}),
    typed("mcp_approval_response", {"approval_request_id": ids, "approve": st.booleans()}),
    typed("additional_tools", {"role": st.just("developer"), "tools": st.lists(objects, max_size=1)}),
    shape({"id": ids}, {"type": none_or(st.just("item_reference"))}),
    typed("x_new", {}, {"call_id": values, "role": st.sampled_from(["user", "assistant"]), "name": values}),
    max_size=8,
)


# -- Anthropic ---------------------------------------------------------------------------------------------------------

_claude_text = typed("text", {"text": texts}, {"citations": none_or(st.lists(objects, max_size=1))})
_sources = st.one_of(
    typed("base64", {"media_type": image_types | st.just("text/plain"), "data": odd_base64s}),
    typed("url", {"url": urls | data_urls}),
    typed("file", {"file_id": ids}),
    typed("text", {"media_type": st.just("text/plain"), "data": texts}),
    typed("content", {"content": texts | st.lists(_claude_text, max_size=2)}),
)
_claude_media = st.one_of(
    typed("image", {"source": _sources}),
    typed("document", {"source": _sources}, {"title": none_or(texts), "context": none_or(texts)}),
)
_tool_result = typed(
    "tool_result",
    {"tool_use_id": ids},
    {"content": texts | blocks(_claude_text, _claude_media), "is_error": st.booleans()},
)
_tool_use = typed("tool_use", {"id": ids, "name": words, "input": objects})
_claude_blocks = blocks(
    _claude_text,
    _claude_media,
    _tool_result,
    _tool_use,
    typed("thinking", {"thinking": texts, "signature": texts}),
    typed("redacted_thinking", {"data": texts}),
    typed("server_tool_use", {"id": ids, "name": words, "input": objects}),
)
anthropic = st.tuples(
    turns(
        shape({"role": st.sampled_from(["user", "assistant", "system", "critic"]), "content": texts | _claude_blocks}),
        shape({"role": st.just("user"), "content": st.lists(_tool_result | _claude_text, min_size=1, max_size=4)}),
        shape({"role": st.just("assistant"), "content": st.lists(_tool_use | _claude_text, min_size=1, max_size=4)}),
    ),
    none_or(texts | st.lists(_claude_text, max_size=2)),
)


# -- Google ------------------------------------------------------------------------------------------------------------

_binary = base64s | odd_base64s | small


def _google_parts(camel):
    """Parts in one of the two spellings."""

    def key(snake):
        head, *rest = snake.split("_")
        return head + "".join(map(str.title, rest)) if camel else snake

    proof = {key("thought_signature"): _binary}
    mime = image_types | st.sampled_from(["audio/wav", "application/pdf", "x"])
    inline = shape({key("mime_type"): mime, "data": _binary}, {key("display_name"): words})
    address = shape({key("file_uri"): urls | data_urls}, {key("mime_type"): mime, key("display_name"): none_or(words)})
    media = shape({key("inline_data"): inline}, proof) | shape({key("file_data"): address}, proof)
    text = shape({"text": texts}, {"thought": st.booleans(), **proof})
    call = shape({"name": words}, {"id": none_or(ids), "args": none_or(objects)})
    response = objects | st.one_of(
        st.fixed_dictionaries({name: texts | st.lists(st.fixed_dictionaries({"text": texts}), max_size=2)})
        for name in ("output", "error", "result")
    )
    result = shape(
        {"name": words}, {"id": none_or(ids), "response": none_or(response), "parts": st.lists(media, max_size=2)}
    )
    return (
        text,
        media,
        shape({key("function_call"): call}, proof),
        shape({key("function_response"): result}, proof),
        shape({key("executable_code"): objects}),
    )


_spelt = [_google_parts(camel=False), _google_parts(camel=True)]
_any_parts = st.one_of(*(st.lists(st.one_of(*parts), max_size=4) for parts in [*_spelt, [*_spelt[0], *_spelt[1]]]))
_results = st.lists(_spelt[0][3] | _spelt[0][0], min_size=1, max_size=4)
google = st.tuples(
    turns(
        shape(
            {}, {"role": none_or(st.sampled_from(["user", "model", "function", "tool"])), "parts": none_or(_any_parts)}
        ),
        shape({"role": st.just("user"), "parts": _results}),
        shape({"role": st.just("model"), "parts": st.lists(_spelt[0][2] | _spelt[0][0], min_size=1, max_size=4)}),
    ),
    none_or(
        texts
        | shape({}, {"role": words, "parts": none_or(_any_parts)})
        | _any_parts
        | st.lists(texts, max_size=2)
        | shape({"text": texts})
    ),
)


# -- memkit ------------------------------------------------------------------------------------------------------------

full_texts = texts.filter(bool)
_text_parts = st.builds(TextPart, full_texts)
_images = st.builds(ImagePart, url=urls) | st.builds(ImagePart, data=small, media_type=image_types)
_files = st.builds(FilePart, data=small, media_type=st.just("application/pdf"), name=none_or(words))
_thoughts = st.builds(ReasoningPart, full_texts)
_google_images = st.builds(ImagePart, url=urls, media_type=image_types) | st.builds(
    ImagePart, data=small, media_type=image_types
)
_parts_of = {
    "openai_chat": [_images, _files, st.builds(AudioPart, data=small, media_type=st.just("audio/mpeg"))],
    "openai_responses": [_images, _files, st.builds(FilePart, file_id=ids), st.builds(FilePart, url=urls)],
    "anthropic": [_images, _files, st.builds(FilePart, data=texts.map(str.encode), media_type=st.just("text/plain"))],
    "google": [_google_images, _files, st.builds(AudioPart, url=urls, media_type=st.just("audio/wav"))],
}
_thoughts_of = {
    "openai_chat": [],
    "openai_responses": [st.builds(ReasoningPart, full_texts, data=texts.map(str.encode))],
    "anthropic": [
        st.builds(ReasoningPart, full_texts, signature=texts),
        st.builds(ReasoningPart, data=texts.map(str.encode)),
    ],
    "google": [st.builds(ReasoningPart, full_texts, signature=none_or(base64s))],
}
tool_calls = st.lists(st.builds(ToolCall, ids, words, objects), max_size=3, unique_by=lambda call: call.id)


def _contents(*parts):
    """Text, or two parts and more: a single one is text again in some formats."""
    return full_texts | st.lists(st.one_of(_text_parts, *parts), min_size=2, max_size=4).map(tuple)


@st.composite
def conversations(draw, provider):
    """Conversations as an agent has them, made of what the format of the provider can hold."""
    raw = st.builds(RawPart, st.fixed_dictionaries({"type": st.just("x_new"), "v": values}), provider=st.just(provider))
    names = none_or(words) if provider == "openai_chat" else st.none()
    media = _parts_of[provider]
    spoken = _contents(*_thoughts_of[provider], raw)
    # Google sorts the parts of a result: text before media.
    results = full_texts if provider == "google" else _contents(*media[:1])
    out = [SystemMessage(draw(full_texts))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 3))):
        out.append(UserMessage(draw(_contents(*media, raw)), name=draw(names)))
        calls = draw(tool_calls)
        content = draw(spoken | st.just("")) if calls else draw(spoken)
        out.append(AssistantMessage(content, tool_calls=calls, name=draw(names)))
        for call in calls:
            failed = provider in {"anthropic", "google"} and draw(st.booleans())
            name = call.name if provider == "google" else None
            out.append(ToolMessage(draw(results), tool_call_id=call.id, is_error=failed, name=name))
    return out
