"""The wire format never changes: what was written once is read for ever, and is written the same today."""

from __future__ import annotations

import pytest

from memkit.codec.wire import Codec
from tests.golden.make import CASES, FOREIGN, HERE, PLACE, READ, SERIALIZERS, encoded, expected, main, path_of, read
from tests.strategies import identical, in_utc

CODECS = pytest.mark.parametrize("codec", SERIALIZERS)


@CODECS
@pytest.mark.parametrize("name", [*CASES, *READ])
def test_golden_files_are_read(name, codec):
    """Every golden file is read as the record that it was written from, whichever codec is set."""
    for setting in SERIALIZERS.values():
        assert identical(Codec(setting).decode(read(name, codec), PLACE), in_utc(expected(name)))


@CODECS
@pytest.mark.parametrize("name", CASES)
def test_golden_files_are_written(name, codec):
    """Today's encoder writes every golden record in the very same bytes."""
    assert encoded(name, codec) == read(name, codec)


def test_no_golden_file_is_left_out():
    """Every file is read by these tests: none is lost, none is forgotten."""
    files = {path.name for path in HERE.glob("*.txt")}
    assert files == {path_of(name, codec).name for name in (*CASES, *FOREIGN) for codec in SERIALIZERS}


def test_golden_files_are_never_written_again(monkeypatch, tmp_path, capsys):
    """The script that writes golden files leaves those alone that are there."""
    monkeypatch.setattr("tests.golden.make.HERE", tmp_path)
    kept = path_of("fact", "json")
    kept.write_text("kept")
    main()
    assert kept.read_text() == "kept"
    assert len(list(tmp_path.glob("*.txt"))) == 2 * len([*CASES, *FOREIGN])
    assert "fact.json" not in capsys.readouterr().out
    main()
    assert capsys.readouterr().out == ""


@CODECS
@pytest.mark.parametrize("name", CASES)
def test_any_other_version_is_another_file(name, codec):
    """No two golden records have the same bytes: each file says something of its own."""
    assert sum(read(other, codec) == read(name, codec) for other in CASES) == 1
