"""A network to cut and to count on: a proxy between dal and the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Self

from sqlalchemy import URL


class Proxy:
    """Passes bytes on; `round_trips` counts the client's turns to speak, `cut()` breaks every connection."""

    def __init__(self, target: URL) -> None:
        self.round_trips = 0
        self.holding = asyncio.Event()
        self._target = target
        self._refusing = False
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, port: int = 0) -> Self:
        """Listen on a loopback port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self._port: int = self._server.sockets[0].getsockname()[1]
        return self

    @property
    def url(self) -> URL:
        """The address of the target's database by way of this proxy."""
        return self._target.set(host="127.0.0.1", port=self._port, query={})

    def hold(self) -> None:
        """Answer nobody new: their connections are accepted, and hear nothing until `release()`."""
        self._open.clear()

    def refuse(self) -> None:
        """Reset everyone who comes."""
        self._refusing = True

    def release(self) -> None:
        """Serve those who were held, and the new ones."""
        self._refusing = False
        self._open.set()

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def close(self) -> None:
        """Cut everything, and listen no more."""
        self._server.close()
        self.refuse()
        self._open.set()
        while self._tasks:
            self.cut()
            await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            await self._connect(reader, writer)
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open.is_set():
            self.holding.set()
            await self._open.wait()
        if self._refusing:
            return
        server_reader, server_writer = await _dial(self._target)
        try:
            await self._pass_on(reader, writer, server_reader, server_writer)
        finally:
            server_writer.transport.abort()

    async def _pass_on(
        self,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        async def forward() -> None:
            while said := await client.read(65536):
                self.round_trips += turn.is_set()
                turn.clear()
                to_server.write(said)
                await to_server.drain()

        async def back() -> None:
            while said := await server.read(65536):
                turn.set()
                to_client.write(said)
                await to_client.drain()

        turn = asyncio.Event()
        turn.set()
        either = [asyncio.create_task(forward()), asyncio.create_task(back())]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in either:
                task.cancel()
            await asyncio.gather(*either, return_exceptions=True)


@asynccontextmanager
async def proxy_to(target: URL) -> AsyncGenerator[Proxy]:
    """Put a proxy in front of *target* while the block runs."""
    proxy = await Proxy(target).listen()
    try:
        yield proxy
    finally:
        await proxy.close()


async def _dial(target: URL) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    where = {**target.translate_connect_args(), **target.query}
    host, port = str(where.get("host", "localhost")), int(where.get("port", 5432))
    if host.startswith("/"):
        return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
    return await asyncio.open_connection(host, port)
