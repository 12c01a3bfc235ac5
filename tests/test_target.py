"""Claims about URLs of Redis servers."""
# ruff: noqa: S105, S106, S301 - the passwords are made up, and the pickle is our own

from __future__ import annotations

import pickle
from urllib.parse import quote

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from memkit.backends.redis.target import SCHEMES, Given, Target, Tls, parse_url, read_url, redact
from memkit.errors import ConfigurationError

CANARY = "CaNaRy"


def problems(url: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        parse_url(url)
    assert caught.value.__context__ is None
    return caught.value.problems


def attempt(url: str) -> tuple[Target | None, str]:
    try:
        return parse_url(url), ""
    except ConfigurationError as error:
        return None, f"{error} {error!r} {error.__context__!r}"


@pytest.mark.parametrize(
    ("url", "expected", "shown"),
    [
        ("redis://h", Target(mode="standalone", addresses=(("h", 6379),)), "redis://h:6379/0"),
        ("valkey://h:1/", Target(mode="standalone", addresses=(("h", 1),)), "redis://h:1/0"),
        ("REDIS://h/3", Target(mode="standalone", addresses=(("h", 6379),), db=3), "redis://h:6379/3"),
        ("redis://h/3?db=3", Target(mode="standalone", addresses=(("h", 6379),), db=3), "redis://h:6379/3"),
        (
            "valkeys://u:p%40@[::1]:7?verify=none&protocol=2&client_name=me",
            Target(
                mode="standalone",
                addresses=(("::1", 7),),
                username="u",
                password="p@",
                tls=Tls(verify=False),
                protocol=2,
                client_name="me",
            ),
            "rediss://[::1]:7/0",
        ),
        (
            "rediss+cluster://:p@a:1,b/0?ca_file=/ca.pem&cert_file=c&key_file=k",
            Target(
                mode="cluster",
                addresses=(("a", 1), ("b", 6379)),
                password="p",
                tls=Tls(ca_file="/ca.pem", cert_file="c", key_file="k"),
            ),
            "rediss+cluster://a:1,b:6379",
        ),
        (
            "redis+sentinel://h1,h2:5/my%2Fmaster/2?sentinel_username=su&sentinel_password=s+p",
            Target(
                mode="sentinel",
                addresses=(("h1", 26379), ("h2", 5)),
                service="my/master",
                db=2,
                sentinel_username="su",
                sentinel_password="s+p",
            ),
            "redis+sentinel://h1:26379,h2:5/my%2Fmaster/2",
        ),
        (
            "unix://u:p@/run/a%40b%20c.sock?db=2",
            Target(mode="standalone", path="/run/a@b c.sock", db=2, username="u", password="p"),
            "unix:///run/a%40b%20c.sock?db=2",
        ),
        ("valkey+unix:///a@b", Target(mode="standalone", path="/a@b"), "unix:///a%40b?db=0"),
        ("redis+unix:///s", Target(mode="standalone", path="/s"), "unix:///s?db=0"),
        (
            "redis://h?username=u&password=p",
            Target(mode="standalone", addresses=(("h", 6379),), username="u", password="p"),
            "redis://h:6379/0",
        ),
        ("redis://:p@ss@h", Target(mode="standalone", addresses=(("h", 6379),), password="p@ss"), "redis://h:6379/0"),
    ],
)
def test_reads(url, expected, shown):
    """Each documented form gives exactly this target, and its str is an address that leads there again."""
    assert parse_url(url) == expected
    assert str(expected) == shown
    bare = evolve(expected, username=None, password=None, sentinel_username=None, sentinel_password=None)
    assert parse_url(shown).addresses == bare.addresses
    assert str(parse_url(shown)) == shown


def test_tls_is_verified_by_default():
    """Certificate and host name are checked unless the URL says otherwise, for every TLS scheme."""
    for name, scheme in SCHEMES.items():
        if scheme.tls:
            target = parse_url(f"{name}://h/primary" if scheme.mode == "sentinel" else f"{name}://h")
            assert target.tls == Tls(verify=True)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", "no '://'"),
        ("redsi://h", "did you mean redis://"),
        ("http://h", "known are redis, redis+cluster"),
        ("redis://", "host is missing"),
        ("redis://:pw@/0", "host is missing"),
        ("redis://h1,h2", "several hosts"),
        ("redis+cluster://h1,", "host 2: the host is missing"),
        ("redis://::1/0", "in brackets"),
        ("redis://[::g]", "neither a host name nor an address"),
        ("redis://${HOST}", "neither a host name nor an address"),
        ("redis://h:0", "port is not a number from 1 to 65535"),
        ("redis://h:65536", "port is not a number from 1 to 65535"),
        ("redis://h:", "port is not a number from 1 to 65535"),
        ("redis://h:٣", "port is not a number from 1 to 65535"),
        ("redis://h/x", "not the number of a database"),
        ("redis://h/-1", "not the number of a database"),
        ("redis://h/" + "9" * 5_000, "not the number of a database"),
        ("redis://h/0/1", "too many parts"),
        ("redis://h/1?db=2", "the path and the option db differ"),
        ("redis://u@h?username=v", "the user before '@' and the option username differ"),
        ("redis://h?db=1&db=2", "differ"),
        ("redis+cluster://h/1", "a cluster has no other database"),
        ("redis+cluster://h?db=1", "a cluster has no other database"),
        ("redis+sentinel://h", "name of the primary is missing"),
        ("redis+sentinel://h/m/0/1", "too many parts"),
        ("redis://h?sentinel_password=x", "no effect without sentinels"),
        ("redis://h?protocl=3", "did you mean protocol"),
        ("rediss://h?ssl_ca_certs=x", "did you mean ca_file"),
        ("redis://h?timeout=3", "the option timeout of the query is unknown: known are"),
        ("redis://h?db", "option 1 of the query has no value"),
        ("redis://h?protocol=4", "write 2 or 3"),
        ("redis://h?client_name=a%20b", "printable ASCII"),
        ("redis://h?verify=full", "no effect without TLS"),
        ("unix:///s?ca_file=x", "no effect without TLS"),
        ("rediss://h?verify=no", "write full, or none"),
        ("rediss://h?key_file=k", "key_file is given without cert_file"),
        ("rediss://h?ca_file=a%00b", "control character"),
        ("redis://h#x", "a fragment"),
        ("redis://h#", "a fragment"),
        ("unix://run/s", "three slashes"),
        ("unix://", "the path of the unix socket is missing"),
        ("redis://h/0\n", "white space"),
        (" redis://h", "scheme is unknown"),
        ("redis://u:%ff@h", "not UTF-8"),
        ("redis://u:\udc80@h", "broken text"),
        ("redis://:a/b@h", "percent-encode"),
    ],
)
def test_refuses(url, expected):
    """What is wrong is refused with a problem that says what to write."""
    assert any(expected in problem for problem in problems(url)), problems(url)


def test_lists_every_problem():
    """All problems of a URL are in one error."""
    found = problems("redis://h1,h2:x/0/1?protocl=3&verify=none&db=#f")
    assert len(found) == 7


secrets = st.text(st.characters(codec="utf-8"), min_size=1)


@given(secrets, secrets)
def test_user_and_password_round_trip(username, password):
    """Any user and password, percent-encoded, come back as they were, before the '@' and as options."""
    user, word = quote(username, safe=""), quote(password, safe="")
    for url in (f"redis://{user}:{word}@h", f"redis://h?username={user}&password={word}", f"unix://{user}:{word}@/s"):
        target = parse_url(url)
        assert (target.username, target.password) == (username, password)


@given(st.text(st.sampled_from("aA1:/?#@&=%[]+, \n\t\"'\\é") | st.characters(codec="utf-8")))
def test_any_raw_password_is_read_or_refused_in_silence(noise):
    """A password that nobody encoded is never part of an error, a str or a repr, whatever it breaks."""
    url = f"redis://user:{CANARY}{noise}{CANARY}@host:6379/0"
    target, error = attempt(url)
    assert CANARY not in f"{target} {target!r} {error}"
    assert target is None or target.addresses == (("host", 6379),)


MALFORMED = [
    f"redis://:{CANARY}@",
    f"redis://:{CANARY}@:99999",
    f"redis://:{CANARY}@h:x/y?z=1#f",
    f"redis://:{CANARY}/x@h",
    f"redis://:{CANARY}?x@h",
    f"redis://:{CANARY}#x@h",
    f"redis://:x/{CANARY}@h",
    f"redis://:x?y={CANARY}@h",
    f"redis://:x#{CANARY}@h",
    f"redis://:{CANARY} x@h",
    f"redis://:{CANARY}",
    f"redis://u:{CANARY}/0",
    f"redis://h/{CANARY}",
    f"redis://h:{CANARY}",
    f"redis://h#{CANARY}",
    f"redis://[{CANARY}",
    f"redis://[{CANARY}]",
    f"redis://:p@[{CANARY}]/0",
    f"redis://h\u2100{CANARY}:x",
    f"redis://h?password={CANARY}&db=x",
    f"redis://h?password=x&{CANARY}",
    f"redis://h?password=x&{CANARY}=1",
    f"redis://h?{CANARY}",
    f"redis://h?sentinel_password={CANARY}",
    f"redis+sentinel://h/m?sentinel_password={CANARY}&x=1",
    f"redis://a:{CANARY}@h?password=other",
    f"redis://a:other@h?password={CANARY}",
    f"rediss://h?verify={CANARY}",
    f"redis://h?protocol={CANARY}",
    f"redis://u:%ff{CANARY}@h",
    f"unix://u:{CANARY}@h/s",
    f"nope://u:{CANARY}@h",
    f"{CANARY}://h",
    CANARY,
]


@pytest.mark.parametrize("url", MALFORMED)
def test_no_error_holds_the_password(url):
    """A malformed URL is refused without repeating a piece of it."""
    with pytest.raises(ConfigurationError) as caught:
        parse_url(url)
    assert CANARY not in f"{caught.value} {caught.value!r} {caught.value.args} {caught.value.problems}"
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_no_repr_holds_the_password():
    """Neither str nor repr of a target or an option shows a password, and a copy by pickle keeps it."""
    target = parse_url(f"redis+sentinel://u:{CANARY}@h/m?sentinel_password={CANARY}")
    assert CANARY not in f"{target} {target!r} {Given('password', CANARY, 'x')!r}"
    assert pickle.loads(pickle.dumps(target)).password == CANARY
    with pytest.raises(FrozenInstanceError):
        target.password = None


def test_extra_options_agree_with_the_url():
    """Options from elsewhere complete the URL, may repeat it, and may not contradict it; they are not decoded."""
    target, found = read_url("redis://u@h", [Given("password", "p%40", "MEMKIT_PASSWORD")])
    assert found == []
    assert target is not None
    assert target.password == "p%40"
    assert read_url("redis://:p@h", [Given("password", "p", "X")])[1] == []
    assert read_url("redis://:p@h", [Given("password", "q", "X")])[1] == [
        "the password before '@' and X differ: keep one of them"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("cannot reach redis://h:6379/0 in 2 s", "cannot reach redis://h:6379/0 in 2 s"),
        (f"x rediss://u:{CANARY}@h/0 y", "x rediss://***@h/0 y"),
        (f"'redis://:{CANARY}@a', 'redis://:{CANARY}@b'", "'redis://***@a', 'redis://***@b'"),
        (f"redis://:{CANARY}/x?y#z@{CANARY}@h", "redis://***@h"),
        (f"redis://:x {CANARY}@h/0", "redis://***@h/0"),
        (f"redis://h?password={CANARY}&db=1", "redis://h?password=***&db=1"),
        (f"redis://h?sentinel_password=a&{CANARY}&db=1", "redis://h?sentinel_password=***&db=1"),
        (f"MEMKIT_PASSWORD={CANARY}", "MEMKIT_PASSWORD=***"),
        (f"postgres://u:{CANARY}@h", "postgres://***@h"),
        ("", ""),
    ],
)
def test_redacts(text, expected):
    """Secrets go out of a text and the rest stays."""
    assert redact(text) == expected


@given(st.text(), st.text(st.characters(exclude_characters="\n", codec="utf-8")), st.text())
def test_redacts_any_password(before, noise, after):
    """No userinfo survives in a text, and redacting twice changes nothing more."""
    text = redact(f"{before} redis://user:{CANARY}{noise}@host {after}")
    assert CANARY not in text
    assert redact(text) == text


def test_redacting_long_text_is_quick():
    """A hundred thousand letters do not stop the program: the work grows with the length only."""
    redact("a" * 100_000)
    redact("a.b" * 30_000 + "://" + "x" * 100_000)
