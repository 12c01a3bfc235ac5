"""The log in Redis: see `lua/order.lua` for its keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack

from memkit.backends.redis.calls import (
    ALL_DATA,
    Argument,
    Call,
    Ready,
    Token,
    Wiring,
    bulk,
    digest,
    heading,
    life,
    scripted,
)
from memkit.commands import (
    Cursor,
    Entry,
    LogAppend,
    LogClear,
    LogFind,
    LogRead,
    LogRemove,
    LogReplace,
    LogRewrite,
    LogSlice,
    LogWindow,
    Opening,
    Outcome,
    Rewritten,
    Slice,
    Slots,
    Swap,
    WindowSlots,
)
from memkit.ids import id_key, key_id

__all__ = ["BUILDERS", "anchor", "rewritten", "swap_of"]

_DEAD = b"\xc0"
_NAMED, _GIVEN = 64, 96


def _flag(entry: Entry) -> int:
    return (_NAMED if entry.fresh else _GIVEN) + entry.mark


def _flags(entries: tuple[Entry, ...]) -> bytes:
    return bytes([_flag(entry) for entry in entries])


def _pieces(entries: tuple[Entry, ...]) -> list[Argument]:
    return [piece for entry in entries for piece in (id_key(entry.id), entry.wire)]


def _append(command: LogAppend, token: Token, wiring: Wiring) -> Call:
    entries, owner, turn = command.entries, command.owner, command.turn
    count, ttl = 5 + 2 * len(entries), life(command)
    front = wiring.fronts("log_append", command.place.name, "log pos idx gone ops about", count, ttl, owner or "")
    number, options = b"%d" % token.number, _options(command)
    if len(entries) == 1 and turn is None:
        # Nearly every append is of this form.
        key, wire, flag = id_key(entries[0].id), entries[0].wire, _flag(entries[0])
        said = (front, token.lane, len(number), number, flag, len(options), options, len(key), key, len(wire), wire)
        return Call(Ready(_ONE % said), _same)
    lane = b"%b$8\r\n%b\r\n$%d\r\n%b\r\n" % (front, token.lane, len(number), number)
    rest = [bulk("" if turn is None else turn), bulk(_flags(entries)), bulk(options), *map(bulk, _pieces(entries))]
    return Call(Ready(b"".join([lane, *rest])), _same)


_ONE = b"%b$8\r\n%b\r\n$%d\r\n%b\r\n$0\r\n\r\n$1\r\n%c\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n"


def _same(reply: Any) -> Any:
    return reply


def _options(command: LogAppend) -> bytes:
    """What most appends do not ask for."""
    retention = command.retention
    if not (retention.age_ms or command.whole or command.alone or command.opening):
        return b"%d" % retention.most if retention.most else b""
    asked = {
        "most": retention.most,
        "age": retention.age_ms,
        "whole": command.whole,
        "alone": command.alone,
        **_opening(command.opening),
    }
    given = {name: value for name, value in asked.items() if value}
    # The msgpack of scripts has no type for bytes.
    return bytes(msgpack.packb(given, use_bin_type=False)) if given else b""


def _opening(opening: Opening | None) -> dict[str, Any]:
    if opening is None:
        return {}
    created = None if opening.created_us is None else str(opening.created_us)
    renews = None if opening.renews_ms is None else str(opening.renews_ms)
    return {"t": opening.title, "m": opening.metadata, "c": created, "x": renews}


def _read(command: LogRead, token: Token, wiring: Wiring) -> Call:
    del token
    first = 0 if command.count is None else -command.count
    if command.owner is None:
        return Call(("LRANGE", wiring.keys.key(command.place), first, -1), _slots)
    return scripted("log_read", wiring, command, f"log about {ALL_DATA}", [command.owner, first], _slots)


def _alive(wires: list[bytes]) -> list[bytes]:
    return [wire for wire in wires if wire != _DEAD] if _DEAD in wires else wires


def _slots(replies: list[bytes]) -> Slots:
    return Slots(_alive(replies), len(replies))


def _anchor(where: bytes | str | Cursor | None) -> bytes:
    if where is None:
        return b""
    return b"k" + where.value if isinstance(where, Cursor) else b"i" + id_key(where)


def _slice(command: LogSlice, token: Token, wiring: Wiring) -> Call:
    del token
    count = -1 if command.count is None else command.count
    ends = [_anchor(command.after), _anchor(command.before)]
    arguments: list[Argument] = [command.owner or "", *ends, count, int(command.newest)]
    return scripted("log_slice", wiring, command, "log pos idx about", arguments, _sliced)


def _sliced(reply: list[Any] | None) -> Slice | None:
    if reply is None:
        return None
    first, last, more, wires = reply
    return Slice(_alive(wires), Cursor(first) if first else None, Cursor(last) if last else None, bool(more))


def _window(command: LogWindow, token: Token, wiring: Wiring) -> Call:
    del token
    arguments: list[Argument] = [command.owner or "", command.count]
    return scripted("log_window", wiring, command, "log pos idx about", arguments, _windowed)


def _windowed(reply: list[Any]) -> WindowSlots:
    first, between, lead, kept, tail = reply
    return WindowSlots(lead, kept, _alive(tail), Cursor(first) if first else None, between)


def _find(command: LogFind, token: Token, wiring: Wiring) -> Call:
    del token
    arguments: list[Argument] = [command.owner or "", id_key(command.id)]
    return scripted("log_find", wiring, command, "log pos idx about", arguments, _same)


def swap_of(reply: list[Any]) -> Swap:
    """The result of a script that changes one record."""
    return Swap(done=bool(reply[0]), current=reply[1] if len(reply) > 1 else None)


def _replace(command: LogReplace, token: Token, wiring: Wiring) -> Call:
    arguments = [
        *heading(command, token, wiring),
        id_key(command.id),
        digest(command.old),
        command.new,
        int(command.mark),
    ]
    return scripted("log_replace", wiring, command, "log pos idx ops about", arguments, swap_of)


def _remove(command: LogRemove, token: Token, wiring: Wiring) -> Call:
    arguments = [*heading(command, token, wiring), id_key(command.id), digest(command.old)]
    return scripted("log_remove", wiring, command, f"pos gone ops about {ALL_DATA}", arguments, swap_of)


def _clear(command: LogClear, token: Token, wiring: Wiring) -> Call:
    return scripted(
        "log_clear", wiring, command, f"pos gone ops about {ALL_DATA}", heading(command, token, wiring), int
    )


def anchor(wire_id: bytes | str | None) -> bytes:
    """An id as an argument; empty for none."""
    return b"" if wire_id is None else id_key(wire_id)


def _asked(number: int | None) -> Argument:
    return "" if number is None else number


def _rewrite(command: LogRewrite, token: Token, wiring: Wiring) -> Call:
    arguments = [
        *heading(command, token, wiring),
        anchor(command.after),
        anchor(command.through),
        _asked(command.revision),
        _asked(command.edits),
        _flags(command.entries),
        *_pieces(command.entries),
    ]
    return scripted("log_rewrite", wiring, command, f"log pos idx gone ops about {ALL_DATA}", arguments, rewritten)


def rewritten(reply: list[Any]) -> Rewritten:
    """The result of a script that changes a piece of a log."""
    outcome, count, revision, last = reply
    return Rewritten(Outcome(outcome.decode()), count, int(revision), key_id(last) if last else None)


BUILDERS: dict[type, Callable[[Any, Token, Wiring], Call]] = {
    LogAppend: _append,
    LogRead: _read,
    LogSlice: _slice,
    LogWindow: _window,
    LogFind: _find,
    LogReplace: _replace,
    LogRemove: _remove,
    LogClear: _clear,
    LogRewrite: _rewrite,
}
