"""Where a request and a reply of RESP2 and RESP3 begin and end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

Command = tuple[bytes, ...]


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Read one whole reply, whatever its type and depth, and return its bytes."""
    chunks: list[bytes] = []
    missing = 1
    while missing:
        line = await reader.readuntil(b"\r\n")
        chunks.append(line)
        kind, rest = line[:1], line[1:-2]
        missing -= 1
        if kind in b"$=!" and rest != b"-1":
            chunks.append(await reader.readexactly(int(rest) + 2))
        missing += _members(kind, rest)
    return b"".join(chunks)


def _members(kind: bytes, count: bytes) -> int:
    if kind in b"*~>":
        return max(int(count), 0)
    if kind == b"%":
        return 2 * int(count)
    # Attributes stand in front of the reply that they describe.
    return 2 * int(count) + 1 if kind == b"|" else 0


def parse_command(frame: bytes) -> Command:
    """Return the arguments of a request: an array of bulk strings, or a line of words."""
    if not frame.startswith(b"*"):
        return tuple(frame.split()) or (b"",)
    start = frame.index(b"\r\n") + 2
    arguments = []
    while start < len(frame):
        body = frame.index(b"\r\n", start) + 2
        end = body + int(frame[start + 1 : body - 2])
        arguments.append(frame[body:end])
        start = end + 2
    return tuple(arguments) or (b"",)
