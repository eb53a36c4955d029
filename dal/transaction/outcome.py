"""What became of a transaction whose COMMIT got no answer: the server is asked, on another connection.

Source: pg_xact_status in PostgreSQL's "Transaction ID and Snapshot Information Functions". Two things it does not say
are looked after here. A backend that has not heard of the loss holds its transaction open: it is ended. And a crash may
give the number to another transaction, so "committed" counts only within the same life of the server.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Final, Protocol

import asyncpg

from dal.backoff import backoff_s
from dal.errors import DatabaseError, DataException, PoolError
from dal.pool import TransactionNumber

# For how long a server that does not answer, or a backend that does not end, is asked again.
VERIFY_S: Final = 10.0
# A backend whose client is gone notices within that time, where the network says so.
_PATIENCE_S: Final = 0.1

_STATUS: Final = """
    SELECT pg_catalog.pg_xact_status($1::text::xid8),
           extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time())::text
"""
_END: Final = """
    SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = $2 AND backend_xid = $1::text::xid8::xid AND pid <> pg_backend_pid()
"""


class Outcome(StrEnum):
    """What became of a transaction."""

    OPEN = "open"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"
    UNKNOWN = "unknown"


class Lend(Protocol):
    """`Database.checkout`."""

    def __call__(self, *, priority: bool = False) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """Lend a connection."""
        ...


async def ask(checkout: Lend, number: TransactionNumber) -> Outcome:
    """Find out what became of the transaction *number*; one round trip where nothing else is wrong.

    Takes `VERIFY_S` at the most. `UNKNOWN` if no answer can be had, or the server has crashed or failed over since and
    the number may be another transaction's.
    """
    try:
        async with asyncio.timeout(VERIFY_S):
            return await _until_told(checkout, number)
    except TimeoutError:
        return Outcome.UNKNOWN


async def _until_told(checkout: Lend, number: TransactionNumber) -> Outcome:
    failures = 0
    while True:
        try:
            async with checkout(priority=True) as driver:
                return await _told(driver, number)
        except DataException:
            # The number is "in the future": the server has lost the transaction, with all that came after.
            return Outcome.ROLLED_BACK
        except (DatabaseError, PoolError):
            failures += 1
            await asyncio.sleep(backoff_s(failures))


async def _told(driver: asyncpg.Connection, number: TransactionNumber) -> Outcome:
    waited_s = 0.0
    while True:
        [(status, life)] = await driver.fetch(_STATUS, number.number)
        if status == "aborted":
            return Outcome.ROLLED_BACK
        if status == "committed":
            return Outcome.COMMITTED if life == number.life else Outcome.UNKNOWN
        if status is None:
            return Outcome.UNKNOWN
        if waited_s >= _PATIENCE_S:
            await driver.execute(_END, number.number, number.backend)
        pause_s = 0.01 + waited_s / 2
        await asyncio.sleep(pause_s)
        waited_s += pause_s
