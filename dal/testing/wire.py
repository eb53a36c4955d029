"""PostgreSQL's protocol, version 3, as far as a go-between must know it.

Source: "Message Formats" in PostgreSQL's documentation. A frame is one message whole: its kind, its length, its body.
Refuses: knowing who speaks.
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import Iterator, Mapping
from typing import Final

# Kinds of messages from a client.
QUERY: Final = b"Q"
SYNC: Final = b"S"
TERMINATE: Final = b"X"
PARSE: Final = b"P"
BIND: Final = b"B"
EXECUTE: Final = b"E"
CALL: Final = b"F"
COPY_DATA: Final = b"d"
COPY_ENDS: Final = (b"c", b"f")
COPIES: Final = (COPY_DATA, *COPY_ENDS)
# What the server answers with ReadyForQuery.
ENDS: Final = (QUERY, SYNC, CALL)
_SAID: Final = frozenset(b"QSXPBEFdcfDCH")
# Kinds of messages from a server.
AUTHENTICATION: Final = b"R"
COMMAND_COMPLETE: Final = b"C"
COPY_IN: Final = b"G"
ERROR: Final = b"E"
NOTICE: Final = b"N"
SUSPENDED: Final = b"s"
READY: Final = b"Z"

VERSION: Final = 3
# Codes in place of a protocol version.
CANCEL: Final = 80877102
ENCRYPTIONS: Final = (80877103, 80877104)  # TLS, GSSAPI

_OPTION: Final = re.compile(r"(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\s\\])*)")

IDLE: Final = b"I"
IN_TRANSACTION: Final = b"T"
FAILED: Final = b"E"

_HEADER_BYTES: Final = 5
_LENGTH_BYTES: Final = 4
_MOST_STARTUP_BYTES: Final = 10_000  # PostgreSQL's own limit
_MOST_BYTES: Final = 1 << 30


class Garbage(Exception):
    """What came is none of the protocol's messages."""


class Outbox:
    """Joins what is written within one turn of the loop into one system call."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send *data* with all else that comes before the loop goes on."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self._waiting.append(data)

    def flush(self) -> None:
        """Send what waits."""
        if self._waiting and not self._transport.is_closing():
            self._transport.write(b"".join(self._waiting))
        self._waiting.clear()


class Frames:
    """Cuts a stream into frames; what is not whole yet waits for more.

    A client's first frame *is_startup*, without a kind; whoever has taken the last such one says so.
    """

    def __init__(self, *, is_startup: bool = False) -> None:
        self.is_startup = is_startup
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give the frames that are whole with *data*; raises `Garbage` for a length that no message has."""
        rest, at = self._rest, 0
        rest += data
        while True:
            kind_bytes = 0 if self.is_startup else 1
            length = int.from_bytes(rest[at + kind_bytes : at + kind_bytes + _LENGTH_BYTES])
            if len(rest) - at < kind_bytes + _LENGTH_BYTES:
                break
            if not _LENGTH_BYTES <= length <= (_MOST_STARTUP_BYTES if self.is_startup else _MOST_BYTES):
                raise Garbage(f"a message of {length} bytes")
            if len(rest) - at < kind_bytes + length:
                break
            yield bytes(rest[at : at + kind_bytes + length])
            at += kind_bytes + length
        del rest[:at]


def frame(kind: bytes, body: bytes) -> bytes:
    """Make the message of *kind*."""
    return kind + struct.pack("!I", len(body) + 4) + body


SYNC_MESSAGE: Final = frame(SYNC, b"")


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


def greeting(settings: Mapping[str, str], pid: int, secret: int) -> bytes:
    """Say all that a server says to a client whom it lets in: ready at the end."""
    parameters = [frame(b"S", f"{name}\0{value}\0".encode()) for name, value in settings.items()]
    key = frame(b"K", struct.pack("!II", pid, secret))
    return b"".join([frame(AUTHENTICATION, struct.pack("!I", 0)), *parameters, key, ready(IDLE)])


def startup_options(body: bytes) -> dict[str, str]:
    """Read the names and values of a startup message, past its version; those in `options` among them."""
    words = [word.decode(errors="replace") for word in body.split(b"\0")]
    given = {name: value for name, value in zip(words[::2], words[1::2], strict=False) if name}
    found = _OPTION.findall(given.pop("options", ""))
    return given | {name.replace("-", "_"): re.sub(r"\\(.)", r"\1", value) for name, value in found}


def said(message: bytes) -> bytes:
    """Give the kind of a client's message; raises `Garbage` if clients say no such thing."""
    if message[0] not in _SAID:
        raise Garbage(f"a message of kind {message[:1]!r}")
    return message[:1]


def named(message: bytes) -> tuple[bytes, bytes]:
    """Read the first two names in a message: of a Bind, the portal and the prepared statement."""
    first, _, rest = message[_HEADER_BYTES:].partition(b"\0")
    return first, rest.partition(b"\0")[0]


def parse(name: bytes, text: str) -> bytes:
    """Prepare a statement without parameters."""
    return frame(PARSE, name + b"\0" + text.encode() + b"\0\0\0")


def completed(tag: bytes) -> bytes:
    """Say that a statement is done."""
    return frame(COMMAND_COMPLETE, tag + b"\0")


def renamed(message: bytes, prefix: bytes) -> bytes:
    """Put *prefix* before the name of the prepared statement in *message*, if there is one with a name."""
    kind, body = message[:1], message[_HEADER_BYTES:]
    if kind == PARSE:
        return frame(kind, prefix + body) if body[:1] != b"\0" else message
    if kind == BIND:
        portal, _, rest = body.partition(b"\0")
        return frame(kind, portal + b"\0" + prefix + rest) if rest[:1] != b"\0" else message
    if kind in {b"D", b"C"} and body[:1] == b"S" and body[1:2] != b"\0":
        return frame(kind, b"S" + prefix + body[1:])
    return message
