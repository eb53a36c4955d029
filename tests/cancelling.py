"""Ways to stop a task from outside, and what holds of a pool after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import asyncpg
from sqlalchemy import text

from dal import Database
from tests.looking import states, until

# For what is promised "at once": far below every timeout of a pool.
AT_ONCE_S: Final = 3.0

Work = Coroutine[Any, Any, object]
Reached = Callable[[], Coroutine[Any, Any, object]]


async def cancelled_once(work: Work, reached: Reached) -> BaseException | None:
    """Cancel *work* when *reached* has returned; gives what it ended with."""
    task = asyncio.create_task(work)
    await reached()
    task.cancel()
    return await _end_of(task)


async def cancelled_on_every_tick(work: Work, reached: Reached) -> BaseException | None:
    """Cancel *work* again on each turn of the loop until it has ended, as anyio's cancel scopes do."""
    task = asyncio.create_task(work)
    await reached()
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    return await _end_of(task)


async def timed_out(work: Work, reached: Reached) -> BaseException | None:
    """Let the deadline of *work* pass when *reached* has returned."""
    scopes: list[asyncio.Timeout] = []

    async def limited() -> None:
        async with asyncio.timeout(None) as scope:
            scopes.append(scope)
            await work

    task = asyncio.create_task(limited())
    await asyncio.sleep(0)
    await reached()
    if not task.done():
        scopes[0].reschedule(asyncio.get_running_loop().time())
    return await _end_of(task)


async def at_once() -> None:
    """Wait for nothing."""


def ticks(number: int, *, after: Reached = at_once) -> Reached:
    """Wait for some turns of the loop, after something else."""

    async def pass_by() -> None:
        await after()
        for _ in range(number):
            await asyncio.sleep(0)

    return pass_by


def is_within_its_size(db: Database) -> bool:
    """Tell whether the pool counts no more connections than it may have."""
    status = db.pool.status()
    return status.idle + status.checked_out + status.opening + status.closing <= status.size


async def serves(db: Database) -> bool:
    """Use every connection of the pool at once, in both ways."""

    async def by_session() -> None:
        async with db.reading() as session:
            await session.execute(text("SELECT 1"))

    async def by_driver() -> None:
        async with db.checkout() as driver:
            await driver.execute("SELECT 1")

    async with asyncio.timeout(AT_ONCE_S):
        for way in (by_session, by_driver):
            await asyncio.gather(*(way() for _ in range(db.pool.size())))
    return True


async def until_quiet(outside: asyncpg.Connection) -> None:
    """Wait until no connection of dal's is in a transaction, or runs anything."""

    async def quiet() -> bool:
        return set(await states(outside)) <= {"idle"}

    await until(quiet)


async def _end_of(task: asyncio.Task[object]) -> BaseException | None:
    [end] = await asyncio.gather(task, return_exceptions=True)
    return end if isinstance(end, BaseException) else None
