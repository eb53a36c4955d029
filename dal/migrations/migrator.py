"""The one process that migrates a database: a connection of its own, and the lock that keeps others away.

The lock is that very connection's: whatever becomes of the process, nobody else begins before the server has ended what
it was doing. Others ask for it again and again; who waited in the server would hold a snapshot, which CREATE INDEX
CONCURRENTLY waits for in turn.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import asyncpg

from dal.config import DatabaseConfig
from dal.database import Database
from dal.locks import AdvisoryKey, held
from dal.migrations.blockers import Blockers
from dal.migrations.locking import Locking, driver_of
from dal.migrations.options import Patience
from dal.pool_config import PoolConfig

# One for each database.
LOCK: Final = AdvisoryKey.of("dal.migrations")


@asynccontextmanager
async def migrator(config: DatabaseConfig, patience: Patience) -> AsyncGenerator[Locking]:
    """Connect twice, to migrate and to look who is in the way, and lend the first, once it is alone.

    Raises `LockNotAvailable` if another migrator is not done in time, and names it.
    """
    own = replace(config, pool=PoolConfig(size=2, min_idle=0), application_name="dal migrations")
    async with Database(own) as db, db.engine.connect() as connection:
        driver = await driver_of(connection)

        @asynccontextmanager
        async def lent() -> AsyncGenerator[asyncpg.Connection]:
            yield driver

        locking = Locking(connection, patience, Blockers(db.checkout, driver.get_server_pid()))
        async with held(lent, LOCK, patience.wait_s):
            await locking.begin()
            yield locking
