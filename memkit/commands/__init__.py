"""The vocabulary between what memkit does and where it is kept: frozen values, each with the type of its result.

A backend that executes these commands gets every memory of memkit, in both colours.
"""

from __future__ import annotations

from memkit.commands.base import Command, Effect, Owned, Place, Write
from memkit.commands.log import (
    Entry,
    LogAppend,
    LogClear,
    LogFind,
    LogRead,
    LogRemove,
    LogReplace,
    Slots,
    Swap,
)
from memkit.commands.record import PutResult, RecordDrop, RecordGet, RecordPut, StoredRecord
from memkit.commands.table import Row, TableClear, TableFetch, TableRead, TableRemove, TableSwap, TableSwapped

__all__ = [
    "Command",
    "Effect",
    "Entry",
    "LogAppend",
    "LogClear",
    "LogFind",
    "LogRead",
    "LogRemove",
    "LogReplace",
    "Owned",
    "Place",
    "PutResult",
    "RecordDrop",
    "RecordGet",
    "RecordPut",
    "Row",
    "Slots",
    "StoredRecord",
    "Swap",
    "TableClear",
    "TableFetch",
    "TableRead",
    "TableRemove",
    "TableSwap",
    "TableSwapped",
    "Write",
]
