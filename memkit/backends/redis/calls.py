"""From commands to what is sent, and from replies to results. The parser stands beside the builder."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import hiredis

from memkit.backends.redis.keys import KeySpace
from memkit.backends.redis.scripts import script
from memkit.commands import Command, Effect, InTurn, Owned, Place
from memkit.shaping import value

__all__ = [
    "ALL_DATA",
    "Argument",
    "Call",
    "Commands",
    "Ready",
    "Token",
    "Wiring",
    "bulk",
    "called",
    "digest",
    "heading",
    "life",
    "packed",
    "scripted",
    "together",
]

Argument = bytes | str | int
Commands = Sequence[tuple[Argument, ...]]


@value
class Token:
    """What a write is recognised by.

    Attributes:
        lane: 8 random bytes that no other running write uses.
        number: rises within the lane.
    """

    lane: bytes
    number: int


class Wiring:
    """What builders need beside a command.

    Args:
        keys: names of keys.
        window_ms: how long the server remembers what was applied; longer than any call is tried.
        is_cluster: scripts can only touch keys of one slot.
    """

    def __init__(self, keys: KeySpace, window_ms: int, *, is_cluster: bool = False) -> None:
        self.is_cluster = is_cluster
        self.keys = keys
        self.window_ms = window_ms
        self._heads = functools.lru_cache(maxsize=4096)(self._make_head)
        self.fronts = functools.lru_cache(maxsize=4096)(self._make_front)

    def head(self, name: str, place: Place, parts: str, *, writes: bool) -> tuple[Argument, ...]:
        """What a call of a script begins with: everything but its arguments.

        Args:
            name: of the script.
            place: whose keys it gets.
            parts: names of the parts whose keys it gets, in order.
            writes: the key of the fence stands in front.
        """
        return self._heads(name, place.scope, place.name, parts, writes)

    def _make_head(self, name: str, scope: str, owner: str, parts: str, writes: bool) -> tuple[Argument, ...]:  # noqa: FBT001 - for the cache
        place = Place(scope, owner, "")
        prefix = self.keys.prefix(place)
        fence = [self.keys.fence(place)] if writes else []
        return _invocation(name, [*fence, *[prefix + part.encode() for part in parts.split()]])

    def _make_front(self, name: str, conversation: str, parts: str, count: int, ttl: Argument, owner: str) -> bytes:  # noqa: PLR0917 - for the cache
        """The bytes with which a call of a script that writes begins, up to the window.

        Args:
            name: of the script.
            conversation: whose keys it gets.
            parts: see `head`; where there is an owner, those of all data of the conversation come behind.
            count: how many arguments follow.
            ttl: the first one.
            owner: the second one.
        """
        head = self._make_head(name, "c", conversation, _with_data(parts, owned=bool(owner)), writes=True)
        front = (*head, ttl, owner, self.window_ms)
        return b"*%d\r\n" % (len(front) + count) + b"".join([bulk(argument) for argument in front])


def _invocation(name: str, keys: list[bytes]) -> tuple[Argument, ...]:
    return ("EVALSHA", script(name).digest, len(keys), *keys)


class Call:
    """What is sent for a command, and what became of its tries.

    Args:
        sent: one command of the server, or one that is packed already.
        parse: from its reply to the result of ours.

    Attributes:
        commands: all that is sent together.
        in_doubt: the server may have executed a try that failed.
    """

    __slots__ = ("commands", "in_doubt", "parse")

    def __init__(self, sent: tuple[Argument, ...] | Ready, parse: Callable[[Any], Any]) -> None:
        self.commands: Commands = sent if isinstance(sent, Ready) else (sent,)
        self.parse = parse
        self.in_doubt = False


def together(calls: list[Call]) -> Call:
    """One call of many; its parser takes the list of all replies."""
    bundle = Call((), lambda replies: [call.parse(reply) for call, reply in zip(calls, replies, strict=True)])
    bundle.commands = tuple([call.commands[0] for call in calls])
    return bundle


# Where the first key is to be found; what may be large comes later.
_FRONT = 4096


class Ready(Sequence[tuple[Argument, ...]]):
    """One command that is packed already, because most of its bytes are known from the last one of its kind.

    Args:
        data: the command in the server's protocol.
    """

    __slots__ = ("_command", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._command: tuple[Argument, ...] | None = None

    @property
    def key(self) -> bytes:
        """The first key. Only calls of scripts are packed already, and no key holds a line break."""
        return self.data[:_FRONT].split(b"\r\n", 9)[8]

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: Any) -> Any:
        # Few want to know: who sends the text of a script, and links that look at the keys.
        if self._command is None:
            reader: Any = hiredis.Reader()
            reader.feed(self.data)
            name, *rest = reader.gets()
            self._command = (name.decode(), *rest)
        return (self._command,)[index]


def bulk(argument: Argument) -> bytes:
    """One argument in the server's protocol."""
    data = argument if isinstance(argument, bytes) else str(argument).encode()
    return b"$%d\r\n%b\r\n" % (len(data), data)


# hiredis types a command as a tuple of one.
_pack: Any = hiredis.pack_command


def packed(commands: Commands) -> bytes:
    """The bytes of commands in the server's protocol."""
    if type(commands) is Ready:
        return commands.data
    if len(commands) == 1:
        data: bytes = _pack(commands[0])
        return data
    return b"".join([_pack(command) for command in commands])


def digest(raw: bytes | None) -> str:
    """SHA-1 by which a script tells whether bytes are still the same; empty for none."""
    return "" if raw is None else hashlib.sha1(raw, usedforsecurity=False).hexdigest()


def heading(command: Owned[Any], token: Token, wiring: Wiring) -> list[Argument]:
    """What the arguments of every changing script begin with."""
    ttl: list[Argument] = [life(command)] if hasattr(command, "ttl_ms") else []
    turn: list[Argument] = [_turn(command)] if isinstance(command, InTurn) else []
    return [*ttl, command.owner or "", wiring.window_ms, token.lane, token.number, *turn]


def life(command: Any) -> Argument:
    """The time to live that a write asks for; a default gives way to the one that was set for the conversation."""
    return f"~{command.ttl_ms}" if getattr(command, "default_ttl", False) else int(command.ttl_ms)


def _turn(command: InTurn[Any]) -> Argument:
    return "" if command.turn is None else command.turn


ALL_DATA = "wm log idx ltm br"
"""Parts that say whether a conversation has any data; see ``lua/owner.lua``."""


def _with_data(parts: str, *, owned: bool) -> str:
    return f"{parts} {ALL_DATA}" if owned and not parts.endswith(ALL_DATA) else parts


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
    owned = isinstance(command, Owned) and command.owner is not None
    head = wiring.head(name, command.place, _with_data(parts, owned=owned), writes=command.effect is not Effect.READ)
    return Call((*head, *arguments), parse)


def called(name: str, keys: list[bytes], arguments: list[Argument], parse: Callable[[Any], Any]) -> Call:
    """A call of one script with keys that are known already."""
    return Call((*_invocation(name, keys), *arguments), parse)
