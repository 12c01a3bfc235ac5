"""Compressed records: whatever was compressed is read, and no bytes take more than they may."""

from __future__ import annotations

import subprocess
import sys

import msgpack
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from memkit import (
    CodecError,
    Compression,
    ConfigurationError,
    CorruptRecordError,
    Dictionary,
    InvalidInputError,
    InvalidRecordError,
    MissingExtraError,
    UnsupportedRecordError,
    UserMessage,
    train_dictionary,
)
from memkit.codec.bombs import SMALL
from memkit.codec.serializers import JsonSerializer, MsgpackSerializer
from memkit.codec.wire import FIELDS, MAX_RECORD_BYTES, Binding, Codec, Envelope
from tests.golden.zstd import make as golden
from tests.managers import in_threads
from tests.strategies import RECORDS, identical
from tests.test_bombs import BOMBS

zstd = pytest.importorskip("zstandard")

SERIALIZERS = {"msgpack": MsgpackSerializer(), "json": JsonSerializer()}
CODECS = pytest.mark.parametrize("codec", SERIALIZERS)
THERE = Binding("there", 7)
ENVELOPE = Envelope("an id", 1_700_000_000_000_001, 1_700_000_000_000_002, 3, THERE.scope)
PLAIN = Codec()
LONG = UserMessage("What is the weather like? " * 40, metadata={"source": "web"})
MB = 1 << 20

WORDS = ("weather", "train", "hotel", "Venice", "ticket", "user", "morning", "evening")
SAMPLES = [
    UserMessage(
        f"The {WORDS[at % 8]} of the {WORDS[at // 8 % 8]}, {at}", id=str(at), metadata={"source": "web", "n": at}
    )
    for at in range(400)
]
OLD, NEW = train_dictionary(SAMPLES, size=2048), train_dictionary(SAMPLES[:300], size=1024)
USED = {"none": None, "old": OLD, "new": NEW}


def writer(codec="msgpack", **options):
    """Return a codec that compresses."""
    return Codec(SERIALIZERS[codec], compression=Compression(**{"above": 0, **options}))


def frame(content, **options):
    """Return bytes as memkit stores them, of any content."""
    return b"\xc1\x01" + zstd.ZstdCompressor(write_checksum=True, **options).compress(content)


# Writing and reading


@settings(max_examples=200)
@given(
    record=RECORDS,
    codec=st.sampled_from(sorted(SERIALIZERS)),
    above=st.sampled_from([0, 50, 150, 1024, None]),
    level=st.sampled_from([1, 3, 19]),
    used=st.sampled_from(sorted(USED)),
)
def test_round_trip(record, codec, above, level, used):
    """Any record comes back as it does uncompressed, with and without a dictionary, by any reader that knows it."""
    record = evolve(record, metadata={**record.metadata, "long": repr(record.metadata) * 5})
    plain = Codec(SERIALIZERS[codec]).encode(record, ENVELOPE, "")
    raw = writer(codec, above=above, level=level, dictionary=USED[used]).encode(record, ENVELOPE, "")
    expected = PLAIN.decode(plain, THERE)
    for reader in (writer(above=None, known=[NEW, OLD]), writer("json", dictionary=OLD, known=[NEW])):
        assert identical(reader.decode(raw, THERE), expected)
        assert identical(reader.decode_list([plain, raw], THERE), [expected, expected])
        assert reader.plain(raw, "") == plain


@CODECS
@pytest.mark.parametrize("used", USED)
def test_layout(codec, used):
    """A compressed record is 0xC1, 1, and a zstd frame with its size, its checksum and the id of its dictionary."""
    raw = writer(codec, dictionary=USED[used]).encode(LONG, ENVELOPE, "")
    plain = Codec(SERIALIZERS[codec]).encode(LONG, ENVELOPE, "")
    about = zstd.get_frame_parameters(raw[2:])
    assert raw[:2] == b"\xc1\x01"
    assert (about.content_size, about.has_checksum) == (len(plain), True)
    assert about.dict_id == (USED[used].id if USED[used] else 0)
    given_dictionary = USED[used] and zstd.ZstdCompressionDict(USED[used].to_bytes())
    assert zstd.ZstdDecompressor(dict_data=given_dictionary).decompress(raw[2:]) == plain


@CODECS
@given(record=RECORDS)
def test_off_changes_nothing(codec, record):
    """Without the option, or below its size, the bytes are the very same."""
    plain = Codec(SERIALIZERS[codec]).encode(record, ENVELOPE, "")
    for above in (None, len(plain), SMALL):
        assert writer(codec, above=above, known=[OLD]).encode(record, ENVELOPE, "") == plain


@CODECS
@pytest.mark.parametrize("size", [1000, SMALL, 3 * SMALL])
def test_the_size_from_which_on(codec, size):
    """A record of more bytes than `above` is compressed, one of just so many is not, whatever its size."""
    wire, record = Codec(SERIALIZERS[codec]), UserMessage("x" * size)
    plain = wire.encode(record, ENVELOPE, "")
    assert writer(codec, above=len(plain)).encode(record, ENVELOPE, "") == plain
    assert len(writer(codec, above=len(plain) - 1).encode(record, ENVELOPE, "")) < 200


def test_sizes_left_out():
    """Left out, the size is 1024; with a dictionary, which makes small records smaller, it is 64."""
    assert (Compression().above, Compression(dictionary=OLD).above, Compression(known=[OLD]).above) == (1024, 64, 1024)


def test_levels():
    """A higher level makes smaller bytes."""
    text = "".join(str(at * at) for at in range(5_000))
    sizes = [len(writer(level=level).encode(UserMessage(text), ENVELOPE, "")) for level in (1, 19)]
    assert sizes[1] < sizes[0]


def test_only_what_is_worth_it():
    """What gets hardly smaller is stored as it is."""
    noise = bytes(zstd.ZstdCompressor(level=19).compress(b"".join(at.to_bytes(3, "big") for at in range(20_000))))
    record = UserMessage("x", metadata={"noise": noise})
    plain = PLAIN.encode(record, ENVELOPE, "")
    # Enough for zstd to save something, and not enough to be worth it.
    almost = evolve(record, content="x" * (len(plain) // 50))
    assert len(frame(PLAIN.encode(almost, ENVELOPE, ""))) < len(PLAIN.encode(almost, ENVELOPE, ""))
    for each in (record, almost):
        assert writer().encode(each, ENVELOPE, "") == PLAIN.encode(each, ENVELOPE, "")
    worth = evolve(record, content="x" * (len(plain) // 5))
    assert writer().encode(worth, ENVELOPE, "")[:1] == b"\xc1"


@pytest.mark.parametrize("name", golden.CASES)
def test_golden_files(name):
    """What was compressed once is read for ever."""
    raw = golden.read(name)
    assert raw[:2] == b"\xc1\x01"
    assert identical(writer(above=None, known=[golden.dictionary()]).decode(raw, golden.PLACE), golden.RECORD)
    if not golden.CASES[name][1]:
        assert identical(PLAIN.decode(raw, golden.PLACE), golden.RECORD)


def test_golden_files_are_all_there():
    """No golden file is lost, and none is forgotten by these tests."""
    assert {path.stem for path in golden.HERE.glob("*.txt")} == {golden.DICTIONARY, *golden.CASES}


def test_threads():
    """Many threads compress and decompress with one codec, and each gets what it wrote."""
    codec = writer(dictionary=OLD)

    def act(number):
        for at in range(20):
            record = UserMessage("".join(f"{number} {at} {place} " for place in range(4_000)))
            assert codec.decode(codec.encode(record, ENVELOPE, ""), THERE).content == record.content

    assert in_threads(8, act) == []


# Records that are changed

NEWER = [2, "usr", THERE.scope, "an id", 5, None, 1, {"a": 1}, "Hello " * 50, "ann", False, 5, {"mood": "good"}, [1, 2]]


@pytest.mark.parametrize("keep_fields", [True, False])
@pytest.mark.parametrize("compression", [None, Compression(above=0), Compression(above=0, dictionary=OLD)])
def test_a_newer_schema(compression, keep_fields):
    """What a newer schema added stays as it was written when a compressed record is changed, by whatever writer."""
    packed = msgpack.packb(NEWER)
    stored, codec = frame(packed), Codec(compression=compression)
    record = codec.decode(stored, THERE)
    changed = evolve(record, metadata={"b": 2})
    written = {raw: codec.rewrite(raw, changed, ENVELOPE, "", keep_fields=keep_fields) for raw in (packed, stored)}
    assert len(set(written.values())) == 1
    assert (written[stored][:1] == b"\xc1") == (compression is not None)
    values = msgpack.unpackb(codec.plain(written[stored], ""))
    assert (values[FIELDS - 1], values[FIELDS:]) == ({"b": 2}, NEWER[FIELDS:])


@CODECS
def test_a_record_that_moves(codec):
    """A compressed record that belongs elsewhere from now on is compressed there by the setting of who moves it."""
    plain = Codec(SERIALIZERS[codec]).encode(LONG, ENVELOPE, "")
    stored = writer(codec).encode(LONG, ENVELOPE, "")
    moved = PLAIN.rebound(stored, 8, "")
    assert moved == PLAIN.rebound(plain, 8, "")
    assert writer().rebound(stored, 8, "")[:1] == b"\xc1"
    for raw in (moved, writer().rebound(stored, 8, "")):
        assert PLAIN.decode(raw, Binding("elsewhere", 8)).content == LONG.content


def test_mappings():
    """A mapping of a conversation is compressed as a record is, and damage of it is told."""
    value = {"notes": "What is the weather like? " * 40}
    raw = writer().pack_map(value, "")
    assert raw[:2] == b"\xc1\x01"
    assert PLAIN.unpack_map(raw, "there") == value
    with pytest.raises(CorruptRecordError, match="there"):
        PLAIN.unpack_map(raw[:-1], "there")
    with pytest.raises(UnsupportedRecordError, match=str(OLD.id)):
        PLAIN.unpack_map(writer(dictionary=OLD).pack_map(value, ""), "there")


# What cannot be read here


def test_without_the_package(monkeypatch):
    """Without the package, a compressed record is an error that names the cure, and no damage; the others are read."""
    raw, plain = writer().encode(LONG, ENVELOPE, ""), PLAIN.encode(LONG, ENVELOPE, "")
    monkeypatch.setitem(sys.modules, "zstandard", None)
    reader = Codec(compression=Compression(above=None))
    with pytest.raises(UnsupportedRecordError, match=r"pip install 'agent-memkit\[zstd\]'") as caught:
        reader.decode(raw, THERE)
    assert (caught.value.place, isinstance(caught.value, CorruptRecordError)) == ("there", False)
    kinds = [type(item) for item in reader.decode_list([plain, raw], THERE, report=True)]
    assert kinds == [UserMessage, UnsupportedRecordError]
    for options in ({}, {"dictionary": OLD}, {"above": None, "known": [OLD]}):
        with pytest.raises(ConfigurationError, match=r"pip install 'agent-memkit\[zstd\]'"):
            Compression(**options)
    with pytest.raises(MissingExtraError, match="zstd"):
        train_dictionary(SAMPLES)


@pytest.mark.parametrize("how", [0x02, 0x0F, 0x10, 0x11, 0x80, 0xFF])
def test_what_a_newer_memkit_writes(how):
    """A form that is not known here is an error that says so, and is no damage."""
    with pytest.raises(UnsupportedRecordError, match=f"0x{how:02x}.*newer memkit") as caught:
        PLAIN.decode(b"\xc1" + bytes([how]) + b"whatever", THERE)
    assert caught.value.place == "there"


def test_a_dictionary_that_is_not_known():
    """A record whose dictionary is missing says which one, whatever others are known; with it, the record is read."""
    raw = writer(dictionary=OLD).encode(LONG, ENVELOPE, "")
    for reader in (PLAIN, writer(dictionary=NEW), writer(known=[NEW])):
        with pytest.raises(UnsupportedRecordError, match=rf"id {OLD.id}\b.*known") as caught:
            reader.decode(raw, THERE)
        assert caught.value.place == "there"
    assert writer(dictionary=NEW, known=[OLD]).decode(raw, THERE).content == LONG.content


# Damage

STORED = {
    "msgpack": writer().encode(evolve(LONG, content="Hello, hello, hello!" * 4), ENVELOPE, ""),
    "json": writer("json").encode(evolve(LONG, content="Hello, hello, hello!" * 4), ENVELOPE, ""),
    "dictionary": writer(dictionary=OLD).encode(SAMPLES[7], ENVELOPE, ""),
}
READER = writer(dictionary=OLD, known=[NEW])


def refused(raw, expected):
    """Whether bytes are refused as a record that cannot be read; else they must be that record."""
    try:
        found = READER.decode(raw, THERE)
    except CodecError as error:
        assert error.place == "there"  # noqa: PT017 - what is not refused is looked at too
        return True
    assert identical(found, expected)
    return False


@pytest.mark.parametrize("name", STORED)
def test_every_flipped_bit(name):
    """Any bit that changes makes a record unreadable; it never becomes another one."""
    raw, expected = STORED[name], READER.decode(STORED[name], THERE)
    passed = 0
    for at in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[at // 8] ^= 1 << at % 8
        passed += not refused(bytes(changed), expected)
    # A few bits of a frame mean nothing.
    assert passed < 10


@pytest.mark.parametrize("name", STORED)
def test_every_cut(name):
    """A compressed record that ends anywhere before its end is damage, and so is one with anything behind it."""
    raw = STORED[name]
    for damaged in [*(raw[:end] for end in range(len(raw))), raw + b"\x00", raw + raw, raw + raw[2:]]:
        with pytest.raises(CorruptRecordError):
            READER.decode(damaged, THERE)


@settings(max_examples=300)
@given(data=st.data(), name=st.sampled_from(sorted(STORED)))
def test_any_damage(data, name):
    """Bytes that are overwritten, left out or put in anywhere are refused, and nothing else happens."""
    raw, expected = STORED[name], READER.decode(STORED[name], THERE)
    start, end = sorted((data.draw(st.integers(0, len(raw))), data.draw(st.integers(0, len(raw)))))
    refused(raw[:start] + data.draw(st.binary(max_size=20)) + raw[end:], expected)


def test_damage_inside():
    """What was damaged before it was compressed is damage; where the id can be read, the error has it."""
    whole = msgpack.unpackb(PLAIN.encode(LONG, ENVELOPE, ""))
    for damaged, record_id in ((whole[:5], "an id"), ([*whole[:8], 5], "an id"), ([], None), ({"a": 1}, None)):
        with pytest.raises(CorruptRecordError) as caught:
            PLAIN.decode(frame(msgpack.packb(damaged)), THERE)
        assert (caught.value.record_id, caught.value.place) == (record_id, "there")
    with pytest.raises(CorruptRecordError, match="another place"):
        PLAIN.decode(writer().encode(LONG, ENVELOPE, ""), Binding("elsewhere", 8))


def test_another_dictionary_of_the_same_id():
    """A dictionary that was changed, so that it gives another text, is noticed when a record is read."""
    raw, data = writer(dictionary=OLD).encode(SAMPLES[7], ENVELOPE, ""), OLD.to_bytes()
    other = Dictionary(data.replace(b"weather", b"WEATHER"))
    assert (other.id, other == OLD) == (OLD.id, False)
    with pytest.raises(CorruptRecordError):
        writer(dictionary=other).decode(raw, THERE)


# Bombs


def _streamed(content, **options):
    return b"\xc1\x01" + zstd.ZstdCompressor(write_checksum=True, write_content_size=False, **options).compress(content)


def _lying(content, size):
    raw = frame(content)
    true = len(content).to_bytes(4, "little")
    assert raw.count(true) == 1
    return raw.replace(true, size.to_bytes(4, "little"))


def _wide(window_log, content):
    parameters = zstd.ZstdCompressionParameters(window_log=window_log, write_checksum=True)
    compressor = zstd.ZstdCompressor(compression_params=parameters).compressobj()
    return b"\xc1\x01" + compressor.compress(content) + compressor.flush()


def _headed(magic_and_head, window, size):
    """A frame of one's own, with a window and a content size that it does not need, and nothing in it."""
    return b"\xc1\x01\x28\xb5\x2f\xfd" + magic_and_head + window + size + b"\x01\x00\x00" + bytes(4)


HUGE = bytes(200 * MB)
FRAMES = {
    "zeros": frame(HUGE),
    "zeros, size unknown": _streamed(HUGE),
    "just above": frame(bytes(MAX_RECORD_BYTES + 1)),
    "says less": _lying(HUGE, 1000),
    "says less than a record": _lying(HUGE, MAX_RECORD_BYTES),
    "says more": _lying(bytes(100_000), MAX_RECORD_BYTES),
    "empty": frame(b""),
    "wide window": _wide(27, bytes(1000)),
    "wide window and a size": _headed(b"\x84", b"\x88", (1000).to_bytes(4, "little")),
    "widest window and a size": _headed(b"\x84", b"\xff", (1000).to_bytes(4, "little")),
    "largest size": _headed(b"\xe4", b"", b"\xfe" + b"\xff" * 7),
    "no checksum": b"\xc1\x01" + zstd.ZstdCompressor().compress(PLAIN.encode(LONG, ENVELOPE, "")),
    "size unknown": _streamed(PLAIN.encode(LONG, ENVELOPE, "")),
    "skippable": b"\xc1\x01\x50\x2a\x4d\x18\x04\x00\x00\x00abcd",
    "skippable before a frame": b"\xc1\x01\x50\x2a\x4d\x18\x00\x00\x00\x00" + frame(b"x" * 100)[2:],
    "compressed twice": frame(frame(PLAIN.encode(LONG, ENVELOPE, ""))),
    "compressed often": frame(frame(frame(frame(frame(bytes(MB)))))),
    "nothing": b"\xc1",
    "no form": b"\xc1\x00" + PLAIN.encode(LONG, ENVELOPE, ""),
    "no frame": b"\xc1\x01",
    "no zstd": b"\xc1\x01" + PLAIN.encode(LONG, ENVELOPE, ""),
}


def test_a_window_that_is_wider_than_a_record():
    """A frame whose window is no larger than a record may be is read, also if it is larger than the record."""
    content = PLAIN.encode(LONG, ENVELOPE, "")
    block = (len(content) << 3 | 1).to_bytes(3, "little") + content + frame(content)[-4:]
    size = len(content).to_bytes(4, "little")
    for exponent, fits in ((0, True), (13, True), (14, False), (17, False)):
        raw = b"\xc1\x01\x28\xb5\x2f\xfd\x84" + bytes([exponent << 3]) + size + block
        if fits:
            assert PLAIN.decode(raw, THERE).content == LONG.content
        else:
            with pytest.raises(CorruptRecordError):
                PLAIN.decode(raw, THERE)


@pytest.mark.parametrize("name", FRAMES)
def test_frames_that_are_refused(name):
    """A frame that takes more than a record may, lies about that, or is not as memkit writes it, is damage."""
    with pytest.raises(CorruptRecordError) as caught:
        PLAIN.decode(FRAMES[name], THERE)
    assert caught.value.place == "there"


_MEASURE = """
import sys
from memkit import CodecError
from memkit.codec.wire import Binding, Codec
raws = [bytes.fromhex(line) for line in sys.stdin.read().split()]
codec, there = Codec(max_bytes=int(sys.argv[1])), Binding("there", 7)
def most():
    return int(open("/proc/self/status").read().split("VmPeak:")[1].split()[0])
codec.decode_list(raws[:1], there, report=True)
before = most()
found = codec.decode_list(raws, there, report=True)
assert all(isinstance(item, CodecError) for item in found)
print(most() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="others have no /proc/self/status")
@pytest.mark.parametrize("limit", [MB, MAX_RECORD_BYTES])
def test_frames_take_no_memory(limit):
    """Reading all of them, whole or cut short, asks for the memory of a record and a window, and little more."""
    frames = [raw for raw in FRAMES.values() if len(raw) < limit]
    small = [frame(b"x" * 100)[:-1], *frames, *(raw[:-1] for raw in frames)]
    lines = "\n".join(raw.hex() for raw in small)
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(limit)], input=lines, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) * 1024 < 2 * limit + 8 * MB


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_that_are_compressed(name):
    """What is a bomb uncompressed is refused as damage when it comes compressed, whatever size a record may have."""
    raw = frame(BOMBS[name])
    for codec in (PLAIN, Codec(max_bytes=64 * MB)):
        with pytest.raises(CorruptRecordError):
            codec.decode(raw, THERE)


# Dictionaries


def test_training():
    """A dictionary is made of records, or of their bytes, and makes records of the kind much smaller."""
    packed = [PLAIN.encode(sample, ENVELOPE, "") for sample in SAMPLES]
    for samples, codec in ((SAMPLES, "msgpack"), (iter(packed), "msgpack"), (SAMPLES, "json")):
        dictionary = train_dictionary(samples, size=2048, codec=codec)
        assert 256 < len(dictionary.to_bytes()) <= 2048
        plain = Codec(SERIALIZERS[codec]).encode(SAMPLES[9], ENVELOPE, "")
        stored = writer(codec, dictionary=dictionary).encode(SAMPLES[9], ENVELOPE, "")
        assert len(stored) < 0.8 * len(plain) < len(frame(plain))


def test_a_dictionary_is_kept_in_a_file(tmp_path):
    """What is saved is loaded the same, can be read by its owner only, and never replaces another."""
    path = tmp_path / "dictionary"
    OLD.save(path)
    assert Dictionary.load(str(path)) == OLD == Dictionary(OLD.to_bytes())
    assert path.stat().st_mode & 0o077 == 0
    assert [each.name for each in tmp_path.iterdir()] == ["dictionary"]
    with pytest.raises(FileExistsError):
        NEW.save(path)
    assert Dictionary.load(path) == OLD
    assert repr(OLD) == f"Dictionary(id={OLD.id})"


@pytest.mark.parametrize("data", [b"", b"x" * 1000, OLD.to_bytes()[:6], b"\x37\xa4\x30\xec" + bytes(100), None, "text"])
def test_what_is_no_dictionary(data):
    """Bytes that are no dictionary are refused when it is made."""
    with pytest.raises(ConfigurationError, match="train_dictionary"):
        Dictionary(data)


@pytest.mark.parametrize(
    ("samples", "options", "field"),
    [
        ([], {}, "samples"),
        (SAMPLES[:5], {}, "samples"),
        ([b""] * 100, {}, "samples"),
        ([*SAMPLES, "text"], {}, f"samples[{len(SAMPLES)}]"),
        ([STORED["msgpack"]], {}, "samples[0]"),
        ([UserMessage(5)], {}, "samples[0].content"),
        (SAMPLES, {"size": 100}, "size"),
        (SAMPLES, {"size": True}, "size"),
        (SAMPLES, {"codec": "pickle"}, "codec"),
    ],
)
def test_training_refuses(samples, options, field):
    """Samples of which no dictionary can be made, and arguments that are wrong, are refused by their names."""
    with pytest.raises(InvalidInputError) as caught:
        train_dictionary(samples, **options)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"above": -1}, ["above"]),
        ({"above": 1.0}, ["above"]),
        ({"above": True}, ["above"]),
        ({"level": 0}, ["level"]),
        ({"level": 23}, ["level"]),
        ({"level": None}, ["level"]),
        ({"above": "1", "level": "3"}, ["above", "level"]),
        ({"dictionary": b"x"}, ["Dictionary.load"]),
        ({"known": ["x"]}, ["Dictionary.load"]),
        ({"dictionary": Dictionary(OLD.to_bytes()[:40])}, ["damaged"]),
        ({"dictionary": OLD, "known": [Dictionary(OLD.to_bytes().replace(b"weather", b"WEATHER"))]}, [str(OLD.id)]),
    ],
)
def test_options_that_are_wrong(options, words):
    """Each option that is wrong is one problem that names it."""
    with pytest.raises(ConfigurationError) as caught:
        Compression(**options)
    assert len(caught.value.problems) == len(words)
    assert all(word in problem for word, problem in zip(words, caught.value.problems, strict=True))


def test_known_more_than_once():
    """The same dictionary may be given twice, and one alone without a list."""
    assert Compression(dictionary=OLD, known=[OLD, NEW]).dictionaries == (OLD, OLD, NEW)
    assert Compression(known=NEW).dictionaries == (NEW,)


# Sizes


def test_the_limit_is_that_of_the_uncompressed_record():
    """A record above `max_bytes` is refused although it would be small, by writers and by readers."""
    record = UserMessage("x" * 2000)
    with pytest.raises(InvalidRecordError, match="takes 20"):
        Codec(max_bytes=1500, compression=Compression(above=0)).encode(record, ENVELOPE, "data[0]")
    raw, size = writer().encode(record, ENVELOPE, ""), len(PLAIN.encode(record, ENVELOPE, ""))
    assert Codec(max_bytes=size).decode(raw, THERE).content == record.content
    for limit in (size - 1, len(raw) - 1):
        with pytest.raises(CorruptRecordError):
            Codec(max_bytes=limit).decode(raw, THERE)
