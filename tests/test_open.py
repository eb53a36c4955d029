"""A database opens its whole pool, and closes all of it."""

import gc
import weakref

import pytest
from sqlalchemy import text

from dal import Database, DatabaseConfig, PoolConfig
from dal.demo.repositories import Regions
from dal.errors import PoolClosed
from tests.looking import backends, until_none_left


@pytest.mark.parametrize("size", [1, 4])
async def test_open_warms_the_pool_to_its_size(database_url, outside, size):
    async with Database(database_url, pool=PoolConfig(size=size)):
        assert len(await backends(outside)) == size


async def test_work_after_open_connects_no_more(db, outside):
    warmed = await backends(outside)
    await Regions(db).count()
    assert [row["pid"] for row in await backends(outside)] == [row["pid"] for row in warmed]


async def test_close_leaves_no_connection(database_url, outside):
    async with Database(database_url, pool=PoolConfig(size=2)):
        pass
    await until_none_left(outside)


async def test_connections_bear_the_applications_name(database_url, outside):
    config = DatabaseConfig(url=database_url, pool=PoolConfig(size=1), application_name="checkout")
    async with Database(config):
        assert len(await backends(outside, "checkout")) == 1


async def test_server_settings_are_set_for_every_connection(database_url):
    config = DatabaseConfig(url=database_url, pool=PoolConfig(size=1), server_settings={"work_mem": "7MB"})
    async with Database(config) as db, db.reading() as session:
        assert await session.scalar(text("SHOW work_mem")) == "7MB"


async def test_a_database_opens_again_after_close(db):
    await db.close()
    await db.open()
    assert await Regions(db).count() == 0


async def test_a_closed_pool_is_forgotten(db):
    closed = weakref.ref(db.engine.pool)
    await db.close()
    await db.open()
    gc.collect()
    assert closed() is None


async def test_a_closed_database_says_so(db):
    await db.close()
    with pytest.raises(PoolClosed, match="the database is closed: open it again"):
        await Regions(db).count()


async def test_leases_are_on_record_after_opening_again(db):
    await db.close()
    await db.open()
    async with db.reading() as session:
        await session.execute(text("SELECT 1"))
        assert len(db.pool.leases()) == 1
