"""Step 3: the connection as the bottleneck: one per request, against the pool."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from dal.demo.models import Customer
from dal.demo.repositories import Customers
from dal.demo.tour.place import Place
from dal.demo.tour.result import StepResult
from dal.errors import PoolOverloaded
from dal.tls import driver_options

TASKS: Final = 50
SECONDS: Final = 2.5


@dataclass(frozen=True, slots=True)
class _Load:
    """What one way of connecting did under load; latencies in milliseconds."""

    latencies_ms: list[float]
    opened: int

    @property
    def per_s(self) -> float:
        return len(self.latencies_ms) / SECONDS

    def __str__(self) -> str:
        p99 = statistics.quantiles(self.latencies_ms, n=100)[98]
        return (
            f"{self.per_s:,.0f} requests/s, p50 {statistics.median(self.latencies_ms):.1f} ms, p99 {p99:.1f} ms, "
            f"{self.opened:,} connections opened"
        )


async def step(place: Place, result: StepResult) -> None:
    """Let 50 tasks read customers for a few seconds, first connecting each time, then through the pool."""
    with place.console.status(f"   {TASKS} tasks, {SECONDS} s each way"):
        keys = range(1, await Customers(place.db).count() + 1)
        naive = await _connecting_each_time(place, keys)
        pooled = await _through_the_pool(place, keys)
    size = place.db.config.pool.size
    result.show("a connection per request", naive)
    result.show(f"the pool of {size}", pooled)
    result.show("ratio", f"{pooled.per_s / naive.per_s:.1f}x the requests")
    result.check("the pool opened no connection that it did not have", ok=pooled.opened == 0)
    result.check("the pool serves at least 3 times as many", ok=pooled.per_s >= 3 * naive.per_s)


async def _connecting_each_time(place: Place, keys: range) -> _Load:
    settings = {"server_settings": dict(place.db.config.server_settings)}
    arguments = {**settings, "async_creator_fn": _connect}
    engine = create_async_engine(place.db.config.url, poolclass=NullPool, connect_args=arguments)

    async def request(key: int) -> None:
        async with AsyncSession(engine) as session:
            await session.scalars(select(Customer).where(Customer.id == key))

    load = await _measure(engine, request, keys)
    await engine.dispose()
    return load


async def _connect(**options: Any) -> asyncpg.Connection:
    return await asyncpg.connect(**driver_options(options))


async def _through_the_pool(place: Place, keys: range) -> _Load:
    customers = Customers(place.db)

    async def request(key: int) -> None:
        try:
            await customers.get_one(key)
        except PoolOverloaded as shed:  # by a machine that is busy with something else: later then, and it counts
            await asyncio.sleep(shed.retry_after_s)
            await request(key)

    return await _measure(place.db.engine, request, keys)


async def _measure(engine: AsyncEngine, request: Callable[[int], Awaitable[None]], keys: range) -> _Load:
    latencies_ms: list[float] = []
    opened = 0

    def count(*_: object) -> None:
        nonlocal opened
        opened += 1

    event.listen(engine.sync_engine, "connect", count)
    deadline = time.perf_counter() + SECONDS

    async def client() -> None:
        while (started := time.perf_counter()) < deadline:
            await request(random.choice(keys))  # noqa: S311 # which customer is no secret
            latencies_ms.append((time.perf_counter() - started) * 1000)

    await asyncio.gather(*(client() for _ in range(TASKS)))
    event.remove(engine.sync_engine, "connect", count)
    return _Load(latencies_ms, opened)
