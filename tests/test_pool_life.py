"""What can be done to a pool while it runs, and at its end; and who hears of what it does."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress

import pytest
from sqlalchemy import text

from dal import Database, PoolConfig
from dal.errors import ConfigError, PoolClosed, PoolOverloaded, PoolTimeout
from dal.pool import first_in_line
from tests.cancelling import AT_ONCE_S, serves
from tests.looking import backends, drivers, until, until_none_left

TWO = PoolConfig(size=2)
NAME = "db.client.connection."


@pytest.fixture
async def two(database_url):
    async with Database(database_url, pool=TWO) as db:
        yield db


async def _hold(db, number):
    stack = AsyncExitStack()
    held = [await stack.enter_async_context(db.checkout()) for _ in range(number)]
    return stack, held


async def _use(db, *, priority=False):
    async with db.checkout(priority=priority) as driver:
        await driver.execute("SELECT 1")


async def _read_first(db):
    with first_in_line():
        async with db.reading() as session:
            await session.execute(text("SELECT 1"))


async def _waiting(db, work, number=1):
    task = asyncio.create_task(work)
    await until(lambda: db.pool.status().waiting == number)
    return task


# Its size.


async def test_a_pool_that_grows_serves_more_at_once(two, outside):
    two.pool.resize(4)
    assert await serves(two)
    assert len(await backends(outside)) == 4


async def test_a_pool_that_grows_serves_those_who_wait(two):
    stack, _ = await _hold(two, 2)
    async with stack, asyncio.timeout(AT_ONCE_S):
        waiter = await _waiting(two, _use(two))
        two.pool.resize(3)
        await waiter


async def test_a_pool_that_grows_holds_its_size_open(two):
    two.pool.resize(4)
    await until(lambda: two.pool.status().idle == 4)


async def test_a_pool_that_shrinks_closes_what_is_idle(two, outside):
    two.pool.resize(1)

    async def one_is_left():
        return len(await backends(outside)) == 1

    await until(one_is_left)
    assert await serves(two)


async def test_a_pool_that_shrinks_closes_what_is_out_when_it_comes_back(two):
    stack, held = await _hold(two, 2)
    async with stack:
        two.pool.resize(1)
        assert [await driver.fetchval("SELECT 1") for driver in held] == [1, 1]
    await until(lambda: sum(driver.is_closed() for driver in held) == 1)
    assert len(two.pool.stock.slots) == 1


async def test_a_pool_shrinks_also_while_others_wait(two):
    stack, _ = await _hold(two, 2)
    waiters = [await _waiting(two, _use(two), number) for number in (1, 2)]
    two.pool.resize(1)
    await stack.aclose()
    assert len(two.pool.stock.slots) == 1
    await asyncio.gather(*waiters)


async def test_connections_beyond_the_size_serve_whoever_waits(database_url):
    async with Database(database_url, pool=PoolConfig(size=1, max_overflow=1)) as db:
        stack, held = await _hold(db, 2)
        waiters = [await _waiting(db, _use(db), number) for number in (1, 2)]
        await stack.aclose()
        assert not any(driver.is_closed() for driver in held)
        await asyncio.gather(*waiters)
        await until(lambda: len(db.pool.stock.slots) == 1)


# Its connections.


async def test_every_connection_is_replaced_after_expire(two):
    before = set(await drivers(two))
    two.pool.expire(0)
    assert not before & set(await drivers(two))


async def test_expired_connections_go_one_after_the_other(two):
    now = time.monotonic()
    two.pool.expire(100)
    assert all(now <= slot.expires_at <= time.monotonic() + 100 for slot in two.pool.stock.slots)
    assert len({slot.expires_at for slot in two.pool.stock.slots}) == 2


# Its end.


async def test_a_drain_waits_for_what_is_out(two, outside):
    stack, [driver] = await _hold(two, 1)
    draining = asyncio.create_task(two.pool.drain(10))
    await until(lambda: two.pool.stock.is_closed)
    assert await driver.fetchval("SELECT 1") == 1
    await stack.aclose()
    assert await draining == 0
    await until_none_left(outside)


async def test_a_drain_cuts_off_what_does_not_come_back(two, outside):
    stack, [driver] = await _hold(two, 1)
    assert await two.pool.drain(0.05) == 1
    await until_none_left(outside)
    assert driver.is_closed()
    await stack.aclose()
    assert two.pool.leases() == []


@pytest.mark.parametrize("end", ["close", "drain"])
async def test_whoever_waits_is_told_of_the_end(two, end):
    stack, _ = await _hold(two, 2)
    waiter = await _waiting(two, _use(two))
    ending = asyncio.create_task(two.close() if end == "close" else two.pool.drain(10))
    with pytest.raises(PoolClosed):
        await waiter
    await stack.aclose()
    await ending


@pytest.mark.parametrize("end", ["close", "drain"])
async def test_nothing_is_given_out_after_the_end(two, end):
    await (two.close() if end == "close" else two.pool.drain(1))
    with pytest.raises(PoolClosed):
        await _use(two)
    with pytest.raises(PoolClosed):
        await _read_first(two)


async def test_a_database_is_opened_again_after_its_end(two):
    await two.pool.drain(1)
    await two.open()
    assert await serves(two)


# Who goes first.


@pytest.mark.parametrize("first", [_read_first, lambda db: _use(db, priority=True)], ids=["session", "driver"])
async def test_whoever_has_priority_goes_before_those_who_wait(database_url, first):
    order = []

    async def noted(name, work):
        await work
        order.append(name)

    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        async with db.checkout():
            other = await _waiting(db, noted("other", _use(db)), 1)
            task = await _waiting(db, noted("first", first(db)), 2)
        await asyncio.gather(other, task)
    assert order == ["first", "other"]


async def test_whoever_has_priority_does_not_keep_others_from_being_shed(database_url):
    pool = PoolConfig(size=1, checkout_timeout_s=60, admission_target_s=0.02, max_waiting=100_000)
    ends = Counter()

    async def work(db):
        with suppress(PoolOverloaded):
            async with db.checkout():
                await asyncio.sleep(0.002)
            return
        ends["shed"] += 1

    async with Database(database_url, pool=pool) as db:
        async with db.checkout():
            first = await _waiting(db, _use(db, priority=True))
        await first
        deadline = time.monotonic() + AT_ONCE_S
        async with asyncio.TaskGroup() as tasks:
            while not ends and time.monotonic() < deadline:
                for _ in range(4):
                    tasks.create_task(work(db))
                await asyncio.sleep(0.002)
            assert ends["shed"]


# Who hears of it.


class Observer:
    """Remembers what it hears."""

    def __init__(self):
        self.heard = []

    def record(self, metric, value):
        self.heard.append((metric, value))

    def count(self):
        return Counter(metric for metric, _ in self.heard)


async def test_an_observer_hears_of_every_measurement(database_url):
    observer = Observer()
    async with Database(database_url, pool=PoolConfig(size=1, checkout_timeout_s=0.05), observer=observer) as db:
        stack, _ = await _hold(db, 1)
        with pytest.raises(PoolTimeout):
            await _use(db)
        waiter = await _waiting(db, _use(db))
        await stack.aclose()
        await waiter
    assert set(observer.count()) == {f"{NAME}{of}" for of in ("create_time", "use_time", "wait_time", "timeouts")}
    assert all(value > 0 for _, value in observer.heard)


async def test_an_observer_hears_of_a_connection_that_broke(database_url, outside):
    observer = Observer()
    async with Database(database_url, pool=TWO, observer=observer) as db:
        before = observer.count()[f"{NAME}use_time"]
        async with db.engine.connect() as connection:
            pid = await connection.scalar(text("SELECT pg_backend_pid()"))
            driver = (await connection.get_raw_connection()).driver_connection
            await outside.execute("SELECT pg_terminate_backend($1, 5000)", pid)
            await until(driver.is_closed)  # the server's end of it may be known later
            await connection.invalidate()
        assert observer.count()[f"{NAME}use_time"] == before + 1
        assert db.pool.status().totals.lost == 1


@pytest.mark.parametrize("size", [0, -1, 2.5])
async def test_a_size_that_is_none_is_refused_and_changes_nothing(db, size):
    with pytest.raises(ConfigError, match=r"^PoolConfig\.size is"):
        db.pool.resize(size)
    assert (db.pool.size(), await serves(db)) == (3, True)
