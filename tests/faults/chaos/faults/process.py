"""Faults in the service's own process: cancellations, a blocked loop, clocks, forks, work for the collector."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
import warnings
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from sqlalchemy import text

from dal import Database
from dal.errors import DALError, PoolMisused
from dal.testing.clock import Clock
from tests.faults.chaos.faults.scene import Scene, yes
from tests.faults.chaos.traffic import Running

_BLOCKED_S: Final = 2.0
_HOUR_S: Final = 3600.0
_REFUSED: Final = 7
_CHILD_S: Final = 5
_TIME: Final = time.time
# By how many seconds it is set, by each of those that set it now.
_set_by: Final[list[float]] = []


@asynccontextmanager
async def cancel(scene: Scene, way: str) -> AsyncGenerator[Callable[[], bool]]:
    """Cancel operations that are under way."""
    running = sorted(scene.traffic.running, key=lambda one: one.began)
    chosen = running if way == "all" else scene.chance.sample(running, min(len(running), 3))
    if way == "every tick":
        await asyncio.gather(*map(_on_every_tick, chosen))
    else:
        for one in chosen:
            one.cancel()
    yield lambda: bool(chosen)


async def _on_every_tick(one: Running) -> None:
    while not one.task.done():
        one.cancel()
        await asyncio.sleep(0)


@asynccontextmanager
async def loop(scene: Scene, way: str) -> AsyncGenerator[Callable[[], bool]]:  # there is one way
    """Let nothing else run for a while."""
    time.sleep(_BLOCKED_S)  # noqa: ASYNC251 # which is the fault
    yield yes


@asynccontextmanager
async def clock(scene: Scene, way: str) -> AsyncGenerator[Callable[[], bool]]:
    """Set the wall clock, as a broken time server does; or let the pool believe that an hour has passed."""
    if way == "an hour of the pool":
        Clock(scene.traffic.service.db).advance(_HOUR_S)
        yield yes
        return
    by_s = _HOUR_S if way == "ahead" else -_HOUR_S
    _set_by.append(by_s)
    time.time = _set_time
    try:
        yield yes
    finally:
        _set_by.remove(by_s)
        if not _set_by:
            time.time = _TIME


def _set_time() -> float:
    return _TIME() + sum(_set_by)


@asynccontextmanager
async def garbage(scene: Scene, way: str) -> AsyncGenerator[Callable[[], bool]]:
    """Forget something that holds a connection, and let the collector find it."""
    is_done = True
    try:
        async with asyncio.timeout(1):
            await _LEFT[way](scene.traffic.service.db)
    except (DALError, TimeoutError):
        is_done = False  # it came to nothing
    gc.collect()
    yield lambda: is_done


async def _session(db: Database) -> None:
    lent = db.reading()
    session = await lent.__aenter__()
    await session.execute(text("SELECT 1"))
    await (await session.connection()).execute(text("SELECT 2"))


async def _transaction(db: Database) -> None:
    session = await db.begin().__aenter__()
    await session.execute(text("SELECT 1"))


async def _checkout(db: Database) -> None:
    driver = await db.checkout().__aenter__()
    await driver.execute("SELECT 1")


async def _task(db: Database) -> None:
    reached = asyncio.Event()

    async def wait() -> None:
        with suppress(DALError):
            async with db.begin() as session:
                await session.execute(text("SELECT 1"))
                reached.set()
                await asyncio.Future()  # which nobody else knows, as nobody knows the task
        reached.set()

    waiting = asyncio.create_task(wait())
    await reached.wait()
    del waiting


_LEFT: Final = {"session": _session, "transaction": _transaction, "checkout": _checkout, "task": _task}


@asynccontextmanager
async def fork(scene: Scene, way: str) -> AsyncGenerator[Callable[[], bool]]:
    """Fork; the child uses the database, which it must be refused, or only ends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: a service does it, too
        pid = os.fork()
    if pid == 0:
        _end_as_child(scene.traffic.service.db, is_using=way == "used")
    _, status = await asyncio.to_thread(os.waitpid, pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != _REFUSED:
        scene.traffic.findings.append(f"a forked child ended with {code}")
    yield yes


def _end_as_child(db: Database, *, is_using: bool) -> None:
    code = _REFUSED
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_CHILD_S)
    try:
        if is_using:
            code = 1
            asyncio._set_running_loop(None)  # the parent's, which is copied
            with suppress(PoolMisused):
                asyncio.run(_use(db))
                code = 2
            code = _REFUSED if code == 1 else code
    finally:
        os._exit(code)


async def _use(db: Database) -> None:
    async with db.checkout() as driver:
        await driver.execute("SELECT 1")
