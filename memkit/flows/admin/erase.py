"""Erasing conversations so that nothing of them is left, and nothing comes back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import evolve, frozen

from memkit.clock import from_us
from memkit.commands import (
    About,
    AboutErase,
    AboutRead,
    Erased,
    IndexDrop,
    IndexFence,
    IndexPage,
    IndexRead,
    LeftoverPage,
    Leftovers,
    Place,
)
from memkit.errors import InvalidInputError
from memkit.flows.admin.walk import Walk
from memkit.flows.base import Context, Flow
from memkit.flows.fields import identifier, optional
from memkit.flows.places import ALL_CONVERSATIONS, ALL_USERS, conversation, conversations_of
from memkit.results import EraseReceipt

__all__ = ["erase"]

_FENCED = 120.0
_PAGE = 100
# So often, names that are still there after their erasure are tried anew.
_STUBBORN = 3


@frozen
class _Request:
    """What shall be erased; exactly one is given."""

    user_id: str | None
    conversation_id: str | None
    namespace: bool
    dry: bool


@frozen
class _Tally:
    """What was found."""

    conversations: int = 0
    messages: int = 0
    working: int = 0
    long_term: int = 0
    branched: int = 0
    verified: bool = False

    def plus(self, found: Erased) -> _Tally:
        """With one conversation more."""
        counts = (found.messages, found.working, found.long_term, found.branched)
        return _Tally(
            self.conversations + any(counts),
            self.messages + found.messages,
            self.working + found.working,
            self.long_term + found.long_term,
            self.branched + found.branched,
        )


def erase(ctx: Context, user_id: Any, conversation_id: Any, namespace: Any, dry_run: Any) -> Flow[EraseReceipt]:
    """Flow of `IMemoryAdmin.erase`."""
    request = _checked(user_id, conversation_id, namespace, dry_run)
    started = ctx.clock.time_us()
    tally = yield from _run(request)
    return EraseReceipt(
        user_id=request.user_id,
        conversation_id=request.conversation_id,
        conversations=tally.conversations,
        messages=tally.messages,
        working_memories=tally.working,
        long_term_memories=tally.long_term,
        branch_messages=tally.branched,
        dry_run=request.dry,
        verified=tally.verified,
        fenced_for=0.0 if request.dry else _FENCED,
        started_at=from_us(started),
        finished_at=from_us(ctx.clock.time_us()),
    )


def _checked(user_id: Any, conversation_id: Any, namespace: Any, dry_run: Any) -> _Request:
    for name, value in (("namespace", namespace), ("dry_run", dry_run)):
        if type(value) is not bool:
            raise InvalidInputError(name, f"is of type {type(value).__name__}: give True or False")
    user, only = optional(identifier)("user_id", user_id), optional(identifier)("conversation_id", conversation_id)
    if (user is not None) + (only is not None) + namespace != 1:
        raise InvalidInputError("user_id", "give exactly one of user_id, conversation_id and namespace=True")
    return _Request(user, only, namespace, dry_run)


def _run(request: _Request) -> Flow[_Tally]:
    if request.conversation_id is not None:
        return (yield from _one(request.conversation_id, dry=request.dry))
    if request.dry:
        index = ALL_CONVERSATIONS if request.user_id is None else conversations_of(request.user_id)
        return (yield from _count(index, request.user_id))
    if request.user_id is not None:
        return (yield from _user(request.user_id))
    return (yield from _namespace())


def _user(user_id: str) -> Flow[_Tally]:
    tally = yield from _sweep(conversations_of(user_id), user_id)
    if tally.verified:
        yield IndexDrop(ALL_USERS, user_id, fence=True)
    return tally


def _namespace() -> Flow[_Tally]:
    yield IndexFence(ALL_USERS)
    tally = yield from _sweep(ALL_CONVERSATIONS, None)
    if not tally.verified:
        return tally
    yield from _users()
    left = yield from _left()
    return evolve(tally, verified=not left)


def _users() -> Flow[None]:
    """Take all names out of all users' indexes: also what was deleted or has expired may still be named there."""
    while users := (yield from _fenced_names(ALL_USERS)):
        for user_id in users:
            index = conversations_of(user_id)
            while names := (yield from _fenced_names(index)):
                for name in names:
                    yield IndexDrop(index, name)
            yield IndexDrop(ALL_USERS, user_id)


def _fenced_names(index: Place) -> Flow[list[str]]:
    """The names that were touched longest ago. No others come: the fence is put anew, a long erasure outlasts one."""
    yield IndexFence(index)
    page: IndexPage = yield IndexRead(index, _PAGE, newest=False)
    return [row.name for row in page.rows]


def _left() -> Flow[bool]:
    """Whether there is anything in the namespace."""
    cursor: int | None = 0
    while cursor is not None:
        page: LeftoverPage = yield Leftovers(ALL_CONVERSATIONS, whole=True, cursor=cursor)
        if page.count:
            return True
        cursor = page.cursor
    return False


def _about(name: str) -> Place:
    return conversation(name, "about")


def _one(name: str, *, dry: bool) -> Flow[_Tally]:
    before: About | None = yield AboutRead(_about(name), None)
    found: Erased = yield AboutErase(_about(name), None, dry)
    tally = _Tally().plus(found)
    if dry:
        return tally
    after: About | None = yield AboutRead(_about(name), None)
    if after is None:
        yield from _drop(name, [*_index_of(before), ALL_CONVERSATIONS])
    return evolve(tally, verified=after is None)


def _count(index: Place, owner: str | None) -> Flow[_Tally]:
    tally, walk = _Tally(), Walk(index)
    while names := (yield from walk.page()):
        for name in names:
            found: Erased = yield AboutErase(_about(name), owner, dry=True)
            tally = tally.plus(found)
    return tally


def _sweep(index: Place, owner: str | None) -> Flow[_Tally]:
    """Erase from the start of an index until it is empty: an erasure that is repeated begins where another ended."""
    tally, stubborn = _Tally(), 0
    while stubborn < _STUBBORN:
        names = yield from _fenced_names(index)
        if not names:
            return evolve(tally, verified=True)
        tally, left = yield from _page(index, owner, names, tally)
        stubborn = stubborn + 1 if left == len(names) else 0
    return tally


def _page(index: Place, owner: str | None, names: list[str], tally: _Tally) -> Flow[tuple[_Tally, int]]:
    """Erase these; what is gone then is taken out of the indexes, last of that which is swept. How many are left."""
    theirs = set()
    for name in names:
        found: Erased = yield AboutErase(_about(name), owner)
        tally = tally.plus(found)
        theirs |= {name} if found.theirs else set()
    abouts: list[About | None] = yield tuple(AboutRead(_about(name), None) for name in names)
    left = 0
    for name, about in zip(names, abouts, strict=True):
        if name in theirs:
            yield IndexDrop(index, name)
        elif about is None:
            yield from _drop(name, dict.fromkeys([ALL_CONVERSATIONS, index]))
        else:
            left += 1
    return tally, left


def _index_of(about: About | None) -> list[Place]:
    return [] if about is None or about.owner is None else [conversations_of(about.owner)]


def _drop(name: str, places: Iterable[Place]) -> Flow[None]:
    for place in places:
        yield IndexDrop(place, name, fence=True)
