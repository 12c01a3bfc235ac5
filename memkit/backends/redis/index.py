"""The index in Redis: see `lua/index_touch.lua` for its keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memkit.backends.redis.about import about
from memkit.backends.redis.calls import ALL_DATA, Argument, Call, Token, Wiring, called, scripted
from memkit.commands import (
    AboutRead,
    Entered,
    IndexDrop,
    IndexEnter,
    IndexFence,
    IndexPage,
    IndexRead,
    IndexRow,
    IndexSize,
    IndexTouch,
)

__all__ = ["BUILDERS"]


def _touch(command: IndexTouch, token: Token, wiring: Wiring) -> Call:
    del token
    return _scripted("index_touch", wiring, command, [command.name, command.ttl_ms, wiring.window_ms], lambda _: None)


def _enter(command: IndexEnter, token: Token, wiring: Wiring) -> Call:
    if wiring.is_cluster:
        looked = AboutRead(command.place, command.owner)
        return scripted("about_read", wiring, looked, f"about {ALL_DATA}", [command.owner or ""], _looked)
    del token
    keys, names = [wiring.keys.key(command.place)], list[Argument]()
    for touch in command.touches:
        keys += _keys(touch, wiring)
        names.append(touch.name)
    keys += [wiring.keys.prefix(command.place) + part.encode() for part in ALL_DATA.split()]
    return called("index_enter", keys, [command.owner or "", command.ttl_ms, wiring.window_ms, *names], _entered)


def _entered(reply: list[Any]) -> Entered:
    done, *known = reply
    if done:
        return Entered(done=True)
    owner, renews = known
    return Entered(done=False, owner=owner.decode(), renews_ms=None if renews is None else int(renews))


def _looked(reply: list[Any] | None) -> Entered:
    """Of a cluster, where the indexes lie in other slots: only whose the conversation is."""
    found = about(reply)
    if found is None:
        return Entered(done=False)
    return Entered(done=False, owner=found.owner, renews_ms=found.renews_ms)


def _keys(command: IndexTouch | IndexDrop, wiring: Wiring) -> list[bytes]:
    """The fences of the index and of the name, and the keys of the index."""
    prefix = wiring.keys.prefix(command.place)
    fences = wiring.keys.fence(command.place), wiring.keys.fence(command.place, command.name)
    return [*fences, prefix + b"cv", prefix + b"cx"]


def _scripted(
    name: str,
    wiring: Wiring,
    command: IndexTouch | IndexDrop,
    arguments: list[Argument],
    parse: Callable[[Any], Any],
) -> Call:
    """A call of a script that changes one name."""
    return called(name, _keys(command, wiring), arguments, parse)


def _read(command: IndexRead, token: Token, wiring: Wiring) -> Call:
    del token
    behind = "" if command.after is None else command.after.touched_us
    arguments: list[Argument] = [command.count, int(command.newest), behind]
    return scripted("index_read", wiring, command, "cv", arguments, lambda flat: _page(flat, command.count))


def _page(flat: list[Any], count: int) -> IndexPage:
    rows = tuple(IndexRow(name.decode(), int(touched)) for name, touched in zip(flat[::2], flat[1::2], strict=True))
    return IndexPage(rows[:count], len(rows) > count)


def _drop(command: IndexDrop, token: Token, wiring: Wiring) -> Call:
    del token
    untouched = "" if command.untouched is None else command.untouched
    lasts = wiring.window_ms if command.fence else 0
    return _scripted("index_drop", wiring, command, [command.name, untouched, lasts], bool)


def _fence(command: IndexFence, token: Token, wiring: Wiring) -> Call:
    del token
    return Call(("SET", wiring.keys.fence(command.place), "1", "PX", wiring.window_ms), lambda _: None)


def _size(command: IndexSize, token: Token, wiring: Wiring) -> Call:
    del token
    return Call(("ZCARD", wiring.keys.key(command.place)), int)


BUILDERS: dict[type, Callable[[Any, Token, Wiring], Call]] = {
    IndexTouch: _touch,
    IndexEnter: _enter,
    IndexRead: _read,
    IndexDrop: _drop,
    IndexFence: _fence,
    IndexSize: _size,
}
