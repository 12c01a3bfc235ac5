"""What is known of a conversation in Redis: see `lua/owner.lua` for its key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memkit.backends.redis.calls import ALL_DATA, Argument, Call, Token, Wiring, heading, scripted
from memkit.commands import (
    About,
    AboutErase,
    AboutExpire,
    AboutRead,
    AboutSet,
    Erased,
    TurnEnd,
    TurnGrant,
    TurnRenew,
    TurnTake,
)

__all__ = ["BUILDERS", "about"]

_ABSENT = -2


def _read(command: AboutRead, token: Token, wiring: Wiring) -> Call:
    del token
    return scripted("about_read", wiring, command, f"about {ALL_DATA}", [command.owner or ""], about)


def about(reply: list[Any] | None) -> About | None:
    """What the script ``about_read`` says."""
    if reply is None:
        return None
    owner, title, metadata, created, revision, edits, renews, count, lives, log_ms, wm_ms = reply
    return About(
        owner=None if owner is None else owner.decode(),
        title=None if title is None else title.decode(),
        metadata=metadata,
        created_us=None if created is None else int(created),
        revision=int(revision or 0),
        edits=int(edits or 0),
        count=count,
        lives_ms=max(lives, 0),
        log_ms=_left(log_ms),
        wm_ms=_left(wm_ms),
        renews_ms=None if renews is None else int(renews),
    )


def _left(milliseconds: int) -> int | None:
    """From what the server says of a time to live to what commands say."""
    return None if milliseconds == _ABSENT else max(milliseconds, 0)


def _set(command: AboutSet, token: Token, wiring: Wiring) -> Call:
    fields: list[Argument] = []
    if command.title is not None:
        fields += ["t", command.title]
    if command.metadata is not None:
        fields += ["m", command.metadata]
    return scripted(
        "about_set", wiring, command, f"ops about {ALL_DATA}", [*heading(command, token, wiring), *fields], bool
    )


def _expire(command: AboutExpire, token: Token, wiring: Wiring) -> Call:
    parts = f"ops about pos ltz ltx {ALL_DATA}"
    return scripted("about_expire", wiring, command, parts, heading(command, token, wiring), bool)


def _erase(command: AboutErase, token: Token, wiring: Wiring) -> Call:
    parts = f"ops about gone pos ltz ltx {ALL_DATA}"
    arguments = [*heading(command, token, wiring), int(command.dry)]
    return scripted("about_erase", wiring, command, parts, arguments, _erased)


def _erased(reply: list[int]) -> Erased:
    theirs, messages, working, long_term, branched = reply
    return Erased(bool(theirs), messages, working, long_term, branched)


def _take(command: TurnTake, token: Token, wiring: Wiring) -> Call:
    return scripted("turn_take", wiring, command, "ops about", heading(command, token, wiring), _grant)


def _grant(reply: list[Any]) -> TurnGrant:
    number, wait = int(reply[0]), reply[1]
    return TurnGrant(number or None, wait)


def _renew(command: TurnRenew, token: Token, wiring: Wiring) -> Call:
    arguments = [*heading(command, token, wiring), command.number]
    return scripted("turn_renew", wiring, command, "ops about", arguments, bool)


def _end(command: TurnEnd, token: Token, wiring: Wiring) -> Call:
    arguments = [0, *heading(command, token, wiring), command.number]
    return scripted("turn_renew", wiring, command, "ops about", arguments, bool)


BUILDERS: dict[type, Callable[[Any, Token, Wiring], Call]] = {
    AboutRead: _read,
    AboutSet: _set,
    AboutExpire: _expire,
    AboutErase: _erase,
    TurnTake: _take,
    TurnRenew: _renew,
    TurnEnd: _end,
}
