"""The memory layer for AI agents: one interface, and Redis, this process, or nothing behind it.

Every name is loaded when it is first used, so that importing memkit costs next to nothing and loads no Redis client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memkit.backends.base import IAsyncBackend, IBackend
    from memkit.backends.inmemory import AsyncInMemoryManager, InMemoryManager
    from memkit.backends.null import AsyncNullMemoryManager, NullMemoryManager
    from memkit.backends.redis import AsyncRedisMemoryManager, RedisMemoryManager
    from memkit.clock import Clock, SystemClock
    from memkit.codec.compression import Compression, Dictionary
    from memkit.codec.registry import register
    from memkit.codec.training import train_dictionary
    from memkit.config import Settings
    from memkit.errors import (
        AuthenticationError,
        BackendError,
        BackendUnavailableError,
        BatchError,
        CapacityError,
        ClosedError,
        CodecError,
        ConfigurationError,
        ContentionError,
        ConversationExistsError,
        CorruptRecordError,
        ErasedError,
        ImportFormatError,
        InvalidInputError,
        InvalidRecordError,
        MemkitError,
        MemoryNotFoundError,
        MissingExtraError,
        OutcomeUnknownError,
        OwnerMismatchError,
        RevisionConflictError,
        ServerError,
        TurnHeldError,
        TurnLostError,
        UnknownRecordTypeError,
        UnsupportedRecordError,
        VersionConflictError,
        WindowError,
    )
    from memkit.faces.kit import AsyncMemoryKit, MemoryKit
    from memkit.faces.manager import AsyncMemoryManager, MemoryManager
    from memkit.factory import (
        create_async_memory_kit,
        create_async_memory_manager,
        create_memory_kit,
        create_memory_manager,
    )
    from memkit.flows.base import Memories, Messages
    from memkit.ids import new_id
    from memkit.inputs import UNSET, MemoryInput, MemoryType
    from memkit.interfaces import (
        IAsyncMemoryAdmin,
        IAsyncMemoryManager,
        IAsyncMessageHistory,
        IAsyncTurn,
        IMemoryAdmin,
        IMemoryManager,
        IMessageHistory,
        ITurn,
    )
    from memkit.policy import RetryPolicy
    from memkit.providers import Provider, register_backend
    from memkit.records import (
        AssistantMessage,
        AudioPart,
        Fact,
        FilePart,
        ImagePart,
        Memory,
        Message,
        Part,
        RawPart,
        ReasoningPart,
        SystemMessage,
        TextPart,
        ToolCall,
        ToolMessage,
        UserMessage,
        WorkingMemory,
    )
    from memkit.results import (
        START,
        Branch,
        Compaction,
        ConversationInfo,
        EraseReceipt,
        ImportReport,
        Page,
        Progress,
        RepairReport,
        Stats,
    )
    from memkit.retrying import RetryEvent, limit_retries, remaining, retry

_HOMES = {
    "backends.base": "IAsyncBackend IBackend",
    "backends.inmemory": "AsyncInMemoryManager InMemoryManager",
    "backends.null": "AsyncNullMemoryManager NullMemoryManager",
    "backends.redis": "AsyncRedisMemoryManager RedisMemoryManager",
    "clock": "Clock SystemClock",
    "codec.compression": "Compression Dictionary",
    "codec.registry": "register",
    "codec.training": "train_dictionary",
    "config": "Settings",
    "errors": (
        "AuthenticationError BackendError BackendUnavailableError BatchError CapacityError ClosedError CodecError "
        "ConfigurationError ContentionError ConversationExistsError CorruptRecordError ErasedError "
        "ImportFormatError InvalidInputError InvalidRecordError MemkitError MemoryNotFoundError "
        "MissingExtraError OutcomeUnknownError OwnerMismatchError RevisionConflictError ServerError "
        "TurnHeldError TurnLostError UnknownRecordTypeError UnsupportedRecordError VersionConflictError WindowError"
    ),
    "faces.kit": "AsyncMemoryKit MemoryKit",
    "faces.manager": "AsyncMemoryManager MemoryManager",
    "factory": "create_async_memory_kit create_async_memory_manager create_memory_kit create_memory_manager",
    "flows.base": "Memories Messages",
    "ids": "new_id",
    "inputs": "UNSET MemoryInput MemoryType",
    "interfaces": (
        "IAsyncMemoryAdmin IAsyncMemoryManager IAsyncMessageHistory IAsyncTurn IMemoryAdmin IMemoryManager "
        "IMessageHistory ITurn"
    ),
    "policy": "RetryPolicy",
    "providers": "Provider register_backend",
    "records": (
        "AssistantMessage AudioPart Fact FilePart ImagePart Memory Message Part RawPart ReasoningPart "
        "SystemMessage TextPart ToolCall ToolMessage UserMessage WorkingMemory"
    ),
    "results": "Branch Compaction ConversationInfo EraseReceipt ImportReport Page Progress RepairReport START Stats",
    "retrying": "RetryEvent limit_retries remaining retry",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "START",
    "UNSET",
    "AssistantMessage",
    "AsyncInMemoryManager",
    "AsyncMemoryKit",
    "AsyncMemoryManager",
    "AsyncNullMemoryManager",
    "AsyncRedisMemoryManager",
    "AudioPart",
    "AuthenticationError",
    "BackendError",
    "BackendUnavailableError",
    "BatchError",
    "Branch",
    "CapacityError",
    "Clock",
    "ClosedError",
    "CodecError",
    "Compaction",
    "Compression",
    "ConfigurationError",
    "ContentionError",
    "ConversationExistsError",
    "ConversationInfo",
    "CorruptRecordError",
    "Dictionary",
    "EraseReceipt",
    "ErasedError",
    "Fact",
    "FilePart",
    "IAsyncBackend",
    "IAsyncMemoryAdmin",
    "IAsyncMemoryManager",
    "IAsyncMessageHistory",
    "IAsyncTurn",
    "IBackend",
    "IMemoryAdmin",
    "IMemoryManager",
    "IMessageHistory",
    "ITurn",
    "ImagePart",
    "ImportFormatError",
    "ImportReport",
    "InMemoryManager",
    "InvalidInputError",
    "InvalidRecordError",
    "MemkitError",
    "Memories",
    "Memory",
    "MemoryInput",
    "MemoryKit",
    "MemoryManager",
    "MemoryNotFoundError",
    "MemoryType",
    "Message",
    "Messages",
    "MissingExtraError",
    "NullMemoryManager",
    "OutcomeUnknownError",
    "OwnerMismatchError",
    "Page",
    "Part",
    "Progress",
    "Provider",
    "RawPart",
    "ReasoningPart",
    "RedisMemoryManager",
    "RepairReport",
    "RetryEvent",
    "RetryPolicy",
    "RevisionConflictError",
    "ServerError",
    "Settings",
    "Stats",
    "SystemClock",
    "SystemMessage",
    "TextPart",
    "ToolCall",
    "ToolMessage",
    "TurnHeldError",
    "TurnLostError",
    "UnknownRecordTypeError",
    "UnsupportedRecordError",
    "UserMessage",
    "VersionConflictError",
    "WindowError",
    "WorkingMemory",
    "create_async_memory_kit",
    "create_async_memory_manager",
    "create_memory_kit",
    "create_memory_manager",
    "limit_retries",
    "new_id",
    "register",
    "register_backend",
    "remaining",
    "retry",
    "train_dictionary",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'memkit' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"memkit.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
