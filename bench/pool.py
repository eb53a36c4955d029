"""dal's pool beside SQLAlchemy's own, asyncpg's and psycopg's: ten connections each, one embedded server.

How each is used stands in `bench.pool_contenders`. What is measured:

- overload: requests of 20 ms offered at 0.8 to 10 times the capacity, by clients that give up after 250 ms; see
  `bench.overload`. The capacity is measured before each load: a goodput is a share of it.
- checkout cost: a checkout and checkin, without a statement and without a wait. asyncpg's pool resets a connection
  by a round trip whenever it comes back, which is in its figure.
- throughput: point reads by fifty tasks; beside the pools, with a connection opened for each read.
- burst: a thousand reads at once, on a pool that is opened for them; see `bench.pool_reads`.
- recovery: from the end of a server's restart until reads are as many as before; see `bench.pool_recovery`.

All contenders run in one process and one thread beside the server, on asyncio's own loop, and take turns: each round
begins with another. A target that is missed is a result, not a failure.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final, TypeAlias, TypeVar

from bench.overload import DEADLINE_S, Load, Offered, measure_capacity, offer
from bench.plot import lines
from bench.pool_contenders import POOLS, SERVICE_S, SIZE, Opener, OpenPool, connected, open_nothing, warm
from bench.pool_reads import READS, TASKS, Burst, Reads, burst, checkout_s, drop_table, recreate_table
from bench.pool_recovery import Recovery, recover
from bench.report import RESULTS, Contender, Report, alternate, machine_facts, medians, turns
from dal.testing import EmbeddedServer

PACKAGES: Final = ("asyncpg", "sqlalchemy", "psycopg", "psycopg-pool")
# All pools stand open side by side, and fifty connections that are opened for a read each.
SETTINGS: Final = {"max_connections": "200"}
PLOTTED: Final = {
    "sqlalchemy": "SQLAlchemy's pool",
    "asyncpg": "asyncpg's pool",
    "psycopg_pool": "psycopg_pool",
    "dal_native": "dal, checkout()",
    "dal": "dal, AsyncEngine",
}
# What is shown of a load; times are in ms, and those of the requests that were answered unless they say otherwise.
SHOWN: Final[dict[str, Callable[[Offered], float | None]]] = {
    "goodput": lambda each: each.goodput,
    "p50_ms": lambda each: each.answered_p50_ms,
    "p99_ms": lambda each: each.answered_p99_ms,
    "shed": lambda each: each.outcomes["shed"],
    "shed_ms": lambda each: each.shed_p99_ms,
    "shed_max_ms": lambda each: each.shed_max_ms,
    "gave_up": lambda each: each.outcomes["gave_up"],
    "failed": lambda each: each.outcomes["failed"],
    "generator_late_ms": lambda each: each.late_p99_ms,
    "cpu_share": lambda each: each.cpu_share,
    "cpu_waited_share": lambda each: each.cpu_waited_share,
}

Found = TypeVar("Found", Burst, Offered, Recovery)
# The rounds of each load, by contender and by how many times the capacity was offered.
ByLoad: TypeAlias = dict[str, dict[float, list[Offered]]]


@dataclass(frozen=True, slots=True)
class Size:
    """How often and how long each thing is done."""

    rounds: int
    loads: tuple[float, ...]
    load_rounds: int
    load_s: float
    capacity_s: float
    checkouts: int
    throughput_s: float
    burst: int
    restarts: int
    steady_s: float


FULL: Final = Size(
    rounds=5, loads=(0.8, 1.2, 2, 4, 10), load_rounds=3, load_s=8, capacity_s=2,
    checkouts=5000, throughput_s=2, burst=1000, restarts=3, steady_s=2,
)  # fmt: skip
TINY: Final = Size(
    rounds=1, loads=(0.8, 4), load_rounds=1, load_s=0.4, capacity_s=0.2,
    checkouts=50, throughput_s=0.1, burst=100, restarts=1, steady_s=0.4,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure dal's pool beside SQLAlchemy's, asyncpg's and psycopg's.")
    parser.add_argument("--tiny", action="store_true", help="some seconds in all; keeps no results")
    parser.add_argument("--only", help="the contenders to run, with commas between; keeps no results")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else list(POOLS)
    if unknown := set(names) - set(POOLS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; the contenders are {', '.join(POOLS)}")
    openers = {name: POOLS[name] for name in names}
    with tempfile.TemporaryDirectory(prefix="dal-bench-") as folder:
        results = Path(folder) if given.tiny or given.only else RESULTS
        asyncio.run(measure(TINY if given.tiny else FULL, openers, results))


async def measure(size: Size, openers: Mapping[str, Opener], results: Path) -> None:
    """Measure everything at *size*, and write what came out into *results*."""
    report = Report("pool", machine_facts(PACKAGES))
    report.facts.update(pool_size=SIZE, service_s=SERVICE_S, deadline_s=DEADLINE_S, tasks=TASKS, loop="asyncio")
    with EmbeddedServer("bench-pool", settings=SETTINGS, in_memory=True) as server:
        async with connected(server.url) as connection:
            report.facts["postgres"] = await connection.fetchval("SHOW server_version")
        await recreate_table(server.url)
        bench = Bench(size, openers, server, report)
        offered = await bench.overload()
        for part in (bench.checkout_cost, bench.throughput, bench.burst, bench.recovery):
            await part()
        await drop_table(server.url)
    report.write(results)
    plot(report, offered, results)


@dataclass(frozen=True, slots=True)
class Bench:
    """The parts of one run. Each prints its figures of all contenders side by side, then dal's against the targets."""

    size: Size
    openers: Mapping[str, Opener]
    server: EmbeddedServer
    report: Report

    async def overload(self) -> ByLoad:
        """Offer every load in turn."""
        offered: ByLoad = {name: {} for name in self.openers}
        for times in self.size.loads:
            load = Load(times, await measure_capacity(self.server.url, self.size.capacity_s), self.size.load_s)
            print(f"capacity {load.capacity_per_s:.1f}/s, before {load.name} of it is offered", flush=True)
            found = await self._offered(load)
            self.report.facts.setdefault("capacity_per_s", {})[load.name] = round(load.capacity_per_s, 1)
            self._keep(f"goodput_{load.name}", found)
            self._show_load(load, found)
            for name, rounds in found.items():
                offered[name][times] = rounds
        return offered

    async def checkout_cost(self) -> None:
        async with self._all_open(self.openers) as pools:
            ways = [Contender(name, partial(checkout_s, pools[name], self.size.checkouts)) for name in pools]
            middle = await self._alternate("checkout", ways)
        costs = {name: seconds / self.size.checkouts * 1e6 for name, seconds in middle.items()}
        self.report.beside("checkout_cost_us", costs)
        self._ratio("checkout_cost_vs_sqlalchemy", against("sqlalchemy", costs), "1.1 or less", "none")
        self._ratio("checkout_cost_vs_asyncpg", against("asyncpg", costs), "none")

    async def throughput(self) -> None:
        async with self._all_open({"connect_each": open_nothing, **self.openers}) as pools:
            reads = {name: Reads(pool, self.size.throughput_s) for name, pool in pools.items()}
            middle = await self._alternate("throughput", [Contender(name, each.run) for name, each in reads.items()])
        rates = {name: READS / seconds for name, seconds in middle.items()}
        self.report.beside(f"throughput_{TASKS}_tasks_refused", {name: each.refused for name, each in reads.items()})
        self.report.beside(f"throughput_{TASKS}_tasks_per_s", rates)
        self._ratio(f"throughput_{TASKS}_tasks_vs_asyncpg", against("asyncpg", rates), "none", "1.4")
        self._ratio(f"throughput_{TASKS}_tasks_vs_connect_each", against("connect_each", rates), "none", "25")

    async def burst(self) -> None:
        bursts: dict[str, list[Burst]] = {name: [] for name in self.openers}
        for turn in turns(list(self.openers), self.size.rounds):
            for name in turn:
                bursts[name].append(await burst(self.openers[name], self.server.url, self.size.burst))
        self._keep("burst", bursts)
        self.report.beside(f"burst_{self.size.burst}_failed", middles(bursts, lambda each: each.failed))
        seconds = middles(bursts, lambda each: each.seconds)
        self.report.beside(f"burst_{self.size.burst}_s", seconds)
        self._ratio(f"burst_{self.size.burst}_s", seconds, "none")

    async def recovery(self) -> None:
        found: dict[str, list[Recovery]] = {name: [] for name in self.openers}
        for turn in turns(list(self.openers), self.size.restarts):
            for name in turn:
                found[name].append(await recover(self.openers[name], self.server, self.size.steady_s))
        self._keep("recovery", found)
        self.report.beside("recovery_most_connects", middles(found, lambda each: each.most_attempts))
        self.report.beside("recovery_connects", middles(found, lambda each: each.attempts))
        seconds = middles(found, lambda each: each.seconds)
        self.report.beside("recovery_s", seconds)
        self._ratio("recovery_s", seconds, "1.5 or less")

    async def _offered(self, load: Load) -> dict[str, list[Offered]]:
        found: dict[str, list[Offered]] = {name: [] for name in self.openers}
        for number, turn in enumerate(turns(list(self.openers), self.size.load_rounds)):
            for name in turn:
                found[name].append(await offer(self.openers[name], self.server.url, load, number))
        return found

    def _show_load(self, load: Load, found: dict[str, list[Offered]]) -> None:
        """Print one load's figures, of which each is the median of the rounds."""
        shown = {name: middles(found, value) for name, value in SHOWN.items()}
        for name, values in shown.items():
            self.report.beside(f"{name}_{load.name}", values)
        saturated = [name for name in found if any(each.saturated for each in found[name])]
        self.report.facts.setdefault("cpu_saturated", {})[load.name] = saturated
        print(f"cpu_saturated_{load.name}  {', '.join(saturated) or 'nobody'}", flush=True)
        if load.times < 1:
            self._ratio(f"goodput_{load.name}", shown["goodput"], "1.00")
            self._ratio(f"shed_{load.name}", shown["shed"], "0")
            self._ratio(f"p99_{load.name}_vs_sqlalchemy", against("sqlalchemy", shown["p99_ms"]), "1.1 or less")
        else:
            self._ratio(f"goodput_{load.name}", shown["goodput"], "0.97")
            self._ratio(f"p99_ms_{load.name}", shown["p99_ms"], "80 or less")
            self._ratio(f"shed_ms_{load.name}", shown["shed_ms"], "60 or less")

    @asynccontextmanager
    async def _all_open(self, openers: Mapping[str, Opener]) -> AsyncGenerator[dict[str, OpenPool]]:
        async with AsyncExitStack() as stack:
            yield {name: await stack.enter_async_context(warm(openers[name], self.server.url)) for name in openers}

    async def _alternate(self, part: str, contenders: Sequence[Contender]) -> dict[str, float]:
        rounds = await alternate(contenders, self.size.rounds)
        self.report.rounds_s |= {f"{part} {name}": seconds for name, seconds in rounds.items()}
        return medians(rounds)

    def _keep(self, part: str, found: Mapping[str, Sequence[Burst | Offered | Recovery]]) -> None:
        self.report.facts[part] = {name: [asdict(each) for each in rounds] for name, rounds in found.items()}

    def _ratio(self, name: str, values: Mapping[str, float], target: str, native: str | None = None) -> None:
        """Hold dal's value against *target*, and the native one against that or its own, under a name of its own."""
        for contender, full_name, goal in (("dal", name, target), ("dal_native", f"{name}_native", native or target)):
            if contender in values:
                self.report.ratio(full_name, values[contender], goal)


def middles(found: Mapping[str, Sequence[Found]], value: Callable[[Found], float | None]) -> dict[str, float]:
    """Give the median of the rounds by contender, of those that have such a value."""
    values = {name: [each for each in map(value, rounds) if each is not None] for name, rounds in found.items()}
    return {name: median(each) for name, each in values.items() if each}


def against(peer: str, values: Mapping[str, float]) -> dict[str, float]:
    """Give every contender's value as a share of *peer*'s; nothing where that one does not run."""
    return {name: value / values[peer] for name, value in values.items()} if peer in values else {}


def plot(report: Report, offered: ByLoad, folder: Path) -> None:
    """Draw what was answered in time, and how long that took, over the offered load."""
    title, load = "Requests of 20 ms by clients that give up after 250 ms", "offered load, as a multiple of capacity"
    lines(
        folder / f"{report.name}.svg",
        title=title,
        axes=(load, "answered in time, as a share of capacity"),
        measured=drawn(offered, lambda times, each: each.goodput * min(times, 1)),
    )
    lines(
        folder / f"{report.name}_p99.svg",
        title=title,
        axes=(load, "ms to the answer, 99th percentile of the answered"),
        measured=drawn(offered, lambda _, each: each.answered_p99_ms or 0.0),
    )


def drawn(offered: ByLoad, value: Callable[[float, Offered], float]) -> dict[str, dict[float, list[float]]]:
    return {
        PLOTTED[name]: {times: [value(times, each) for each in rounds] for times, rounds in loads.items()}
        for name, loads in offered.items()
    }


if __name__ == "__main__":
    main()
