"""Reads of rows into objects, by `dal.Repository`, the drivers by hand, SQLAlchemy and those who are built like it.

The same rows of six columns, from one table of ten thousand, on one embedded server and ten connections each. What
is timed is the call, from a key to an object with attributes. Who does what stands in `bench.read_by_driver`,
`bench.read_by_sqlalchemy`, `bench.read_by_piccolo`, `bench.read_by_tortoise` and `bench.read_by_dal`, and in the
results.

- get: one row by primary key, by fifty tasks.
- list: up to ten rows, by conditions of which each may be left out, so that the statement is built for every call; by
  fifty tasks.
- single_get: one row by primary key, by one task that nobody competes with.

Everything is measured on asyncio's own loop and then on uvloop's, with `_uvloop` in the names, in one process and one
thread beside the server. Everyone takes turns; each round begins with another, and lasts a fixed time. Before it, what
lies in the heap is frozen out of the garbage collection. Before all, everyone's objects are compared with the rows:
what differs ends the run. A target that is missed is a result, not a failure.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import uvloop

from bench.plot import bars
from bench.pool_contenders import SIZE, connected
from bench.read_contenders import SINGLE, Gets, Searches, open_readers
from bench.read_rows import LIMIT, ORDERS, Search, check, drop_table, recreate_table
from bench.read_tasks import READS, Readers
from bench.report import RESULTS, Contender, Report, alternate, machine_facts, medians, what_it_does
from dal.testing import EmbeddedServer

PACKAGES: Final = (
    "asyncpg", "sqlalchemy", "psycopg", "psycopg-pool", "sqlmodel", "advanced-alchemy", "piccolo", "tortoise-orm",
    "msgspec", "uvloop",
)  # fmt: skip
# All pools stand open side by side.
SETTINGS: Final = {"max_connections": "200"}
TASKS: Final = 50
# A loop's part of every name, and what makes one.
LOOPS: Final[dict[str, Callable[[], asyncio.AbstractEventLoop]]] = {
    "": asyncio.new_event_loop,
    "_uvloop": uvloop.new_event_loop,
}
PLOTTED: Final = {
    "tortoise": "Tortoise",
    "piccolo": "Piccolo",
    "advanced_alchemy": "advanced-\nalchemy",
    "sqlmodel": "SQLModel",
    "asyncsession": "Async-\nSession",
    "psycopg_pool": "psycopg_\npool",
    "asyncpg_pool": "asyncpg\npool",
    "asyncpg_held": "asyncpg\nheld",
    "dal": "dal, not\ncoalesced",
    "dal_coalesced": "dal",
}
TITLES: Final = {
    "get": "Rows by primary key, by fifty tasks on ten connections, on {loop}",
    "list": "Lists of up to ten rows, each by a statement of its own, on {loop}",
}


@dataclass(frozen=True, slots=True)
class Size:
    """How often and how long."""

    rounds: int
    seconds: float
    single_s: float
    checked: int


FULL: Final = Size(rounds=11, seconds=0.4, single_s=0.2, checked=200)
TINY: Final = Size(rounds=1, seconds=0.05, single_s=0.05, checked=20)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure reads of rows into objects, beside the drivers and others.")
    parser.add_argument("--tiny", action="store_true", help="some seconds in all; keeps no results")
    size = TINY if parser.parse_args().tiny else FULL
    report = Report("reads", machine_facts(PACKAGES))
    report.facts.update(pool_size=SIZE, tasks=TASKS, rows=ORDERS, list_limit=LIMIT)
    with EmbeddedServer("bench-reads", settings=SETTINGS, in_memory=True) as server:
        asyncio.run(recreate_table(server.url))
        for suffix, loop in LOOPS.items():
            with asyncio.Runner(loop_factory=loop) as runner:
                runner.run(measure(server, size, suffix, report))
        asyncio.run(drop_table(server.url))
    with tempfile.TemporaryDirectory(prefix="dal-bench-") as folder:
        results = Path(folder) if size is TINY else RESULTS
        report.write(results)
        plot(report, results)


async def measure(server: EmbeddedServer, size: Size, suffix: str, report: Report) -> None:
    """Measure everything at *size* on the loop that runs, and keep it under names that end in *suffix*."""
    async with connected(server.url) as connection, open_readers(server.url) as (gets, searches):
        report.facts["postgres"] = await connection.fetchval("SHOW server_version")
        bench = Bench(size, suffix, report)
        await bench.check(gets, searches)
        await bench.get(gets)
        await bench.list(searches)
        await bench.single_get({name: gets[name] for name in SINGLE})


@dataclass(frozen=True, slots=True)
class Bench:
    """The parts of one run. Each prints everyone's figures, then dal's against the targets."""

    size: Size
    suffix: str
    report: Report

    async def check(self, gets: Gets, searches: Searches) -> None:
        """Exit with a message unless everyone reads what asyncpg does."""
        draw = random.Random(self.size.checked)
        for key in draw.sample(range(ORDERS), self.size.checked):
            expected = await gets["asyncpg_pool"](key)
            for name, get in gets.items():
                check(name, [await get(key)], [expected])
            wanted = Search.drawn(draw)
            found = await searches["asyncpg_pool"](wanted)
            for name, search in searches.items():
                check(name, await search(wanted), found)

    async def get(self, gets: Gets) -> None:
        await self._rates("get", gets, _key)
        # uvloop spares the drivers more than it spares dal: what is saved beside the loop's own work weighs less there.
        self._ratio("get_vs_asyncpg_pool", "get", ("asyncpg_pool", "dal"), "1.1" if self.suffix else "1.4")
        self._ratio("get_vs_asyncpg_held", "get", ("asyncpg_held", "dal"), "none")
        self._ratio("get_vs_asyncsession", "get", ("asyncsession", "dal"), "4.5")
        self._ratio("get_coalesced_vs_asyncpg_pool", "get", ("asyncpg_pool", "dal_coalesced"), "10")
        self._ratio("get_coalesced_vs_advanced_alchemy", "get", ("advanced_alchemy", "dal_coalesced"), "40")

    async def list(self, searches: Searches) -> None:
        await self._rates("list", searches, Search.drawn)
        self._ratio("list_dynamic_vs_asyncsession", "list", ("asyncsession", "dal"), "3")
        self._ratio("list_dynamic_vs_asyncpg_pool", "list", ("asyncpg_pool", "dal"), "none")

    async def single_get(self, gets: Gets) -> None:
        readers = {name: Readers(get, _key, 1, self.size.single_s) for name, get in gets.items()}
        middle = await self._alternate("single_get", readers)
        self.report.beside(f"single_get_us{self.suffix}", {name: each / READS * 1e6 for name, each in middle.items()})

    async def _rates(self, part: str, calls: Mapping[str, Any], draw: Draw) -> None:
        self.report.facts.setdefault("contenders", {})[part] = {
            name: what_it_does(call) for name, call in calls.items()
        }
        readers = {name: Readers(call, draw, TASKS, self.size.seconds) for name, call in calls.items()}
        middle = await self._alternate(part, readers)
        self.report.beside(f"{part}{self.suffix}_refused", {name: each.refused for name, each in readers.items()})
        rates = {name: READS / seconds for name, seconds in middle.items()}
        self.report.beside(f"{part}{self.suffix}_per_s", rates)

    async def _alternate(self, part: str, readers: Mapping[str, Readers]) -> dict[str, float]:
        rounds = await alternate([Contender(name, each.run) for name, each in readers.items()], self.size.rounds)
        self.report.rounds_s |= {f"{part}{self.suffix} {name}": seconds for name, seconds in rounds.items()}
        return medians(rounds)

    def _ratio(self, name: str, part: str, pair: tuple[str, str], target: str) -> None:
        """Compare within each round: from one to the next the machine may be twice as fast."""
        peer, ours = (self.report.rounds_s[f"{part}{self.suffix} {each}"] for each in pair)
        value = median(theirs / own for theirs, own in zip(peer, ours, strict=True))
        self.report.ratio(f"{name}{self.suffix}", value, target)


# Draws what one read asks for.
Draw = Callable[[random.Random], object]


def _key(chance: random.Random) -> int:
    return chance.randrange(ORDERS)


def plot(report: Report, folder: Path) -> None:
    """Draw the rates of each part on each loop, from the slowest round to the fastest."""
    for part, title in TITLES.items():
        for suffix in LOOPS:
            prefix = f"{part}{suffix} "
            rounds = {
                name.removeprefix(prefix): each for name, each in report.rounds_s.items() if name.startswith(prefix)
            }
            bars(
                folder / f"{report.name}_{part}{suffix}.svg",
                title=title.format(loop=suffix.lstrip("_") or "asyncio"),
                axis=f"reads per second (median, least and most of {len(rounds['dal'])})",
                measured={PLOTTED[name]: [READS / each for each in seconds] for name, seconds in rounds.items()},
            )


if __name__ == "__main__":
    main()
