"""What a connection that comes back is made to forget, and which ones are closed instead."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from dal import Database, PoolConfig
from tests.cancelling import AT_ONCE_S
from tests.looking import until, until_running

STATE = """
    SET application_name = 'changed'; SET ROLE pg_read_all_data; SELECT pg_advisory_lock(1); LISTEN news;
    RESET ROLE; CREATE TEMP TABLE scratch (); SET statement_timeout = 12345
"""
LEFT = """
    SELECT array_remove(ARRAY[
        CASE WHEN current_setting('application_name') = 'changed' THEN 'setting' END,
        CASE WHEN EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) THEN 'lock' END,
        CASE WHEN to_regclass('pg_temp.scratch') IS NOT NULL THEN 'table' END,
        CASE WHEN EXISTS (SELECT FROM pg_listening_channels()) THEN 'channel' END
    ], NULL)
"""


@pytest.fixture
async def one(database_url, request):
    async with Database(database_url, pool=PoolConfig(size=1, recycling=request.param)) as db:
        yield db


def recycling(level):
    return pytest.mark.parametrize("one", [level], indirect=True)


async def _pid(db):
    async with db.checkout() as driver:
        return driver.get_server_pid()


@recycling("clean")
async def test_a_clean_connection_has_nothing_left_of_who_had_it(one):
    async with one.checkout() as driver:
        await driver.execute(STATE)
        assert set(await driver.fetchval(LEFT)) == {"setting", "lock", "table", "channel"}
    async with one.checkout() as again:
        assert (again, await again.fetchval(LEFT)) == (driver, [])


@recycling("clean")
async def test_a_clean_connection_keeps_its_settings_from_the_url(one):
    async with one.checkout() as driver:
        await driver.execute("SET application_name = 'changed'")
    async with one.checkout() as driver:
        assert await driver.fetchval("SHOW application_name") == "dal"


@recycling("clean")
async def test_a_clean_connection_keeps_its_prepared_statements(one):
    query = "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT 12345'"
    for _ in range(2):
        async with one.reading() as session:
            await session.execute(text("SELECT 12345"))
    async with one.checkout() as driver:
        assert await driver.fetchval(query) == 1


@recycling("verified")
async def test_a_verified_connection_is_asked_before_it_is_given_out(one, outside):
    pid = await _pid(one)
    await until(lambda: one.pool.status().idle == 1)
    asked = await outside.fetchval("SELECT query FROM pg_stat_activity WHERE pid = $1", pid)
    assert asked == "SELECT 1"


@recycling("fast")
async def test_a_fast_connection_costs_no_round_trip_to_give_back(one, outside):
    async with one.checkout() as driver:
        await driver.execute("SELECT 'last'")
    assert one.pool.status().idle == 1
    asked = await outside.fetchval("SELECT query FROM pg_stat_activity WHERE pid = $1", driver.get_server_pid())
    assert asked == "SELECT 'last'"


@pytest.mark.parametrize("one", ["fast", "verified", "clean"], indirect=True)
async def test_a_connection_left_in_a_transaction_is_closed_and_counted(one):
    async with one.checkout() as driver:
        await driver.execute("BEGIN")
    await until(driver.is_closed)
    assert one.pool.status().totals.unclean == 1


@pytest.mark.parametrize("one", ["fast", "verified", "clean"], indirect=True)
async def test_a_connection_left_in_a_transaction_leaves_nothing_behind(one, outside):
    async with one.checkout() as driver:
        await driver.execute("BEGIN; CREATE TABLE half ()")
    await until(driver.is_closed)

    async def is_gone():
        return await outside.fetchval("SELECT to_regclass('half')") is None

    await until(is_gone)


@pytest.mark.parametrize("way", ["execute", "fetch"])
@pytest.mark.parametrize("one", ["fast", "verified", "clean"], indirect=True)
async def test_a_connection_left_with_a_statement_running_is_closed_and_counted(one, outside, way):
    async with one.checkout() as driver:
        forgotten = asyncio.create_task(getattr(driver, way)("SELECT pg_sleep(30)"))
        await until_running(outside, "pg_sleep")
    assert one.pool.status().totals.unclean == 1
    async with asyncio.timeout(AT_ONCE_S):
        await _pid(one)
    await asyncio.gather(forgotten, return_exceptions=True)
