"""A connection that ends under a statement becomes ConnectionLost, however it ends; the next one is a new one."""

import asyncio

import pytest
from sqlalchemy import exc, text

from dal import Database, PoolConfig
from dal.errors import ConnectionLost
from tests.looking import until_running

SLEEP = text("SELECT pg_sleep(30)")


async def _sleep(db):
    async with db.writing() as session:
        await session.execute(SLEEP)


async def _serves(db):
    async with db.reading() as session:
        return await session.scalar(text("SELECT 1")) == 1


async def _terminate_sleeper(db, outside):
    asleep = asyncio.create_task(_sleep(db))
    pid = await until_running(outside, "pg_sleep")
    await outside.execute("SELECT pg_terminate_backend($1)", pid)
    await asleep


async def test_a_backend_killed_in_a_statement_is_connection_lost(db, outside):
    with pytest.raises(ConnectionLost) as caught:
        await _terminate_sleeper(db, outside)
    # 08003 is the driver's own, when it sees the end of the connection before the server's last words.
    assert caught.value.sqlstate in {"57P01", "08003"}


async def test_connection_lost_is_sqlalchemys_operational_error(db, outside):
    with pytest.raises(exc.OperationalError):
        await _terminate_sleeper(db, outside)


async def test_the_pool_serves_again_after_a_killed_backend(db, outside):
    with pytest.raises(ConnectionLost):
        await _terminate_sleeper(db, outside)
    assert await _serves(db)


async def test_a_backend_killed_between_two_statements_is_connection_lost(db, outside):
    with pytest.raises(ConnectionLost):
        async with db.writing() as session:
            pid = await session.scalar(text("SELECT pg_backend_pid()"))
            await outside.execute("SELECT pg_terminate_backend($1, 5000)", pid)
            await session.execute(text("SELECT 1"))


async def test_a_network_cut_in_a_statement_is_connection_lost(database_url, outside, faulty_network):
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        asleep = asyncio.create_task(_sleep(db))
        await until_running(outside, "pg_sleep")
        faulty_network.cut()
        with pytest.raises(ConnectionLost):
            await asleep


async def test_the_pool_serves_again_after_a_network_cut(database_url, faulty_network):
    async with Database(database_url, pool=PoolConfig(size=2)) as db:
        faulty_network.cut()
        with pytest.raises(ConnectionLost):
            async with db.writing() as session:
                faulty_network.cut()
                await session.execute(SLEEP)
        assert await _serves(db)


async def test_a_lost_connection_is_marked_as_sqlalchemy_marks_it(db, outside):
    with pytest.raises(ConnectionLost) as caught:
        await _terminate_sleeper(db, outside)
    assert caught.value.connection_invalidated
