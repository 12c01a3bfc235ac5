"""Words of texts, and the order of records for a query."""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

import attrs
from attrs import frozen

from memkit.errors import ConfigurationError
from memkit.records import Fact, Memory, Message, TextPart, WorkingMemory

__all__ = ["Analyzer", "rank", "text_of"]

_WORD = re.compile(r"\w+")
_K1 = 1.2
_B = 0.75

# The stop words of Snowball's English stemmer that carry no content, and the rests of contractions.
_ENGLISH = """
a about above after again against all am an and any are as at be because been before being below between both but by
can could did do does doing down during each few for from further had has have having he her here hers herself him
himself his how i if in into is it its itself me more most my myself no nor not of off on once only or other ought our
ours ourselves out over own same she should so some such than that the their theirs them themselves then there these
they this those through to too under until up very was we were what when where which while who whom why will with
would you your yours yourself yourselves s t d ll re ve m don doesn didn isn aren wasn weren hasn haven hadn won
wouldn shan shouldn cannot couldn mustn let
"""
_STOP_WORDS = {"english": frozenset(_ENGLISH.split())}


@frozen
class Analyzer:
    """Cuts texts into words: case-folded, without stop words, stemmed.

    Attributes:
        language: a language of the Snowball stemmers, or ``none`` for plain case-folded words.
    """

    language: str = "english"

    def __attrs_post_init__(self) -> None:
        # The two usual ones are known without loading every stemmer.
        if self.language not in ("none", "english") and self.language not in _languages():
            known = ", ".join(["none", *_languages()])
            raise ConfigurationError([f"language {self.language!r} is not known: use one of {known}"])

    def words(self, text: str) -> list[str]:
        """The words that count, in order; all words if no other is left."""
        found = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
        if self.language == "none":
            return found
        stop = _STOP_WORDS.get(self.language, frozenset())
        stem = _stemmer(self.language)
        return [stem(word) for word in found if word not in stop] or [stem(word) for word in found]


@functools.cache
def _languages() -> tuple[str, ...]:
    import snowballstemmer  # noqa: PLC0415 - only a query needs it

    return tuple(sorted(snowballstemmer.algorithms()))


@functools.cache
def _stemmer(language: str) -> Callable[[str], str]:
    import snowballstemmer  # noqa: PLC0415 - only a query needs it

    # One stemmer holds the word that it works on, so it is not for several threads: one for each call is cheap enough,
    # and a word is looked up once.
    @functools.lru_cache(maxsize=50_000)
    def stem(word: str) -> str:
        return str(snowballstemmer.stemmer(language).stemWord(word))

    return stem


def text_of(record: Memory) -> str:
    """The text of a record that a query looks into."""
    if isinstance(record, Message):
        return _content_text(record)
    if isinstance(record, WorkingMemory):
        return record.working_memory
    if isinstance(record, Fact):
        return f"{record.topic} {record.text}"
    values = [getattr(record, item.name) for item in attrs.fields(type(record)) if item.name not in _ENVELOPE]
    return " ".join(value for value in values if isinstance(value, str))


_ENVELOPE = {item.name for item in attrs.fields(Memory)}


def _content_text(message: Message) -> str:
    if isinstance(message.content, str):
        return message.content
    return " ".join(part.text for part in message.content if isinstance(part, TextPart))


def rank(records: Sequence[Memory], query: str, analyzer: Analyzer) -> list[Memory]:
    """The records that share a word with the query, best first; equal ones keep their order.

    Okapi BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009) with k1 = 1.2 and b = 0.75, and
    the inverse document frequency ``log(1 + (N - n + 0.5) / (n + 0.5))``, over the records given.
    """
    bags = [Counter(analyzer.words(text_of(record))) for record in records]
    scores = _scores(bags, sorted(set(analyzer.words(query))))
    order = sorted((index for index, score in enumerate(scores) if score > 0), key=lambda index: -scores[index])
    return [records[index] for index in order]


def _scores(bags: list[Counter[str]], words: list[str]) -> list[float]:
    lengths = [sum(bag.values()) for bag in bags]
    mean = sum(lengths) / len(lengths) if lengths else 0.0
    weights = {word: _idf(len(bags), sum(1 for bag in bags if word in bag)) for word in words}
    return [
        sum(_term(bag[word], weights[word], length / mean) for word in words if word in bag)
        for bag, length in zip(bags, lengths, strict=True)
    ]


def _idf(total: int, holding: int) -> float:
    return math.log(1 + (total - holding + 0.5) / (holding + 0.5))


def _term(count: int, weight: float, relative_length: float) -> float:
    return weight * count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * relative_length))
