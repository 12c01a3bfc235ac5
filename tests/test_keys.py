"""Names of keys: no two places share one, and none acts as a pattern."""

from __future__ import annotations

import random
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memkit.backends.redis.keys import KeySpace, quoted
from memkit.commands import Place
from memkit.testing.contract import NASTY

PARTS = ("wm", "log", "pos", "idx", "gone", "ops", "about", "ltm", "ltz", "ltx")
# What separates and escapes, what patterns and hash tags are made of, what looks escaped already, and some plain text.
PIECES = [":", "{", "}", "*", "?", "[", "]", "\\", "%", "%3A", "%h", "3A", "h", "^", "\x00", "\n", " ", "\x7f", "\x85"]
PIECES += ["a", "b", "c", "s", "ä", "😀", "\u2028", "\u3000", "c:", ":c", "wm", "log", "memkit"]
SHAPE = re.compile(rb"[^{}]+:\{c:[^{}]+\}:[a-z]+\Z")
CONTROLS = st.characters(categories=["Cc", "Zs", "Zl", "Zp"])
FORBIDDEN = re.compile(rb"[*?\[\]\\\x00-\x20\x7f]")


def _id(draw):
    if draw.random() < 0.05:
        # Long ones stand as a hash, and differ at one end only.
        return draw.choice(["x", "%"]) * draw.randrange(190, 230) + draw.choice(PIECES)
    return "".join(draw.choices(PIECES, k=draw.randrange(1, 5)))


def _key(namespace, conversation, part):
    return KeySpace(namespace).key(Place("c", conversation, part))


def test_no_two_of_100000_share_a_key():
    """Of 100,000 random pairs of different ids, whose pieces are chosen to be mixed up, none shares a key."""
    draw = random.Random(20240517)
    seen = {}
    for _ in range(100_000):
        ids = (_id(draw), _id(draw), draw.choice(PARTS))
        key = _key(*ids)
        assert seen.setdefault(key, ids) == ids
    assert len(seen) > 90_000


@given(st.tuples(st.text(min_size=1), st.text(min_size=1)), st.tuples(st.text(min_size=1), st.text(min_size=1)))
def test_any_two_differ(first, second):
    """Two pairs of ids have the same key only if they are the same pair."""
    assert (_key(*first, "log") == _key(*second, "log")) == (first == second)


@pytest.mark.parametrize("start", range(0, 0x110000, 0x22000))
def test_every_character_is_escaped_alone(start):
    """No character is quoted as another character or as nothing, in all of Unicode."""
    texts = [chr(code) for code in range(start, start + 0x22000) if not 0xD800 <= code <= 0xDFFF]
    forms = {quoted(text) for text in texts}
    assert len(forms) == len(texts)
    assert "" not in forms


@given(st.text(min_size=1, max_size=300) | st.text(CONTROLS, min_size=1) | st.sampled_from(NASTY))
def test_no_key_is_a_pattern(name):
    """No key holds a character of patterns, a space or a control character, and none a brace but our hash tag's."""
    key = _key(name, name, "log")
    assert SHAPE.match(key)
    assert not FORBIDDEN.search(key)
    assert not any(character.isspace() or unicodedata.category(character) == "Cc" for character in key.decode())


@given(st.text(min_size=1) | st.sampled_from(NASTY), st.text(min_size=1))
def test_a_conversation_has_one_hash_tag(conversation, namespace):
    """All keys of a conversation carry the same hash tag and live in one slot, whatever the namespace holds."""
    tags = {_tag(_key(namespace, conversation, part)) for part in PARTS}
    assert len(tags) == 1
    assert tags != {b""}


def _tag(key):
    """The hash tag as a cluster finds it: from the first opening brace to the next closing one."""
    return key.partition(b"{")[2].partition(b"}")[0]


def test_nasty_ids():
    """Every nasty id has a key of its own, as a conversation and as a namespace, of bounded length."""
    keys = {_key("n", name, "log") for name in NASTY} | {_key(name, "n", "log") for name in NASTY}
    assert len(keys) == 2 * len(NASTY)
    assert max(map(len, keys)) < 1000


def test_golden_layout():
    """The layout of keys is what it always was: stored data is found by it."""
    assert _key("memkit", "42", "log") == b"memkit:{c:42}:log"
    assert _key("acme:prod", "user@example.org/7", "wm") == b"acme%3Aprod:{c:user@example.org/7}:wm"
    assert _key("m", "a b*?[c]{d}\\%^\n\x00", "log") == b"m:{c:a%20b%2A%3F%5Bc%5D%7Bd%7D%5C%25%5E%0A%00}:log"
    assert _key("m", "Grüße😀", "ltm") == "m:{c:Grüße😀}:ltm".encode()
    assert _key("m", "\u3000", "log") == b"m:{c:%E3%80%80}:log"
    assert _key("m", "x" * 200, "log") == b"m:{c:" + b"x" * 200 + b"}:log"
    digest = b"84a0678c90937f5dcf9994d5866668da6b995109c8ad845410559b48a4ecafed"
    assert _key("m", "x" * 201, "log") == b"m:{c:%h" + digest + b"}:log"
