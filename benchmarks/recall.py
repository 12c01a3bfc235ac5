"""How often a query finds the turn that answers a question of the LoCoMo benchmark."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from benchmarks.figures import Figure
from memkit import InMemoryManager, MemoryInput, MemoryManager, Message
from memkit.cli.locomo import turns_of

DATA = Path(__file__).parents[2] / "shared" / "data" / "locomo"
PAGE = Path(__file__).parents[1] / "docs" / "retrieval.md"
FOUND = 10
LEAST = 65
_HEAD = "| file | turns | questions | answered | share |"
_TURN = re.compile(r"D\d+:\d+")


@frozen
class Question:
    """A question with the ids of the turns that answer it."""

    text: str
    evidence: frozenset[str]


@frozen
class Conversation:
    """A file of the benchmark.

    Attributes:
        name: of the file, without its ending.
        messages: all turns of all sessions with their own times; the id of each is its `dia_id`.
        questions: those with evidence.
    """

    name: str
    messages: list[Message]
    questions: list[Question]


@frozen
class Recall:
    """For how many questions at least one turn of the evidence is among the first ten that are found."""

    name: str
    turns: int
    questions: int
    found: int

    @property
    def percent(self) -> float:
        """The share of the questions."""
        return 100 * self.found / self.questions


def conversations(directory: Path = DATA) -> Iterator[Conversation]:
    """Every file of a directory."""
    for path in sorted(directory.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        messages = [attrs.evolve(message, id=message.metadata["dia_id"]) for _, message in turns_of(document)]
        yield Conversation(path.stem, messages, [_question(item) for item in document["qa"] if item.get("evidence")])


def _question(item: dict[str, Any]) -> Question:
    # Some name two turns in one text.
    return Question(item["question"], frozenset(_TURN.findall(" ".join(item["evidence"]))))


def recall_of(manager: MemoryManager, talk: Conversation) -> Recall:
    """Ask a manager all questions on a conversation that it has stored."""
    found = sum(_finds(manager, talk.name, question) for question in talk.questions)
    return Recall(talk.name, len(talk.messages), len(talk.questions), found)


def _finds(manager: MemoryManager, name: str, question: Question) -> bool:
    records = manager.retrieve(MemoryInput(name, query=question.text, limit=FOUND))
    return any(record.id in question.evidence for record in records)


def recalls(language: str = "english") -> list[Recall]:
    """Each file, and all of them together."""
    with InMemoryManager(language=language) as manager:
        each = []
        for talk in conversations():
            manager.store(MemoryInput(talk.name, data=talk.messages))
            each.append(recall_of(manager, talk))
    return [*each, total(each)]


def total(each: list[Recall]) -> Recall:
    """All files as one."""
    return Recall(
        "all",
        sum(one.turns for one in each),
        sum(one.questions for one in each),
        sum(one.found for one in each),
    )


def recall() -> tuple[list[Figure], str]:
    """Return (figures, table): each file, and all of them with and without cutting words down to their stems."""
    found, plain = recalls(), recalls("none")[-1]
    figures = [
        *[_figure(one) for one in found[:-1]],
        attrs.evolve(_figure(found[-1]), target=LEAST, least=True),
        attrs.evolve(_figure(plain), what="the same with plain words, language none"),
    ]
    return figures, table_of(found)


def _figure(one: Recall) -> Figure:
    what = f"recall@{FOUND}, LoCoMo {one.name}: {one.turns:,} turns, {one.questions} questions"
    return Figure(what, one.percent, "%")


def table_of(found: list[Recall]) -> str:
    """The table as it stands in the page."""
    rows = [f"| {one.name} | {one.turns} | {one.questions} | {one.found} | {one.percent:.1f} % |" for one in found]
    return "\n".join([_HEAD, "| --- | --- | --- | --- | --- |", *rows]) + "\n"


def with_table(text: str, table: str) -> str:
    """The text of the page with another table in the place of its own."""
    return re.sub(re.escape(_HEAD) + r"\n(\|.*\n)*", lambda _: table, text)
