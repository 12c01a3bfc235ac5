"""After an erasure nothing of a user is left on the server, and nothing comes back, however late a write lands."""

from __future__ import annotations

import time

import pytest
from attrs import frozen

from memkit import (
    AssistantMessage,
    Fact,
    MemoryInput,
    MemoryType,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
    WorkingMemory,
)
from memkit.clock import SystemClock
from memkit.errors import ErasedError, OwnerMismatchError
from memkit.testing.proxy import CUT_REPLY, DROP_REPLY, LATE_REQUEST, REFUSE, RESET, FaultProxy
from memkit.testing.servers import Server
from tests.history_client import Client
from tests.history_faults import (
    EveryFirst,
    Held,
    contents,
    dumps,
    is_fence,
    is_write,
    opened,
    raw,
    runs,
    script_of,
    traces,
    wait_for,
)

WM, STM, LTM = MemoryType.WORKING_MEMORY, MemoryType.SHORT_TERM_MEMORY, MemoryType.LONG_TERM_MEMORY
# Stands in everything that a user says or is called, and in nothing else: too long to come up in random ids.
MARK = "Zqxwvyk"
WINDOW = 120_000


@pytest.fixture(
    scope="module", params=["valkey", *(pytest.param(n, marks=pytest.mark.slow) for n in ("redis7", "redis62"))]
)
def all_servers(request, binary):
    with Server(binary(request.param)) as server:
        yield server


@pytest.fixture(scope="module")
def one_server(binary):
    with Server(binary("valkey")) as server:
        yield server


def empty(server):
    """Take all data off a server; its scripts stay."""
    server.ask("FLUSHALL")
    return server


@pytest.fixture
def server(one_server):
    """Return a server of the test's own, without data."""
    return empty(one_server)


@pytest.fixture
def kit(server):
    with opened(server.url) as kit:
        yield kit


# A life


class Life:
    """All that a user can leave behind, each in a conversation of its own.

    Args:
        kit: through which it is lived.
        user: id of the user; stands in all texts.
    """

    def __init__(self, kit, user):
        self.kit = kit
        self.user = user
        self.names = []

    def live(self):
        """Do it all."""
        for deed in (self.talk, self.work, self.learn, self.leave_only, self.share, self.begin_late):
            deed()
        return self

    def history(self, name):
        """Return a history of the user."""
        self.names.append(f"{self.user} {name}")
        return self.kit.history(self.names[-1], user_id=self.user)

    def memory(self, name, kind, *data, **fields):
        """Return an input on behalf of the user."""
        self.names.append(f"{self.user} {name}")
        return MemoryInput(self.names[-1], kind, data=data, user_id=self.user, **fields)

    def said(self, count):
        """Return messages that say what is the user's in every field."""
        calls = [ToolCall(f"{self.user} call", f"{self.user} tool", {self.user: self.user})]
        return [
            SystemMessage(f"{self.user} is here", pinned=True),
            AssistantMessage(f"{self.user} asks", tool_calls=calls, metadata={self.user: [self.user]}),
            ToolMessage(f"{self.user} found", tool_call_id=f"{self.user} call"),
            *(UserMessage(f"{self.user} says {n}", name=self.user, pinned=n == 1) for n in range(count)),
        ]

    def talk(self):
        """A history with everything that one can have, under names of every kind."""
        for name in ("plain", "{odd}:*?[x]", "long" * 60, "line\nbreak"):
            history = self.history(name)
            ids = history.append(*self.said(6))
            history.append(UserMessage(self.user, id=f"{self.user} given", pinned=True))
            history.append(UserMessage(self.user), UserMessage(self.user), idempotency_key=self.user)
            history.set_title(f"title of {self.user}")
            history.set_metadata({self.user: {"of": self.user}})
            history.update(ids[4], UserMessage(f"{self.user} corrects", pinned=True))
            history.remove(ids[5])
            history.remove(f"{self.user} given")
            history.pop()
            history.compact(ids[3], UserMessage(f"summary of {self.user}"))
            history.append(UserMessage(f"{self.user} other end"))
            history.rewind(ids[7])
            history.append(*self.said(2))
            history.restore(history.branches()[0].id)
            history.fork(self.names[-1] + " fork")
            self.names.append(self.names[-1] + " fork")

    def work(self):
        """The other memories, beside a history and alone."""
        for name in ("plain", "only work"):
            self.kit.manager.store(self.memory(name, WM, WorkingMemory(self.user)))
        self.kit.manager.delete(self.memory("plain", WM))
        self.kit.manager.store(self.memory("plain", WM, WorkingMemory(f"{self.user} again")))
        self.kit.manager.store(self.memory("gone work", WM, WorkingMemory(self.user)))
        self.kit.manager.delete(self.memory("gone work", WM))

    def learn(self):
        """Facts, with and without an id and an end."""
        facts = [Fact(self.user, topic=self.user), Fact(self.user, id=f"{self.user} fact")]
        self.kit.manager.store(self.memory("plain", LTM, *facts))
        self.kit.manager.store(self.memory("plain", LTM, Fact(f"{self.user} for an hour"), ttl=3600))
        self.kit.manager.store(self.memory("only facts", LTM, *facts))
        self.kit.manager.delete(self.memory("plain", LTM, memory_id=f"{self.user} fact"))

    def leave_only(self):
        """Conversations of which hardly anything is left."""
        for name, end in (
            ("cleared", lambda history: history.clear()),
            ("only a branch", lambda history: history.rewind(None)),
            ("emptied", lambda history: [history.pop() for _ in range(4)]),
            ("expired", lambda history: history.expire(0.02)),
            ("mortal", lambda history: history.expire(3600)),
            ("immortal", lambda history: history.persist()),
        ):
            history = self.history(name)
            history.append(*self.said(1))
            end(history)
        self.history("only a branch").turn().__enter__()
        time.sleep(0.03)

    def share(self):
        """An attempt on what is somebody else's."""
        with pytest.raises(OwnerMismatchError):
            self.kit.history("of Carol alone", user_id=self.user).append(UserMessage(self.user))

    def begin_late(self):
        """A conversation that was nobody's before."""
        name = f"{self.user} claimed"
        self.kit.history(name).append(UserMessage(self.user))
        self.history("claimed").append(UserMessage(self.user))


def beside(kit):
    """Live the lives of others, and return them."""
    kit.history("of Carol alone", user_id="Carol").append(UserMessage("hello"), UserMessage("there"))
    return [Life(kit, user).live() for user in ("Bob", "Zq", "x Ada")]


INDEX = (b"memkit:{n:}:cv", b"memkit:{n:}:cx", b"memkit:{n:users}:cv", b"memkit:{n:users}:cx")


def is_marked(text):
    """Tell whether a key or a name is of the marked user."""
    return MARK.lower().encode() in text.lower()


def rows(server):
    """Return the names of the indexes that users share, but for those of the marked one."""
    with raw(server) as client:
        return [{name for name in client.zrange(key, 0, -1) if not is_marked(name)} for key in INDEX]


@frozen
class Others:
    """What a server holds of others."""

    keys: frozenset
    values: dict
    index: list


def others(server):
    """Take a picture of all that is not of the marked user: the bytes of every key, and the shared indexes' names."""
    found = {key for key in contents(server) if not is_marked(key) and not is_fence(key)} - set(INDEX)
    return Others(frozenset(found), dumps(server, found), rows(server))


def fences(server):
    """Return the fences on a server."""
    return {key for key in contents(server) if is_fence(key)}


def check_nothing_left(server, user, before):
    """Check that nothing is left of a user, that others have what they had, and that all else is fences that end."""
    assert traces(server, user.encode(), MARK.encode()) == set()
    after = others(server)
    assert after == before
    assert set(contents(server)) == before.keys | fences(server) | {key for key in INDEX if server.ask("EXISTS", key)}
    with raw(server) as client:
        assert all(0 < client.pttl(key) <= WINDOW for key in fences(server))


def test_nothing_of_a_user_is_left(all_servers):
    """After the erasure of a user who did all that one can do, no key and no value holds anything of him, and the data
    of all others are the same bytes as before he came."""
    server, user = empty(all_servers), f"{MARK} Ada"
    with opened(server.url) as kit:
        beside(kit)
        before = others(server)
        Life(kit, user).live()
        assert len(traces(server, MARK.encode())) > 50
        counted = kit.admin.erase(user_id=user, dry_run=True)
        receipt = kit.admin.erase(user_id=user)
        check_nothing_left(server, user, before)
        assert kit.admin.erase(user_id=user).conversations == 0
    assert (receipt.verified, counted.verified, receipt.conversations) == (True, False, counted.conversations)
    assert min(receipt.messages, receipt.working_memories, receipt.long_term_memories, receipt.branch_messages) > 0
    for kind in ("messages", "working_memories", "long_term_memories", "branch_messages"):
        assert getattr(receipt, kind) == getattr(counted, kind)


def test_dry_run_changes_nothing(server, kit):
    """A dry run leaves every key of the server as it was."""
    beside(kit)
    Life(kit, MARK).live()
    before = dumps(server, contents(server))
    kit.admin.erase(user_id=MARK, dry_run=True)
    kit.admin.erase(namespace=True, dry_run=True)
    assert dumps(server, contents(server)) == before


def test_each_conversation_of_a_user_erased_alone(server, kit):
    """Erased one by one, the conversations of a user leave no name behind either, and others have what they had."""
    beside(kit)
    before = others(server)
    names = [name for name in dict.fromkeys(Life(kit, MARK).live().names) if not name.startswith("of Carol")]
    for name in names:
        kit.admin.erase(conversation_id=name)
    left = traces(server, MARK.encode())
    # The user's name is still that of an empty index and stands in the one of all users.
    assert {key for key in left if b"{c:" in key} == set()
    kit.admin.erase(user_id=MARK)
    check_nothing_left(server, MARK, before)


CLAIMS = {
    "append": lambda kit, name: kit.history(name, user_id=MARK).append(UserMessage("x")),
    "update": lambda kit, name: kit.history(name, user_id=MARK).update("u", UserMessage("x")),
    "set_title": lambda kit, name: kit.history(name, user_id=MARK).set_title("x"),
    "set_metadata": lambda kit, name: kit.history(name, user_id=MARK).set_metadata({"x": 1}),
    "expire": lambda kit, name: kit.history(name, user_id=MARK).expire(3600),
    "persist": lambda kit, name: kit.history(name, user_id=MARK).persist(),
    "restore": lambda kit, name: kit.history(name, user_id=MARK).restore(kit.history(name).branches()[0].id),
    "rewind": lambda kit, name: kit.history(name, user_id=MARK).rewind("s"),
    "remove": lambda kit, name: kit.history(name, user_id=MARK).remove("v"),
    "pop": lambda kit, name: kit.history(name, user_id=MARK).pop(),
    "clear": lambda kit, name: kit.history(name, user_id=MARK).clear(),
    "compact": lambda kit, name: kit.history(name, user_id=MARK).compact("u", UserMessage("x")),
    "repair": lambda kit, name: kit.history(name, user_id=MARK).repair(),
    "turn": lambda kit, name: kit.history(name, user_id=MARK).turn().__enter__(),
    "fork": lambda kit, name: kit.history(name, user_id=MARK).fork(name + " fork"),
    "store wm": lambda kit, name: kit.manager.store(MemoryInput(name, WM, data=[WorkingMemory("x")], user_id=MARK)),
    "store ltm": lambda kit, name: kit.manager.store(MemoryInput(name, LTM, data=[Fact("x")], user_id=MARK)),
    "update wm": lambda kit, name: kit.manager.update(MemoryInput(name, WM, data=[WorkingMemory("x")], user_id=MARK)),
    "update ltm": lambda kit, name: kit.manager.update(
        MemoryInput(name, LTM, data=[Fact("x")], memory_id="f", user_id=MARK)
    ),
    "delete wm": lambda kit, name: kit.manager.delete(MemoryInput(name, WM, user_id=MARK)),
    "delete ltm": lambda kit, name: kit.manager.delete(MemoryInput(name, LTM, user_id=MARK)),
    "window": lambda kit, name: kit.history(name, user_id=MARK).window(),
}


def nobodys(kit, name):
    """Make a conversation that nobody owns, with all memories and a branch."""
    history = kit.history(name)
    history.append(*(UserMessage("x", id=each) for each in "stuvw"))
    history.rewind("v")
    kit.manager.store(MemoryInput(name, WM, data=[WorkingMemory("x")]))
    kit.manager.store(MemoryInput(name, LTM, data=[Fact("x", id="f")]))


@pytest.mark.parametrize("verb", CLAIMS)
def test_whatever_claims_is_listed(server, verb):
    """Whichever verb makes a conversation a user's, it is listed as his at once, and is erased with him."""
    with opened(server.url) as direct, opened(server.url) as kit:
        nobodys(direct, "c")
        CLAIMS[verb](kit, "c")
        owned = {name for name in ("c", "c fork") if getattr(kit.history(name).info(), "user_id", None) == MARK}
        listed = {info.id for info in kit.admin.conversations(user_id=MARK)}
        assert owned == listed
        assert kit.admin.erase(user_id=MARK).conversations == len(owned)
    assert traces(server, MARK.encode()) == set()


def test_conversation_that_changed_hands(server, kit):
    """A conversation that its user cleared, and that somebody else began anew, stays as it is when he is erased."""
    kit.history("chat", user_id=MARK).append(UserMessage("mine"))
    kit.history("chat", user_id=MARK).clear()
    beside(kit)
    kit.history("chat", user_id="Bob").append(UserMessage("his"))
    before = others(server)
    assert kit.admin.erase(user_id=MARK).conversations == 0
    check_nothing_left(server, MARK, before)


class Later(SystemClock):
    """A clock that is ahead."""

    def time_us(self):
        return super().time_us() + 61_000_000


def test_what_a_listing_clears_away(server, kit):
    """What was deleted a moment ago is erased with its user even if a listing has forgotten it meanwhile."""
    history = kit.history(f"{MARK} chat", user_id=MARK)
    history.append(UserMessage(MARK), UserMessage(MARK, id=f"{MARK} given"))
    history.clear()
    with opened(server.url, clock=Later()) as later:
        later.admin.conversations()
        later.admin.conversations(user_id=MARK)
    kit.admin.erase(user_id=MARK)
    assert traces(server, MARK.encode()) == set()


NOTHINGS = {
    "clear": lambda kit, name: kit.history(name, user_id=MARK).clear(),
    "remove": lambda kit, name: kit.history(name, user_id=MARK).remove("nothing"),
    "rewind": lambda kit, name: kit.history(name, user_id=MARK).rewind(None),
    "turn": lambda kit, name: kit.history(name, user_id=MARK).turn().__enter__(),
    "delete wm": lambda kit, name: kit.manager.delete(MemoryInput(name, WM, user_id=MARK)),
    "delete stm": lambda kit, name: kit.manager.delete(MemoryInput(name, STM, user_id=MARK)),
    "delete ltm": lambda kit, name: kit.manager.delete(MemoryInput(name, LTM, user_id=MARK)),
    "delete one": lambda kit, name: kit.manager.delete(MemoryInput(name, LTM, user_id=MARK, memory_id="nothing")),
}


@pytest.mark.parametrize("verb", NOTHINGS)
@pytest.mark.parametrize("scope", [{"user_id": MARK}, {"namespace": True}], ids=["user", "namespace"])
def test_writes_that_came_to_nothing(server, kit, verb, scope):
    """A write that found nothing to change, in a conversation that never was, is forgotten with its user."""
    NOTHINGS[verb](kit, f"{MARK} chat")
    assert kit.admin.erase(**scope).verified
    assert traces(server, MARK.encode()) == set()


def test_attempts_of_others(server, kit):
    """What somebody else tried on a conversation of the user, and was refused, keeps no name of it."""
    kit.history(f"{MARK} chat", user_id=MARK).append(UserMessage(MARK))
    with pytest.raises(OwnerMismatchError):
        kit.history(f"{MARK} chat", user_id="Bob").append(UserMessage("hello"))
    kit.admin.erase(user_id=MARK)
    assert traces(server, MARK.encode()) == set()


def test_namespace(server):
    """The erasure of a namespace leaves nothing of it but fences, and another namespace as it was."""
    with opened(server.url, namespace="other") as other, opened(server.url) as kit:
        beside(other)
        before = dumps(server, contents(server))
        beside(kit)
        Life(kit, MARK).live()
        assert kit.admin.erase(namespace=True).verified
    after = {key: value for key, value in dumps(server, contents(server)).items() if not is_fence(key)}
    assert after == before


def test_erasure_through_faults(server):
    """An erasure whose every request is lost, cut, refused or late counts and erases the same as one that is not."""
    kinds = [DROP_REPLY, CUT_REPLY, RESET, REFUSE, LATE_REQUEST(0.01)]
    with opened(server.url) as direct, FaultProxy("127.0.0.1", server.port) as proxy, opened(proxy.url) as kit:
        for number, kind in enumerate(kinds):
            user = f"{MARK} {number}"
            Life(direct, user).talk()
            counted = direct.admin.erase(user_id=user, dry_run=True)
            proxy.inject(kind, when=EveryFirst(lambda command: script_of(command) is not None), times=None)
            receipt = kit.admin.erase(user_id=user)
            proxy.settle()
            proxy.clear()
            assert (receipt.verified, receipt.messages, receipt.branch_messages, receipt.conversations) == (
                True,
                counted.messages,
                counted.branch_messages,
                counted.conversations,
            )
            assert proxy.injected[kind.name] > 20
    assert traces(server, MARK.encode()) == set()


# Late writes


def talked(kit, name):
    """Make a conversation of the marked user with all that late writes can be about."""
    history = kit.history(name, user_id=MARK)
    history.append(*(UserMessage(f"{MARK} {each}", id=each) for each in "stuvw"))
    history.rewind("v")
    history.append(AssistantMessage(MARK, tool_calls=[ToolCall("never answered", MARK)]))
    kit.manager.store(MemoryInput(name, WM, data=[WorkingMemory(MARK)], user_id=MARK))
    kit.manager.store(MemoryInput(name, LTM, data=[Fact(MARK, id="f")], user_id=MARK))


LATE = {
    "append": lambda kit, name: kit.history(name, user_id=MARK).append(UserMessage(MARK)),
    "append given": lambda kit, name: kit.history(name).append(UserMessage(MARK, id="given")),
    "append keyed": lambda kit, name: kit.history(name).append(UserMessage(MARK), idempotency_key="key"),
    "new": lambda kit, name: kit.history(name + " new", user_id=MARK).append(UserMessage(MARK)),
    "store": lambda kit, name: kit.manager.store(MemoryInput(name, STM, data=[UserMessage(MARK)])),
    "compact with": lambda kit, name: kit.history(name).compact_with(lambda _: UserMessage(MARK), keep_last=1),
    **{verb: act for verb, act in CLAIMS.items() if verb not in ("append", "window")},
}


def names_of(number):
    """Return the conversations that a late write is about."""
    verb = list(LATE)[number % len(LATE)]
    return [f"{MARK} {number}", *([f"{MARK} {number} {verb}"] if verb in ("new", "fork") else [])]


def late_writes(server, numbers, held_writes):
    """Make conversations, and a write on each whose first attempt is held; return what is held."""
    held, verbs = Held(), list(LATE)
    with opened(server.url) as direct, FaultProxy("127.0.0.1", server.port) as proxy, opened(proxy.url) as kit:
        for number in numbers:
            talked(direct, f"{MARK} {number}")
        proxy.inject(held, when=EveryFirst(held_writes), times=None)
        for number in numbers:
            LATE[verbs[number % len(verbs)]](kit, f"{MARK} {number}")
        assert proxy.injected["HELD"] == len(held)
    return held


def erase_all(kit, numbers, how):
    """Erase conversations: each alone, or all of the user."""
    if how == "user":
        return kit.admin.erase(user_id=MARK)
    for number in numbers:
        for name in names_of(number):
            receipt = kit.admin.erase(conversation_id=name)
    kit.admin.erase(user_id=MARK)
    return receipt


def is_data_write(command):
    """Tell whether a request writes into a conversation."""
    return is_write(command) and not script_of(command).startswith("index_")


@pytest.mark.parametrize("how", ["user", "alone"])
def test_late_writes_bring_nothing_back(server, kit, how):
    """500 conversations are erased, each with a first attempt of a write still on its way: when these have landed, on
    the server there is nothing but fences."""
    landed, refused = 0, 0
    for numbers in (range(250), range(250, 500)):
        held = late_writes(server, numbers, is_data_write)
        assert len(held) >= len(numbers)
        assert erase_all(kit, numbers, how).verified
        assert traces(server, MARK.encode()) == set()
        replies = held.release(server)
        landed += len(replies)
        refused += sum(reply.startswith(b"-MKERASED") for reply in replies)
        assert {key for key in contents(server) if not is_fence(key)} == set()
        empty(server)
    assert landed == refused >= 500


@pytest.mark.parametrize("how", ["user", "alone"])
def test_late_touches_bring_no_name_back(server, kit, how):
    """A first attempt to list a conversation that lands after its erasure brings no name back, nor its user's."""
    held = late_writes(server, range(50), runs("index_touch", "index_enter"))
    assert len(held) >= 50
    assert erase_all(kit, range(50), how).verified
    held.release(server)
    assert {key for key in contents(server) if not is_fence(key)} == set()


def erased_before_repeat(server, proxy, number, fault):
    """Write, and erase all of the user before the write is repeated; tell whether the writer was refused."""
    todo = []

    def on_retry(event):
        del event
        while todo:
            todo.pop()()

    verb = list(LATE)[number % len(LATE)]
    with opened(server.url) as direct, opened(proxy.url, on_retry=on_retry) as kit:
        talked(direct, f"{MARK} {number}")
        # Its own touches are made: what is repeated is the write.
        todo.append(lambda: direct.admin.erase(user_id=MARK))
        proxy.inject(fault, when=is_data_write)
        try:
            LATE[verb](kit, f"{MARK} {number}")
        except ErasedError:
            return True
        finally:
            assert todo == []
    return False


def test_repeats_bring_nothing_back(server):
    """Writers whose reply is lost, or whose request never came, and who repeat it after the erasure are told so, and
    nothing is on the server but fences."""
    with FaultProxy("127.0.0.1", server.port) as proxy:
        for number, fault in enumerate([DROP_REPLY, REFUSE] * len(LATE)):
            assert erased_before_repeat(server, proxy, number // 2, fault)
            assert {key for key in contents(server) if not is_fence(key)} == set()
            empty(server)


def test_name_can_be_used_again(server, kit):
    """When its fence is over, a conversation can be begun anew, and has nothing of the old one."""
    talked(kit, f"{MARK} chat")
    kit.admin.erase(user_id=MARK)
    with pytest.raises(ErasedError):
        kit.history(f"{MARK} chat").append(UserMessage("new"))
    with raw(server) as client:
        client.delete(*fences(server))
    with opened(server.url) as fresh:
        history = fresh.history(f"{MARK} chat", user_id="Bob")
        history.append(UserMessage("new"))
        info = history.info()
        assert (info.count, info.title, history.branches()) == (1, None, [])


@pytest.mark.parametrize("scope", [{"user_id": MARK}, {"namespace": True}], ids=["user", "namespace"])
def test_write_after_the_erasure(server, kit, scope):
    """Who begins a conversation for a user right after his erasure is refused, and names him nowhere."""
    talked(kit, f"{MARK} chat")
    kit.admin.erase(**scope)
    with opened(server.url) as fresh, pytest.raises(ErasedError):
        fresh.history(f"{MARK} new", user_id=MARK).append(UserMessage(MARK))
    assert traces(server, MARK.encode()) == set()


# Writers in other processes


REFUSALS = 20


def start_writers(clients, server, user):
    """Let processes write for a user until they are refused for good."""
    for step, client in enumerate(clients, 1):
        order = {"do": "write_until_erased", "url": server.url, "user": user, "step": step}
        client.start({**order, "spread": 20, "refusals": REFUSALS})


@pytest.fixture(scope="module")
def clients():
    clients = [Client() for _ in range(4)]
    yield clients
    for client in clients:
        client.close()


def keys_of(server, user):
    """Count the keys in whose name a user stands."""
    with raw(server) as client:
        return sum(1 for _ in client.scan_iter(f"*{user.replace(' ', '%20')}*", count=1000))


@pytest.mark.parametrize("round_", range(6))
def test_writers_in_other_processes(server, kit, clients, round_):
    """4 processes write into 20 conversations of a user, old and new ones, while he is erased: they are refused, and
    nothing is left or comes back."""
    beside(kit)
    before, user = others(server), f"{MARK} {round_}"
    start_writers(clients, server, user)
    own = [f"{user} of {step}" for step in range(1, len(clients) + 1)]
    wait_for(lambda: all(kit.history(name).count() for name in own) and keys_of(server, user) > 60 + 10 * round_)
    receipt = kit.admin.erase(user_id=user)
    written = [client.finish() for client in clients]
    assert {refused for _, refused in written} == {REFUSALS}
    assert sum(done for done, _ in written) > 5
    assert receipt.verified
    assert receipt.conversations > 0
    check_nothing_left(server, user, before)
