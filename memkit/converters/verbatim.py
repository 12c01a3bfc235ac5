"""Differences between plain values: what has to be kept so that a value can be made exactly as it was.

A difference is a plain value itself, so that it can be stored:

- ``{"is": value}``: the whole value;
- ``{"add": {key: value}, "drop": [key], "in": {key: difference}}``: between two dicts;
- ``{"at": [[index, difference]]}``: between two lists of one length.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

__all__ = ["amended", "copied", "covers", "difference", "digest", "same"]


def copied(value: Any) -> Any:
    """The same value, sharing no dict and no list with it."""
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if type(value) is list else value


def same(left: Any, right: Any) -> bool:
    """Whether two plain values are equal, types included: True is not 1, and 1 is not 1.0."""
    if type(left) is not type(right):
        return False
    if type(left) is dict:
        return left.keys() == right.keys() and all(same(item, right[key]) for key, item in left.items())
    if type(left) is list:
        return len(left) == len(right) and all(map(same, left, right))
    # A float by its text: 0.0 is not -0.0, and NaN is NaN.
    return repr(left) == repr(right) if type(left) is float else bool(left == right)


def covers(written: Any, wanted: Any) -> bool:
    """Whether `wanted` is `written` with nothing but more keys in its dicts."""
    if type(written) is dict and type(wanted) is dict:
        return all(key in wanted and covers(item, wanted[key]) for key, item in written.items())
    if type(written) is list and type(wanted) is list:
        return len(written) == len(wanted) and all(map(covers, written, wanted))
    return same(written, wanted)


def difference(written: Any, wanted: Any) -> dict[str, Any] | None:
    """What turns `written` into `wanted`; None if they are the same."""
    if same(written, wanted):
        return None
    if type(written) is dict and type(wanted) is dict:
        return _between_dicts(written, wanted)
    if type(written) is list and type(wanted) is list and len(written) == len(wanted):
        return _between_lists(written, wanted)
    return {"is": copied(wanted)}


def _between_dicts(written: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    changed = {key: difference(item, wanted[key]) for key, item in written.items() if key in wanted}
    found = {
        "add": {key: copied(item) for key, item in wanted.items() if key not in written},
        "drop": [key for key in written if key not in wanted],
        "in": {key: change for key, change in changed.items() if change is not None},
    }
    return {name: value for name, value in found.items() if value}


def _between_lists(written: list[Any], wanted: list[Any]) -> dict[str, Any]:
    changed = enumerate(map(difference, written, wanted))
    return {"at": [[index, change] for index, change in changed if change is not None]}


def amended(written: Any, change: dict[str, Any]) -> Any:
    """`written` with a difference applied to it; undoes `difference`."""
    if "is" in change:
        return copied(change["is"])
    if "at" in change:
        changes = dict(change["at"])
        return [amended(item, changes[at]) if at in changes else item for at, item in enumerate(written)]
    dropped, changes = change.get("drop", ()), change.get("in", {})
    kept = {key: item for key, item in written.items() if key not in dropped}
    inner = {key: amended(item, changes[key]) if key in changes else item for key, item in kept.items()}
    return {**inner, **copied(change.get("add", {}))}


def digest(value: Any) -> str:
    """A short fingerprint of a plain value."""
    # ascii() is the same in every Python; repr() depends on its Unicode tables.
    return blake2b(ascii(value).encode(), digest_size=8).hexdigest()
