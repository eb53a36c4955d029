"""One load after the other by the clock, with Python's collector as it is to be.

Refuses: knowing what is loaded.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal, TypeAlias

from bench.report import freeze_heap
from dal import tune_gc

# Loads the orders whose keys are below a number, with what belongs to them.
Load: TypeAlias = Callable[[int], Awaitable[Any]]

# What Python's collector looks through: what was loaded since the round began; the whole heap, which has five stacks in
# it where a service has one; or what an application leaves to it that called `dal.tune_gc` when it started.
Heap = Literal["own", "whole", "tuned"]


@contextmanager
def collecting(heap: Heap) -> Generator[None]:
    """Have the collector so, which runs in each of them; what the round before left is not this one's to clear away."""
    thresholds = gc.get_threshold()
    if heap == "own":
        freeze_heap()
    else:
        gc.collect()
    if heap == "tuned":
        tune_gc()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


@dataclass(frozen=True, slots=True)
class Loads:
    """One load after the other for *seconds*, and one at least."""

    load: Load
    below: int
    seconds: float
    heap: Heap = "own"

    async def run(self) -> float:
        """Load; gives the seconds that one took, what the collector took of them included."""
        with collecting(self.heap):
            started, loads = perf_counter(), 0
            while True:
                await self.load(self.below)
                loads += 1
                if (seconds := perf_counter() - started) >= self.seconds:
                    return seconds / loads
