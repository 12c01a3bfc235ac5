"""The demo: a real server, a second process, a kill in the middle of writes, and figures that can be wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("click")
pytest.importorskip("rich")

from click.testing import CliRunner

from memkit import MissingExtraError, NullMemoryManager, UserMessage
from memkit.cli import demo as demo_module
from memkit.cli.app import app
from memkit.cli.reader import fingerprint
from memkit.cli.storm import Write, judge

LOCOMO = Path(__file__).parents[2] / "shared" / "data" / "locomo"
COMMAND = [sys.executable, "-W", "error", "-c", "from memkit.cli import main; main()"]


@pytest.fixture(autouse=True)
def clean(binary, tmp_path, monkeypatch):
    """Temporary files go where the end of each test looks for leftovers."""
    binary("valkey")
    home = tmp_path / "tmp"
    home.mkdir()
    monkeypatch.setenv("TMPDIR", str(home))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("MEMKIT_URL", "redis://127.0.0.1:1/0")
    yield home
    assert not list(home.iterdir())


def _demo(*arguments, cwd=None):
    return subprocess.run([*COMMAND, "demo", *arguments], capture_output=True, text=True, check=False, cwd=cwd)


def _figures(*arguments, cwd=None):
    done = _demo("--json", "--seconds", "1", *arguments, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def _check_writes(writes):
    assert writes["acknowledged"] == writes["stored"] > 100
    assert [writes[name] for name in ("duplicates", "losses", "order_breaks", "errors")] == [0, 0, 0, 0]
    assert writes["interrupted"] >= 1
    assert 0 < writes["recovery"] < 5
    assert 0 < writes["p50"] <= writes["p99"] <= writes["longest"]
    assert writes["took"] >= 1


def test_sample_survives_the_kill():
    """The bundled sample comes back whole in another process, and no write of the run is lost, doubled or refused."""
    figures = _figures()
    assert figures["ok"] is True
    assert figures["conversation"]["messages"] == 24
    embedded, memory, null = figures["backends"]
    whole = {"messages": 24, "identical": True, "working_memory": 1, "working_memory_identical": True}
    assert (embedded["backend"], embedded["found"], embedded["acknowledged"]) == ("embedded", whole, 24)
    assert (memory["backend"], memory["found"], memory["acknowledged"]) == ("memory", whole, 24)
    assert (null["backend"], null["acknowledged"]) == ("null", 24)
    assert (null["found"]["messages"], null["found"]["working_memory"]) == (0, 0)
    assert embedded["reader"] != figures["writer_pid"] == memory["reader"]
    _check_writes(figures["writes"])


def test_jsonl_file_in_a_folder_of_traps(tmp_path):
    """A JSONL file works, also where the working directory holds modules named like those of Python and memkit."""
    for trap in ("json.py", "redis.py", "attrs.py"):
        (tmp_path / trap).write_text("raise RuntimeError('the working directory was searched')")
    lines = [{"role": "user", "content": "Hi \U0001f642"}, {"role": "assistant", "content": [{"type": "x", "x": [1]}]}]
    (tmp_path / "chat.jsonl").write_text("\n".join(map(json.dumps, lines)))
    safe = [sys.executable, "-P", *COMMAND[1:], "demo", "--json", "--seconds", "0.5", "chat.jsonl"]
    done = subprocess.run(safe, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    figures = json.loads(done.stdout)
    assert figures["conversation"] == {"source": "chat.jsonl", "format": "OpenAI chat format, JSONL", "messages": 2}
    assert figures["backends"][0]["found"]["identical"] is True


@pytest.mark.skipif(not LOCOMO.is_dir(), reason="the LoCoMo files are not here")
def test_locomo_file():
    """A real LoCoMo conversation comes back whole in another process."""
    figures = _figures(str(LOCOMO / "43.json"))
    assert figures["conversation"]["format"] == "LoCoMo"
    assert figures["backends"][0]["found"] == {
        "messages": 680,
        "identical": True,
        "working_memory": 1,
        "working_memory_identical": True,
    }
    _check_writes(figures["writes"])


def test_output_that_is_no_terminal():
    """Printed into a pipe, the tables fit 80 columns and have no control codes, and the verdict stands last."""
    done = _demo("--seconds", "0.5")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "Nothing lost, nothing doubled."
    assert any("(failed)" in line or "Noted: walnuts" in line for line in lines)


def test_interrupt_leaves_nothing_behind(clean):
    """Ctrl-C in the middle of the writes ends the command soon, and its server with it."""
    # A shell that starts the tests in the background has them ignore it, and they would hand that on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen([*COMMAND, "demo", "--seconds", "30"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    signal.signal(signal.SIGINT, before)
    server = _server_of(clean)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 1
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)


def _server_of(home):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = [text for path in home.glob("memkit-demo-*/valkey.pid") if (text := path.read_text())]
        if found:
            return int(found[0])
        time.sleep(0.02)
    return pytest.fail("no server was started")


def test_forgetful_backend_is_found_out(monkeypatch):
    """If a backend loses what it acknowledged, the verdict says so and the exit code is 1."""
    real = demo_module.create_memory_manager
    monkeypatch.setattr(
        demo_module,
        "create_memory_manager",
        lambda settings: NullMemoryManager() if settings["MEMKIT_URL"] == "memory://" else real(settings),
    )
    done = CliRunner().invoke(app, ["demo", "--seconds", "0.2"])
    assert done.exit_code == 1
    assert "NOT AS IT SHOULD BE" in done.output


def test_failed_second_process_is_one_line(monkeypatch):
    """If the second process fails, that is one line with its reason."""
    monkeypatch.setattr(demo_module, "CONVERSATION", "")
    done = CliRunner().invoke(app, ["demo"])
    assert done.exit_code == 1
    assert "Error: the second process failed: " in done.stderr
    assert "conversation_id: is empty" in done.stderr


def test_missing_server_is_one_line(monkeypatch):
    """Without the embedded server's package the command ends with one line that names the extra."""

    def attach(_):
        raise MissingExtraError("the embedded server", "embedded")

    monkeypatch.setattr(demo_module, "attach", attach)
    done = CliRunner().invoke(app, ["demo"])
    assert done.exit_code == 1
    assert done.stderr == "Error: the embedded server needs an optional package: install agent-memkit[embedded]\n"


# The judge


def _writes():
    times = [(0.0, 0.1), (0.1, 0.2), (0.2, 1.0), (1.0, 1.1)]
    return [Write(0, number, f"id-{number}", *moments) for number, moments in enumerate(times)]


def _stored(*numbers):
    return [UserMessage("x", id=f"id-{number}", metadata={"writer": 0, "number": number}) for number in numbers]


@pytest.mark.parametrize(
    ("stored", "errors", "expected"),
    [
        ((0, 1, 2, 3), [], (0, 0, 0, 0)),
        ((0, 1, 3), [], (0, 1, 0, 0)),
        ((0, 1, 1, 2, 3), [], (1, 0, 0, 0)),
        ((0, 2, 1, 3), [], (0, 0, 1, 0)),
        ((0, 1, 2, 3, 4), ["OutcomeUnknownError: …"], (0, 0, 0, 1)),
    ],
    ids=["right", "lost", "doubled", "out of order", "error"],
)
def test_judge_counts_every_fault(stored, errors, expected):
    """A lost, a doubled and a misplaced record, and an error, are each counted, and alone spoil the verdict."""
    result = judge(_writes(), _stored(*stored), errors, killed_at=0.25)
    assert (result.duplicates, result.losses, result.order_breaks, result.errors) == expected
    assert result.flawless == (expected == (0, 0, 0, 0))


def test_judge_counts_a_record_under_another_id_as_lost():
    """A write that is stored under another id than it was acknowledged with is lost."""
    other = [*_stored(0, 1, 2), UserMessage("x", id="other", metadata={"writer": 0, "number": 3})]
    assert judge(_writes(), other, [], killed_at=0.25).losses == 1


def test_judge_measures_the_outage():
    """The outage lasts from the kill to the end of the longest silence; what ran through it counts as interrupted."""
    late = Write(1, 0, "late", 0.1, 0.26)  # its reply was on the way when the server was killed
    result = judge([*_writes(), late], [], [], killed_at=0.25)
    assert result.recovery == pytest.approx(0.75)
    assert result.interrupted == 1
    assert result.longest == pytest.approx(0.8)


def test_judge_of_nothing():
    """A run without a single acknowledged write has figures too."""
    result = judge([], [], ["BackendUnavailableError: …"], killed_at=1.0)
    assert (result.acknowledged, result.recovery, result.flawless) == (0, 0.0, False)


def test_fingerprint_sees_types_and_order():
    """The fingerprint changes with a type, a field or the order, and not with what every write changes."""
    one, two = UserMessage("a", id="1", metadata={"n": 1}), UserMessage("a", id="2")
    changed = [UserMessage("a", id="1", metadata={"n": 1.0}), UserMessage("a", id="1"), UserMessage("b", id="1")]
    prints = {fingerprint([one, two]), fingerprint([two, one]), *(fingerprint([each, two]) for each in changed)}
    assert len(prints) == 5
    assert fingerprint([UserMessage("a", id="2", version=4)]) == fingerprint([two])
