"""What the server said before it closed a connection that nobody used: asyncpg does not hear it.

Why a transaction that waited too long, or an idle session, was ended comes in an ErrorResponse that nobody asked for;
asyncpg takes that for a fault in the protocol and forgets it. So one more reader stands before it, which costs some
0.2 us for each time the socket is read. Refuses: changing what asyncpg hears.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import asyncpg

if TYPE_CHECKING:
    from dal.pool.connection import Connection

_ERROR: Final = b"E"
_HEADER_BYTES: Final = 5
_GONE: Final = frozenset({"FATAL", "PANIC"})


class LastWords(asyncio.Protocol):
    """Keeps what was read at last, if it begins with an error."""

    __slots__ = ("_last", "_read", "connection_lost", "eof_received", "pause_writing", "resume_writing")

    def __init__(self, protocol: Any) -> None:
        self._last = b""
        self._read = protocol.data_received
        for name in ("connection_lost", "eof_received", "pause_writing", "resume_writing"):
            setattr(self, name, getattr(protocol, name))

    def data_received(self, data: bytes) -> None:
        """Pass on what the server says."""
        self._last = data if data[0] == _ERROR[0] else b""
        self._read(data)

    def error(self) -> asyncpg.PostgresError | None:
        """Give the error that ended the connection, if the server said one."""
        end = 1 + int.from_bytes(self._last[1:_HEADER_BYTES])
        texts = self._last[_HEADER_BYTES:end].decode(errors="replace").split("\0")
        fields = {text[0]: text[1:] for text in texts if text}
        return asyncpg.PostgresError.new(fields) if fields.get("V") in _GONE else None


def listen_for_last_words(driver: Connection) -> None:
    """Keep what the server says at last, in `driver.last_words`."""
    transport: Any = driver._transport  # noqa: SLF001 # asyncpg has no public way to it; held by a contract test
    driver.last_words = LastWords(transport.get_protocol())
    transport.set_protocol(driver.last_words)
