"""The server and the network fail in their ways: nothing hangs, everybody is told, and the pool serves again."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import AsyncExitStack, suppress
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text

from dal import Database, DatabaseConfig, PoolConfig
from dal.errors import ConnectionLost, DALError, InsufficientResources, InvalidAuthorization, PoolTimeout
from dal.testing import EmbeddedServer
from tests.cancelling import AT_ONCE_S, is_within_its_size, serves
from tests.looking import connect, drivers, until, until_closed, until_none_left

TWO = PoolConfig(size=2, checkout_timeout_s=30, connect_timeout_s=0.5)
SELECT_1 = text("SELECT 1")


async def _kill(outside, *pids):
    for pid in pids:
        await outside.execute("SELECT pg_terminate_backend($1, 5000)", pid)


async def _by_session(db):
    async with db.reading() as session:
        await session.execute(SELECT_1)


async def _by_driver(db):
    async with db.checkout() as driver:
        await driver.execute("SELECT 1")


async def _waiting(db, work):
    task = asyncio.create_task(work(db))
    await until(lambda: db.pool.status().waiting == 1)
    return task


@pytest.fixture
async def two(database_url):
    async with Database(database_url, pool=TWO) as db:
        yield db


# Killed backends.


@pytest.mark.parametrize("work", [_by_session, _by_driver])
async def test_a_waiter_gets_the_place_of_a_killed_connection_at_once(two, outside, work):
    async with two.checkout(), AsyncExitStack() as stack:
        connection = await stack.enter_async_context(two.engine.connect())
        pid = await connection.scalar(text("SELECT pg_backend_pid()"))
        waiter = await _waiting(two, work)
        await _kill(outside, pid)
        with pytest.raises(ConnectionLost):
            await connection.execute(SELECT_1)
        async with asyncio.timeout(0.5):  # by the pool itself: its upkeep would look after a second
            await waiter


async def test_a_waiter_gets_the_place_of_a_detached_connection_at_once(two):
    async with two.checkout(), two.engine.connect() as connection:
        raw = await connection.get_raw_connection()
        waiter = await _waiting(two, _by_driver)
        raw.detach()
        async with asyncio.timeout(0.5):
            await waiter


@pytest.mark.parametrize("way", ["session", "driver"])
async def test_a_connection_that_dies_in_use_has_the_idle_ones_asked(two, outside, way):
    idle = two.pool.stock.idle[0]
    with pytest.raises(ConnectionLost):
        if way == "session":
            async with two.reading() as session:
                pid = await session.scalar(text("SELECT pg_backend_pid()"))
                checked_at = idle.checked_at
                await _kill(outside, pid)
                await session.execute(SELECT_1)
        else:
            async with two.checkout() as driver:
                checked_at = idle.checked_at
                await _kill(outside, driver.get_server_pid())
                await driver.execute("SELECT 1")
    await until(lambda: idle.checked_at > checked_at)


async def test_idle_ones_that_do_not_answer_are_replaced_when_another_dies(database_url, faulty_network):
    async with Database(database_url, pool=TWO) as db:
        before = {slot.driver for slot in db.pool.stock.slots}
        with suppress(ConnectionLost):
            async with db.reading() as session:
                await session.execute(SELECT_1)
                faulty_network.black_hole()
                (await (await session.connection()).get_raw_connection()).driver_connection.terminate()
                await session.execute(SELECT_1)
        await until(lambda: not before & {slot.driver for slot in db.pool.stock.slots})
        faulty_network.heal()
        assert await serves(db)


async def test_a_pool_killed_while_half_of_it_is_in_use_serves_at_once(two, outside, kill_backends):
    async with two.checkout():
        lost = [slot.driver for slot in two.pool.stock.slots]
        await asyncio.to_thread(kill_backends)
        await until_closed(lost)
    assert await serves(two)


# A network that swallows everything.


async def _statement_by_session(db):
    async with db.writing() as session:
        await session.execute(SELECT_1)


async def _statement_by_engine(db):
    async with db.engine.connect() as connection:
        await connection.execute(SELECT_1)


@pytest.mark.parametrize("work", [_by_session, _by_driver, _statement_by_session, _statement_by_engine])
async def test_a_statement_into_a_black_hole_ends_with_its_timeout(database_url, faulty_network, work):
    async with Database(database_url, pool=TWO) as db:
        faulty_network.black_hole()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await work(db)
        await _has_given_up(db)
        faulty_network.heal()
        assert await serves(db)


async def _has_given_up(db):
    async with asyncio.timeout(10):
        await until(lambda: (db.pool.leases(), db.pool.status().checked_out) == ([], 0))
        assert is_within_its_size(db)


async def test_a_rollback_into_a_black_hole_ends(database_url, faulty_network, monkeypatch):
    monkeypatch.setattr("dal.pool.driver_transaction.ROLLBACK_S", 0.3)
    async with Database(database_url, pool=TWO) as db:

        async def work():
            async with db.engine.connect() as connection:
                await connection.execute(SELECT_1)
                faulty_network.black_hole()

        await work()
        await _has_given_up(db)
        faulty_network.heal()
        assert await serves(db)


@pytest.mark.parametrize("recycling", ["verified", "clean"])
async def test_a_connection_that_comes_back_from_a_black_hole_is_given_up(database_url, faulty_network, recycling):
    async with Database(database_url, pool=dataclasses.replace(TWO, recycling=recycling)) as db:
        async with db.checkout() as driver:
            faulty_network.black_hole()
        await until(lambda: driver not in {slot.driver for slot in db.pool.stock.slots})
        await until(driver.is_closed)
        faulty_network.heal()
        assert await serves(db)


@pytest.mark.parametrize("end", ["close", "drain"])
async def test_a_pool_in_a_black_hole_is_closed_in_bounded_time(database_url, faulty_network, end):
    async with Database(database_url, pool=TWO) as db:
        lost = await drivers(db)
        faulty_network.black_hole()
        async with asyncio.timeout(10):
            await (db.close() if end == "close" else db.pool.drain(0.1))
        assert all(driver.is_closed() for driver in lost)


async def test_a_connect_into_a_black_hole_ends(database_url, faulty_network):
    async with Database(database_url, pool=dataclasses.replace(TWO, checkout_timeout_s=1.5)) as db:
        lost = await drivers(db)
        faulty_network.cut()
        await until_closed(lost)
        faulty_network.black_hole()
        with pytest.raises(PoolTimeout, match="no answer in time"):
            await _by_driver(db)
        faulty_network.heal()
        assert await serves(db)


# A server that refuses.


async def test_a_server_that_is_full_is_named_and_waited_for(role_url, outside):
    role = role_url.username
    pool = PoolConfig(size=2, min_idle=1, checkout_timeout_s=0.2)
    async with Database(role_url, pool=pool) as db, db.checkout() as driver:
        await outside.execute(f"ALTER ROLE {role} CONNECTION LIMIT 1")
        with pytest.raises(PoolTimeout) as caught:
            await _by_driver(db)
        assert isinstance(caught.value.__cause__, InsufficientResources)
        assert await driver.fetchval("SELECT 1") == 1
        await outside.execute(f"ALTER ROLE {role} CONNECTION LIMIT -1")
        await until(lambda: _serves_by_now(db))
    await until_none_left(outside)


async def _serves_by_now(db):
    with suppress(DALError):
        await _by_driver(db)
        return True
    return False


@pytest.fixture
async def rotated():
    """Lend a role whose password can be changed: its pool of two, and a way to change it."""
    role = f"dal_test_{uuid4().hex}"
    with EmbeddedServer("tests") as server:
        admin = await connect(server.tcp_url)
        await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'old'")
        url = server.tcp_url.set(username=role, password="old")
        config = dataclasses.replace(DatabaseConfig.from_url(url, pool=TWO), application_name=role)

        async def change(password):
            await admin.execute(f"ALTER ROLE {role} PASSWORD '{password}'")

        async def kill(driver):
            await _kill(admin, driver.get_server_pid())

        async with Database(config) as db:
            yield db, change, kill
        await until_none_left(admin, role)
        await admin.execute(f"DROP ROLE {role}")
        await admin.close()


async def test_connections_go_on_after_a_change_of_password(rotated):
    db, change, kill = rotated
    async with db.checkout() as one, db.checkout() as other:
        await change("new")
        await kill(one)
        waiter = await _waiting(db, _by_driver)
        assert await other.fetchval("SELECT 1") == 1
    async with asyncio.timeout(AT_ONCE_S):
        await waiter


async def test_a_wrong_password_is_told_at_once_when_no_connection_is_left(rotated):
    db, change, kill = rotated
    lost = [slot.driver for slot in db.pool.stock.slots]
    await change("new")
    for driver in lost:
        await kill(driver)
    await until_closed(lost)
    for _ in range(2):
        with pytest.raises(InvalidAuthorization):
            async with asyncio.timeout(AT_ONCE_S):
                await _by_driver(db)
    await change("old")
    await until(lambda: _serves_by_now(db))


# A server that restarts.


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_restart_under_load_is_survived(database_url, restart_server, mode):
    most_opening, restarted, over = 0, asyncio.Event(), False

    async def load(db):
        served_after = 0
        while served_after < 5:
            with suppress(DALError, asyncpg.PostgresError, OSError):
                await _by_session(db)
                served_after += restarted.is_set()

    async def watch(db):
        nonlocal most_opening
        while not over:
            most_opening = max(most_opening, db.pool.status().opening)
            assert is_within_its_size(db)
            await asyncio.sleep(0)

    async with Database(database_url, pool=PoolConfig(size=10)) as db:
        watcher = asyncio.create_task(watch(db))
        tasks = [asyncio.create_task(load(db)) for _ in range(20)]
        await asyncio.to_thread(restart_server, mode)
        restarted.set()
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks)
        over = True
        await watcher
        assert await serves(db)
    assert 1 <= most_opening <= 4
