"""Advisory locks of a transaction: the server frees them at its end, whatever end that is.

Waits in the server, where a deadlock with rows is found and everybody has his turn. Whoever waits holds a snapshot:
CREATE INDEX CONCURRENTLY waits for him, so a migration that does this takes a session's lock.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from dal.errors import LockNotAvailable
from dal.locks.holders import not_available
from dal.locks.key import AdvisoryKey

# The timeout holds for this one wait; what it was before is set again in the same statement.
_IN_TIME: Final = """
    WITH before AS MATERIALIZED (SELECT pg_catalog.current_setting('lock_timeout') AS value)
    SELECT pg_catalog.set_config('lock_timeout', {timeout}, true), {call},
        pg_catalog.set_config('lock_timeout', before.value, true)
    FROM before
"""
# The server counts milliseconds in 32 bits.
_MOST_MS: Final = 2**31 - 1


async def lock_until_end(session: AsyncSession, key: AdvisoryKey, patience_s: float) -> None:
    """Take the lock until the end of *session*'s transaction; nothing is flushed.

    One round trip when it is free, or waited for without a limit. With one, the wait is in a savepoint:
    `LockNotAvailable` leaves the transaction whole.
    """
    connection = await session.connection()
    if patience_s == math.inf:
        await _fetch(connection, f"SELECT {key.call('pg_advisory_xact_lock')}", *key.numbers)
        return
    started = time.monotonic()
    [(is_ours,)] = await _fetch(connection, f"SELECT {key.call('pg_try_advisory_xact_lock')}", *key.numbers)
    if is_ours or (patience_s > 0 and await _waited(connection, key, patience_s)):
        return

    async def fetch(statement: str, *values: Any) -> Sequence[Any]:
        return await _fetch(connection, statement, *values)

    raise await not_available(fetch, key, time.monotonic() - started if patience_s > 0 else 0.0)


async def _waited(connection: AsyncConnection, key: AdvisoryKey, patience_s: float) -> bool:
    timeout = f"'{min(math.ceil(patience_s * 1000), _MOST_MS)}ms'"
    statement = _IN_TIME.format(timeout=timeout, call=key.call("pg_advisory_xact_lock"))
    try:
        async with connection.begin_nested():
            await _fetch(connection, statement, *key.numbers)
    except LockNotAvailable:
        return False
    return True


async def _fetch(connection: AsyncConnection, statement: str, *values: Any) -> Sequence[Any]:
    return (await connection.exec_driver_sql(statement, values)).all()
