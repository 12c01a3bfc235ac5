"""The log in Redis: see `lua/order.lua` for its keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memkit.backends.redis.calls import Argument, Call, Token, Wiring, digest, id_bytes, read, scripted
from memkit.commands import Entry, LogAppend, LogClear, LogFind, LogRead, LogRemove, LogReplace, Slots, Swap

__all__ = ["BUILDERS", "swap_of"]

_DEAD = b"\xc0"


def _append(command: LogAppend, token: Token, wiring: Wiring) -> Call:
    given = not all(entry.fresh for entry in command.entries)
    # Only ids that the caller chose can be stored a second time on purpose; the others need no token.
    lane: tuple[Argument, Argument] = (token.lane, token.number) if given else ("", "")
    flags = "".join("n" if entry.fresh else "g" for entry in command.entries)
    records = [piece for entry in command.entries for piece in _pieces(entry)]
    arguments: list[Argument] = [command.ttl_ms, command.owner or "", wiring.window_ms, *lane, flags, *records]
    return scripted("log_append", wiring, command.place, "log pos idx gone ops about", arguments, int)


def _pieces(entry: Entry) -> tuple[bytes, bytes]:
    return id_bytes(entry.id), entry.wire


def _read(command: LogRead, token: Token, wiring: Wiring) -> Call:
    del token
    first = 0 if command.count is None else -(command.skip + command.count)
    sent = ("LRANGE", wiring.keys.key(command.place), first, -(command.skip + 1))
    return read(wiring, command, sent, _slots)


def _slots(replies: list[bytes]) -> Slots:
    return Slots([wire for wire in replies if wire != _DEAD] if _DEAD in replies else replies, len(replies))


def _find(command: LogFind, token: Token, wiring: Wiring) -> Call:
    del token
    arguments: list[Argument] = [command.owner or "", id_bytes(command.id)]
    return scripted("log_find", wiring, command.place, "log pos idx about", arguments, lambda wire: wire)


def swap_of(reply: list[Any]) -> Swap:
    """The result of a script that changes one record."""
    return Swap(done=bool(reply[0]), current=reply[1] if len(reply) > 1 else None)


def _replace(command: LogReplace, token: Token, wiring: Wiring) -> Call:
    head: list[Argument] = [command.ttl_ms, command.owner or "", wiring.window_ms, token.lane, token.number]
    arguments = [*head, id_bytes(command.id), digest(command.old), command.new]
    return scripted("log_replace", wiring, command.place, "log pos idx ops about", arguments, swap_of)


def _remove(command: LogRemove, token: Token, wiring: Wiring) -> Call:
    head: list[Argument] = [command.owner or "", wiring.window_ms, token.lane, token.number]
    arguments = [*head, id_bytes(command.id), digest(command.old)]
    return scripted("log_remove", wiring, command.place, "log pos idx ops about wm ltm", arguments, swap_of)


def _clear(command: LogClear, token: Token, wiring: Wiring) -> Call:
    arguments: list[Argument] = [command.owner or "", wiring.window_ms, token.lane, token.number]
    return scripted("log_clear", wiring, command.place, "log pos idx gone ops about wm ltm", arguments, int)


BUILDERS: dict[type, Callable[[Any, Token, Wiring], Call]] = {
    LogAppend: _append,
    LogRead: _read,
    LogFind: _find,
    LogReplace: _replace,
    LogRemove: _remove,
    LogClear: _clear,
}
