"""A connection that is cut off while the server is asked to parse a statement is lost, and is said to be."""

from __future__ import annotations

import asyncio

import pytest

from dal import Database, PoolConfig
from dal.errors import ConnectionLost
from tests.looking import until


async def test_a_statement_that_is_parsed_when_the_pool_cuts_it_off_is_lost(database_url, faulty_network):
    async with Database(database_url, pool=PoolConfig(size=1)) as db:

        async def ask():
            async with db.checkout() as driver:
                await driver.fetch("SELECT 'never parsed before'")

        faulty_network.black_hole()
        asking = asyncio.create_task(ask())
        await until(lambda: any(lease.running for lease in db.pool.leases()))
        assert await db.pool.drain(0.01) == 1
        with pytest.raises(ConnectionLost):
            await asking
        faulty_network.heal()
