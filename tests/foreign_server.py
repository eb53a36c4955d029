"""A server that speaks no English: a proxy that translates the human fields of errors and notices, and nothing else.

PostgreSQL translates severity (S), message (M), detail (D) and hint (H) by its `lc_messages`; the severity in English
(V), the SQLSTATE (C) and the names of objects stay. Of the words only what stands in quotes is kept, as a translation
keeps it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from sqlalchemy import URL

from dal.testing import wire
from tests.serving import serving

_SEVERITIES: Final = {b"ERROR": "ОШИБКА", b"FATAL": "ВАЖНО", b"PANIC": "ПАНИКА", b"NOTICE": "ЗАМЕЧАНИЕ"}
_NO_TLS: Final = b"N"
_STARTUP_BYTES: Final = 8


@asynccontextmanager
async def translated(target: URL) -> AsyncGenerator[URL]:
    """Lend the address of a server that is *target*, translated."""
    async with serving(partial(_pass_on, target)) as port:
        yield target.set(host="127.0.0.1", port=port, query={})


async def _pass_on(target: URL, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
    startup = await client.readexactly(_STARTUP_BYTES)
    if int.from_bytes(startup[4:]) in wire.ENCRYPTIONS:
        to_client.write(_NO_TLS)
        startup = b""
    server, to_server = await _dial(target)
    to_server.write(startup)
    either = [asyncio.create_task(_forward(client, to_server)), asyncio.create_task(_back(server, to_client))]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in either:
            task.cancel()
        await asyncio.gather(*either, return_exceptions=True)
        to_server.transport.abort()
    if to_client.transport.get_write_buffer_size():
        await to_client.drain()


async def _forward(client: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
    while said := await client.read(1 << 16):
        to_server.write(said)
        await to_server.drain()


async def _back(server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
    frames = wire.Frames()
    while said := await server.read(1 << 16):
        for message in frames.feed(said):
            to_client.write(_translate(message))
        await to_client.drain()
    to_client.close()  # what is written goes out first
    await to_client.wait_closed()


def _translate(message: bytes) -> bytes:
    if message[:1] not in {wire.ERROR, wire.NOTICE}:
        return message
    fields = [(field[:1], field[1:]) for field in message[5:].split(b"\0") if field]
    if (b"R", b"exec_stmt_raise") in fields:  # nobody has translated what a function raises
        return message
    return wire.frame(message[:1], b"".join(key + _in_russian(key, words) + b"\0" for key, words in fields) + b"\0")


def _in_russian(key: bytes, words: bytes) -> bytes:
    if key == b"S":
        return _SEVERITIES.get(words, "СООБЩЕНИЕ").encode()
    if key not in {b"M", b"D", b"H"}:
        return words
    kept = "".join(f" «{name}»" for name in re.findall(r'"([^"]*)"', words.decode()))
    return f"не по-английски{kept}".encode()


async def _dial(target: URL) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host = target.host or str(target.query.get("host", "localhost"))
    port = str(target.port or target.query.get("port", 5432))
    if host.startswith("/"):
        return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
    return await asyncio.open_connection(host, port)
