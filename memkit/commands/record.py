"""The record: one value with a version."""

from __future__ import annotations

from memkit.commands.base import Effect, Owned, Write
from memkit.shaping import value

__all__ = ["PutResult", "RecordDrop", "RecordGet", "RecordLoad", "RecordPut", "StoredRecord"]


@value
class StoredRecord:
    """A value as it is stored.

    Attributes:
        version: 1 after the first put, one more after each.
        created_us: when it was first put, as the caller stamped it.
        wire: its bytes; the version and the time inside of them do not count.
    """

    version: int
    created_us: int
    wire: bytes


@value
class PutResult:
    """What became of a put or drop.

    Attributes:
        done: it was made.
        version: the version that it made, or that stands in its way; 0 where nothing is stored.
        created_us: of the value that is stored now.
    """

    done: bool
    version: int
    created_us: int = 0


@value
class RecordPut(Write[PutResult]):
    """Set the value.

    Attributes:
        wire: its bytes.
        created_us: stamp of a value that is new.
        record_id: id inside of the bytes, as the caller knows it.
        expected: only if the stored version is this one, 0 if there is none; None does not ask.
    """

    wire: bytes
    created_us: int
    record_id: str
    expected: int | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        return (self.record_id,)


@value
class RecordGet(Owned[StoredRecord | None]):
    """The value, or None."""


@value
class RecordDrop(Owned[PutResult]):
    """Remove the value; `done` says whether there was one. `expected` as in `RecordPut`."""

    effect = Effect.REPEATABLE

    expected: int | None = None


@value
class RecordLoad(Write[bool]):
    """Set a value that is not there to exactly what it was elsewhere. False: there is one.

    Attributes:
        stored: what it was.
    """

    stored: StoredRecord
