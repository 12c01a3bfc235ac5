"""Claims about settings."""
# ruff: noqa: S106, S301 - the passwords are made up, and the pickles are our own

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memkit.backends.redis.target import Tls
from memkit.config import Settings
from memkit.errors import ConfigurationError
from memkit.inputs import UNSET

CANARY = "CaNaRy"
TTLS = ("ttl_working_memory", "ttl_short_term_memory", "ttl_long_term_memory")


def problems(settings: object, **overrides: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Settings.coerce(settings, overrides)
    assert caught.value.__context__ is None
    return "\n".join(caught.value.problems)


def attempt(environ: dict[str, str]) -> tuple[Settings | None, str]:
    try:
        return Settings.from_environ(environ), ""
    except ConfigurationError as error:
        return None, f"{error} {error!r} {error.__context__!r}"


def ttls(settings: Settings) -> tuple[float | None, ...]:
    return tuple(getattr(settings, name) for name in TTLS)


# Choosing the backend -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "backend", "url"),
    [
        ({}, "memory", None),
        ({"ENVIRONMENT": "development"}, "memory", None),
        ({"ENVIRONMENT": "prod"}, "memory", None),
        ({"ENVIRONMENT": "development", "REDIS_URL": "redis://h"}, "memory", None),
        ({"REDIS_URL": "redis://h"}, "memory", None),
        ({"REDIS_URL": ""}, "memory", None),
        ({"ENVIRONMENT": "production", "REDIS_URL": "redis://h"}, "redis", "redis://h"),
        ({"ENVIRONMENT": " Staging ", "MEMKIT_URL": "valkey://h"}, "redis", "valkey://h"),
        ({"ENVIRONMENT": "production", "MEMKIT_URL": "memory://"}, "memory", "memory://"),
        ({"ENVIRONMENT": "production", "MEMKIT_BACKEND": "memory"}, "memory", None),
        ({"ENVIRONMENT": "", "MEMKIT_BACKEND": "null"}, "null", None),
        ({"MEMKIT_URL": "redis://a", "REDIS_URL": "redis://b"}, "redis", "redis://a"),
        ({"MEMKIT_URL": "redis://a", "REDIS_URL": ""}, "redis", "redis://a"),
        ({"MEMKIT_BACKEND": "redis", "REDIS_URL": "redis://b"}, "redis", "redis://b"),
        ({"MEMKIT_BACKEND": "memory", "REDIS_URL": "redis://b"}, "memory", None),
        ({"MEMKIT_URL": "rediss+cluster://a,b"}, "redis", "rediss+cluster://a,b"),
        ({"MEMKIT_URL": "unix:///s"}, "redis", "unix:///s"),
        ({"MEMKIT_URL": "memory://"}, "memory", "memory://"),
        ({"MEMKIT_URL": "null://"}, "null", "null://"),
        ({"MEMKIT_URL": "embedded:///dir"}, "embedded", "embedded:///dir"),
    ],
)
def test_chooses(environ, backend, url):
    """MEMKIT_BACKEND, else the scheme of MEMKIT_URL, else ENVIRONMENT; REDIS_URL alone chooses nothing."""
    settings = Settings.from_environ({"PATH": "/bin", **environ})
    assert (settings.backend, settings.url) == (backend, url)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"ENVIRONMENT": "production"}, "ENVIRONMENT asks for redis: set MEMKIT_URL or REDIS_URL"),
        ({"ENVIRONMENT": ""}, "ENVIRONMENT is empty"),
        ({"MEMKIT_BACKEND": "redis"}, "MEMKIT_BACKEND (backend) asks for redis: set MEMKIT_URL or REDIS_URL"),
        ({"MEMKIT_BACKEND": "redis", "REDIS_URL": ""}, "REDIS_URL (redis_url): it has no '://'"),
        ({"MEMKIT_BACKEND": "memory", "MEMKIT_URL": "redis://h"}, "unset one of them"),
        ({"MEMKIT_BACKEND": "redis", "MEMKIT_URL": "memory://"}, "unset one of them"),
        ({"MEMKIT_BACKEND": "Redis", "REDIS_URL": "redis://h"}, "did you mean 'redis'?"),
        ({"MEMKIT_BACKEND": "postgres"}, "known are embedded, memory, null, redis"),
        ({"MEMKIT_URL": "redsi://h"}, "did you mean redis://?"),
        ({"MEMKIT_URL": "localhost:6379"}, "it has no '://'"),
        ({"MEMKIT_URL": "redis://h/x"}, "MEMKIT_URL (url): the path is not the number of a database"),
        ({"ENVIRONMENT": "staging", "REDIS_URL": "redis://h/x"}, "REDIS_URL (redis_url): the path is not the number"),
        ({"MEMKIT_URL": "memory://x"}, "nothing stands behind memory://"),
        ({"MEMKIT_URL": "null:///"}, "nothing stands behind null://"),
        ({"MEMKIT_URL": "embedded://dir"}, "embedded:///absolute/directory"),
        ({"MEMKIT_URL": "embedded:///"}, "embedded:///absolute/directory"),
        ({"MEMKIT_URL": "embedded:///a?b"}, "embedded:///absolute/directory"),
        ({"MEMKIT_BACKEND": "embedded"}, "embedded:///absolute/directory"),
    ],
)
def test_refuses_to_guess(environ, expected):
    """What leads nowhere is an error that names the variable; no other backend and no other host is taken."""
    assert expected in problems(environ)


def test_directory():
    """The directory of the embedded server is percent-decoded; other backends have none."""
    assert Settings.from_url("embedded:///var/a%20b").directory == "/var/a b"
    assert Settings.from_url("memory://").directory is None


# Reading --------------------------------------------------------------------------------------------------------------


def test_defaults():
    """Without any variable every setting has its documented default."""
    settings = Settings.from_environ({})
    assert ttls(settings) == (43_200.0, 86_400.0, None)
    assert settings.ttl is UNSET
    assert (settings.namespace, settings.codec, settings.on_corrupt, settings.language) == (
        "memkit",
        "msgpack",
        "raise",
        "english",
    )
    assert (settings.max_record_bytes, settings.pool_size, settings.retry_attempts, settings.protocol) == (
        8 << 20,
        8,
        30,
        3,
    )
    assert (settings.connect_timeout, settings.attempt_timeout, settings.retry_deadline) == (2.0, 2.0, 10.0)
    assert (settings.retry_initial, settings.retry_cap) == (0.05, 1.0)
    assert (settings.max_records, settings.max_bytes, settings.username, settings.password) == (None,) * 4
    assert (settings.max_messages, settings.max_age) == (None, None)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("namespace", "a b", "a b"),
        ("codec", "json", "json"),
        ("max_record_bytes", "512KiB", 524_288),
        ("max_record_bytes", "1000", 1000),
        ("on_corrupt", "report", "report"),
        ("language", "none", "none"),
        ("language", "german", "german"),
        ("pool_size", "3", 3),
        ("attempt_timeout", "500ms", 0.5),
        ("retry_deadline", "1m", 60.0),
        ("protocol", "2", 2),
        ("max_records", "none", None),
        ("max_records", "5", 5),
        ("max_bytes", "1GiB", 2**30),
        ("max_messages", "200", 200),
        ("max_messages", "none", None),
        ("max_age", "7d", 604_800.0),
        ("max_age", "none", None),
        ("ttl_long_term_memory", "7d", 604_800.0),
        ("username", "none", "none"),
        ("password", " x ", " x "),
    ],
)
def test_reads_text_and_python_values(name, text, value):
    """A variable's text and the Python value of the keyword give the same, also when settings are evolved again."""
    settings = Settings.from_environ({f"MEMKIT_{name.upper()}": text})
    assert getattr(settings, name) == value
    assert type(getattr(settings, name)) is type(value)
    assert Settings.coerce({}, {name: value}) == settings == Settings(**{name: value})
    assert getattr(settings.evolve(retry_attempts=3), name) == value
    assert getattr(attrs.evolve(settings, retry_attempts=3), name) == value


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("namespace", [" ", "a\nb", "\udc80", 5, None]),
        ("codec", ["pickle", "JSON", None, 1]),
        ("max_record_bytes", ["0", "-1", "8MB", "1.5MiB", "9" * 5_000, True, 0, 1.5, None]),
        ("on_corrupt", ["skip"]),
        ("language", ["englsh", "English", "../x", 1, [1]]),
        ("pool_size", ["0", "x", "1.0", " 1", "٣", True, 1.0, [1]]),
        ("attempt_timeout", ["none", "0", "-1", "nan", True, None, float("inf")]),
        ("protocol", ["1", "4", True, 2.0, 3.5, None, [2]]),
        ("tls_verify", ["maybe", "2", "t", 1, 0, [True]]),
        ("max_records", ["0", "-1", False, [1]]),
        ("max_messages", ["0", "-1", "1.5", True, 1.5, [1]]),
        ("max_age", ["0", "-1", "nan", "0.1ms", True, 0, float("inf"), []]),
        ("ttl", ["0", "-1", "nan", "inf", "0.1ms", True, False, 0, -1, float("nan"), []]),
        ("ttl_working_memory", ["0", 0, True]),
        ("password", ["x\n", "\udc80", 5]),
        ("username", ["\n", 5]),
        ("url", ["x", 5, "a\n://"]),
        ("redis_url", [5]),
        ("environment", [5]),
    ],
)
def test_refuses_bad_values(name, values):
    """Each wrong value is one problem that names the variable and the keyword; it is never coerced."""
    variable = {"redis_url": "REDIS_URL", "environment": "ENVIRONMENT"}.get(name, f"MEMKIT_{name.upper()}")
    for value in values:
        assert problems({}, **{name: value}).startswith(f"{variable} ({name}): "), value
        with pytest.raises(ConfigurationError):
            Settings(**{name: value})
        if isinstance(value, str):
            assert problems({variable: value}).startswith(f"{variable} ({name}): "), value


@pytest.mark.parametrize("text", ["true", "yes", "on", "1", "TRUE", "false", "no", "off", "0", "Off"])
def test_booleans_are_strict(text):
    """Exactly true, false, yes, no, on, off, 1 and 0 are booleans."""
    settings = Settings.from_environ({"MEMKIT_URL": "rediss://h", "MEMKIT_TLS_VERIFY": text})
    assert settings.tls_verify is (text.lower() in {"true", "yes", "on", "1"})
    assert settings.target().tls == Tls(verify=settings.tls_verify)


def test_empty_variables_are_named():
    """A variable that is set to nothing is a problem for each MEMKIT_ variable, and not taken for unset."""
    for variable in Settings.variables():
        if variable.name.startswith("MEMKIT_"):
            assert problems({variable.name: ""}).startswith(f"{variable.name} ({variable.setting}): it is empty: unset")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("MEMKIT_URLL", "did you mean MEMKIT_URL?"),
        ("memkit_url", "did you mean MEMKIT_URL?"),
        ("MEMKIT_TTL_WORKING", "did you mean MEMKIT_TTL_WORKING_MEMORY?"),
        ("MEMKIT_ZZZZZZZ", "remove it"),
    ],
)
def test_unknown_variables_are_refused(name, hint):
    """A misspelt variable of memkit is refused with a suggestion, others are none of our business."""
    assert problems({name: CANARY, "URL": "x", "REDIS_HOST": "y"}).startswith(
        f"{name} is no variable of memkit: {hint}"
    )


def test_keywords_in_a_mapping_are_refused():
    """Field names in a mapping are not ignored like foreign variables."""
    assert "use MEMKIT_URL (url)" in problems({"url": "redis://h"})


def test_lists_every_problem():
    """Problems of names, values, URL and of fields between each other are in one error."""
    found = problems(
        {
            "MEMKIT_BACKEND": "reddis",
            "MEMKIT_URL": "redis://h:0/x",
            "MEMKIT_TTL": "0",
            "MEMKIT_CODEC": "",
            "MEMKIT_ATTEMPT_TIMEOUT": "20s",
            "MEMKIT_POOLSIZE": "1",
        },
        ttll=3,
        retry_initial=2,
    ).splitlines()
    assert len(found) == 9, found


def test_times_fit_each_other():
    """An attempt may not last longer than all of them, nor the first pause longer than any."""
    assert "MEMKIT_RETRY_DEADLINE" in problems({}, retry_deadline=1)
    assert "MEMKIT_RETRY_CAP" in problems({}, retry_initial="2s")
    assert Settings.coerce({}, {"retry_deadline": 1, "attempt_timeout": 1, "connect_timeout": 1}).retry_deadline == 1.0


def test_a_bad_value_has_no_consequences_of_its_own():
    """A field that cannot be read is one problem, and its default is not compared with anything."""
    assert problems({"MEMKIT_ATTEMPT_TIMEOUT": "x", "MEMKIT_RETRY_DEADLINE": "2s"}).count("\n") == 0


def test_ttl_is_the_default_of_all_three():
    """MEMKIT_TTL holds for each memory type that has no TTL of its own; none means for ever."""
    assert ttls(Settings.from_environ({"MEMKIT_TTL": "1h"})) == (3600.0,) * 3
    assert ttls(Settings.from_environ({"MEMKIT_TTL": "none"})) == (None,) * 3
    assert ttls(Settings(ttl=60, ttl_long_term_memory=None, ttl_working_memory="2m")) == (120.0, 60.0, None)


# Coercion -------------------------------------------------------------------------------------------------------------


def test_coerces_each_form(monkeypatch):
    """None is os.environ, a mapping stands for it, a URL is read without it, Settings are taken as they are."""
    monkeypatch.setenv("MEMKIT_NAMESPACE", "outer")
    assert Settings.coerce().namespace == Settings.from_environ().namespace == "outer"
    assert Settings.coerce({}).namespace == "memkit"
    assert Settings.coerce("redis://h").namespace == "memkit"
    settings = Settings.from_url("redis://h")
    assert Settings.coerce(settings) == settings
    assert "os.environ" in problems(5)
    assert "no '://'" in problems("localhost")


def test_os_environ_may_hold_any_other_name(monkeypatch):
    """Variables of the process that are called like our fields are nobody's mistake."""
    monkeypatch.setenv("username", "me")
    assert Settings.coerce(os.environ).username is None


def test_overrides_take_precedence():
    """A keyword wins over the variable; an unknown one is refused with a suggestion."""
    environ = {"MEMKIT_TTL": "1h", "MEMKIT_URL": "redis://a"}
    assert ttls(Settings.coerce(environ, {"ttl": None})) == (None,) * 3
    assert Settings.coerce(environ, {"url": "redis://b"}).url == "redis://b"
    assert Settings.coerce(environ, {"url": None}).backend == "memory"
    assert Settings.coerce(environ, {"url": UNSET}).backend == "memory"
    assert "unset one of them" in problems(environ, backend="memory")
    assert problems({}, namspace="x") == "there is no setting 'namspace': did you mean namespace?"


def test_evolving_decides_again():
    """What followed from a replaced field follows from the new one; what was given stays."""
    settings = Settings.from_environ({"MEMKIT_URL": "rediss://h?protocol=2", "MEMKIT_TTL_WORKING_MEMORY": "5s"})
    other = settings.evolve(url="memory://", ttl=60)
    assert (settings.backend, settings.protocol, settings.tls_verify) == ("redis", 2, True)
    assert (other.backend, other.protocol, other.tls_verify) == ("memory", 3, True)
    assert ttls(other) == (5.0, 60.0, 60.0)


@pytest.mark.parametrize("url", ["redis://h", "rediss://u:p@h?verify=none&protocol=2", "memory://", "embedded:///d"])
def test_copies_are_equal(url):
    """attrs.evolve and pickle give equal settings, and a frozen value cannot be changed."""
    settings = Settings.from_url(url)
    assert attrs.evolve(settings) == settings == pickle.loads(pickle.dumps(settings))
    assert hash(attrs.evolve(settings)) == hash(settings)
    assert pickle.loads(pickle.dumps(settings)).evolve(pool_size=2).pool_size == 2
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        settings.url = None


# The target -----------------------------------------------------------------------------------------------------------


def test_target_merges():
    """User, password, TLS files and protocol kept out of the URL join it."""
    settings = Settings.from_environ(
        {
            "MEMKIT_URL": "rediss://h/2",
            "MEMKIT_USERNAME": "u%",
            "MEMKIT_PASSWORD": "p%40",
            "MEMKIT_TLS_CA_FILE": "/ca",
            "MEMKIT_TLS_CERT_FILE": "/cert",
            "MEMKIT_TLS_KEY_FILE": "/key",
            "MEMKIT_PROTOCOL": "2",
        }
    )
    target = settings.target()
    assert (target.username, target.password, target.db, target.protocol) == ("u%", "p%40", 2, 2)
    assert target.tls == Tls(ca_file="/ca", cert_file="/cert", key_file="/key")


@pytest.mark.parametrize(
    ("url", "override", "expected"),
    [
        ("redis://:a@h", {"password": "b"}, "the password before '@' and MEMKIT_PASSWORD (password) differ"),
        ("redis://a@h", {"username": "b"}, "differ"),
        ("redis://h?protocol=2", {"protocol": 3}, "differ"),
        ("rediss://h?verify=none", {"tls_verify": True}, "differ"),
        ("rediss://h?ca_file=a", {"tls_ca_file": "b"}, "differ"),
        ("redis://h", {"tls_verify": True}, "MEMKIT_TLS_VERIFY (tls_verify) has no effect without TLS"),
        ("redis://h", {"tls_ca_file": "/ca"}, "MEMKIT_TLS_CA_FILE (tls_ca_file) has no effect without TLS"),
        ("rediss://h", {"tls_key_file": "/key"}, "without cert_file"),
    ],
)
def test_target_refuses_contradictions(url, override, expected):
    """A setting that says something else than the URL, or has no effect with it, is refused at once."""
    assert expected in problems(url, **override)


def test_target_needs_a_redis_url():
    """Other backends have no target."""
    with pytest.raises(ConfigurationError, match="no URL of a Redis server"):
        Settings.from_url("memory://").target()


def test_redis_only_settings_may_stand_beside_another_backend():
    """A shared environment with a password and TLS files works in memory too."""
    settings = Settings(password="x", tls_ca_file="/ca", tls_verify=True)
    assert settings.backend == "memory"


# Help and secrets -----------------------------------------------------------------------------------------------------


def test_help_is_complete():
    """Every variable has a line with meaning, form and default, and the default shown is read as the default."""
    lines = {line.setting: line for line in Settings.variables()}
    assert set(lines) == {name for name in attrs.fields_dict(Settings) if not name.startswith("_")}
    settings = Settings.from_environ({})
    for name, line in lines.items():
        assert line.meaning
        assert line.form
        if line.default != "not set":
            assert getattr(Settings(**{name: line.default}), name) == getattr(settings, name)
    assert "ENVIRONMENT=development" in lines["redis_url"].meaning


def test_describe_shows_what_is_in_force():
    """A line tells the value in force, and whether it was given."""
    lines = {line.name: line for line in Settings.coerce("redis://u:p@h", {"ttl": "2h", "password": "p"}).describe()}
    assert lines["MEMKIT_URL"].current == "redis://***@h"
    assert lines["MEMKIT_PASSWORD"].current == "***"
    assert (lines["MEMKIT_BACKEND"].current, lines["MEMKIT_BACKEND"].given) == ("redis", False)
    assert (lines["MEMKIT_TTL"].current, lines["MEMKIT_TTL"].given) == ("2h", True)
    assert (lines["MEMKIT_TTL_LONG_TERM_MEMORY"].default, lines["MEMKIT_TTL_LONG_TERM_MEMORY"].current) == (
        "none",
        "2h",
    )


@pytest.mark.parametrize(
    "given",
    [
        {"url": f"redis://u:{CANARY}@h"},
        {"url": "redis://h", "password": CANARY},
        {"url": f"redis://h?password={CANARY}"},
        {"redis_url": f"redis://:{CANARY}@h"},
        {"redis_url": f"redis://:{CANARY}@h", "backend": "redis"},
        {"redis_url": CANARY},
    ],
)
def test_nothing_shows_a_secret(given):
    """Neither str, repr, help nor target of settings shows a password."""
    settings = Settings(**given)
    shown = f"{settings} {settings!r} {settings.describe()}"
    assert CANARY not in shown
    assert (
        CANARY not in f"{settings.evolve(pool_size=2)!r} {settings.target()!r}" if settings.backend == "redis" else True
    )


@given(st.sampled_from([line.name for line in Settings.variables()]), st.text())
def test_no_error_repeats_a_value(name, noise):
    """A password pasted into any variable is in no error."""
    for value in (
        f"{CANARY}{noise}{CANARY}",
        f"redis://:{CANARY}{noise}{CANARY}@h:x",
        f"nope://u:{CANARY}{noise}{CANARY}@h",
    ):
        settings, error = attempt({"ENVIRONMENT": "production", name: value})
        assert CANARY not in error
        if name in {"MEMKIT_URL", "REDIS_URL", "MEMKIT_PASSWORD"} and settings:
            assert CANARY not in f"{settings!r} {settings.describe()}"


def test_import_is_light():
    """Settings, providers and the factory load neither redis nor ssl nor a stemmer nor entry points."""
    code = (
        "import sys; before = set(sys.modules); import memkit.factory; "
        "print([name for name in ('redis', 'ssl', 'snowballstemmer', 'importlib.metadata') "
        "if name in set(sys.modules) - before])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
