"""Rows with what belongs to them, by `dal.Repository`, by hand on asyncpg, and by SQLAlchemy and others.

Orders with their lines, and with the deliveries of those, from one embedded server, by one caller that nobody competes
with. What is timed is the call, from a condition to a list of objects that hold the others. Who does what stands in
`bench.graph_by_hand`, `bench.graph_by_sqlalchemy`, `bench.graph_by_tortoise` and `bench.graph_by_dal`, and in the
results.

- graph: 1,000 orders of 10 lines, 100 of 10 lines of 5 deliveries, and 10,000 of one line.
- json: 1,000 orders of 10 lines as the bytes of an answer, beside what a FastAPI handler does, without its HTTP.
- collector: 1,000 orders of 10 lines, with Python's garbage collector as it is and after `dal.tune_gc()`.
- network: 50 orders of 10 lines, over a network that takes 1 ms more for every round trip (it passes the bytes on in a
  thread of this process, which costs everyone alike), and how many of those each has.
- growth: from 100 orders of 10 lines to 100,000: what one of the most takes, as a share of what one of the fewest
  takes. `selectinload` goes as far as 10,000, where it takes seconds.

Everyone takes turns; each round begins with another, and lasts a fixed time. Garbage is collected before it; in it, the
collector runs as Python has it, over what was made since the round began, unless it is what is measured. Before each
part, everyone's objects are compared with those by hand: what differs ends the run. A target that is missed is a
result, not a failure.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
from sqlalchemy import URL

from bench.graph_contenders import open_loaders
from bench.graph_rows import OrderCard, Shape, cards_of, drop_tables, recreate_tables, refill_tables
from bench.loads import Heap, Load, Loads
from bench.network import round_trips, slow_network
from bench.pool_contenders import connected
from bench.report import RESULTS, Contender, Report, alternate, machine_facts, medians, what_it_does
from dal.testing import EmbeddedServer

PACKAGES: Final = (
    "asyncpg", "sqlalchemy", "advanced-alchemy", "tortoise-orm", "fastapi", "pydantic", "msgspec",
)  # fmt: skip
DELAY_S: Final = 0.001

# As the part on the collector names them.
HEAPS: Final[dict[str, Heap]] = {"": "whole", "_tuned": "tuned"}

Loaders: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Size:
    """What is loaded, how often and how long."""

    rounds: int
    seconds: float
    shapes: tuple[Shape, ...]
    page: Shape
    growth: tuple[int, ...]
    # Who would take the whole time of the benchmark for one load stops here.
    slow_growth: int


FULL: Final = Size(
    rounds=5, seconds=0.5, shapes=(Shape(1_000, 10), Shape(100, 10, 5), Shape(10_000, 1)), page=Shape(50, 10),
    growth=(100, 1_000, 10_000, 100_000), slow_growth=10_000,
)  # fmt: skip
TINY: Final = Size(
    rounds=1, seconds=0.02, shapes=(Shape(5, 10, 5),), page=Shape(5, 10),
    growth=(5, 50), slow_growth=5,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure rows with what belongs to them, beside asyncpg and others.")
    parser.add_argument("--tiny", action="store_true", help="some seconds in all; keeps no results")
    parser.add_argument("--only", help="the parts to run, with commas between; keeps no results")
    given = parser.parse_args()
    parts = given.only.split(",") if given.only else list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(prefix="dal-bench-") as folder:
        results = Path(folder) if given.tiny or given.only else RESULTS
        asyncio.run(measure(TINY if given.tiny else FULL, parts, results))


async def measure(size: Size, parts: Sequence[str], results: Path) -> None:
    """Measure *parts* at *size*, and write what came out into *results*."""
    report = Report("graph", machine_facts(PACKAGES))
    with EmbeddedServer("bench-graph", in_memory=True) as server:
        async with connected(server.url) as connection:
            report.facts["postgres"] = await connection.fetchval("SHOW server_version")
            await recreate_tables(connection)
            async with open_loaders(server.url) as loaders:
                bench = Bench(size, server.url, connection, loaders, report)
                for part in parts:
                    await PARTS[part](bench)
            await drop_tables(connection)
    report.write(results)
    # Not above: what draws is not to be in the heap that the collector looks through while loads are measured.
    from bench.graph_plots import plot

    plot(report, results)


@dataclass(frozen=True, slots=True)
class Bench:
    """The parts of one run. Each prints everyone's figures, then dal's against the targets."""

    size: Size
    url: URL
    connection: Any
    loaders: Loaders
    report: Report

    async def graph(self) -> None:
        for shape in self.size.shapes:
            await refill_tables(self.connection, shape)
            loads = {name: each.load_deep if shape.deliveries else each.load for name, each in self.loaders.items()}
            await check(loads, shape)
            part = f"graph_{shape.name}"
            middle = await self._times(part, loads, shape.orders)
            self._ratios(part, middle, {"handwritten": "1.1 or less", "selectinload": "10", "advanced_alchemy": "10"})

    async def json(self) -> None:
        shape = self.size.shapes[0]
        await refill_tables(self.connection, shape)
        names = {"fastapi_pydantic": "selectinload", "handwritten": "handwritten", "dal": "dal"}
        encode = {name: self.loaders[loader].json for name, loader in names.items()}
        await check_json(encode, self.loaders["handwritten"].load, shape.orders)
        middle = await self._times("json", encode, shape.orders)
        self._ratios("json", middle, {"fastapi_pydantic": "none", "handwritten": "none"})

    async def collector(self) -> None:
        shape = self.size.shapes[0]
        await refill_tables(self.connection, shape)
        runs = {
            f"{name}{suffix}": self._loads(name, shape.orders, heap)
            for name in ("selectinload", "handwritten", "dal")
            for suffix, heap in HEAPS.items()
        }
        middle = await self._alternate("collector", runs)
        for name in ("selectinload", "dal"):
            self.report.ratio(f"tune_gc_speeds_{name}", middle[name] / middle[f"{name}_tuned"], "none")

    async def network(self) -> None:
        shape = self.size.page
        await refill_tables(self.connection, shape)
        with slow_network(self.url) as network:
            async with open_loaders(network.url) as loaders:
                network.delay(DELAY_S)
                loads = {name: each.load for name, each in loaders.items()}
                await check(loads, shape)
                trips = {name: await round_trips(network, load, shape.orders) for name, load in loads.items()}
                middle = await self._times("network", loads, shape.orders)
                network.heal()
        self.report.beside("network_round_trips", trips, digits=0)
        self._ratios("network", middle, {"handwritten": "1.1 or less", "selectinload": "none"})

    async def growth(self) -> None:
        await refill_tables(self.connection, Shape(self.size.growth[-1], 10))
        grown: dict[str, list[float]] = {}
        for orders in self.size.growth:
            middle = await self._alternate(f"growth_{orders}", self._growing(orders))
            for name, seconds in middle.items():
                grown.setdefault(name, []).append(seconds / orders)
        span = f"{self.size.growth[0]}_to_{self.size.growth[-1]}"
        for name, target in (("dal", "1.15 or less"), ("dal_tuned", "none"), ("handwritten", "none")):
            self.report.ratio(f"growth_{name}_{span}", grown[name][-1] / grown[name][0], target)

    def _growing(self, orders: int) -> dict[str, Loads]:
        names = ["selectinload"] if orders <= self.size.slow_growth else []
        runs = {name: self._loads(name, orders) for name in (*names, "handwritten")}
        return runs | {"dal_tuned": self._loads("dal", orders, "tuned"), "dal": self._loads("dal", orders)}

    def _loads(self, name: str, orders: int, heap: Heap = "own") -> Loads:
        return Loads(self.loaders[name].load, orders, self.size.seconds, heap)

    async def _times(self, part: str, loads: Mapping[str, Load], below: int) -> dict[str, float]:
        does = {name: what_it_does(load) for name, load in loads.items()}
        self.report.facts.setdefault("contenders", {})[part] = does
        return await self._alternate(
            part, {name: Loads(load, below, self.size.seconds) for name, load in loads.items()}
        )

    async def _alternate(self, part: str, runs: Mapping[str, Loads]) -> dict[str, float]:
        rounds = await alternate([Contender(name, each.run) for name, each in runs.items()], self.size.rounds)
        self.report.rounds_s |= {f"{part} {name}": seconds for name, seconds in rounds.items()}
        middle = medians(rounds)
        self.report.beside(f"{part}_ms", {name: seconds * 1e3 for name, seconds in middle.items()})
        return middle

    def _ratios(self, part: str, middle: Mapping[str, float], targets: Mapping[str, str]) -> None:
        """Hold dal against each peer: how much faster it is, and what share it takes of the time by hand."""
        for peer, target in targets.items():
            faster = middle[peer] / middle["dal"]
            self.report.ratio(f"{part}_vs_{peer}", 1 / faster if peer == "handwritten" else faster, target)


PARTS: Final[dict[str, Callable[[Bench], Awaitable[None]]]] = {
    "graph": Bench.graph,
    "json": Bench.json,
    "collector": Bench.collector,
    "network": Bench.network,
    "growth": Bench.growth,
}


async def check(loads: Mapping[str, Load], shape: Shape) -> None:
    """Exit with a message unless everyone loads what the one by hand does, and that is *shape*."""
    deep = bool(shape.deliveries)
    expected = cards_of(await loads["handwritten"](shape.orders), deep=deep)
    if {(len(expected), len(order.lines)) for order in expected} != {(shape.orders, shape.lines)}:
        raise SystemExit(f"what is loaded by hand is not {shape.name}")
    for name, load in loads.items():
        if cards_of(await load(shape.orders), deep=deep) != expected:
            raise SystemExit(f"{name} loads something else of {shape.name} than what is loaded by hand")


async def check_json(encode: Mapping[str, Load], load: Load, below: int) -> None:
    """Exit with a message unless everyone's bytes are the JSON of what the one by hand loads."""
    expected = await load(below)
    for name, call in encode.items():
        if msgspec.json.decode(await call(below), type=list[OrderCard]) != expected:
            raise SystemExit(f"{name} encodes something else than what is loaded by hand")


if __name__ == "__main__":
    main()
