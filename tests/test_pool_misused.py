"""A pool that is used where it does not belong says so at once, instead of waiting for another loop's sockets."""

from __future__ import annotations

import asyncio
import os

import pytest
from sqlalchemy import text

from dal import Database, PoolConfig
from dal.errors import PoolMisused


async def _by_session(db):
    async with db.reading() as session:
        await session.execute(text("SELECT 1"))


async def _by_driver(db):
    async with db.checkout() as driver:
        await driver.execute("SELECT 1")


WAYS = pytest.mark.parametrize("way", [_by_session, _by_driver])


@WAYS
async def test_another_thread_is_refused(db, way):
    with pytest.raises(PoolMisused, match="from another event loop or thread"):
        await asyncio.to_thread(lambda: asyncio.run(way(db)))
    await way(db)


@WAYS
def test_another_loop_is_refused(database_url, way):
    db = Database(database_url, pool=PoolConfig(size=1))
    with asyncio.Runner() as first:
        first.run(way(db))
        with asyncio.Runner() as second, pytest.raises(PoolMisused, match="from another event loop or thread"):
            second.run(way(db))
        first.run(db.close())


@WAYS
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # that it is risky is what this test is about
async def test_a_forked_process_is_refused(db, way):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            asyncio.run(way(db))
        except PoolMisused as error:
            status = 0 if "after a fork" in str(error) else 2
        finally:
            os._exit(status)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    await way(db)
