"""From commands to what is sent, and from replies to results. The parser stands beside the builder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import hiredis
from attrs import frozen

from memkit.backends.redis.keys import KeySpace
from memkit.backends.redis.scripts import script
from memkit.commands import Owned, Place
from memkit.errors import OwnerMismatchError

__all__ = ["Argument", "Call", "Commands", "Token", "Wiring", "digest", "id_bytes", "packed", "read", "scripted"]

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
        now_s: wall time in seconds.
    """

    keys: KeySpace
    window_ms: int
    now_s: Callable[[], int]


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


def id_bytes(wire_id: bytes | str) -> bytes:
    """An id as scripts see it: 16 bytes are a UUID, anything else is text."""
    if isinstance(wire_id, bytes):
        return wire_id
    text = b"s" + wire_id.encode()
    return b"x" + text[1:] + b"x" if len(text) == 16 else text  # noqa: PLR2004 - the size of a UUID


def scripted(  # noqa: PLR0917 - all of it is always given
    name: str, wiring: Wiring, place: Place, parts: str, arguments: list[Argument], parse: Callable[[Any], Any]
) -> Call:
    """A call of one script.

    Args:
        name: of the script.
        wiring: what builders need.
        place: whose keys it gets.
        parts: names of the parts whose keys it gets, in order.
        arguments: what it gets beside the keys.
        parse: from its reply to the result.
    """
    prefix = wiring.keys.prefix(place)
    keys = [prefix + part.encode() for part in parts.split()]
    command = ("EVALSHA", script(name).digest, len(keys), *keys, *arguments)
    return Call((command,), lambda replies: parse(replies[0]))


def read(wiring: Wiring, command: Owned[Any], sent: tuple[Argument, ...], parse: Callable[[Any], Any]) -> Call:
    """A call of one reading command of the server; where an owner is named, it is asked for in the same trip."""
    if command.owner is None:
        return Call((sent,), lambda replies: parse(replies[0]))
    owner = command.owner.encode()

    def checked(replies: list[Any]) -> Any:
        if replies[0] not in (None, owner):
            raise OwnerMismatchError
        return parse(replies[1])

    about = wiring.keys.prefix(command.place) + b"about"
    return Call((("HGET", about, "u"), sent), checked)
