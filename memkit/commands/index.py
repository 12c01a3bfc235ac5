"""The index: names in the order of their last touch, paged from either end. It is how conversations are listed."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from memkit.commands.base import Command, Effect

__all__ = ["IndexDrop", "IndexFence", "IndexPage", "IndexRead", "IndexRow", "IndexSize", "IndexTouch"]


@frozen
class IndexRow:
    """A name in an index.

    Attributes:
        name: the name.
        touched_us: when it was touched last, in microseconds since 1970.
    """

    name: str
    touched_us: int


@frozen
class IndexPage:
    """A piece of an index.

    Attributes:
        rows: in the order of the command.
        more: whether there are others behind them.
    """

    rows: tuple[IndexRow, ...]
    more: bool


@frozen
class IndexTouch(Command[None]):
    """Put a name in front of all others. Raises `ErasedError` while the index, or the name in it, is fenced.

    Attributes:
        name: the name.
        ttl_ms: milliseconds after which it may be forgotten, if no other touch asked for more; 0 is never.
    """

    effect: ClassVar[Effect] = Effect.REPEATABLE

    name: str
    ttl_ms: int = 0


@frozen
class IndexRead(Command[IndexPage]):
    """Read names by their last touch; no two have the same.

    Attributes:
        count: how many.
        after: the row behind which to begin; it may have moved or gone. None: from the start.
        newest: the newest first; else the oldest.
    """

    count: int
    after: IndexRow | None = None
    newest: bool = True


@frozen
class IndexDrop(Command[bool]):
    """Take a name out; where `untouched` is given, only if it was not touched after that.

    Attributes:
        name: the name.
        untouched: microseconds since 1970.
        fence: refuse touches of the name for a while, also where it was not there: a late one must not bring it back.
    """

    effect: ClassVar[Effect] = Effect.REPEATABLE

    name: str
    untouched: int | None = None
    fence: bool = False


@frozen
class IndexFence(Command[None]):
    """Refuse touches for a while, which is longer than any late try of a write can take."""

    effect: ClassVar[Effect] = Effect.REPEATABLE


@frozen
class IndexSize(Command[int]):
    """How many names there are."""
