"""The command line: the table of variables, and the reading of conversations."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import evolve

pytest.importorskip("click")
pytest.importorskip("rich")

from click.testing import CliRunner

from memkit import (
    AssistantMessage,
    AudioPart,
    FilePart,
    ImagePart,
    RawPart,
    Settings,
    SystemMessage,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from memkit.cli import demo as demo_module
from memkit.cli.app import app
from memkit.cli.chats import read_chat, sample_chat
from memkit.cli.report import _transcript
from memkit.cli.talk import one_line
from memkit.converters import to_openai_chat

LOCOMO = Path(__file__).parents[2] / "shared" / "data" / "locomo"
CANARY = "canary-7f3a"
HELLO = {"role": "user", "content": "Hello"}


@pytest.fixture
def run(monkeypatch):
    """Run the command in this process with nothing of memkit's in the environment but what is given."""
    for variable in Settings.variables():
        monkeypatch.delenv(variable.name, raising=False)

    def call(*arguments, **environment):
        return CliRunner().invoke(app, arguments, env={"COLUMNS": "80", **environment}, prog_name="memkit")

    return call


def _write(folder, content, name="chat.json"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def _messages(folder, *raws):
    return read_chat(_write(folder, json.dumps(list(raws)))).messages


# The command


def test_version_names_the_command(run):
    """`memkit --version` prints one line that begins with the name."""
    done = run("--version")
    assert done.exit_code == 0
    assert done.output.startswith("memkit, version ")
    assert done.output.count("\n") == 1


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_missing_package_is_named_with_its_extra(missing):
    """Without click or rich the command ends with one line that names the extra."""
    code = f"import sys; sys.modules[{missing!r}] = None; from memkit.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "agent-memkit[cli]" in done.stderr
    assert done.stderr.count("\n") == 1


# memkit env


def test_env_lists_every_variable(run):
    """`memkit env` shows every variable with its meaning, its default and its value, on 80 columns without a cut."""
    done = run("env", MEMKIT_NAMESPACE="tenant-a")
    assert done.exit_code == 0
    words = done.stdout.split()
    for variable in Settings.variables():
        assert variable.name in words
        # A long word is folded, so spaces do not count.
        assert "".join(variable.meaning.split()) in "".join(_first_column(done.stdout).split())
    assert "tenant-a" in words
    assert "…" not in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def _first_column(text):
    lines = text.splitlines()
    return "\n".join(line[: lines[0].index("default")] for line in lines)


def test_env_for_machines(run):
    """`memkit env --json` prints what `Settings.describe` says."""
    done = run("env", "--json", MEMKIT_POOL_SIZE="3")
    printed = json.loads(done.stdout)
    assert printed["problems"] == []
    rows = {row["name"]: row for row in printed["variables"]}
    assert rows.keys() == {variable.name for variable in Settings.variables()}
    assert (rows["MEMKIT_POOL_SIZE"]["current"], rows["MEMKIT_POOL_SIZE"]["given"]) == ("3", True)
    assert (rows["MEMKIT_CODEC"]["current"], rows["MEMKIT_CODEC"]["given"]) == ("msgpack", False)


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
def test_env_shows_no_secret(run, form):
    """No password appears, wherever it stands, with a right and with a broken environment."""
    right = {"MEMKIT_PASSWORD": CANARY, "MEMKIT_URL": "redis://host", "REDIS_URL": f"redis://u:{CANARY}@host"}
    done = run("env", *form, **right)
    assert done.exit_code == 0
    assert "***" in done.output
    broken = run("env", *form, **right, MEMKIT_POOL_SIZE=CANARY, MEMKIT_URLL=f"redis://u:{CANARY}@host")
    assert broken.exit_code == 1
    assert CANARY not in "".join(done.output + broken.output).replace("\n", "")


def test_broken_env_lists_every_problem(run):
    """With a broken environment the table is still there, every problem is listed, and the exit code is 1."""
    done = run("env", MEMKIT_POOL_SIZE="many", MEMKIT_NAMESPAC="a")
    assert done.exit_code == 1
    assert "MEMKIT_RETRY_DEADLINE" in done.stdout
    problems = done.stderr.splitlines()
    assert len(problems) == 2
    assert any("MEMKIT_POOL_SIZE" in line for line in problems)
    assert any("did you mean MEMKIT_NAMESPACE?" in line for line in problems)
    assert len(json.loads(run("env", "--json", MEMKIT_POOL_SIZE="many").stdout)["problems"]) == 1


# Files that are wrong

WRONG = {
    "empty": (" \n", "is empty"),
    "no messages": ("[]", "holds no messages"),
    "not UTF-8": (b'[{"role": "\xff"}]', "byte 12: is not UTF-8"),
    "no JSON": ('[{"role": "user",\n "content": oops}]', "line 2, column 13: is not JSON"),
    "a number": ("7", "is neither a list of messages"),
    "another document": ('{"a": 1}', "nor a LoCoMo conversation"),
    "too deep": ("[" * 100_000, "is nested too deeply"),
    "too many digits": ("[" + "9" * 5_000 + "]", "holds a number with too many digits"),
    "no object": (json.dumps([HELLO, "Hello"]), "message 2: is of type str: give a mapping"),
    "no role": (json.dumps([HELLO, {"content": "Hello"}]), "message 2: role is missing: give system,"),
    "odd role": (json.dumps([{**HELLO, "role": ["user"]}]), "message 1: role is of type list: give"),
    "odd content": (json.dumps([{"role": "user", "content": 3}]), "message 1: content is of type int"),
    "odd part": (json.dumps([{"role": "user", "content": ["a"]}]), "message 1: content[0] is of type str"),
    "second odd part": (
        json.dumps([HELLO, {"role": "user", "content": [{"type": "text", "text": "Hi"}, "a"]}]),
        "message 2: content[1] is of type str",
    ),
    "calls no list": (
        json.dumps([{"role": "assistant", "tool_calls": {"a": 1}}]),
        "message 1: tool_calls is of type dict",
    ),
    "odd call": (json.dumps([{"role": "assistant", "tool_calls": [3]}]), "message 1: tool_calls[0] is of type int"),
    "call without id": (
        json.dumps([{"role": "assistant", "tool_calls": [{}]}]),
        "message 1: tool_calls[0].id is missing",
    ),
    "no call id": (json.dumps([{"role": "tool", "content": ""}]), "message 1: tool_call_id is missing"),
    "lone surrogate": ('[{"role": "user", "content": "\\ud800"}]', "message 1: content"),
    "huge number": (json.dumps([{**HELLO, "seed": 2**70}]), "message 1: seed is an int beyond 64 bits"),
    "line of JSONL": (f"{json.dumps(HELLO)}\n\n{{oops}}\n", "line 3, column 2: is not JSON"),
    "message of JSONL": (f"{json.dumps(HELLO)}\n" + '{"messages": [{}]}', "line 2, message 1: role is missing"),
    "list in JSONL": (f"{json.dumps(HELLO)}\n7\n", "line 2: is neither a message with a role"),
    "LoCoMo without time": ('{"speaker_a": "A", "speaker_b": "B", "session_2": []}', "session_2_date_time is missing"),
    "LoCoMo without text": (
        '{"speaker_a": "A", "speaker_b": "B", "session_1_date_time": "1:56 pm on 8 May, 2023", "session_1": [{}]}',
        "session_1, turn 1 has no text",
    ),
    "LoCoMo without sessions": ('{"speaker_a": "A", "speaker_b": "B"}', "holds no messages"),
}


@pytest.mark.parametrize(("content", "fragment"), WRONG.values(), ids=WRONG)
def test_wrong_file_is_one_error_before_anything_starts(run, tmp_path, monkeypatch, content, fragment):
    """A wrong file gets one line with the file, the place and the problem, exit code 2, and nothing is started."""
    monkeypatch.setattr(demo_module, "attach", lambda *_: pytest.fail("a server was started"))
    path = _write(tmp_path, content)
    done = run("demo", str(path))
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"Error: {path}: ")
    assert fragment in done.stderr
    assert done.stderr.count("\n") == 1
    assert "messages[" not in done.stderr


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_file_that_is_none(run, tmp_path, name):
    """A file that is not there, and a directory, are refused with exit code 2."""
    done = run("demo", str(tmp_path / name))
    assert done.exit_code == 2
    assert str(tmp_path) in done.stderr


# Files that are right


def test_every_layout_reads_the_same(tmp_path):
    """A list, an object with messages, JSONL of messages and JSONL of objects hold the same conversation."""
    raws = [HELLO, {"role": "assistant", "content": "Line\u2028separator \U0001f642"}]
    texts = [
        json.dumps(raws),
        "\ufeff" + json.dumps({"model": "m", "messages": raws}, indent=2, ensure_ascii=False),
        "\n".join(json.dumps(raw, ensure_ascii=False) for raw in raws),
        "\r\n".join(json.dumps({"messages": [raw]}, ensure_ascii=False) for raw in raws) + "\r\n",
    ]
    chats = [read_chat(_write(tmp_path, text)) for text in texts]
    assert [chat.messages for chat in chats] == [chats[0].messages] * 4
    assert [chat.form.rpartition(" ")[2] for chat in chats] == ["JSON", "JSON", "JSONL", "JSONL"]
    assert chats[0].messages == (UserMessage("Hello"), AssistantMessage("Line\u2028separator \U0001f642"))


def test_one_message_is_a_conversation(tmp_path):
    """A single message, as a file of one line, is read."""
    assert read_chat(_write(tmp_path, json.dumps(HELLO), "chat.jsonl")).messages == (UserMessage("Hello"),)


def test_roles_become_classes(tmp_path):
    """Every role becomes its class, and a tool message that says so counts as failed."""
    found = _messages(
        tmp_path,
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": "Be polite."},
        {"role": "user", "content": "Hi", "name": "ada"},
        {"role": "assistant", "content": "Hello"},
        {"role": "tool", "tool_call_id": "c1", "content": '{"error": "timeout"}'},
        {"role": "tool", "tool_call_id": "c2", "content": '{"error": null}'},
        {"role": "tool", "tool_call_id": "c3", "content": "broken", "is_error": True},
        {"role": "tool", "tool_call_id": "c4", "content": '{"error": "none"}', "is_error": False},
        {"role": "tool", "tool_call_id": "c5", "content": [{"type": "text", "text": '{"error": 1}'}]},
    )
    assert tuple(evolve(message, metadata={}) for message in found) == (
        SystemMessage("Be brief."),
        SystemMessage("Be polite."),
        UserMessage("Hi", name="ada"),
        AssistantMessage("Hello"),
        ToolMessage('{"error": "timeout"}', tool_call_id="c1", is_error=True),
        ToolMessage('{"error": null}', tool_call_id="c2"),
        ToolMessage("broken", tool_call_id="c3", is_error=True),
        ToolMessage('{"error": "none"}', tool_call_id="c4"),
        ToolMessage((TextPart('{"error": 1}'),), tool_call_id="c5"),
    )


UNKNOWN = {
    "developer": {"role": "developer", "content": "Be brief."},
    "unknown role": {"role": "robot", "content": "Beep"},
    "unknown key": {**HELLO, "seed": 7, "refusal": None},
    "refusal": {"role": "assistant", "content": None, "refusal": "No."},
    "no content": {"role": "user"},
    "odd name": {**HELLO, "name": 3},
    "odd text part": {"role": "user", "content": [{"type": "text"}]},
    "key of a part": {"role": "user", "content": [{"type": "text", "text": "Hi", "cache": True}]},
    "failed result": {"role": "tool", "tool_call_id": "c1", "content": "broken", "is_error": True},
    "key of a failed result": {"role": "tool", "tool_call_id": "c1", "content": '{"error": 1}', "seed": 7},
    "custom call": {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}, "index": 0}],
    },
}


@pytest.mark.parametrize("raw", UNKNOWN.values(), ids=UNKNOWN)
def test_what_a_record_has_no_field_for_survives(tmp_path, raw):
    """Whatever a record has no field for survives the reading: the message can be written exactly as it came."""
    assert to_openai_chat(_messages(tmp_path, raw)) == [raw]


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('{"city": "Wien", "n": [1, 2.5]}', {"city": "Wien", "n": [1, 2.5]}),
        ("{}", {}),
        ("[1]", {}),
        ('{"city": ', {}),
        ("", {}),
    ],
)
def test_arguments_of_a_call(tmp_path, text, arguments):
    """Arguments are parsed to a mapping; what is no JSON object is none, and its text is kept."""
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": text}}
    (found,) = _messages(tmp_path, {"role": "assistant", "tool_calls": [call]})
    assert found.tool_calls == (ToolCall("c1", "look", arguments),)
    assert to_openai_chat([found])[0]["tool_calls"] == [call]


def test_custom_call(tmp_path):
    """The input of a custom tool, which is free text, is kept as it is."""
    call = {"id": "c1", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}}
    (found,) = _messages(tmp_path, {"role": "assistant", "content": None, "tool_calls": [call]})
    assert found.tool_calls == (ToolCall("c1", "shell", {"input": "ls -l"}),)


SHOWN = {
    "call": ([("look", '{"city": "Wien", "n": 2}')], "→ look(Wien, 2)"),
    "two calls": ([("look", '{"n": 1}'), ("find", '{"n": 2}')], "→ look(1) → find(2)"),
    "no arguments": ([("look", "{}")], "→ look()"),
    "no JSON": ([("look", '{"city": ')], '→ look({"city": )'),
    "no object": ([("look", "[1]")], "→ look([1])"),
    "no text": ([("look", None)], "→ look()"),
}


@pytest.mark.parametrize(("calls", "shown"), SHOWN.values(), ids=SHOWN)
def test_transcript_shows_calls(tmp_path, calls, shown):
    """The transcript shows each call with what it was given, also where that is no JSON object."""
    raws = [
        {"id": str(number), "type": "function", "function": {"name": name, "arguments": text}}
        for number, (name, text) in enumerate(calls)
    ]
    found = _messages(tmp_path, {"role": "assistant", "content": None, "tool_calls": raws})
    assert _transcript(found, 80).plain.split(maxsplit=1) == ["assistant", shown]


def test_transcript_shows_the_rest(tmp_path):
    """The transcript shows failed results, custom calls, calls without a function, media and unknown parts."""
    custom = {"id": "c1", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}}
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}}
    found = _messages(
        tmp_path,
        {"role": "assistant", "content": "Look:", "tool_calls": [custom, {"id": "c2"}]},
        {"role": "tool", "tool_call_id": "c1", "content": '{"error": "timeout"}'},
        {"role": "user", "content": [image, {"type": "text", "text": "Hi", "cache": True}, {"type": "x"}]},
    )
    assert [line.split(maxsplit=1)[1] for line in _transcript(found, 80).plain.splitlines()] == [
        "Look: → shell(ls -l) → ()",
        '(failed) {"error": "timeout"}',
        "[image/png, 6 bytes] Hi [RawPart]",
    ]


DATA = base64.b64encode(b"\x00\x01data").decode()
PARTS = {
    "text": ({"type": "text", "text": "Hi"}, TextPart("Hi")),
    "image by address": (
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        ImagePart(url="https://example.com/a.png", detail="low"),
    ),
    "image by value": (
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
        ImagePart(data=b"\x00\x01data", media_type="image/png"),
    ),
    "image with a damaged value": (
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAA"}},
        ImagePart(url="data:image/png;base64,AAA"),
    ),
    "audio": (
        {"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}},
        AudioPart(data=b"\x00\x01data", media_type="audio/wav"),
    ),
    "file by id": ({"type": "file", "file": {"file_id": "f-1"}}, FilePart(file_id="f-1")),
    "file by value": (
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{DATA}"}},
        FilePart(data=b"\x00\x01data", media_type="application/pdf", name="a.pdf"),
    ),
    "unknown": ({"type": "refusal", "refusal": "No."}, RawPart({"type": "refusal", "refusal": "No."}, "openai_chat")),
    "more fields": ({"type": "text", "text": "Hi", "cache": True}, TextPart("Hi")),
    "odd image": (
        {"type": "image_url", "image_url": "https://example.com/a.png"},
        RawPart({"type": "image_url", "image_url": "https://example.com/a.png"}, "openai_chat"),
    ),
    "file without a type": ({"type": "file", "file": {"file_data": "AAAA"}}, FilePart(data=b"\x00\x00\x00")),
    "odd file": (
        {"type": "file", "file": {"file_data": "AAA"}},
        RawPart({"type": "file", "file": {"file_data": "AAA"}}, "openai_chat"),
    ),
}


@pytest.mark.parametrize(("raw", "part"), PARTS.values(), ids=PARTS)
def test_parts(tmp_path, raw, part):
    """Every part becomes its class, or is kept verbatim where it has none, and nothing of it is lost."""
    (found,) = _messages(tmp_path, {"role": "user", "content": [raw]})
    assert found.content == (part,)
    assert to_openai_chat([found]) == [{"role": "user", "content": [raw]}]


def test_sample_has_all_that_is_hard():
    """The bundled sample has parallel calls with their results, a failed tool and an image."""
    messages = sample_chat().messages
    assert isinstance(messages[0], SystemMessage)
    calls = [message.tool_calls for message in messages if isinstance(message, AssistantMessage)]
    results = [message for message in messages if isinstance(message, ToolMessage)]
    assert max(map(len, calls)) == 2
    assert [call.id for group in calls for call in group] == [result.tool_call_id for result in results]
    assert sum(result.is_error for result in results) == 1
    (image,) = [part for message in messages for part in message.content if isinstance(part, ImagePart)]
    assert image.data.startswith(b"\x89PNG")


def test_locomo_turns(tmp_path):
    """A LoCoMo turn keeps its speaker, its place, its image, and the time of its session; sessions stand in order."""
    turn = {"speaker": "Ada", "dia_id": "D2:1", "text": "Hi", "img_url": ["u"], "blip_caption": "a cat", "query": "q"}
    document = {
        "speaker_a": "Ada",
        "speaker_b": "Bo",
        "session_10_date_time": "12:05 am on 2 March, 2024",
        "session_10": [{"speaker": "Bo", "dia_id": "D10:1", "text": "Late"}],
        "session_2_date_time": "1:56 pm on 29 February, 2024",
        "session_2": [turn, {"speaker": "Bo", "dia_id": "D2:2", "text": "Hello"}],
        "session_11_date_time": "1:00 pm on 3 March, 2024",
    }
    chat = read_chat(_write(tmp_path, json.dumps(document)))
    kept = {"speaker": "Ada", "dia_id": "D2:1", "img_url": ["u"], "blip_caption": "a cat"}
    begin = datetime(2024, 2, 29, 13, 56, tzinfo=UTC)
    assert chat.form == "LoCoMo"
    assert chat.messages[0] == UserMessage("Hi", name="Ada", created_at=begin, metadata=kept)
    assert [message.content for message in chat.messages] == ["Hi", "Hello", "Late"]
    assert [message.created_at for message in chat.messages[1:]] == [
        begin.replace(second=1),
        datetime(2024, 3, 2, 0, 5, tzinfo=UTC),
    ]


@pytest.mark.skipif(not LOCOMO.is_dir(), reason="the LoCoMo files are not here")
@pytest.mark.parametrize(("number", "turns"), [(26, 419), (30, 369), (41, 663), (42, 629), (43, 680)])
def test_real_locomo_files(number, turns):
    """Every turn of the real LoCoMo files is read, in order of time."""
    messages = read_chat(LOCOMO / f"{number}.json").messages
    assert len(messages) == turns
    times = [message.created_at for message in messages]
    assert times == sorted(times)
    assert len({message.metadata["dia_id"] for message in messages}) == turns


def test_a_line_steers_no_terminal():
    """What is shown of a message has no control characters and is cut to its width."""
    assert one_line("a\x1b[2J\r\n\tb\u202e" + "c" * 90, 10) == "a [2J b c…"
