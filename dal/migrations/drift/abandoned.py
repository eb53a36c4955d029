"""Scratch databases that a killed process has left: known by a lock that nobody holds any more.

The lock is that of a connection of their maker's, taken before they are made: the server frees it, whatever became of
the process. Refuses: those of roles that this one may not act for.
"""

from __future__ import annotations

import logging
from typing import Final

import asyncpg

from dal.locks import AdvisoryKey

# First these and then the locks: who makes one has locked it by then, and drops it before he lets go.
_MADE: Final = """
    SELECT datname FROM pg_database
    WHERE pg_catalog.starts_with(datname, $1)
        AND pg_catalog.substr(datname, pg_catalog.length($1) + 1) ~ '^[0-9a-f]{12}$'
        AND pg_catalog.pg_has_role(datdba, 'USAGE')
"""
# Locks are a database's own, but all of them can be seen.
_LOCKED: Final = "SELECT classid, objid, objsubid FROM pg_locks WHERE locktype = 'advisory' AND granted"

log: Final = logging.getLogger("dal.migrations")


async def hold(driver: asyncpg.Connection, name: str) -> None:
    """Keep database *name* from being taken for an abandoned one, as long as *driver* is connected."""
    key = AdvisoryKey.of(name)
    await driver.execute(f"SELECT pg_catalog.pg_advisory_lock({key.numbers[0]})")


async def drop_abandoned(driver: asyncpg.Connection, prefix: str) -> None:
    """Drop the databases that are called *prefix* and twelve digits, and are nobody's; two round trips if there are."""
    made = [str(name) for (name,) in await driver.fetch(_MADE, prefix)]
    locked = {tuple(row) for row in await driver.fetch(_LOCKED)} if made else set[tuple[int, ...]]()
    for name in made:
        if AdvisoryKey.of(name).in_pg_locks not in locked:
            log.warning("dropping the scratch database %s that a killed process has left", name)
            try:
                await driver.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            except asyncpg.PostgresError as error:
                log.warning("the scratch database %s is left where it is: %s", name, error)
