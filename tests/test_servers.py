"""The servers that the other tests stand on do what they promise."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from memkit.testing import plugin
from memkit.testing.servers import Cluster, Server, find_binaries, make_certificates, supports_tls


@pytest.fixture
def own(binary):
    """A Valkey of the test's own."""
    with Server(binary("valkey"), {"appendonly": "yes", "appendfsync": "always"}) as server:
        yield server


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1][:3] if Path("/proc").exists() else True


def _gone(pid, seconds=10.0):
    deadline = time.monotonic() + seconds
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not _alive(pid)


def test_binaries_are_programs():
    """Every binary that is found can be executed."""
    for path in find_binaries().values():
        assert os.access(path, os.X_OK)


def test_answers_by_tcp_and_unix_socket(redis_server):
    """A running server answers under both of its URLs as soon as the fixture hands it over."""
    for url in (redis_server.url, redis_server.unix_url):
        with redis.Redis.from_url(url) as client:
            assert client.ping()


def test_listens_on_loopback_only(redis_server):
    """No server for tests listens beyond loopback."""
    with redis_server.client() as client:
        assert client.config_get("bind")["bind"] == "127.0.0.1"


def test_password_stands_in_the_urls(binary):
    """A server with a password counts as ready before anybody logs in, and its URLs log in."""
    with Server(binary("valkey"), {"requirepass": "p@ss:/word"}) as server:
        for url in (server.url, server.unix_url):
            with redis.Redis.from_url(url) as client:
                assert client.ping()


def test_acl_file(binary, tmp_path):
    """Options reach the server: an ACL file names the users."""
    (tmp_path / "acl").write_text("user default off\nuser ann on >secret ~* +@all\n")
    login = {"username": "ann", "password": "secret"}
    with (
        Server(binary("valkey"), {"aclfile": str(tmp_path / "acl")}) as server,
        redis.Redis(port=server.port, **login) as client,
    ):
        assert client.acl_whoami() == "ann"


def test_kill_and_restart_keep_port_and_data(own):
    """After SIGKILL a restart serves the same data on the same port, by another process."""
    own.ask("SET", "key", "value")
    before = own.port, own.pid
    own.kill()
    assert not own.running
    assert _gone(before[1])
    own.restart()
    assert own.ask("GET", "key") == "value"
    assert own.port == before[0]
    assert own.pid != before[1]


def test_restart_of_a_running_server(own):
    """A restart ends a running server in order."""
    own.ask("SET", "key", "value")
    own.restart()
    assert own.ask("GET", "key") == "value"


def test_stop_deletes_everything(binary):
    """A stopped server leaves neither process nor files, and stopping twice is harmless."""
    server = Server(binary("valkey"))
    server.start()
    directory, pid = server.directory, server.pid
    server.stop()
    server.stop()
    assert not directory.exists()
    assert _gone(pid)


def test_a_taken_port_is_not_fatal(binary, monkeypatch):
    """If another process takes the port that was found free, the server starts on another one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = iter([taken.getsockname()[1]])
        real = sys.modules[Server.__module__]._free_port
        monkeypatch.setattr(sys.modules[Server.__module__], "_free_port", lambda: next(ports, None) or real())
        with Server(binary("valkey")) as server:
            assert server.port != taken.getsockname()[1]
            assert server.ask("PING")


def test_a_wrong_option_is_reported_with_the_log(binary):
    """A server that cannot start raises an error that holds its own complaint."""
    with pytest.raises(RuntimeError, match="no-such-option"), Server(binary("valkey"), {"no-such-option": "1"}):
        pass


def test_servers_die_with_a_killed_test_run(binary):
    """SIGKILL of the process that started a server ends the server and deletes its directory."""
    code = (
        "import sys, time; from pathlib import Path; from memkit.testing.servers import Server\n"
        "server = Server(Path(sys.argv[1])); server.start(); print(server.pid, server.directory, flush=True)\n"
        "time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(binary("valkey"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        pid, directory = run.stdout.readline().split()
        run.send_signal(signal.SIGKILL)
    assert _gone(int(pid))
    deadline = time.monotonic() + 10
    while Path(directory).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(directory).exists()


def test_tls(tmp_path):
    """With certificates the port speaks TLS and demands the client's certificate."""
    binaries = [binary for binary in find_binaries().values() if supports_tls(binary)]
    if not binaries:
        plugin.skip_or_fail("no server with TLS here: install redis-server")
    certificates = make_certificates(tmp_path)
    with Server(binaries[0], tls=certificates) as server:
        with redis.Redis.from_url(server.url) as client:
            assert client.ping()
        with (
            redis.Redis(port=server.port, ssl=True, ssl_ca_certs=str(certificates.ca), retry=None) as stranger,
            pytest.raises(redis.ConnectionError),
        ):
            stranger.ping()


@pytest.mark.parametrize("missing", ["valkey", "redis62"])
def test_a_binary_without_tls_is_known(binary, missing, tmp_path):
    """A binary that is said to have no TLS does refuse to start with it."""
    if supports_tls(binary(missing)):
        pytest.skip("this one has TLS")
    with pytest.raises(RuntimeError), Server(binary(missing), tls=make_certificates(tmp_path)):
        pass


def test_cluster_serves_every_slot(cluster):
    """A client of the cluster reads back keys from all three nodes."""
    first = cluster.primaries[0]
    with redis.RedisCluster(host="127.0.0.1", port=first.port) as client:
        for number in range(60):
            client.set(f"cluster-test:{number}", number)
        assert all(client.get(f"cluster-test:{number}") == str(number).encode() for number in range(60))
    assert all(int(node.ask("DBSIZE")) > 0 for node in cluster.primaries)
    assert cluster.url.count(",") == 2


def test_cluster_with_replicas(binary):
    """Every primary has a replica that follows it."""
    with Cluster(3, 1, binary("redis7")) as nodes:
        roles = [str(node.info("replication")["role"]) for node in nodes.servers]
        assert roles == ["master"] * 3 + ["slave"] * 3


def test_sentinels_name_the_primary(sentinels):
    """A client that asks the sentinels reaches the primary, and finds the replica."""
    addresses = [("127.0.0.1", each.port) for each in sentinels.sentinels]
    watch = redis.Sentinel(addresses)
    assert watch.discover_master(sentinels.NAME) == ("127.0.0.1", sentinels.primary.port)
    assert watch.discover_slaves(sentinels.NAME) == [("127.0.0.1", sentinels.replica.port)]
    assert sentinels.url.endswith("/mymaster/0")
    for each in watch.sentinels:
        each.close()


def test_a_missing_server_skips_at_home_and_fails_in_ci(monkeypatch):
    """What is missing skips a test, but not where CI=true."""
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception):
        plugin.skip_or_fail("nothing here")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception):
        plugin.skip_or_fail("nothing here")


def test_the_plugin_is_light():
    """The pytest plugin, loaded in every run of everybody, imports no redis and no backend."""
    code = "import sys, memkit.testing.plugin; print([n for n in sys.modules if n in ('redis', 'memkit.backends')])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_the_fixture_for_everybody(memkit_server):
    """The fixture of the plugin is a running server."""
    assert memkit_server.ask("PING")
