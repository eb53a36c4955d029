"""A unit of work that is cancelled leaves nothing, wherever it was; an end that is under way is finished."""

import asyncio

import pytest
from sqlalchemy import text

from dal.demo.repositories import Shop
from tests.looking import count, states, until, until_running, until_waiting_for_a_lock
from tests.shop_rows import region

# COMMIT waits for the lock 1, so that a test can be there while it runs.
SLOW_COMMIT = """
    CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON region DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait();
"""


async def _cancelled(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _add_then_wait(db, added):
    async with Shop(db) as shop:
        await shop.regions.add(region(1))
        added.set()
        await asyncio.Event().wait()


async def _add_then_run(db, statement):
    async with Shop(db) as shop:
        await shop.regions.add(region(1))
        await shop.session.execute(text(statement))


async def _nothing_is_left(db, outside):
    async def idle():
        return set(await states(outside)) == {"idle"}

    await until(idle)
    return db.pool.leases() == [] and await count(outside, "region") == 0


async def test_cancelled_between_statements_leaves_nothing(db, outside):
    added = asyncio.Event()
    task = asyncio.create_task(_add_then_wait(db, added))
    await added.wait()
    await _cancelled(task)
    assert await _nothing_is_left(db, outside)


async def test_cancelled_in_a_statement_leaves_nothing(db, outside):
    task = asyncio.create_task(_add_then_run(db, "SELECT pg_sleep(30)"))
    await until_running(outside, "pg_sleep")
    await _cancelled(task)
    assert await _nothing_is_left(db, outside)


async def test_cancelled_while_waiting_for_a_lock_leaves_nothing(db, outside):
    async with outside.transaction():
        await outside.execute("LOCK TABLE part")
        task = asyncio.create_task(_add_then_run(db, "SELECT 1 FROM part"))
        await until_waiting_for_a_lock(outside)
        await _cancelled(task)
    assert await _nothing_is_left(db, outside)


async def test_a_timeout_leaves_nothing(db, outside):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await _add_then_run(db, "SELECT pg_sleep(30)")
    assert await _nothing_is_left(db, outside)


async def test_a_failure_of_a_sibling_task_leaves_nothing(db, outside):
    added = asyncio.Event()

    async def fail():
        await added.wait()
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_add_then_wait(db, added))
            tasks.create_task(fail())
    assert await _nothing_is_left(db, outside)


async def test_the_pool_serves_after_a_cancelled_unit_of_work(db, outside):
    task = asyncio.create_task(_add_then_run(db, "SELECT pg_sleep(30)"))
    await until_running(outside, "pg_sleep")
    await _cancelled(task)
    async with Shop(db) as shop:
        await shop.regions.add(region(2))
    assert await count(outside, "region") == 1


async def _committing(db, outside):
    """Begin a COMMIT that waits for a lock of *outside*'s."""
    await outside.execute(SLOW_COMMIT)
    await outside.execute("SELECT pg_advisory_lock(1)")
    task = asyncio.create_task(_add_then_run(db, "SELECT 1"))
    await until_waiting_for_a_lock(outside)
    return task


async def test_a_commit_under_way_is_finished(db, outside):
    task = await _committing(db, outside)
    task.cancel()
    await outside.execute("SELECT pg_advisory_unlock(1)")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count(outside, "region") == 1


async def test_a_commit_finished_under_cancellation_keeps_its_connection(db, outside):
    task = await _committing(db, outside)
    task.cancel()
    await outside.execute("SELECT pg_advisory_unlock(1)")
    await asyncio.gather(task, return_exceptions=True)
    assert (db.pool.leases(), await states(outside)) == ([], ["idle"] * 3)


async def test_cancelled_at_any_moment_leaves_all_or_nothing(db, outside):
    async def place(key):
        async with Shop(db) as shop:
            await shop.regions.add(region(2 * key))
            await shop.regions.add(region(2 * key + 1))

    for ticks in range(1, 80):
        task = asyncio.create_task(place(ticks))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    halves = "SELECT count(*) FROM (SELECT FROM region GROUP BY id / 2 HAVING count(*) <> 2) AS half"
    assert await outside.fetchval(halves) == 0


async def test_an_error_is_not_covered_by_a_connection_that_is_lost_meanwhile(db, outside):
    with pytest.raises(ZeroDivisionError):
        async with Shop(db) as shop:
            await shop.regions.add(region(1))
            driver = (await (await shop.session.connection()).get_raw_connection()).driver_connection
            driver.terminate()
            raise ZeroDivisionError
    assert await _nothing_is_left(db, outside)


async def test_a_timeout_is_not_covered_by_a_connection_that_is_given_up(db, outside, monkeypatch):
    monkeypatch.setattr("dal.pool.listeners.PATIENCE_S", 0.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await _add_then_run(db, "SELECT pg_sleep(1)")
    assert await _nothing_is_left(db, outside)
