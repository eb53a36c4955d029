"""A pool that is exhausted says so in its time, and by whom."""

import asyncio
import pickle
import time
from collections.abc import AsyncGenerator

import pytest
from sqlalchemy import URL, exc, text

from dal import Database, PoolConfig
from dal.demo.repositories import Shop
from dal.errors import PoolError, PoolTimeout

TIMEOUT_S = 0.1


@pytest.fixture
async def small(read_only_url: URL) -> AsyncGenerator[Database]:
    """Lend a database with two connections, and little patience."""
    async with Database(read_only_url, pool=PoolConfig(size=2, checkout_timeout_s=TIMEOUT_S)) as db:
        yield db


async def _hold(db, held, enough):
    async with db.reading() as session:
        await session.execute(text("SELECT 1"))
        held.set()
        await enough.wait()


@pytest.fixture
async def timeout(small: Database) -> tuple[PoolTimeout, float]:
    """Exhaust the pool with two named tasks; return the error of one who waits, and how long that took."""
    enough, events = asyncio.Event(), [asyncio.Event(), asyncio.Event()]
    holders = [asyncio.create_task(_hold(small, held, enough), name=f"holder {n}") for n, held in enumerate(events)]
    for held in events:
        await held.wait()
    started = time.monotonic()
    with pytest.raises(PoolTimeout) as caught:
        async with Shop(small) as shop:
            await shop.regions.count()
    waited_s = time.monotonic() - started
    enough.set()
    await asyncio.gather(*holders)
    return caught.value, waited_s


async def test_the_timeout_comes_in_its_time(timeout):
    assert TIMEOUT_S <= timeout[1] < TIMEOUT_S + 2


async def test_the_timeout_says_how_many_are_out(timeout):
    assert "2 of 2 are out, 1 wait" in str(timeout[0])


async def test_the_timeout_names_the_task_that_holds(timeout):
    assert "task 'holder 0' at test_pool_timeout.py:" in str(timeout[0])


async def test_the_timeout_names_the_function_that_holds(timeout):
    assert " in _hold(), for 0." in str(timeout[0])


async def test_the_timeout_says_what_to_do(timeout):
    assert str(timeout[0]).endswith("or raise PoolConfig.size.")


async def test_the_timeout_is_sqlalchemys_too(timeout):
    assert isinstance(timeout[0], exc.TimeoutError)
    assert isinstance(timeout[0], PoolError)


async def test_the_timeout_is_pickled(timeout):
    assert str(pickle.loads(pickle.dumps(timeout[0]))) == str(timeout[0])


async def test_the_pool_serves_after_a_timeout(small, timeout):
    async with small.reading() as session:
        assert await session.scalar(text("SELECT 1")) == 1


async def test_overflow_is_opened_before_anybody_waits(read_only_url):
    pool = PoolConfig(size=1, max_overflow=1, checkout_timeout_s=TIMEOUT_S)
    async with Database(read_only_url, pool=pool) as db, db.reading() as one, db.reading() as two:
        await one.execute(text("SELECT 1"))
        assert await two.scalar(text("SELECT 1")) == 1


async def test_the_timeout_counts_overflow_among_what_can_be_out(read_only_url):
    pool = PoolConfig(size=1, max_overflow=1, checkout_timeout_s=TIMEOUT_S)
    async with (
        Database(read_only_url, pool=pool) as db,
        db.reading() as one,
        db.reading() as two,
        db.reading() as three,
    ):
        await one.execute(text("SELECT 1"))
        await two.execute(text("SELECT 1"))
        with pytest.raises(PoolTimeout, match="2 of 2 are out"):
            await three.execute(text("SELECT 1"))
