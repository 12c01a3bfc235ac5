"""Ten thousand appends through a network that loses, cuts and delays: none is doubled, lost or out of order."""

from __future__ import annotations

import asyncio
import itertools
import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import field, frozen

from memkit import AssistantMessage, ToolCall, ToolMessage, UserMessage
from memkit.testing._contract.history_base import is_valid
from memkit.testing.proxy import CUT_REPLY, DELAY, DROP_REPLY, LATE_REQUEST, REFUSE, RESET, FaultProxy
from tests.history_faults import Overtaken, Weather, aopened, opened, runs

WRITERS = 8
TIMEOUT = 0.25
SHARE = 0.08


# What is written


@frozen
class Call:
    """One call of `append`: its messages, and its key if it has one."""

    messages: tuple
    key: str | None = None


def call_of(writer, number):
    """Return the n-th append of a writer.

    Of every twenty, two are batches, two have a key, one has an id, one is a call whose result comes with the next.
    """

    def note(part):
        return {"metadata": {"writer": writer, "number": number, "part": part}}

    say = UserMessage(f"{number} of {writer}", **note(0))
    tool = f"{writer}-{number}"
    match number % 20:
        case 3 | 13:
            call = AssistantMessage("", tool_calls=[ToolCall(tool, "look_up")], **note(0))
            return Call((call, ToolMessage("found", tool_call_id=tool, **note(1)), AssistantMessage("so", **note(2))))
        case 6 | 16:
            return Call((say, AssistantMessage("yes", **note(1))), f"key {writer} {number}")
        case 8:
            return Call((UserMessage("given", id=f"given {writer} {number}", **note(0)),))
        case 10:
            return Call((AssistantMessage("", tool_calls=[ToolCall(tool, "look_up")], **note(0)),))
        case 11:
            return Call((ToolMessage("found", tool_call_id=f"{writer}-{number - 1}", **note(0)),))
        case _:
            return Call((say,))


def plans_of(writers, appends):
    """Return what each writer appends."""
    return [[call_of(writer, number) for number in range(appends // WRITERS)] for writer in writers]


# Who writes


def write(history, plan):
    """Append what is planned, in order, and return the ids."""
    return [history.append(*call.messages, idempotency_key=call.key) for call in plan]


async def awrite(history, plan):
    """`write` for asyncio."""
    return [await history.append(*call.messages, idempotency_key=call.key) for call in plan]


@frozen
class Glances:
    """What readers saw meanwhile."""

    windows: list = field(factory=list)

    def add(self, window):
        """Note a window."""
        self.windows.append((len(window), is_valid(window)))


def look(history, glances, over):
    """Read windows until the writers are done."""
    while not over.is_set():
        glances.add(history.window(last=25))
        glances.add(history.window(tokens=200, counter=lambda _: 7))
        over.wait(0.01)


async def alook(history, glances, over):
    """`look` for asyncio."""
    while not over.is_set():
        glances.add(await history.window(last=25))
        glances.add(await history.window(tokens=200, counter=lambda _: 7))
        await asyncio.sleep(0.01)


def storm(url, name, plans, glances):
    """Let a thread append each plan, and one read windows meanwhile; return the ids of each plan."""
    over = threading.Event()
    with opened(url, attempt_timeout=TIMEOUT, pool_size=WRITERS + 1) as kit, ThreadPoolExecutor(WRITERS + 1) as threads:
        history = kit.history(name)
        reader = threads.submit(look, history, glances, over)
        try:
            return list(threads.map(write, [history] * len(plans), plans))
        finally:
            over.set()
            reader.result()


async def astorm(url, name, plans, glances):
    """Let a task append each plan, and one read windows meanwhile; return the ids of each plan."""
    over = threading.Event()
    async with aopened(url, attempt_timeout=TIMEOUT) as kit:
        history = kit.history(name)
        reader = asyncio.create_task(alook(history, glances, over))
        try:
            return await asyncio.gather(*(awrite(history, plan) for plan in plans))
        finally:
            over.set()
            await reader


def in_loop(url, name, plans, glances):
    """Run `astorm` in a loop of its own."""
    return asyncio.run(astorm(url, name, plans, glances))


def both(url, name, plans, glances):
    """Run half of the plans in threads and half in tasks, all at once on one conversation."""
    half = len(plans) // 2
    with ThreadPoolExecutor(2) as threads:
        runs_ = [threads.submit(storm, url, name, plans[:half], glances)]
        runs_ += [threads.submit(in_loop, url, name, plans[half:], glances)]
        return [ids for run in runs_ for ids in run.result()]


STORMS = {"sync": storm, "async": in_loop, "both": both}


# What came of it


@frozen
class Verdict:
    """How many messages were doubled, lost, out of their writer's order, and batches that were torn apart."""

    duplicates: int
    lost: int
    order_breaks: int
    torn: int


def place_of(message):
    """Return whose message it is, and which."""
    metadata = message.metadata
    return metadata["writer"], metadata["number"], metadata["part"]


def judge(plans, ids, stored):
    """Compare what was planned and acknowledged with what is stored."""
    planned = [
        (place_of(message), acknowledged)
        for plan, answers in zip(plans, ids, strict=True)
        for call, answer in zip(plan, answers, strict=True)
        for message, acknowledged in zip(call.messages, answer, strict=True)
    ]
    found = [(place_of(message), message.id) for message in stored]
    places = [place for place, _ in found]
    return Verdict(
        duplicates=len(places) - len(set(places)),
        lost=len(set(planned) - set(found)),
        order_breaks=sum(breaks(places, writer) for writer in {place[0] for place in places}),
        torn=sum(place[2] > 0 and place[:2] != before[:2] for before, place in itertools.pairwise(places)),
    )


def breaks(places, writer):
    """Return how often a message of a writer stands before an earlier one."""
    mine = [place for place in places if place[0] == writer]
    return sum(later < earlier for earlier, later in itertools.pairwise(mine))


def kinds_in(proxy):
    """Return the faults of a storm with their weights; most of them cost no time."""
    return {
        DROP_REPLY: 4,
        CUT_REPLY: 3,
        RESET: 3,
        REFUSE: 2,
        LATE_REQUEST(0.02): 3,
        Overtaken(proxy): 5,
        DELAY(2 * TIMEOUT): 0.3,
    }


FAULTS = {"DROP_REPLY", "CUT_REPLY", "RESET", "REFUSE", "LATE_REQUEST", "OVERTAKEN", "DELAY"}


def weathered(server, colour, appends):
    """Run a storm, check what must hold of the faults, and return the verdict and what readers saw."""
    name, glances = uuid.uuid4().hex, Glances()
    plans = plans_of(range(WRITERS), appends)
    with FaultProxy("127.0.0.1", server.port) as proxy, opened(server.url) as direct:
        # Every script is known to the server from here on, so that a repeat is the same request.
        write(direct.history(uuid.uuid4().hex), [call_of(0, 0)])
        kinds = kinds_in(proxy)
        overtaken = next(kind for kind in kinds if isinstance(kind, Overtaken))
        weather = Weather(proxy, runs("log_append"), SHARE, kinds, seed=appends)
        ids = STORMS[colour](proxy.url, name, plans, glances)
        proxy.settle(30)
        stored = direct.history(name).messages()
        assert direct.history(name).count() == len(stored)
    assert set(proxy.injected) >= FAULTS
    assert all(proxy.injected[fault] > 0 for fault in FAULTS)
    assert len(weather.seen) == appends
    assert len(weather.hit) >= 0.05 * appends
    assert overtaken.landed >= 0.005 * appends
    return judge(plans, ids, stored), glances.windows


def check(server, colour, appends):
    """Check that a storm did no harm to what is stored, and that readers saw none."""
    verdict, windows = weathered(server, colour, appends)
    assert verdict == Verdict(duplicates=0, lost=0, order_breaks=0, torn=0)
    assert len(windows) > 20
    assert all(valid for _, valid in windows)
    assert max(size for size, _ in windows) > 20


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_storm(valkey, colour):
    """5,000 appends of 8 writers under every fault: none doubled, lost, out of order, no error, each window valid."""
    check(valkey, colour, 5_000)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("colour", STORMS)
@pytest.mark.parametrize("name", ["valkey", "redis7", "redis62"])
def test_long_storm(servers, name, colour):
    """The same for 10,000 appends of each colour, and of both together, on each kind of server."""
    check(servers(name), colour, 10_000)


# The judge


def told(*places):
    """Return the messages of writer 0 at these places, with an id each."""
    return [
        UserMessage("x", id=f"{number}.{part}", metadata={"writer": 0, "number": number, "part": part})
        for number, part in places
    ]


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([(0, 0), (1, 0), (1, 1)], Verdict(0, 0, 0, 0)),
        ([(0, 0), (1, 0)], Verdict(0, 1, 0, 0)),
        ([(0, 0), (0, 0), (1, 0), (1, 1)], Verdict(1, 0, 0, 0)),
        ([(1, 0), (1, 1), (0, 0)], Verdict(0, 0, 1, 0)),
        ([(1, 0), (0, 0), (1, 1)], Verdict(0, 0, 1, 1)),
    ],
    ids=["right", "lost", "doubled", "out of order", "torn"],
)
def test_judge(places, expected):
    """The judge counts each kind of harm, so that its zeros mean something."""
    plans = [[Call(tuple(told((0, 0)))), Call(tuple(told((1, 0), (1, 1))))]]
    assert judge(plans, [[["0.0"], ["1.0", "1.1"]]], told(*places)) == expected


def test_fair_shares():
    """Of every twenty appends some are batches, some have a key, an id, or a call without its result."""
    shapes = Counter(
        (len(call.messages), call.key is not None, call.messages[0].id is not None)
        for call in plans_of([0], 20 * WRITERS)[0]
    )
    assert shapes == {(1, False, False): 15, (3, False, False): 2, (2, True, False): 2, (1, False, True): 1}
