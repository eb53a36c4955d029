"""A service that runs for long, under load that is never the same: what grows, what leaks, what slows down.

What is kept for later is filled first, and the capacity is measured, by a closed loop; then requests arrive as they
please, as a Poisson process, at 70 % of it: reads, lookups that share statements, pages, streams, writes with retries,
loads, locks, errors made on purpose, timeouts, cancellations, and work that is new each time; see `bench.soak_service`
and `bench.soak_churn`. The service and what asks it are one process, beside an embedded server.

It ends by itself, and fails when a bound is broken; see `bench.soak_verdict`. The first fifth is warm-up.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench.pool_contenders import connected
from bench.report import RESULTS, Report, machine_facts
from bench.soak_churn import CHURNS
from bench.soak_plot import plot
from bench.soak_rows import create
from bench.soak_service import MIX, Service
from bench.soak_verdict import Figure, figures
from bench.soak_watch import Watch
from dal import Database, PoolConfig
from dal.pool import Totals
from dal.testing import EmbeddedServer

POOL: Final = 10
TASKS: Final = 20
SHARE: Final = 0.7
_FILLERS: Final = 4
# What is still under way at the end.
_LAST_S: Final = 30
_SEED: Final = 10
# So many of each kind of what is new: caches hold a thousand. While one fills, memory grows by right.
_FILL: Final = 1100


@dataclass(frozen=True, slots=True)
class Size:
    """How long each part takes."""

    seconds: float
    capacity_s: float
    period_s: float
    look_every_s: float
    fill: int

    @property
    def warm_s(self) -> float:
        """What is not judged."""
        return self.seconds / 5


TINY: Final = Size(seconds=6, capacity_s=1, period_s=1, look_every_s=1, fill=10)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a service under mixed load, and see what grows.")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--tiny", action="store_true", help="some seconds; keeps no results, and holds no bounds")
    given = parser.parse_args()
    size = TINY if given.tiny else Size(60 * given.minutes, capacity_s=10, period_s=60, look_every_s=20, fill=_FILL)
    with tempfile.TemporaryDirectory(prefix="dal-bench-") as folder:
        found = asyncio.run(measure(size, Path(folder) if given.tiny else RESULTS))
    if not given.tiny and any(each.is_broken for each in found):
        sys.exit(1)


async def measure(size: Size, results: Path) -> list[Figure]:
    """Run all of it, and write what came out into *results*."""
    report = Report("soak", machine_facts(("asyncpg", "sqlalchemy")))
    with EmbeddedServer("bench-soak", in_memory=True) as server:
        async with (
            connected(server.url) as outside,
            Database(server.url, pool=PoolConfig(size=POOL)) as db,
        ):
            await create(db)
            service = Service(db, random.Random(_SEED))
            await fill(service, size.fill)
            capacity = await capacity_per_s(service, size.capacity_s)
            print(f"capacity {capacity:.1f}/s, of which {SHARE:.0%} is offered", flush=True)
            service.errors.clear()
            before = db.pool.status().totals
            gc.collect()
            watch = Watch(db, outside, size.look_every_s)
            await offer(service, watch, SHARE * capacity, size)
            report.facts.update(
                postgres=await outside.fetchval("SHOW server_version"), pool_size=POOL, seconds=size.seconds,
                capacity_per_s=round(capacity, 1), share=SHARE, mix={kind.__name__: n for kind, n in MIX.items()},
                pool_totals=_since(before, db.pool.status().totals),
            )  # fmt: skip
    found = _judged(service, watch, size)
    print(f"pool {report.facts['pool_totals']}", flush=True)
    report.facts.update(
        figures={each.name: round(each.value, 3) for each in found}, errors=dict(service.errors), seen=watch.as_json()
    )
    report.write(results)
    plot(watch, size.period_s, size.warm_s, results / "soak.svg")
    return found


async def fill(service: Service, number: int) -> None:
    """Fill what is kept for later: *number* times all that is new."""

    async def churn(numbers: range) -> None:
        for each in numbers:
            for kind in CHURNS:
                await kind(service.db, each)

    await asyncio.gather(*(churn(range(first, number, _FILLERS)) for first in range(_FILLERS)))


async def capacity_per_s(service: Service, seconds: float) -> float:
    """Give how many requests tasks that never pause are served, in the second half of *seconds*."""
    started, answered = time.monotonic(), 0
    counts_from, ends = started + seconds / 2, started + seconds

    async def ask() -> None:
        nonlocal answered
        while (now := time.monotonic()) < ends:
            answered += await service.request() and now >= counts_from

    await asyncio.gather(*(ask() for _ in range(TASKS)))
    return 2 * answered / seconds


async def offer(service: Service, watch: Watch, per_s: float, size: Size) -> None:
    """Let requests come, each at its own time; one that comes late is as late as it was answered."""
    watching = asyncio.create_task(watch.run(size.period_s))
    due = watch.started
    async with asyncio.timeout(size.seconds + _LAST_S), asyncio.TaskGroup() as group:
        while due - watch.started < size.seconds and not watching.done():
            due += service.draw.expovariate(per_s)
            if (early_s := due - time.monotonic()) > 0:
                await asyncio.sleep(early_s)
            group.create_task(_answer(service, watch, due))
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


async def _answer(service: Service, watch: Watch, due: float) -> None:
    if await service.request():
        watch.note(time.monotonic() - due)


def _since(before: Totals, after: Totals) -> dict[str, int]:
    return {name: count - getattr(before, name) for name, count in asdict(after).items()}


def _judged(service: Service, watch: Watch, size: Size) -> list[Figure]:
    """Print the minutes, the figures, and the errors."""
    for number, each in enumerate(watch.periods):
        print(f"period {number + 1}  answered {len(each)}  p50_ms {each.ms(0.5)}  p99_ms {each.ms(0.99)}", flush=True)
    whole = int(size.seconds // size.period_s)
    first = -(-int(size.warm_s) // int(size.period_s))
    shed = sum(number for name, number in service.errors.items() if name.endswith(" PoolOverloaded"))
    expected = sum(number for name, number in service.errors.items() if name.startswith("on purpose"))
    found = [
        *figures(watch.samples, watch.looks, watch.periods[first:whole] or watch.periods, size.warm_s),
        # Of a machine that is busy with something else: its capacity is not what it was.
        Figure("shed", shed),
        Figure("errors_not_on_purpose", service.errors.total() - shed - expected, 0),
    ]
    for figure in found:
        print(figure, flush=True)
    most = {name: max(each.caches.get(name, 0) for each in watch.looks) for name in watch.looks[-1].caches}
    print(f"cache_entries_most {dict(sorted(most.items(), key=lambda each: -each[1])[:12])}")
    print(f"errors {dict(service.errors.most_common())}")
    return found


if __name__ == "__main__":
    main()
