"""What is done to a connection that comes back, before somebody else gets it.

After a cancelled statement the server's answer is waited for, and what it left open is rolled back, off everybody's
path. By choice the connection is pinged, or its session is reset.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import asyncpg

from dal.pool.driver import Watched
from dal.pool.slot import Slot
from dal.pool.tasks import Tasks
from dal.pool_config import Recycling

# A server that has not answered to a cancellation in a second will not: the connection is given up.
PATIENCE_S: Final = 1.0

_PING: Final = "SELECT 1"
# Also allowed in a transaction that has failed.
_NOTHING: Final = ";"
# DISCARD ALL without its DEALLOCATE ALL and DISCARD PLANS: prepared statements stay good.
_CLEAN: Final = (
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ROLE; RESET ALL; UNLISTEN *; "
    "SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
)
# The last is what asyncpg says of a connection that is going: it has read the server's farewell, and not yet its end.
_FAILURES: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncpg.InternalClientError)
_STATEMENTS: Final = {"fast": None, "verified": _PING, "clean": _CLEAN}


class Recycler:
    """Makes connections fit again: *fit* gets those that are, *unfit* the others."""

    def __init__(self, level: Recycling, fit: Callable[[Slot], None], unfit: Callable[[Slot], None]) -> None:
        self._statement = _STATEMENTS[level]
        self._fit, self._unfit = fit, unfit
        self._tasks = Tasks()

    def is_clean(self, slot: Slot) -> bool:
        """Tell whether nothing has to be done."""
        watched = slot.watched
        return self._statement is None and watched.is_at_rest and not watched.is_parsed_only

    def can_mend(self, slot: Slot) -> bool:
        """Tell whether it can be made fit: not if it was left in a transaction, or in the middle of a statement."""
        watched = slot.watched
        return watched.is_cancelling() or watched.is_at_rest or watched.is_begun_only

    def start(self, slot: Slot) -> None:
        """Make it fit, in the background."""
        self._tasks.start(self._recycle(slot, self._statement, self._fit))

    def ping(self, slot: Slot, answered: Callable[[Slot], None]) -> None:
        """Ask the server for a sign of life, in the background; *answered* gets the connection back."""
        self._tasks.start(self._recycle(slot, _PING, answered))

    def stop(self) -> None:
        """Give up what is under way."""
        self._tasks.cancel()

    def __len__(self) -> int:
        return len(self._tasks)

    async def done(self) -> None:
        """Wait until nothing is under way."""
        await self._tasks.done()

    async def _recycle(self, slot: Slot, statement: str | None, fit: Callable[[Slot], None]) -> None:
        is_fit = False
        try:
            async with asyncio.timeout(PATIENCE_S):
                await _settle(slot.watched)
                if slot.watched.is_parsed_only:
                    await slot.driver.execute(_NOTHING)
                if statement is not None:
                    await slot.driver.execute(statement)
                if statement is _CLEAN:
                    slot.watched.forget_listeners()
            is_fit = True
        except _FAILURES:
            pass  # it is closed, whatever it was
        finally:
            (fit if is_fit else self._unfit)(slot)


async def _settle(watched: Watched) -> None:
    driver = watched.driver
    if watched.is_cancelling():
        await driver.fetchrow(_NOTHING)  # asyncpg sends it when the cancelled statement is answered
    elif not watched.is_begun_only:
        return
    watched.forget_transaction()
    if driver.is_in_transaction():
        await driver.execute("ROLLBACK")
