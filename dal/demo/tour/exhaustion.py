"""Step 7: a pool that somebody keeps for himself, and what the next one is told."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from dal import Database, PoolConfig
from dal.demo.repositories import Orders, Shop
from dal.demo.tour.place import Place
from dal.demo.tour.result import StepResult
from dal.errors import PoolTimeout

POOL: Final = PoolConfig(size=2, checkout_timeout_s=0.5)
_HOLDER: Final = "forgetful-report"


async def step(place: Place, result: StepResult) -> None:
    """Hold both connections of a small pool, ask for a third, and let go again."""
    async with place.another(POOL) as db:
        release = asyncio.Event()
        holding = [await _hold(db, release) for _ in range(POOL.size)]
        waited_s, error = await _ask(db)
        release.set()
        await asyncio.gather(*holding)
        served = await Orders(db).get(1)
    result.show("the waiter got", f"{type(error).__name__} after {waited_s:.2f} s: {error}")
    soon = POOL.checkout_timeout_s <= waited_s < POOL.checkout_timeout_s + 0.5
    result.check(f"the timeout came in its time, {POOL.checkout_timeout_s} s", ok=soon)
    result.check("it names the task that holds the pool", ok=_HOLDER in str(error))
    result.check("once the holder lets go, the pool serves again", ok=served is not None)


async def _hold(db: Database, release: asyncio.Event) -> asyncio.Task[None]:
    held = asyncio.Event()

    async def write_report() -> None:
        async with Shop(db) as shop:
            await shop.orders.count()
            held.set()
            await release.wait()

    task = asyncio.create_task(write_report(), name=_HOLDER)
    await held.wait()
    return task


async def _ask(db: Database) -> tuple[float, PoolTimeout | None]:
    started = time.perf_counter()
    try:
        await Orders(db).get(1)
    except PoolTimeout as error:
        return time.perf_counter() - started, error
    return time.perf_counter() - started, None
