"""The records that memkit keeps: frozen attrs classes with a keyword-only envelope."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from attrs import field, frozen

__all__ = [
    "AssistantMessage",
    "AudioPart",
    "Fact",
    "FilePart",
    "ImagePart",
    "Memory",
    "Message",
    "Part",
    "RawPart",
    "ReasoningPart",
    "SystemMessage",
    "TextPart",
    "ToolCall",
    "ToolMessage",
    "UserMessage",
    "WorkingMemory",
]


@frozen
class Memory:
    """Base of everything stored. Subclass it with `attrs.frozen` and `memkit.register` for records of your own.

    Attributes:
        id: chosen by memkit (a UUIDv7) where it is None; your own makes a repeated store harmless.
        metadata: str keys; values are None, bool, int within 64 bits, float, str, bytes, list, dict, aware datetime.
        created_at: aware, kept in UTC to the microsecond; set by the first store where it is None.
        updated_at: aware UTC; set by memkit at every write.
        version: 1 after the first store, one more after each update; 0 before it was stored.
    """

    id: str | None = field(default=None, kw_only=True)
    metadata: Mapping[str, Any] = field(factory=dict, kw_only=True)
    created_at: datetime | None = field(default=None, kw_only=True)
    updated_at: datetime | None = field(default=None, kw_only=True)
    version: int = field(default=0, kw_only=True)


@frozen
class WorkingMemory(Memory):
    """The one value that an agent keeps of a conversation, rewritten as it goes."""

    working_memory: str


@frozen
class Fact(Memory):
    """Something known, filed under a topic."""

    text: str
    topic: str = ""


@frozen
class Part:
    """Base of the parts of a message's content."""


@frozen
class TextPart(Part):
    """A piece of text."""

    text: str


@frozen
class ImagePart(Part):
    """An image, by address or by value.

    Attributes:
        url: where it is; also a ``data:`` URL.
        data: its bytes.
        media_type: for example ``image/png``.
        detail: how closely the model shall look: ``low``, ``high``, ``auto``.
    """

    url: str | None = None
    data: bytes | None = None
    media_type: str | None = None
    detail: str | None = None


@frozen
class AudioPart(Part):
    """A piece of audio, by address or by value.

    Attributes:
        url: where it is.
        data: its bytes.
        media_type: for example ``audio/wav``.
        transcript: what is said in it.
    """

    url: str | None = None
    data: bytes | None = None
    media_type: str | None = None
    transcript: str | None = None


@frozen
class FilePart(Part):
    """A file, by address, by a provider's id, or by value.

    Attributes:
        url: where it is.
        data: its bytes.
        media_type: for example ``application/pdf``.
        name: file name.
        file_id: id under which a provider keeps it.
    """

    url: str | None = None
    data: bytes | None = None
    media_type: str | None = None
    name: str | None = None
    file_id: str | None = None


@frozen
class ReasoningPart(Part):
    """What a model thought before it answered.

    Attributes:
        text: the reasoning, or its summary.
        signature: a provider's proof that the text is its own.
        data: opaque or encrypted reasoning.
    """

    text: str = ""
    signature: str | None = None
    data: bytes | None = None


@frozen
class RawPart(Part):
    """A part that memkit has no type for, kept verbatim.

    Attributes:
        payload: the part as it came; the same values as in `Memory.metadata`.
        provider: whose format it is, for example ``openai``.
    """

    payload: Mapping[str, Any]
    provider: str = ""


@frozen
class ToolCall:
    """A model's wish to have a tool called.

    Attributes:
        id: joins the call to the `ToolMessage` that answers it.
        name: name of the tool.
        arguments: its arguments; the same values as in `Memory.metadata`.
    """

    id: str
    name: str
    arguments: Mapping[str, Any] = field(factory=dict)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _content(value: Any) -> Any:
    # Chat formats write null where an assistant says nothing beside its tool calls.
    return "" if value is None else _tuple(value)


@frozen
class Message(Memory):
    """Base of the messages of a conversation.

    Attributes:
        role: ``system``, ``user``, ``assistant`` or ``tool``; given by the class.
        content: text, or a tuple of parts.
        name: of the one who speaks.
        pinned: stays in every window.
        tokens: length in the tokens of your model, where you counted it.
    """

    role: ClassVar[str]

    content: str | tuple[Part, ...] = field(default="", converter=_content)
    name: str | None = field(default=None, kw_only=True)
    pinned: bool = field(default=False, kw_only=True)
    tokens: int | None = field(default=None, kw_only=True)


@frozen
class SystemMessage(Message):
    """What the model is told to be."""

    role: ClassVar[str] = "system"


@frozen
class UserMessage(Message):
    """What the user said."""

    role: ClassVar[str] = "user"


@frozen
class AssistantMessage(Message):
    """What the model answered.

    Attributes:
        tool_calls: the calls that it asks for.
        model_id: which model it was.
        usage: counts that the provider gave, for example ``{"input_tokens": 12}``.
        finish_reason: why it ended.
    """

    role: ClassVar[str] = "assistant"

    tool_calls: tuple[ToolCall, ...] = field(default=(), converter=_tuple, kw_only=True)
    model_id: str | None = field(default=None, kw_only=True)
    usage: Mapping[str, Any] | None = field(default=None, kw_only=True)
    finish_reason: str | None = field(default=None, kw_only=True)


@frozen
class ToolMessage(Message):
    """What a tool returned.

    Attributes:
        tool_call_id: id of the `ToolCall` that it answers.
        is_error: whether the tool failed.
    """

    role: ClassVar[str] = "tool"

    tool_call_id: str = field(kw_only=True)
    is_error: bool = field(default=False, kw_only=True)
