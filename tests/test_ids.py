"""Ids and times: what memkit makes rises and can be read; every form comes back."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memkit.clock import from_us, to_us
from memkit.ids import IdSource, new_id, pack_id, unpack_id
from tests.strategies import LEAST_US, MOST_US

MS = st.integers(0, (1 << 48) - 10)


def _source(times, entropy=b"\xff"):
    return IdSource(iter(times).__next__, lambda count: entropy * count)


@given(ms=MS, entropy=st.binary(min_size=10, max_size=10))
def test_an_id_is_a_uuid7(ms, entropy):
    """A fresh id is a UUID of version 7 with its millisecond in front, and as random as it can be."""
    found = uuid.UUID(bytes=IdSource(lambda: ms, lambda _: entropy).fresh())
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert found.int >> 80 == ms
    assert found.int & ((1 << 62) - 1) == int.from_bytes(entropy[2:], "big") & ((1 << 62) - 1)


@given(times=st.lists(st.integers(1, 5), min_size=2, max_size=50), entropy=st.sampled_from([b"\x00", b"\xff", b"\x5a"]))
def test_ids_rise(times, entropy):
    """Ids of one source rise strictly, also when the clock stands still or steps back."""
    source = _source(times, entropy)
    made = [source.fresh() for _ in times]
    assert made == sorted(set(made))


def test_a_burst_borrows_the_next_millisecond():
    """More ids than a millisecond holds go on in the next, and the clock may catch up with them."""
    source = _source([1] * 9_000 + [2, 3, 4, 5, 6])
    made = [source.fresh() for _ in range(9_005)]
    assert made == sorted(set(made))
    assert {uuid.UUID(bytes=one).version for one in made} == {7}
    assert [int.from_bytes(made[at][:6], "big") for at in (0, 3_072, 3_073, 7_168, 7_169, 9_000)] == [1, 1, 2, 2, 3, 3]
    assert int.from_bytes(made[-1][:6], "big") == 6


@given(st.uuids())
def test_uuids_are_packed(value):
    """A UUID in its canonical form takes 16 bytes and comes back; in any other form it is kept as text."""
    text = str(value)
    assert pack_id(text) == value.bytes
    assert unpack_id(value.bytes) == text
    for other in (text.replace("-", ""), "{" + text + "}", "urn:uuid:" + text, text[:-1] + "g", text[1:] + "-"):
        assert pack_id(other) == other
    if text.upper() != text:
        assert pack_id(text.upper()) == text.upper()


@given(st.binary(max_size=20))
def test_bytes_of_any_length_have_a_text(wire):
    """Bytes that are no UUID, as damage leaves them, have a text all the same, which no UUID has."""
    digits = wire.hex()
    assert unpack_id(wire) == f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@given(st.text())
def test_any_text_comes_back(text):
    """Any text is an id, and comes back."""
    assert unpack_id(pack_id(text)) == text


def test_new_ids_are_canonical():
    """The id that memkit gives is a canonical text that is packed."""
    made = new_id()
    assert unpack_id(pack_id(made)) == made == str(uuid.UUID(made))
    assert len(pack_id(made)) == 16


@given(st.integers(LEAST_US, MOST_US))
def test_microseconds_are_exact(us):
    """In every year a moment is exact to the microsecond, in both directions."""
    moment = from_us(us)
    assert moment == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(us // 86_400_000_000, 0, us % 86_400_000_000)
    assert moment.tzinfo is UTC
    assert to_us(moment) == us


@pytest.mark.parametrize("us", [LEAST_US - 1, MOST_US + 1, 1 << 63, 1 << 64, -(1 << 63), 10**30])
def test_a_moment_outside_of_all_years(us):
    """What is before the year 1 or after 9999 is no moment."""
    with pytest.raises(OverflowError):
        from_us(us)
