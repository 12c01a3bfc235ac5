"""No key of what expires stays for ever, whatever a history goes through."""

from __future__ import annotations

import uuid

import pytest
import redis

from memkit import AssistantMessage, MemoryKit, RedisMemoryManager, SystemMessage, ToolCall, UserMessage

TTL = 60
# The lists outlive what recognises late tries, which outlives the data.
MOST_MS = 60_000 + 2 * 120_000


def say(history, words, **fields):
    """Append a message for each letter; return their ids."""
    return history.append(*(UserMessage(word, **fields) for word in words))


def edit(history, _):
    ids = say(history, "abcdefgh")
    history.update(ids[1], UserMessage("B", pinned=True))
    history.remove(ids[2])
    history.pop()


def flip(history, _):
    branch = history.rewind(say(history, "abcd")[1], grace=TTL)
    say(history, "e")
    history.restore(branch.id, grace=TTL)


def take_over(history, kit):
    mine = kit.history(history.conversation_id)
    say(mine, "ab", pinned=True)
    history.restore(mine.rewind(None, grace=TTL).id, grace=TTL)


def fork(history, _):
    say(history, "abc", pinned=True)
    history.set_title("title")
    history.fork("fork")


def take_turn(history, _):
    with history.turn(ttl=5) as turn:
        say(turn, "a", pinned=True)
        turn.renew()


def repair(history, _):
    history.append(AssistantMessage("", tool_calls=[ToolCall("x", "look_up")]))
    history.repair()


LIVES = {
    "one": lambda history, _: say(history, "a"),
    "two": lambda history, _: (say(history, "a"), say(history, "b")),
    "pinned": lambda history, _: say(history, "a", pinned=True),
    "pinned later": lambda history, _: (say(history, "a"), say(history, "b", pinned=True)),
    "pinned anew": lambda history, _: (say(history, "a"), history.clear(), say(history, "b", pinned=True)),
    "with a key": lambda history, _: history.append(SystemMessage("s"), UserMessage("u"), idempotency_key="k"),
    "with an id": lambda history, _: history.append(UserMessage("a", id="given", pinned=True)),
    "titled": lambda history, _: (say(history, "a"), history.set_title("t"), history.set_metadata({"a": 1})),
    "cleared": lambda history, _: (say(history, "a", pinned=True), history.clear()),
    "compacted": lambda history, _: history.compact(say(history, "abcd")[2], UserMessage("sum", pinned=True)),
    "edited": edit,
    "flipped": flip,
    "taken over": take_over,
    "forked": fork,
    "in a turn": take_turn,
    "repaired": repair,
}


@pytest.mark.parametrize("user", [None, "ada"])
@pytest.mark.parametrize("name", LIVES)
def test_every_key_of_a_history_expires(valkey, name, user):
    """Whatever a history goes through, all of its keys expire, and so do the lists on which it stands."""
    namespace = f"lives-{uuid.uuid4().hex}"
    with RedisMemoryManager(valkey.url, namespace=namespace, ttl=TTL) as manager:
        kit = MemoryKit(manager)
        LIVES[name](kit.history("c", user_id=user), kit)
        with redis.Redis.from_url(valkey.url) as client:
            lives = {key: client.pttl(key) for key in client.keys(f"{namespace}*")}
    assert lives
    assert {key: left for key, left in lives.items() if not 0 < left <= MOST_MS} == {}


def test_an_imported_history_expires(valkey):
    """What was imported expires with all of its keys."""
    namespace = f"lives-{uuid.uuid4().hex}"
    with (
        RedisMemoryManager(valkey.url, namespace=f"{namespace}-here", ttl=TTL) as here,
        RedisMemoryManager(valkey.url, namespace=f"{namespace}-there", ttl=TTL) as there,
    ):
        history = MemoryKit(here).history("c", user_id="ada")
        say(history, "ab", pinned=True)
        history.set_title("title")
        MemoryKit(there).admin.import_(MemoryKit(here).admin.export())
        with redis.Redis.from_url(valkey.url) as client:
            lives = {key: client.pttl(key) for key in client.keys(f"{namespace}-there*")}
    assert {key: left for key, left in lives.items() if not 0 < left <= MOST_MS} == {}
