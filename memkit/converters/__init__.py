"""Messages of memkit from and to the formats of OpenAI (chat and Responses), Anthropic and Google.

::

    from_openai_chat(items) -> list[Message]                  to_openai_chat(messages) -> list[dict]
    from_openai_responses(items) -> list[Message]             to_openai_responses(messages) -> list[dict]
    from_anthropic(messages, system=None) -> list[Message]    to_anthropic(messages) -> AnthropicPrompt
    from_google(contents, system_instruction=None)            to_google(messages) -> GooglePrompt

They take and give plain dicts and lists; no client library is needed or loaded. A model of one gives its dict by
``model_dump(exclude_unset=True)``.

There and back nothing is lost
    ``to_x(from_x(items)) == items``, also when the records were stored in between, and also when items were converted
    and appended bit by bit. The scheme has three rungs:

    1. What memkit has a field for goes there. `from_x` then writes the record again and compares.
    2. Where the two differ (keys that memkit does not know, a null, the spelling of the JSON of arguments), the
       *difference* is kept in ``metadata["from_x"]`` and put back by `to_x`. The same key remembers what two formats
       say differently: the role ``developer``, which results stood in one message, where calls stood among the text.
    3. A part that is not covered by one of memkit's (its type is unknown, or a value in it would have to be replaced,
       not just added to) is a `RawPart` whose provider is ``openai_chat``, ``openai_responses``, ``anthropic`` or
       ``google``; an item of Responses of another type is a message of its own, provider ``openai_responses.item``.

    A record that was changed since is written from its fields, without the difference: the change counts, and no
    citation or id ends up at text that it does not belong to.

From memkit and back
    Roles, content, names, tool calls with their ids, results and reasoning are kept. No format holds the envelope
    (id, times, version, metadata), ``pinned``, ``tokens``, ``model_id``, ``usage`` and ``finish_reason``. Besides:

    - *OpenAI chat*: no reasoning (it is left out), no ``is_error``, no media type of an image given by address, no
      transcript.
    - *OpenAI Responses*: no ``name``, no ``is_error``, no signature of reasoning; assistant messages that follow each
      other may come back as one.
    - *Anthropic*: no ``name``, no ``detail``, no media type of what is given by address; leading system messages
      become one.
    - *Google*: all system messages become one; a `ToolMessage` without name gets that of its call; an image, audio or
      file comes back as what its media type says; in a result, text comes before media; no ``detail``, no transcript.
    - An empty tuple beside tool calls comes back as empty text. A single `TextPart` (beside tool calls; with Google
      everywhere) comes back as its text, a ``data:`` URL as the bytes in it.

    What a format has no place for and is not named here, for example audio for Anthropic or a `RawPart` of another
    provider, is refused with `InvalidInputError`, which names the part. Providers refuse each other's signed reasoning:
    leave out `ReasoningPart` when you change provider.

Storable
    Every record made here can be stored. Input that holds what memkit cannot store (an int beyond 64 bits, a lone
    surrogate, deep nesting) is refused. Arguments of a call whose JSON text is not an object that can be stored are
    ``{}``, with the text kept aside.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memkit.converters.anthropic import AnthropicPrompt, from_anthropic, to_anthropic
    from memkit.converters.google import GooglePrompt, from_google, to_google
    from memkit.converters.openai_chat import from_openai_chat, to_openai_chat
    from memkit.converters.openai_responses import from_openai_responses, to_openai_responses

__all__ = [
    "AnthropicPrompt",
    "GooglePrompt",
    "from_anthropic",
    "from_google",
    "from_openai_chat",
    "from_openai_responses",
    "to_anthropic",
    "to_google",
    "to_openai_chat",
    "to_openai_responses",
]

_HOMES = {
    "anthropic": "AnthropicPrompt from_anthropic to_anthropic",
    "google": "GooglePrompt from_google to_google",
    "openai_chat": "from_openai_chat to_openai_chat",
    "openai_responses": "from_openai_responses to_openai_responses",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'memkit.converters' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"memkit.converters.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
