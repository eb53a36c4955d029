"""PostgreSQL's protocol, version 3, as far as a go-between must know it.

Source: "Message Formats" in PostgreSQL's documentation. A frame is one message whole: its kind, its length, its body.
Refuses: knowing who speaks.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from typing import Final

# Kinds of messages from a client.
QUERY: Final = b"Q"
SYNC: Final = b"S"
TERMINATE: Final = b"X"
PARSE: Final = b"P"
COPY_DATA: Final = b"d"
COPY_ENDS: Final = (b"c", b"f")
# Kinds of messages from a server.
AUTHENTICATION: Final = b"R"
COMMAND_COMPLETE: Final = b"C"
COPY_IN: Final = b"G"
ERROR: Final = b"E"
READY: Final = b"Z"

# Codes in place of a protocol version.
CANCEL: Final = 80877102
ENCRYPTIONS: Final = (80877103, 80877104)  # TLS, GSSAPI

IDLE: Final = b"I"
IN_TRANSACTION: Final = b"T"
FAILED: Final = b"E"

_HEADER_BYTES: Final = 5


class Outbox:
    """Joins what is written within one turn of the loop into one system call."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send *data* with all else that comes before the loop goes on."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(data)

    def _flush(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"".join(self._waiting))
        self._waiting.clear()


class Frames:
    """Cuts a stream into frames; what is not whole yet waits for more."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Give the frames that are whole with *data*."""
        rest, at, whole = self._rest, 0, list[bytes]()
        rest += data
        while len(rest) - at >= _HEADER_BYTES:
            size = 1 + int.from_bytes(rest[at + 1 : at + _HEADER_BYTES])
            if len(rest) - at < size:
                break
            whole.append(bytes(rest[at : at + size]))
            at += size
        del rest[:at]
        return whole


def frame(kind: bytes, body: bytes) -> bytes:
    """Make the message of *kind*."""
    return kind + struct.pack("!I", len(body) + 4) + body


def query(text: str) -> bytes:
    """Make a simple query, which may hold several statements."""
    return frame(QUERY, text.encode() + b"\0")


def query_text(message: bytes) -> str:
    """Read the text of a simple query, or of a Parse."""
    body = message[_HEADER_BYTES:]
    if message[:1] == PARSE:
        body = body.partition(b"\0")[2]
    return body.partition(b"\0")[0].decode(errors="replace")


def ready(status: bytes) -> bytes:
    """Say that the server waits for a query."""
    return frame(READY, status)


def error(sqlstate: str, message: str, severity: str = "ERROR") -> bytes:
    """Say that something failed."""
    fields = {"S": severity, "V": severity, "C": sqlstate, "M": message}
    return frame(ERROR, b"".join(f"{key}{value}\0".encode() for key, value in fields.items()) + b"\0")


def error_text(message: bytes) -> str:
    """Read the primary message of an error."""
    fields = message[_HEADER_BYTES:].split(b"\0")
    return next((field[1:].decode(errors="replace") for field in fields if field[:1] == b"M"), "no message")


def greeting(settings: Mapping[str, str], pid: int, secret: int) -> bytes:
    """Say all that a server says to a client whom it lets in: ready at the end."""
    parameters = [frame(b"S", f"{name}\0{value}\0".encode()) for name, value in settings.items()]
    key = frame(b"K", struct.pack("!II", pid, secret))
    return b"".join([frame(AUTHENTICATION, struct.pack("!I", 0)), *parameters, key, ready(IDLE)])


def startup_options(body: bytes) -> dict[str, str]:
    """Read the names and values of a startup message, past its version."""
    words = body.split(b"\0")
    pairs = zip(words[::2], words[1::2], strict=False)
    return {name.decode(): value.decode() for name, value in pairs if name}


def renamed(message: bytes, prefix: bytes) -> bytes:
    """Put *prefix* before the name of the prepared statement in *message*, if there is one with a name."""
    kind, body = message[:1], message[_HEADER_BYTES:]
    if kind == PARSE:
        return frame(kind, prefix + body) if body[:1] != b"\0" else message
    if kind == b"B":
        portal, _, rest = body.partition(b"\0")
        return frame(kind, portal + b"\0" + prefix + rest) if rest[:1] != b"\0" else message
    if kind in {b"D", b"C"} and body[:1] == b"S" and body[1:2] != b"\0":
        return frame(kind, b"S" + prefix + body[1:])
    return message
