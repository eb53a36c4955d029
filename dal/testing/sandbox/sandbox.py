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
from dal.testing.sandbox.client import Client
from dal.testing.sandbox.transaction import Transaction

_PORT: Final = 5432
# Longer than the server needs to stop any statement.
_PATIENCE_S: Final = 10.0


class Sandbox:
    """Lent from `begin()` to `end()`, which rolls everything back. To be used in one loop, not that of a test.

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
        self._listener: asyncio.Server | None = None
        self._transaction: Transaction | None = None

    @property
    def is_open(self) -> bool:
        """Whether `begin()` may be called; to be asked from any thread."""
        return self._transaction is not None and not self._transaction.is_lost

    async def open(self) -> None:
        """Connect, and take connections."""
        self._transaction = Transaction(await self._connect(), self._cancel)
        if self._listener is None:
            path = self._folder / f".s.PGSQL.{_PORT}"
            self._listener = await asyncio.get_running_loop().create_unix_server(self._client, path)

    def begin(self) -> None:
        """Begin a new transaction, without waiting for it."""
        assert self._transaction is not None  # noqa: S101 # it is open
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
        clients = list(self._clients.values())
        for client in clients:
            client.leave()
        if clients:
            await asyncio.wait([client.gone for client in clients])

    async def close(self) -> None:
        """Listen no more, and close the connection."""
        if self._listener is not None:
            self._listener.close()
        if self._transaction is not None:
            self._transaction.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _client(self) -> Client:
        assert self._transaction is not None  # noqa: S101 # it is there before the listener
        return Client(self._transaction, self._clients, str(self.url.database))
