"""What a caller hands to the four verbs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final, Literal

from attrs import frozen

from memkit.records import Memory

__all__ = ["UNSET", "MemoryInput", "MemoryType", "Unset"]


class Unset(Enum):
    """Type of `UNSET`."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET
"""Stands for "not given" where None has a meaning of its own."""


class MemoryType(Enum):
    """Which memory of a conversation is meant."""

    WORKING_MEMORY = "WORKING_MEMORY"
    SHORT_TERM_MEMORY = "SHORT_TERM_MEMORY"
    LONG_TERM_MEMORY = "LONG_TERM_MEMORY"

    # Members are equal only to themselves; Enum's own hash is a call of Python code for each look-up.
    __hash__ = object.__hash__


@frozen(kw_only=False)
class MemoryInput:
    """One call of a verb. A field that the verb does not use must be left alone.

    Attributes:
        conversation_id: which conversation; any text that is not empty.
        memory_type: which memory of it.
        data: the records to store, or the one to update with.
        memory_id: id of one record.
        query: words to look for; the records come ranked by BM25.
        limit: at most so many records; None means all.
        filters: equality on metadata keys (dotted paths), ``role``, ``topic``; ``created_after``, ``created_before``.
        metadata: merged under the metadata of each record.
        user_id: whose conversation it is; another user's is refused.
        ttl: seconds to live from this write on; None means for ever; left alone, the manager's default.
        expected_version: do it only if the stored record has this version; 0 means that there is none.
    """

    conversation_id: str
    memory_type: MemoryType | Literal["WORKING_MEMORY", "SHORT_TERM_MEMORY", "LONG_TERM_MEMORY"] = (
        MemoryType.SHORT_TERM_MEMORY
    )
    data: Sequence[Memory] = ()
    memory_id: str | None = None
    query: str | None = None
    limit: int | None = None
    filters: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] | None = None
    user_id: str | None = None
    ttl: float | Unset | None = UNSET
    expected_version: int | None = None
