"""Lengths of time as people write them: ``90``, ``500ms``, ``12h``, ``none``."""

from __future__ import annotations

import math
import re

__all__ = ["format_duration", "parse_duration"]

_MILLISECONDS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_NEVER = frozenset({"none", "never"})
_FORM = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])?", re.ASCII)

# Servers count in whole milliseconds: anything shorter would be sent as 0, which deletes at once.
_SHORTEST = 0.001
# Beyond this an end of life no longer fits a datetime; who means "for ever" says so.
_LONGEST = 36_525 * 86_400.0

_CURE = "give seconds or a duration such as 90, 500ms, 30s, 15m, 12h, 7d or 2w, from 1ms to 36525d, or none for never"


def parse_duration(value: object) -> float | None:
    """Read a length of time.

    Args:
        value: ``"90"``, ``"0.5"`` (seconds), ``"500ms"``, ``"30s"``, ``"15m"``, ``"12h"``, ``"7d"``, ``"2w"``;
            ``"none"`` or ``"never"``; or seconds as a number; or None.

    Returns:
        Seconds; None means for ever.

    Raises:
        ValueError: it is none of these, or zero, negative, not finite, a bool, under 1 ms or over 36,525 days.
            The text does not repeat the value, which may be a secret in the wrong place.
    """
    if isinstance(value, str):
        value = _seconds(value.strip())
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not _SHORTEST <= value <= _LONGEST:
        raise ValueError(_CURE)
    return float(value)


def _seconds(text: str) -> float | None:
    if text.lower() in _NEVER:
        return None
    match = _FORM.fullmatch(text)
    if match is None:
        return math.nan
    number, unit = match.groups()
    # 1.1 * 1000 / 1000 may differ from 1.1, and 3 * 0.001 does differ from 0.003.
    return float(number) / 1000 if unit == "ms" else float(number) * (_MILLISECONDS[unit or "s"] // 1000)


def format_duration(seconds: float | None) -> str:
    """Write a length of time so that `parse_duration` reads the same value back.

    Args:
        seconds: seconds, or None for never.

    Returns:
        The shortest exact form, for example ``"12h"``, ``"1500ms"``, ``"none"``.
    """
    if seconds is None:
        return "none"
    milliseconds = round(seconds * 1000)
    if milliseconds / 1000 != seconds:
        return f"{seconds!r}s"
    unit = next(unit for unit, size in _MILLISECONDS.items() if milliseconds % size == 0)
    return f"{milliseconds // _MILLISECONDS[unit]}{unit}"
