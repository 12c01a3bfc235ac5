"""Backends by name: memkit's own, those registered by the program, those of installed distributions."""

from __future__ import annotations

import difflib
import importlib
import re
from typing import TYPE_CHECKING, Final

from attrs import frozen

from memkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

    from memkit.config import Settings
    from memkit.interfaces import IAsyncMemoryManager, IMemoryManager

__all__ = ["GROUP", "OWN", "Provider", "find_provider", "known_backends", "register_backend", "unknown_backend"]

GROUP: Final = "memkit.backends"
"""Entry point group in which a distribution offers a backend."""

# Loaded from here, not through entry points: no other distribution can take these names over, and the installed
# distributions are not searched, which takes longer than all of `import memkit`.
OWN: Final = {
    "redis": "memkit.backends.redis",
    "memory": "memkit.backends.inmemory",
    "null": "memkit.backends.null",
    "embedded": "memkit.backends.embedded",
}
"""Names of memkit's own backends and the modules that hold their providers."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")

_registered: dict[str, Provider] = {}


@frozen
class Provider:
    """Makes the managers of one backend.

    Attributes:
        name: what ``MEMKIT_BACKEND`` calls it: lower-case letters, digits, ``-`` and ``_``.
        manager: makes a sync manager from settings.
        async_manager: makes an async manager from settings.
    """

    name: str
    manager: Callable[[Settings], IMemoryManager]
    async_manager: Callable[[Settings], IAsyncMemoryManager]


def register_backend(provider: Provider, *, replace: bool = False) -> None:
    """Make a backend known in this process under its name.

    Args:
        provider: the backend.
        replace: take the place of a backend registered earlier under the same name.

    Raises:
        ConfigurationError: the name is malformed, is one of memkit's own, or is taken and `replace` is false.
    """
    if not _NAME.fullmatch(provider.name):
        raise ConfigurationError(
            ["the name of a backend is 1 to 64 lower-case letters, digits, '-' and '_', and begins with a letter"]
        )
    if provider.name in OWN:
        raise ConfigurationError([f"backend {provider.name!r} is memkit's own: register yours under another name"])
    if replace:
        _registered[provider.name] = provider
    elif _registered.setdefault(provider.name, provider) is not provider:
        raise ConfigurationError([f"backend {provider.name!r} is registered already: give replace=True to replace it"])


def find_provider(name: str) -> Provider:
    """Find a backend by name: memkit's own, then registered ones, then those of installed distributions.

    A distribution's code is loaded only when its backend is asked for.

    Args:
        name: as in ``MEMKIT_BACKEND``.

    Raises:
        ConfigurationError: nobody offers the name, two distributions do, or the one that does cannot be loaded.
    """
    if name in OWN:
        own: Provider = importlib.import_module(OWN[name]).provider
        return own
    if name in _registered:
        return _registered[name]
    return _load(name, _offered(name))


def known_backends() -> tuple[str, ...]:
    """Names that `find_provider` knows, sorted. Searches the installed distributions but loads none."""
    return tuple(sorted({*OWN, *_registered, *(point.name for point in _entry_points())}))


def unknown_backend(name: str) -> str | None:
    """Say what is wrong with the name of a backend, without repeating it; None where the name is known."""
    # A look-up in two tables first: searching the installed distributions takes milliseconds.
    if name in OWN or name in _registered:
        return None
    known = known_backends()
    if name in known:
        return None
    close = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown backend: {hint}known are {', '.join(known)}; register_backend adds another"


def _entry_points(name: str | None = None) -> list[EntryPoint]:
    # Costs a fifth of the time of `import memkit`, for names that are not memkit's own only.
    from importlib.metadata import entry_points  # noqa: PLC0415

    found = entry_points(group=GROUP) if name is None else entry_points(group=GROUP, name=name)
    return list(found)


def _offered(name: str) -> EntryPoint:
    found = {_distribution(point): point for point in _entry_points(name)}
    if not found:
        raise ConfigurationError([unknown_backend(name) or f"backend {name!r} is gone: install it again"])
    if len(found) > 1:
        raise ConfigurationError(
            [f"backend {name!r} is offered by several distributions, {', '.join(sorted(found))}: keep one of them"]
        )
    return next(iter(found.values()))


def _load(name: str, point: EntryPoint) -> Provider:
    try:
        provider = point.load()
    except Exception as error:
        raise ConfigurationError(
            [f"backend {name!r} of distribution {_distribution(point)} cannot be imported: {type(error).__name__}"]
        ) from error
    if not isinstance(provider, Provider) or provider.name != name:
        raise ConfigurationError(
            [f"backend {name!r} of distribution {_distribution(point)} is not a memkit Provider of that name"]
        )
    return provider


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "(unknown)"
