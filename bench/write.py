"""Writes in sets by `dal.Repository`, beside the drivers by hand, SQLAlchemy and advanced-alchemy.

The same dicts go to everyone, into one table of five columns, on one embedded server, on one connection each, in a
transaction of their own. What is timed is the call, from the dicts to the end of the COMMIT. Who does what stands in
`bench.write_by_driver`, `bench.write_by_sqlalchemy` and `bench.write_by_dal`, and in the results.

- upsert: 50,000 rows, every second of them there already, with other values.
- insert, insert_returning: 50,000 rows into an empty table; the second without keys, and gives the server's in order.
- update: two columns of 10,000 rows by primary key, out of 50,000.
- latency: inserts and upserts of one row and of a hundred, one call after the other.

Everyone takes turns; each round begins with another. Between two calls, outside of the clock: the table is filled anew,
vacuumed and written out, and what lies in the heap is frozen out of the garbage collector, which then runs as ever.
After each, the table is compared with what it must hold, row by row, and the keys given with those in it: what differs
ends the run. A target that is missed is a result, not a failure.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

from bench.plot import bars
from bench.pool_contenders import connected
from bench.report import RESULTS, Contender, Report, alternate, freeze_heap, machine_facts, medians
from bench.write_contenders import Way, Ways, open_ways
from bench.write_rows import Table, Work, insert_of, update_of, upsert_of
from dal.testing import EmbeddedServer

PACKAGES: Final = ("asyncpg", "sqlalchemy", "advanced-alchemy", "psycopg")
# No vacuum and no checkpoint in the middle of one round and not of another.
SETTINGS: Final = {"autovacuum": "off", "max_wal_size": "8GB", "checkpoint_timeout": "1h"}
PLOTTED: Final = {
    "advanced_alchemy": "advanced-\nalchemy",
    "psycopg_executemany": "psycopg\nexecutemany",
    "asyncpg_executemany": "asyncpg\nexecutemany",
    "core": "SQLAlchemy\nCore",
    "orm_updates": "SQLAlchemy\nentities",
    "orm_bulk_update": "SQLAlchemy\nbulk update",
    "unnest": "asyncpg\nunnest",
    "staging_copy": "asyncpg\nCOPY, merge",
    "dal": "dal",
}
TITLES: Final = {
    "upsert": "Upsert {rows:,} rows, half of them there already",
    "insert": "Insert {rows:,} rows",
    "insert_returning": "Insert {rows:,} rows and give their keys",
    "update": "Update {rows:,} rows by primary key",
}


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows, and how often."""

    rounds: int
    rows: int
    updated: int
    calls: Mapping[int, int]


FULL: Final = Size(rounds=9, rows=50_000, updated=10_000, calls={1: 500, 100: 100})
TINY: Final = Size(rounds=1, rows=1000, updated=200, calls={1: 20, 100: 5})


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure writes in sets beside the drivers and SQLAlchemy.")
    parser.add_argument("--tiny", action="store_true", help="a few seconds in all; keeps no results")
    parser.add_argument("--only", help="the parts to run, with commas between; keeps no results")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dal-bench-") as folder:
        results = Path(folder) if given.tiny or given.only else RESULTS
        only = given.only.split(",") if given.only else None
        asyncio.run(measure(TINY if given.tiny else FULL, only, results))


async def measure(size: Size, only: Sequence[str] | None, results: Path) -> None:
    """Measure every part at *size*, or *only* some, and write what came out into *results*."""
    with EmbeddedServer("bench-write", settings=SETTINGS, in_memory=True) as server:
        async with connected(server.url) as connection, open_ways(server.url) as ways:
            table = Table(connection)
            await table.create()
            facts = {**machine_facts(PACKAGES), "postgres": await connection.fetchval("SHOW server_version")}
            bench = Bench(size, table, ways, Report("write", facts))
            for part in only or PARTS:
                await PARTS[part](bench)
            await table.drop()
    bench.report.write(results)
    plot(bench.report, results)


@dataclass(frozen=True, slots=True)
class Bench:
    """The parts of one run. Each prints everyone's figures, then dal's against the targets."""

    size: Size
    table: Table
    ways: Ways
    report: Report

    async def upsert(self) -> None:
        size = f"{self.size.rows // 1000}k"
        middle = await self._rates("upsert", upsert_of(self.size.rows))
        self._ratio(f"upsert_{size}_vs_staging_copy", middle, "staging_copy", "0.9")
        self._ratio(f"upsert_{size}_vs_advanced_alchemy", middle, "advanced_alchemy", "20")

    async def insert(self) -> None:
        middle = await self._rates("insert", insert_of(self.size.rows))
        self._ratio("insert_many_vs_core_insert", middle, "core", "1.2")
        self._ratio("insert_many_vs_asyncpg_executemany", middle, "asyncpg_executemany", "1.0")

    async def insert_returning(self) -> None:
        middle = await self._rates("insert_returning", insert_of(self.size.rows, keys=False))
        self._ratio("insert_many_returning_vs_core_insert", middle, "core", "1.2")
        self._ratio("insert_many_returning_vs_asyncpg_executemany", middle, "asyncpg_executemany", "1.0")

    async def update(self) -> None:
        middle = await self._rates("update", update_of(self.size.updated, self.size.rows))
        self._ratio("update_many_vs_orm_updates", middle, "orm_updates", "10")
        self._ratio("update_many_vs_orm_bulk_update", middle, "orm_bulk_update", "none")

    async def latency(self) -> None:
        """Print what one call takes, of one row and of a hundred."""
        for rows, calls in self.size.calls.items():
            for name, work in (("insert", insert_of(rows, calls=calls)), ("upsert", upsert_of(rows, calls=calls))):
                middle = await self._alternate(f"{name}_{rows}", work, self.ways[f"small_{name}"])
                times = {contender: seconds / calls * 1e6 for contender, seconds in middle.items()}
                self.report.beside(f"latency_{name}_{rows}_us", times, digits=0)

    async def _rates(self, part: str, work: Work) -> dict[str, float]:
        middle = await self._alternate(part, work, self.ways[part])
        rates = {name: len(work.rows) / seconds for name, seconds in middle.items()}
        self.report.beside(f"{part}_rows_per_s", rates, digits=0)
        return middle

    async def _alternate(self, part: str, work: Work, ways: Mapping[str, Way]) -> dict[str, float]:
        self.report.facts.setdefault("rows", {})[part] = len(work.rows)
        self.report.facts.setdefault("contenders", {})[part] = {name: way.does for name, way in ways.items()}
        await self.table.keep(work)
        contenders = [Contender(name, partial(self._write, way, name, work)) for name, way in ways.items()]
        rounds = await alternate(contenders, self.size.rounds)
        self.report.rounds_s |= {f"{part} {name}": seconds for name, seconds in rounds.items()}
        return medians(rounds)

    async def _write(self, way: Way, name: str, work: Work) -> float:
        """Do *work* once, checked; gives the seconds that its calls took."""
        await self.table.reset()
        calls = list(work.calls)
        async with way.ready(work.rows) as write:
            freeze_heap()
            started = perf_counter()
            answers = [await write(rows) for rows in calls]
            seconds = perf_counter() - started
        await self.table.check(name, work, answers)
        return seconds

    def _ratio(self, name: str, middle: Mapping[str, float], peer: str, target: str) -> None:
        self.report.ratio(name, middle[peer] / middle["dal"], target)


PARTS: Final[dict[str, Callable[[Bench], Awaitable[None]]]] = {
    "upsert": Bench.upsert,
    "insert": Bench.insert,
    "insert_returning": Bench.insert_returning,
    "update": Bench.update,
    "latency": Bench.latency,
}


def plot(report: Report, folder: Path) -> None:
    """Draw the rates of each part, from the slowest round to the fastest."""
    for part, title in TITLES.items():
        rounds = {name.split()[1]: each for name, each in report.rounds_s.items() if name.split()[0] == part}
        if rounds:
            rows = report.facts["rows"][part]
            bars(
                folder / f"{report.name}_{part}.svg",
                title=title.format(rows=rows),
                axis=f"rows per second (median, least and most of {len(rounds['dal'])})",
                measured={PLOTTED[name]: [rows / each for each in seconds] for name, seconds in rounds.items()},
            )


if __name__ == "__main__":
    main()
