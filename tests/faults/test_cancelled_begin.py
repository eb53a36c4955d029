"""A BEGIN that was done when its task was cancelled costs its connection nothing but a ROLLBACK.

Under load both come in one turn of the loop: the driver has its answer, and whoever waited for it is told otherwise.
"""

from __future__ import annotations

import asyncio
import time

import pytest
from sqlalchemy import text

from dal import Database, PoolConfig
from tests.looking import states, until


@pytest.fixture
async def one(database_url):
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        yield db


async def _by_session(db):
    async with db.begin() as session:
        await session.execute(text("SELECT 1"))


async def _by_driver(db):
    async with db.checkout() as driver:
        await driver.transaction().start()


async def _cancelled_when_answered(db, work):
    """Cancel *work* in the turn in which its first statement is answered."""
    task = asyncio.create_task(work)
    while not any(lease.running for lease in db.pool.leases()):  # noqa: ASYNC110 # turn by turn
        await asyncio.sleep(0)
    time.sleep(0.05)  # noqa: ASYNC251 # so that the answer is there before the loop looks
    await asyncio.sleep(0)  # after which the loop reads it
    await asyncio.sleep(0)  # before its task hears of it
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.parametrize("way", [_by_session, _by_driver])
async def test_a_begin_that_was_done_when_it_was_cancelled_keeps_its_connection(one, outside, way):
    await _by_session(one)
    for _ in range(3):
        await _cancelled_when_answered(one, way(one))
        await until(lambda: one.pool.status().idle == 1)
    totals = one.pool.status().totals
    assert (totals.opened, totals.unclean) == (1, 0)
    assert await states(outside) == ["idle"]


async def test_a_begin_that_was_cancelled_is_not_taken_for_one_that_was_used_since(one):
    async with one.checkout() as driver:
        await _cancelled_when_answered(one, driver.transaction().start())
        await driver.execute("SELECT 1")
        assert driver.is_in_transaction()
    await until(lambda: one.pool.status().totals.opened == 2)
    assert one.pool.status().totals.unclean == 1


async def test_a_transaction_that_is_left_open_still_ends_its_connection(one):
    async with one.checkout() as driver:
        await driver.execute("BEGIN")
    await until(lambda: one.pool.status().totals.opened == 2)
    assert one.pool.status().totals.unclean == 1
