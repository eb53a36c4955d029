"""Locks that a revision waits for: never so long that others queue behind it.

A statement that waits for a lock keeps away everybody who comes after it, also those who would only read. So it gives
up after a moment, its revision is rolled back, the others go on, and it comes back. What was committed on the way, by
an autocommit block, cannot be rolled back: such a revision is not tried again, unless it was an operation of dal's,
which may be repeated; and it waits within the block as long as it takes, since CREATE INDEX CONCURRENTLY that gives up
leaves an invalid index.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final

import asyncpg
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection

from dal.backoff import backoff_s
from dal.errors import DatabaseError, DeadlockDetected, LockNotAvailable
from dal.migrations.blockers import Blockers
from dal.migrations.operations.committing import MAY_BE_REPEATED
from dal.migrations.options import Patience

_log: Final = logging.getLogger("dal.migrations")
# The most that is waited between two tries, apart from what a statement waits.
_LONGEST_S: Final = 10.0


class Locking:
    """What one connection does about locks while it migrates."""

    def __init__(self, connection: AsyncConnection, patience: Patience, blockers: Blockers) -> None:
        self._connection, self._patience, self._blockers = connection, patience, blockers
        # Whether the revision that is being run has committed something before its end.
        self._is_torn = self._may_be_repeated = False
        event.listen(connection.sync_connection, "set_connection_execution_options", self._told)

    async def begin(self) -> None:
        """Have every statement wait for locks no longer than it may; and one whose client is gone end soon."""
        driver = await driver_of(self._connection)
        await driver.execute(_lock_timeout(self._patience.lock_timeout_s))
        try:
            await driver.execute("SET client_connection_check_interval = '2s'")
        except asyncpg.PostgresError:
            return  # a server whose system has no way to know

    def revised(self, **_: Any) -> None:
        """Note that a revision has come to its end; one of Alembic's `on_version_apply`."""
        self._is_torn = False

    def _told(self, connection: Connection, options: dict[str, Any]) -> None:
        """Hear of an autocommit block's begin and end."""
        self._may_be_repeated = options.get(MAY_BE_REPEATED, self._may_be_repeated)
        level = options.get("isolation_level")
        if level is not None:
            is_block = level == "AUTOCOMMIT"
            self._is_torn = self._is_torn or (is_block and not self._may_be_repeated)
            statement = _lock_timeout(0 if is_block else self._patience.lock_timeout_s)
            adapted: Any = connection.connection.dbapi_connection
            adapted.rollback()  # Alembic has asked for the level just now, in a transaction that is rolled back next
            adapted.run_async(lambda driver: driver.execute(statement))

    async def run(self, attempt: Callable[[Connection], None]) -> None:
        """Run *attempt*, and again while it fails only of locks; it must go on where it came to."""
        started, tries = time.monotonic(), 0
        while True:
            try:
                async with self._blockers.watched():
                    await self._connection.run_sync(attempt)
            except (LockNotAvailable, DeadlockDetected) as error:
                await self._connection.rollback()
                tries += 1
                waited_s = time.monotonic() - started
                if self._is_torn or waited_s >= self._patience.give_up_after_s:
                    self._explain(error, waited_s, tries)
                    raise
                pause_s = self._patience.lock_timeout_s / 2 + backoff_s(tries, first_s=0.5, longest_s=_LONGEST_S)
                _log.info("a revision waits for a lock; try %d in %.2f s. %s", tries + 1, pause_s, self._blockers.words)
            else:
                await self._connection.commit()
                return
            await asyncio.sleep(pause_s)

    def _explain(self, error: DatabaseError, waited_s: float, tries: int) -> None:
        if self._is_torn:
            error.add_detail(
                "the revision has committed a part of itself, by an autocommit block, and is not tried again"
            )
        else:
            error.add_detail(f"the lock was not free for {waited_s:.1f} s, in {tries} tries")
        if self._blockers.words:
            error.add_detail(self._blockers.words)


async def driver_of(connection: AsyncConnection) -> asyncpg.Connection:
    """Give asyncpg's connection."""
    raw: Any = await connection.get_raw_connection()
    return raw.driver_connection


def _lock_timeout(seconds: float) -> str:
    return f"SET lock_timeout = {round(seconds * 1000)}"
