"""Which node of a cluster has which slot, as far as it is known. Nothing here waits for anything."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from attrs import evolve

from memkit.backends.redis.calls import Argument, Commands, Ready
from memkit.backends.redis.discovery import Timeouts
from memkit.backends.redis.faults import Down, Fault, Refused, is_transient, wants_discovery
from memkit.backends.redis.keys import SLOTS, slot_of
from memkit.backends.redis.target import Target
from memkit.retrying import remaining
from memkit.shaping import value

__all__ = [
    "ASK_SLOTS",
    "Address",
    "Command",
    "Group",
    "Hop",
    "Page",
    "Topology",
    "end_of_asking",
    "key_of",
    "key_of_one",
    "node_of",
]

Address = tuple[str, int]
Command = tuple[Argument, ...]

ASK_SLOTS: Commands = (("CLUSTER", "SLOTS"),)
"""What a node is asked; servers older than 7 know no other way."""

_SCRIPTS = frozenset({"EVALSHA", "EVAL"})
_KEYLESS = frozenset({"INFO", "PING", "SCAN"})
_NOWHERE: Address = ("", 0)
_NO_HOST = ("", "?")


def key_of(command: Command) -> Argument | None:
    """The first key of a command; None: it has none. All keys of one lie in one slot."""
    name = command[0]
    if name in _SCRIPTS:
        return command[3] if command[2] else None
    return None if name in _KEYLESS else command[1]


def key_of_one(commands: Commands) -> Argument | None:
    """The same of commands that are only one."""
    return commands.key if type(commands) is Ready else key_of(commands[0])


def node_of(target: Target, address: Address) -> Target:
    """One node of a cluster, with everything else as in the cluster's target."""
    return evolve(target, mode="standalone", addresses=(address,))


def end_of_asking(timeouts: Timeouts) -> float:
    """Monotonic seconds until when the running call may ask who has which slot."""
    left = remaining()
    return time.monotonic() + (timeouts.attempt if left is None else left)


@value
class Group:
    """Commands that one node gets.

    Attributes:
        address: of the node.
        places: where they stand among all commands.
        commands: in this order.
    """

    address: Address
    places: tuple[int, ...]
    commands: Commands


@value
class Hop:
    """Where a node says that a command belongs.

    Attributes:
        address: of the other node.
        asking: it may have this one only when it is told so: the slot is still on its way there.
    """

    address: Address
    asking: bool

    def commands(self, command: Command) -> Commands:
        """What is sent there."""
        return (("ASKING",), command) if self.asking else (command,)


@value
class Page:
    """A page of a scan: of the keys of one node.

    Attributes:
        address: of the node.
        start: its lowest slot.
        command: what it is sent.
    """

    address: Address
    start: int
    command: Command


class Topology:
    """Which node has which slot. Shared by threads and loops: each step is atomic, or harmless if it gets lost.

    Args:
        seeds: addresses of nodes to begin with.

    Attributes:
        stale: something happened of which it may not know.
        version: how often it was learned; 0: nothing is known yet.
    """

    def __init__(self, seeds: tuple[Address, ...]) -> None:
        self.stale = True
        self.version = 0
        self._seeds = seeds
        self._owners = [_NOWHERE] * SLOTS
        # The lowest slot of each primary.
        self._starts: list[tuple[int, Address]] = []
        # Nodes in the order in which they are asked: who answered or failed goes to the end, so that no single node's
        # view is the only one that is ever heard.
        self._order = dict.fromkeys(seeds)

    # -- where commands go ---------------------------------------------------------------------------------------------

    def owner(self, key: Argument | None) -> Address:
        """Who gets a command with this key. An address of nobody as long as nothing is known."""
        if key is None:
            primaries = {address for _, address in self._starts}
            return next((address for address in list(self._order) if address in primaries), _NOWHERE)
        return self._owners[slot_of(key if type(key) is bytes else str(key).encode())]

    def groups(self, commands: Commands) -> list[Group]:
        """Commands by node; the nodes in one and the same order for everybody."""
        places: dict[Address, list[int]] = {}
        for place, command in enumerate(commands):
            places.setdefault(self.owner(key_of(command)), []).append(place)
        return [
            Group(address, tuple(found), tuple([commands[place] for place in found]))
            for address, found in sorted(places.items())
        ]

    def page(self, command: Command) -> Page:
        """The page of a SCAN that its cursor stands for: it says the node by its lowest slot, and the node's cursor."""
        cursor, wanted = divmod(int(command[1]), SLOTS)
        start, address = next((each for each in self._starts if each[0] >= wanted), self._starts[-1])
        # Where slots moved meanwhile, the cursor may be another node's.
        return Page(address, start, ("SCAN", cursor if start == wanted else 0, *command[2:]))

    def after(self, page: Page, reply: Any) -> Any:
        """The reply to a page, with a cursor that leads on through all nodes."""
        cursor, keys = reply
        if int(cursor):
            return [int(cursor) * SLOTS + page.start, keys]
        return [next((start for start, _ in self._starts if start > page.start), 0), keys]

    # -- what is learned -----------------------------------------------------------------------------------------------

    def turns(self, most: float, until: float) -> Iterator[tuple[Address, float]]:
        """Whom to ask, one after the other, each with seconds that it may take: a silent one leaves time for others.

        Args:
            most: seconds that none may exceed.
            until: monotonic seconds at which it is over.
        """
        nodes = list(dict.fromkeys([*self._order, *self._seeds]))
        for number, address in enumerate(nodes, 1):
            left = until - time.monotonic()
            if left > 0:
                yield address, min(most, left if number == len(nodes) else left / 2)

    def learn(self, reply: Any, asked: Address) -> None:
        """Take over the reply to `ASK_SLOTS`.

        Raises:
            Down: the node does not know a single slot.
        """
        if not reply:
            raise Down("it has not joined the cluster")
        # Who asks for a slot that nobody has is told so by any node.
        owners, starts, nodes = [asked] * SLOTS, dict[Address, int](), dict[Address, None]()
        for first, last, *found in reply:
            addresses = [_address(node, asked) for node in found]
            owners[first : last + 1] = [addresses[0]] * (last + 1 - first)
            starts[addresses[0]] = min(first, starts.get(addresses[0], first))
            nodes.update(dict.fromkeys(addresses))
        kept = [address for address in list(self._order) if address in nodes]
        self._order = dict.fromkeys([*kept, *nodes])
        self._starts = sorted((start, address) for address, start in starts.items())
        self._owners = owners
        self._put_last(asked)
        self.version += 1
        self.stale = False

    def hop(self, fault: Fault, asked: Address) -> Hop | None:
        """Take into account what a node replied, or that it did not. Where the command belongs, if the node says so."""
        if isinstance(fault, Refused) and fault.code in {"MOVED", "ASK"}:
            slot, _, where = str(fault).partition(" ")
            host, _, port = where.rpartition(":")
            address = (asked[0] if host in _NO_HOST else host, int(port))
            if fault.code == "MOVED":
                self._moved(int(slot), address)
            return Hop(address, fault.code == "ASK")
        if wants_discovery(fault):
            self._distrust(asked)
        return None

    def _moved(self, slot: int, address: Address) -> None:
        self._owners[slot] = address
        self.stale = True
        # The new owner knows best.
        self._order = {address: None, **self._order}

    def _distrust(self, address: Address) -> None:
        self.stale = True
        self._put_last(address)

    def _put_last(self, address: Address) -> None:
        if address in self._order:
            self._order.pop(address, None)
            self._order[address] = None

    def unanswered(self, address: Address, fault: Fault) -> str:
        """Why a node did not say who has which slot, where another one may.

        Raises:
            Fault: asking others is of no use.
        """
        self._distrust(address)
        if is_transient(fault):
            return f"no node of the cluster says who has which slot ({fault})"
        if isinstance(fault, Refused):
            raise Refused(fault.code, _cure(str(fault)))
        raise Down(str(fault), final=True)

    def strangers(self, addresses: list[Address]) -> list[Address]:
        """Those that are of no node any more, or never were."""
        return [address for address in addresses if address not in self._order]


def _address(node: Any, asked: Address) -> Address:
    """A node's address as it announces it. Who announces no host has that of the node that was asked."""
    raw, port, *more = node
    host = "" if raw is None else raw.decode()
    if host == "?" and len(more) > 1:
        # It should announce a name and has none; its IP address stands beside.
        facts = more[1] if isinstance(more[1], dict) else dict(zip(more[1][::2], more[1][1::2], strict=True))
        host = facts.get(b"ip", b"").decode()
    return (asked[0] if host in _NO_HOST else host, port)


def _cure(text: str) -> str:
    alone = "cluster support disabled" in text
    return "the server is not part of a cluster: use a redis:// or rediss:// URL" if alone else text
