"""From settings to a place: which backend is meant, and whether its URL leads somewhere."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final

from memkit.providers import OWN
from memkit.setting_kinds import label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from memkit.backends.redis.target import Target

__all__ = ["family", "place", "read_redis", "redact"]

_DEMAND_REDIS: Final = frozenset({"production", "staging"})


def _target_module() -> ModuleType:
    # The package around it belongs to the Redis backend: settings for another backend need none of it.
    from memkit.backends.redis import target  # noqa: PLC0415

    return target


def redact(text: str) -> str:
    """Take the secrets of URLs out of a text."""
    redacted: str = _target_module().redact(text)
    return redacted


def place(values: dict[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Choose the backend and check its URL; the choice and what follows from it go into the values."""
    backend, problem = _choose(values)
    if backend is None:
        return [problem]
    values["backend"] = backend
    if backend == "redis":
        return _place_redis(values, given)
    return list(_url_problems(backend, values["url"]))


def _choose(values: Mapping[str, Any]) -> tuple[str | None, str]:
    backend, url, environment = values["backend"], values["url"], values["environment"]
    kind = family(url) if url is not None else None
    if url is not None and kind is None and (backend is None or backend in OWN):
        return None, f"{label('url')}: {_unknown_scheme(url)}"
    if backend in OWN and kind not in {backend, None}:
        return None, f"{label('backend')} is {backend} and {label('url')} is for {kind}: unset one of them"
    if backend is not None or kind is not None:
        return backend or kind, ""
    if environment is not None and not environment.strip():
        return None, "ENVIRONMENT is empty: unset it, give it a value, or set MEMKIT_BACKEND"
    return "redis" if (environment or "").strip().lower() in _DEMAND_REDIS else "memory", ""


def family(url: str) -> str | None:
    """Which of memkit's own backends a URL is for."""
    scheme = url.partition("://")[0].lower()
    if scheme in OWN and scheme != "redis":
        return scheme
    return "redis" if scheme in _target_module().SCHEMES else None


def _unknown_scheme(url: str) -> str:
    known = sorted({*_target_module().SCHEMES, *OWN})
    close = difflib.get_close_matches(url.partition("://")[0].lower(), known, n=1)
    hint = f"did you mean {close[0]}://?" if close else f"known are {', '.join(known)}"
    return f"its scheme is unknown: {hint}; for a backend of your own set MEMKIT_BACKEND too"


def _url_problems(backend: str, url: str | None) -> Iterator[str]:
    rest = url.partition("://")[2] if url is not None else ""
    if backend == "embedded" and not re.fullmatch(r"/[^?#]*[^?#/][^?#]*", rest):
        yield (
            f"{label('url')}: the embedded server keeps its data in a directory: write embedded:///absolute/directory "
            "(three slashes, '?' as %3F, '#' as %23)"
        )
    if backend in {"memory", "null"} and rest:
        yield f"{label('url')}: nothing stands behind {backend}://"


_URL_OPTIONS: Final = {
    "username": "username",
    "password": "password",
    "tls_ca_file": "ca_file",
    "tls_cert_file": "cert_file",
    "tls_key_file": "key_file",
    "tls_verify": "verify",
    "protocol": "protocol",
}


def _place_redis(values: dict[str, Any], given: Mapping[str, Any]) -> list[str]:
    name = "url" if values["url"] is not None else "redis_url"
    url = values[name]
    if url is None:
        chosen = label("backend") if "backend" in given else "ENVIRONMENT"
        return [f"{chosen} asks for redis: set MEMKIT_URL or REDIS_URL, for example to redis://host:6379/0"]
    target, problems = read_redis(url, {name: values[name] for name in given if name in values})
    if target is None:
        return [f"{label(name)}: {problem}" for problem in problems]
    values |= {"url": url, "protocol": target.protocol, "tls_verify": target.tls.verify if target.tls else None}
    return []


def read_redis(url: str, given: Mapping[str, Any]) -> tuple[Target | None, list[str]]:
    """Read a Redis URL together with those of the given settings that concern the connection."""
    module = _target_module()
    options = [
        module.Given(option, _option_text(given[name]), label(name))
        for name, option in _URL_OPTIONS.items()
        if name in given
    ]
    found: tuple[Target | None, list[str]] = module.read_url(url, options)
    return found


def _option_text(value: Any) -> str:
    if isinstance(value, bool):
        return "full" if value else "none"
    return str(value)
