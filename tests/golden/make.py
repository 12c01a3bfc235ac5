"""Write the golden files of the wire format that are not there yet. What is there is never written again.

Run it as ``python -m tests.golden.make`` after adding a case to `CASES`.
"""

from __future__ import annotations

import base64
import json
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgpack
from attrs import evolve

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
from memkit.codec.serializers import JsonSerializer, MsgpackSerializer
from memkit.codec.shapes import UnknownPart
from memkit.codec.wire import Codec, Envelope, binding_of
from memkit.ids import pack_id

HERE = Path(__file__).parent
SERIALIZERS = {"msgpack": MsgpackSerializer(), "json": JsonSerializer()}

CREATED_US = 1_715_947_200_000_001
UPDATED_US = 1_715_950_800_999_999
PLACE = binding_of("memkit", "SHORT_TERM_MEMORY", "Grüße:42")
UUID = "018f8a3c-1b2d-7e4f-8a9b-0c1d2e3f4a5b"

_METADATA = {
    "none": None,
    "yes": True,
    "no": False,
    "zero": 0,
    "least": -(1 << 63),
    "most": (1 << 64) - 1,
    "half": 0.5,
    "minus zero": -0.0,
    "inf": float("inf"),
    "minus inf": float("-inf"),
    "text": "Grüße, 世界 😀\x00\n",
    "bytes": b"\x00\xc1\xff",
    "list": [1, [], [None, True]],
    "map": {"": {}, "deep": {"er": 1}},
    "moment": datetime(2024, 5, 17, 14, 0, 0, 1, tzinfo=timezone(timedelta(hours=2))),
    "in a list": [datetime(1, 1, 1, tzinfo=UTC), {"$bytes": "not ours"}, {"$time": {"$map": 1}}],
    "$dollar": {"$float": "nan"},
}
_PARTS = (
    TextPart("look"),
    ImagePart(url="https://example.org/a.png", media_type="image/png", detail="low"),
    ImagePart(data=b"\x89PNG", media_type="image/png"),
    AudioPart(data=b"RIFF", media_type="audio/wav", transcript="hello"),
    FilePart(url="https://example.org/a.pdf", name="a.pdf", file_id="file-1"),
    ReasoningPart("because", signature="c2ln", data=b"\x01"),
    RawPart({"type": "hologram", "deep": [1, {"a": b"x"}]}, provider="openai"),
    TextPart(""),
)

CASES = {
    "working_memory": WorkingMemory("The user plans a trip.", id=UUID),
    "working_memory_empty": WorkingMemory("", id="w"),
    "system_message": SystemMessage("Be brief.", id=UUID, pinned=True),
    "user_message": UserMessage("Hello", id=UUID),
    "user_message_full": UserMessage(_PARTS, id="own id", name="ann", tokens=42, metadata=_METADATA),
    "assistant_message": AssistantMessage("Hi", id=UUID),
    "assistant_message_full": AssistantMessage(
        (TextPart("calling"),),
        id=UUID,
        tool_calls=(ToolCall("call_1", "weather", {"city": "Wien", "days": 3}), ToolCall("call_2", "now")),
        model_id="model-1",
        usage={"input_tokens": 12, "details": {"cached": 0}},
        finish_reason="tool_calls",
        tokens=7,
    ),
    "tool_message": ToolMessage("22 °C", id=UUID, tool_call_id="call_1", name="weather"),
    "tool_message_error": ToolMessage("no such city", id="t", tool_call_id="call_2", is_error=True),
    "fact": Fact("likes tea", topic="taste", id=UUID),
    "fact_new": Fact("likes tea", id=UUID),
    "fact_without_topic": Fact("likes tea", id="018F8A3C-1B2D-7E4F-8A9B-0C1D2E3F4A5B"),
}
"""What is written today, and read for ever."""

_HEAD = [2, "usr", PLACE.scope, "own id", CREATED_US, UPDATED_US, 3, {"a": 1}]
FOREIGN = {
    "newer_schema": [*_HEAD, "Hello", "ann", False, 5, {"mood": "good"}, [1, 2], "more"],
    "newer_schema_short": [*_HEAD, "Hello"],
    "unknown_part": [
        1,
        *_HEAD[1:],
        [["text", "a"], ["hologram", "data", {"x": 1}], ["image", "u", None, None, "low", 9]],
    ],
}
"""What a newer memkit may write: its schema, and kinds of parts that are not known today."""

_NEWER = UserMessage("Hello", id="own id", name="ann", tokens=5, metadata={"a": 1})
_UNKNOWN = (
    TextPart("a"),
    UnknownPart({"kind": "hologram", "fields": ["data", {"x": 1}]}, provider="memkit"),
    ImagePart(url="u", detail="low"),
)
READ = {
    "newer_schema": _NEWER,
    "newer_schema_short": evolve(_NEWER, name=None, tokens=None),
    "unknown_part": evolve(_NEWER, content=_UNKNOWN, name=None, tokens=None),
}
"""What is made of it."""


def stamps(name):
    """Return created, updated and version of a record: those of its third version, or of a new one."""
    return (CREATED_US, CREATED_US, 1) if name.endswith("_new") else (CREATED_US, UPDATED_US, 3)


def expected(name):
    """Return the record that a golden file holds."""
    record = CASES.get(name) or READ[name]
    created_us, updated_us, version = stamps(name)
    return evolve(record, created_at=from_us(created_us), updated_at=from_us(updated_us), version=version)


def encoded(name, codec):
    """Return the bytes of a record as today's encoder writes them."""
    record = CASES[name]
    return Codec(SERIALIZERS[codec]).encode(record, Envelope(pack_id(record.id), *stamps(name), PLACE.scope), name)


def _foreign(name, codec):
    # Not with memkit's own encoder: that one could not write these.
    values = FOREIGN[name]
    return msgpack.packb(values) if codec == "msgpack" else json.dumps(values, separators=(",", ":")).encode()


def path_of(name, codec):
    """Return where the bytes of a record are kept; msgpack in base64, so that the files are text."""
    return HERE / f"{name}.{codec}.txt"


def read(name, codec):
    """Return the bytes of a golden file."""
    text = path_of(name, codec).read_text(encoding="utf-8")
    return base64.b64decode(text, validate=False) if codec == "msgpack" else text.removesuffix("\n").encode()


def _text(raw, codec):
    return base64.encodebytes(raw).decode() if codec == "msgpack" else raw.decode() + "\n"


def main():
    """Write what is missing."""
    for name in (*CASES, *FOREIGN):
        for codec in SERIALIZERS:
            raw = encoded(name, codec) if name in CASES else _foreign(name, codec)
            try:
                with path_of(name, codec).open("x", encoding="utf-8", newline="\n") as file:
                    file.write(_text(raw, codec))
            except FileExistsError:
                continue
            sys.stdout.write(f"wrote {path_of(name, codec).name}\n")


if __name__ == "__main__":
    main()
