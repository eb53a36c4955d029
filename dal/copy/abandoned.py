"""Tables that several workers of a load share, and those of loads that were killed.

A table's name says when it was made. Between that and its end, all but for moments, a transaction of the load has a
lock on it: an old one that nobody has locked is nobody's.
"""

from __future__ import annotations

import secrets
import time
from typing import Final

import asyncpg

# Far more than the moments in which a load that is alive has no lock on its table.
OLD_MINUTES: Final = 60
_ABANDONED: Final = """
    SELECT c.oid::regclass::text, relname FROM pg_class c
    WHERE relname ~ '^dal_load_[0-9a-f]{12}$' AND relkind = 'r' AND relpersistence = 'u'
        AND pg_catalog.pg_has_role(relowner, 'USAGE') AND pg_catalog.pg_table_is_visible(c.oid) AND NOT EXISTS (
            SELECT FROM pg_locks WHERE locktype = 'relation' AND relation = c.oid
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
_MINUTE_DIGITS: Final = 7


def new_name() -> str:
    """Name a table of this minute."""
    return f"dal_load_{_minute():0{_MINUTE_DIGITS}x}{secrets.token_hex(3)[1:]}"


async def drop_abandoned(driver: asyncpg.Connection) -> None:
    """Drop those of killed loads, in the transaction that *driver* is in; one round trip if there are none.

    One that somebody has locked meanwhile is left to the next load.
    """
    for table, name in await driver.fetch(_ABANDONED):
        made = int(name.removeprefix("dal_load_")[:_MINUTE_DIGITS], 16)
        if not 0 <= _minute() - made < OLD_MINUTES:
            lock = f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE NOWAIT"
            try:
                await driver.execute(f"SAVEPOINT dal_abandoned; {lock}; DROP TABLE {table}")
            except asyncpg.PostgresError:
                await driver.execute("ROLLBACK TO SAVEPOINT dal_abandoned")
            await driver.execute("RELEASE SAVEPOINT dal_abandoned")


def _minute() -> int:
    return int(time.time()) // 60
