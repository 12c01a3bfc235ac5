"""The table in Redis: see `lua/rows.lua` for its keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memkit.backends.redis.calls import ALL_DATA, Argument, Call, Token, Wiring, digest, heading, scripted
from memkit.backends.redis.log import swap_of
from memkit.commands import (
    Row,
    Slots,
    TableClear,
    TableDump,
    TableFetch,
    TableRead,
    TableRemove,
    TableSwap,
    TableSwapped,
)
from memkit.ids import id_key

__all__ = ["BUILDERS"]


def _swap(command: TableSwap, token: Token, wiring: Wiring) -> Call:
    arguments = [*heading(command, token, wiring), *(piece for row in command.rows for piece in _pieces(row))]
    return scripted("table_swap", wiring, command, "ltm ltz ltx ops about", arguments, _swapped)


def _pieces(row: Row) -> tuple[Argument, ...]:
    return id_key(row.id), digest(row.old), row.created_us, row.wire


def _swapped(reply: list[Any]) -> TableSwapped:
    return TableSwapped(done=bool(reply[0]), current=tuple(reply[1:]))


def _fetch(command: TableFetch, token: Token, wiring: Wiring) -> Call:
    del token
    arguments: list[Argument] = [command.owner or "", *map(id_key, command.wanted)]
    return scripted("table_fetch", wiring, command, "ltm ltx about", arguments, list)


def _read(command: TableRead, token: Token, wiring: Wiring) -> Call:
    del token
    count = -1 if command.count is None else command.count
    arguments: list[Argument] = [command.owner or "", command.skip, count]
    return scripted("table_read", wiring, command, "ltm ltz ltx about", arguments, _slots)


def _dump(command: TableDump, token: Token, wiring: Wiring) -> Call:
    del token
    arguments: list[Argument] = [command.owner or "", command.skip, command.count]
    return scripted("table_dump", wiring, command, "ltm ltz ltx about", arguments, _pairs)


def _pairs(replies: list[Any]) -> list[tuple[bytes, int]]:
    return list(zip(replies[::2], replies[1::2], strict=True))


def _slots(replies: list[bytes]) -> Slots:
    return Slots(replies, len(replies))


def _remove(command: TableRemove, token: Token, wiring: Wiring) -> Call:
    arguments = [*heading(command, token, wiring), id_key(command.id), digest(command.old)]
    return scripted("table_remove", wiring, command, f"ltz ltx ops about {ALL_DATA}", arguments, swap_of)


def _clear(command: TableClear, token: Token, wiring: Wiring) -> Call:
    arguments = heading(command, token, wiring)
    return scripted("table_clear", wiring, command, f"ltz ltx ops about {ALL_DATA}", arguments, int)


BUILDERS: dict[type, Callable[[Any, Token, Wiring], Call]] = {
    TableSwap: _swap,
    TableFetch: _fetch,
    TableRead: _read,
    TableDump: _dump,
    TableRemove: _remove,
    TableClear: _clear,
}
