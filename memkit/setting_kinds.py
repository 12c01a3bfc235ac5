"""How single settings are read: text as in the environment or a Python value in, the value of the field out.

What is refused is not repeated in the refusal: passwords end up in the wrong variable.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from memkit.durations import format_duration, parse_duration
from memkit.providers import unknown_backend

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "AMOUNT",
    "BACKEND",
    "BOOLEAN",
    "BOUND",
    "COUNT",
    "FOREIGN",
    "LANGUAGE",
    "PROTOCOL",
    "SECRET",
    "SIZE",
    "SIZE_BOUND",
    "TEXT",
    "TIME",
    "TTL",
    "URL",
    "Reader",
    "choice",
    "label",
    "variable",
]


_FOREIGN: Final = {"redis_url": "REDIS_URL", "environment": "ENVIRONMENT"}


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return _FOREIGN.get(name, f"MEMKIT_{name.upper()}")


def label(name: str) -> str:
    """Both names of a setting: people meet it in the environment or as a keyword."""
    return f"{variable(name)} ({name})"


class Reader(NamedTuple):
    """How the values of a setting are read and shown.

    Attributes:
        form: what is accepted, for the help.
        read: takes text as in the environment, or a Python value; raises ValueError with the cure.
        show: writes a value as the environment would hold it.
    """

    form: str
    read: Callable[[Any], Any]
    show: Callable[[Any], str] = str


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", value):
        raise ValueError("give a text that is not blank and has no control characters")
    return value


def _secret(value: Any) -> str:
    # The newline that ends the file of a secret is the usual reason why a right password is refused.
    if not isinstance(value, str) or not value or re.search(r"[\ud800-\udfff]|[\r\n]\Z", value):
        raise ValueError("give a text that is not empty and does not end with a newline")
    return value


def _foreign(value: Any) -> str:
    # REDIS_URL and ENVIRONMENT are others' variables too: what they hold matters only where memkit follows them.
    if not isinstance(value, str):
        raise ValueError("give a text")  # noqa: TRY004 - one kind of refusal
    return value


def _url(value: Any) -> str:
    if "://" not in _text(value):
        raise ValueError("it has no '://': give a URL such as redis://host:6379/0 or memory://")
    return str(value)


def _choice(*names: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value in names:
            return str(value)
        close = difflib.get_close_matches(str(value).lower(), names, n=1)
        raise ValueError(f"give {' or '.join(names)}" + (f" (did you mean {close[0]}?)" if close else ""))

    return read


def _protocol(value: Any) -> int:
    return int(_choice("2", "3")(str(value)))


_BOOLEANS: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def _boolean(value: Any) -> bool:
    found = _BOOLEANS.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise ValueError("give true, false, yes, no, on, off, 1 or 0")  # noqa: TRY004 - one kind of refusal
    return found


def _whole(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("give a whole number, 1 or more")
    return value


def _whole_or_zero(value: Any) -> int:
    if value == "0" or (type(value) is int and value == 0):
        return 0
    try:
        return _whole(value)
    except ValueError:
        raise ValueError("give a whole number, 0 or more") from None


def _bytes(value: Any) -> int:
    match = re.fullmatch(r"([0-9]{1,9})(KiB|MiB|GiB)", value) if isinstance(value, str) else None
    if match:
        value = int(match[1]) * {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[match[2]]
    try:
        return _whole(value)
    except ValueError:
        raise ValueError("give a whole number of bytes, 1 or more, or one with a unit: 512KiB, 8MiB, 1GiB") from None


def _seconds(value: Any) -> float:
    seconds = parse_duration(value)
    if seconds is None:
        raise ValueError("give a length of time such as 500ms or 2s; it cannot be none")
    return seconds


def _language(value: Any) -> str:
    if value in ("english", "none"):
        return str(value)
    # Loads every language, so only for who asks for another than the default.
    from snowballstemmer import algorithms  # noqa: PLC0415

    return _choice("none", *algorithms())(value)


def _backend(value: Any) -> str:
    problem = unknown_backend(_text(value))
    if problem is not None:
        raise ValueError(problem)
    return str(value)


def _or_none(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value in (None, "none") else read(value)


def _show_bytes(size: int | None) -> str:
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return _show_bound(size)


def _show_bound(bound: int | None) -> str:
    return "none" if bound is None else str(bound)


AMOUNT: Final = Reader("whole number from 0", _whole_or_zero)
BACKEND: Final = Reader("redis, memory, null, embedded or a registered name", _backend)
BOOLEAN: Final = Reader("true or false", _boolean, lambda value: str(value).lower())
BOUND: Final = Reader("whole number or none", _or_none(_whole), _show_bound)
COUNT: Final = Reader("whole number", _whole)
FOREIGN: Final = Reader("text", _foreign)
LANGUAGE: Final = Reader("Snowball language or none", _language)
PROTOCOL: Final = Reader("2 or 3", _protocol)
SECRET: Final = Reader("text", _secret)
SIZE: Final = Reader("size", _bytes, _show_bytes)
SIZE_BOUND: Final = Reader("size or none", _or_none(_bytes), _show_bytes)
TEXT: Final = Reader("text", _text)
TIME: Final = Reader("duration", _seconds, format_duration)
TTL: Final = Reader("duration or none", parse_duration, format_duration)
URL: Final = Reader("URL", _url)


def choice(*names: str) -> Reader:
    """One of these names and nothing else."""
    return Reader(" or ".join(names), _choice(*names))
