"""What the store says of itself, and what an operator should look at."""

from __future__ import annotations

from collections.abc import Iterator

from memkit.commands import IndexSize, ServerState, StoreState
from memkit.flows.base import Flow
from memkit.flows.places import ALL_CONVERSATIONS
from memkit.results import Stats

__all__ = ["stats"]

_SAFE = "noeviction"
_NEARLY_FULL = 0.9


def stats() -> Flow[Stats]:
    """Flow of `IMemoryAdmin.stats`."""
    state: StoreState
    state, conversations = yield (ServerState(ALL_CONVERSATIONS), IndexSize(ALL_CONVERSATIONS))
    return Stats(
        backend=state.server,
        conversations=conversations,
        used_bytes=state.used_bytes,
        peak_bytes=state.peak_bytes,
        limit_bytes=state.limit_bytes,
        eviction=state.eviction,
        clients=state.connected,
        warnings=tuple(_warnings(state)),
    )


def _warnings(state: StoreState) -> Iterator[str]:
    # A bound that is not known may be there.
    bounded = state.limit_bytes != 0
    if bounded and state.eviction not in (None, _SAFE):
        yield f"at its memory limit the store drops memories ({state.eviction}): set its eviction policy to {_SAFE}"
    if state.limit_bytes and (state.used_bytes or 0) > _NEARLY_FULL * state.limit_bytes:
        share = round(100 * (state.used_bytes or 0) / state.limit_bytes)
        yield f"{share} % of the memory limit is in use: raise it, or let memories live less long"
