"""The embedded server: shared by processes, ended with the last one, and nothing acknowledged is lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from memkit import embedded
from memkit.embedded import attach
from memkit.errors import BackendUnavailableError, ConfigurationError, MissingExtraError

CHILD = """
import sys, time
from memkit import embedded
embedded._GRACE_SECONDS = 0.1
attachment = embedded.attach(sys.argv[1])
print(attachment.server_pid(), attachment.socket_path, flush=True)
if sys.argv[2] == "stay":
    time.sleep(60)
attachment.close()
"""


@pytest.fixture
def home(binary, tmp_path, monkeypatch):
    """A directory for a server that soon follows its last user, as the end of each test checks."""
    binary("valkey")
    monkeypatch.setattr(embedded, "_GRACE_SECONDS", 0.1)
    yield tmp_path / "data"
    assert _eventually(lambda: not _in_use(tmp_path / "data"))


def _in_use(home):
    lock = home / "supervisor.lock"
    return lock.exists() and embedded._is_locked(lock)


def _eventually(check, seconds=15.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.01)
    return False


def _say(path, *words, attempts=1):
    """Send one command as it stands, return the first line of the reply; repeat while the server is not there."""
    for left in range(attempts, 0, -1):
        try:
            with closing(socket.socket(socket.AF_UNIX)) as link:
                link.settimeout(5)
                link.connect(path)
                link.sendall(" ".join(map(str, words)).encode() + b"\r\n")
                return _line(link)
        except OSError:
            if left == 1:
                raise
            time.sleep(0.01)
    return None


def _line(link):
    received = link.recv(4096)
    if not received or received.startswith(b"-LOADING"):
        raise ConnectionResetError
    if received.startswith(b"$") and received != b"$-1\r\n":
        return received.split(b"\r\n")[1].decode()
    return received.strip().decode()


def _child(home, what):
    command = [sys.executable, "-c", CHILD, str(home), what]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_first_starts_it_and_the_next_join(home):
    """Two attachments in one process use one server, and each keeps it alive on its own."""
    with attach(home) as first, attach(str(home)) as second:
        assert first.server_pid() == second.server_pid()
        assert first.socket_path == second.socket_path
        first.close()
        first.close()
        time.sleep(0.6)
        assert _say(second.socket_path, "PING") == "+PONG"


def test_it_ends_with_its_last_user(home):
    """Soon after the last attachment is closed neither server nor supervisor runs, and no socket is left."""
    with attach(home) as attachment:
        pid = attachment.server_pid()
    assert _eventually(lambda: not _in_use(home))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not Path(attachment.socket_path).exists()
    with pytest.raises(BackendUnavailableError):
        attachment.server_pid()


def test_data_outlive_the_last_user(home):
    """What was acknowledged before the last user left is there for the next first one."""
    for number in range(2):
        with attach(home) as attachment:
            assert _say(attachment.socket_path, "INCR", "n") == f":{number + 1}"
        assert _eventually(lambda: not _in_use(home))


def test_only_this_user_by_unix_socket_only(home):
    """There is no TCP port, and directory, socket and data are for this user alone."""
    with attach(home) as attachment:
        assert _say(attachment.socket_path, "CONFIG GET port").startswith("*2")
        paths = [home, Path(attachment.socket_path), home / "valkey.log", home / "appendonlydir"]
        assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in paths} == {0}
        assert "port=0" in (home / "valkey.log").read_text()


def test_an_awkward_and_long_directory(home):
    """Blanks, quotes and other letters in the name work; so does a name too long for a socket, which goes elsewhere."""
    for name in ("a b 'c' \"d\" é", "x" * 150):
        directory = home / name
        with attach(directory) as attachment, attach(directory) as other:
            assert other.socket_path == attachment.socket_path
            assert len(attachment.socket_path) < 105
            assert _say(attachment.socket_path, "SET", "key", "value") == "+OK"
        assert _eventually(lambda directory=directory: not _in_use(directory))
        assert not Path(attachment.socket_path).exists()
        assert (directory / "appendonlydir").is_dir()
    assert not Path(attachment.socket_path).parent.exists()


def test_eight_processes_at_the_same_instant(home):
    """Eight processes that attach at once get one and the same server."""
    children = [_child(home, "leave") for _ in range(8)]
    shown = [child.communicate(timeout=30) for child in children]
    assert len({out for out, _ in shown}) == 1
    assert {err for _, err in shown} == {""}


def test_it_outlives_the_process_that_started_it(home):
    """The server stays for the second user when the first, which started it, is killed."""
    with _child(home, "stay") as child:
        pid = int(child.stdout.readline().split()[0])
        with attach(home) as attachment:
            child.send_signal(signal.SIGKILL)
            child.wait()
            time.sleep(0.6)
            assert attachment.server_pid() == pid
            assert _say(attachment.socket_path, "PING") == "+PONG"


def test_it_ends_when_its_users_are_killed(home):
    """Users that die by SIGKILL count as gone."""
    children = [_child(home, "stay") for _ in range(2)]
    for child in children:
        with child:
            child.stdout.readline()
            child.send_signal(signal.SIGKILL)
    assert _eventually(lambda: not _in_use(home))


def test_a_killed_server_comes_back_with_its_data(home):
    """After SIGKILL of the server in the middle of writes it is back by itself, with every acknowledged write."""
    with attach(home) as attachment:
        path, first = attachment.socket_path, attachment.server_pid()
        acknowledged = 0
        for number in range(2000):
            if number == 1000:
                os.kill(first, signal.SIGKILL)
            with suppress(OSError):
                acknowledged = int(_say(path, "INCR", "n").removeprefix(":"))
        stored = int(_say(path, "GET", "n", attempts=500))
        assert stored >= acknowledged >= 1000
        assert attachment.server_pid() != first


def test_it_comes_back_again_and_again(home):
    """Five kills in a row are five returns."""
    with attach(home) as attachment:
        for number in range(5):
            assert _say(attachment.socket_path, "INCR", "n", attempts=500) == f":{number + 1}"
            os.kill(attachment.server_pid(), signal.SIGKILL)
        assert _say(attachment.socket_path, "GET", "n", attempts=500) == "5"


def test_a_killed_supervisor_is_replaced(home):
    """When supervisor and users were killed, the next user gets the data, under a new supervisor."""
    with attach(home) as attachment:
        first = attachment.server_pid()
        _say(attachment.socket_path, "SET", "key", "value")
        os.kill(_parent(first), signal.SIGKILL)
    assert _eventually(lambda: not _in_use(home))
    assert _say(attachment.socket_path, "PING") == "+PONG"
    with attach(home) as attachment:
        assert attachment.server_pid() != first
        assert _say(attachment.socket_path, "GET", "key") == "value"


def _parent(pid):
    return int(subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, check=True).stdout)


def test_attaching_while_it_ends(home):
    """Processes that attach just when the server ends get a server that answers, every time."""
    for pause in (0.08, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4):
        with attach(home) as attachment:
            _say(attachment.socket_path, "INCR", "n")
        time.sleep(pause)
    with attach(home) as attachment:
        assert _say(attachment.socket_path, "GET", "n") == "8"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_shares_the_attachment(home):
    """The server stays for a forked child when the parent closes its attachment."""
    context = multiprocessing.get_context("fork")
    with attach(home) as attachment:
        told, tell = context.Pipe(duplex=False)
        child = context.Process(target=_use_later, args=(attachment.socket_path, tell))
        child.start()
    assert told.poll(10)
    assert told.recv() == "+PONG"
    child.join()
    told.close()
    tell.close()


def _use_later(path, tell):
    time.sleep(0.8)
    tell.send(_say(path, "PING"))


def test_it_says_nothing_on_the_terminal(home):
    """Neither a start nor a crash nor an end prints anything; the log has it."""
    child = _child(home, "leave")
    out, err = child.communicate(timeout=30)
    assert err == ""
    assert out.count("\n") == 1
    assert "Ready to accept connections" in (home / "valkey.log").read_text()


@pytest.mark.parametrize("name", ["", "\0", "file/below"])
def test_a_directory_that_cannot_be_used(tmp_path, name):
    """An impossible directory is an error of configuration that names the reason."""
    (tmp_path / "file").touch()
    directory = str(tmp_path / name) if name.strip("\0") else name
    with pytest.raises(ConfigurationError, match="embedded server"):
        attach(directory)


def test_a_missing_package_names_the_extra(tmp_path, monkeypatch):
    """Without the wheel the error names the extra to install."""
    monkeypatch.setattr(embedded, "packaged_program", lambda *_: None)
    with pytest.raises(MissingExtraError, match="embedded"):
        attach(tmp_path)


def test_damaged_data_are_an_error_not_a_fresh_start(home):
    """A server that cannot load its data does not start, the error names the log, and the data stay."""
    with attach(home) as attachment:
        _say(attachment.socket_path, "SET", "key", "value")
    assert _eventually(lambda: not _in_use(home))
    manifest = next(home.glob("appendonlydir/*.manifest"))
    manifest.write_text("nonsense\n")
    with pytest.raises(BackendUnavailableError, match=r"valkey\.log"):
        attach(home)
    assert manifest.read_text() == "nonsense\n"


def test_a_busy_directory_is_an_error_in_time(home):
    """When another process never finishes attaching, the deadline passes and says so."""
    home.mkdir()
    with (home / "start.lock").open("ab") as lock:
        assert embedded._try_lock(lock)
        start = time.monotonic()
        with pytest.raises(BackendUnavailableError, match="busy"):
            attach(home, timeout=0.2)
        assert time.monotonic() - start < 2
