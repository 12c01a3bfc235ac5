"""Records to bytes and back: memkit beside what cattrs has ready for msgpack, with records of the same class."""

from __future__ import annotations

from cattrs.preconf.msgpack import make_converter

from benchmarks.rounds import Contender, repeat
from benchmarks.work import LAST, MESSAGE
from memkit import AssistantMessage
from memkit.codec.wire import Codec, Envelope, binding_of
from memkit.ids import IdSource

BEGIN = 1_760_000_000_123_456
PLACE = binding_of("memkit", "SHORT_TERM_MEMORY", "chat")


def codec_races():
    """Yield (work, contenders)."""
    cattrs, codec, ids = make_converter(), Codec(), IdSource()
    envelopes = [Envelope(ids.fresh(), BEGIN + 1_000 * at, BEGIN + 1_000 * at, 1, PLACE.scope) for at in range(LAST)]
    stored = [codec.encode(MESSAGE, envelope, "message") for envelope in envelopes]
    records = codec.decode_list(stored, PLACE)
    dumped = [cattrs.dumps(record) for record in records]
    one, envelope, raw, ready = records[0], envelopes[0], stored[0], dumped[0]
    yield (
        "encode a message",
        [
            Contender("cattrs, ready converter", repeat(lambda: cattrs.dumps(one))),
            Contender("memkit", repeat(lambda: codec.encode(one, envelope, "message"))),
        ],
    )
    yield (
        "decode a message",
        [
            Contender("cattrs, ready converter", repeat(lambda: cattrs.loads(ready, AssistantMessage))),
            Contender("memkit", repeat(lambda: codec.decode(raw, PLACE))),
        ],
    )
    yield (
        f"decode {LAST} messages",
        [
            Contender(
                "cattrs, ready converter", repeat(lambda: [cattrs.loads(each, AssistantMessage) for each in dumped])
            ),
            Contender("memkit", repeat(lambda: codec.decode_list(stored, PLACE))),
        ],
    )
