"""The index in Redis: see `lua/index_touch.lua` for its keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memkit.backends.redis.calls import Argument, Call, Token, Wiring, called, plain, scripted
from memkit.commands import IndexDrop, IndexFence, IndexPage, IndexRead, IndexRow, IndexSize, IndexTouch

__all__ = ["BUILDERS"]


def _touch(command: IndexTouch, token: Token, wiring: Wiring) -> Call:
    del token
    return _scripted("index_touch", wiring, command, [command.name, command.ttl_ms, wiring.window_ms], lambda _: None)


def _scripted(
    name: str,
    wiring: Wiring,
    command: IndexTouch | IndexDrop,
    arguments: list[Argument],
    parse: Callable[[Any], Any],
) -> Call:
    """A call of a script that changes one name: the fences of the index and of the name stand first."""
    prefix = wiring.keys.prefix(command.place)
    fences = wiring.keys.fence(command.place), wiring.keys.fence(command.place, command.name)
    return called(name, [*fences, prefix + b"cv", prefix + b"cx"], arguments, parse)


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
    return plain(("SET", wiring.keys.fence(command.place), "1", "PX", wiring.window_ms), lambda _: None)


def _size(command: IndexSize, token: Token, wiring: Wiring) -> Call:
    del token
    return plain(("ZCARD", wiring.keys.key(command.place)), int)


BUILDERS: dict[type, Callable[[Any, Token, Wiring], Call]] = {
    IndexTouch: _touch,
    IndexRead: _read,
    IndexDrop: _drop,
    IndexFence: _fence,
    IndexSize: _size,
}
