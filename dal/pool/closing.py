"""Connections are closed in the background, and count against the pool's size until the server has let go of them.

Refuses: deciding which.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import asyncpg

from dal.pool.tasks import Tasks

# A statement that is still running is cancelled first; a server that does not answer to that in a second is not there.
_PATIENCE_S: Final = 1.0


class Closer:
    """Closes connections; *closed* is called after each."""

    def __init__(self, closed: Callable[[], None]) -> None:
        self._closed = closed
        self._tasks = Tasks()

    def __len__(self) -> int:
        return len(self._tasks)

    def close(self, driver: asyncpg.Connection, *, in_its_loop: bool = True) -> None:
        """Begin to close *driver*; anywhere else than in its loop it is cut off without a word."""
        if driver.is_closed():
            return
        if in_its_loop:
            self._tasks.start(self._close(driver), self._closed)
        else:
            with suppress(RuntimeError):  # its loop is closed, and its socket with it
                driver.terminate()

    async def done(self) -> None:
        """Wait until all are closed."""
        await self._tasks.done()

    async def _close(self, driver: asyncpg.Connection) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await driver.close()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncpg.InternalClientError):
            driver.terminate()
