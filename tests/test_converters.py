"""Claims about the converters."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from copy import deepcopy
from typing import NamedTuple

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

import memkit.converters
from memkit.codec.wire import Codec, Envelope, binding_of
from memkit.converters import (
    from_anthropic,
    from_google,
    from_openai_chat,
    from_openai_responses,
    to_anthropic,
    to_google,
    to_openai_chat,
    to_openai_responses,
)
from memkit.converters.verbatim import amended, covers, difference, same
from memkit.errors import InvalidInputError
from memkit.ids import new_id, pack_id
from memkit.records import (
    AssistantMessage,
    AudioPart,
    Fact,
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
from tests import converter_strategies as formats

PNG = b64encode(b"\x89PNG").decode()


class Format(NamedTuple):
    """One provider's format; what goes in and out is one value, a prompt where the system stands apart."""

    read: object
    write: object
    examples: st.SearchStrategy


FORMATS = {
    "openai_chat": Format(from_openai_chat, to_openai_chat, formats.openai_chat),
    "openai_responses": Format(from_openai_responses, to_openai_responses, formats.openai_responses),
    "anthropic": Format(
        lambda prompt: from_anthropic(*prompt),
        lambda records: ((made := to_anthropic(records)).messages, made.system),
        formats.anthropic,
    ),
    "google": Format(
        lambda prompt: from_google(*prompt),
        lambda records: ((made := to_google(records)).contents, made.system_instruction),
        formats.google,
    ),
}
each_format = pytest.mark.parametrize("name", FORMATS)
fewer = settings(max_examples=40)


def stored(record):
    """The record as it comes back from a store."""
    codec, place = Codec(), binding_of("tests", "short", "c")
    raw = codec.encode(record, Envelope(pack_id(new_id()), 1, 2, 1, place.scope), "data[0]")
    return codec.decode(raw, place)


def exactly(left, right):
    """Equal, types included; what the two sides are called does not matter."""
    return same(plainly(left), plainly(right))


def plainly(value):
    return [plainly(item) for item in value] if isinstance(value, tuple) else value


def said(record):
    """What a record says: everything but the envelope."""
    return evolve(record, id=None, metadata={}, created_at=None, updated_at=None, version=0)


# -- there and back ----------------------------------------------------------------------------------------------------


@each_format
@given(data=st.data())
def test_there_and_back(name, data):
    """What a provider's messages become turns into exactly the same messages again."""
    given_ = data.draw(FORMATS[name].examples)
    before = deepcopy(given_)
    records = FORMATS[name].read(given_)
    assert exactly(FORMATS[name].write(records), before)
    assert exactly(given_, before)


@each_format
@given(data=st.data())
def test_there_and_back_through_a_store(name, data):
    """Every record can be stored, and converts back identically when it was."""
    given_ = data.draw(FORMATS[name].examples)
    records = [stored(record) for record in FORMATS[name].read(given_)]
    assert exactly(FORMATS[name].write(records), given_)
    # By their text: arguments may hold NaN, which equals nothing.
    assert list(map(repr, map(said, records))) == list(map(repr, map(said, FORMATS[name].read(given_))))


@each_format
@fewer
@given(data=st.data(), cut=st.integers(0, 5))
def test_bit_by_bit(name, data, cut):
    """Messages that are converted and appended in two goes come back as they were."""
    given_ = data.draw(FORMATS[name].examples)
    messages, *system = given_ if isinstance(given_, tuple) else (given_,)
    first, second = messages[:cut], messages[cut:]
    rest = FORMATS[name].read((second,) if system else second)
    records = FORMATS[name].read((first, *system) if system else first) + rest
    assert exactly(FORMATS[name].write(records), given_)


@each_format
@fewer
@given(data=st.data(), start=st.integers(0, 6), stop=st.integers(0, 6))
def test_any_window_converts(name, data, start, stop):
    """Any piece of what was read can be written."""
    records = FORMATS[name].read(data.draw(FORMATS[name].examples))
    FORMATS[name].write(records[start:stop])


@each_format
@given(data=st.data())
def test_records_keep_what_they_say(name, data):
    """What memkit's own records say comes back from a format that can hold it."""
    records = data.draw(formats.conversations(name))
    back = FORMATS[name].read(deepcopy(FORMATS[name].write(records)))
    assert [said(record) for record in back] == records


@each_format
@fewer
@given(data=st.data())
def test_nothing_is_shared(name, data):
    """What is done to the input or the output afterwards does not reach the records."""
    given_ = data.draw(FORMATS[name].examples)
    before = deepcopy(given_)
    records = FORMATS[name].read(given_)
    _spoil(given_)
    _spoil(FORMATS[name].write(records))
    assert exactly(FORMATS[name].write(records), before)


def _spoil(value):
    for item in list(value.values()) if isinstance(value, dict) else value if isinstance(value, list | tuple) else []:
        _spoil(item)
    if isinstance(value, dict | list):
        value.clear()


@each_format
@fewer
@given(data=st.data())
def test_a_change_counts(name, data):
    """A record whose content was changed is written with the new text."""
    records = FORMATS[name].read(data.draw(FORMATS[name].examples))
    changed = [evolve(record, content=f"changed {index}.") for index, record in enumerate(records)]
    out = repr(FORMATS[name].write(changed))
    assert all(f"changed {index}." in out for index in range(len(records)))


@pytest.mark.parametrize(
    "notes", ["text", 1, {"patch": 1, "of": 2}, {"calls_at": "x", "made": None, "joined": 3, "role": 4}]
)
@each_format
def test_foreign_metadata_does_no_harm(name, notes):
    """A user's own metadata under the key of the notes is passed over."""
    metadata = {f"from_{name}": notes}
    calls = (ToolCall("c", "f", {}),)
    records = [
        UserMessage("hi", metadata=metadata),
        AssistantMessage("ho", tool_calls=calls, metadata=metadata),
        ToolMessage("hu", tool_call_id="c", name=None if name.startswith("openai_r") else "f", metadata=metadata),
    ]
    plain = [evolve(record, metadata={}) for record in records]
    assert FORMATS[name].write(records) == FORMATS[name].write(plain)


# -- differences -------------------------------------------------------------------------------------------------------


@given(formats.values, formats.values)
def test_differences_make_the_one_from_the_other(written, wanted):
    """A difference turns the one value into exactly the other, and is None only between equal ones."""
    change = difference(written, wanted)
    assert (change is None) is same(written, wanted)
    assert same(wanted, written if change is None else amended(written, change))


@given(formats.values, st.data())
def test_covering_only_adds(written, data):
    """A value covers what has more keys, and the difference replaces and drops nothing."""
    wanted = _with_more_keys(written, data.draw)
    assert covers(written, wanted)
    change = difference(written, wanted)
    assert change is None or _only_adds(change)


def _with_more_keys(value, draw):
    if isinstance(value, dict):
        return {**draw(formats.unknown), **{key: _with_more_keys(item, draw) for key, item in value.items()}}
    return [_with_more_keys(item, draw) for item in value] if isinstance(value, list) else value


def _only_adds(change):
    inner = [*change.get("in", {}).values(), *(item for _, item in change.get("at", []))]
    return change.keys() <= {"add", "in", "at"} and all(map(_only_adds, inner))


@pytest.mark.parametrize(("left", "right"), [(True, 1), (1, 1.0), (0.0, -0.0), ([1], [True]), ({"a": 1}, {"a": 1.0})])
def test_types_count(left, right):
    """Values that Python calls equal are not the same where their JSON differs."""
    assert not same(left, right)
    assert same(amended(left, difference(left, right)), right)


# -- examples by hand --------------------------------------------------------------------------------------------------

CHAT = [
    {"role": "developer", "content": "Be brief.", "name": "ops"},
    {
        "role": "user",
        "name": "ann",
        "content": [
            {"type": "text", "text": "What is this?", "prompt_cache_breakpoint": {"mode": "explicit"}},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "https://example.org/cat.jpg"}},
            {"type": "input_audio", "input_audio": {"data": "AAEC", "format": "mp3"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
            {"type": "file", "file": {"file_id": "file-1"}},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"where":"Köln"}'}},
            {"id": "call_2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
            {"id": "call_3", "type": "custom", "custom": {"name": "run", "input": "ls -l"}},
        ],
    },
    {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "a dog"}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
    {"role": "tool", "tool_call_id": "call_3", "content": ""},
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "I cannot."}]},
    {"role": "assistant", "content": None, "function_call": {"name": "old", "arguments": '{ "a": 1 }'}},
    {"role": "function", "name": "old", "content": "1"},
    {"role": "assistant", "content": "Done.", "audio": {"id": "audio_1"}},
]


def test_openai_chat_by_hand():
    """A chat with everything in it becomes the records that one expects, and itself again."""
    records = from_openai_chat(CHAT)
    assert [said(record) for record in records] == [
        SystemMessage("Be brief.", name="ops"),
        UserMessage(
            (
                TextPart("What is this?"),
                ImagePart(data=b"\x89PNG", media_type="image/png", detail="low"),
                ImagePart(url="https://example.org/cat.jpg"),
                AudioPart(data=b"\0\1\2", media_type="audio/mpeg"),
                FilePart(data=b"%PDF", media_type="application/pdf", name="a.pdf"),
                FilePart(file_id="file-1"),
            ),
            name="ann",
        ),
        AssistantMessage(
            tool_calls=(
                ToolCall("call_1", "look", {"where": "Köln"}),
                ToolCall("call_2", "look"),
                ToolCall("call_3", "run", {"input": "ls -l"}),
            )
        ),
        ToolMessage((TextPart("a dog"),), tool_call_id="call_2"),
        ToolMessage("a cat", tool_call_id="call_1"),
        ToolMessage("", tool_call_id="call_3"),
        AssistantMessage((RawPart({"type": "refusal", "refusal": "I cannot."}, "openai_chat"),)),
        AssistantMessage(""),
        UserMessage("1", name="old"),
        AssistantMessage("Done."),
    ]
    assert exactly(to_openai_chat(map(stored, records)), CHAT)


def test_compact_arguments_take_no_room():
    """Arguments in the spelling that models use are not stored twice."""
    text = json.dumps({"text": "ü" * 100, "n": [1, 2]}, ensure_ascii=False, separators=(",", ":"))
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": text}}
    (record,) = from_openai_chat([{"role": "assistant", "content": None, "tool_calls": [call]}])
    assert record.metadata == {"from_openai_chat": {"compact": True}}


def test_plain_messages_carry_no_notes():
    """Messages without anything special become records with empty metadata."""
    plain = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": "a"},
    ]
    assert [record.metadata for record in from_openai_chat(plain) + from_openai_responses(plain)] == [{}] * 6
    contents = [{"role": "user", "parts": [{"text": "u"}]}, {"role": "model", "parts": [{"text": "a"}]}]
    both = from_anthropic(plain[1:], "s") + from_google(contents, "s")
    assert [record.metadata for record in both] == [{}] * 6


RESPONSES = [
    {"role": "developer", "content": "Be brief."},
    {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_text", "text": "Look"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
            {"type": "input_image", "file_id": "file-1", "detail": "auto"},
            {"type": "input_file", "file_url": "https://example.org/a.pdf"},
        ],
    },
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Two tools."}],
        "encrypted_content": "gAAAA=",
    },
    {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": [
            {
                "type": "output_text",
                "text": "I look.",
                "annotations": [{"type": "url_citation", "url": "https://example.org", "start_index": 0}],
                "logprobs": [],
            }
        ],
    },
    {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "c1",
        "name": "f",
        "arguments": '{"a": 1}',
        "status": "completed",
    },
    {"type": "function_call", "id": "fc_2", "call_id": "c2", "name": "g", "arguments": "{", "status": "completed"},
    {"type": "function_call_output", "call_id": "c1", "output": "1"},
    {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "2"}]},
    {"type": "custom_tool_call", "call_id": "c3", "name": "run", "input": "ls"},
    {"type": "custom_tool_call_output", "call_id": "c3", "output": "a"},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
    {"type": "item_reference", "id": "msg_0"},
]


def test_openai_responses_by_hand():
    """Items become turns, results and items of their own, and themselves again."""
    records = from_openai_responses(RESPONSES)
    whole = "openai_responses.item"
    assert [said(record) for record in records] == [
        SystemMessage("Be brief."),
        UserMessage(
            (
                TextPart("Look"),
                ImagePart(data=b"\x89PNG", media_type="image/png", detail="auto"),
                RawPart(RESPONSES[1]["content"][2], "openai_responses"),
                FilePart(url="https://example.org/a.pdf"),
            )
        ),
        AssistantMessage(
            (ReasoningPart("Two tools.", data=b"gAAAA="), TextPart("I look.")),
            tool_calls=(ToolCall("c1", "f", {"a": 1}), ToolCall("c2", "g")),
        ),
        ToolMessage("1", tool_call_id="c1"),
        ToolMessage((TextPart("2"),), tool_call_id="c2"),
        AssistantMessage((RawPart(RESPONSES[8], whole),), tool_calls=(ToolCall("c3", "run", {"input": "ls"}),)),
        ToolMessage((RawPart(RESPONSES[9], whole),), tool_call_id="c3"),
        AssistantMessage((RawPart(RESPONSES[10], whole),)),
        AssistantMessage((RawPart(RESPONSES[11], whole),)),
    ]
    assert exactly(to_openai_responses(map(stored, records)), RESPONSES)


CLAUDE_SYSTEM = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
CLAUDE = [
    {
        "role": "user",
        "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            {"type": "image", "source": {"type": "url", "url": "https://example.org/cat.jpg"}},
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
            {
                "type": "document",
                "title": "A",
                "source": {"type": "text", "media_type": "text/plain", "data": "Aé"},
                "citations": {"enabled": True},
            },
            {"type": "document", "source": {"type": "file", "file_id": "file_2"}},
        ],
    },
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "sig=="},
            {"type": "redacted_thinking", "data": "EmwK"},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": {"$time": 1}}},
            {"type": "text", "text": "and"},
            {"type": "tool_use", "id": "t2", "name": "g", "input": {}, "caller": {"type": "direct"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t2", "content": "no", "is_error": True},
            {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "1"}], "is_error": False},
            {"type": "text", "text": "Go on."},
        ],
    },
    {"role": "assistant", "content": [{"type": "text", "text": "ok"}]},
    {"role": "user", "content": "bye"},
]


def test_anthropic_by_hand():
    """A message with results and text becomes a record for each, and one message again."""
    records = from_anthropic(CLAUDE, CLAUDE_SYSTEM)
    assert [said(record) for record in records] == [
        SystemMessage((TextPart("Be brief."),)),
        UserMessage(
            (
                ImagePart(data=b"\x89PNG", media_type="image/png"),
                ImagePart(url="https://example.org/cat.jpg"),
                RawPart(CLAUDE[0]["content"][2], "anthropic"),
                FilePart(data="Aé".encode(), media_type="text/plain", name="A"),
                FilePart(file_id="file_2"),
            )
        ),
        AssistantMessage(
            (ReasoningPart("Hm.", "sig=="), ReasoningPart(data=b"EmwK"), TextPart("and")),
            tool_calls=(ToolCall("t1", "f", {"a": {"$time": 1}}), ToolCall("t2", "g")),
        ),
        ToolMessage("no", tool_call_id="t2", is_error=True),
        ToolMessage((TextPart("1"),), tool_call_id="t1"),
        UserMessage((TextPart("Go on."),)),
        AssistantMessage((TextPart("ok"),)),
        UserMessage("bye"),
    ]
    prompt = to_anthropic(map(stored, records))
    assert exactly(prompt.messages, CLAUDE)
    assert exactly(prompt.system, CLAUDE_SYSTEM)


def test_anthropic_results_of_ours_stand_together():
    """Results of parallel calls go into one message, system messages at the head into the prompt, later ones stay."""
    prompt = to_anthropic(
        [
            SystemMessage("a"),
            SystemMessage("b"),
            UserMessage("hi"),
            AssistantMessage("I look", tool_calls=(ToolCall("1", "f"), ToolCall("2", "g"))),
            ToolMessage("x", tool_call_id="1"),
            ToolMessage("y", tool_call_id="2", is_error=True),
            SystemMessage("c"),
        ]
    )
    assert prompt.system == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert [message["role"] for message in prompt.messages] == ["user", "assistant", "user", "system"]
    assert [block["type"] for block in prompt.messages[1]["content"]] == ["text", "tool_use", "tool_use"]
    assert [block.get("is_error") for block in prompt.messages[2]["content"]] == [None, True]
    assert to_anthropic([UserMessage("hi")]).system is None


def test_a_system_message_among_others_stays_there():
    """What Anthropic has among the messages does not become the prompt when a window puts it first."""
    records = from_anthropic([{"role": "user", "content": "hi"}, {"role": "system", "content": "now"}])
    assert to_anthropic(records[1:]).messages == [{"role": "system", "content": "now"}]


GOOGLE = [
    {"role": "user", "parts": [{"text": "Weather?"}, {"inline_data": {"mime_type": "image/png", "data": b"\x89PNG"}}]},
    {
        "role": "model",
        "parts": [
            {"text": "Hm.", "thought": True, "thought_signature": b"\0\1"},
            {"function_call": {"name": "f", "args": {"c": "Köln"}}, "thought_signature": b"\2"},
            {"function_call": {"name": "f", "args": {"c": "Bonn"}}},
            {"function_call": {"id": "own", "name": "g"}},
        ],
    },
    {
        "role": "user",
        "parts": [
            {"function_response": {"name": "f", "response": {"output": "sun"}}},
            {"function_response": {"name": "f", "response": {"t": 4, "unit": "°C"}}},
            {"function_response": {"id": "own", "name": "g", "response": {"error": "down"}}},
        ],
    },
    {"role": "model", "parts": [{"executable_code": {"language": "PYTHON", "code": "1"}}, {"text": "Sun."}]},
]
GOOGLE_JSON = [
    {"role": "user", "parts": [{"fileData": {"fileUri": "gs://b/a.wav", "mimeType": "audio/wav"}}]},
    {"role": "model", "parts": [{"text": "Hm.", "thought": True, "thoughtSignature": "AA-_"}]},
    {"parts": [{"inlineData": {"mimeType": "application/pdf", "data": "-_-_", "displayName": "a.pdf"}}]},
    {"role": "function", "parts": [{"functionResponse": {"name": "f", "response": {"result": "1"}}}]},
]


def test_google_by_hand():
    """Calls and results without ids find each other, bytes stay bytes, and all of it comes back."""
    records = from_google(GOOGLE, {"parts": [{"text": "Be brief."}]})
    assert [said(record) for record in records] == [
        SystemMessage((TextPart("Be brief."),)),
        UserMessage((TextPart("Weather?"), ImagePart(data=b"\x89PNG", media_type="image/png"))),
        AssistantMessage(
            (ReasoningPart("Hm.", "AAE="),),
            tool_calls=(
                ToolCall("google-f-1", "f", {"c": "Köln"}),
                ToolCall("google-f-2", "f", {"c": "Bonn"}),
                ToolCall("own", "g"),
            ),
        ),
        ToolMessage("sun", tool_call_id="google-f-1", name="f"),
        ToolMessage('{"t": 4, "unit": "°C"}', tool_call_id="google-f-2", name="f"),
        ToolMessage("down", tool_call_id="own", name="g", is_error=True),
        AssistantMessage((RawPart(GOOGLE[3]["parts"][0], "google"), TextPart("Sun."))),
    ]
    prompt = to_google(map(stored, records))
    assert exactly(prompt.contents, GOOGLE)
    assert prompt.system_instruction == {"parts": [{"text": "Be brief."}]}


def test_google_json_by_hand():
    """Camel case and url-safe base64 come back as they were."""
    records = from_google(GOOGLE_JSON, ["Be brief.", {"text": "And kind."}])
    assert [said(record) for record in records] == [
        SystemMessage((TextPart("Be brief."), TextPart("And kind."))),
        UserMessage((AudioPart(url="gs://b/a.wav", media_type="audio/wav"),)),
        AssistantMessage((ReasoningPart("Hm.", "AA-_"),)),
        UserMessage((FilePart(data=b"\xfb\xff\xbf", media_type="application/pdf", name="a.pdf"),)),
        ToolMessage("1", tool_call_id="google-f-1", name="f"),
    ]
    prompt = to_google(map(stored, records))
    assert exactly(prompt.contents, GOOGLE_JSON)
    assert prompt.system_instruction == ["Be brief.", {"text": "And kind."}]


def test_google_results_converted_alone_find_their_calls():
    """A result without id that is converted later gets the id that its call got."""
    (call,) = from_google(GOOGLE[1:2])
    results = from_google(GOOGLE[2:3])
    assert [result.tool_call_id for result in results] == [made.id for made in call.tool_calls]


def test_google_takes_the_name_from_the_call():
    """A result of ours without a name is written with that of its call; without a call it is refused."""
    call = AssistantMessage(tool_calls=(ToolCall("1", "f"),))
    result = ToolMessage("x", tool_call_id="1")
    (_, message) = to_google([call, result]).contents
    assert message["parts"] == [{"function_response": {"id": "1", "name": "f", "response": {"output": "x"}}}]
    with pytest.raises(InvalidInputError, match=r"messages\[0\]\.name"):
        to_google([result])


def test_google_result_with_media():
    """The parts of a result of ours come back, text before media."""
    image = ImagePart(data=b"1", media_type="image/png")
    result = ToolMessage((TextPart("a"), image), tool_call_id="1", name="f", is_error=True)
    assert [said(record) for record in from_google(to_google([result]).contents)] == [result]


def test_from_one_provider_to_another():
    """A conversation that came from one provider goes to each other one with what was said, called and answered."""
    chat = [
        {"role": "system", "content": "s", "x": 1},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]},
        CHAT[2],
        *CHAT[3:6],
        {"role": "assistant", "content": "Done.", "annotations": []},
    ]
    records = from_openai_chat(chat)
    for name in ("openai_responses", "anthropic", "google"):
        back = FORMATS[name].read(FORMATS[name].write(records))
        assert [record.role for record in back] == [record.role for record in records]
        assert [getattr(record, "tool_calls", ()) for record in back] == [
            getattr(record, "tool_calls", ()) for record in records
        ]
        assert back[1].content == records[1].content
        assert back[-1].content in {"Done.", (TextPart("Done."),)}


# -- corners -----------------------------------------------------------------------------------------------------------

ODD_ARGUMENTS = [
    "",
    "{",
    "[1]",
    "null",
    '{"a":1,"a":2}',
    '{"n": 1e999}',
    '{"n": NaN}',
    '{"n": 1.00}',
    '{"n": 123456789012345678901234567890}',
    '{"s": "\\ud800"}',
    '{"a":' * 70 + "1" + "}" * 70,
    "[" * 100_000,
]


@pytest.mark.parametrize("text", ODD_ARGUMENTS, ids=range(len(ODD_ARGUMENTS)))
def test_odd_arguments_stay_as_they_are(text):
    """Text of arguments that is no JSON object, or none that can be stored, comes back to the letter."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": text}}
    chat = [{"role": "assistant", "content": None, "tool_calls": [call]}]
    assert to_openai_chat(map(stored, from_openai_chat(chat))) == chat
    items = [{"type": "function_call", "call_id": "c", "name": "f", "arguments": text}]
    assert to_openai_responses(map(stored, from_openai_responses(items))) == items


def test_only_canonical_data_urls_are_decoded():
    """A data URL that would be written differently stays a URL; one that would not becomes bytes."""
    for body in ("AAE", "AAF=", "AA-_", "!"):
        item = {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{body}"}}],
        }
        (record,) = from_openai_chat([item])
        assert record.content == (ImagePart(url=f"data:image/png;base64,{body}"),)
        assert to_openai_chat([record]) == [item]


def test_results_that_came_in_two_messages_stay_in_two():
    """Results that were appended message by message are not put together."""
    messages = [
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": str(index), "content": ""}]}
        for index in range(3)
    ]
    bit_by_bit = [record for message in messages for record in from_anthropic([message])]
    assert to_anthropic(bit_by_bit).messages == messages
    assert to_anthropic(from_anthropic(messages)).messages == messages


def test_what_stands_where_takes_no_room():
    """Calls before text, and empty text beside calls, are remembered without a second copy of anything."""
    text, call = {"type": "text", "text": ""}, {"type": "tool_use", "id": "1", "name": "f", "input": {}}
    (record,) = from_anthropic([{"role": "assistant", "content": [call, text]}])
    assert record.metadata == {"from_anthropic": {"calls_at": [0]}}
    call = {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}
    (record,) = from_openai_responses([call, {"role": "assistant", "content": "a"}])
    assert record.metadata == {"from_openai_responses": {"calls_at": [0]}}


def test_messages_in_a_row_are_records_in_a_row():
    """Two messages of a model without reasoning between them are two records: their parts could not be told apart."""
    items = [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert from_openai_responses(items) == [AssistantMessage("a"), AssistantMessage("b")]


def test_a_google_result_that_turns_into_an_error_says_so():
    """A result that was JSON and is marked as an error afterwards is written as an error."""
    response = {"name": "f", "response": {"t": 4}}
    (record,) = from_google([{"role": "user", "parts": [{"function_response": response}]}])
    (message,) = to_google([evolve(record, is_error=True)]).contents
    assert message["parts"] == [{"function_response": {"name": "f", "response": {"error": '{"t": 4}'}}}]


# -- what was changed --------------------------------------------------------------------------------------------------


def test_a_changed_record_loses_what_was_beside_it():
    """Citations and ids of a text that was changed do not end up at the new one; its neighbours keep theirs."""
    records = from_openai_responses(RESPONSES)
    changed = evolve(records[2], content="I saw.", tool_calls=())
    assert to_openai_responses([changed]) == [{"role": "assistant", "content": "I saw."}]
    assert exactly(to_openai_responses(records[3:]), RESPONSES[6:])


def test_a_changed_result_stays_in_its_message():
    """A changed result of Anthropic still stands in one message with its neighbours, which are as they were."""
    records = from_anthropic(CLAUDE)
    records[2] = evolve(records[2], content="yes", is_error=False)
    content = to_anthropic(records).messages[2]["content"]
    assert content == [{"type": "tool_result", "tool_use_id": "t2", "content": "yes"}, *CLAUDE[2]["content"][1:]]


def test_a_removed_record_does_not_join_strangers():
    """Where the record before it was removed, a record that stood in one message with it stands alone."""
    records = from_anthropic(CLAUDE[1:3])
    assert [message["role"] for message in to_anthropic([records[0], records[3]]).messages] == ["assistant", "user"]


# What is in the stores of those who upgrade: their notes fit what the converters write today, and nothing else.
GOLDEN = {
    "openai_chat": (CHAT, {1: "ab4ad65c1e640109", 2: "08e78a21bfe182ca", 7: "42334a8a1a923777", 9: "8441c08e25b63cc5"}),
    "openai_responses": (RESPONSES, {1: "4fbd4343bde7a015", 2: "a03836cf8c748485"}),
    "anthropic": (
        (CLAUDE, CLAUDE_SYSTEM),
        {0: "49a326cfb8176608", 1: "279d93d38cef43e4", 2: "d0e2ac58c9da2f72", 4: "257d9f4accb68c48"},
    ),
    "google": ((GOOGLE,), {1: "3e3625352dd7ea96"}),
}


@each_format
def test_notes_that_are_stored_stay_valid(name):
    """What is written for a record is what it always was, so that notes in old records still apply."""
    given_, known = GOLDEN[name]
    notes = [record.metadata.get(f"from_{name}", {}) for record in FORMATS[name].read(given_)]
    assert {index: note["of"] for index, note in enumerate(notes) if "of" in note} == known


def test_a_dump_of_a_whole_model_is_read():
    """Keys with None under them, as a client library dumps them, hide nothing."""
    empty = {"file_data": None, "function_call": None, "function_response": None, "inline_data": None}
    content = {"role": "model", "parts": [{**empty, "text": "Hm.", "thought": True, "thought_signature": b"1"}]}
    (record,) = from_google([content])
    assert record.content == (ReasoningPart("Hm.", "MQ=="),)
    assert exactly(to_google([record]).contents, [content])


# -- bad input ---------------------------------------------------------------------------------------------------------

BAD = [
    (from_openai_chat, "text", "messages", "str"),
    (from_openai_chat, {"role": "user"}, "messages", "dict"),
    (from_openai_chat, [1], "messages[0]", "model_dump"),
    (from_openai_chat, [{"content": "hi"}], "messages[0].role", "is missing"),
    (from_openai_chat, [{"role": 1}], "messages[0].role", "int"),
    (from_openai_chat, [{"role": "user", "content": 1}], "messages[0].content", "int"),
    (from_openai_chat, [{"role": "user", "content": ["a"]}], "messages[0].content[0]", "mapping"),
    (from_openai_chat, [{"role": "tool", "content": "a"}], "messages[0].tool_call_id", "is missing"),
    (from_openai_chat, [{"role": "assistant", "tool_calls": {"a": 1}}], "messages[0].tool_calls", "dict"),
    (from_openai_chat, [{"role": "assistant", "tool_calls": [1]}], "messages[0].tool_calls[0]", "int"),
    (from_openai_chat, [{"role": "assistant", "tool_calls": [{}]}], "messages[0].tool_calls[0].id", "is missing"),
    (from_openai_chat, [{"role": "user", "x": [{"a": 1 << 64}]}], "messages[0].x[0].a", "64 bits"),
    (from_openai_chat, [{"role": "user", "content": "\ud800"}], "messages[0].content", "surrogate"),
    (from_openai_chat, [{"role": "user", "content": (1,)}], "messages[0].content", "list"),
    (from_openai_chat, [{"role": "user", "x-y": object()}], "messages[0]['x-y']", "object"),
    (from_openai_responses, [{"role": "user", "content": "a"}, {"a": 1}], "items[1].role", "is missing"),
    (from_openai_responses, [{"type": "message"}], "items[0].role", "is missing"),
    (from_openai_responses, [{"role": "user", "content": [1]}], "items[0].content[0]", "int"),
    (from_anthropic, [{"content": "a"}], "messages[0].role", "is missing"),
    (from_anthropic, [{"role": "user", "content": [{"type": "text"}, 1]}], "messages[0].content[1]", "int"),
    (
        from_anthropic,
        [{"role": "user", "content": [{"type": "text"}, {"type": "tool_result", "tool_use_id": "a", "content": [1]}]}],
        "messages[0].content[1].content[0]",
        "int",
    ),
    (from_google, [{"role": 1, "parts": []}], "contents[0].role", "int"),
    (from_google, [{"role": "user", "parts": "a"}], "contents[0].parts", "str"),
    (from_google, [{"role": "user", "parts": [{"text": "a"}, "b"]}], "contents[0].parts[1]", "str"),
]


@pytest.mark.parametrize(("read", "given_", "field", "word"), BAD)
def test_bad_input_is_named(read, given_, field, word):
    """Input that is not valid is refused with the place and the cure."""
    with pytest.raises(InvalidInputError) as caught:
        read(given_)
    assert caught.value.field == field
    assert word in str(caught.value)


@pytest.mark.parametrize("system", [1, [1], {"parts": 1}])
def test_bad_system_is_named(system):
    """A system prompt that is not valid is refused by name."""
    with pytest.raises(InvalidInputError, match="system"):
        from_google([], system)
    if not isinstance(system, dict):
        with pytest.raises(InvalidInputError, match="system"):
            from_anthropic([], system)


IMAGE = ImagePart(data=b"1")
NO_PLACE = [
    ("openai_chat", UserMessage((TextPart("a"), ImagePart())), "messages[0].content[1]", "neither"),
    ("openai_chat", UserMessage((IMAGE,)), "messages[0].content[0]", "media_type"),
    ("openai_chat", UserMessage((ImagePart(url="u", data=b"1"),)), "messages[0].content[0]", "url and data"),
    ("openai_chat", UserMessage((FilePart(url="u"),)), "messages[0].content[0]", "data, file_id"),
    ("openai_chat", UserMessage((RawPart({}, "anthropic"),)), "messages[0].content[0]", "anthropic"),
    (
        "openai_chat",
        AssistantMessage(tool_calls=[ToolCall("1", "f", {"a": b"1"})]),
        "messages[0].tool_calls[0].arguments",
        "JSON",
    ),
    ("openai_chat", Fact("a"), "messages[0]", "Fact"),
    ("openai_responses", UserMessage((ReasoningPart(data=b"\xff"),)), "messages[0].content[0]", "reasoning"),
    (
        "openai_responses",
        ToolMessage((ReasoningPart("a"),), tool_call_id="1"),
        "messages[0].content[0]",
        "ReasoningPart",
    ),
    ("anthropic", UserMessage((AudioPart(data=b"1"),)), "messages[0].content[0]", "AudioPart"),
    ("anthropic", UserMessage((ReasoningPart("a", data=b"1"),)), "messages[0].content[0]", "both"),
    ("anthropic", UserMessage((FilePart(data=b"\xff", media_type="text/plain"),)), "messages[0].content[0]", "UTF-8"),
    ("google", AssistantMessage((ReasoningPart(data=b"1"),)), "messages[0].content[0]", "reasoning"),
    ("google", UserMessage((ImagePart(url="u"),)), "messages[0].content[0]", "media_type"),
]


@pytest.mark.parametrize(("name", "record", "field", "word"), NO_PLACE)
def test_what_has_no_place_is_named(name, record, field, word):
    """What a format cannot hold is refused with the place and the cure, never left out silently."""
    with pytest.raises(InvalidInputError) as caught:
        FORMATS[name].write([record])
    assert caught.value.field == field
    assert word in str(caught.value)


def test_reasoning_is_left_out_of_chats():
    """The one thing that is left out, as documented, is reasoning in OpenAI's chats."""
    record = AssistantMessage((ReasoningPart("Hm."), TextPart("a")))
    assert to_openai_chat([record]) == [{"role": "assistant", "content": [{"type": "text", "text": "a"}]}]


def test_raw_parts_without_provider_are_written():
    """A raw part that names no provider is written as it is, by every format."""
    for one in FORMATS.values():
        assert "'x': 1" in repr(one.write([UserMessage((RawPart({"x": 1}),))]))


def test_deep_values_are_stored_or_refused():
    """Whatever depth is taken can also be stored, wherever in a message it stands."""
    taken = 0
    for depth in range(1, 70):
        deep = json.loads('{"a":' * depth + "1" + "}" * depth)
        inner = {"type": "text", "text": "a", "x": deep}
        result = {"type": "tool_result", "tool_use_id": "1", "content": [{**inner, "source": deep}], "x": deep}
        try:
            records = from_anthropic([{"role": "user", "content": [result, inner], "x": deep}], [inner])
        except InvalidInputError:
            continue
        taken = depth
        for record in records:
            stored(record)
    assert taken > 32


# -- the package -------------------------------------------------------------------------------------------------------


def test_names_are_one_list():
    """What the package exports is its `__all__`, and every name loads."""
    assert set(memkit.converters.__all__) == set(memkit.converters._HOME_OF)
    for name in memkit.converters.__all__:
        assert callable(getattr(memkit.converters, name))
    assert set(memkit.converters.__all__) <= set(dir(memkit.converters))
    with pytest.raises(AttributeError):
        _ = memkit.converters.from_nobody


def test_no_client_library_is_loaded():
    """Converting loads neither a provider's library nor a server's nor the codec."""
    code = (
        "import sys; from memkit.converters import *; print(sorted({'openai', 'anthropic', 'google.genai', 'pydantic',"
        " 'redis', 'cattrs', 'msgpack'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
