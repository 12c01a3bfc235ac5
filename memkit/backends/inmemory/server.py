"""The store in memory as a whole."""

from __future__ import annotations

import sys

from memkit.backends.inmemory.store import Store
from memkit.commands import LeftoverPage, Leftovers, Place, ServerState, StoreState

__all__ = ["leftovers", "state"]


def state(store: Store, command: ServerState) -> StoreState:
    """Execute `ServerState`."""
    del command
    store.now()
    return StoreState(
        server="memory of Python {}.{}.{}".format(*sys.version_info),
        used_bytes=store.size,
        limit_bytes=store.max_bytes or 0,
        eviction="lru" if store.bounded else "noeviction",
    )


def leftovers(store: Store, command: Leftovers) -> LeftoverPage:
    """Execute `Leftovers`: all on one page."""
    now = store.now()
    wanted = (command.place.scope, command.place.name)
    names = store.names() if command.whole else [wanted]
    scopes = [store.live(Place(*name, ""), now) for name in names]
    lists = [place for place in store.indexes if command.whole or (place.scope, place.name) == wanted]
    count = sum(len(scope.parts) for scope in scopes if scope is not None) + len(lists)
    return LeftoverPage(count, None)
