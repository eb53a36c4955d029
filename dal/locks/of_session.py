"""Advisory locks of a session: held on a connection of their own, over any number of transactions on others.

Waits by asking again and again: who waits in the server holds a snapshot, which CREATE INDEX CONCURRENTLY waits for in
turn. A connection that may hold a lock never goes back to the pool: whatever is not answered ends it, and its lock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from typing import Final

import asyncpg

from dal.backoff import backoff_s
from dal.errors import ConnectionLost, driver_errors_named
from dal.locks.holders import not_available
from dal.locks.key import AdvisoryKey
from dal.telemetry import statement_sent

Checkout = Callable[[], AbstractAsyncContextManager[asyncpg.Connection]]

# The server does next to nothing to unlock: one that has not answered by then is not there.
UNLOCK_S: Final = 5.0
_FAILURES: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class HeldLock:
    """An advisory lock while it is held."""

    def __init__(self, driver: asyncpg.Connection, key: AdvisoryKey) -> None:
        self._driver = driver
        self._key = key
        self._turn = asyncio.Lock()
        self._is_over = False

    @property
    def is_held(self) -> bool:
        """Whether it is held as far as this process has heard; costs nothing."""
        return not (self._is_over or self._driver.is_closed())

    async def check(self) -> None:
        """Ask the server, in one round trip; raises `ConnectionLost` if the lock is not held any more."""
        self._driver.place.check()  # type: ignore[attr-defined,unused-ignore] # the driver's connections are dal's own
        async with self._turn:
            if not self.is_held:
                raise self.lost()
            with driver_errors_named(driver=self._driver):
                await self._driver.execute("SELECT 1")

    async def free(self) -> bool:
        """Unlock, in `UNLOCK_S` at the most; tells whether it was held until now."""
        self._is_over = True
        if self._driver.is_closed():
            return False
        try:
            # Also a task that is cancelled before its turn to unlock must not give the connection back with the lock.
            with _ended_unless_answered(self._driver):
                async with asyncio.timeout(UNLOCK_S), self._turn:
                    return await _answer(self._driver, self._key, "pg_advisory_unlock")
        except _FAILURES:
            return False

    def lost(self) -> ConnectionLost:
        """Make the error of a lock that was lost."""
        return ConnectionLost(
            f"{self._key.words} was lost with its connection: somebody else may have held it before this was noticed. "
            "Check what was done under it."
        )


@asynccontextmanager
async def held(checkout: Checkout, key: AdvisoryKey, patience_s: float) -> AsyncGenerator[HeldLock]:
    """Hold the lock, on a connection of *checkout*, for the length of the block."""
    lock, connection = await _wait(checkout, key, patience_s)
    try:
        yield lock
    except BaseException as error:
        if not await _end(lock, connection):
            error.add_note(str(lock.lost()))
        raise
    if not await _end(lock, connection):
        raise lock.lost()


async def _wait(checkout: Checkout, key: AdvisoryKey, patience_s: float) -> tuple[HeldLock, AsyncExitStack]:
    started = time.monotonic()
    tries = 0
    while True:
        waited_s = time.monotonic() - started
        # Given back between the tries: those who wait must not keep the connections that the holder's work needs.
        async with AsyncExitStack() as connection:
            driver = await connection.enter_async_context(checkout())
            if await _answer(driver, key, "pg_try_advisory_lock"):
                return HeldLock(driver, key), connection.pop_all()
            if waited_s >= patience_s:
                raise await not_available(driver.fetch, key, waited_s if patience_s > 0 else 0.0)
        tries += 1
        await asyncio.sleep(min(backoff_s(tries), max(0.0, patience_s - (time.monotonic() - started))))


async def _end(lock: HeldLock, connection: AsyncExitStack) -> bool:
    try:
        return await lock.free()
    finally:
        await connection.aclose()  # without what the block raised, which is none of the connection's errors


async def _answer(driver: asyncpg.Connection, key: AdvisoryKey, function: str) -> bool:
    statement = f"SELECT {key.call(function)}"
    with statement_sent(statement, key.numbers), _ended_unless_answered(driver):
        return bool(await driver.fetchval(statement, *key.numbers))


@contextmanager
def _ended_unless_answered(driver: asyncpg.Connection) -> Generator[None]:
    try:
        yield
    except BaseException:
        # The server may have done what it was asked for, unheard.
        driver.terminate()
        raise
