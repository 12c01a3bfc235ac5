"""Claims about durations."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memkit.durations import format_duration, parse_duration

LONGEST = 36_525 * 86_400.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("0.5", 0.5),
        ("500ms", 0.5),
        ("3ms", 0.003),
        ("30s", 30.0),
        ("15m", 900.0),
        ("12h", 43_200.0),
        ("7d", 604_800.0),
        ("2w", 1_209_600.0),
        (" 1.5h ", 5_400.0),
        ("none", None),
        ("never", None),
        ("None", None),
        (60, 60.0),
        (0.001, 0.001),
        (None, None),
    ],
)
def test_reads(text, seconds):
    """Every documented form is read as the seconds it says."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "0",
        "0s",
        "0.0",
        "-1",
        "-5s",
        "nan",
        "inf",
        "1e3",
        "1_000",
        "5 s",
        "5x",
        "s",
        ".5",
        "12H",
        "٣s",
        "0.1ms",
        "9" * 400,
        "9" * 5000,
        "99999w",
        True,
        False,
        0,
        -1,
        math.nan,
        math.inf,
        1e-09,
        LONGEST + 1,
        [],
        b"5s",
        10**400,
    ],
)
def test_refuses_and_names_the_cure(value):
    """Zero, negative, not finite, bool, empty and anything else is a ValueError that shows what to write."""
    with pytest.raises(ValueError, match="500ms, 30s, 15m, 12h, 7d or 2w") as caught:
        parse_duration(value)
    assert caught.value.__context__ is None


def test_does_not_repeat_the_value():
    """A secret in the wrong variable is not repeated by the refusal."""
    with pytest.raises(ValueError) as caught:
        parse_duration("canary")
    assert "canary" not in str(caught.value)


@given(st.floats(0.001, LONGEST) | st.integers(1, int(LONGEST) * 1000).map(lambda ms: ms / 1000) | st.none())
def test_round_trip(seconds):
    """What is written is read back as exactly the same float."""
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (43_200.0, "12h"),
        (86_400.0, "1d"),
        (90.0, "90s"),
        (0.05, "50ms"),
        (1.5, "1500ms"),
        (0.0011, "0.0011s"),
        (None, "none"),
    ],
)
def test_writes_the_shortest_exact_form(seconds, text):
    """The largest unit that divides the time is used."""
    assert format_duration(seconds) == text
