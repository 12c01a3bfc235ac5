"""A chat service: messages come in, a model gets a window that is valid, and the user's chats are listed."""

from __future__ import annotations

from memkit import AssistantMessage, InMemoryManager, MemoryKit, SystemMessage, ToolCall, ToolMessage, UserMessage


def main() -> None:
    """Talk, with a tool; show what a model would get, edit, and list."""
    with InMemoryManager() as manager:
        kit = MemoryKit(manager)
        chat = kit.history("chat-1", user_id="ada")
        chat.append(SystemMessage("You plan journeys."))
        for number in range(5):
            chat.append(UserMessage(f"Question {number}"), AssistantMessage(f"Answer {number}"))

        call = ToolCall("call-1", "search_trains", {"to": "Venice"})
        asked, *_ = chat.append(UserMessage("Which train?"), AssistantMessage("", tool_calls=[call]))
        # The call has no result yet, so no model may see it.
        print("while the tool runs:", *[message.content for message in chat.window(last=3)], sep=" | ")
        chat.append(ToolMessage("NJ 40233", tool_call_id="call-1"), AssistantMessage("The night train."))
        print("afterwards:", *[f"{message.role} {message.content}" for message in chat.window(last=4)], sep=" | ")

        # Edit and resend: what was cut off is kept for a day.
        branch = chat.rewind(asked)
        chat.append(AssistantMessage("Which day?"))
        print("cut off:", branch.count if branch else 0, "now:", chat.count())

        chat.set_title("Trains to Venice")
        for info in kit.admin.conversations(user_id="ada"):
            print(info.id, info.title, info.count)


if __name__ == "__main__":
    main()
