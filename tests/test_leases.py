"""Who holds a connection is on record while it is out."""

import asyncio
import gc

import asyncpg
import pytest
from sqlalchemy import text

from dal import Database, PoolConfig
from dal.demo.repositories import Shop
from tests.looking import until

SELECT_1 = text("SELECT 1")


async def test_a_lease_names_task_file_and_function(db):
    asyncio.current_task().set_name("reader")
    async with db.reading() as session:
        await session.execute(SELECT_1)
        [lease] = db.pool.leases()
    function = "test_a_lease_names_task_file_and_function"
    assert (lease.task, lease.call_site.file, lease.call_site.function) == ("task 'reader'", __file__, function)


async def test_a_lease_names_the_line_that_took_the_connection(db):
    async with db.reading() as session:
        line = asyncio.current_task().get_stack(limit=1)[0].f_lineno + 1
        await session.execute(SELECT_1)
        assert db.pool.leases()[0].call_site.line == line


async def test_a_lease_names_who_used_the_repository(db):
    async with Shop(db) as shop:
        await shop.regions.count()
        [lease] = db.pool.leases()
    assert lease.call_site.function == "test_a_lease_names_who_used_the_repository"


async def test_leases_come_longest_held_first(db):
    async with db.reading() as first, db.reading() as second:
        await first.execute(SELECT_1)
        await second.execute(SELECT_1)
        since = [lease.since for lease in db.pool.leases()]
    assert len(since) == 2
    assert since == sorted(since)


async def test_a_lease_is_gone_after_checkin(db):
    async with db.reading() as session:
        await session.execute(SELECT_1)
    assert db.pool.leases() == []


async def test_a_lease_is_gone_after_a_failure(db):
    with pytest.raises(ZeroDivisionError):
        async with db.writing() as session:
            await session.execute(SELECT_1)
            raise ZeroDivisionError
    assert db.pool.leases() == []


async def test_an_unused_unit_of_work_holds_no_connection(db):
    async with Shop(db):
        assert db.pool.leases() == []


async def test_a_lease_is_gone_when_its_connection_is_killed(db, outside):
    async with db.engine.connect() as connection:
        pid = await connection.scalar(text("SELECT pg_backend_pid()"))
        await outside.execute("SELECT pg_terminate_backend($1, 5000)", pid)
        await connection.invalidate()
    assert db.pool.leases() == []


async def test_leases_of_a_closed_database_are_none(database_url):
    db = Database(database_url)
    assert db.pool.leases() == []


async def _left_by_hand(db):
    await db.checkout().__aenter__()


async def _left_in_a_transaction(db):
    checkout = db.checkout()
    driver = await checkout.__aenter__()
    await driver.execute("BEGIN")


@pytest.mark.parametrize("left", [_left_by_hand, _left_in_a_transaction])
async def test_a_checkout_that_nobody_can_leave_any_more_is_closed_and_named(database_url, caplog, left):
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        await left(db)
        async with asyncio.timeout(5), db.checkout() as driver:  # the only place of the pool
            assert await driver.fetchval("SELECT 1") == 1
    assert "was never given back" in caplog.text
    assert f"in {left.__name__}()" in caplog.text


async def test_the_connection_of_an_abandoned_checkout_is_of_no_use_any_more(db):
    driver = await db.checkout().__aenter__()
    await until(driver.is_closed)
    with pytest.raises(asyncpg.InterfaceError):
        await driver.fetchval("SELECT 1")


async def test_a_checkout_abandoned_in_another_thread_is_closed(database_url):
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        checkout = [db.checkout()]
        await checkout[0].__aenter__()
        await asyncio.to_thread(checkout.clear)
        async with asyncio.timeout(5), db.checkout() as driver:
            assert await driver.fetchval("SELECT 1") == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of the coroutine's end
@pytest.mark.filterwarnings("ignore:The garbage collector:sqlalchemy.exc.SAWarning")
async def test_a_task_that_nobody_knows_any_more_gives_its_connection_back(database_url):
    reached = asyncio.Event()

    async def wait(db):
        async with db.begin() as session:
            await session.execute(SELECT_1)
            reached.set()
            await asyncio.Future()  # which nobody else knows either

    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        waiting = asyncio.create_task(wait(db))
        await reached.wait()
        del waiting
        gc.collect()
        async with asyncio.timeout(5), db.checkout() as driver:
            assert await driver.fetchval("SELECT 1") == 1
