"""What the administration says of a server is what the server says of itself."""

from __future__ import annotations

import pytest
import redis

from memkit import MemoryKit, RedisMemoryManager
from memkit.testing.servers import Server

LIMIT = 1 << 30


@pytest.mark.parametrize(("policy", "warnings"), [("noeviction", 0), ("allkeys-lru", 1)])
@pytest.mark.parametrize("name", ["valkey", "redis7"])
def test_figures_are_those_of_the_server(binary, name, policy, warnings):
    """Version, memory in use, its peak and limit, eviction policy and clients are those that the server names."""
    options = {"maxmemory": str(LIMIT), "maxmemory-policy": policy}
    with (
        Server(binary(name), options) as server,
        RedisMemoryManager(server.url) as manager,
        redis.Redis.from_url(server.url) as client,
    ):
        stats = MemoryKit(manager).admin.stats()
        info = client.info()
    # Connected since.
    assert stats.clients == info["connected_clients"] - 1
    assert stats.backend.split()[1] == info.get("valkey_version", info["redis_version"])
    assert (stats.limit_bytes, stats.eviction) == (LIMIT, policy)
    assert abs(stats.used_bytes - info["used_memory"]) < 1 << 20
    assert stats.used_bytes <= stats.peak_bytes <= info["used_memory_peak"]
    assert len(stats.warnings) == warnings
