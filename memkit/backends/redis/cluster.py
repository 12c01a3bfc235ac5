"""The links to a cluster: one link for each of its nodes, and each call goes to the node that has its keys.

A node that does not have them (any more) says who does; the call is sent there at once. All else that goes wrong is a
fault for the retries, and before the next try the nodes are asked anew who has which slot.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from memkit.backends.redis.calls import Commands
from memkit.backends.redis.discovery import Timeouts
from memkit.backends.redis.faults import Down, Fault, Refused, accepted, closed
from memkit.backends.redis.forks import generation
from memkit.backends.redis.pool import Pool
from memkit.backends.redis.slots import (
    ASK_SLOTS,
    Address,
    Command,
    Group,
    Hop,
    Topology,
    end_of_asking,
    key_of_one,
    node_of,
)
from memkit.backends.redis.target import Target
from memkit.retrying import remaining

__all__ = ["AsyncClusterLink", "ClusterLink"]

# So often a command is sent on; nodes that do not agree for longer are left to the retries.
_HOPS = 5
_SILENT = "no node of the cluster says in time who has which slot"
_AT_ODDS = "the nodes of the cluster do not agree on who has a slot"


@contextmanager
def _in_doubt(*, others: bool) -> Iterator[None]:
    """What fails within leaves it open what became of the call, where there are others than that which failed."""
    try:
        yield
    except Fault as fault:
        fault.in_doubt = fault.in_doubt or others
        raise


class ClusterLink:
    """Sends calls to the nodes of a cluster. For threads, also after a fork.

    Args:
        target: the cluster.
        timeouts: of connecting and of one try, in seconds.
        make: returns the link to one node.
    """

    is_cluster = True

    def __init__(self, target: Target, timeouts: Timeouts, make: Callable[[Target], Pool]) -> None:
        self._target = target
        self._timeouts = timeouts
        self._make = make
        self._known = Topology(target.addresses)
        self._nodes: dict[Address, Pool] = {}
        self._closed = False
        self._generation, self._lock = generation(), threading.Lock()

    def __str__(self) -> str:
        return str(self._target)

    def exchange(self, commands: Commands, *, fresh: bool = False) -> list[Any]:
        """Send each command to its node and return all replies.

        Raises:
            Fault: a reply is an error, or did not come.
        """
        known = self._known
        # What is out of date is told by the nodes; only who met a fault looks for the cause.
        if known.stale and not (fresh and known.version):
            self._refresh()
            fresh = False
        if len(commands) > 1:
            return accepted(self._together(commands))
        key = key_of_one(commands)
        if key is None and commands[0][0] == "SCAN":
            page = known.page(commands[0])
            return [known.after(page, self._one(page.address, (page.command,), fresh=fresh)[0])]
        return self._one(known.owner(key), commands, fresh=fresh)

    def replies(self, commands: Commands) -> list[Any]:
        """The same with errors among the replies.

        Raises:
            Fault: they did not come.
        """
        if self._known.stale:
            self._refresh()
        return self._together(commands)

    def _one(self, address: Address, commands: Commands, *, fresh: bool) -> list[Any]:
        try:
            return self._node(address).exchange(commands, fresh=fresh)
        except Fault as fault:
            hop = self._known.hop(fault, address)
            if hop is None:
                raise
        return self._follow(hop, commands[0])

    def _follow(self, hop: Hop, command: Command) -> list[Any]:
        for _ in range(_HOPS):
            try:
                replies = self._node(hop.address).exchange(hop.commands(command))
            except Fault as fault:
                further = self._known.hop(fault, hop.address)
                if further is None:
                    raise
                hop = further
            else:
                self._catch_up()
                return replies[-1:]
        raise Down(_AT_ODDS)

    def _catch_up(self) -> None:
        """Where one slot moved others may have, too. The reply is there already: nothing here can make it fail."""
        if self._known.stale:
            with suppress(Fault):
                self._refresh()

    def _together(self, commands: Commands) -> list[Any]:
        groups = self._known.groups(commands)
        replies: list[Any] = [None] * len(commands)
        with _in_doubt(others=len(groups) > 1):
            parts = self._sent(groups)
        with _in_doubt(others=len(commands) > 1):
            for group, part in zip(groups, parts, strict=True):
                for place, command, reply in zip(group.places, group.commands, part, strict=True):
                    hop = self._known.hop(reply, group.address) if isinstance(reply, Fault) else None
                    replies[place] = reply if hop is None else self._followed(hop, command)
        return replies

    def _followed(self, hop: Hop, command: Command) -> Any:
        try:
            return self._follow(hop, command)[0]
        except Refused as refused:
            return refused

    def _sent(self, groups: list[Group]) -> list[list[Any]]:
        """The replies to each group; all are sent before the first reply is waited for."""
        on_the_way, replies = [], []
        with ExitStack() as stack:
            for group in groups:
                patience = self._timeouts.patience()
                with self._watched(group.address):
                    wire = stack.enter_context(self._node(group.address).lent(patience))
                    on_the_way.append((group, wire, wire.send(group.commands, patience)))
            for group, wire, until in on_the_way:
                with self._watched(group.address):
                    replies.append(wire.receive(len(group.commands), until))
        return replies

    @contextmanager
    def _watched(self, address: Address) -> Iterator[None]:
        try:
            yield
        except Fault as fault:
            self._known.hop(fault, address)
            raise

    def _refresh(self) -> None:
        """Ask who has which slot. Threads that want to know it at the same time ask once."""
        if self._generation != generation():
            # Whoever asked in the parent does not give the lock back here.
            self._generation, self._lock = generation(), threading.Lock()
        lock, seen = self._lock, self._known.version
        until = end_of_asking(self._timeouts)
        if not lock.acquire(timeout=self._timeouts.patience()):
            raise Down(_SILENT)
        try:
            if self._known.version == seen:
                self._learn(until)
        finally:
            lock.release()

    def _learn(self, until: float) -> None:
        reason = _SILENT
        for address, seconds in self._known.turns(self._timeouts.attempt, until):
            try:
                with self._node(address).lent(seconds) as wire:
                    replies = wire.exchange(ASK_SLOTS, seconds)
                self._known.learn(accepted(replies)[0], address)
            except Fault as fault:
                reason = self._known.unanswered(address, fault)
            else:
                self._leave_strangers()
                return
        raise Down(reason)

    def _leave_strangers(self) -> None:
        for address in self._known.strangers(list(self._nodes)):
            # Only what rests is closed: others may be in the middle of a call.
            self._nodes[address].rediscover(leave=True)

    def _node(self, address: Address) -> Pool:
        node = self._nodes.get(address)
        if node is None:
            node = self._made(address)
        return node

    def _made(self, address: Address) -> Pool:
        # Nothing is connected yet: who is slower than another thread loses nothing.
        node = self._nodes.setdefault(address, self._make(node_of(self._target, address)))
        if self._closed:
            raise closed()
        return node

    def rediscover(self, *, leave: bool) -> None:
        """Ask anew who has which slot before the next try. An address is that of one node: no connection is left."""
        del leave
        self._known.stale = True

    def close(self) -> None:
        """Close the connections that rest now, and those in use when they are given back."""
        self._closed = True
        for node in list(self._nodes.values()):
            node.close()


class AsyncNode(Protocol):
    """The async link to one node: see `Loops`."""

    def begin(self, commands: Commands) -> asyncio.Future[list[Any]] | None: ...
    async def exchange(self, commands: Commands) -> list[Any]: ...
    async def replies(self, commands: Commands) -> list[Any]: ...
    def rediscover(self, *, leave: bool) -> None: ...
    async def aclose(self) -> None: ...


class AsyncClusterLink:
    """`ClusterLink` for asyncio: one connection to each node carries the calls of all tasks of a loop.

    One store may be used from several loops, one after another or in several threads at once, and after a fork.

    Args:
        target: the cluster.
        timeouts: of connecting and of one try, in seconds.
        make: returns the link to one node.
    """

    is_cluster = True

    def __init__(self, target: Target, timeouts: Timeouts, make: Callable[[Target], AsyncNode]) -> None:
        self._target = target
        self._timeouts = timeouts
        self._make = make
        self._known = Topology(target.addresses)
        self._nodes: dict[Address, AsyncNode] = {}
        self._closed = False
        self._asking: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()

    def __str__(self) -> str:
        return str(self._target)

    def begin(self, commands: Commands) -> Awaitable[list[Any]] | None:
        """Send one command to its node at once; None if there are more, or something has to be waited for first."""
        if len(commands) > 1 or (key := key_of_one(commands)) is None:
            return None
        address = self._known.owner(key)
        node = self._nodes.get(address)
        begun = None if node is None else node.begin(commands)
        return None if begun is None else self._ended(begun, address, commands)

    async def _ended(self, begun: Awaitable[list[Any]], address: Address, commands: Commands) -> list[Any]:
        try:
            replies = await begun
        except Fault as fault:
            self._known.hop(fault, address)
            raise
        reply = replies[0]
        hop = self._known.hop(reply, address) if isinstance(reply, Fault) else None
        return replies if hop is None else await self._follow(hop, commands[0])

    async def exchange(self, commands: Commands) -> list[Any]:
        """Send each command to its node and return all replies.

        Raises:
            Fault: a reply is an error, or did not come.
        """
        known = self._known
        if known.stale:
            await self._refresh()
        if len(commands) > 1:
            return accepted(await self._together(commands))
        key = key_of_one(commands)
        if key is None and commands[0][0] == "SCAN":
            page = known.page(commands[0])
            return [known.after(page, (await self._one(page.address, (page.command,)))[0])]
        return await self._one(known.owner(key), commands)

    async def replies(self, commands: Commands) -> list[Any]:
        """The same with errors among the replies.

        Raises:
            Fault: they did not come.
        """
        if self._known.stale:
            await self._refresh()
        return await self._together(commands)

    async def _one(self, address: Address, commands: Commands) -> list[Any]:
        return accepted(await self._ended(self._node(address).replies(commands), address, commands))

    async def _follow(self, hop: Hop, command: Command) -> list[Any]:
        for _ in range(_HOPS):
            try:
                replies = await self._node(hop.address).exchange(hop.commands(command))
            except Fault as fault:
                further = self._known.hop(fault, hop.address)
                if further is None:
                    raise
                hop = further
            else:
                await self._catch_up()
                return replies[-1:]
        raise Down(_AT_ODDS)

    async def _catch_up(self) -> None:
        """Where one slot moved others may have, too. The reply is there already: nothing here can make it fail."""
        if self._known.stale:
            with suppress(Fault):
                await self._refresh()

    async def _together(self, commands: Commands) -> list[Any]:
        groups = self._known.groups(commands)
        replies: list[Any] = [None] * len(commands)
        with _in_doubt(others=len(groups) > 1):
            parts = await asyncio.gather(*[self._sent(group) for group in groups])
        with _in_doubt(others=len(commands) > 1):
            for group, part in zip(groups, parts, strict=True):
                for place, command, reply in zip(group.places, group.commands, part, strict=True):
                    hop = self._known.hop(reply, group.address) if isinstance(reply, Fault) else None
                    replies[place] = reply if hop is None else await self._followed(hop, command)
        return replies

    async def _followed(self, hop: Hop, command: Command) -> Any:
        try:
            return (await self._follow(hop, command))[0]
        except Refused as refused:
            return refused

    async def _sent(self, group: Group) -> list[Any]:
        """The replies to a group."""
        try:
            return await self._node(group.address).replies(group.commands)
        except Fault as fault:
            self._known.hop(fault, group.address)
            raise

    async def _refresh(self) -> None:
        """Ask who has which slot. Tasks of a loop that want to know it at the same time ask once."""
        asking = self._asked()
        try:
            async with asyncio.timeout(remaining()):
                # One task asks for all; who is cancelled meanwhile leaves the others their answer.
                await asyncio.shield(asking)
        except TimeoutError:
            raise Down(_SILENT) from None

    def _asked(self) -> asyncio.Task[None]:
        loop = asyncio.get_running_loop()
        asking = self._asking.get(loop)
        if asking is None:
            asking = self._asking[loop] = loop.create_task(self._learn())
            asking.add_done_callback(self._done)
        return asking

    def _done(self, asking: asyncio.Task[None]) -> None:
        self._asking.pop(asking.get_loop(), None)
        # Everybody who waited may have been cancelled: then nobody else looks at the error.
        if not asking.cancelled():
            asking.exception()

    async def _learn(self) -> None:
        reason = _SILENT
        for address, seconds in self._known.turns(self._timeouts.attempt, end_of_asking(self._timeouts)):
            try:
                async with asyncio.timeout(seconds):
                    (reply,) = await self._node(address).exchange(ASK_SLOTS)
                self._known.learn(reply, address)
            except TimeoutError:
                reason = self._known.unanswered(address, Down("no reply in time"))
            except Fault as fault:
                reason = self._known.unanswered(address, fault)
            else:
                self._leave_strangers()
                return
        raise Down(reason)

    def _leave_strangers(self) -> None:
        if self._known.version == 1:
            # Nobody has sent anything yet but this question: these are names of nodes that announce others.
            for address in self._known.strangers(list(self._nodes)):
                self._nodes[address].rediscover(leave=True)

    def _node(self, address: Address) -> AsyncNode:
        node = self._nodes.get(address)
        if node is None:
            node = self._made(address)
        return node

    def _made(self, address: Address) -> AsyncNode:
        # Nothing is connected yet: who is slower than another thread loses nothing.
        node = self._nodes.setdefault(address, self._make(node_of(self._target, address)))
        if self._closed:
            raise closed()
        return node

    def rediscover(self, *, leave: bool) -> None:
        """Ask anew who has which slot before the next try. An address is that of one node: no connection is left."""
        del leave
        self._known.stale = True

    async def aclose(self) -> None:
        """Close the connections of all loops."""
        self._closed = True
        for node in list(self._nodes.values()):
            await node.aclose()
