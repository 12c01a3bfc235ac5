"""The commands for operators: what they print, what they ask, what they write to files."""

from __future__ import annotations

import json
import stat
from collections import defaultdict

import pytest

pytest.importorskip("click")
pytest.importorskip("rich")

from click.testing import CliRunner

from memkit import (
    AsyncMemoryManager,
    Fact,
    MemoryInput,
    MemoryManager,
    MemoryType,
    Provider,
    Settings,
    UserMessage,
    providers,
)
from memkit.backends.inmemory import AsyncInMemoryBackend, InMemoryBackend
from memkit.cli.app import app
from memkit.commands import ServerState, StoreState
from memkit.faces.admin import MemoryAdmin

KEPT = "kept-by-tests"


class Bounded(InMemoryBackend):
    """A store that says of itself what a test tells it to."""

    state = None

    def execute(self, command):
        return self.state if self.state and isinstance(command, ServerState) else super().execute(command)


@pytest.fixture
def store(monkeypatch):
    """The store that the commands of a test work on: one in this process, under a name of its own."""
    stores = defaultdict(Bounded)
    provider = Provider(
        KEPT,
        lambda settings: MemoryManager(stores[settings.namespace], namespace=settings.namespace),
        lambda _: AsyncMemoryManager(AsyncInMemoryBackend()),
    )
    monkeypatch.setitem(providers._registered, KEPT, provider)
    return stores["memkit"]


@pytest.fixture
def manager(store):
    return MemoryManager(store)


@pytest.fixture
def run(monkeypatch):
    """Run the command in this process with nothing of memkit's in the environment but what is given."""
    for variable in Settings.variables():
        monkeypatch.delenv(variable.name, raising=False)

    def call(*arguments, given=None, **environment):
        environment = {"COLUMNS": "100", "MEMKIT_BACKEND": KEPT, **environment}
        return CliRunner().invoke(app, arguments, input=given, env=environment, prog_name="memkit")

    return call


def _fill(manager):
    for name, user_id in (("a", "ann"), ("b", "bob"), ("c", "ann")):
        manager.store(MemoryInput(name, data=[UserMessage("one"), UserMessage("two")], user_id=user_id))
        manager.store(MemoryInput(name, MemoryType.LONG_TERM_MEMORY, data=[Fact("f")], user_id=user_id))


def _listed(manager):
    return [found.id for found in MemoryAdmin(manager.engine).conversations()]


@pytest.mark.parametrize("command", ["conversations", "stats", "export", "import", "erase"])
@pytest.mark.parametrize("backend", ["memory", "null"])
def test_store_of_one_process_is_refused(run, command, backend):
    """A store that this very process would make and lose is refused in one line: nobody could mean it."""
    done = run(command, MEMKIT_BACKEND=backend)
    assert done.exit_code == 1
    assert done.stderr == f"Error: the backend is {backend}, which no other process sees: set MEMKIT_URL\n"
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["conversations", "stats", "export", "erase"])
def test_wrong_environment_is_one_error(run, command):
    """A wrong environment ends every command with what is wrong, and no traceback."""
    done = run(command, MEMKIT_POOL_SIZE="many")
    assert done.exit_code == 1
    assert "MEMKIT_POOL_SIZE" in done.stderr
    assert done.stdout == ""


def test_conversations(run, manager):
    """`memkit conversations` shows the newest first, and how to read on."""
    _fill(manager)
    done = run("conversations", "--limit", "2")
    rows = [line.split()[:2] for line in done.stdout.splitlines()[2:]]
    assert rows == [["c", "ann"], ["b", "bob"]]
    cursor = done.stderr.split()[-1]
    rest = run("conversations", "--cursor", cursor)
    assert [line.split()[0] for line in rest.stdout.splitlines()[2:]] == ["a"]
    assert rest.stderr == ""


def test_conversations_for_machines(run, manager):
    """`memkit conversations --json` prints the page, times as text."""
    _fill(manager)
    page = json.loads(run("conversations", "--user", "ann", "--json").stdout)
    assert page["cursor"] is None
    assert [(item["id"], item["count"]) for item in page["items"]] == [("c", 2), ("a", 2)]
    assert page["items"][0]["created_at"].startswith("20")


def test_wrong_cursor_is_one_error(run, store):
    """What the administration refuses is said in one line."""
    done = run("conversations", "--cursor", "nonsense")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "cursor" in done.stderr


def test_title_cannot_steer_the_terminal(run, manager):
    """What users named their things is shown without characters that would steer a terminal."""
    manager.store(MemoryInput("a\x1b[31m\nb", data=[UserMessage("one")], user_id="\x1b]0;x\x07"))
    done = run("conversations")
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout


def test_stats(run, store, manager):
    """`memkit stats` prints what the store says, and exits with 1 if there is something to look at."""
    _fill(manager)
    done = run("stats")
    assert done.exit_code == 0
    assert "conversations" in done.stdout
    store.state = StoreState("Redis 8", used_bytes=99, limit_bytes=100, eviction="allkeys-lru")
    done = run("stats", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["eviction"] == "allkeys-lru"
    assert done.stderr.count("Warning: ") == 2


def test_export_and_import(run, manager, tmp_path):
    """`memkit export` writes a file that `memkit import` reads, and nobody else can read it."""
    _fill(manager)
    file = tmp_path / "all.ndjson"
    done = run("export", str(file))
    assert (done.exit_code, done.stdout) == (0, "")
    assert file.read_bytes().count(b"\n") == 17
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["all.ndjson"]
    done = run("import", str(file), MEMKIT_NAMESPACE="other")
    assert done.exit_code == 0
    assert done.stdout == "3 conversations: 9 records stored, 0 were there already, 0 had expired.\n"


def test_export_to_the_standard_output(run, manager):
    """Without a file, lines go to the standard output and come from the standard input, and nothing else does."""
    _fill(manager)
    done = run("export", "--user", "ann")
    lines = done.stdout_bytes.splitlines()
    assert [json.loads(line)["kind"] for line in lines].count("conversation") == 2
    assert json.loads(lines[-1]) == {"kind": "done", "conversations": 2, "records": 6}
    again = run("import", given=done.stdout_bytes)
    assert again.stdout == "2 conversations: 0 records stored, 6 were there already, 0 had expired.\n"


def test_export_overwrites_nothing(run, manager, tmp_path):
    """A file that is there already is left as it is."""
    _fill(manager)
    file = tmp_path / "all.ndjson"
    file.write_text("mine")
    done = run("export", str(file))
    assert done.exit_code == 1
    assert "is there already" in done.stderr
    assert file.read_text() == "mine"


def test_export_that_fails_leaves_no_file(run, store, manager, tmp_path, monkeypatch):
    """An export that does not get to its end leaves no file, neither whole nor half."""
    _fill(manager)
    seen = []

    def execute(command):
        seen.append(command)
        if len(seen) > 5:
            raise OSError("gone")
        return Bounded.execute(store, command)

    monkeypatch.setattr(store, "execute", execute)
    done = run("export", str(tmp_path / "all.ndjson"))
    assert done.exit_code == 1
    assert "gone" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_import_of_something_else(run, store, tmp_path):
    """A file that is no export is refused in one line with the number of the line, a missing one by its name."""
    file = tmp_path / "notes.txt"
    file.write_text("notes\n")
    done = run("import", str(file))
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: line 1 ")
    missing = run("import", str(tmp_path / "missing"))
    assert missing.exit_code == 1
    assert "missing" in missing.stderr


def test_erase_asks_first(run, manager):
    """`memkit erase` says what it is about to erase and asks; only a yes erases."""
    _fill(manager)
    done = run("erase", "--user", "ann", given="n\n")
    assert done.exit_code == 1
    assert "Erase 2 conversations with 6 records for good?" in done.stderr
    assert _listed(manager) == ["c", "b", "a"]
    done = run("erase", "--user", "ann", given="y\n")
    assert done.exit_code == 0
    assert _listed(manager) == ["b"]


def test_erase_prints_its_receipt(run, manager):
    """With --yes nothing is asked, and the receipt is printed; a dry run erases nothing."""
    _fill(manager)
    dry = json.loads(run("erase", "--namespace", "--dry-run", "--json").stdout)
    assert (dry["conversations"], dry["messages"], dry["dry_run"]) == (3, 6, True)
    done = run("erase", "--conversation", "a", "--yes", "--json")
    receipt = json.loads(done.stdout)
    assert (done.exit_code, receipt["verified"], receipt["conversations"], receipt["messages"]) == (0, True, 1, 2)
    table = run("erase", "--namespace", "--yes")
    assert table.exit_code == 0
    assert "long term memories" in table.stdout
    assert _listed(manager) == []


@pytest.mark.parametrize("options", [(), ("--user", "a", "--namespace"), ("--user", "a", "--conversation", "b")])
def test_erase_of_what(run, manager, options):
    """Without exactly one of the three nothing is erased, whatever is answered."""
    _fill(manager)
    done = run("erase", *options, "--yes")
    assert done.exit_code == 1
    assert "exactly one" in done.stderr
    assert len(_listed(manager)) == 3
