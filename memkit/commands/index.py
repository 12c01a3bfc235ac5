"""The index: names in the order of their last touch, paged from either end. It is how conversations are listed."""

from __future__ import annotations

from typing import ClassVar

from memkit.commands.base import Command, Effect, Owned
from memkit.shaping import value

__all__ = [
    "Entered",
    "IndexDrop",
    "IndexEnter",
    "IndexFence",
    "IndexPage",
    "IndexRead",
    "IndexRow",
    "IndexSize",
    "IndexTouch",
]


@value
class IndexRow:
    """A name in an index.

    Attributes:
        name: the name.
        touched_us: when it was touched last, in microseconds since 1970.
    """

    name: str
    touched_us: int


@value
class IndexPage:
    """A piece of an index.

    Attributes:
        rows: in the order of the command.
        more: whether there are others behind them.
    """

    rows: tuple[IndexRow, ...]
    more: bool


@value
class IndexTouch(Command[None]):
    """Put a name in front of all others. Raises `ErasedError` while the index, or the name in it, is fenced.

    Attributes:
        name: the name.
        ttl_ms: milliseconds after which it may be forgotten, if no other touch asked for more; 0 is never.
    """

    effect: ClassVar[Effect] = Effect.REPEATABLE

    name: str
    ttl_ms: int = 0


@value
class Entered:
    """What became of a wish to enter a conversation in its indexes.

    Attributes:
        done: it was entered. If not, nothing was changed, and it has to be touched index by index.
        owner: whose it is, if it was not entered; None: nobody's.
        renews_ms: a time to live that was set for it, if it was not entered; None: none.
    """

    done: bool
    owner: str | None = None
    renews_ms: int | None = None


@value
class IndexEnter(Owned[Entered]):
    """Touch names of several indexes on behalf of a conversation, all or none, if its owner allows it.

    A backend whose indexes cannot be changed in one step does nothing and says so; and so does any, where there is an
    owner but the command names none: his index is not among those that it would touch. Raises `ErasedError` as
    `IndexTouch` does.

    Attributes:
        ttl_ms: of the touches; where a time to live was set for the conversation, they are for ever.
        touches: which names of which indexes.
    """

    effect: ClassVar[Effect] = Effect.REPEATABLE

    ttl_ms: int
    touches: tuple[IndexTouch, ...]


@value
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


@value
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


@value
class IndexFence(Command[None]):
    """Refuse touches for a while, which is longer than any late try of a write can take."""

    effect: ClassVar[Effect] = Effect.REPEATABLE


@value
class IndexSize(Command[int]):
    """How many names there are."""
