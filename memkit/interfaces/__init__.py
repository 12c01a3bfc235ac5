"""The interfaces that agent frameworks are injected with, sync and async side by side."""

from __future__ import annotations

from memkit.interfaces.admin import IAsyncMemoryAdmin, IMemoryAdmin
from memkit.interfaces.history import IAsyncMessageHistory, IAsyncTurn, IMessageHistory, ITurn
from memkit.interfaces.manager import IAsyncMemoryManager, IMemoryManager, InputLike

__all__ = [
    "IAsyncMemoryAdmin",
    "IAsyncMemoryManager",
    "IAsyncMessageHistory",
    "IAsyncTurn",
    "IMemoryAdmin",
    "IMemoryManager",
    "IMessageHistory",
    "ITurn",
    "InputLike",
]
