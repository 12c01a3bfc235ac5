"""What compression saves on the server and costs in time: plain beside zstd, and beside zstd with a dictionary."""

from __future__ import annotations

import json
import random

import redis
from attrs import evolve, frozen

from benchmarks.figures import Figure
from benchmarks.recall import DATA
from benchmarks.rounds import Contender
from memkit import Compression, MemoryInput, RedisMemoryManager, UserMessage, WorkingMemory, train_dictionary
from memkit.cli.locomo import turns_of
from memkit.codec.wire import Codec, Envelope, binding_of
from memkit.ids import IdSource

PLACE = binding_of("memkit", "SHORT_TERM_MEMORY", "chat")
BEGIN = 1_760_000_000_123_456
PLAIN = "plain"
_NAMESPACE = "compression"
_HELD_OUT = "43.json"
_MESSAGES = 500
_SAMPLES = 2_000


@frozen
class Load:
    """Records of one kind.

    Attributes:
        name: what they are.
        records: what is stored and read.
        samples: others of the kind, which the dictionary is made of.
    """

    name: str
    records: list
    samples: list

    @property
    def compressions(self):
        """How they are compressed, by name; everything is that gets smaller."""
        dictionary = train_dictionary(self.samples)
        return {
            PLAIN: None,
            "zstd 1": Compression(above=64, level=1),
            "zstd 3": Compression(above=64, level=3),
            "zstd 3, dictionary": Compression(dictionary=dictionary),
        }


def loads():
    """Yield what is measured; real conversations only where their files are."""
    if (DATA / _HELD_OUT).exists():
        turns = {path.name: _turns(path) for path in sorted(DATA.glob("*.json"))}
        held_out = turns.pop(_HELD_OUT)
        yield Load("LoCoMo turns", held_out, [turn for others in turns.values() for turn in others])
    talk = _Talk()
    for name, make, letters in (
        ("messages of 300 letters", UserMessage, 300),
        ("working memories of 2 KB", WorkingMemory, 2_000),
        ("working memories of 8 KB", WorkingMemory, 8_000),
    ):
        samples = min(_SAMPLES, 4_000_000 // letters)
        yield Load(
            name,
            [make(talk.text(letters)) for _ in range(_MESSAGES)],
            [make(talk.text(letters)) for _ in range(samples)],
        )


def _turns(path):
    document = json.loads(path.read_text(encoding="utf-8"))
    return [evolve(message, id=None) for _, message in turns_of(document)]


class _Talk:
    """Text of made-up words, some of them far more frequent than others, as in any language."""

    def __init__(self):
        self._random = random.Random(5)
        syllables = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
        self._words = ["".join(self._random.choices(syllables, k=self._random.randint(1, 4))) for _ in range(3_000)]
        self._weights = [1 / rank for rank in range(1, 3_001)]

    def text(self, letters):
        """Return so many letters."""
        words = self._random.choices(self._words, self._weights, k=letters)
        return " ".join(words)[:letters]


def compression_races():
    """Yield (work, contenders): encoding and decoding records, one after the other."""
    for load in loads():
        envelopes = _envelopes(len(load.records))
        codecs = {name: Codec(compression=each) for name, each in load.compressions.items()}
        yield (
            f"encode {load.name}",
            [Contender(name, _encoding(codec, load.records, envelopes)) for name, codec in codecs.items()],
        )
        yield (
            f"decode {load.name}",
            [Contender(name, _decoding(codec, load.records, envelopes)) for name, codec in codecs.items()],
        )


def _envelopes(count):
    ids = IdSource()
    return [Envelope(ids.fresh(), BEGIN + 1_000 * at, BEGIN + 1_000 * at, 1, PLACE.scope) for at in range(count)]


def _encoding(codec, records, envelopes):
    def run(count):
        for at in range(count):
            codec.encode(records[at % len(records)], envelopes[at % len(records)], "record")

    return run


def _decoding(codec, records, envelopes):
    raws = [codec.encode(record, envelope, "record") for record, envelope in zip(records, envelopes, strict=True)]

    def run(count):
        for at in range(count):
            codec.decode(raws[at % len(raws)], PLACE)

    return run


def compression(url):
    """Return figures: bytes of a record on the server, all keys of the conversations shared out."""
    with redis.Redis.from_url(url) as client:
        return [
            Figure(f"a record on the server: {load.name}, {name}", _weight(client, url, load, each), "bytes")
            for load in loads()
            for name, each in load.compressions.items()
        ]


def _weight(client, url, load, chosen):
    client.execute_command("FLUSHALL", "SYNC")
    with RedisMemoryManager(url, namespace=_NAMESPACE, compression=chosen) as manager:
        for made in _inputs(load.records):
            manager.store(made)
    keys = client.keys(f"{_NAMESPACE}:{{c:*")
    return sum(client.memory_usage(key, samples=0) for key in keys) / len(load.records)


def _inputs(records):
    """Working memories stand in conversations of their own."""
    if isinstance(records[0], WorkingMemory):
        return [MemoryInput(f"c{at}", "WORKING_MEMORY", data=[record]) for at, record in enumerate(records)]
    return [MemoryInput("c", data=records)]
