"""Listing conversations page by page."""

from __future__ import annotations

import base64
from typing import Any

from memkit.commands import About, AboutRead, IndexDrop, IndexPage, IndexRead, IndexRow, Place
from memkit.errors import InvalidInputError
from memkit.flows.base import Context, Flow
from memkit.flows.fields import above_zero, identifier, optional, text
from memkit.flows.history.about import info_of
from memkit.flows.history.conversation import Conversation
from memkit.flows.places import ALL_CONVERSATIONS, conversation, conversations_of
from memkit.results import ConversationInfo, Page

__all__ = ["conversations"]

_MOST = 1000
# Pages on which there is nothing are passed over, so many at most.
_ROUNDS = 10
# A write comes soon after its touch. What was touched so long ago and is not there was not written, or it has expired;
# and what recognises late tries of its writes, under its name, is gone too.
_SETTLED_US = 600_000_000
# So many names that stand for nothing are cleared away by one listing.
_CLEARED = 100
_MAX_US = 1 << 63


def conversations(ctx: Context, user_id: Any, limit: Any, cursor: Any) -> Flow[Page[ConversationInfo]]:
    """Flow of `IMemoryAdmin.conversations`."""
    owner, count = optional(identifier)("user_id", user_id), _limit(limit)
    after = None if cursor is None else _row(cursor)
    index = ALL_CONVERSATIONS if owner is None else conversations_of(owner)
    for _ in range(_ROUNDS):
        page: IndexPage = yield IndexRead(index, count, after)
        found = yield from _look(ctx, index, page, owner)
        after = page.rows[-1] if page.rows else after
        if found or not page.more:
            break
    items = tuple(info_of(Conversation(ctx, name), about) for name, about in found)
    return Page(items, _cursor(after) if page.more and after is not None else None)


def _limit(value: Any) -> int:
    limit = above_zero("limit", value)
    if limit > _MOST:
        raise InvalidInputError("limit", f"is over {_MOST}: give less, and read on with the cursor of the page")
    return limit


def _look(ctx: Context, index: Place, page: IndexPage, owner: str | None) -> Flow[list[tuple[str, About]]]:
    """Those that have data and are the user's; what stands for nothing goes out of the index."""
    found: list[tuple[str, About]] = []
    if not page.rows:
        return found
    abouts: list[About | None] = yield tuple(AboutRead(conversation(row.name, "about"), None) for row in page.rows)
    idle = []
    for row, about in zip(page.rows, abouts, strict=True):
        if about is not None and owner in (None, about.owner):
            found.append((row.name, about))
        elif row.touched_us < ctx.clock.time_us() - _SETTLED_US:
            idle.append(row)
    for row in idle[:_CLEARED]:
        yield IndexDrop(index, row.name, row.touched_us)
    return found


def _cursor(row: IndexRow) -> str:
    return base64.urlsafe_b64encode(f"{row.touched_us}:{row.name}".encode()).decode().rstrip("=")


def _row(cursor: Any) -> IndexRow:
    given = text("cursor", cursor)
    try:
        touched, _, name = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode().partition(":")
        row: IndexRow | None = IndexRow(name, int(touched))
    except ValueError:
        row = None
    # Only what `_cursor` made comes out again as it went in.
    if row is None or not row.name or not 0 <= row.touched_us < _MAX_US or _cursor(row) != given:
        raise InvalidInputError("cursor", "is not one of this listing: give the cursor of the page before, or None")
    return row
