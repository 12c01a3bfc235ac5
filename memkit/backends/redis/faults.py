"""What can go wrong between a call and its replies, and what to do then.

The table is that of the servers' error codes; redis-py's classes do not tell enough apart.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from typing import Any

from memkit.errors import (
    AuthenticationError,
    BackendUnavailableError,
    CapacityError,
    CorruptRecordError,
    ErasedError,
    MemkitError,
    OwnerMismatchError,
    ServerError,
    TurnHeldError,
    TurnLostError,
)

__all__ = [
    "REDISCOVER",
    "RETRY",
    "RULINGS",
    "Down",
    "Fault",
    "Lost",
    "Refused",
    "accepted",
    "closed",
    "error_of",
    "is_transient",
    "refusal",
    "tls_fault",
    "wants_discovery",
]

RETRY = frozenset({"LOADING", "TRYAGAIN", "BUSY", "MASTERDOWN", "NOREPLICAS", "UNBLOCKED", "MAXCLIENTS"})
"""Codes of a server that will soon be able to: the same call is sent again."""

REDISCOVER = frozenset({"READONLY", "CLUSTERDOWN"})
"""Codes of a server that is not the right one any more: it is looked for, then the same call is sent again."""

RULINGS = frozenset({"MKOWNER", "MKERASED", "MKLOST", "MKTURN"})
"""Codes by which our scripts refuse a write for good: whatever became of an earlier try, nothing of it is in doubt."""

# A cluster client follows these itself; from a single server they mean that the URL is of the wrong kind.
_CLUSTER = frozenset({"MOVED", "ASK", "CROSSSLOT"})
_AUTHENTICATION = frozenset({"NOAUTH", "WRONGPASS", "NOPERM"})
# Replies of other kinds are told by their text alone.
_BY_TEXT = {
    "max number of clients reached": "MAXCLIENTS",
    "invalid password": "WRONGPASS",
    "AUTH": "WRONGPASS",
    # A call with many arguments, before it is looked whether there was a login.
    "Protocol error: unauthenticated": "NOAUTH",
}


# Before version 7 the error of a command inside of a script stands at the end of the script's own.
_IN_SCRIPT = re.compile(r"Error running script .*: -?(?P<code>[A-Z]{2,}) (?P<text>.*)", re.DOTALL)


class Fault(Exception):  # noqa: N818 - it never leaves the backend
    """A try failed.

    Attributes:
        in_doubt: the server may have executed the call.
    """

    in_doubt = False


class Down(Fault):
    """The server was not reached; nothing was sent.

    Attributes:
        final: trying again is of no use, for example where a certificate is wrong.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class Lost(Fault):
    """The call was sent, wholly or in part, and its reply did not come."""

    in_doubt = True


class Refused(Fault):
    """The server replied with an error, so it did not execute the call.

    Attributes:
        code: first word of the reply.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def closed() -> Down:
    """The fault of a call over something that was closed."""
    return Down("it was closed: make a new manager", final=True)


def refusal(reply: str) -> Refused:
    """The fault of an error reply. What the reply repeats of a command is left out: it could hold content."""
    code, _, text = reply.partition(" ")
    text, _, _ = text.partition(", with args beginning")
    if not code.isupper():
        return Refused("ERR", "the server refused the command")
    nested = _IN_SCRIPT.fullmatch(text) if code == "ERR" else None
    if nested:
        code, text = nested["code"], nested["text"]
    if code == "ERR":
        code = next((known for start, known in _BY_TEXT.items() if text.startswith(start)), code)
    return Refused(code, text)


def accepted(replies: list[Any]) -> list[Any]:
    """The same replies.

    Raises:
        Refused: one of them is an error.
    """
    for reply in replies:
        if isinstance(reply, Fault):
            raise reply
    return replies


def tls_fault(cause: OSError) -> Down:
    """The fault of a TLS connection that did not come about."""
    if isinstance(cause, FileNotFoundError | PermissionError):
        return Down("a TLS file cannot be read: check ca_file, cert_file and key_file", final=True)
    if isinstance(cause, ssl.SSLError):
        return Down("TLS was refused: check the certificates and the host name", final=True)
    if isinstance(cause, TimeoutError):
        return Down("no connection in time: if the port is reached, does it speak TLS?")
    return Down(f"cannot connect: {cause.strerror or type(cause).__name__}")


def is_transient(error: Exception) -> bool:
    """Whether the same call may succeed when it is sent again."""
    if isinstance(error, Refused):
        return error.code in RETRY or error.code in REDISCOVER
    return isinstance(error, Lost) or (isinstance(error, Down) and not error.final)


def wants_discovery(fault: Fault) -> bool:
    """Whether the server has to be looked for before the next try."""
    return not isinstance(fault, Refused) or fault.code in REDISCOVER


def error_of(fault: Fault, server: str) -> MemkitError:
    """What the caller sees of the last fault of a call whose outcome is not in doubt."""
    if not isinstance(fault, Refused) or is_transient(fault):
        return BackendUnavailableError(f"{server} is not available: {fault}")
    if fault.code in _AUTHENTICATION:
        return AuthenticationError(f"{server} refused the login or the command: {fault.code} {fault}")
    if fault.code in _CLUSTER:
        return ServerError(fault.code, f"{server} is a node of a cluster: use a redis+cluster:// URL")
    known = _ERRORS.get(fault.code)
    return ServerError(fault.code, str(fault)) if known is None else known(server, str(fault))


_ERRORS: dict[str, Callable[[str, str], MemkitError]] = {
    "OOM": lambda server, _: CapacityError(f"{server} is out of memory: raise maxmemory or delete data"),
    "MKOWNER": lambda _server, _text: OwnerMismatchError(),
    "MKERASED": lambda _server, _text: ErasedError(),
    "MKLOST": lambda _server, _text: TurnLostError(),
    "MKTURN": lambda _, text: TurnHeldError(int(text) / 1000),
    "MKDAMAGED": lambda server, _: CorruptRecordError(
        "a stored value is damaged: it has no head; store another one, or delete it", server
    ),
    "MKHALF": lambda server, _: CorruptRecordError(
        "the server evicted one key of a log and not the other: choose noeviction", server
    ),
}
