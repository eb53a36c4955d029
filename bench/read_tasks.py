"""Reads by concurrent tasks for a fixed time.

Every task draws what it asks for from a seed of its own, the same for every contender, before the clock runs: to draw
takes as long as a tenth of the fastest read. Refuses: knowing who reads.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from time import perf_counter
from typing import Any, Final

from bench.report import freeze_heap
from dal.errors import PoolOverloaded

# Rates are kept as the seconds of so many reads: what `alternate` compares are seconds.
READS: Final = 10_000
# Who was refused comes back after this; at once would be a loop that leaves nobody a turn.
PAUSE_S: Final = 0.01
# What a task asks for, and then again from the beginning.
DRAWN: Final = 1_000


@dataclass(slots=True)
class Readers:
    """So many *tasks* that each read one thing after the other; `refused` are the reads that dal's pool shed."""

    read: Callable[[Any], Awaitable[object]]
    draw: Callable[[random.Random], object]
    tasks: int
    seconds: float
    refused: int = 0

    async def run(self) -> float:
        """Read once; gives the time that `READS` reads take at the rate of those that were answered.

        The time is fixed and not the number, so that a contender of a hundredth of the speed does not take minutes.
        """
        asked = [self._drawn(random.Random(seed)) for seed in range(self.tasks)]
        freeze_heap()
        started = perf_counter()
        done = await asyncio.gather(*(self._read_until(started + self.seconds, each) for each in asked))
        return (perf_counter() - started) / sum(done) * READS

    def _drawn(self, chance: random.Random) -> Sequence[object]:
        return [self.draw(chance) for _ in range(DRAWN)]

    async def _read_until(self, end: float, asked: Sequence[object]) -> int:
        done = 0
        for each in cycle(asked):
            if perf_counter() >= end:
                break
            try:
                await self.read(each)
                done += 1
            except PoolOverloaded:
                self.refused += 1
                await asyncio.sleep(PAUSE_S)
        return done
