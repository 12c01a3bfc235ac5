"""A count of the values inside encoded bytes, made before any of them is built.

The limits of an unpacker bound each container, not their sum: ten megabytes of empty arrays become 694 MB of objects.
"""

from __future__ import annotations

import re

from memkit.values import MAX_VALUES

__all__ = ["SMALL", "check_json", "check_msgpack"]

SMALL = 1 << 16
"""Below this size even a record of nothing but empty containers takes less than 5 MB to decode."""

# Bytes that follow a tag: (of the value itself, of its length field, values for each counted child)
_FIXED = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8}
_FIXED |= {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_TEXTS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_ARRAYS = {0xDC: 2, 0xDD: 4}
_MAPS = {0xDE: 2, 0xDF: 4}
_TOKENS = 4
# A whole string, what begins or separates values, or a quote that nothing closes. Possessive: it never goes back.
_JSON_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|([,\[{])|(")', re.DOTALL)


def check_msgpack(raw: bytes) -> None:
    """Walk over msgpack bytes without decoding them.

    Raises:
        ValueError: they hold more than `MAX_VALUES` values, or are not msgpack as memkit writes it.
    """
    at, seen, promised = 0, 0, 1
    while seen < promised:
        if at >= len(raw):
            raise ValueError("it is cut short")
        at, children = _step(raw, at)
        seen += 1
        promised += children
        if promised > MAX_VALUES:
            raise ValueError(f"it holds more than {MAX_VALUES} values")


def check_json(raw: bytes) -> None:
    """Count the values of a JSON text.

    Raises:
        ValueError: it holds more than `MAX_VALUES`.
    """
    values = 0
    for tokens, token in enumerate(_JSON_TOKEN.finditer(raw)):
        if token[2]:
            raise ValueError("a text in it does not end")
        values += token[1] is not None
        # Texts that stand side by side are no JSON, but there could be millions of them.
        if values > MAX_VALUES or tokens > _TOKENS * MAX_VALUES:
            raise ValueError(f"it holds more than {MAX_VALUES} values")


def _step(raw: bytes, at: int) -> tuple[int, int]:
    """Where the value at `at` ends, its children left out, and how many children it has."""
    # The ranges of first bytes are those of the msgpack specification.
    tag = raw[at]
    if tag <= 0x7F or tag >= 0xE0:  # noqa: PLR2004
        return at + 1, 0
    if tag <= 0x8F:  # noqa: PLR2004
        return at + 1, 2 * (tag & 0x0F)
    if tag <= 0x9F:  # noqa: PLR2004
        return at + 1, tag & 0x0F
    if tag <= 0xBF:  # noqa: PLR2004
        return at + 1 + (tag & 0x1F), 0
    if tag in _FIXED:
        return at + 1 + _FIXED[tag], 0
    return _sized(raw, at, tag)


def _sized(raw: bytes, at: int, tag: int) -> tuple[int, int]:
    for table, of_bytes, of_children in ((_TEXTS, 1, 0), (_ARRAYS, 0, 1), (_MAPS, 0, 2)):
        if tag in table:
            start = at + 1 + table[tag]
            count = int.from_bytes(raw[at + 1 : start], "big")
            return start + of_bytes * count, of_children * count
    raise ValueError("it holds an extension type")
