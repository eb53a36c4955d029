"""A connection that died while it was idle costs nobody an error."""

import asyncio

from sqlalchemy import text

from dal import Database, PoolConfig
from dal.demo.repositories import Regions, Shop
from tests.looking import backends, count, drivers, until_closed
from tests.shop_rows import region


async def _kill_idle(db, outside):
    killed = await drivers(db)
    for backend in await backends(outside):
        await outside.execute("SELECT pg_terminate_backend($1)", backend["pid"])
    await until_closed(killed)


async def test_a_backend_killed_while_idle_is_replaced(db, outside):
    await _kill_idle(db, outside)
    assert await Regions(db).count() == 0


async def test_a_unit_of_work_after_a_killed_backend_commits(db, outside):
    await _kill_idle(db, outside)
    async with Shop(db) as shop:
        await shop.regions.add(region(1))
    assert await count(outside, "region") == 1


async def test_a_whole_pool_killed_is_replaced_at_once(db, outside):
    await _kill_idle(db, outside)
    counts = await asyncio.gather(*(Regions(db).count() for _ in range(10)))
    assert counts == [0] * 10


async def test_replaced_connections_keep_to_the_pools_size(db, outside):
    await _kill_idle(db, outside)
    await asyncio.gather(*(Regions(db).count() for _ in range(10)))
    assert 1 <= len(await backends(outside)) <= 3


async def test_a_network_cut_while_idle_is_noticed(database_url, faulty_network):
    async with Database(database_url, pool=PoolConfig(size=2)) as db:
        lost = await drivers(db)
        faulty_network.cut()
        await until_closed(lost)
        assert await Regions(db).count() == 0


async def test_a_connection_past_its_lifetime_is_replaced(database_url):
    pool = PoolConfig(size=1, max_lifetime_s=0.001)
    async with Database(database_url, pool=pool) as db:
        seen = set()
        for _ in range(2):
            async with db.reading() as session:
                seen.add(await session.scalar(text("SELECT pg_backend_pid() FROM pg_sleep(0.005)")))
    assert len(seen) == 2
