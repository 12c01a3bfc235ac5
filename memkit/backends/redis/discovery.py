"""Where the primary is: the address itself, or what the sentinels say."""

from __future__ import annotations

from typing import Any

import redis
from attrs import frozen
from redis.backoff import NoBackoff
from redis.retry import Retry

from memkit.backends.redis.faults import Down
from memkit.backends.redis.target import Target, Tls
from memkit.retrying import remaining

__all__ = ["AsyncFinder", "Finder", "Timeouts", "tls_arguments"]

Address = tuple[str, int]


@frozen
class Timeouts:
    """Seconds.

    Attributes:
        connect: to open a connection.
        attempt: for one try, from sending to the last reply.
    """

    connect: float = 2.0
    attempt: float = 2.0

    def within(self, seconds: float) -> Timeouts:
        """No longer than that."""
        bound = max(seconds, 0.001)
        return Timeouts(min(self.connect, bound), min(self.attempt, bound))


def tls_arguments(tls: Tls) -> dict[str, Any]:
    """Arguments of redis-py's TLS connections; certificate and host name are checked unless `verify` is off."""
    return {
        "ssl_ca_certs": tls.ca_file,
        "ssl_certfile": tls.cert_file,
        "ssl_keyfile": tls.key_file,
        "ssl_cert_reqs": "required" if tls.verify else "none",
        "ssl_check_hostname": tls.verify,
    }


def _sentinel_arguments(target: Target, timeouts: Timeouts) -> dict[str, Any]:
    # They are asked one after the other: each may take its share of what the call has left.
    left = remaining()
    share = timeouts if left is None else timeouts.within(left / len(target.addresses))
    arguments: dict[str, Any] = {
        "username": target.sentinel_username,
        "password": target.sentinel_password,
        "socket_timeout": share.attempt,
        "socket_connect_timeout": share.connect,
        "retry": Retry(NoBackoff(), 0),
        "protocol": target.protocol,
    }
    if target.tls is not None:
        arguments |= {"ssl": True, **tls_arguments(target.tls)}
    return arguments


_NOWHERE: Address = ("", 0)


class Finder:
    """Finds the primary for the sync link.

    Args:
        target: the server, or the sentinels that know it.
        timeouts: of asking a sentinel.
    """

    def __init__(self, target: Target, timeouts: Timeouts) -> None:
        self._target = target
        self._timeouts = timeouts
        self._known: Address | None = None

    def find(self) -> Address:
        """Its address.

        Raises:
            Down: no sentinel knows.
        """
        if self._target.mode != "sentinel":
            return self._target.addresses[0] if self._target.addresses else _NOWHERE
        if self._known is None:
            self._known = self._ask()
        return self._known

    def forget(self) -> None:
        """Ask again the next time."""
        self._known = None

    def _ask(self) -> Address:
        kind: Any = redis.Sentinel
        sentinel = kind(list(self._target.addresses), sentinel_kwargs=_sentinel_arguments(self._target, self._timeouts))
        try:
            host, port = sentinel.discover_master(self._target.service)
        except (redis.exceptions.RedisError, OSError) as error:
            raise Down(f"no sentinel names a primary ({type(error).__name__})") from None
        finally:
            for client in sentinel.sentinels:
                client.close()
        return str(host), int(port)


class AsyncFinder:
    """`Finder` for the async link.

    Args:
        target: the server, or the sentinels that know it.
        timeouts: of asking a sentinel.
    """

    def __init__(self, target: Target, timeouts: Timeouts) -> None:
        self._target = target
        self._timeouts = timeouts
        self._known: Address | None = None

    async def find(self) -> Address:
        """See `Finder.find`."""
        if self._target.mode != "sentinel":
            return self._target.addresses[0] if self._target.addresses else _NOWHERE
        if self._known is None:
            self._known = await self._ask()
        return self._known

    def forget(self) -> None:
        """Ask again the next time."""
        self._known = None

    async def _ask(self) -> Address:
        from redis.asyncio.sentinel import Sentinel  # noqa: PLC0415 - few need it

        kind: Any = Sentinel
        sentinel = kind(list(self._target.addresses), sentinel_kwargs=_sentinel_arguments(self._target, self._timeouts))
        try:
            host, port = await sentinel.discover_master(self._target.service)
        except (redis.exceptions.RedisError, OSError) as error:
            raise Down(f"no sentinel names a primary ({type(error).__name__})") from None
        finally:
            for client in sentinel.sentinels:
                await client.aclose()
        return str(host), int(port)
