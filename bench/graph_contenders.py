"""Who loads graphs, each on ten connections of its own, and the clock that they are loaded by.

What a contender does, and whose documentation it is taken from, stands in the modules `bench.graph_by_*`; the first
line of its method goes into the results.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import URL

from bench.graph_by_dal import open_dal
from bench.graph_by_hand import open_by_hand
from bench.graph_by_sqlalchemy import open_advanced_alchemy, open_selectinload
from bench.graph_by_tortoise import open_tortoise
from bench.report import freeze_heap
from dal import tune_gc

# Loads the orders whose keys are below a number, with what belongs to them.
Load: TypeAlias = Callable[[int], Awaitable[Any]]

# dal is the last, and the fastest of the others stands before it.
OPENERS: Final[dict[str, Callable[[URL], AbstractAsyncContextManager[Any]]]] = {
    "tortoise": open_tortoise,
    "advanced_alchemy": open_advanced_alchemy,
    "selectinload": open_selectinload,
    "handwritten": open_by_hand,
    "dal": open_dal,
}


@asynccontextmanager
async def open_loaders(url: URL, names: Sequence[str] = tuple(OPENERS)) -> AsyncGenerator[dict[str, Any]]:
    """Connect those of *names*."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(OPENERS[name](url)) for name in names}


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
