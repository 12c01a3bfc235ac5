"""What is known of a cluster: which node has which slot, whom to ask, where a redirection leads."""

from __future__ import annotations

import time

import pytest

from memkit.backends.redis import record, slots
from memkit.backends.redis.calls import Ready, Token, Wiring
from memkit.backends.redis.discovery import Timeouts
from memkit.backends.redis.faults import Down, Lost, Refused, refusal
from memkit.backends.redis.keys import KeySpace, slot_of
from memkit.backends.redis.slots import Hop, Topology, end_of_asking, key_of, key_of_one
from memkit.commands import Place, RecordPut

ONE, TWO, THREE = ("one", 1), ("two", 2), ("three", 3)
SEEDS = (("seed", 1), ONE)
REPLY = [
    [0, 99, [b"one", 1, b"id1", []], [b"three", 3, b"id3", []]],
    [200, 16383, [b"two", 2, b"id2", []]],
    [150, 199, [b"one", 1, b"id1", []]],
]


@pytest.fixture
def known():
    known = Topology(SEEDS)
    known.learn(REPLY, ONE)
    return known


def asked(known):
    """The addresses in the order in which they are asked."""
    return [address for address, _ in known.turns(8.0, time.monotonic() + 8.0)]


def key_in(slot):
    """A key that falls into a slot."""
    return next(b"k%d" % number for number in range(10**6) if slot_of(b"k%d" % number) == slot)


@pytest.mark.parametrize(
    "key",
    ["", "k", "{a}b", "x{a}", "{}a", "{", "}{a}", "a{b", "a{b}{c}", "{{a}}", "{a}{}", "ä{ö}ü", "n:{c:1}:log"],
)
def test_slots_are_those_of_the_server(cluster, key):
    """A key falls into the slot that the server says."""
    assert slot_of(key.encode()) == cluster.servers[0].ask("CLUSTER", "KEYSLOT", key)


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("GET", b"k"), b"k"),
        (("EVALSHA", b"sha", 2, b"k", b"l", b"x"), b"k"),
        (("EVAL", "return 1", 1, b"k"), b"k"),
        (("EVAL", "return 1", 0, b"x"), None),
        (("PING",), None),
        (("INFO",), None),
        (("SCAN", 0, "MATCH", "x"), None),
    ],
)
def test_key_of_a_command(command, key):
    """A command goes by its first key, a script by the first behind their number, and some have none."""
    assert key_of(command) == key


@pytest.mark.parametrize("text", ["n", "a b", "\u00fc" * 200, "{x}" * 60, "\U0001f600" * 200])
def test_key_of_a_packed_call(text):
    """A call that is packed already goes by the same key as one that is not, however long its names are."""
    wiring, token = Wiring(KeySpace(text), 1), Token(b"12345678", 1)
    call = record.BUILDERS[RecordPut](RecordPut(Place("c", text, "wm"), None, 0, b"wire", 1, None), token, wiring)
    assert type(call.commands) is Ready
    assert key_of_one(call.commands) == key_of(call.commands[0]) == wiring.keys.fence(Place("c", text, "wm"))


def test_owners(known):
    """A slot belongs to the primary that the reply names; who has one that nobody has is asked of who replied."""
    owners = [known.owner(key_in(slot)) for slot in (0, 99, 150, 199, 200, 16383)]
    assert owners == [ONE, ONE, ONE, ONE, TWO, TWO]
    assert known.owner(key_in(120)) == ONE
    assert known.owner(None) in {ONE, TWO}
    assert Topology(SEEDS).owner(b"k") == Topology(SEEDS).owner(None) == ("", 0)


def test_keyless_commands_leave_who_failed(known):
    """A command without a key goes to a primary, and not to the one that failed last."""
    for failed, left in ((ONE, TWO), (TWO, ONE)):
        known.hop(Lost("x"), failed)
        assert known.owner(None) == left


def test_who_answered_or_failed_is_asked_last(known):
    """All nodes are asked before the seeds; no view is heard twice in a row, and who failed comes after the others."""
    assert asked(known) == [THREE, TWO, ONE, SEEDS[0]]
    known.learn(REPLY, THREE)
    assert asked(known) == [TWO, ONE, THREE, SEEDS[0]]
    known.hop(Down("x"), TWO)
    assert asked(known) == [ONE, THREE, TWO, SEEDS[0]]


@pytest.mark.parametrize("code", ["READONLY", "CLUSTERDOWN"])
def test_who_is_not_the_right_one_is_asked_last(known, code):
    """A node that says itself that it does not see the cluster is not asked for it first."""
    assert known.hop(refusal(f"{code} text"), THREE) is None
    assert asked(known)[:3] == [TWO, ONE, THREE]
    assert known.stale


def test_a_refusal_of_the_command_changes_nothing(known):
    """A node that refuses a command for its own sake is no reason to ask anew."""
    assert known.hop(refusal("WRONGTYPE text"), TWO) is None
    assert known.hop(refusal("TRYAGAIN text"), TWO) is None
    assert not known.stale


def test_nodes_that_left_are_forgotten(known):
    """What is no node any more is a stranger, and only seeds among them are still asked, after all nodes."""
    known.learn([[0, 16383, [b"two", 2, b"id2", []]]], TWO)
    assert known.strangers([ONE, TWO, THREE]) == [ONE, THREE]
    assert asked(known) == [TWO, *SEEDS]


def test_moved_is_learned_and_ask_is_not(known):
    """MOVED changes the owner of one slot, and the new one is asked first; ASK changes nothing."""
    assert known.hop(refusal("ASK 150 three:3"), ONE) == Hop(THREE, asking=True)
    assert known.owner(key_in(150)) == ONE
    assert not known.stale
    assert asked(known)[0] == THREE
    assert known.hop(refusal("MOVED 150 two:2"), ONE) == Hop(TWO, asking=False)
    assert (known.owner(key_in(150)), known.owner(key_in(151))) == (TWO, ONE)
    assert known.stale
    assert asked(known)[0] == TWO


def test_ask_is_asked_in_one_write():
    """What follows an ASK is announced in front of the command; what follows a MOVED is the command alone."""
    assert Hop(ONE, asking=True).commands(("GET", b"k")) == (("ASKING",), ("GET", b"k"))
    assert Hop(ONE, asking=False).commands(("GET", b"k")) == (("GET", b"k"),)


@pytest.mark.parametrize(
    ("where", "address"),
    [("h.test:7", ("h.test", 7)), ("::1:7", ("::1", 7)), (":7", ("one", 7)), ("?:7", ("one", 7))],
)
def test_where_a_redirection_leads(known, where, address):
    """A redirection names host and port, IPv6 too; where it names no host it is that of the node that was asked."""
    assert known.hop(Refused("MOVED", f"5 {where}"), ONE) == Hop(address, asking=False)


@pytest.mark.parametrize(
    ("node", "host"),
    [
        ([b"h.test", 7, b"id", []], "h.test"),
        ([None, 7, b"id", []], "one"),
        ([b"", 7, b"id"], "one"),
        ([b"?", 7, b"id", [b"ip", b"10.0.0.1"]], "10.0.0.1"),
        ([b"?", 7, b"id", {b"ip": b"10.0.0.1"}], "10.0.0.1"),
        ([b"?", 7, b"id", []], "one"),
    ],
)
def test_announced_hosts(known, node, host):
    """A node that announces no host is the one that was asked; one that lacks its name is reached by its address."""
    known.learn([[0, 16383, node]], ONE)
    assert known.owner(b"k") == (host, 7)


class Clock:
    """Seconds that pass only when a test says so."""

    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(slots, "time", clock)
    return clock


def test_silent_nodes_leave_time(clock):
    """However many are silent, each next one has time, and all together take no longer than the call may."""
    shares = []
    for _, seconds in Topology(tuple((f"h{number}", 1) for number in range(5))).turns(9.0, 8.0):
        shares.append(seconds)
        clock.now += seconds
    assert shares == [4.0, 2.0, 1.0, 0.5, 0.5]


def test_nobody_is_asked_when_no_time_is_left(clock):
    """A node that took more than its share leaves nothing for others once the call is over."""
    turns = Topology((ONE, TWO, THREE)).turns(9.0, 8.0)
    assert next(turns) == (ONE, 4.0)
    clock.now = 8.0
    assert list(turns) == []


def test_nobody_is_asked_for_longer_than_one_try(clock):
    """A node has no more time than a try, however much the call has left."""
    assert list(Topology((ONE, TWO)).turns(0.5, 100.0)) == [(ONE, 0.5), (TWO, 0.5)]


def test_when_asking_ends(clock, monkeypatch):
    """All together may take what the call has left, and one try's time where nothing bounds it."""
    clock.now = 7.0
    monkeypatch.setattr(slots, "remaining", lambda: 100.0)
    assert end_of_asking(Timeouts(9.0, 0.5)) == 107.0
    monkeypatch.setattr(slots, "remaining", lambda: None)
    assert end_of_asking(Timeouts(9.0, 0.5)) == 7.5


def test_a_node_without_slots_is_no_answer(known):
    """A node that has not joined the cluster knows nothing, and what was known stays."""
    with pytest.raises(Down, match="joined"):
        known.learn([], TWO)
    assert known.owner(key_in(200)) == TWO


def test_groups(known):
    """Commands are parted by node, each group in order, the nodes in one order for everybody."""
    keys = [key_in(slot) for slot in (200, 0, 201, 150)]
    groups = known.groups(tuple(("GET", key) for key in keys))
    assert [(group.address, group.places) for group in groups] == [(ONE, (1, 3)), (TWO, (0, 2))]
    assert [group.commands for group in groups] == [
        (("GET", keys[1]), ("GET", keys[3])),
        (("GET", keys[0]), ("GET", keys[2])),
    ]


def test_pages_of_a_scan(known):
    """A cursor leads through each primary once, by its own cursor, whatever else stands in the command."""
    own = {ONE: [0, 7, 2**63], TWO: [0, 9]}
    cursor, seen = 0, []
    while True:
        page = known.page(("SCAN", cursor, "MATCH", "x"))
        name, inner, *rest = page.command
        assert (name, rest) == ("SCAN", ["MATCH", "x"])
        seen.append((page.address, inner))
        left = own[page.address][own[page.address].index(inner) + 1 :]
        cursor, keys = known.after(page, [str(left[0] if left else 0).encode(), [b"k"]])
        assert keys == [b"k"]
        if not cursor:
            break
    assert seen == [(ONE, 0), (ONE, 7), (ONE, 2**63), (TWO, 0), (TWO, 9)]


def test_a_cursor_of_another_node_begins_anew(known):
    """Where slots moved between two pages, a node is never given the cursor of another one."""
    page = known.page(("SCAN", 7 * 16384 + 100))
    assert (page.address, page.command) == (TWO, ("SCAN", 0))


def test_why_nobody_answered(known):
    """What passes is told and the next node is asked; what does not pass ends the asking."""
    assert "timed out" in known.unanswered(ONE, Lost("timed out"))
    for final in (refusal("WRONGPASS text"), Down("a certificate is wrong", final=True)):
        with pytest.raises(type(final), match=str(final)):
            known.unanswered(ONE, final)
    with pytest.raises(Refused, match="redis://"):
        known.unanswered(ONE, refusal("ERR This instance has cluster support disabled"))
