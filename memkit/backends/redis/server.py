"""The server as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from memkit.backends.redis.calls import Call, Token, Wiring
from memkit.commands import LeftoverPage, Leftovers, ServerState, StoreState

__all__ = ["BUILDERS"]

_PAGE = 1000


def _leftovers(command: Leftovers, token: Token, wiring: Wiring) -> Call:
    del token
    stem = wiring.keys.everything if command.whole else wiring.keys.prefix(command.place).decode() + "*"
    fences = wiring.keys.fences
    return Call(("SCAN", command.cursor, "MATCH", stem, "COUNT", _PAGE), lambda reply: _found(reply, fences))


def _found(reply: Any, fences: re.Pattern[bytes]) -> LeftoverPage:
    cursor, keys = reply
    count = sum(fences.fullmatch(key) is None for key in keys)
    return LeftoverPage(count, int(cursor) or None)


def _state(command: ServerState, token: Token, wiring: Wiring) -> Call:
    del command, token, wiring
    return Call(("INFO",), _stated)


def _stated(reply: Any) -> StoreState:
    # A client of redis-py has taken the reply apart already.
    info = reply if isinstance(reply, Mapping) else _sections(reply)
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version", info.get("redis_version", ""))
    return StoreState(
        server=f"{name} {version}",
        used_bytes=_number(info, "used_memory"),
        peak_bytes=_number(info, "used_memory_peak"),
        limit_bytes=_number(info, "maxmemory"),
        eviction=info.get("maxmemory_policy"),
        connected=_number(info, "connected_clients"),
    )


def _sections(reply: bytes | str) -> dict[str, str]:
    text = reply.decode() if isinstance(reply, bytes) else reply
    lines = [line.partition(":") for line in text.splitlines() if not line.startswith("#")]
    return {name: value for name, _, value in lines if name}


def _number(info: Mapping[str, Any], name: str) -> int | None:
    return int(info[name]) if name in info else None


BUILDERS: dict[type, Callable[[Any, Token, Wiring], Call]] = {Leftovers: _leftovers, ServerState: _state}
