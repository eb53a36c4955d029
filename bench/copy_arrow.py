"""A table of Arrow's, beside ADBC's driver for PostgreSQL."""

from __future__ import annotations

from functools import partial

import pyarrow as pa
from adbc_driver_postgresql import dbapi

from bench.copy_bench import Bench, Part, Way
from bench.copy_by_driver import ByAdbc, ByAsyncpg
from bench.copy_rows import TABLE, batches, records
from bench.pool_contenders import dsn
from bench.report import what_it_does
from dal.copy import copy_in


async def arrow(bench: Bench) -> None:
    """Load a table that is in memory."""
    rows = bench.size.rows
    await bench.recreate(TABLE)
    table = pa.Table.from_batches(batches(records(rows)))
    due = await bench.filled(TABLE, partial(ByAsyncpg(bench.connection).load, list(records(rows))), rows)
    with dbapi.connect(dsn(bench.server.url)) as connection:
        adbc = ByAdbc(connection)
        ways = {
            "adbc": Way(what_it_does(adbc.load), partial(adbc.load, table), due),
            "dal": Way("copy_in(database, table, arrow_table)", lambda: copy_in(bench.database, TABLE, table), due),
        }
        await bench.measure(Part("arrow", TABLE, rows, ways))
    bench.ratio("arrow_vs_adbc_ingest", "arrow", "1.5", peer="adbc")
