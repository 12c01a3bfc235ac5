"""Asking sentinels where the primary is, through redis-py; loaded by whoever has sentinels."""

from __future__ import annotations

from typing import Any

import redis
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.retry import Retry

from memkit.backends.redis.discovery import Address, Timeouts
from memkit.backends.redis.faults import Down
from memkit.backends.redis.target import Target, Tls
from memkit.retrying import remaining

__all__ = ["aask", "ask"]

_Failed = (redis.exceptions.RedisError, OSError)


def ask(target: Target, timeouts: Timeouts) -> Address:
    """The address of the primary.

    Raises:
        Down: no sentinel knows.
    """
    kind: Any = redis.Sentinel
    sentinel = kind(list(target.addresses), sentinel_kwargs=_arguments(target, timeouts))
    try:
        host, port = sentinel.discover_master(target.service)
    except _Failed as error:
        raise _unknown(error) from None
    finally:
        for client in sentinel.sentinels:
            client.close()
    return str(host), int(port)


async def aask(target: Target, timeouts: Timeouts) -> Address:
    """`ask` for asyncio."""
    kind: Any = AsyncSentinel
    sentinel = kind(list(target.addresses), sentinel_kwargs=_arguments(target, timeouts))
    try:
        host, port = await sentinel.discover_master(target.service)
    except _Failed as error:
        raise _unknown(error) from None
    finally:
        for client in sentinel.sentinels:
            await client.aclose()
    return str(host), int(port)


def _unknown(error: Exception) -> Down:
    return Down(f"no sentinel names a primary ({type(error).__name__})")


def _arguments(target: Target, timeouts: Timeouts) -> dict[str, Any]:
    # They are asked one after the other: each may take its share of what the call has left.
    left = remaining()
    share = timeouts if left is None else timeouts.within(left / len(target.addresses))
    arguments: dict[str, Any] = {
        "username": target.sentinel_username,
        "password": target.sentinel_password,
        "socket_timeout": share.attempt,
        "socket_connect_timeout": share.connect,
        # memkit tries again itself; two layers would multiply.
        "retry": Retry(NoBackoff(), 0),
        "protocol": target.protocol,
    }
    if target.tls is not None:
        arguments |= {"ssl": True, **_tls_arguments(target.tls)}
    return arguments


def _tls_arguments(tls: Tls) -> dict[str, Any]:
    """Certificate and host name are checked unless `verify` is off."""
    return {
        "ssl_ca_certs": tls.ca_file,
        "ssl_certfile": tls.cert_file,
        "ssl_keyfile": tls.key_file,
        "ssl_cert_reqs": "required" if tls.verify else "none",
        "ssl_check_hostname": tls.verify,
    }
