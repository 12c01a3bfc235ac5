"""Dictionaries for compression, made from samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from memkit.clock import to_us
from memkit.codec.compression import MARK, Dictionary, zstd_here
from memkit.codec.serializers import SERIALIZERS
from memkit.codec.wire import Codec, Envelope
from memkit.errors import InvalidInputError, MissingExtraError
from memkit.ids import new_id, pack_id
from memkit.records import Memory

__all__ = ["train_dictionary"]

_SIZE = 16 * 1024
_LEAST_SIZE = 256
_NOW_US = 1_700_000_000_000_000


def train_dictionary(
    samples: Iterable[Memory | bytes], *, size: int = _SIZE, codec: Literal["msgpack", "json"] = "msgpack"
) -> Dictionary:
    """Make a dictionary of what records have in common, for `Compression`.

    Take some thousands of records as they usually are, all together a hundred times as large as the dictionary. It
    holds pieces of them.

    Args:
        samples: records, or the bytes of stored ones that are not compressed.
        size: bytes of the dictionary; fewer if the samples hold no more.
        codec: how the records will be written.

    Raises:
        InvalidInputError: an argument is wrong, or the samples are too few or too small.
        MissingExtraError: the package zstandard is not installed.
    """
    if type(size) is not int or size < _LEAST_SIZE:
        raise InvalidInputError("size", f"must be a whole number of bytes from {_LEAST_SIZE}")
    if codec not in SERIALIZERS:
        raise InvalidInputError("codec", f"is not known: use {' or '.join(SERIALIZERS)}")
    zstd: Any = zstd_here()
    if zstd is None:
        raise MissingExtraError("train_dictionary", "zstd")
    writer = Codec(SERIALIZERS[codec]())
    packed = [_packed(writer, sample, at) for at, sample in enumerate(samples)]
    return _trained(zstd, packed, size)


def _trained(zstd: Any, packed: list[bytes], size: int) -> Dictionary:
    try:
        return Dictionary(zstd.train_dictionary(size, packed).as_bytes())
    except zstd.ZstdError:
        problem = "hold too little to make a dictionary of: give some thousands of usual records"
        raise InvalidInputError("samples", problem) from None


def _packed(writer: Codec, sample: Any, at: int) -> bytes:
    path = f"samples[{at}]"
    if isinstance(sample, bytes) and not sample.startswith(MARK):
        return sample
    if not isinstance(sample, Memory):
        raise InvalidInputError(path, "must be a record, or the bytes of one that is not compressed")
    created = _NOW_US if sample.created_at is None else to_us(sample.created_at)
    updated = created if sample.updated_at is None else to_us(sample.updated_at)
    envelope = Envelope(pack_id(sample.id or new_id()), created, updated, max(sample.version, 1))
    return writer.encode(sample, envelope, path)
