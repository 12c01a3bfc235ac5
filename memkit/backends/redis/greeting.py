"""How a connection of our own begins: TLS, then login, protocol, name and database in one write."""

from __future__ import annotations

import functools
import ssl

from memkit.backends.redis.calls import Argument, Commands
from memkit.backends.redis.target import Target, Tls

__all__ = ["greeting", "tls_context"]


def greeting(target: Target) -> Commands:
    """What is sent first."""
    login: tuple[Argument, ...] = ()
    if target.password is not None:
        login = ("AUTH", target.username or "default", target.password)
    commands: list[tuple[Argument, ...]] = [("HELLO", target.protocol, *login)]
    if target.client_name is not None:
        commands.append(("CLIENT", "SETNAME", target.client_name))
    if target.db:
        commands.append(("SELECT", target.db))
    return tuple(commands)


@functools.lru_cache(maxsize=64)
def tls_context(tls: Tls) -> ssl.SSLContext:
    """Certificate and host name are checked unless `verify` is off."""
    context = ssl.create_default_context(cafile=tls.ca_file)
    if tls.cert_file is not None:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
