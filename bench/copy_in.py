r"""A Parquet file by `dal.copy.copy_in` against the same rows as CSV by psql's `\copy`.

The rows are TPC-H's lineitem, into a table without keys and indexes, on one embedded server with one set of settings
for both. What is timed:

- `psql`: the whole of `psql -c "\copy ..."`, its start and its connecting included.
- `dal`: taking a connection from an open `Database`, the COPY and the COMMIT, as an application loads.
- `dal_opening`: the same, with opening and closing a `Database` of one connection around it.

Emptying the table, a CHECKPOINT and the comparison of what was loaded stand outside of the clock. Memory is that of
processes of their own. A target that is missed is a result, not a failure; only rows that differ are one.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from sqlalchemy import URL, text

from bench.memory import Resident, resident_of
from bench.order_lines import TABLE, Lines, check_table, empty_table, generate_lines, load, recreate_table, write_csv
from bench.plot import bars
from bench.psql import psql
from bench.report import RESULTS, Contender, Report, Rounds, alternate, machine_facts, medians
from dal import Database, PoolConfig
from dal.testing import EmbeddedServer

PACKAGES: Final = ("asyncpg", "sqlalchemy", "pgpq", "pyarrow")


@dataclass(frozen=True, slots=True)
class Size:
    """How much is loaded, how often, and between which scales memory is to stay flat."""

    scale: float
    rounds: int
    memory_scales: tuple[float, float]


FULL: Final = Size(scale=0.1, rounds=9, memory_scales=(0.05, 0.5))
TINY: Final = Size(scale=0.01, rounds=1, memory_scales=(0.01, 0.02))


def main() -> None:
    parser = argparse.ArgumentParser(description=r"Load a Parquet file through dal, and its rows by psql's \copy.")
    parser.add_argument("--tiny", action="store_true", help="a few seconds in all; keeps no results")
    tiny = parser.parse_args().tiny
    with tempfile.TemporaryDirectory(prefix="dal-bench-") as folder:
        results = Path(folder) / "results" if tiny else RESULTS
        asyncio.run(measure(TINY if tiny else FULL, Path(folder), results))


async def measure(size: Size, folder: Path, results: Path) -> None:
    """Measure everything at *size*, with its files under *folder*, and write what came out into *results*."""
    with EmbeddedServer("bench") as server:
        async with Database(server.url) as database:
            await recreate_table(database)
            bench = Bench(server, database, folder)
            report = Report("copy_in", await bench.facts())
            await bench.rates(size, report)
            await bench.memory(size, report)
            await database.execute_script(f"DROP TABLE {TABLE}")
    report.write(results)
    plot(report, results)


@dataclass(frozen=True, slots=True)
class Bench:
    """The loads of one run, each into an empty table and followed by a comparison."""

    server: EmbeddedServer
    database: Database
    folder: Path

    async def facts(self) -> dict[str, object]:
        async with self.database.reading() as session:
            postgres = await session.scalar(text("SHOW server_version"))
        return {**machine_facts(PACKAGES), "postgres": postgres}

    async def rates(self, size: Size, report: Report) -> None:
        """Load the order lines by each contender in turn."""
        lines = generate_lines(size.scale, self.folder)
        csv = self._csv_of(lines)
        ways = {
            "psql": lambda: self._load_by_psql(csv),
            "dal": lambda: load(self.database, lines.parquet),
            "dal_opening": lambda: load_opening(self.server.url, lines.parquet),
        }
        report.facts.update(scale=size.scale, rows=lines.rows)
        report.rounds_s = await alternate([self._contender(name, ways[name], lines) for name in ways], size.rounds)
        print_rates(report.rounds_s, lines.rows)
        middle = medians(report.rounds_s)
        report.ratio("copy_parquet_vs_psql", middle["psql"] / middle["dal"], "1.3")

    async def memory(self, size: Size, report: Report) -> None:
        """Load a few order lines and many, each in a process of its own."""
        residents = {scale: await self._resident(scale) for scale in size.memory_scales}
        report.facts["peak_rss_mib"] = {str(scale): round(each.peak_mib, 1) for scale, each in residents.items()}
        report.facts["start_rss_mib"] = {str(scale): round(each.start_mib, 1) for scale, each in residents.items()}
        for scale, each in residents.items():
            print(f"peak_rss_mib scale {scale} {each.peak_mib:.1f} (start {each.start_mib:.1f})")
        few, many = size.memory_scales
        report.ratio(f"memory_{many}_vs_{few}", residents[many].peak_mib / residents[few].peak_mib, "1.2 or less")

    async def _resident(self, scale: float) -> Resident:
        lines = generate_lines(scale, self.folder)
        await empty_table(self.database)
        url = self.server.url.render_as_string(hide_password=False)
        resident = resident_of("bench.copy_memory", str(lines.parquet), url)
        await check_table(self.database, lines)
        return resident

    def _contender(self, name: str, way: Callable[[], Awaitable[None]], lines: Lines) -> Contender:
        async def run() -> float:
            await empty_table(self.database)
            started = perf_counter()
            await way()
            seconds = perf_counter() - started
            await check_table(self.database, lines)
            return seconds

        return Contender(name, run)

    def _csv_of(self, lines: Lines) -> Path:
        """Write *lines* as CSV the way psql itself does."""
        quoted, csv = self.folder / "quoted.csv", self.folder / "lines.csv"
        write_csv(lines.parquet, quoted)
        # Arrow quotes every text, which costs psql a twentieth of its rate; COPY quotes where it must.
        psql(self.server, rf"\copy {TABLE} FROM '{quoted}' WITH (FORMAT csv)")
        psql(self.server, rf"\copy {TABLE} TO '{csv}' WITH (FORMAT csv)")
        return csv

    async def _load_by_psql(self, csv: Path) -> None:
        psql(self.server, rf"\copy {TABLE} FROM '{csv}' WITH (FORMAT csv)")


async def load_opening(url: str | URL, parquet: Path) -> None:
    """Load *parquet* through a `Database` that is opened for it alone."""
    async with Database(url, pool=PoolConfig(size=1)) as database:
        await load(database, parquet)


def print_rates(rounds: Rounds, rows: int) -> None:
    for name, seconds in medians(rounds).items():
        print(f"median {name} {seconds:.3f} s  {rows / seconds:,.0f} rows/s")


def plot(report: Report, folder: Path) -> None:
    """Draw the rates, from the slowest round to the fastest."""
    rows, rounds = report.facts["rows"], len(report.rounds_s["psql"])
    shown = {r"psql \copy, CSV": "psql", "dal copy_in, Parquet": "dal"}
    bars(
        folder / f"{report.name}.svg",
        title=f"Load {rows:,} order lines of {len(TABLE.columns)} columns into PostgreSQL",
        axis=f"rows per second (median, least and most of {rounds})",
        measured={label: [rows / each for each in report.rounds_s[name]] for label, name in shown.items()},
    )


if __name__ == "__main__":
    main()
