r"""Rows out of the server: by `copy_out` into Parquet, beside psql's `\copy` into CSV.

After each, outside of the clock, the file is read by Arrow, and compared with the rows value by value.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from bench.copy_bench import Bench, Load
from bench.copy_by_driver import ByAsyncpg
from bench.copy_files import HEADED
from bench.copy_rows import SCHEMA, TABLE, batches, records
from bench.report import Contender, freeze_heap
from dal.copy import copy_out


async def out(bench: Bench) -> None:
    """Write five columns, from a table that nobody changes."""
    rows = list(records(bench.size.rows))
    await bench.recreate(TABLE)
    await bench.filled(TABLE, partial(ByAsyncpg(bench.connection).load, rows), len(rows))
    due = pa.Table.from_batches(batches(rows))
    text, parquet = bench.folder / "out.csv", bench.folder / "out.parquet"

    async def by_psql() -> None:
        await bench.psql(rf"\copy {TABLE} TO '{text}' WITH {HEADED}")

    async def by_dal() -> None:
        await copy_out(bench.database, TABLE, parquet)

    contenders = [
        Contender("psql", partial(_write, by_psql, text, _read_csv, due)),
        Contender("dal", partial(_write, by_dal, parquet, pq.read_table, due)),
    ]
    does = {"psql": r"psql: \copy into a CSV", "dal": "copy_out(database, table, parquet)"}
    await bench.take_turns("out", len(rows), contenders, does)
    bench.ratio("out_parquet_vs_psql_csv", "out", "none", peer="psql")


async def _write(write: Load, path: Path, read: Callable[[Path], Any], due: Any) -> float:
    path.unlink(missing_ok=True)  # noqa: ASYNC240 # nothing else runs meanwhile
    freeze_heap()
    started = perf_counter()
    await write()
    seconds = perf_counter() - started
    if not read(path).cast(SCHEMA).equals(due):
        raise SystemExit(f"{path.name} does not hold the {due.num_rows:,} rows of {TABLE}")
    return seconds


def _read_csv(path: Path) -> Any:
    kinds = csv.ConvertOptions(column_types=SCHEMA, true_values=["t"], false_values=["f"])
    return csv.read_csv(path, convert_options=kinds)
