"""The log in Redis: see `lua/order.lua` for its keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memkit.backends.redis.calls import Argument, Call, Token, Wiring, digest, heading, plain, scripted
from memkit.commands import Entry, LogAppend, LogClear, LogFind, LogRead, LogRemove, LogReplace, Slots, Swap
from memkit.ids import id_key

__all__ = ["BUILDERS", "swap_of"]

_DEAD = b"\xc0"


def _append(command: LogAppend, token: Token, wiring: Wiring) -> Call:
    flags = "".join("n" if entry.fresh else "g" for entry in command.entries)
    records = [piece for entry in command.entries for piece in _pieces(entry)]
    arguments = [*heading(command, token, wiring), flags]
    return scripted("log_append", wiring, command, "log pos idx gone ops about", [*arguments, *records], int)


def _pieces(entry: Entry) -> tuple[bytes, bytes]:
    return id_key(entry.id), entry.wire


def _read(command: LogRead, token: Token, wiring: Wiring) -> Call:
    del token
    first = 0 if command.count is None else -(command.skip + command.count)
    last = -(command.skip + 1)
    if command.owner is None:
        return plain(("LRANGE", wiring.keys.key(command.place), first, last), _slots)
    return scripted("log_read", wiring, command, "log about", [command.owner, first, last], _slots)


def _slots(replies: list[bytes]) -> Slots:
    return Slots([wire for wire in replies if wire != _DEAD] if _DEAD in replies else replies, len(replies))


def _find(command: LogFind, token: Token, wiring: Wiring) -> Call:
    del token
    arguments: list[Argument] = [command.owner or "", id_key(command.id)]
    return scripted("log_find", wiring, command, "log pos idx about", arguments, lambda wire: wire)


def swap_of(reply: list[Any]) -> Swap:
    """The result of a script that changes one record."""
    return Swap(done=bool(reply[0]), current=reply[1] if len(reply) > 1 else None)


def _replace(command: LogReplace, token: Token, wiring: Wiring) -> Call:
    arguments = [*heading(command, token, wiring), id_key(command.id), digest(command.old), command.new]
    return scripted("log_replace", wiring, command, "log pos idx ops about", arguments, swap_of)


def _remove(command: LogRemove, token: Token, wiring: Wiring) -> Call:
    arguments = [*heading(command, token, wiring), id_key(command.id), digest(command.old)]
    return scripted("log_remove", wiring, command, "pos gone ops about wm log idx ltm", arguments, swap_of)


def _clear(command: LogClear, token: Token, wiring: Wiring) -> Call:
    arguments = heading(command, token, wiring)
    return scripted("log_clear", wiring, command, "pos gone ops about wm log idx ltm", arguments, int)


BUILDERS: dict[type, Callable[[Any, Token, Wiring], Call]] = {
    LogAppend: _append,
    LogRead: _read,
    LogFind: _find,
    LogReplace: _replace,
    LogRemove: _remove,
    LogClear: _clear,
}
