"""Whatever went wrong with one checkout, the pool serves the next."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncGenerator
from contextlib import suppress

import pytest
from sqlalchemy import URL, text

from dal import Database, PoolConfig
from dal.errors import CannotConnect, PoolTimeout
from tests.cancelling import until_quiet
from tests.looking import drivers, until, until_closed

ONE = PoolConfig(size=1, connect_timeout_s=3)


async def _serves(db):
    async with db.reading() as session:
        return await session.scalar(text("SELECT 1")) == 1


async def _serves_by_now(db):
    with suppress(PoolTimeout):
        return await _serves(db)


async def _until_waiting(db, number):
    await until(lambda: db.pool.status().waiting >= number)


async def _cut(network, db):
    lost = await drivers(db)
    network.cut()
    await until_closed(lost)


@pytest.fixture
async def one(database_url: URL) -> AsyncGenerator[Database]:
    """Lend a database with a single connection."""
    async with Database(database_url, pool=ONE) as db:
        yield db


async def test_a_cancelled_waiter_leaves_its_place(one):
    async with one.reading() as session:
        await session.execute(text("SELECT 1"))
        waiter = asyncio.create_task(_serves(one))
        await _until_waiting(one, 1)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
    assert await _serves(one)


async def test_a_waiter_behind_a_cancelled_one_is_served(one):
    async with one.reading() as session:
        await session.execute(text("SELECT 1"))
        waiters = [asyncio.create_task(_serves(one)) for _ in range(2)]
        await _until_waiting(one, 2)
        waiters[0].cancel()
    assert await waiters[1]


async def test_a_waiter_cancelled_as_its_turn_comes_passes_it_on(one):
    async with one.reading() as session:
        await session.execute(text("SELECT 1"))
        waiters = [asyncio.create_task(_serves(one)) for _ in range(2)]
        await _until_waiting(one, 2)
    waiters[0].cancel()
    assert await waiters[1]


async def test_nobody_waits_after_a_cancelled_waiter(one):
    async with one.reading() as session:
        await session.execute(text("SELECT 1"))
        waiter = asyncio.create_task(_serves(one))
        await _until_waiting(one, 1)
        waiter.cancel()
        await asyncio.wait([waiter])
    assert one.pool.status().waiting == 0


async def test_a_failed_connect_leaves_its_place(database_url, faulty_network):
    async with Database(database_url, pool=dataclasses.replace(ONE, checkout_timeout_s=1.0)) as db:
        await _cut(faulty_network, db)
        faulty_network.refuse()
        for _ in range(3):
            with pytest.raises(PoolTimeout, match="The last connect failed: cannot connect") as caught:
                await _serves(db)
            assert isinstance(caught.value.__cause__, CannotConnect)
        faulty_network.heal()
        await until(lambda: _serves_by_now(db))


async def test_a_cancelled_connect_leaves_its_place(database_url, faulty_network):
    async with Database(database_url, pool=ONE) as db:
        await _stuck_connecting(faulty_network, db)
        faulty_network.heal()
        assert await _serves(db)


async def _stuck_connecting(network, db):
    await _cut(network, db)
    network.hold()
    connecting = asyncio.create_task(_serves(db))
    await until(lambda: network.held)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting


async def test_a_waiter_behind_a_cancelled_connect_is_served_at_once(database_url, faulty_network):
    async with Database(database_url, pool=ONE) as db:
        await _cut(faulty_network, db)
        faulty_network.hold()
        connecting = asyncio.create_task(_serves(db))
        await until(lambda: faulty_network.held)
        waiter = asyncio.create_task(_serves(db))
        await _until_waiting(db, 1)
        faulty_network.heal()
        connecting.cancel()
        started = time.monotonic()
        assert await waiter
        assert time.monotonic() - started < ONE.checkout_timeout_s / 2


async def test_tasks_cancelled_at_any_moment_leave_the_pool_whole(db, outside):
    async def work():
        async with db.writing() as session:
            await session.execute(text("SELECT 1"))

    for ticks in range(60):
        tasks = [asyncio.create_task(work()) for _ in range(4)]
        for _ in range(ticks):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert db.pool.leases() == []
    assert await asyncio.gather(*(_serves(db) for _ in range(3))) == [True] * 3
    await until_quiet(outside)  # which of the three served is by chance: another may still be rolled back
