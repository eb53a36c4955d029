"""What Python holds: tuples beside the drivers' COPY, mappings beside SQLAlchemy, and tuples that meet their rows.

Everyone has one connection, which is open, and commits. The rows are the same objects for everyone.
"""

from __future__ import annotations

from functools import partial

from psycopg import AsyncConnection
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from bench.copy_bench import Bench, Part, Way
from bench.copy_by_driver import ByAsyncpg, ByPsycopg
from bench.copy_by_sqlalchemy import BySession
from bench.copy_rows import KEYED, NAMES, TABLE, records
from bench.pool_contenders import dsn
from bench.report import what_it_does
from dal.copy import copy_in


async def tuples(bench: Bench) -> None:
    """Load tuples."""
    await bench.recreate(TABLE)
    rows = list(records(bench.size.rows))
    asyncpg = ByAsyncpg(bench.connection)
    due = await bench.filled(TABLE, partial(asyncpg.load, rows), len(rows))
    async with await AsyncConnection.connect(dsn(bench.server.url)) as connection:
        psycopg = ByPsycopg(connection)
        ways = {
            "psycopg": Way(what_it_does(psycopg.load), partial(psycopg.load, rows), due),
            "asyncpg": Way(what_it_does(asyncpg.load), partial(asyncpg.load, rows), due),
            "dal": Way("copy_in(database, table, tuples)", lambda: copy_in(bench.database, TABLE, rows), due),
        }
        await bench.measure(Part("tuples", TABLE, len(rows), ways))
    bench.ratio("tuples_vs_asyncpg_copy_records", "tuples", "1.0", peer="asyncpg")
    bench.ratio("tuples_vs_psycopg_copy", "tuples", "none", peer="psycopg")


async def dicts(bench: Bench) -> None:
    """Load mappings."""
    await bench.recreate(TABLE)
    given = list(records(bench.size.few))
    rows = [dict(zip(NAMES, record, strict=True)) for record in given]
    due = await bench.filled(TABLE, partial(ByAsyncpg(bench.connection).load, given), len(rows))
    engine = create_async_engine(bench.server.url, pool_size=1, max_overflow=0)
    session = BySession(partial(AsyncSession, engine, expire_on_commit=False))
    ways = {
        "add_all": Way(what_it_does(session.add_all), partial(session.add_all, rows), due),
        "core": Way(what_it_does(session.insert), partial(session.insert, rows), due),
        "dal": Way("copy_in(database, table, dicts)", lambda: copy_in(bench.database, TABLE, rows), due),
    }
    try:
        await bench.measure(Part("dicts", TABLE, len(rows), ways))
    finally:
        await engine.dispose()
    bench.ratio("dicts_vs_core_insert", "dicts", "5", peer="core")
    bench.ratio("dicts_vs_add_all", "dicts", "40", peer="add_all")


async def upsert(bench: Bench) -> None:
    """Load tuples, every second of which is there already, with another name and price."""
    await bench.recreate(TABLE, KEYED)
    rows = list(records(bench.size.few))
    asyncpg = ByAsyncpg(bench.connection)
    await asyncpg.load(rows)
    refill = (
        f"INSERT INTO {KEYED} SELECT id, 'before ' || name, 0, changed, is_open FROM {TABLE} WHERE id % 2 = 0"
        " ORDER BY id"
    )
    due = await bench.contents(TABLE)
    ways = {
        "staging": Way(what_it_does(asyncpg.upsert), partial(asyncpg.upsert, rows), due),
        "dal": Way(
            'copy_in(database, table, tuples, on_conflict="update")',
            lambda: copy_in(bench.database, KEYED, rows, on_conflict="update"),
            due,
        ),
    }
    await bench.measure(Part("upsert", KEYED, len(rows), ways, refill))
    bench.ratio("upsert_vs_handwritten_staging", "upsert", "1.0", peer="staging")
