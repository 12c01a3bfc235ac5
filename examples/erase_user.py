"""Erase all that is stored of a user, look first, keep a copy and the receipt."""

from __future__ import annotations

from memkit import ErasedError, Fact, InMemoryManager, MemoryInput, MemoryKit, UserMessage, WorkingMemory


def main() -> None:
    """Store for two users, erase one of them."""
    with InMemoryManager() as manager:
        kit = MemoryKit(manager)
        for chat in ("chat-1", "chat-2"):
            kit.history(chat, user_id="ada").append(UserMessage("I am Ada."), UserMessage("I have two cats."))
        manager.store(MemoryInput("chat-1", "WORKING_MEMORY", data=[WorkingMemory("Ada")], user_id="ada"))
        manager.store(MemoryInput("chat-1", "LONG_TERM_MEMORY", data=[Fact("Ada has cats.")], user_id="ada"))
        kit.history("chat-3", user_id="bob").append(UserMessage("I am Bob."))

        copy = list(kit.admin.export(user_id="ada"))
        print("lines for Ada:", len(copy))
        would = kit.admin.erase(user_id="ada", dry_run=True)
        print("would erase:", would.conversations, "conversations,", would.messages, "messages")
        receipt = kit.admin.erase(user_id="ada")
        print("erased:", receipt.messages, receipt.working_memories, receipt.long_term_memories)
        print("verified:", receipt.verified)

        # A worker that was slow cannot bring anything back.
        try:
            kit.history("chat-1", user_id="ada").append(UserMessage("too late"))
        except ErasedError:
            print("a late write was refused")
        print("left:", [info.id for info in kit.admin.conversations()])


if __name__ == "__main__":
    main()
