"""A backend that is ended at any moment of a COPY: the load is told that its connection is lost, and nothing else."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import pytest

from dal import Database, PoolConfig
from dal.errors import CannotConnect, CommitOutcomeUnknown, ConnectionLost, DALError
from tests.models import Accounts

LOADS = 500
_KILL = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = current_database() AND application_name = 'dal' AND state <> 'idle'
    LIMIT 1
"""


async def _kill(db, chance):
    while True:
        await asyncio.sleep(chance.random() * 0.004)
        with suppress(DALError):
            async with db.checkout() as driver:
                await driver.fetch(_KILL)


# asyncpg's future for an answer that a COPY which was cut short does not wait for.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("faulty_network")  # by which the last words of a server come before its end
async def test_a_backend_that_is_ended_in_a_copy_is_a_lost_connection(database_url, outside):
    chance = random.Random(1)
    async with Database(database_url, pool=PoolConfig(size=3)) as db:
        killing = asyncio.create_task(_kill(db, chance))
        kinds = set()
        for number in range(LOADS):
            try:
                await Accounts(db).copy_in([(number * 100 + n, f"{number} {n}", 1) for n in range(50)])
            except Exception as error:
                kinds.add(type(error))
        killing.cancel()
    assert ConnectionLost in kinds
    assert kinds <= {ConnectionLost, CommitOutcomeUnknown, CannotConnect}
    assert {row["n"] for row in await outside.fetch("SELECT count(*) AS n FROM account GROUP BY id / 100")} <= {50}
