"""Where a Redis or Valkey server is, read from a URL.

Problems found in a URL name its parts and never repeat them: what looks like a port may be half of a password.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import quote, unquote

from attrs import evolve, field, frozen

from memkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["SCHEMES", "Given", "Target", "Tls", "parse_url", "read_url", "redact"]

Mode = Literal["standalone", "cluster", "sentinel"]


@frozen(kw_only=True)
class Tls:
    """How a TLS connection is made.

    Attributes:
        ca_file: certificates to trust instead of the system's.
        cert_file: our own certificate, where the server asks for one.
        key_file: its private key, where it is not in `cert_file`.
        verify: whether the server's certificate and host name are checked.
    """

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify: bool = True


@frozen(kw_only=True)
class Target:
    """One server, cluster or sentinel group, and how to log in. Neither str nor repr holds a secret.

    Attributes:
        mode: what stands at `addresses`.
        addresses: host and port of the server, of nodes of the cluster, or of the sentinels; empty for a unix socket.
        path: the unix socket.
        db: number of the database.
        username: ACL user; None for the default user.
        password: password of the user.
        tls: None for a plain connection; with sentinels it holds for them and for the servers they name.
        service: name of the primary that sentinels watch.
        sentinel_username: ACL user at the sentinels, which have users of their own.
        sentinel_password: password at the sentinels.
        protocol: RESP version.
        client_name: name that the server shows for our connections.
    """

    mode: Mode
    addresses: tuple[tuple[str, int], ...] = ()
    path: str | None = None
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    service: str | None = None
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    protocol: Literal[2, 3] = 3
    client_name: str | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix://{quote(self.path)}?db={self.db}"
        scheme = ("rediss" if self.tls else "redis") + ("" if self.mode == "standalone" else f"+{self.mode}")
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.addresses)
        service = f"/{quote(self.service, safe='')}" if self.service is not None else ""
        return f"{scheme}://{hosts}{service}" + ("" if self.mode == "cluster" else f"/{self.db}")


class _Scheme(NamedTuple):
    mode: Mode
    tls: bool = False
    unix: bool = False


def _schemes() -> Iterator[tuple[str, _Scheme]]:
    yield "unix", _Scheme("standalone", unix=True)
    for family in ("redis", "valkey"):
        yield f"{family}+unix", _Scheme("standalone", unix=True)
        for name, tls in ((family, False), (f"{family}s", True)):
            yield name, _Scheme("standalone", tls)
            yield f"{name}+cluster", _Scheme("cluster", tls)
            yield f"{name}+sentinel", _Scheme("sentinel", tls)


SCHEMES: Final[Mapping[str, _Scheme]] = dict(_schemes())
"""Schemes of the URLs that lead to Redis or Valkey."""

_TLS_OPTIONS = frozenset({"ca_file", "cert_file", "key_file", "verify"})
_SENTINEL_OPTIONS = frozenset({"sentinel_username", "sentinel_password"})
_OPTIONS = _TLS_OPTIONS | _SENTINEL_OPTIONS | {"db", "protocol", "client_name", "username", "password"}
_CREDENTIALS = _SENTINEL_OPTIONS | {"username", "password"}

# What redis-py calls them: people bring their URLs along.
_RENAMED = {
    "ssl_ca_certs": "ca_file",
    "ssl_certfile": "cert_file",
    "ssl_keyfile": "key_file",
    "ssl_cert_reqs": "verify",
}


@frozen
class Given:
    """One option and where it comes from.

    Attributes:
        name: name of the option, as in the query of a URL.
        value: its text.
        source: what a problem with it is called after, for example a variable's name.
    """

    name: str
    value: str = field(repr=False)
    source: str


@frozen
class _Parts:
    """A URL taken apart; nothing is decoded yet."""

    scheme: _Scheme
    userinfo: str = field(repr=False)
    hosts: str
    path: str
    query: str = field(repr=False)
    fragment: bool


def parse_url(url: str) -> Target:
    """Read the URL of a Redis or Valkey server.

    Schemes: ``redis://host:6379/0``, ``rediss://`` (TLS), ``unix:///path?db=0``, ``redis+cluster://h1:6379,h2``,
    ``redis+sentinel://h1:26379,h2/primary/0``, ``rediss+cluster://``, ``rediss+sentinel://``, ``redis+unix://``,
    and the same with ``valkey`` for ``redis``. Options: ``db``, ``protocol`` (2, 3), ``client_name``, ``username``,
    ``password``; with TLS ``ca_file``, ``cert_file``, ``key_file``, ``verify`` (``full``, the default, or ``none``);
    with sentinels ``sentinel_username``, ``sentinel_password``. User and password are percent-decoded; ``+`` is a plus.

    Raises:
        ConfigurationError: lists every problem and repeats no part of the URL that could be a secret.
    """
    target, problems = read_url(url)
    if target is None:
        raise ConfigurationError(f"URL: {problem}" for problem in problems)
    return target


def read_url(url: str, extra: Iterable[Given] = ()) -> tuple[Target | None, list[str]]:
    """Read a URL together with options from elsewhere, which must not contradict it.

    Args:
        url: as for `parse_url`.
        extra: options that do not stand in the URL, for example a password from a variable of its own.

    Returns:
        The target, or None; and the problems, without a prefix.
    """
    parts, problem = _split(url)
    if parts is None:
        return None, [problem]
    problems = list(_structure_problems(parts))
    written = [*_userinfo(parts), *_path(parts, problems), *_query(parts, problems)]
    given = [*_decode(written, problems), *extra]
    options = _merge(given, problems)
    problems += _option_problems(parts.scheme, given)
    addresses = _addresses(parts, problems)
    if problems:
        return None, problems
    return _target(parts.scheme, addresses, options), problems


def _target(scheme: _Scheme, addresses: tuple[tuple[str, int], ...], options: Mapping[str, str]) -> Target:
    return Target(
        mode=scheme.mode,
        addresses=addresses,
        path=options.get("path"),
        db=int(options.get("db", 0)),
        username=options.get("username"),
        password=options.get("password"),
        tls=_tls(options) if scheme.tls else None,
        service=options.get("service"),
        sentinel_username=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
        protocol=2 if options.get("protocol") == "2" else 3,
        client_name=options.get("client_name"),
    )


def _tls(options: Mapping[str, str]) -> Tls:
    return Tls(
        ca_file=options.get("ca_file"),
        cert_file=options.get("cert_file"),
        key_file=options.get("key_file"),
        verify=options.get("verify", "full") == "full",
    )


# Taking apart ---------------------------------------------------------------------------------------------------------

_UNCLEAN = re.compile(r"[\s\x00-\x1f\x7f\ud800-\udfff]")


def _split(url: str) -> tuple[_Parts | None, str]:
    """Split by hand: urllib's split removes newlines silently, and its errors and its cache hold passwords."""
    name, separator, rest = url.partition("://")
    if not separator:
        return None, "it has no '://': write redis://host:6379/0"
    scheme = SCHEMES.get(name.lower())
    if scheme is None:
        return None, _unknown_scheme(name)
    if _UNCLEAN.search(url):
        return None, "it holds white space, a control character or broken text: remove it, or percent-encode it"
    rest, hash_sign, fragment = rest.partition("#")
    rest, _, query = rest.partition("?")
    netloc, slash, path = rest.partition("/")
    if "@" in query + fragment or ("@" in path and netloc):
        # All else that could be said about such a URL would be said about pieces of its password.
        return None, (
            "an '@' stands behind a '/', '?' or '#': percent-encode these where they belong to the user, the password "
            "or an option ('/' is %2F, '?' is %3F, '#' is %23, '@' is %40)"
        )
    userinfo, _, hosts = netloc.rpartition("@")
    return _Parts(scheme, userinfo, hosts, slash + path, query, fragment=bool(hash_sign)), ""


def _unknown_scheme(name: str) -> str:
    close = difflib.get_close_matches(name.lower(), SCHEMES, n=1)
    hint = f"did you mean {close[0]}://?" if close else f"known are {', '.join(sorted(SCHEMES))}"
    return f"its scheme is unknown: {hint}"


def _structure_problems(parts: _Parts) -> Iterator[str]:
    if parts.fragment:
        yield "a fragment ('#') means nothing here: remove it, or write %23 where '#' belongs to a value"
    if parts.scheme.unix and parts.hosts:
        yield "a unix socket has no host: write three slashes, as in unix:///run/redis.sock"
    if parts.scheme.unix and not parts.path.strip("/"):
        yield "the path of the unix socket is missing: write unix:///run/redis.sock"


# Options --------------------------------------------------------------------------------------------------------------


def _userinfo(parts: _Parts) -> Iterator[Given]:
    username, _, password = parts.userinfo.partition(":")
    if username:
        yield Given("username", username, "the user before '@'")
    if password:
        yield Given("password", password, "the password before '@'")


def _path(parts: _Parts, problems: list[str]) -> Iterator[Given]:
    if parts.scheme.unix:
        yield Given("path", parts.path or "/", "the path")
        return
    segments = parts.path.strip("/").split("/") if parts.path.strip("/") else []
    names = ["service", "db"] if parts.scheme.mode == "sentinel" else ["db"]
    if len(segments) > len(names) or "" in segments:
        problems.append(f"its path has too many parts: after the hosts stands /{'/'.join(names)} and nothing else")
        return
    if "service" in names and not segments:
        problems.append("the name of the primary is missing: write redis+sentinel://host:26379/primary/0")
    for name, segment in zip(names, segments, strict=False):
        yield Given(name, segment, "the path")


def _query(parts: _Parts, problems: list[str]) -> Iterator[Given]:
    pairs = [pair.partition("=") for pair in parts.query.split("&")] if parts.query else []
    secret = any("pass" in name.lower() for name, _, _ in pairs)
    for position, (name, _, value) in enumerate(pairs, 1):
        if not value:
            problems.append(f"option {position} of the query has no value: write name=value, or remove it")
        elif name not in _OPTIONS:
            # Behind a password with an unescaped '&', what looks like a name is the end of the password.
            nameable = _NAME.fullmatch(name) and not secret
            problems.append(_unknown_option(name, f"the option {name}" if nameable else f"option {position}"))
        else:
            yield Given(name, value, f"the option {name}")


def _unknown_option(name: str, shown: str) -> str:
    close = _RENAMED.get(name) or next(iter(difflib.get_close_matches(name, _OPTIONS, n=1)), None)
    hint = f"did you mean {close}?" if close else f"known are {', '.join(sorted(_OPTIONS))}"
    return f"{shown} of the query is unknown: {hint}"


def _decode(given: Iterable[Given], problems: list[str]) -> Iterator[Given]:
    for item in given:
        try:
            yield evolve(item, value=unquote(item.value, errors="strict"))
        except UnicodeDecodeError:
            problems.append(f"{item.source} is not UTF-8 when it is percent-decoded")


def _merge(given: Iterable[Given], problems: list[str]) -> dict[str, str]:
    """One value for each option: two places may say the same, never different things."""
    first: dict[str, Given] = {}
    for item in given:
        earlier = first.setdefault(item.name, item)
        if earlier.value != item.value:
            problems.append(f"{earlier.source} and {item.source} differ: keep one of them")
    return {name: item.value for name, item in first.items()}


def _option_problems(scheme: _Scheme, given: Iterable[Given]) -> Iterator[str]:
    names = set()
    for item in given:
        names.add(item.name)
        wrong = _misplaced(scheme, item.name) or _malformed(item)
        if wrong:
            yield f"{item.source} {wrong}"
        elif scheme.mode == "cluster" and item.name == "db" and int(item.value):
            yield f"{item.source} is not 0: a cluster has no other database"
    if "key_file" in names and "cert_file" not in names:
        yield "key_file is given without cert_file: give both, or one cert_file that holds both"


def _misplaced(scheme: _Scheme, name: str) -> str | None:
    if name in _TLS_OPTIONS and not scheme.tls:
        return "has no effect without TLS: write rediss:// (rediss+cluster://, rediss+sentinel://), or remove it"
    if name in _SENTINEL_OPTIONS and scheme.mode != "sentinel":
        return "has no effect without sentinels: write redis+sentinel://, or remove it"
    return None


_FORMS = {
    "db": (re.compile(r"[0-9]{1,9}"), "is not the number of a database: write 0 or more"),
    "protocol": (re.compile(r"[23]"), "is not a RESP version: write 2 or 3"),
    "verify": (re.compile(r"full|none"), "is unknown: write full, or none to accept any certificate"),
    "client_name": (re.compile(r"[!-~]+"), "is refused by servers: use printable ASCII without spaces"),
}
_PRINTABLE = (re.compile(r"[^\x00-\x1f\x7f]+"), "holds a control character: remove it")


def _malformed(item: Given) -> str | None:
    if item.name in _CREDENTIALS:
        return None
    form, problem = _FORMS.get(item.name, _PRINTABLE)
    return None if form.fullmatch(item.value) else problem


# Hosts ----------------------------------------------------------------------------------------------------------------

_HOST = re.compile(r"(?:\[(?P<v6>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>.*))?", re.DOTALL)
_NAME = re.compile(r"[\w.-]+")
_PORT = re.compile(r"[0-9]{1,5}")


def _addresses(parts: _Parts, problems: list[str]) -> tuple[tuple[str, int], ...]:
    if parts.scheme.unix:
        return ()
    texts = parts.hosts.split(",")
    if len(texts) > 1 and parts.scheme.mode == "standalone":
        problems.append("it has several hosts: write redis+cluster:// or redis+sentinel://, or keep one host")
    default = 26379 if parts.scheme.mode == "sentinel" else 6379
    found = [_address(text, default) for text in texts]
    for position, problem in enumerate(found, 1):
        if isinstance(problem, str):
            problems.append(problem if len(found) == 1 else f"host {position}: {problem}")
    return tuple(address for address in found if not isinstance(address, str))


def _address(text: str, default: int) -> tuple[str, int] | str:
    match = _HOST.fullmatch(text)
    if match is None or text.startswith("::") or ":" in (match["port"] or ""):
        return "it is not host:port; an IPv6 address stands in brackets, as in [::1]:6379"
    host = match["name"] if match["v6"] is None else _ipv6(unquote(match["v6"]))
    if host == "":
        return "the host is missing: write it behind '://' (behind the '@' where there is a user or password)"
    if host is None or (match["v6"] is None and not _NAME.fullmatch(host)):
        return "it is neither a host name nor an address; special characters of a password are percent-encoded"
    port = _port(match["port"], default)
    return "the port is not a number from 1 to 65535" if port is None else (host, port)


def _ipv6(text: str) -> str | None:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        return None


def _port(text: str | None, default: int) -> int | None:
    if text is None:
        return default
    port = int(text) if _PORT.fullmatch(text) else 0
    return port if 0 < port <= 65535 else None  # noqa: PLR2004 - the last port there is


# Redaction ------------------------------------------------------------------------------------------------------------

# Too much rather than too little: a password that nobody encoded may hold '/', '?', '#', '@' and spaces, so it ends at
# the last '@' of the word, or of the line where a ':' comes first, but before the next URL.
_SCHEME = r"[a-z][a-z0-9+.-]{0,30}://"
_USERINFO = re.compile(
    rf"(?P<scheme>{_SCHEME})(?:[^\s:/]*:(?:(?![\s'\"(,;]{_SCHEME}).)*@|\S*@)",
    re.IGNORECASE,
)
# A raw '&' belongs to the value where no 'name=' follows it.
_SECRET_OPTION = re.compile(
    r"(?P<name>[\w.-]{0,40}(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|auth)=)[^&\s]*(?:&(?![\w.-]+=)[^&\s]*)*",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Take every secret that a URL can hold out of a text.

    User and password go from each URL, and values go from options such as ``password=``. What looks like part of a
    malformed password goes too, so a little more than the secret may be gone.
    """
    return _SECRET_OPTION.sub(r"\g<name>***", _USERINFO.sub(r"\g<scheme>***@", text))
