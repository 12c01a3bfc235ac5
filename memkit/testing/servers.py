"""Real servers on loopback for tests: standalone, Cluster, Sentinel, TLS.

Every server runs in a short temporary directory of its own, on a free port and a unix socket, without persistence
unless its options ask for it, and ends with the process that started it, however that ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from memkit.testing._certificates import Certificates, make_certificates
from memkit.testing._server import HOST, Options, Server, default_binary, find_binaries, supports_tls, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = [
    "Certificates",
    "Cluster",
    "Sentinels",
    "Server",
    "default_binary",
    "find_binaries",
    "make_certificates",
    "supports_tls",
]

_SLOTS = 16384


class _Group:
    """Servers that live together."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.servers = tuple(servers)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start all servers and wait until they work together."""
        try:
            self._form()
        except BaseException:
            self.stop()
            raise

    def _form(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        """End all servers and delete their data."""
        for server in self.servers:
            server.stop()


class Cluster(_Group):
    """A Cluster on loopback.

    Args:
        primaries: nodes that hold slots.
        replicas: replicas for each of them.
        binary: the server program; the first of `find_binaries` if absent.
        options: more configuration directives for every node.
    """

    def __init__(
        self,
        primaries: int = 3,
        replicas: int = 0,
        binary: Path | None = None,
        options: Mapping[str, str | int | Sequence[str]] | None = None,
    ) -> None:
        cluster: Options = {
            "cluster-enabled": "yes",
            "cluster-node-timeout": 2000,
            "cluster-replica-validity-factor": 0,
            **(options or {}),
        }
        super().__init__([Server(binary, cluster) for _ in range(primaries * (1 + replicas))])
        self.primaries = self.servers[:primaries]
        self.replicas = self.servers[primaries:]

    @property
    def url(self) -> str:
        """URL with the address of every primary."""
        return "redis+cluster://" + ",".join(f"{HOST}:{node.port}" for node in self.primaries)

    def _form(self) -> None:
        for node in self.servers:
            node.start()
        self._give_slots()
        for node in self.servers[1:]:
            node.ask("CLUSTER", "MEET", HOST, self.servers[0].port)
        wait_until(self._all_met, "the nodes did not meet")
        self._give_replicas()
        wait_until(self._all_ready, "the cluster did not get ready")

    def _give_slots(self) -> None:
        for number, node in enumerate(self.servers):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        share = len(self.primaries)
        for number, node in enumerate(self.primaries):
            node.ask("CLUSTER", "ADDSLOTS", *range(number * _SLOTS // share, (number + 1) * _SLOTS // share))

    def _give_replicas(self) -> None:
        for number, node in enumerate(self.replicas):
            primary = self.primaries[number % len(self.primaries)]
            node.ask("CLUSTER", "REPLICATE", str(primary.ask("CLUSTER", "MYID")))

    def _all_met(self) -> bool:
        return all(self._state(node)["cluster_known_nodes"] == str(len(self.servers)) for node in self.servers)

    def _all_ready(self) -> bool:
        return all(self._state(node)["cluster_state"] == "ok" for node in self.servers) and _linked(self.replicas)

    @staticmethod
    def _state(node: Server) -> Mapping[str, str]:
        reply = node.ask("CLUSTER", "INFO")
        return dict(line.split(":", 1) for line in str(reply).split() if ":" in line)


class Sentinels(_Group):
    """One primary, one replica and three sentinels that watch them.

    Args:
        binary: the server program; the first of `find_binaries` if absent.
        options: more configuration directives for primary and replica.
    """

    NAME = "mymaster"

    def __init__(
        self, binary: Path | None = None, options: Mapping[str, str | int | Sequence[str]] | None = None
    ) -> None:
        self.primary = Server(binary, options)
        self.replica = Server(binary, options)
        self.sentinels = tuple(Server(binary, arguments=["--sentinel"]) for _ in range(3))
        super().__init__([*self.sentinels, self.replica, self.primary])

    @property
    def url(self) -> str:
        """URL with the address of every sentinel."""
        return "redis+sentinel://" + ",".join(f"{HOST}:{each.port}" for each in self.sentinels) + f"/{self.NAME}/0"

    def _form(self) -> None:
        self.primary.start()
        self.replica.options["replicaof"] = f"{HOST} {self.primary.port}"
        self.replica.start()
        wait_until(lambda: _linked([self.replica]), "the replica did not follow")
        for sentinel in self.sentinels:
            sentinel.options["sentinel"] = self._orders()
            sentinel.start()
        wait_until(lambda: all(map(self._knows_all, self.sentinels)), "the sentinels did not find each other")

    def _orders(self) -> list[str]:
        watch = f"monitor {self.NAME} {HOST} {self.primary.port} 2"
        return [watch, f"down-after-milliseconds {self.NAME} 1000", f"failover-timeout {self.NAME} 3000"]

    def _knows_all(self, sentinel: Server) -> bool:
        state = sentinel.ask("SENTINEL", "MASTER", self.NAME)
        assert isinstance(state, list | dict)
        known = state if isinstance(state, dict) else dict(zip(state[::2], state[1::2], strict=True))
        return str(known["num-slaves"]) == "1" and str(known["num-other-sentinels"]) == "2"


def _linked(replicas: Sequence[Server]) -> bool:
    return all(replica.info("replication").get("master_link_status") == "up" for replica in replicas)
