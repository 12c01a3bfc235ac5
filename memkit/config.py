"""Settings, from the environment, a URL or keywords; the table in `Settings` is the only list of them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias, TypeVar
from urllib.parse import unquote

from attrs import Attribute, evolve, field, fields, frozen

from memkit import setting_kinds as kinds
from memkit.durations import format_duration
from memkit.errors import ConfigurationError
from memkit.inputs import UNSET, Unset
from memkit.placing import family, place, read_redis, redact
from memkit.setting_kinds import label, variable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memkit.backends.redis.target import Target

__all__ = ["Settings", "SettingsLike", "Variable"]

_Row: TypeAlias = "Attribute[Any]"

_PREFIX: Final = "MEMKIT_"


@frozen
class Variable:
    """One line of the help.

    Attributes:
        name: the environment variable.
        setting: the field of `Settings`.
        meaning: what it is for.
        form: what it accepts.
        default: its default, as the variable would hold it.
        current: the value in force; None where there are no settings to look at.
        given: whether the value in force was given, and is not a default or the consequence of other settings.
    """

    name: str
    setting: str
    meaning: str
    form: str
    default: str
    current: str | None = None
    given: bool = False


# The table ------------------------------------------------------------------------------------------------------------


def _redact(value: object) -> str:
    return redact(repr(value))


def _setting(reader: kinds.Reader, default: Any, meaning: str, **more: Any) -> Any:
    """One row: a field of `Settings` and its line of help.

    Every field is UNSET until it is settled, so that what follows from other fields can be told from what was given.
    """
    secret = more.get("secret", False)
    metadata = {"reader": reader, "default": default, "meaning": meaning, "secret": secret}
    # None stands for "not given" where it is no value of its own.
    metadata["optional"] = more.get("optional", default is None)
    return field(default=UNSET, repr=more.get("repr", not secret), metadata=metadata)


@frozen(kw_only=True)
class Settings:
    """Everything that can be set, checked and complete.

    Made by `from_environ`, `from_url` or `coerce`; the constructor takes the same values by keyword. Times are in
    seconds, sizes in bytes. Neither str nor repr holds a secret.

    Which backend is chosen:

    * `backend` (``MEMKIT_BACKEND``), where it is given; a `url` of another kind of backend is refused;
    * else the scheme of `url` (``MEMKIT_URL``);
    * else ``redis`` where ``ENVIRONMENT`` is ``production`` or ``staging`` (case and outer spaces do not matter;
      ``prod`` is neither), and then a URL is demanded;
    * else ``memory``. ``REDIS_URL`` alone chooses nothing.

    Raises:
        ConfigurationError: lists every problem; values are not repeated in it.
    """

    backend: str = _setting(
        kinds.BACKEND,
        None,
        "where memory is kept; unset: the scheme of MEMKIT_URL decides; that unset too: ENVIRONMENT decides",
    )
    url: str | None = _setting(
        kinds.URL,
        None,
        "redis://, rediss://, unix://, valkey://, redis+cluster://h1,h2, redis+sentinel://h1,h2/primary/db, memory://, "
        "null:// or embedded:///directory",
        repr=_redact,
    )
    redis_url: str | None = _setting(
        kinds.FOREIGN,
        None,
        "URL of the redis backend where MEMKIT_URL is unset; it chooses no backend: with ENVIRONMENT=development and "
        "nothing but REDIS_URL set, memory is kept in the process",
        secret=True,
    )
    environment: str | None = _setting(
        kinds.FOREIGN,
        None,
        "where MEMKIT_BACKEND and MEMKIT_URL are unset: production and staging choose redis and demand a URL, "
        "anything else ('prod' too) chooses memory",
    )
    namespace: str = _setting(kinds.TEXT, "memkit", "prefix of every key; tenants never see each other")
    ttl: float | Unset | None = _setting(  # noqa: RUF009 - taken for a dataclass because the enum is a default
        kinds.TTL, UNSET, "time to live of every memory type that has no variable of its own"
    )
    ttl_working_memory: float | None = _setting(
        kinds.TTL, 43_200.0, "time to live of working memory, renewed by writes"
    )
    ttl_short_term_memory: float | None = _setting(
        kinds.TTL, 86_400.0, "time to live of a conversation, renewed by writes"
    )
    ttl_long_term_memory: float | None = _setting(kinds.TTL, None, "time to live of long-term memory", optional=False)
    codec: str = _setting(kinds.choice("msgpack", "json"), "msgpack", "how records are written")
    compression: Literal["none", "zstd"] = _setting(
        kinds.choice("none", "zstd"), "none", "how large records are compressed; zstd needs agent-memkit[zstd]"
    )
    compression_above: int | None = _setting(
        kinds.SIZE, None, "records of more bytes are compressed; unset: 1KiB, with a dictionary 64 bytes"
    )
    compression_dictionary: str | None = _setting(
        kinds.TEXT,
        None,
        f"files with dictionaries, '{os.pathsep}' between them: the first is written with, all are read with",
    )
    max_record_bytes: int = _setting(kinds.SIZE, 8 * 2**20, "larger records are refused")
    on_corrupt: Literal["raise", "report"] = _setting(
        kinds.choice("raise", "report"),
        "raise",
        "whether a damaged record fails the read, or is reported and left out",
    )
    max_messages: int | None = _setting(
        kinds.BOUND,
        None,
        "messages that an append leaves in a conversation; leading system messages and pinned ones stay besides",
        optional=False,
    )
    max_age: float | None = _setting(
        kinds.TTL,
        None,
        "age at which an append drops messages; the newest, leading system messages and pinned ones stay",
        optional=False,
    )
    language: str = _setting(
        kinds.LANGUAGE,
        "english",
        "language whose word forms a query treats as one; none: words as they stand",
    )
    pool_size: int = _setting(kinds.COUNT, 8, "connections that a sync manager opens at most")
    connections: int = _setting(kinds.COUNT, 1, "connections that an async manager has for each event loop")
    cached_reads: int = _setting(
        kinds.AMOUNT, 0, "results of reads that a manager keeps until the server says that they changed; 0: none"
    )
    connect_timeout: float = _setting(kinds.TIME, 2.0, "time to open a connection")
    attempt_timeout: float = _setting(kinds.TIME, 2.0, "time to wait for one answer")
    retry_attempts: int = _setting(kinds.COUNT, 30, "how often an operation is tried; 1: once")
    retry_deadline: float = _setting(kinds.TIME, 10.0, "time for all attempts of an operation")
    retry_initial: float = _setting(kinds.TIME, 0.05, "longest pause before the second attempt")
    retry_cap: float = _setting(kinds.TIME, 1.0, "longest pause before any attempt")
    protocol: Literal[2, 3] = _setting(kinds.PROTOCOL, 3, "RESP version")
    username: str | None = _setting(kinds.TEXT, None, "ACL user, kept out of the URL")
    password: str | None = _setting(kinds.SECRET, None, "password, kept out of the URL", secret=True)
    tls_ca_file: str | None = _setting(kinds.TEXT, None, "certificates to trust, not the system's")
    tls_cert_file: str | None = _setting(kinds.TEXT, None, "our certificate for the server")
    tls_key_file: str | None = _setting(kinds.TEXT, None, "private key of our certificate")
    tls_verify: bool | None = _setting(
        kinds.BOOLEAN,
        default=True,
        meaning="false: any certificate and any host name is accepted, which is not safe",
        optional=True,
    )
    max_records: int | None = _setting(
        kinds.BOUND,
        None,
        "records kept by the memory backend; conversations not used for longest are dropped first",
        optional=False,
    )
    max_bytes: int | None = _setting(
        kinds.SIZE_BOUND,
        None,
        "bytes kept by the memory backend; conversations not used for longest are dropped first",
        optional=False,
    )
    _given: frozenset[str] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        given = {item.name: value for item in _table() if not _is_missing(item, value := getattr(self, item.name))}
        values, problems = _settle(given)
        if problems:
            raise ConfigurationError(problems)
        for name, value in values.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_given", frozenset(given))

    @classmethod
    def from_environ(cls, mapping: Mapping[str, str] = os.environ) -> Self:
        """Read the variables listed by `variables` from a mapping; other names than ``MEMKIT_*`` may stand in it."""
        return cls.coerce(mapping)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Settings for a URL, with defaults for the rest: the environment is not read."""
        return cls.coerce(url)

    @classmethod
    def coerce(cls, settings: SettingsLike = None, overrides: Mapping[str, Any] | None = None) -> Self:
        """Settings from anything that the factories accept.

        Args:
            settings: None for ``os.environ``; a mapping of environment variables; a URL, which is read without the
                environment; or a `Settings`.
            overrides: names of fields and their values, as text or as Python values; they take precedence, and what
                followed from the fields they replace is decided again.

        Raises:
            ConfigurationError: lists every problem.
        """
        given, problems = _given_in(settings)
        names = {item.name for item in _table()}
        for name, value in (overrides or {}).items():
            if name in names:
                given[name] = value
            else:
                problems.append(f"there is no setting {name!r}{_hint(name, names)}")
        return _build(cls, given, problems)

    def evolve(self, **overrides: Any) -> Self:
        """A copy with some fields replaced; as `coerce` with these overrides."""
        return self.coerce(self, overrides)

    def _explicit(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._given}

    @property
    def directory(self) -> str | None:
        """Directory of the embedded server; None for every other backend."""
        return unquote(self.url.partition("://")[2]) if self.backend == "embedded" and self.url else None

    def target(self) -> Target:
        """Where the Redis server is and how to log in: the URL together with the TLS files, user and password.

        Raises:
            ConfigurationError: there is no URL of a Redis server, or it contradicts the other settings.
        """
        if self.url is None or family(self.url) != "redis":
            raise ConfigurationError([f"{label('url')}: the backend {self.backend} has no URL of a Redis server"])
        target, problems = read_redis(self.url, self._explicit())
        if target is None:
            raise ConfigurationError(f"{label('url')}: {problem}" for problem in problems)
        return target

    @classmethod
    def variables(cls) -> list[Variable]:
        """The help: every variable with its meaning and default; needs no valid settings."""
        return [_variable(item) for item in _table()]

    def describe(self) -> list[Variable]:
        """Every variable with the value in force; secrets are shown as ``***``."""
        return [
            evolve(_variable(item), current=_show(item, getattr(self, item.name)), given=item.name in self._given)
            for item in _table()
        ]


SettingsLike: TypeAlias = Settings | Mapping[str, str] | str | None
"""What the factories take for settings."""


@cache
def _table() -> tuple[_Row, ...]:
    return tuple(item for item in fields(Settings) if item.metadata)


def _variable(item: _Row) -> Variable:
    meta = item.metadata
    default = _show(item, meta["default"])
    return Variable(variable(item.name), item.name, meta["meaning"], meta["reader"].form, default)


def _show(item: _Row, value: Any) -> str:
    if _is_missing(item, value):
        return "not set"
    if item.metadata["secret"]:
        return "***"
    shown: str = item.metadata["reader"].show(value)
    return redact(shown) if "://" in shown else shown


def _is_missing(item: _Row, value: Any) -> bool:
    return value is UNSET or (value is None and item.metadata["optional"])


# From what the caller has to keywords ---------------------------------------------------------------------------------


def _given_in(settings: object) -> tuple[dict[str, Any], list[str]]:
    if isinstance(settings, Settings):
        return settings._explicit(), []  # noqa: SLF001 - the same module
    if isinstance(settings, str):
        return {"url": settings}, []
    if settings is None:
        return _read_environ(os.environ)
    if isinstance(settings, Mapping):
        return _read_environ(settings)
    return {}, ["settings are a Settings, a mapping of environment variables, a URL, or None for os.environ"]


def _read_environ(mapping: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    names = {variable(item.name): item.name for item in _table()}
    given = {name: mapping[key] for key, name in names.items() if key in mapping}
    unknown = (name for name in mapping if name.upper().startswith(_PREFIX) and name not in names)
    problems = [f"{name} is no variable of memkit{_hint(name.upper(), names)}" for name in unknown]
    if mapping is not os.environ:
        # Keywords in a dict would be taken for foreign variables, and memory would be kept in the process unasked.
        keywords = sorted(set(names.values()) & set(mapping))
        problems += [f"{name!r} is no environment variable: use {label(name)}, or a keyword" for name in keywords]
    return given, problems


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {close[0]}?" if close else ": remove it; `memkit env` lists all there are"


_S = TypeVar("_S", bound=Settings)


def _build(cls: type[_S], given: dict[str, Any], problems: list[str]) -> _S:
    try:
        settings = cls(**given)
    except ConfigurationError as error:
        problems = [*problems, *error.problems]
    if problems:
        # Raised out here so that one error stands alone, with no other as its context.
        raise ConfigurationError(problems)
    return settings


# From keywords to settings --------------------------------------------------------------------------------------------


def _settle(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Read every value, then decide what follows; fields that could not be read are left out and decide nothing."""
    values, problems = _read_values(given)
    for name in ("ttl_working_memory", "ttl_short_term_memory", "ttl_long_term_memory"):
        if name not in given and values.get("ttl", UNSET) is not UNSET:
            values[name] = values["ttl"]
    problems += _time_problems(values)
    if {"url", "redis_url", "environment"} <= values.keys():
        problems += _place(values, given)
    return values, problems


def _place(values: dict[str, Any], given: Mapping[str, Any]) -> list[str]:
    if "backend" in values:
        return place(values, given)
    # Its name was refused: the URL is read for itself, so that its problems are listed too.
    return place({**values, "backend": None}, given) if values["url"] and family(values["url"]) else []


def _read_values(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    values, problems = {}, []
    for item in _table():
        try:
            values[item.name] = _read(item, given[item.name]) if item.name in given else item.metadata["default"]
        except ValueError as error:
            problems.append(f"{label(item.name)}: {error}")
    return values, problems


def _read(item: _Row, value: Any) -> Any:
    if value == "" and variable(item.name).startswith(_PREFIX):
        raise ValueError("it is empty: unset it, or give it a value")
    return item.metadata["reader"].read(value)


def _time_problems(values: Mapping[str, Any]) -> Iterator[str]:
    for short, long in (
        ("connect_timeout", "retry_deadline"),
        ("attempt_timeout", "retry_deadline"),
        ("retry_initial", "retry_cap"),
    ):
        if short in values and long in values and values[short] > values[long]:
            times = [f"{label(name)}, {format_duration(values[name])}" for name in (short, long)]
            yield f"{times[0]}, is longer than {times[1]}: lower the first or raise the second"
