"""A client process for the proofs on histories: it takes orders as lines of JSON, and does each in a fork of its own.

A fork is there in a millisecond, so that a test can kill many. For each order it prints that it was begun, what came of
it, and its exit status.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

from memkit import AsyncRedisMemoryManager, Fact, MemoryInput, MemoryType, RedisMemoryManager, RetryPolicy, UserMessage
from memkit.errors import ErasedError
from memkit.faces.kit import AsyncMemoryKit, MemoryKit

PATIENT = RetryPolicy(attempts=10_000, deadline=20.0, initial=0.001, cap=0.02)


def compact(kit, order):
    """Compact what the test says."""
    history = kit.history(order["conversation"], user_id=order["user"])
    return history.compact(order["through"], UserMessage("summary")).removed


def compact_with(kit, order):
    """Compact all but the last four."""
    history = kit.history(order["conversation"], user_id=order["user"])
    return history.compact_with(lambda _: UserMessage("summary"), keep_last=4).removed


def fork(kit, order):
    """Fork into a new conversation."""
    return kit.history(order["conversation"], user_id=order["user"]).fork(order["target"], at=order["through"]).count


def rewind(kit, order):
    """Rewind to a message."""
    return kit.history(order["conversation"], user_id=order["user"]).rewind(order["through"]).count


def restore(kit, order):
    """Put a branch back."""
    return kit.history(order["conversation"], user_id=order["user"]).restore(order["branch"]).count


def repair(kit, order):
    """Make every group whole."""
    return len(kit.history(order["conversation"], user_id=order["user"]).repair().closed)


def erase(kit, order):
    """Erase all of a user."""
    return kit.admin.erase(user_id=order["user"]).conversations


def append_keyed(kit, order):
    """Append under a key, for each conversation of the order."""
    return [
        kit.history(name).append(UserMessage("ask"), UserMessage("more"), idempotency_key=order["key"])
        for name in order["conversations"]
    ]


def append_keyed_async(url, order):
    """`append_keyed` for asyncio."""

    async def run():
        async with AsyncRedisMemoryManager(url, retry=PATIENT) as manager:
            kit = AsyncMemoryKit(manager)
            return [
                await kit.history(name).append(UserMessage("ask"), UserMessage("more"), idempotency_key=order["key"])
                for name in order["conversations"]
            ]

    return asyncio.run(run())


def write_until_erased(kit, order):
    """Write into a conversation of its own, into those of a user, and when that is refused also into new ones.

    Returns how often it was let through, and how often refused.
    """
    kit.history(f"{order['user']} of {order['step']}", user_id=order["user"]).append(UserMessage(order["user"]))
    done = refused = 0
    while refused < order["refusals"]:
        name = f"{order['user']} {order['step'] * done % order['spread']}" + " anew" * (refused % 2)
        try:
            one_write(kit, order["user"], name, done + refused)
            done += 1
        except ErasedError:
            refused += 1
    return [done, refused]


def one_write(kit, user, name, number):
    """Write into one of the memories of a conversation."""
    match number % 4:
        case 0 | 1:
            kit.history(name, user_id=user).append(UserMessage(f"{user} said {number}"))
        case 2:
            kit.manager.store(MemoryInput(name, MemoryType.LONG_TERM_MEMORY, data=[Fact(user)], user_id=user))
        case _:
            kit.history(name, user_id=user).rewind(None)


ORDERS = {
    each.__name__: each
    for each in (append_keyed, compact, compact_with, erase, fork, repair, restore, rewind, write_until_erased)
}


def carry_out(order):
    """Do what an order says and return the result."""
    if order["do"] == "append_keyed_async":
        return append_keyed_async(order["url"], order)
    with RedisMemoryManager(order["url"], retry=PATIENT) as manager:
        # Connected before the steps that tests count.
        manager.ping()
        return ORDERS[order["do"]](MemoryKit(manager), order)


def tell(news):
    """Print a line, in one piece even if this process is killed."""
    os.write(1, json.dumps(news).encode() + b"\n")


def in_child(order):
    """Carry an order out and say what came of it; never returns."""
    try:
        tell({"result": carry_out(order)})
    except BaseException as error:  # noqa: BLE001 - the test is told
        tell({"error": repr(error)})
        os._exit(1)
    os._exit(0)


def main():
    """Take orders until there are no more; behind each of them stands whether to wait for it or to kill it."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            in_child(json.loads(line))
        tell({"begun": True})
        if sys.stdin.readline() == "kill\n":
            # It was not waited for, so the number is still its own, even if it has ended.
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        tell({"status": os.waitstatus_to_exitcode(status)})


if __name__ == "__main__":
    main()
