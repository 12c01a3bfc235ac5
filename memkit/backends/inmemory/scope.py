"""A conversation as a whole: its parts, and what is known about it."""

from __future__ import annotations

from memkit.backends.inmemory.parts import Part

__all__ = ["Scope"]


class Scope:
    """All parts of one conversation, its owner, and the facts on the whole.

    Attributes:
        owner: whose it is; None if nobody claimed it.
        parts: what it has, by name.
        title: None if it has none.
        metadata: encoded; None if it has none.
        created_us: when its log was begun; None if it has none.
        revision: of its log; 0 if it never had one.
        edits: the last revision that was not only an append.
        lives_ms: time to live that was set for the whole of it; None if none was, 0 is for ever.
        floor: no revision at or below this one is given.
    """

    __slots__ = ("created_us", "edits", "floor", "lives_ms", "metadata", "owner", "parts", "revision", "title")

    def __init__(self, floor: int) -> None:
        self.owner: str | None = None
        self.parts: dict[str, Part] = {}
        self.title: str | None = None
        self.metadata: bytes | None = None
        self.created_us: int | None = None
        self.revision = 0
        self.edits = 0
        self.lives_ms: int | None = None
        self.floor = floor

    @property
    def size(self) -> int:
        """Bytes of the title and the metadata."""
        return self.size_with(None, None)

    def size_with(self, title: str | None, metadata: bytes | None) -> int:
        """What `size` would be after `describe`."""
        text = self.title if title is None else title
        encoded = self.metadata if metadata is None else metadata
        return len((text or "").encode()) + len(encoded or b"")

    def describe(self, title: str | None, metadata: bytes | None) -> None:
        """Set title and metadata; None leaves one, an empty one takes it away."""
        if title is not None:
            self.title = title or None
        if metadata is not None:
            self.metadata = metadata or None

    def revise(self, time_us: int, *, edited: bool) -> int:
        """Note that its log has changed, by an append or otherwise. Returns the new revision."""
        if self.created_us is None:
            self.created_us = time_us
        self.revision = self.floor = max(time_us, self.floor + 1)
        if edited:
            self.edits = self.revision
        return self.revision

    def lifetime(self, ttl_ms: int, *, default: bool) -> int:
        """How long its log shall live; a default time gives way to one that was set for the whole."""
        return ttl_ms if self.lives_ms is None or not default else self.lives_ms
