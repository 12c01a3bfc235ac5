"""The benchmarks run, compare fairly, and their results say on what they were measured."""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

pytest.importorskip("rich")

from benchmarks import aims, peers, plots, rounds, soak
from benchmarks.byhand import Wire, packed
from benchmarks.codec import codec_races
from benchmarks.counting import CountingProxy
from benchmarks.figures import Figure, summary
from benchmarks.page import page_with
from benchmarks.parts import PARTS, TASKS
from benchmarks.readers import reader_races
from benchmarks.rounds import Contender, race
from benchmarks.sync import sync_races
from benchmarks.tasks import task_races, tasks_races
from benchmarks.work import RAW_MEMORY, RAW_MESSAGE, append_of, put_of
from memkit import RedisMemoryManager

ROOT = Path(__file__).parents[1]
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
# Together they start Python less often; recall asks no server and takes long.
RUNS = (
    "sync task tasks",
    "readers wire start",
    "flat codec inmemory designs",
    "tails layers compression",
    "scale",
    "histories memory listing",
    "soak",
)


# Runs ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", RUNS)
def test_parts_run(binary, parts):
    """Parts that are named run by themselves, quickly, print what came out beside what was asked for, write nothing."""
    binary("valkey")
    before = {path: path.read_bytes() for path in RESULTS}
    command = [sys.executable, "-m", "benchmarks", "--quick", *parts.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    begun = [line.split()[0] for line in done.stdout.splitlines() if " on valkey " in line]
    assert begun == parts.split()
    assert "what came out beside what was asked for" in done.stdout
    assert {path: path.read_bytes() for path in path_of_results()} == before


def path_of_results():
    return sorted((ROOT / "benchmarks" / "results").glob("*.json"))


def test_every_part_is_run():
    """No part is left out of these tests but recall."""
    assert set(" ".join(RUNS).split()) == {*PARTS, "soak"} - {"recall"}


def test_unknown_part_is_refused():
    """A part that does not exist is an error that names those that do."""
    command = [sys.executable, "-m", "benchmarks", "nonsense"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no such part: nonsense; there are sync, task, tasks" in done.stderr


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_name_the_machine(path):
    """Every file of results names the machine, its load, the server and all versions, and has figures or rows."""
    report = json.loads(path.read_text(encoding="utf-8"))
    assert report.keys() >= {"machine", "rows", "figures"}
    assert report["machine"].keys() >= {"at", "python", "machine", "cores", "load", "server", "versions"}
    assert report["rows"] or report["figures"]


# Figures and rounds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "least", "reached", "held"),
    [
        (2.1, True, True, True),
        (1.8, True, False, True),
        (1.5, True, False, False),
        (1.5, False, True, True),
        (1.8, False, False, True),
        (2.1, False, False, False),
    ],
)
def test_figure_says_what_is_reached_and_what_is_held(value, least, reached, held):
    """A figure knows its aim from what it must never fall below, or rise above."""
    target, bound = (2, 1.6) if least else (1.6, 2)
    figure = Figure("speed", value, "times", target, least, bound)
    assert (figure.reached, figure.held) == (reached, held)
    written = figure.as_dict()
    assert [written[name] for name in ("value", "target", "bound", "reached", "held")] == [
        value,
        target,
        bound,
        reached,
        held,
    ]


def test_figure_without_aims_has_no_verdict():
    """Where nothing was asked for, nothing is reached or missed."""
    figure = Figure("speed", 1.0, "times")
    assert (figure.reached, figure.held) == (None, None)
    assert figure.as_row() == ("speed", "1", "times", "", "", "", "")


def test_summary_counts_what_has_verdicts():
    """One line says how many aims were reached and how many bounds held, of those that there are."""
    figures = [Figure("a", 1, "", 2, True, 1), Figure("b", 3, "", 2, True), Figure("c", 1, "")]
    assert summary(figures) == "aims reached: 1 of 2; never under or over: 1 of 1 held"


class Track:
    """A clock that contenders move."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        self.order = []
        monkeypatch.setattr(rounds.time, "perf_counter", lambda: self.now)

    def contender(self, name, seconds, **more):
        def run(count):
            self.order.append((name, count))
            self.now += seconds * count

        return Contender(name, run, **more)


def test_rounds_interleave_and_take_turns_at_beginning(monkeypatch):
    """In each round every contender runs once, and each round begins with the next one."""
    track = Track(monkeypatch)
    race("work", [track.contender(name, 1) for name in "abc"], count=10, rounds=4)
    # The warm-up comes first.
    assert "".join(name for name, _ in track.order) == "abc" + "abc" + "bca" + "cab" + "abc"


def test_ratios_are_paired_within_rounds(monkeypatch):
    """A ratio compares what ran in the same round: a machine that gets slower for a round changes nothing."""
    track = Track(monkeypatch)
    fast, slow = track.contender("fast", 1), track.contender("slow", 2)
    race("work", [slow, fast], count=10, rounds=3)
    slow.seconds, fast.seconds = [20, 2], [10, 1]
    assert fast.times_as_fast(slow) == 2
    assert slow.times_as_fast(fast) == 0.5


def test_slow_contender_does_its_share(monkeypatch):
    """A contender with a share does so many times less, and what it took is that of one piece of work all the same."""
    track = Track(monkeypatch)
    first, slow = track.contender("first", 1e-6), track.contender("slow", 4e-4, share=50)
    rows = race("work", [first, slow], count=200, rounds=2)
    assert track.order[-1] == ("first", 200) or track.order[-2] == ("first", 200)
    assert ("slow", 4) in track.order
    assert [row.microseconds for row in rows] == pytest.approx([1, 400])
    assert rows[1].ratio == pytest.approx(1 / 400)


# Aims ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contenders(binary):
    """The names of the contenders of each work."""
    from memkit.testing.servers import Server  # noqa: PLC0415 - here alone

    with Server(binary("valkey")) as server:
        races = itertools.chain(
            sync_races(server.url),
            task_races(server.url),
            tasks_races(server.url, 16),
            reader_races(server.url),
            codec_races(),
        )
        return {work: {contender.name for contender in each} for work, each in races}


def test_aims_name_works_and_contenders(contenders):
    """Every aim is about a work that is measured, and about contenders that take part where they are installed."""
    anybody = {peer.name for peer in peers.PEERS} | {aims.MEMKIT_UVLOOP, aims.REDIS_UVLOOP}
    for work, found in aims.AIMS.items():
        # With other numbers of tasks the contenders are the same.
        names = contenders[work.replace("64 tasks", "16 tasks").replace("256 tasks", "16 tasks")]
        for aim in found:
            assert aim.who in names | anybody, (work, aim)
            assert aim.against in names | anybody, (work, aim)


def test_aims_of_those_who_are_not_there_are_left_out():
    """A figure against a library that is not installed is left out; the others are there."""
    own, other = Contender(aims.MEMKIT, lambda _: None), Contender(aims.REDIS, lambda _: None)
    own.seconds, other.seconds = [1.0, 1.0], [9.0, 9.0]
    (figure,) = aims.figures_of("get 2 KB, 64 tasks", [other, own])
    assert figure == Figure(
        "get 2 KB, 64 tasks: memkit against redis.asyncio", 9, "times as fast", 12, least=True, bound=8
    )
    assert (figure.reached, figure.held) == (False, True)


def test_asked_for_numbers_of_tasks_are_measured():
    """What is aimed at for 64 tasks is measured with 64, and free: the server has its own core."""
    assert {16, 64, 256} <= set(TASKS)
    assert not PARTS["tasks"].pinned
    assert PARTS["sync"].pinned
    assert PARTS["task"].pinned


# Fairness -----------------------------------------------------------------------------------------------------------


def test_both_sides_store_as_much(valkey):
    """What memkit stores is within a twentieth as large as the ready bytes that it is compared with."""
    with RedisMemoryManager(valkey.url, namespace="fair") as manager:
        manager.store(append_of("c"))
        manager.store(put_of("c"))
    with redis.Redis.from_url(valkey.url) as client:
        (message,) = client.lrange("fair:{c:c}:log", 0, -1)
        assert len(message) == pytest.approx(len(RAW_MESSAGE), rel=0.05)
        assert client.strlen("fair:{c:c}:wm") == pytest.approx(len(RAW_MEMORY), rel=0.05)


@pytest.mark.parametrize("races", [sync_races, task_races])
def test_everybody_asks_the_server_every_time(valkey, races):
    """No contender is quick because it remembers: each call of each is a round trip at least."""
    with CountingProxy(valkey.url) as proxy:
        for work, contenders in races(proxy.url):
            for contender in contenders:
                contender.run(1)
                proxy.take()
                contender.run(5)
                assert proxy.take().trips >= 5, (work, contender.name)


def test_bare_socket_reads_whole_replies(valkey):
    """The bare socket waits for as many bytes as the reply has, so that it is no faster than it may be."""
    with redis.Redis.from_url(valkey.url) as client, Wire(valkey.url) as wire:
        # Too large to come in one piece.
        client.set("raw:wm", b"x" * 8_000_000)
        wire.get()(3)
        # Nothing is left over that the next one would take for its own.
        wire._socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            wire._socket.recv(1)


@pytest.mark.parametrize("name", ["requirements/dev.txt", "requirements/bench.txt"])
def test_peers_are_locked_apart(name):
    """Every library that is measured beside memkit has its version locked, and none is in the usual environment."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    locked = {line.partition("==")[0] for line in lines if "==" in line and not line.startswith(" ")}
    packages = {peer.package for peer in peers.PEERS}
    assert packages & locked == (packages if "bench" in name else set())


def test_missing_peers_are_named(monkeypatch):
    """A library that is not installed takes no part and is named by its package, once."""
    there = {"valkey-glide"}
    monkeypatch.setattr(peers, "version_of", lambda package: "1" if package in there else None)
    assert peers.installed(peers.Glide, peers.LangChain) == [peers.Glide]
    assert "valkey-glide" not in peers.missing()
    assert peers.missing().count("openai-agents") == 1


# Bytes on the wire --------------------------------------------------------------------------------------------------


def test_proxy_counts_bytes_and_round_trips(valkey):
    """Commands sent together are one round trip, one after the other they are two; bytes are those of the protocol."""
    with CountingProxy(valkey.url) as proxy, redis.Redis.from_url(proxy.url) as client:
        client.ping()
        proxy.take()
        pipe = client.pipeline(transaction=False)
        pipe.set("proxy:a", b"x" * 100).get("proxy:a").execute()
        together = proxy.take()
        client.set("proxy:a", b"x" * 100)
        client.get("proxy:a")
        apart = proxy.take()
        with socket.create_connection((urlsplit(proxy.url).hostname, urlsplit(proxy.url).port)) as link:
            link.sendall(b"*1\r\n$4\r\n")
            # The proxy sees two pieces of one request.
            until(lambda: proxy._traffic.requests == 8)
            link.sendall(b"PING\r\n")
            assert link.recv(16) == b"+PONG\r\n"
        in_pieces = proxy.take()
    request = len(packed(("SET", "proxy:a", b"x" * 100)) + packed(("GET", "proxy:a")))
    reply = len(b"+OK\r\n" + b"$100\r\n" + b"x" * 100 + b"\r\n")
    assert (together.requests, together.replies, together.trips) == (request, reply, 1)
    assert (apart.requests, apart.replies, apart.trips) == (request, reply, 2)
    assert (in_pieces.requests, in_pieces.replies, in_pieces.trips) == (14, 7, 1)


def until(done):
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.001)


# Soak ---------------------------------------------------------------------------------------------------------------


def samples_of(values):
    return [soak.Sample(5.0 * n, value, 1_000, 100.0, 1.0, 2.0) for n, value in enumerate(values, 1)]


def test_soak_compares_the_last_fifth_with_the_second():
    """What fills in the first fifth is no growth; what goes on growing is, and the verdict names it."""
    filled = soak.figures_of(samples_of([10, 50] + [100] * 8))
    assert filled[0].value == 1
    assert soak.verdict(filled) == "nothing grows"
    grown = soak.figures_of(samples_of(range(100, 200, 10)))
    assert grown[0].value == pytest.approx(185 / 125)
    assert soak.verdict(grown) == "GROWS: soak, memory of the client, last fifth against second"
    assert soak.verdict(grown, 9) == "too short to tell: 10 minutes are needed"


def test_soak_keeps_its_pace(monkeypatch):
    """A worker waits until its next piece of work is due, and does not make up for what it was late for."""
    now = [100.0]
    monkeypatch.setattr(soak.time, "monotonic", lambda: now[0])
    worker = soak.Worker(0, None)
    assert worker.pause() == 0
    assert worker.pause() == pytest.approx(1 / soak.PACE)
    now[0] += 5
    assert worker.pause() == 0
    assert worker.pause() == pytest.approx(1 / soak.PACE)


def test_soak_ends_when_a_call_fails(valkey, monkeypatch):
    """A call that fails is not counted as a quick one: it ends the soak with its error."""
    monkeypatch.setattr(soak.Worker, "begin", lambda _: 1 / 0)
    with pytest.raises(RuntimeError) as caught:
        soak.soak(valkey.url, minutes=0.05, step=0.1, warm=1)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


# Plots --------------------------------------------------------------------------------------------------------------


def row(work, name, microseconds=10.0, ratio=1.0):
    return {"work": work, "name": name, "microseconds": microseconds, "ratio": ratio}


SAMPLE = {
    "sync": [row("put 2 KB", "redis.Redis"), row("put 2 KB", "memkit store", 5.0, 2.04)],
    "task": [row("get 2 KB, 1 task", "memkit", 5.0, 2.4)],
    "tasks": [
        row("append, 16 tasks", "redis.asyncio", 100.0),
        row("append, 64 tasks", "redis.asyncio", 100.0),
        row("append, 16 tasks", "memkit", 20.0, 5.0),
        row("append, 64 tasks", "memkit", 10.0, 10.0),
        row("append, 64 tasks", "memkit, uvloop", 8.0, 12.5),
    ],
    "flat": [row("store one", "20 messages", 25.0), row("store one", "100,000 messages", 26.0)],
    "readers": [row("last 20 of 1,000", "llama-index", 5_000.0), row("last 20 of 1,000", "memkit", 50.0)],
}


@pytest.fixture
def results(tmp_path):
    """A directory with results of a run."""
    for name, rows in SAMPLE.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"machine": {}, "rows": rows, "figures": []}))
    return plots.Results(tmp_path)


def test_bars_are_ratios_against_redis_py(results):
    """The bars of the front page are memkit's ratios as measured, by placement; works without results have none."""
    assert plots.bars(results) == [
        ("plain code, against redis.Redis", [("put 2 KB", 2.04)]),
        ("one task, against redis.asyncio", [("get 2 KB", 2.4)]),
        ("64 tasks, against redis.asyncio", [("append", 10.0)]),
    ]


def test_lines_are_what_was_measured(results):
    """Lines go through what was measured: time by length, and calls a second by the number of tasks."""
    assert plots.lengths(results) == {
        "memkit, append": ([20, 100_000], [25.0, 26.0]),
        "llama-index, last 20": ([1_000], [5_000.0]),
    }
    assert plots.crowds(results, "append") == {
        "redis.asyncio": ([16, 64], [10_000.0, 10_000.0]),
        "memkit": ([16, 64], [50_000.0, 100_000.0]),
    }


def test_plots_are_small_and_readable_anywhere(results, tmp_path):
    """Plots are small SVG with text as text, no background of their own, the same bytes when they are drawn again."""
    (tmp_path / "soak.json").write_text(
        json.dumps(
            {"rows": [], "samples": [{"seconds": s, "resident": 5e7, "used": 3e7, "p50": 1, "p99": 9} for s in (5, 10)]}
        )
    )
    assert plots.draw_all(tmp_path) == "drawn: faster.svg, flat.svg, tasks.svg, soak.svg"
    drawn = {path: path.read_bytes() for path in tmp_path.glob("*.svg")}
    assert b">2.0 times</text>" in drawn[tmp_path / "faster.svg"]
    for content in drawn.values():
        assert len(content) < 60_000
        assert b"#ffffff" not in content
        assert b"#000000" not in content
    plots.draw_all(tmp_path)
    assert {path: path.read_bytes() for path in drawn} == drawn


def test_plots_without_results_are_left_out(tmp_path):
    """What was not measured is not drawn, and that is said."""
    assert plots.draw_all(tmp_path) == "drawn: nothing"
    assert not list(tmp_path.iterdir())


def test_plots_without_matplotlib(results, tmp_path, monkeypatch):
    """Without matplotlib the run ends with a line that says so, not with an error."""
    monkeypatch.setattr(plots, "mpl", None)
    assert plots.draw_all(tmp_path) == "no plots: matplotlib is not installed"


def test_page_takes_up_what_was_measured():
    """Tables of the page are replaced by the last results of their part; a part without results keeps what it has."""
    figure = Figure("w", 2.5, "µs", 3, bound=2).as_dict()
    told = {**figure, "target": None, "bound": None}
    row = {"work": "r", "name": "n", "microseconds": 1.25, "ratio": 2.0}
    about = {"server": "s", "placement": "p", "python": "3"}
    results = {"one": {"machine": about, "figures": [figure, told], "rows": [row]}}
    piece = "<!-- {}: {} -->\nold\n<!-- end -->\n"
    text = "".join(piece.format(*each) for each in (("figures", "one"), ("rows", "one"), ("rows", "two")))
    fresh = page_with(text, results.get)
    assert fresh.count("| w | 2.5 µs | at most 3: yes | over 2: **no** |") == 1
    assert fresh.count("| r | n | 1.2 | 2.00 |") == 1
    assert fresh.count("old") == 1
    assert page_with(fresh, results.get) == fresh
