"""Clients and servers killed in the middle of compact, fork, rewind, restore, repair, erase: old or new, never half."""

from __future__ import annotations

import itertools
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import evolve, field, frozen

from memkit import (
    AssistantMessage,
    Fact,
    MemoryInput,
    MemoryType,
    OutcomeUnknownError,
    RetryPolicy,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
    WorkingMemory,
)
from memkit.testing._contract.history_base import is_valid
from memkit.testing.proxy import DROP_REPLY, REFUSE, FaultProxy, is_data_command
from memkit.testing.servers import Server
from tests.history_client import Client
from tests.history_faults import EveryFirst, Held, Stop, opened, runs, wait_for
from tests.history_worker import PATIENT, carry_out

is_append = runs("log_append")
AOF = {"appendonly": "yes", "appendfsync": "always"}
# So many are erased; everything else is about one.
CONVERSATIONS = 3


@pytest.fixture(scope="module")
def client():
    client = Client()
    yield client
    client.close()


# What an operation meets, and what it leaves


@frozen
class State:
    """What can be seen of a conversation."""

    messages: list
    count: int
    branches: list
    title: str | None
    metadata: dict
    others: list

    @property
    def shape(self):
        """The same without what differs from run to run: ids, and times."""
        texts = {message.id: message.content for message in self.messages}
        # What a branch was cut behind is always still there.
        branches = [(texts.get(branch.after), branch.count) for branch in self.branches]
        messages = [(message.role, message.content, message.version, message.pinned) for message in self.messages]
        return messages, self.count, branches, self.title, self.metadata, len(self.others)


def state_of(kit, name):
    """Read all of a conversation; None if it is absent."""
    history = kit.history(name)
    info = history.info()
    if info is None:
        return None
    messages = history.messages()
    assert [history.get(message.id) for message in messages] == messages
    assert is_valid(history.window())
    return State(messages, history.count(), history.branches(), info.title, dict(info.metadata), others_of(kit, name))


def others_of(kit, name):
    """Read the other memories of a conversation."""
    kinds = (MemoryType.WORKING_MEMORY, MemoryType.LONG_TERM_MEMORY)
    return [record for kind in kinds for record in kit.manager.retrieve(MemoryInput(name, kind))]


@frozen
class Scene:
    """Conversations of a user and an order about them.

    Attributes:
        order: what is to be done.
        names: the conversations that it may change.
        before: what they are before it, one after the other.
    """

    order: dict
    names: list
    before: list = field(factory=list)

    def at(self, kit):
        """What the conversations are now."""
        return [state_of(kit, name) for name in self.names]


def script(number=0):
    """Return the messages of a conversation, one after the other."""
    return [
        SystemMessage("be kind"),
        UserMessage(f"first {number}", metadata={"n": number}),
        AssistantMessage("", tool_calls=[ToolCall("x", "look_up"), ToolCall("y", "look_up")]),
        ToolMessage("here", tool_call_id="x"),
        ToolMessage("there", tool_call_id="y"),
        UserMessage("keep this", pinned=True),
        AssistantMessage("noted"),
        UserMessage("given", id="given"),
        AssistantMessage("taken"),
        UserMessage("goes", id="goes"),
        UserMessage("last"),
        AssistantMessage("bye"),
    ]


def conversed(kit, user, name):
    """Make a conversation with all that one can have; return the ids of its messages by their texts."""
    history = kit.history(name, user_id=user)
    messages = script()
    # The first ones after the others: they stand below them in no order of ids.
    ids = [*history.append(*messages[:4]), *history.append(*messages[4:])]
    history.append(UserMessage("cut off"), AssistantMessage("and gone"))
    history.rewind(ids[-1])
    history.remove("goes")
    history.update("given", UserMessage("given and changed"))
    history.set_title("title")
    history.set_metadata({"a": [1, 2]})
    kit.manager.store(MemoryInput(name, MemoryType.WORKING_MEMORY, data=[WorkingMemory("work")]))
    kit.manager.store(MemoryInput(name, MemoryType.LONG_TERM_MEMORY, data=[Fact("fact")]))
    return dict(zip([message.content for message in messages], ids, strict=True))


def scene_of(kit, server, what):
    """Make conversations for an order."""
    user = uuid.uuid4().hex
    names = [f"{user} {number}" for number in range(CONVERSATIONS if what == "erase" else 1)]
    ids, *_ = [conversed(kit, user, name) for name in names]
    order = {"do": what, "url": server.url, "user": user, "conversation": names[0], "through": ids["taken"]}
    if what == "fork":
        names.append(f"{user} fork")
        order["target"] = names[-1]
    if what == "restore":
        history = kit.history(names[0])
        order["branch"] = history.rewind(ids["noted"]).id
        history.append(UserMessage("other end"))
    if what == "repair":
        call = [ToolCall("z", "look_up")]
        kit.history(names[0]).append(AssistantMessage("", tool_calls=call), UserMessage("between"))
        kit.history(names[0]).append(AssistantMessage("", tool_calls=[ToolCall("zz", "look_up")]))
    scene = Scene(order, names)
    return evolve(scene, before=scene.at(kit))


class Stage:
    """Where scenes are played: a server, a client of the test's own, and one that can be killed."""

    def __init__(self, server, kit, client):
        self.server = server
        self.kit = kit
        self.client = client
        self._expected = {}

    def scene(self, what):
        """Make conversations for an order."""
        return scene_of(self.kit, self.server, what)

    def expected(self, what):
        """What an order leaves where nothing disturbs it: the shape of each conversation."""
        if what not in self._expected:
            scene = self.scene(what)
            self.client.run(scene.order)
            self._expected[what] = shapes(scene.at(self.kit))
            assert self._expected[what] != shapes(scene.before)
        return self._expected[what]

    def look(self, scene):
        """Check that each conversation is old or new, and all that one write changes alike; return which."""
        expected = self.expected(scene.order["do"])
        found = verdicts(scene, scene.at(self.kit), expected)
        if scene.order["do"] == "erase":
            return found
        changes = [shape != want for shape, want in zip(shapes(scene.before), expected, strict=True)]
        (one,) = {each for each, is_changed in zip(found, changes, strict=True) if is_changed}
        return [one]

    def complete(self, scene, found):
        """Check that what was interrupted can be done again, and that the conversation can still be used."""
        if scene.order["do"] == "erase":
            self.client.run(scene.order)
            assert scene.at(self.kit) == [None] * CONVERSATIONS
            assert self.kit.admin.erase(user_id=scene.order["user"]).verified
            return
        if found == ["old"]:
            self.client.run(scene.order)
        assert self.look(scene) == ["new"]
        history = self.kit.history(scene.names[-1])
        before = history.messages()
        history.append(UserMessage("goes on"))
        after = history.messages()
        assert (after[:-1], after[-1].content) == (before, "goes on")


def shapes(states):
    """Return the shapes of states."""
    return [state and state.shape for state in states]


def verdicts(scene, now, expected):
    """Return ``old`` or ``new`` for each conversation; anything else is an error."""
    out = []
    for before, state, shape in zip(scene.before, now, expected, strict=True):
        if state == before:
            out.append("old")
            continue
        assert (state and state.shape) == shape
        kept = {message.id: message for message in (before.messages if before else [])}
        assert all(kept.get(message.id, message) == message for message in (state.messages if state else []))
        out.append("new")
    return out


OPERATIONS = ["compact", "compact_with", "fork", "rewind", "restore", "repair", "erase"]
operations = pytest.mark.parametrize("what", OPERATIONS)
# The others swap in the same way.
main_operations = pytest.mark.parametrize(
    "what",
    [pytest.param(each, marks=pytest.mark.slow) if each in ("compact_with", "repair") else each for each in OPERATIONS],
)


# The client is killed


def stop_of(proxy, number, moment):
    """Inject a stop at the n-th request on data."""
    stop = Stop(number, moment)
    proxy.inject(stop, when=lambda command: is_data_command(command) and stop(command))
    return stop


def killed_at(stage, proxy, scene, number, moment):
    """Kill a client at one of its requests; False: it came through with fewer."""
    stop = stop_of(proxy, number, moment)
    stage.client.start({**scene.order, "url": proxy.url})
    wait_for(lambda: stop.reached.is_set() or stage.client.done)
    was_killed = stage.client.kill()
    if was_killed:
        stop.go()
    proxy.settle()
    proxy.clear()
    return was_killed


@pytest.fixture(scope="module")
def stage(valkey, client):
    with opened(valkey.url) as kit:
        yield Stage(valkey, kit, client)


@pytest.mark.parametrize("moment", ["before", "after", "late"])
@operations
def test_client_killed_at_each_step(stage, what, moment):
    """Killed before or after any of its requests, or with one on its way, a client leaves the old or the new state."""
    found = set()
    with FaultProxy("127.0.0.1", stage.server.port) as proxy:
        for number in itertools.count(1):
            scene = stage.scene(what)
            if not killed_at(stage, proxy, scene, number, moment):
                break
            now = stage.look(scene)
            found |= set(now)
            stage.complete(scene, now)
    assert number > 2
    assert "old" in found
    # Cut off in front of its last request, which reads or gives something back, it has done its work.
    assert "new" in found or moment == "before"


def spread(count, seconds):
    """Return moments from 0 to a bit more than some time."""
    return [1.2 * seconds * number / (count - 1) for number in range(count)]


def seconds_of(stage, what):
    """Return how long a client needs for an order."""
    order = stage.scene(what).order
    began = time.perf_counter()
    stage.client.run(order)
    return time.perf_counter() - began


@main_operations
def test_client_killed_at_any_time(stage, what):
    """Killed at twenty moments of its run, a client leaves the old state or the new one."""
    stage.expected(what)
    for moment in spread(20, max(seconds_of(stage, what) for _ in range(3))):
        scene = stage.scene(what)
        stage.client.start(scene.order)
        time.sleep(moment)
        stage.client.kill()
        stage.complete(scene, stage.look(scene))


# The server is killed


def aof_of(server):
    """Return the file that a server appends to."""
    (path,) = [*server.directory.glob("appendonlydir/*.incr.aof"), *server.directory.glob("appendonly.aof")]
    return path


@pytest.fixture(scope="module", params=["valkey", pytest.param("redis7", marks=pytest.mark.slow)])
def durable(request, binary, client):
    """A stage whose server syncs each write to disk before it answers."""
    with Server(binary(request.param), AOF) as server, opened(server.url, retry=PATIENT) as kit:
        yield Stage(server, kit, client)


def crash(server):
    """Kill a server and start it on what it had on disk."""
    server.kill()
    server.start()


def crashed_at(durable, scene, number, moment):
    """Crash the server at a request of a client that goes on; return the state in between, None if it did not come."""
    with FaultProxy("127.0.0.1", durable.server.port) as proxy, ThreadPoolExecutor(1) as thread:
        stop = stop_of(proxy, number, moment)
        running = thread.submit(carry_out, {**scene.order, "url": proxy.url})
        wait_for(lambda: stop.reached.is_set() or running.done())
        between = None
        if stop.reached.is_set():
            proxy.down()
            crash(durable.server)
            between = durable.look(scene)
            proxy.up()
        running.result(30)
    return between


STEPS = {"erase": range(1, 200, 3)}


@pytest.mark.parametrize("moment", ["before", "after"])
@main_operations
def test_server_killed_at_steps(durable, what, moment):
    """Crashed before or after a request is carried out, a server has the old state or the new one when it is back, and
    the client's own repeat then completes the work, once."""
    found = set()
    for number in STEPS.get(what, itertools.count(1)):
        scene = durable.scene(what)
        between = crashed_at(durable, scene, number, moment)
        assert set(durable.look(scene)) == {"new"}
        if between is None:
            break
        found |= set(between)
    assert "old" in found
    assert "new" in found or moment == "before"


@main_operations
def test_server_and_client_killed_at_any_time(durable, what):
    """Both crashed at some moments of a run, the server has the old state or the new one when it is back."""
    durable.expected(what)
    for moment in spread(4, max(seconds_of(durable, what) for _ in range(3))):
        scene = durable.scene(what)
        durable.client.start(scene.order)
        time.sleep(moment)
        durable.server.kill()
        durable.client.kill()
        durable.server.start()
        durable.complete(scene, durable.look(scene))


def torn(server, path, content, size):
    """Crash a server so that only so many bytes of its last write have reached the disk."""
    server.kill()
    path.write_bytes(content[:size])
    server.start()


@main_operations
def test_write_torn_on_the_disk(durable, what):
    """Wherever the server's last writes end on the disk, it has the old state or the new one when it is back."""
    durable.expected(what)
    scene = durable.scene(what)
    path = aof_of(durable.server)
    began = path.stat().st_size
    durable.client.run(scene.order)
    durable.server.kill()
    content = path.read_bytes()
    found = []
    for share in range(8):
        torn(durable.server, path, content, began + (len(content) - began) * share // 7)
        found.append(durable.look(scene))
    assert (set(found[0]), set(found[-1])) == ({"old"}, {"new"})
    for one in zip(*found, strict=True):
        assert list(one) == sorted(one, key=["old", "new"].index)


# The caller repeats


def unknown(kit, name, key):
    """Append under a key whose answer never comes; return the ids that the error names."""
    with pytest.raises(OutcomeUnknownError) as caught:
        kit.history(name).append(UserMessage("ask"), UserMessage("more"), idempotency_key=key)
    assert caught.value.operation == "append"
    return list(caught.value.ids)


HASTY = RetryPolicy(attempts=50, deadline=0.15, initial=0.001, cap=0.02)
FATES = ("applied", "unseen", "held")


def conversation_of(command):
    """Return the conversation that an append is for, as its second key says."""
    return command[4].partition(b"{c:")[2].partition(b"}")[0].decode()


def cut_off(proxy, fates):
    """Let first attempts be applied, never be seen, or be held, as each conversation's fate says; then nothing goes."""
    held = Held()
    for fate, fault in (("applied", DROP_REPLY), ("held", held)):
        first = EveryFirst(lambda command, fate=fate: is_append(command) and fates[conversation_of(command)] == fate)
        proxy.inject(fault, when=first, times=None)
    proxy.inject(REFUSE, when=is_append, times=None)
    return held


def left_unknown(proxy, fates, key):
    """Append once to each conversation while the server goes away; return the ids, and the attempts that are held."""
    held = cut_off(proxy, fates)
    with opened(proxy.url, retry=HASTY, pool_size=16) as kit, ThreadPoolExecutor(16) as threads:
        ids = list(threads.map(lambda name: unknown(kit, name, key), fates))
    assert len(held) == sum(fate == "held" for fate in fates.values())
    proxy.clear()
    return ids, held


def counts(kit, names):
    """Return the different numbers of messages that conversations have."""
    return {kit.history(name).count() for name in names}


def repeated(client, url, names, key):
    """Repeat the appends in a new process of each colour; return the ids."""
    half = len(names) // 2
    order = {"url": url, "key": key}
    one = client.run({**order, "do": "append_keyed", "conversations": names[:half]})
    return one + client.run({**order, "do": "append_keyed_async", "conversations": names[half:]})


def test_repeat_from_a_new_process(stage, client):
    """200 keyed appends end in OutcomeUnknownError, a third of them applied and a third on their way: a new process
    that repeats them gets the same ids, replies lost again, and each is stored once."""
    stem = uuid.uuid4().hex
    fates = dict(zip([f"{stem}-{number}" for number in range(200)], itertools.cycle(FATES), strict=False))
    with FaultProxy("127.0.0.1", stage.server.port) as proxy:
        ids, held = left_unknown(proxy, fates, "key")
        assert counts(stage.kit, fates) == {0, 2}
        proxy.inject(DROP_REPLY, when=EveryFirst(is_append), times=None)
        assert repeated(client, proxy.url, list(fates), "key") == ids
        assert proxy.injected["DROP_REPLY"] >= 200 + 200 // 3
    assert counts(stage.kit, fates) == {2}
    assert set(held.release(stage.server)) == {b":0\r\n"}
    assert repeated(client, stage.server.url, list(fates), "key") == ids
    assert counts(stage.kit, fates) == {2}


def test_repeat_after_the_process_was_killed(stage, client):
    """A process that is killed before, after or while its keyed append is carried out: the next one completes it."""
    for number in range(30):
        name, moment = uuid.uuid4().hex, ("before", "after", "late")[number % 3]
        order = {"do": "append_keyed", "url": stage.server.url, "conversations": [name], "key": "key"}
        with FaultProxy("127.0.0.1", stage.server.port) as proxy:
            stop = Stop(1, moment)
            proxy.inject(stop, when=lambda command, stop=stop: is_append(command) and stop(command))
            client.start({**order, "url": proxy.url})
            wait_for(stop.reached.is_set)
            assert client.kill()
            first = client.run(order)
            stop.go()
            proxy.settle()
        assert client.run(order) == first
        assert [message.content for message in stage.kit.history(name).messages()] == ["ask", "more"]
