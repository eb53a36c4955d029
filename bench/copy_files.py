r"""Files: Parquet and CSV by dal, beside psql's `\copy` of the CSV of the same rows.

The CSV is written by psql itself, which quotes where it must: a file in which every text is quoted would cost it a
twentieth of its rate. The server reads the rows that psql sends, dal's come to it in binary.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Table

from bench.copy_bench import Bench, Contents, Load, Part, Way
from bench.copy_rows import NAMES, TABLE, records, write_parquet
from bench.order_lines import TABLE as LINES
from bench.order_lines import generate_lines, load, load_opening, write_csv
from dal.copy import copy_in

HEADED: Final = "(FORMAT csv, HEADER true)"


async def files(bench: Bench) -> None:
    """Load five columns, from Parquet and from CSV."""
    rows = bench.size.rows
    await bench.recreate(TABLE)
    parquet, csv = write_parquet(bench.folder / "rows.parquet", rows), bench.folder / "rows.csv"
    await bench.connection.copy_records_to_table(TABLE.name, records=records(rows), columns=NAMES)
    await bench.psql(rf"\copy {TABLE} TO '{csv}' WITH {HEADED}")
    by_psql = psql_load(bench, TABLE, csv, HEADED)
    due = await bench.filled(TABLE, by_psql, rows)
    ways = {
        "psql": Way(r"psql: \copy of the CSV", by_psql, due),
        "dal": Way("copy_in(database, table, parquet)", lambda: copy_in(bench.database, TABLE, parquet), due),
    }
    await bench.measure(Part("parquet", TABLE, rows, ways))
    bench.ratio("parquet_vs_psql", "parquet", "2.0", peer="psql")
    ways["dal"] = Way(
        'copy_in(database, table, csv, on_error="reject")',
        lambda: copy_in(bench.database, TABLE, csv, on_error="reject"),
        due,
    )
    await bench.measure(Part("csv", TABLE, rows, ways))
    bench.ratio("csv_vs_psql", "csv", "1.0", peer="psql")
    await _by_workers(bench, parquet, due)


async def _by_workers(bench: Bench, parquet: Path, due: Contents) -> None:
    """Load by one connection and by two, which write every row twice, and need processors to themselves."""
    ways = {
        f"dal_{count}": Way(
            f"copy_in(database, table, parquet, workers={count})", partial(_load, bench, parquet, count), due
        )
        for count in (1, 2)
    }
    await bench.measure(Part("workers", TABLE, bench.size.rows, ways))
    bench.ratio("workers_2_vs_1", "workers", "none", peer="dal_1", own="dal_2")


async def _load(bench: Bench, parquet: Path, workers: int) -> None:
    await copy_in(bench.database, TABLE, parquet, workers=workers)


async def lineitem(bench: Bench) -> None:
    """Load TPC-H's lineitem, sixteen columns, from Parquet."""
    await bench.recreate(LINES)
    lines = generate_lines(bench.size.scale, bench.folder)
    quoted, csv = bench.folder / "quoted.csv", bench.folder / "lines.csv"
    write_csv(lines.parquet, quoted)
    await bench.psql(rf"\copy {LINES} FROM '{quoted}' WITH (FORMAT csv)")
    await bench.psql(rf"\copy {LINES} TO '{csv}' WITH (FORMAT csv)")
    by_psql = psql_load(bench, LINES, csv, "(FORMAT csv)")
    due = await bench.filled(LINES, by_psql, lines.rows)
    ways = {
        "psql": Way(r"psql: \copy of the CSV", by_psql, due),
        "dal_opening": Way(
            "Database(url), copy_in(database, table, parquet), closed again",
            lambda: load_opening(bench.server.url, lines.parquet),
            due,
        ),
        "dal": Way("copy_in(database, table, parquet)", lambda: load(bench.database, lines.parquet), due),
    }
    await bench.measure(Part("lineitem", LINES, lines.rows, ways))
    bench.ratio("lineitem_vs_psql", "lineitem", "1.5", peer="psql")
    bench.ratio("lineitem_opening_vs_psql", "lineitem", "none", peer="psql", own="dal_opening")


def psql_load(bench: Bench, table: Table, csv: Path, form: str) -> Load:
    """Give what loads *csv* by psql."""
    return lambda: bench.psql(rf"\copy {table} FROM '{csv}' WITH {form}")
