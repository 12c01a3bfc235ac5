"""Administration: all conversations of a namespace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from memkit.faces.engine import AsyncEngine, Engine
from memkit.flows.admin.erase import erase
from memkit.flows.admin.export import Export
from memkit.flows.admin.importing import import_
from memkit.flows.admin.listing import conversations
from memkit.flows.admin.stats import stats
from memkit.interfaces.admin import IAsyncMemoryAdmin, IMemoryAdmin, Lines
from memkit.results import ConversationInfo, EraseReceipt, ImportReport, OnProgress, Page, Stats

__all__ = ["AsyncMemoryAdmin", "MemoryAdmin"]


class MemoryAdmin(IMemoryAdmin):
    """What an operator does with all conversations, over any backend.

    Args:
        engine: that of a manager; nothing is closed here.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def conversations(
        self, user_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[ConversationInfo]:
        return self._engine.run("conversations", conversations(self._engine.context, user_id, limit, cursor))

    def erase(
        self,
        *,
        user_id: str | None = None,
        conversation_id: str | None = None,
        namespace: bool = False,
        dry_run: bool = False,
    ) -> EraseReceipt:
        return self._engine.run("erase", erase(self._engine.context, user_id, conversation_id, namespace, dry_run))

    def export(
        self, *, user_id: str | None = None, conversation_id: str | None = None, on_progress: OnProgress | None = None
    ) -> Iterator[bytes]:
        return self._lines(Export(self._engine.context, user_id, conversation_id, on_progress))

    def _lines(self, export: Export) -> Iterator[bytes]:
        while (lines := self._engine.run("export", export.more())) is not None:
            yield from lines

    def import_(self, lines: Lines, *, on_progress: OnProgress | None = None) -> ImportReport:
        return self._engine.run("import_", import_(self._engine.context, lines, on_progress))

    def stats(self) -> Stats:
        return self._engine.run("stats", stats())


class AsyncMemoryAdmin(IAsyncMemoryAdmin):
    """`MemoryAdmin` for asyncio.

    Args:
        engine: that of a manager; nothing is closed here.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def conversations(
        self, user_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[ConversationInfo]:
        return await self._engine.run("conversations", conversations(self._engine.context, user_id, limit, cursor))

    async def erase(
        self,
        *,
        user_id: str | None = None,
        conversation_id: str | None = None,
        namespace: bool = False,
        dry_run: bool = False,
    ) -> EraseReceipt:
        return await self._engine.run(
            "erase", erase(self._engine.context, user_id, conversation_id, namespace, dry_run)
        )

    def export(
        self, *, user_id: str | None = None, conversation_id: str | None = None, on_progress: OnProgress | None = None
    ) -> AsyncIterator[bytes]:
        return self._lines(Export(self._engine.context, user_id, conversation_id, on_progress))

    async def _lines(self, export: Export) -> AsyncIterator[bytes]:
        while (lines := await self._engine.run("export", export.more())) is not None:
            for line in lines:
                yield line

    async def import_(self, lines: Lines, *, on_progress: OnProgress | None = None) -> ImportReport:
        return await self._engine.run("import_", import_(self._engine.context, lines, on_progress))

    async def stats(self) -> Stats:
        return await self._engine.run("stats", stats())
