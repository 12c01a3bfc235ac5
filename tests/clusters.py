"""Clusters of real servers: links to them, what their nodes say, slots that move, nodes that are stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import contextmanager
from urllib.parse import urlencode

from memkit.backends.redis.cluster import AsyncClusterLink, ClusterLink
from memkit.backends.redis.discovery import Timeouts
from memkit.backends.redis.faults import accepted
from memkit.backends.redis.keys import slot_of
from memkit.backends.redis.loops import Loops
from memkit.backends.redis.pool import Pool
from memkit.backends.redis.target import parse_url
from tests.managers import wait_for

HOST = "127.0.0.1"


def url_of(*ports, **options):
    hosts = ",".join(f"{HOST}:{port}" for port in ports)
    return f"redis+cluster://{hosts}" + (f"?{urlencode(options)}" if options else "")


class Linked:
    """A link of either colour, used as the driver does and called like a sync one."""

    def __init__(self, colour, url, size=2, attempt=2.0):
        target, timeouts = parse_url(url), Timeouts(2.0, attempt)
        self._runner = None if colour == "sync" else asyncio.Runner()
        if colour == "sync":
            self.link = ClusterLink(target, timeouts, lambda node: Pool(node, size, timeouts))
        else:
            self.link = AsyncClusterLink(target, timeouts, lambda node: Loops(node, timeouts))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._runner is None:
            self.link.close()
        else:
            self._runner.run(self.link.aclose())
            self._runner.close()

    def ask(self, *commands):
        """The replies to commands that are sent together."""
        if self._runner is None:
            return self.link.exchange(commands)
        return self._runner.run(self._ask(commands))

    def replies(self, *commands):
        """The same with errors among them."""
        replies = self.link.replies(commands)
        return replies if self._runner is None else self._runner.run(replies)

    async def _ask(self, commands):
        begun = self.link.begin(commands)
        return await self.link.exchange(commands) if begun is None else accepted(await begun)


# What nodes say ------------------------------------------------------------------------------------------------------


def told(cluster, code):
    """How often nodes replied with an error of this code."""
    stats = [node.info("errorstats").get(f"errorstat_{code}") for node in cluster.servers]
    return sum(found["count"] for found in stats if found)


def done(cluster, command, kind="calls"):
    """How often nodes executed a command, or did otherwise with it."""
    stats = [node.info("commandstats").get(f"cmdstat_{command}") for node in cluster.servers]
    return sum(found[kind] for found in stats if found)


def clients(node, mark):
    """How many connections of a name a node has."""
    return str(node.ask("CLIENT", "LIST")).count(f" name={mark} ")


def key_of(name):
    """The key of a conversation's working memory."""
    return f"memkit:{{c:{name}}}:wm"


def owner_of(cluster, key):
    """The node that has a key, as it says itself: word of a move reaches the others late."""
    return next(node for node in cluster.servers if node.running and owner_as_seen_by(node, key) == node.port)


def owner_as_seen_by(node, key):
    """The port of the node that another one takes for the owner of a key."""
    slot = slot_of(key.encode())
    ranges = node.ask("CLUSTER", "SLOTS")
    return next((port for first, last, (_, port, *_), *_ in ranges if first <= slot <= last), None)


@contextmanager
def on_its_way(cluster, key):
    """The slot of a key in the middle of a move: its keys are with the new node, the slot is still the old one's."""
    slot, source = slot_of(key.encode()), owner_of(cluster, key)
    target = next(node for node in cluster.primaries if node is not source)
    here, there = source.ask("CLUSTER", "MYID"), target.ask("CLUSTER", "MYID")
    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", here)
    source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", there)
    keys = source.ask("CLUSTER", "GETKEYSINSLOT", slot, 1000)
    if keys:
        source.ask("MIGRATE", HOST, target.port, "", 0, 5000, "KEYS", *keys)
    yield source, target
    for node in (target, source, *cluster.primaries):
        node.ask("CLUSTER", "SETSLOT", slot, "NODE", there)
    for node in cluster.primaries:
        wait_for(lambda node=node: owner_as_seen_by(node, key) == target.port)


def move(cluster, key):
    """Move the slot of a key to another node."""
    with on_its_way(cluster, key):
        pass


def settled(cluster):
    """Wait until all nodes see the whole cluster at work."""
    for node in cluster.servers:
        wait_for(lambda node=node: "cluster_state:ok" in str(node.ask("CLUSTER", "INFO")), 20.0)


def swap(pair):
    """Let primary and replica change places, and return the old primary."""
    roles = {node.info("replication")["role"]: node for node in pair.servers}
    roles["slave"].ask("CLUSTER", "FAILOVER")
    wait_for(lambda: roles["slave"].info("replication")["role"] == "master")
    wait_for(lambda: roles["master"].info("replication").get("master_link_status") == "up")
    settled(pair)
    return roles["master"]


@contextmanager
def stopped(cluster, servers):
    """Nodes that accept connections and do nothing else."""
    for node in servers:
        os.kill(node.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for node in servers:
            os.kill(node.pid, signal.SIGCONT)
        settled(cluster)


@contextmanager
def silent_port():
    """A port that takes connections and never answers."""
    with socket.create_server((HOST, 0)) as listener:
        yield listener.getsockname()[1]
