"""Conversations of the LoCoMo benchmark as records: one file a conversation, sessions of turns with two speakers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from memkit.records import AssistantMessage, Message, UserMessage

__all__ = ["MalformedError", "is_locomo", "turns_of"]

_SESSION = re.compile(r"session_[0-9]{1,6}")
_TIME = "%I:%M %p on %d %B, %Y"
_KEPT = ("speaker", "dia_id", "img_url", "blip_caption")


class MalformedError(ValueError):
    """It is no conversation of the benchmark; says what is wrong with it."""


def is_locomo(document: Any) -> bool:
    """Whether a JSON document looks like one."""
    return isinstance(document, dict) and {"speaker_a", "speaker_b"} <= document.keys()


def turns_of(document: dict[str, Any]) -> Iterator[tuple[str, Message]]:
    """Every turn with its place in the file, in order: those of `speaker_a` are the user's, the others the assistant's.

    The file has one time for a session; each turn is dated a second after the one before it.

    Raises:
        MalformedError: a session or a turn is not as it should be.
    """
    sessions = [key for key in document if _SESSION.fullmatch(key)]
    for session in sorted(sessions, key=_number):
        begin = _time_of(document, session)
        for index, turn in enumerate(_list_of(document, session), 1):
            place = f"{session}, turn {index}"
            yield place, _message(document, place, turn, begin + timedelta(seconds=index - 1))


def _number(session: str) -> int:
    return int(session.partition("_")[2])


def _time_of(document: dict[str, Any], session: str) -> datetime:
    key = f"{session}_date_time"
    try:
        # The files name no time zone.
        return datetime.strptime(document[key], _TIME).replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError):
        raise MalformedError(f"{key} is missing, or not a time such as '1:56 pm on 8 May, 2023'") from None


def _list_of(document: dict[str, Any], session: str) -> list[Any]:
    turns = document[session]
    if not isinstance(turns, list):
        raise MalformedError(f"{session} is not a list of turns")
    return turns


def _message(document: dict[str, Any], place: str, turn: Any, moment: datetime) -> Message:
    if not isinstance(turn, dict) or not isinstance(turn.get("text"), str):
        raise MalformedError(f"{place} has no text")
    speaker = turn.get("speaker")
    if speaker not in (document["speaker_a"], document["speaker_b"]):
        raise MalformedError(f"{place} is by neither speaker_a nor speaker_b")
    kind = UserMessage if speaker == document["speaker_a"] else AssistantMessage
    metadata = {name: turn[name] for name in _KEPT if name in turn}
    return kind(turn["text"], name=speaker, created_at=moment, metadata=metadata)
