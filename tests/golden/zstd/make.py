"""Write the golden files of compressed records that are not there yet. What is there is never written again.

Run it as ``python -m tests.golden.zstd.make``. Another version of zstd may compress otherwise: these are only read.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

from memkit import Compression, Dictionary, UserMessage, train_dictionary
from memkit.clock import from_us
from memkit.codec.serializers import JsonSerializer, MsgpackSerializer
from memkit.codec.wire import Codec, Envelope, binding_of
from memkit.ids import pack_id

HERE = Path(__file__).parent
PLACE = binding_of("memkit", "SHORT_TERM_MEMORY", "Grüße:42")
UUID = "018f8a3c-1b2d-7e4f-8a9b-0c1d2e3f4a5b"
CREATED_US = 1_715_947_200_000_001
RECORD = UserMessage(
    "Grüße, 世界! " * 40,
    id=UUID,
    metadata={"source": "web", "seen": [1, None, True]},
    created_at=from_us(CREATED_US),
    updated_at=from_us(CREATED_US),
    version=3,
)
DICTIONARY = "dictionary"
CASES = {
    "msgpack": (MsgpackSerializer(), False),
    "json": (JsonSerializer(), False),
    "msgpack_with_dictionary": (MsgpackSerializer(), True),
    "json_with_dictionary": (JsonSerializer(), True),
}
"""By the name of the file: what packed the record, and whether it was compressed with the dictionary."""


def path_of(name):
    """Return where bytes are kept, in base64."""
    return HERE / f"{name}.txt"


def read(name):
    """Return the bytes of a golden file."""
    return base64.b64decode(path_of(name).read_text(encoding="ascii"))


def dictionary():
    """Return the dictionary that is kept."""
    return Dictionary(read(DICTIONARY))


def _write(name, make):
    if not path_of(name).exists():
        path_of(name).write_text(base64.encodebytes(make()).decode(), encoding="ascii")
        sys.stdout.write(f"wrote {path_of(name).name}\n")


def _encoded(serializer, compression):
    codec = Codec(serializer, compression=compression)
    return codec.encode(RECORD, Envelope(pack_id(UUID), CREATED_US, CREATED_US, 3, PLACE.scope), "record")


def main():
    """Write what is missing."""
    samples = [UserMessage(f"Number {at}: Grüße, Welt", metadata={"source": "web"}) for at in range(500)]
    _write(DICTIONARY, lambda: train_dictionary(samples, size=1024).to_bytes())
    for name, (serializer, uses_dictionary) in CASES.items():
        chosen = Compression(above=0, dictionary=dictionary() if uses_dictionary else None)
        _write(name, lambda how=(serializer, chosen): _encoded(*how))


if __name__ == "__main__":
    main()
