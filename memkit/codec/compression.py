"""Stored bytes that are compressed: 0xC1, a byte that says what follows, and a zstd frame.

The low four bits of that byte say how the bytes are compressed: 0 not, 1 zstd. The high four are kept for encryption,
0 is none. The frame has its content size, a checksum, and the id of its dictionary if there is one.

A frame says how much memory it takes, and may lie: what it says is checked before anything is decompressed, and
nothing is decompressed beyond that.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Self

from attrs import Factory, field, frozen

from memkit.errors import ConfigurationError, CorruptRecordError, UnsupportedRecordError

__all__ = ["MARK", "Compression", "Compressor", "Dictionary", "zstd_here"]

MARK: Final = b"\xc1"
"""Compressed or encrypted bytes begin with it; no msgpack does, and no JSON."""

_ZSTD: Final = 0x01
_HEAD: Final = MARK + bytes([_ZSTD])
_WORTH: Final = 0.95
"""Above this share of what they were, compressed bytes are not worth the time that it takes to read them."""

_ABOVE: Final = 1024
_ABOVE_WITH_DICTIONARY: Final = 64
_MAX_LEVEL: Final = 22
_CURE: Final = "pip install 'agent-memkit[zstd]'"

_DICTIONARY_MAGIC: Final = b"\x37\xa4\x30\xec"
_ID: Final = slice(4, 8)
_PRIVATE: Final = 0o600


def zstd_here() -> ModuleType | None:
    """The package zstandard; None where it is not installed."""
    try:
        import zstandard  # noqa: PLC0415 - it is optional, and few need it
    except ImportError:
        return None
    return zstandard


@frozen
class Dictionary:
    """What records have in common, so that small ones are compressed well; made by `train_dictionary`.

    It holds pieces of the samples that it was trained on: keep it as carefully as these. What was written with it
    cannot be read without it.

    Args:
        data: a zstd dictionary, as `to_bytes` returns it.

    Attributes:
        id: stands in every record that was compressed with it.

    Raises:
        ConfigurationError: it is no dictionary.
    """

    _data: bytes = field(repr=False)
    id: int = field(init=False, default=Factory(lambda self: _id_in(self._data), takes_self=True))

    def to_bytes(self) -> bytes:
        """The dictionary in the form of zstd, which its other tools read too."""
        return self._data

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a dictionary from a file.

        Raises:
            OSError: the file cannot be read.
            ConfigurationError: it is no dictionary.
        """
        return cls(Path(path).read_bytes())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the dictionary to a file that nobody but you can read.

        Raises:
            OSError: the file cannot be written, or is there already: records may need the dictionary in it.
        """
        target = Path(path)
        part = target.with_name(target.name + ".part")
        if target.exists():
            raise FileExistsError(errno.EEXIST, "it is there already", str(target))
        # Half a dictionary would look like a whole one.
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE), "wb") as file:
            file.write(self._data)
            file.flush()
            os.fsync(file.fileno())
        part.rename(target)


def _id_in(data: Any) -> int:
    if not (isinstance(data, bytes) and data.startswith(_DICTIONARY_MAGIC) and len(data) > _ID.stop and any(data[_ID])):
        raise ConfigurationError(["data is no zstd dictionary: give what train_dictionary made"])
    return int.from_bytes(data[_ID], "little")


def _dictionaries(given: Iterable[Dictionary]) -> tuple[Dictionary, ...]:
    return (given,) if isinstance(given, Dictionary) else tuple(given)


@frozen(kw_only=True)
class Compression:
    """How a manager compresses what it stores. Every manager reads what any other has compressed.

    Attributes:
        dictionary: what records are compressed with; None: each by itself.
        above: records of more bytes are compressed; None: none are, which is for managers that only read with a
            dictionary. Left out: 1024, with a dictionary 64. One that gets hardly smaller is stored as it is.
        level: of zstd, 1 (fastest) to 22 (smallest).
        known: dictionaries that others write with, or did.

    Raises:
        ConfigurationError: lists everything that is wrong; also if the package zstandard is not installed.
    """

    dictionary: Dictionary | None = None
    above: int | None = field()
    level: int = 3
    known: tuple[Dictionary, ...] = field(default=(), converter=_dictionaries)

    @above.default
    def _(self) -> int:
        return _ABOVE if self.dictionary is None else _ABOVE_WITH_DICTIONARY

    def __attrs_post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ConfigurationError(problems)

    @property
    def dictionaries(self) -> tuple[Dictionary, ...]:
        """Every dictionary that records are read with."""
        return self.known if self.dictionary is None else (self.dictionary, *self.known)

    def _problems(self) -> Iterator[str]:
        if self.above is not None and (type(self.above) is not int or self.above < 0):
            yield "compression: above must be a whole number of bytes from 0, or None to compress nothing"
        if type(self.level) is not int or not 1 <= self.level <= _MAX_LEVEL:
            yield f"compression: level must be a whole number from 1 to {_MAX_LEVEL}"
        if not all(isinstance(each, Dictionary) for each in self.dictionaries):
            yield "compression: dictionary and known must be memkit.Dictionary: make them by Dictionary.load(path)"
        elif zstd_here() is None:
            if self.above is not None or self.dictionaries:
                yield f"compression: the package zstandard is not installed: {_CURE}"
        else:
            yield from _dictionary_problems(self.dictionaries)


def _dictionary_problems(dictionaries: tuple[Dictionary, ...]) -> Iterator[str]:
    found: dict[int, Dictionary] = {}
    for each in dictionaries:
        if found.setdefault(each.id, each) != each:
            yield f"compression: two different dictionaries have the id {each.id}: leave one out"
        if not _is_whole(each):
            yield f"compression: the dictionary with the id {each.id} is damaged: take another copy of it"


def _is_whole(dictionary: Dictionary) -> bool:
    zstd: Any = zstd_here()
    try:
        _prepared(zstd, dictionary).precompute_compress(level=1)
    except zstd.ZstdError:
        return False
    return True


def _prepared(zstd: Any, dictionary: Dictionary) -> Any:
    return zstd.ZstdCompressionDict(dictionary.to_bytes(), dict_type=zstd.DICT_TYPE_FULLDICT)


_OFF: Final = Compression(above=None)


class Compressor:
    """Compresses what one manager stores, and reads what any manager has stored.

    Args:
        options: how it compresses; None: it does not.

    Attributes:
        above: no bytes up to so many are compressed.
    """

    def __init__(self, options: Compression | None) -> None:
        chosen = options or _OFF
        self.above = sys.maxsize if chosen.above is None else chosen.above
        self._here = _Contexts(chosen)

    def compress(self, packed: bytes) -> bytes:
        """The bytes to store: compressed if that is asked for and worth it."""
        if len(packed) <= self.above:
            return packed
        stored: bytes = _HEAD + self._here.compressor.compress(packed)
        return stored if len(stored) <= _WORTH * len(packed) else packed

    def decompress(self, raw: bytes, limit: int, place: str) -> bytes:
        """What was compressed.

        Args:
            raw: stored bytes that begin with `MARK`.
            limit: how many bytes it may be, and how much memory it may take.
            place: where they were found, for errors.

        Raises:
            CorruptRecordError: they are damaged, or more than that.
            UnsupportedRecordError: the package, the dictionary or the memkit to read them is not here.
        """
        zstd, frame = _reader_of(raw, place), raw[len(_HEAD) :]
        try:
            about = zstd.get_frame_parameters(frame)
            _check_size(about, limit)
            plain: bytes = self._here.decompressor(zstd, about.dict_id, place).decompress(frame, allow_extra_data=False)
        except (zstd.ZstdError, ValueError) as error:
            problem = f"a stored record is damaged: what is compressed in it cannot be read ({type(error).__name__})"
            raise CorruptRecordError(problem, place) from None
        if plain.startswith(MARK):
            raise CorruptRecordError("a stored record is damaged: it is compressed twice", place)
        return plain


def _reader_of(raw: bytes, place: str) -> Any:
    """The package that reads these bytes."""
    how = raw[len(MARK) : len(_HEAD)]
    if how in (b"", b"\x00"):
        raise CorruptRecordError("a stored record is damaged: its first bytes do not say what follows", place)
    if how[0] != _ZSTD:
        problem = f"a stored record is of a form that is not known here (0x{how.hex()}): a newer memkit may read it"
        raise UnsupportedRecordError(problem, place)
    zstd = zstd_here()
    if zstd is None:
        raise UnsupportedRecordError(f"a stored record is compressed: to read it, {_CURE}", place)
    return zstd


def _check_size(about: Any, limit: int) -> None:
    """Refuse a frame that is not as memkit writes it, or takes too much memory."""
    # A size that is not known is the largest number there is. The window is never larger than what was compressed.
    if about.content_size > limit or about.window_size > limit or not about.has_checksum:
        raise ValueError("its content is too large, or of unknown size, or has no checksum")


class _Contexts(threading.local):
    """What compresses and decompresses in one thread: two cannot use it at once."""

    def __init__(self, options: Compression) -> None:
        self._options = options
        self._compressor: Any = None
        self._decompressors: dict[int, Any] = {}

    @property
    def compressor(self) -> Any:
        """Compresses as the options say."""
        if self._compressor is None:
            zstd, options = zstd_here(), self._options
            assert zstd is not None, "the options were checked"  # noqa: S101 - for the type checker
            dictionary = options.dictionary and _prepared(zstd, options.dictionary)
            if dictionary:
                dictionary.precompute_compress(level=options.level)
            self._compressor = zstd.ZstdCompressor(level=options.level, dict_data=dictionary, write_checksum=True)
        return self._compressor

    def decompressor(self, zstd: Any, number: int, place: str) -> Any:
        """Decompresses what was compressed with the dictionary of this id; 0 is none."""
        found = self._decompressors.get(number)
        if found is None:
            found = self._decompressors[number] = zstd.ZstdDecompressor(dict_data=self._dictionary(zstd, number, place))
        return found

    def _dictionary(self, zstd: Any, number: int, place: str) -> Any:
        if not number:
            return None
        for each in self._options.dictionaries:
            if each.id == number:
                return _prepared(zstd, each)
        problem = f"a stored record needs the dictionary with the id {number}: give it to Compression(known=[…])"
        raise UnsupportedRecordError(problem, place)
