"""Hypothesis strategies for everything that memkit stores, and the equality that tells types apart."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta, timezone

import attrs
from attrs import evolve
from hypothesis import strategies as st

from memkit import (
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
    WorkingMemory,
)
from memkit.clock import from_us
from memkit.testing.contract import NASTY

DAY_US = 86_400_000_000
LEAST_US = -62_135_596_800_000_000
MOST_US = 253_402_300_799_999_999

# The marks of memkit's own tags, and what looks like them.
KEYS = st.text(max_size=8) | st.sampled_from(["$time", "$map", "$bytes", "$float", "$", "$x", "a.b", "", "role"])
INTS = st.integers(-(1 << 63), (1 << 64) - 1)


def _moment(us, minutes):
    moment = from_us(us)
    inside = LEAST_US + DAY_US < us < MOST_US - DAY_US
    return moment.astimezone(timezone(timedelta(minutes=minutes))) if inside else moment


MOMENTS = st.builds(_moment, st.integers(LEAST_US, MOST_US), st.integers(-23 * 60, 23 * 60))
SCALARS = st.none() | st.booleans() | INTS | st.floats() | st.text(max_size=20) | st.binary(max_size=20) | MOMENTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
METADATA = st.dictionaries(KEYS, VALUES, max_size=4)

UUIDS = st.uuids().map(str)
IDS = st.text(min_size=1, max_size=40) | UUIDS | st.sampled_from(NASTY)


def maybe(strategy):
    """None, or what a strategy makes."""
    return st.none() | strategy


_TEXT = st.text(max_size=20)
_OPTIONAL_TEXT = maybe(_TEXT)
_BYTES = maybe(st.binary(max_size=20))

PARTS = st.one_of(
    st.builds(TextPart, _TEXT),
    st.builds(ImagePart, url=_OPTIONAL_TEXT, data=_BYTES, media_type=_OPTIONAL_TEXT, detail=_OPTIONAL_TEXT),
    st.builds(AudioPart, url=_OPTIONAL_TEXT, data=_BYTES, media_type=_OPTIONAL_TEXT, transcript=_OPTIONAL_TEXT),
    st.builds(
        FilePart,
        url=_OPTIONAL_TEXT,
        data=_BYTES,
        media_type=_OPTIONAL_TEXT,
        name=_OPTIONAL_TEXT,
        file_id=_OPTIONAL_TEXT,
    ),
    st.builds(ReasoningPart, _TEXT, signature=_OPTIONAL_TEXT, data=_BYTES),
    st.builds(RawPart, METADATA, provider=st.sampled_from(["", "openai", "anthropic", "x"])),
)
CONTENT = _TEXT | st.lists(PARTS, max_size=3).map(tuple)
TOOL_CALLS = st.builds(ToolCall, id=_TEXT, name=_TEXT, arguments=METADATA)

_ENVELOPE = {
    "id": maybe(IDS),
    "metadata": METADATA,
    "created_at": maybe(MOMENTS),
    "updated_at": maybe(MOMENTS),
    "version": st.integers(0, 5),
}
_MESSAGE = {"name": _OPTIONAL_TEXT, "pinned": st.booleans(), "tokens": maybe(INTS), **_ENVELOPE}

WORKING_MEMORIES = st.builds(WorkingMemory, _TEXT, **_ENVELOPE)
FACTS = st.builds(Fact, _TEXT, topic=_TEXT, **_ENVELOPE)
SYSTEM_MESSAGES = st.builds(SystemMessage, CONTENT, **_MESSAGE)
USER_MESSAGES = st.builds(UserMessage, CONTENT, **_MESSAGE)
ASSISTANT_MESSAGES = st.builds(
    AssistantMessage,
    CONTENT,
    tool_calls=st.lists(TOOL_CALLS, max_size=3).map(tuple),
    model_id=_OPTIONAL_TEXT,
    usage=maybe(METADATA),
    finish_reason=_OPTIONAL_TEXT,
    **_MESSAGE,
)
TOOL_MESSAGES = st.builds(ToolMessage, CONTENT, tool_call_id=_TEXT, is_error=st.booleans(), **_MESSAGE)
RECORDS = st.one_of(WORKING_MEMORIES, FACTS, SYSTEM_MESSAGES, USER_MESSAGES, ASSISTANT_MESSAGES, TOOL_MESSAGES)

_SHORT_TEXT = st.sampled_from(["", "one", "two"])
_CALL_IDS = st.lists(st.sampled_from("xyz"), min_size=1, max_size=3, unique=True)
_SAID = {"pinned": st.integers(0, 7).map(lambda drawn: not drawn), "tokens": maybe(st.integers(0, 3))}


def _round(calls, answers, fields):
    """An assistant message with calls, and results: usually one for each, or those that are given."""
    asked = AssistantMessage("asked", tool_calls=[ToolCall(call, "f") for call in calls], **fields)
    return [asked, *(ToolMessage("answer", tool_call_id=call) for call in answers or reversed(calls))]


ROUNDS = st.builds(
    _round,
    _CALL_IDS,
    st.none() | st.none() | st.lists(st.sampled_from("xyz"), max_size=3),
    st.fixed_dictionaries(_SAID),
)
SINGLES = st.one_of(
    st.builds(UserMessage, _SHORT_TEXT, **_SAID),
    st.builds(AssistantMessage, _SHORT_TEXT, **_SAID),
    st.builds(SystemMessage, _SHORT_TEXT, **_SAID),
    st.builds(ToolMessage, _SHORT_TEXT, tool_call_id=st.sampled_from("xyz"), **_SAID),
).map(lambda message: [message])
# As a crash, a careless caller or two writers at once may leave them: groups that are whole, and groups that are not.
HISTORIES = st.lists(ROUNDS | SINGLES | SINGLES, max_size=6).map(
    lambda pieces: [message for piece in pieces for message in piece]
)


def identical(left, right):
    """Equality that tells True from 1, 1 from 1.0 and -0.0 from 0.0, takes nan for nan, all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return (left != left and right != right) or struct.pack("d", left) == struct.pack("d", right)  # noqa: PLR0124 - nan
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(identical, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(identical(left[key], right[key]) for key in left)
    if isinstance(left, datetime) or not attrs.has(type(left)):
        return left == right
    return all(identical(getattr(left, item.name), getattr(right, item.name)) for item in attrs.fields(type(left)))


def utc(moment):
    """The same moment as memkit returns it."""
    return None if moment is None else from_us((moment - from_us(0)) // timedelta(microseconds=1))


def in_utc(value):
    """The same value with every moment in UTC, as memkit returns them."""
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, list | tuple):
        return type(value)(map(in_utc, value))
    if isinstance(value, dict):
        return {key: in_utc(item) for key, item in value.items()}
    if not attrs.has(type(value)):
        return value
    return evolve(value, **{item.name: in_utc(getattr(value, item.name)) for item in attrs.fields(type(value))})
