"""An address whose transactions are all one.

Whoever connects there, from whatever loop, thread or process, and with whatever driver, speaks to one connection of the
server. So nothing in the code under test knows. Refuses: deciding which tests run in it.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy import URL

from dal.errors import SandboxBroken
from dal.testing import wire
from dal.testing.sandbox.client import Client
from dal.testing.sandbox.transaction import Transaction

_PORT: Final = 5432
# Longer than the server needs to stop any statement.
_PATIENCE_S: Final = 10.0


class Sandbox:
    """Opened for a test by `begin()`; `end()` rolls everything back. To be used in one loop, not that of a test.

    *connect* opens a connection of asyncpg's own to the database; *cancel* stops what the server's process of that
    number is running. A sandbox listens on a unix socket that is this user's alone.
    """

    def __init__(
        self,
        url: URL,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        cancel: Callable[[int], Awaitable[Any]],
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="dal-sandbox-"))
        self.url = URL.create(
            url.drivername,
            username=url.username,
            database=url.database,
            query={"host": str(self._folder), "port": str(_PORT)},
        )
        self._connect = connect
        self._cancel = cancel
        self._clients: dict[int, Client] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._transaction: Transaction | None = None

    async def begin(self) -> None:
        """Take connections, in a transaction that is new."""
        if self._listener is None:
            self._listener = await asyncio.start_unix_server(self._serve, self._folder / f".s.PGSQL.{_PORT}")
        if self._transaction is None or self._transaction.is_lost:
            self._transaction = Transaction(await self._connect(), self._cancel)
        self._transaction.begin()

    async def end(self) -> None:
        """Throw out who is still connected, and roll back.

        Raises `SandboxBroken` if the transaction was over before: the database is no longer as it was.
        """
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._throw_out()
        except TimeoutError:
            if self._transaction is not None:
                self._transaction.close()  # which rolls back too, and the next test begins on another connection
        if self._transaction is None or self._transaction.is_lost:
            return
        self._transaction.end()
        if self._transaction.ended_by is not None:
            raise SandboxBroken(
                f"the sandbox's transaction was ended from inside, by {self._transaction.ended_by!r}. "
                "Mark the test with pytest.mark.database: there a script may commit."
            )

    async def _throw_out(self) -> None:
        for client in list(self._clients.values()):
            await client.leave()
        if self._serving:
            await asyncio.wait(self._serving)

    async def close(self) -> None:
        """Listen no more, and close the connection."""
        if self._listener is not None:
            self._listener.close()
        if self._transaction is not None:
            self._transaction.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 # asyncio calls this in a task
        self._serving.add(task)
        try:
            code, body = await _startup(reader, writer)
            if code == wire.CANCEL:
                await self._cancel_statement(secret=int.from_bytes(body[4:8]))
            elif self._transaction is not None:
                await self._serve_client(Client(self._transaction, reader, writer, wire.startup_options(body)))
        except (OSError, asyncio.IncompleteReadError):
            pass  # gone in the middle of a word
        finally:
            writer.transport.abort()
            self._serving.discard(task)

    async def _serve_client(self, client: Client) -> None:
        self._clients[client.secret] = client
        try:
            await client.serve()
        finally:
            await client.leave()
            del self._clients[client.secret]

    async def _cancel_statement(self, secret: int) -> None:
        client = self._clients.get(secret)
        if client is not None and self._transaction is not None:
            await self._transaction.cancel(client)


async def _startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, bytes]:
    while True:
        size = int.from_bytes(await reader.readexactly(4))
        body = await reader.readexactly(size - 4)
        code = int.from_bytes(body[:4])
        if code not in wire.ENCRYPTIONS:
            return code, body[4:]
        writer.write(b"N")
