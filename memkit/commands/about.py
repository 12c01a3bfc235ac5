"""What is known about a conversation as a whole: title, revision, time to live, whose turn it is, and its erasure."""

from __future__ import annotations

from typing import ClassVar

from memkit.commands.base import Effect, Owned
from memkit.shaping import value

__all__ = [
    "About",
    "AboutErase",
    "AboutExpire",
    "AboutRead",
    "AboutSet",
    "Erased",
    "TurnEnd",
    "TurnGrant",
    "TurnRenew",
    "TurnTake",
]


@value
class About:
    """A conversation that has data.

    Attributes:
        owner: whose it is; None if nobody claimed it.
        title: None if it has none.
        metadata: encoded; None if it has none.
        created_us: when its log was begun; None if it never had one.
        revision: of its log; rises with every change of it, is never given twice, and tells in microseconds since 1970
            when the last one happened. 0 if it never had one.
        edits: the revision of the last change that was not an append, or of the beginning of the log.
        count: how many records its log has.
        lives_ms: milliseconds until the last of its data is gone; 0 is for ever.
        log_ms: the same for its log; None if it has no records there.
        wm_ms: the same for its working memory; None if it has none.
        renews_ms: what `AboutExpire` set, which changes of the log renew; 0 is for ever, None if nothing was set.
    """

    owner: str | None
    title: str | None
    metadata: bytes | None
    created_us: int | None
    revision: int
    edits: int
    count: int
    lives_ms: int
    log_ms: int | None
    wm_ms: int | None
    renews_ms: int | None = None


@value
class AboutRead(Owned[About | None]):
    """What is known; None if the conversation has no data."""


@value
class AboutSet(Owned[bool]):
    """Set title or metadata; False if the conversation has no data. The time to live stays.

    Attributes:
        title: None leaves it, an empty one takes it away.
        metadata: encoded; None leaves it, empty bytes take it away.
    """

    effect: ClassVar[Effect] = Effect.REPEATABLE

    title: str | None = None
    metadata: bytes | None = None


@value
class AboutExpire(Owned[bool]):
    """Let all data of a conversation live that long from now on; False if it has none.

    Later changes of the log renew this time, instead of their default one.

    Attributes:
        ttl_ms: milliseconds; 0 is for ever.
    """

    effect: ClassVar[Effect] = Effect.REPEATABLE

    ttl_ms: int


@value
class TurnGrant:
    """What became of a wish for a turn.

    Attributes:
        number: of the turn, above those of all turns before; None: somebody has it.
        wait_ms: milliseconds that the other turn still lasts.
    """

    number: int | None
    wait_ms: int = 0


@value
class TurnTake(Owned[TurnGrant]):
    """Take the turn, if nobody has it.

    Attributes:
        ttl_ms: milliseconds after which it is over.
    """

    effect: ClassVar[Effect] = Effect.REPEATABLE

    ttl_ms: int


@value
class TurnRenew(Owned[bool]):
    """Let a turn last that long from now on. False: it was over already.

    Attributes:
        number: of the turn.
        ttl_ms: milliseconds.
    """

    effect: ClassVar[Effect] = Effect.REPEATABLE

    number: int
    ttl_ms: int


@value
class TurnEnd(Owned[bool]):
    """Give a turn back. False: it was over already."""

    effect: ClassVar[Effect] = Effect.REPEATABLE

    number: int


@value
class Erased:
    """What an erasure found.

    Attributes:
        theirs: the data belongs to somebody else, or to nobody: it was left alone.
        messages: records in the log.
        working: working memories, 0 or 1.
        long_term: long-term records.
        branched: records in branches.
    """

    theirs: bool = False
    messages: int = 0
    working: int = 0
    long_term: int = 0
    branched: int = 0


@value
class AboutErase(Owned[Erased]):
    """Erase everything that is stored of a conversation, its name too, and refuse writes to it for a while.

    The refusal, an `ErasedError`, lasts longer than any late try of a write can take, and is remembered under a hash.
    With an owner: only if the conversation is his, or has no data. Turns do not hold it up.

    Attributes:
        dry: only count.
    """

    effect: ClassVar[Effect] = Effect.REPEATABLE

    dry: bool = False
