"""Branches in Redis: see `lua/branch.lua` for their key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memkit.backends.redis.calls import ALL_DATA, Argument, Call, Token, Wiring, heading, scripted
from memkit.backends.redis.log import anchor, rewritten
from memkit.commands import BranchRow, LogBranches, LogCut, LogRestore
from memkit.ids import key_id

__all__ = ["BUILDERS"]

_PARTS = f"pos gone ops about {ALL_DATA}"


def _cut(command: LogCut, token: Token, wiring: Wiring) -> Call:
    arguments = [*heading(command, token, wiring), anchor(command.after), command.branch, command.grace_ms]
    return scripted("log_cut", wiring, command, _PARTS, arguments, rewritten)


def _restore(command: LogRestore, token: Token, wiring: Wiring) -> Call:
    arguments = [*heading(command, token, wiring), command.branch, command.other, command.grace_ms]
    return scripted("log_restore", wiring, command, _PARTS, arguments, rewritten)


def _branches(command: LogBranches, token: Token, wiring: Wiring) -> Call:
    del token
    arguments: list[Argument] = [command.owner or ""]
    return scripted("log_branches", wiring, command, f"about {ALL_DATA}", arguments, _rows)


def _rows(replies: list[list[Any]]) -> list[BranchRow]:
    rows = [
        BranchRow(branch_id, key_id(after) if after else None, count, int(created), int(expires) * 1000)
        for branch_id, after, count, created, expires in replies
    ]
    return sorted(rows, key=lambda row: row.created_us, reverse=True)


BUILDERS: dict[type, Callable[[Any, Token, Wiring], Call]] = {
    LogCut: _cut,
    LogRestore: _restore,
    LogBranches: _branches,
}
