"""Certificates for servers on loopback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """Paths of a certificate authority and of one certificate and key for each side."""

    ca: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path

    def options(self) -> dict[str, str]:
        """Return the server's options that demand these certificates."""
        paths = {"tls-ca-cert-file": self.ca, "tls-cert-file": self.server_cert, "tls-key-file": self.server_key}
        return {name: f'"{path}"' for name, path in paths.items()}

    def query(self) -> str:
        """Return the part of a ``rediss://`` URL that presents these certificates."""
        paths = {"ssl_ca_certs": self.ca, "ssl_certfile": self.client_cert, "ssl_keyfile": self.client_key}
        return urlencode({name: str(path) for name, path in paths.items()})


def make_certificates(directory: Path) -> Certificates:
    """Write a new authority and certificates for ``localhost`` and ``127.0.0.1`` into a directory.

    Needs the package ``trustme``.

    Args:
        directory: where the files are written; made if absent.
    """
    import trustme  # noqa: PLC0415 - only these tests need it

    directory.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    for side, names in (("server", ("localhost", "127.0.0.1")), ("client", ("memkit.test",))):
        issued = authority.issue_cert(*names)
        issued.private_key_pem.write_to_path(str(directory / f"{side}.key"))
        issued.cert_chain_pems[0].write_to_path(str(directory / f"{side}.pem"))
    files = ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")
    return Certificates(*(directory / name for name in files))
