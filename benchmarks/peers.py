"""Other libraries that keep conversations on a Redis server, each used as its documentation shows.

None of them is needed: one that is not installed is left out. All that can are asked for a time to live. None tells a
repeated append from a new one.
"""

from __future__ import annotations

import warnings
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

import redis.asyncio

from benchmarks import aims
from benchmarks.byhand import VALUE, log_of
from benchmarks.work import LAST, MEMORY, MESSAGE_DICT, RAW_MESSAGE, TALK, TTL, talk_of

CONNECTIONS = 600
_CALL = MESSAGE_DICT["tool_calls"][0]


class Glide:
    """The client of Valkey in Rust, with ready bytes."""

    name, package = aims.GLIDE, "valkey-glide"

    @classmethod
    async def open(cls, url, kept):
        from glide import GlideClient, GlideClientConfiguration, NodeAddress  # noqa: PLC0415 - a peer

        parts = urlsplit(url)
        # Its default of 250 ms would be too little for 256 tasks on a busy machine.
        options = GlideClientConfiguration([NodeAddress(parts.hostname, parts.port)], request_timeout=10_000)
        return cls(await GlideClient.create(options), kept)

    def __init__(self, client, kept):
        from glide import Batch  # noqa: PLC0415 - a peer

        self._client = client
        self._batch = Batch
        self._kept = kept

    async def get(self, _number):
        return await self._client.get(VALUE)

    async def append(self, number):
        key, batch = log_of(number), self._batch(is_atomic=False)
        batch.rpush(key, [RAW_MESSAGE]).ltrim(key, -self._kept, -1).expire(key, TTL)
        await self._client.exec(batch, raise_on_error=True)

    async def last(self, number):
        return await self._client.lrange(log_of(number), -LAST, -1)

    async def aclose(self):
        await self._client.close()


class KeyValue:
    """A store of dicts as JSON, which has no lists."""

    name, package = aims.KEY_VALUE, "py-key-value-aio"

    @classmethod
    async def open(cls, url, _kept):
        from key_value.aio.stores.redis import RedisStore  # noqa: PLC0415 - a peer

        return cls(RedisStore(url=url))

    def __init__(self, store):
        self._store = store

    async def put(self, _number):
        await self._store.put(TALK, {"working_memory": MEMORY.working_memory}, ttl=TTL)

    async def get(self, _number):
        return await self._store.get(TALK)

    async def aclose(self):
        await self._store.close()


class OpenAiAgents:
    """`RedisSession` of the OpenAI Agents SDK."""

    name, package = aims.OPENAI, "openai-agents"
    ttl = TTL

    @classmethod
    async def open(cls, url, _kept):
        return cls(redis.asyncio.Redis.from_url(url, max_connections=CONNECTIONS))

    def __init__(self, client):
        self._client = client
        self._sessions = {}

    def _session(self, number):
        if number not in self._sessions:
            from agents.extensions.memory import RedisSession  # noqa: PLC0415 - a peer

            self._sessions[number] = RedisSession(talk_of(number), redis_client=self._client, ttl=self.ttl)
        return self._sessions[number]

    async def fill(self, number, count):
        await self._session(number).add_items([MESSAGE_DICT] * count)

    async def append(self, number):
        await self._session(number).add_items([MESSAGE_DICT])

    async def last(self, number):
        return await self._session(number).get_items(limit=LAST)

    async def aclose(self):
        await self._client.aclose()


class OpenAiAgentsForEver(OpenAiAgents):
    """The same without a time to live, which costs it less."""

    name = aims.OPENAI_FOR_EVER
    ttl = None


class AgentFramework:
    """`RedisHistoryProvider` of Microsoft's Agent Framework; has no times to live."""

    name, package = aims.AGENTS, "agent-framework-redis"

    @classmethod
    async def open(cls, url, _kept):
        from agent_framework_redis import RedisHistoryProvider  # noqa: PLC0415 - a peer

        return cls(RedisHistoryProvider(redis_url=url))

    def __init__(self, provider):
        from agent_framework import Content, Message  # noqa: PLC0415 - a peer

        call = Content.from_function_call(_CALL["id"], _CALL["name"], arguments=_CALL["arguments"])
        self._provider = provider
        self._message = Message(
            "assistant",
            [Content.from_text(MESSAGE_DICT["content"]), call],
            message_id=MESSAGE_DICT["id"],
            additional_properties=dict(MESSAGE_DICT["metadata"]),
        )

    async def fill(self, number, count):
        await self._provider.save_messages(talk_of(number), [self._message] * count)

    async def append(self, number):
        await self._provider.save_messages(talk_of(number), [self._message])

    async def last(self, number):
        return (await self._provider.get_messages(talk_of(number)))[-LAST:]

    async def aclose(self):
        await self._provider.aclose()


class LangChain:
    """`RedisChatMessageHistory` of langchain-community; that of langchain-redis needs a server with modules."""

    name, package = aims.LANGCHAIN, "langchain-community"

    def __init__(self, url):
        with warnings.catch_warnings():
            # It says that it is maintained no longer.
            warnings.simplefilter("ignore")
            from langchain_community.chat_message_histories import RedisChatMessageHistory  # noqa: PLC0415 - a peer
            from langchain_core.messages import AIMessage  # noqa: PLC0415 - a peer

        self._history = RedisChatMessageHistory(TALK, url=url, ttl=TTL)
        self._message = AIMessage(
            MESSAGE_DICT["content"],
            id=MESSAGE_DICT["id"],
            tool_calls=[{"id": _CALL["id"], "name": _CALL["name"], "args": _CALL["arguments"]}],
            response_metadata=MESSAGE_DICT["metadata"],
        )

    def fill(self, count):
        for _ in range(count):
            self.append()

    def append(self):
        self._history.add_message(self._message)

    def last(self):
        return self._history.messages[-LAST:]

    def close(self):
        self._history.redis_client.close()


class LlamaIndex:
    """`RedisChatStore` of LlamaIndex."""

    name, package = aims.LLAMA, "llama-index-storage-chat-store-redis"

    def __init__(self, url):
        from llama_index.core.llms import ChatMessage  # noqa: PLC0415 - a peer
        from llama_index.storage.chat_store.redis import RedisChatStore  # noqa: PLC0415 - a peer

        self._store = RedisChatStore(redis_url=url, ttl=TTL)
        self._message = ChatMessage(
            role="assistant",
            content=MESSAGE_DICT["content"],
            additional_kwargs={"tool_calls": MESSAGE_DICT["tool_calls"], **MESSAGE_DICT["metadata"]},
        )

    def fill(self, count):
        for _ in range(count):
            self.append()

    def append(self):
        self._store.add_message(TALK, self._message)

    def last(self):
        return self._store.get_messages(TALK)[-LAST:]

    def close(self):
        self._store._redis_client.close()


PEERS = (Glide, KeyValue, OpenAiAgents, OpenAiAgentsForEver, AgentFramework, LangChain, LlamaIndex)


def installed(*peers):
    """Return those that are installed."""
    return [peer for peer in peers if version_of(peer.package) is not None]


def missing():
    """Return the packages of those that are not."""
    return sorted({peer.package for peer in PEERS if version_of(peer.package) is None})


def version_of(package):
    """The version of a package, None if it is not installed; loads nothing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
