"""Who writes in which part: each on one connection of its own, all open from the start to the end.

What a contender does, and whose documentation it is taken from, stands in the modules `bench.write_by_*`; the first
line of its method goes into the results. Refuses: measuring.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from psycopg import AsyncConnection
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from bench.pool_contenders import connected, dsn
from bench.report import what_it_does
from bench.write_by_dal import ByDal, Items
from bench.write_by_driver import ByAsyncpg, ByPsycopg
from bench.write_by_sqlalchemy import ByAdvancedAlchemy, ByCore, ByOrm
from bench.write_rows import Rows, Write
from dal import Database

# Makes ready, outside of the clock, what the writing of these rows is to find.
Ready: TypeAlias = Callable[[Rows], AbstractAsyncContextManager[Write]]
# By part and contender; dal is the last of each, and the best of the others stands before it.
Ways: TypeAlias = dict[str, dict[str, "Way"]]


@dataclass(frozen=True, slots=True)
class Way:
    """One contender of one part."""

    ready: Ready
    does: str


@asynccontextmanager
async def open_ways(url: URL) -> AsyncGenerator[Ways]:
    """Connect everyone."""
    async with AsyncExitStack() as stack:
        asyncpg = ByAsyncpg(await stack.enter_async_context(connected(url)))
        psycopg = ByPsycopg(await stack.enter_async_context(await AsyncConnection.connect(dsn(url))))
        dal = ByDal(Items(await stack.enter_async_context(Database(url, pool=None))))
        engine = create_async_engine(url, pool_size=1, max_overflow=0)
        stack.push_async_callback(engine.dispose)
        sessions = async_sessionmaker(engine, expire_on_commit=False)
        autocommit = ByCore(engine.execution_options(isolation_level="AUTOCOMMIT"))
        yield _large(dal, asyncpg, psycopg, ByCore(engine), sessions) | _small(dal, asyncpg, ByCore(engine), autocommit)


def _large(dal: ByDal, asyncpg: ByAsyncpg, psycopg: ByPsycopg, core: ByCore, sessions: Any) -> Ways:
    orm = ByOrm(sessions)
    return {
        "upsert": {
            "advanced_alchemy": _of(ByAdvancedAlchemy(sessions).upsert),
            "core": _of(core.upsert),
            "asyncpg_executemany": _of(asyncpg.upsert_executemany),
            "unnest": _of(asyncpg.upsert_unnest),
            "staging_copy": _of(asyncpg.upsert_staging_copy),
            "dal": _of(dal.upsert),
        },
        "insert": {
            "psycopg_executemany": _of(psycopg.insert_executemany),
            "core": _of(core.insert),
            "asyncpg_executemany": _of(asyncpg.insert_executemany),
            "dal": _of(dal.insert),
        },
        "insert_returning": {
            "psycopg_executemany": _of(psycopg.insert_executemany_returning),
            "core": _of(core.insert_returning),
            "asyncpg_executemany": _of(asyncpg.insert_fetchmany),
            "dal": _of(dal.insert_returning),
        },
        "update": {
            "orm_updates": Way(orm.entities, what_it_does(orm.entities)),
            "orm_bulk_update": _of(orm.bulk_update),
            "unnest": _of(asyncpg.update_unnest),
            "asyncpg_executemany": _of(asyncpg.update_executemany),
            "dal": _of(dal.update),
        },
    }


def _small(dal: ByDal, asyncpg: ByAsyncpg, core: ByCore, autocommit: ByCore) -> Ways:
    return {
        "small_insert": {
            "core": _of(core.insert),
            "core_autocommit": _of(autocommit.insert, " with AUTOCOMMIT"),
            "asyncpg_executemany": _of(asyncpg.insert_executemany),
            "dal": _of(dal.insert),
        },
        "small_upsert": {
            "core": _of(core.upsert),
            "core_autocommit": _of(autocommit.upsert, " with AUTOCOMMIT"),
            "unnest": _of(asyncpg.upsert_unnest),
            "dal": _of(dal.upsert),
        },
    }


def _of(write: Write, how: str = "") -> Way:
    @asynccontextmanager
    async def ready(_rows: Rows) -> AsyncGenerator[Write]:
        yield write

    return Way(ready, what_it_does(write) + how)
