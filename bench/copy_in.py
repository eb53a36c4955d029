r"""`dal.copy.copy_in` beside what else loads rows into PostgreSQL: psql, asyncpg, psycopg, ADBC and SQLAlchemy.

The same rows for everyone, into tables without keys and indexes unless said, on one embedded server with one set of
settings. What is timed is the call, from a connection that is open to the end of the COMMIT; of psql also its start and
its connecting.

- files: 500,000 rows of five columns, from Parquet, and from CSV with rejecting on, beside `\copy` of the CSV.
- lineitem: 600,000 rows of sixteen columns, from Parquet, beside `\copy` of the CSV.
- dirt: the CSV with 1 % of its records bad, beside the clean one, into a table with constraints.
- tuples, dicts, upsert: what Python holds, beside the drivers and SQLAlchemy.
- arrow: a table of Arrow's, beside ADBC.
- out: the other way, by `copy_out` into Parquet, beside `\copy` into CSV.
- resident: what memory a load takes, of 0.1, 1 and 10 million rows, in processes of their own.

Everyone takes turns; each round begins with another, and ratios are taken within a round. Between two loads, outside of
the clock: the table is emptied and written out, and what lies in the heap is frozen out of the garbage collector, which
then runs as ever. After each, count and checksum of the table are compared with those of the same rows by another way.
A target that is missed is a result, not a failure; only rows that differ are one.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from bench.copy_arrow import arrow
from bench.copy_bench import Bench, Size
from bench.copy_dirt import dirt
from bench.copy_files import files, lineitem
from bench.copy_objects import dicts, tuples, upsert
from bench.copy_out import out
from bench.copy_resident import resident
from bench.copy_rows import KEYED, SHOP, STRICT, TABLE
from bench.order_lines import TABLE as LINES
from bench.pool_contenders import connected
from bench.report import RESULTS, Report, machine_facts
from dal import Database
from dal.testing import EmbeddedServer

PACKAGES: Final = ("asyncpg", "sqlalchemy", "pgpq", "pyarrow", "psycopg", "adbc-driver-postgresql")
# No vacuum and no checkpoint in the middle of one round and not of another.
SETTINGS: Final = {"autovacuum": "off", "max_wal_size": "4GB", "checkpoint_timeout": "1h"}
FULL: Final = Size(rounds=7, rows=500_000, few=50_000, scale=0.1, resident=(100_000, 1_000_000, 10_000_000))
TINY: Final = Size(rounds=1, rows=2_000, few=1_000, scale=0.01, resident=(1_000, 20_000))
PARTS: Final[dict[str, Callable[[Bench], Awaitable[None]]]] = {
    "files": files,
    "lineitem": lineitem,
    "dirt": dirt,
    "tuples": tuples,
    "dicts": dicts,
    "upsert": upsert,
    "arrow": arrow,
    "out": out,
    "resident": resident,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Load rows through dal, and by psql, the drivers and SQLAlchemy.")
    parser.add_argument("--tiny", action="store_true", help="a few seconds in all; keeps no results")
    parser.add_argument("--only", help="the parts to run, with commas between; keeps no results")
    given = parser.parse_args()
    parts = given.only.split(",") if given.only else list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(prefix="dal-bench-") as folder:
        results = Path(folder) / "results" if given.tiny or given.only else RESULTS
        asyncio.run(measure(TINY if given.tiny else FULL, parts, Path(folder), results))


async def measure(size: Size, parts: Sequence[str], folder: Path, results: Path) -> None:
    """Measure *parts* at *size*, with their files under *folder*, and write what came out into *results*."""
    report = Report("copy_in", machine_facts(PACKAGES))
    with EmbeddedServer("bench-copy", settings=SETTINGS, in_memory=True) as server:
        async with connected(server.url) as connection, Database(server.url) as database:
            report.facts["postgres"] = await connection.fetchval("SHOW server_version")
            bench = Bench(size, server, database, connection, folder, report)
            for part in parts:
                await PARTS[part](bench)
            await connection.execute(f"DROP TABLE IF EXISTS {', '.join(map(str, (TABLE, KEYED, STRICT, SHOP, LINES)))}")
    report.write(results)
    # Not above: what draws is not to be in the heap while loads are measured.
    from bench.copy_plots import plot

    plot(report, results)


if __name__ == "__main__":
    main()
