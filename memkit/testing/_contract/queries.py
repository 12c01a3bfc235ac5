"""Queries: words, ranked by BM25."""

from __future__ import annotations

import pytest

from memkit.inputs import MemoryType
from memkit.records import AssistantMessage, Fact, ImagePart, TextPart, UserMessage, WorkingMemory
from memkit.testing._contract.base import LISTS, LONG, SHORT, WORKING, Contract, Make, Subject, sample, texts

__all__ = ["QueryContract"]

_CORPUS = (
    "The cat sat on the mat",
    "A cat and another cat, and a third cat",
    "Dogs bark at strangers all night long in the old town by the river, and a cat looks on",
    "Nothing of interest",
    "Fish",
)


class QueryContract(Contract):
    """A query finds the records that share a word with it, the best match first, on every backend alike."""

    @pytest.mark.parametrize("kind", LISTS)
    def test_best_first(self, manager: Subject, kind: MemoryType) -> None:
        """More of the word and less of other words ranks higher; who has no word of the query is left out."""
        manager.store(kind, *(sample(kind, text) for text in _CORPUS))
        assert texts(manager.retrieve(kind, query="cat")) == [_CORPUS[1], _CORPUS[0], _CORPUS[2]]
        assert texts(manager.retrieve(kind, query="fish OR dogs")) == [_CORPUS[4], _CORPUS[2]]
        assert manager.retrieve(kind, query="zebra") == []

    @pytest.mark.parametrize("kind", LISTS)
    def test_rare_words_weigh_more(self, manager: Subject, kind: MemoryType) -> None:
        """A word that few records have counts for more than one that many have."""
        manager.store(kind, *(sample(kind, f"common {n}") for n in range(5)), sample(kind, "rare thing"))
        assert texts(manager.retrieve(kind, query="common rare"))[0] == "rare thing"

    @pytest.mark.parametrize("kind", LISTS)
    def test_words_are_folded_and_stemmed(self, manager: Subject, kind: MemoryType) -> None:
        """Case and English endings make no difference, and words like "the" find nothing by themselves."""
        manager.store(kind, sample(kind, "She was RUNNING to the shops"), sample(kind, "The end"))
        for query in ("running", "Run", "runs", "shop", "the shopping"):
            assert texts(manager.retrieve(kind, query=query)) == ["She was RUNNING to the shops"]

    @pytest.mark.parametrize("kind", LISTS)
    def test_plain_words_by_setting(self, make: Make, kind: MemoryType) -> None:
        """With the language "none" words are only case-folded: no stemming, no stop words."""
        subject = make(language="none")
        subject.store(kind, sample(kind, "She was RUNNING to the shops"))
        assert subject.retrieve(kind, query="run") == []
        assert len(subject.retrieve(kind, query="the")) == 1
        assert len(subject.retrieve(kind, query="Running")) == 1

    def test_equal_ones_keep_their_order(self, manager: Subject) -> None:
        """Equally good matches come as without a query: oldest first in a log, newest first in a set."""
        for kind in LISTS:
            manager.store(kind, *(sample(kind, f"apple {n}") for n in range(6)))
            assert texts(manager.retrieve(kind, query="apple")) == texts(manager.retrieve(kind))

    @pytest.mark.parametrize("kind", LISTS)
    def test_limit_keeps_the_best(self, manager: Subject, kind: MemoryType) -> None:
        """A limit keeps the best matches, ranked before it cuts."""
        manager.store(kind, *(sample(kind, text) for text in _CORPUS))
        assert texts(manager.retrieve(kind, query="cat", limit=2)) == [_CORPUS[1], _CORPUS[0]]
        assert manager.retrieve(kind, query="cat", limit=0) == []

    @pytest.mark.parametrize("kind", LISTS)
    def test_filters_come_first(self, manager: Subject, kind: MemoryType) -> None:
        """With filters and a limit, the best of those that pass are returned."""
        for n, text in enumerate(_CORPUS):
            manager.store(kind, sample(kind, text, metadata={"even": n % 2 == 0}))
        found = manager.retrieve(kind, query="cat", filters={"even": True}, limit=1)
        assert texts(found) == [_CORPUS[0]]

    def test_where_words_are_looked_for(self, manager: Subject) -> None:
        """A query looks into text parts, facts with their topics, and working memory; not into metadata or names."""
        parts = (TextPart("needle one"), ImagePart(url="needle://"), TextPart("two"))
        manager.store(SHORT, UserMessage(parts), AssistantMessage("x", metadata={"needle": "needle"}, name="needle"))
        assert texts(manager.retrieve(SHORT, query="needle")) == ["needle one two"]
        manager.store(LONG, Fact("hay", topic="needle"))
        assert len(manager.retrieve(LONG, query="needle hay")) == 1
        manager.store(WORKING, WorkingMemory("a needle"))
        assert len(manager.retrieve(WORKING, query="needles")) == 1
