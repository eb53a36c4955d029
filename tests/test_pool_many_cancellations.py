"""Ten thousand tasks cancelled at random moments leak nothing, and nothing gets stuck."""

from __future__ import annotations

import asyncio
import logging
import random
import statistics
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

import pytest
from sqlalchemy import text

from dal import Database, PoolConfig
from dal.errors import DALError
from tests.cancelling import is_within_its_size, serves, until_quiet
from tests.looking import backends

TASKS: Final = 10_000
AT_A_TIME: Final = 20
SIZE: Final = 5
STATEMENTS: Final = ["SELECT 1", "SELECT 1", "SELECT 1", "SELECT pg_sleep(0.001)", "SELECT 1/0"]


@pytest.fixture
async def pool(database_url):
    async with Database(database_url, pool=PoolConfig(size=SIZE, checkout_timeout_s=30)) as db:
        yield db


async def _reading(db, statement):
    async with db.reading() as session:
        await session.execute(text(statement))


async def _writing(db, statement):
    async with db.writing() as session:
        await session.execute(text(statement))


async def _engine(db, statement):
    async with db.engine.connect() as connection:
        await connection.execute(text(statement))


async def _native(db, statement):
    async with db.checkout() as driver, driver.transaction():
        await driver.execute(statement)


class Storm:
    """Runs tasks in all ways, and cancels each at a moment of its own."""

    def __init__(self, db: Database, seed: int) -> None:
        self.db = db
        self.chance = random.Random(seed)
        self.left = TASKS
        self.broken: list[str] = []

    async def blow(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_A_TIME):
                group.create_task(self._spend())

    async def _spend(self) -> None:
        while self.left > 0:
            self.left -= 1
            way = self.chance.choice([_reading, _writing, _engine, _native])
            await self.chance.choice(STOPS)(way(self.db, self.chance.choice(STATEMENTS)), self.chance)
            if not is_within_its_size(self.db):
                self.broken.append(str(self.db.pool.status()))


async def _once(work: Coroutine[Any, Any, None], chance: random.Random) -> None:
    task = asyncio.create_task(work)
    for _ in range(chance.randrange(30)):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _on_every_tick(work: Coroutine[Any, Any, None], chance: random.Random) -> None:
    task = asyncio.create_task(work)
    await asyncio.sleep(chance.random() * 0.003)
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.gather(task, return_exceptions=True)


async def _by_timeout(work: Coroutine[Any, Any, None], chance: random.Random) -> None:
    with suppress(TimeoutError, DALError):
        async with asyncio.timeout(chance.random() * 0.003):
            await work


STOPS: Final[list[Callable[..., Coroutine[Any, Any, None]]]] = [_once, _on_every_tick, _by_timeout]


async def _most_backends(outside, storm):
    most = 0
    while not storm.done():
        most = max(most, len(await backends(outside)))
        await asyncio.sleep(0.01)
    return most


async def test_ten_thousand_cancellations_leave_a_whole_pool(pool, outside):
    seed = random.randrange(1 << 32)
    logging.getLogger(__name__).warning("seed %d", seed)  # pytest shows it with a failure
    storm = Storm(pool, seed)
    task = asyncio.create_task(storm.blow())
    most = await _most_backends(outside, task)
    await task
    assert pool.pool.leases() == []
    assert storm.broken == []
    await until_quiet(outside)
    assert await serves(pool)
    assert most <= SIZE
    assert await _median_checkout_s(pool) < 0.05


async def _median_checkout_s(db):
    waits = []
    for _ in range(20):
        started = time.monotonic()
        async with db.checkout():
            waits.append(time.monotonic() - started)
    return statistics.median(waits)
