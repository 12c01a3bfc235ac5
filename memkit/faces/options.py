"""The options that every manager takes, whatever is behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypedDict, cast

from memkit.clock import Clock, SystemClock
from memkit.codec.compression import Compression, Dictionary
from memkit.codec.serializers import SERIALIZERS
from memkit.codec.wire import MAX_RECORD_BYTES, Codec
from memkit.commands import Retention
from memkit.config import Settings
from memkit.errors import ConfigurationError
from memkit.flows.base import Context, OnCorrupt
from memkit.flows.words import Analyzer
from memkit.ids import IdSource
from memkit.inputs import UNSET, MemoryType, Unset
from memkit.policy import TtlPolicy, ttl_problem, ttl_to_ms
from memkit.setting_kinds import label

__all__ = ["DEFAULT_NAMESPACE", "Options", "context_of", "options_of"]

DEFAULT_NAMESPACE = "memkit"


class Options(TypedDict, total=False):
    """Options of every manager.

    Attributes:
        ttl: seconds to live for every memory type, None for ever, or a mapping from memory type to seconds or None;
            left out: 12 h, 24 h and for ever.
        codec: ``msgpack`` or ``json``: how records are written. Both are read, whatever is set.
        compression: which records are compressed, and how; None: none are. Compressed ones are read, whatever is set.
        max_record_bytes: a larger record is refused; one that is compressed counts as large as it was before.
        on_corrupt: ``raise`` an error for a damaged record, or ``report`` it beside those that are not.
        max_messages: an append leaves at most so many messages in a conversation, the newest; None is no bound. Leading
            system messages and pinned ones do not count and stay, a tool call stays with its results.
        max_age: seconds after which an append drops messages, but for these and the newest group; None is no bound.
        language: of the words in queries: a Snowball language, or ``none`` for plain case-folded words.
        clock: where the time comes from, for tests.
        namespace: bound into every record; on a server also the prefix of every key.
    """

    ttl: float | Mapping[Any, float | None] | Unset | None
    codec: Literal["msgpack", "json"]
    compression: Compression | None
    max_record_bytes: int
    on_corrupt: OnCorrupt
    max_messages: int | None
    max_age: float | None
    language: str
    clock: Clock
    namespace: str


def context_of(
    *,
    ttl: float | Mapping[Any, float | None] | Unset | None = UNSET,
    codec: str = "msgpack",
    compression: Compression | None = None,
    max_record_bytes: int = MAX_RECORD_BYTES,
    on_corrupt: OnCorrupt = "raise",
    max_messages: int | None = None,
    max_age: float | None = None,
    language: str = "english",
    clock: Clock | None = None,
    namespace: str = DEFAULT_NAMESPACE,
) -> Context:
    """The context of flows for these options.

    Raises:
        ConfigurationError: an option is wrong.
    """
    if codec not in SERIALIZERS:
        raise ConfigurationError([f"codec {codec!r} is not known: use {' or '.join(SERIALIZERS)}"])
    if compression is not None and not isinstance(compression, Compression):
        raise ConfigurationError(["compression must be a memkit.Compression, or None"])
    if on_corrupt not in ("raise", "report"):
        raise ConfigurationError([f"on_corrupt {on_corrupt!r} is not known: use raise or report"])
    if type(max_record_bytes) is not int or max_record_bytes < 1:
        raise ConfigurationError(["max_record_bytes must be a whole number of bytes from 1"])
    if type(namespace) is not str or not namespace:
        raise ConfigurationError(["namespace must be a str that is not empty"])
    chosen = clock or SystemClock()
    ids = IdSource(lambda: chosen.time_us() // 1000)
    words = Analyzer(language)
    wire = Codec(SERIALIZERS[codec](), max_record_bytes, compression=compression)
    return Context(
        wire,
        TtlPolicy.of(ttl),
        on_corrupt,
        words,
        chosen,
        ids.fresh,
        namespace,
        retention=_retention(max_messages, max_age),
    )


def _retention(max_messages: int | None, max_age: float | None) -> Retention:
    if max_messages is not None and (type(max_messages) is not int or max_messages < 1):
        raise ConfigurationError(["max_messages must be a whole number from 1, or None for no bound"])
    if ttl_problem(max_age):
        raise ConfigurationError(["max_age must be a number of seconds above zero, or None for no bound"])
    return Retention(max_messages or 0, ttl_to_ms(max_age))


def options_of(settings: Settings) -> Options:
    """The options that settings ask for."""
    return Options(
        ttl={
            MemoryType.WORKING_MEMORY: settings.ttl_working_memory,
            MemoryType.SHORT_TERM_MEMORY: settings.ttl_short_term_memory,
            MemoryType.LONG_TERM_MEMORY: settings.ttl_long_term_memory,
        },
        codec=cast("Literal['msgpack', 'json']", settings.codec),
        compression=_compression_of(settings),
        max_record_bytes=settings.max_record_bytes,
        on_corrupt=settings.on_corrupt,
        max_messages=settings.max_messages,
        max_age=settings.max_age,
        language=settings.language,
        namespace=settings.namespace,
    )


def _compression_of(settings: Settings) -> Compression | None:
    dictionaries = list(_dictionaries_of(settings))
    if settings.compression == "none":
        return Compression(above=None, known=dictionaries) if dictionaries else None
    first = dictionaries[0] if dictionaries else None
    above = {} if settings.compression_above is None else {"above": settings.compression_above}
    return Compression(dictionary=first, known=dictionaries[1:], **above)


def _dictionaries_of(settings: Settings) -> Iterator[Dictionary]:
    if settings.compression_dictionary is None:
        return
    for path in settings.compression_dictionary.split(os.pathsep):
        try:
            yield Dictionary.load(path)
        except (OSError, ValueError) as error:
            # A ConfigurationError, which is a ValueError, says what is wrong in many lines.
            problem = getattr(error, "strerror", None) or "it is no dictionary that train_dictionary made"
            raise ConfigurationError(
                [f"{label('compression_dictionary')}: {path!r} cannot be used: {problem}"]
            ) from None
