"""Point reads through a pool: how many a second by fifty tasks, and a thousand at once on a pool that is cold.

Every task draws its keys from a seed of its own, the same for every pool.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import URL

from bench.pool_contenders import REFUSALS, ROWS, TABLE, Opener, OpenPool, connected
from bench.report import freeze_heap

TASKS: Final = 50
# Rates are kept as the seconds of so many reads: what `alternate` compares are seconds.
READS: Final = 10_000
# Who was refused or got an error comes back after this; at once would be a loop that leaves nobody a turn.
PAUSE_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class Burst:
    """How long it took until every request had its answer or its error, and how many had an error."""

    seconds: float
    failed: int


async def checkout_s(pool: OpenPool, times: int) -> float:
    """Check a connection out and in *times* times, one after the other, without a statement; gives the seconds."""
    started = time.perf_counter()
    for _ in range(times):
        async with pool.checkout():
            pass
    return time.perf_counter() - started


@dataclass(slots=True)
class Reads:
    """Reads by `TASKS` tasks on *pool* for *seconds*; `refused` are those that it shed, in all rounds."""

    pool: OpenPool
    seconds: float
    refused: int = 0

    async def run(self) -> float:
        """Read once; gives the time that `READS` reads take at the rate of those that were answered.

        The time is fixed and not the number, so that a contender of a hundredth of the speed does not take minutes.
        """
        started = time.perf_counter()
        done = await asyncio.gather(*(self._read_until(started + self.seconds, seed) for seed in range(TASKS)))
        return (time.perf_counter() - started) / sum(done) * READS

    async def _read_until(self, end: float, seed: int) -> int:
        draw, done = random.Random(seed), 0
        while time.perf_counter() < end:
            try:
                await self.pool.read(draw.randrange(ROWS))
                done += 1
            except REFUSALS:
                self.refused += 1
                await asyncio.sleep(PAUSE_S)
        return done


async def burst(opener: Opener, url: URL, requests: int) -> Burst:
    """Open a pool with nothing in it and read by *requests* tasks at once; the opening is inside of the clock.

    Nobody gives up here but the pools themselves: all settings and limits are theirs.
    """
    keys = random.Random(requests).choices(range(ROWS), k=requests)
    freeze_heap()
    started = time.perf_counter()
    async with opener(url, 0) as pool:
        results = await asyncio.gather(*(pool.read(key) for key in keys), return_exceptions=True)
        seconds = time.perf_counter() - started
    return Burst(round(seconds, 4), sum(isinstance(each, BaseException) for each in results))


async def recreate_table(url: URL) -> None:
    async with connected(url) as connection:
        await connection.execute(
            f"DROP TABLE IF EXISTS {TABLE};"
            f"CREATE TABLE {TABLE} (id int PRIMARY KEY, name text NOT NULL);"
            f"INSERT INTO {TABLE} SELECT n, 'name ' || n FROM generate_series(0, {ROWS - 1}) n;"
        )
        await connection.execute(f"VACUUM ANALYZE {TABLE}")


async def drop_table(url: URL) -> None:
    async with connected(url) as connection:
        await connection.execute(f"DROP TABLE {TABLE}")
