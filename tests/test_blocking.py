"""Threads and synchronous code call the same pool, through its own loop."""

import threading

import pytest
from sqlalchemy import text

from dal import Database, PoolConfig, blocking
from dal.demo.repositories import Regions, Shop
from dal.errors import CannotConnect
from tests.shop_rows import region


async def _answer(db):
    async with db.reading() as session:
        return await session.scalar(text("SELECT 42"))


def test_synchronous_code_calls_a_repository(database_url):
    db = Database(database_url, pool=PoolConfig(size=2))
    with blocking.opened(db) as portal:
        assert portal.call(Regions(db).count) == 0


def test_a_unit_of_work_commits_from_synchronous_code(database_url):
    db = Database(database_url, pool=PoolConfig(size=2))
    with blocking.opened(db) as portal:
        with portal.wrap_async_context_manager(Shop(db)) as shop:
            portal.call(shop.regions.add, region(1))
        assert portal.call(Regions(db).count) == 1


def test_threads_share_the_pool(database_url):
    db = Database(database_url, pool=PoolConfig(size=2))
    answers = []
    with blocking.opened(db) as portal:
        threads = [threading.Thread(target=lambda: answers.append(portal.call(_answer, db))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert db.pool.status().totals.opened == 2
    assert answers == [42] * 8


def test_a_server_that_is_not_there_is_said_at_the_start():
    db = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(CannotConnect), blocking.opened(db):
        pass
