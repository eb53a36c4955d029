"""A server that restarts under load: how long a pool needs to serve again, and how hard it knocks meanwhile.

Fifty tasks read points, each with a deadline; whoever got no answer comes back after a short pause. A window of 100 ms
is as before when it has 90 % of the reads that such windows had in the middle, before the restart. The clock starts
when a connection of nobody's pool is accepted again, and stops at the end of the first window that is as before.

Attempts to connect are counted in this process, around the function by which each driver connects.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final
from unittest.mock import patch

import asyncpg
import psycopg
from sqlalchemy import URL

from bench.overload import DEADLINE_S
from bench.pool_contenders import ROWS, Opener, OpenPool, dsn, warm
from bench.pool_reads import PAUSE_S, TASKS
from dal.testing import EmbeddedServer

WINDOW_S: Final = 0.1
AS_BEFORE: Final = 0.9
# A pool that is not back by then is given up, and its figure is this.
LIMIT_S: Final = 10.0
# A connect by unix socket takes some milliseconds, or fails at once.
_POLL_S: Final = 0.005
_connect_uncounted: Final = asyncpg.connect


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds until it was as before, reads per second before, and the most connects under way at once."""

    seconds: float
    reads_per_s: float
    attempts: int
    most_attempts: int


@dataclass(slots=True)
class Attempts:
    """Connects under way, the most there ever were, and how many there were in all."""

    now: int = 0
    most: int = 0
    total: int = 0

    def forget(self) -> None:
        """Count on from here; what is under way stays so."""
        self.most, self.total = self.now, 0

    def counted(self, connect: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counting(*arguments: Any, **options: Any) -> Any:
            self.now, self.total = self.now + 1, self.total + 1
            self.most = max(self.most, self.now)
            try:
                return await connect(*arguments, **options)
            finally:
                self.now -= 1

        return counting


@dataclass(slots=True)
class Windows:
    """The moments of the reads that were answered, counted by windows; closed, nobody reads any more."""

    ended: list[float] = field(default_factory=list)
    closed: bool = False

    def counts(self, since: float, until: float) -> list[int]:
        """Count the reads in each whole window between two moments."""
        found = Counter(int((each - since) / WINDOW_S) for each in self.ended if since <= each < until)
        return [found[number] for number in range(int((until - since) / WINDOW_S))]


async def recover(opener: Opener, server: EmbeddedServer, steady_s: float) -> Recovery:
    """Read for *steady_s*, restart the server, and read until it is as before."""
    attempts, windows = Attempts(), Windows()
    with counted_connects(attempts), unlogged():
        async with warm(opener, server.url) as pool, reading(pool, windows):
            started = time.monotonic()
            await asyncio.sleep(steady_s)
            # The first half is left to warm up.
            before = median(windows.counts(started + steady_s / 2, time.monotonic()))
            attempts.forget()
            seconds = await _as_before(windows, await _restart(server), before * AS_BEFORE)
    return Recovery(round(seconds, 2), round(before / WINDOW_S), attempts.total, attempts.most)


@contextmanager
def counted_connects(attempts: Attempts) -> Generator[None]:
    """Count what the pools connect while the block runs: asyncpg's own pool looks its function up elsewhere."""
    by_asyncpg = attempts.counted(asyncpg.connect)
    by_psycopg = attempts.counted(psycopg.AsyncConnection.connect)
    with (
        patch.object(asyncpg, "connect", by_asyncpg),
        patch.object(asyncpg.connection, "connect", by_asyncpg),
        patch.object(psycopg.AsyncConnection, "connect", by_psycopg),
    ):
        yield


@contextmanager
def unlogged() -> Generator[None]:
    """Keep out of sight what pools log of a server that is away: here it is expected."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@asynccontextmanager
async def reading(pool: OpenPool, windows: Windows) -> AsyncGenerator[None]:
    """Keep `TASKS` tasks reading while the block runs."""
    async with asyncio.TaskGroup() as group:
        for seed in range(TASKS):
            group.create_task(_read(pool, windows, seed))
        try:
            yield
        finally:
            # Not by cancelling them: not every driver lets a cancellation through.
            windows.closed = True


async def _read(pool: OpenPool, windows: Windows, seed: int) -> None:
    draw = random.Random(seed)
    while not windows.closed:
        try:
            async with asyncio.timeout(DEADLINE_S):
                await pool.read(draw.randrange(ROWS))
        except Exception:
            # Every pool and driver has errors of its own for a server that is away.
            await asyncio.sleep(PAUSE_S)
        else:
            windows.ended.append(time.monotonic())


async def _restart(server: EmbeddedServer) -> float:
    """Restart *server*; gives the moment from which it accepts connections again."""
    # pg_ctl looks every 100 ms and would say so too late.
    accepted = asyncio.create_task(_accepted_again(server.url))
    await asyncio.to_thread(server.restart)
    return await accepted


async def _accepted_again(url: URL) -> float:
    refused = False
    while True:
        try:
            connection = await _connect_uncounted(dsn(url))
        except (OSError, asyncpg.PostgresError):
            refused = True
        else:
            connection.terminate()
            if refused:
                return time.monotonic()
        await asyncio.sleep(_POLL_S)


async def _as_before(windows: Windows, since: float, enough: float) -> float:
    """Give the seconds from *since* to the end of the first window with *enough* reads, `LIMIT_S` at the most."""
    while time.monotonic() < since + LIMIT_S:
        await asyncio.sleep(WINDOW_S)
        for number, count in enumerate(windows.counts(since, time.monotonic())):
            if count >= enough:
                return (number + 1) * WINDOW_S
    return LIMIT_S
