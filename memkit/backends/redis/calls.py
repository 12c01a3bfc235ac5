"""From commands to what is sent, and from replies to results. The parser stands beside the builder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import hiredis
from attrs import frozen

from memkit.backends.redis.keys import KeySpace
from memkit.backends.redis.scripts import script
from memkit.commands import Command, Effect, InTurn, Owned

__all__ = [
    "ALL_DATA",
    "Argument",
    "Call",
    "Commands",
    "Token",
    "Wiring",
    "called",
    "digest",
    "heading",
    "packed",
    "plain",
    "scripted",
]

Argument = bytes | str | int
Commands = tuple[tuple[Argument, ...], ...]


@frozen
class Token:
    """What a write is recognised by.

    Attributes:
        lane: 8 random bytes that no other running write uses.
        number: rises within the lane.
    """

    lane: bytes
    number: int


@frozen
class Wiring:
    """What builders need beside a command.

    Attributes:
        keys: names of keys.
        window_ms: how long the server remembers what was applied; longer than any call is tried.
    """

    keys: KeySpace
    window_ms: int


@frozen
class Call:
    """What is sent for a command.

    Attributes:
        commands: one or more commands of the server, sent together.
        parse: from their replies to the command's result.
    """

    commands: Commands
    parse: Callable[[list[Any]], Any]


# hiredis types a command as a tuple of one.
_pack: Any = hiredis.pack_command


def packed(commands: Commands) -> bytes:
    """The bytes of commands in the server's protocol."""
    return b"".join([_pack(command) for command in commands])


def digest(raw: bytes | None) -> str:
    """SHA-1 by which a script tells whether bytes are still the same; empty for none."""
    return "" if raw is None else hashlib.sha1(raw, usedforsecurity=False).hexdigest()


def heading(command: Owned[Any], token: Token, wiring: Wiring) -> list[Argument]:
    """What the arguments of every changing script begin with."""
    ttl: list[Argument] = [_ttl(command)] if hasattr(command, "ttl_ms") else []
    turn: list[Argument] = [_turn(command)] if isinstance(command, InTurn) else []
    return [*ttl, command.owner or "", wiring.window_ms, token.lane, token.number, *turn]


def _ttl(command: Any) -> Argument:
    """A default gives way to the time to live that was set for the conversation."""
    return f"~{command.ttl_ms}" if getattr(command, "default_ttl", False) else int(command.ttl_ms)


def _turn(command: InTurn[Any]) -> Argument:
    return "" if command.turn is None else command.turn


ALL_DATA = "wm log idx ltm br"
"""Parts that say whether a conversation has any data; see ``lua/owner.lua``."""


def scripted(  # noqa: PLR0917 - all of it is always given
    name: str, wiring: Wiring, command: Command[Any], parts: str, arguments: list[Argument], parse: Callable[[Any], Any]
) -> Call:
    """A call of one script.

    Args:
        name: of the script.
        wiring: what builders need.
        command: whose place's keys it gets; where it names an owner, those of all data of the conversation besides.
            Where it writes, the key of the fence stands in front.
        parts: names of the parts whose keys it gets, in order.
        arguments: what it gets beside the keys.
        parse: from its reply to the result.
    """
    prefix = wiring.keys.prefix(command.place)
    owned = isinstance(command, Owned) and command.owner is not None
    needed = f"{parts} {ALL_DATA}" if owned and not parts.endswith(ALL_DATA) else parts
    keys = [prefix + part.encode() for part in needed.split()]
    if command.effect is not Effect.READ:
        keys.insert(0, wiring.keys.fence(command.place))
    return called(name, keys, arguments, parse)


def called(name: str, keys: list[bytes], arguments: list[Argument], parse: Callable[[Any], Any]) -> Call:
    """A call of one script with keys that are known already."""
    return plain(("EVALSHA", script(name).digest, len(keys), *keys, *arguments), parse)


def plain(sent: tuple[Argument, ...], parse: Callable[[Any], Any]) -> Call:
    """A call of one command of the server."""
    return Call((sent,), lambda replies: parse(replies[0]))
