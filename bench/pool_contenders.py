"""The pools that are compared, each of ten connections and used as its own documentation shows.

- `sqlalchemy`: `create_async_engine(pool_size=10, max_overflow=0)`, its `AsyncAdaptedQueuePool`.
- `asyncpg`: `asyncpg.create_pool(min_size=10, max_size=10)`.
- `psycopg_pool`: `AsyncConnectionPool(min_size=10, max_size=10, max_waiting=50)`.
- `dal_native`: `Database.checkout()`, which lends asyncpg's connection.
- `dal`: `Database.engine`, which SQLAlchemy's users go on using.

No statement runs in a transaction: on an engine by the execution option AUTOCOMMIT, in psycopg by `autocommit=True`,
in asyncpg as ever. All other settings are the defaults, dal's too. Refuses: measuring.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import asyncpg
from psycopg_pool import AsyncConnectionPool, TooManyRequests
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bench.report import freeze_heap
from dal import Database, PoolConfig
from dal.errors import PoolOverloaded

SIZE: Final = 10
SERVICE_S: Final = 0.02
ROWS: Final = 10_000
TABLE: Final = "bench_point"
# What a pool raises that will not even let a request wait.
REFUSALS: Final = (PoolOverloaded, TooManyRequests)

SLEEP: Final = f"SELECT pg_sleep({SERVICE_S})"
_READ: Final = f"SELECT name FROM {TABLE} WHERE id = "
_SLEEP_TEXT: Final = text(SLEEP)
_READ_TEXT: Final = text(f"{_READ}:id")
# psycopg prepares a statement on a connection when it runs there for the sixth time, as its default is.
_WARM_TURNS: Final = 6


class OpenPool(Protocol):
    """A pool while it is open: one checkout, and one statement on a connection that is checked out for it."""

    def checkout(self) -> AbstractAsyncContextManager[object]: ...

    async def sleep(self) -> None:
        """Have the server take `SERVICE_S`, without any work to do."""

    async def read(self, key: int) -> str:
        """Read one row by its primary key."""


# Opens a pool at a URL with that many connections at least, if the pool can be told.
Opener: TypeAlias = Callable[[URL, int], AbstractAsyncContextManager[OpenPool]]


@dataclass(frozen=True, slots=True)
class OnEngine:
    """SQLAlchemy's way to a connection, whosever pool the engine has."""

    engine: AsyncEngine
    autocommit: AsyncEngine

    def checkout(self) -> AbstractAsyncContextManager[object]:
        return self.engine.connect()

    async def sleep(self) -> None:
        async with self.autocommit.connect() as connection:
            await connection.execute(_SLEEP_TEXT)

    async def read(self, key: int) -> str:
        async with self.autocommit.connect() as connection:
            return str(await connection.scalar(_READ_TEXT, {"id": key}))


@dataclass(frozen=True, slots=True)
class OnDriver:
    """asyncpg's connection itself, wherever it comes from."""

    lend: Callable[[], AbstractAsyncContextManager[Any]]

    def checkout(self) -> AbstractAsyncContextManager[object]:
        return self.lend()

    async def sleep(self) -> None:
        async with self.lend() as connection:
            await connection.fetchval(SLEEP)

    async def read(self, key: int) -> str:
        async with self.lend() as connection:
            return str(await connection.fetchval(f"{_READ}$1", key))


@dataclass(frozen=True, slots=True)
class OnPsycopg:
    """psycopg's connection from psycopg's pool."""

    pool: AsyncConnectionPool

    def checkout(self) -> AbstractAsyncContextManager[object]:
        lent: AbstractAsyncContextManager[object] = self.pool.connection()
        return lent

    async def sleep(self) -> None:
        async with self.pool.connection() as connection:
            await (await connection.execute(SLEEP)).fetchone()

    async def read(self, key: int) -> str:
        async with self.pool.connection() as connection:
            return str(await (await connection.execute(f"{_READ}%s", (key,))).fetchone())


@asynccontextmanager
async def open_sqlalchemy(url: URL, _least: int) -> AsyncGenerator[OpenPool]:
    """Open an engine, which connects for the first requests whatever is asked of it."""
    engine = create_async_engine(url, pool_size=SIZE, max_overflow=0)
    try:
        yield _on_engine(engine)
    finally:
        await engine.dispose()


@asynccontextmanager
async def open_asyncpg(url: URL, least: int) -> AsyncGenerator[OpenPool]:
    async with asyncpg.create_pool(dsn(url), min_size=least, max_size=SIZE) as pool:
        yield OnDriver(pool.acquire)


@asynccontextmanager
async def open_psycopg(url: URL, least: int) -> AsyncGenerator[OpenPool]:
    pool = AsyncConnectionPool(
        dsn(url),
        min_size=least,
        max_size=SIZE,
        max_waiting=50,
        kwargs={"autocommit": True},
        open=False,
    )
    async with pool:
        await pool.wait()
        yield OnPsycopg(pool)


@asynccontextmanager
async def open_dal_native(url: URL, _least: int) -> AsyncGenerator[OpenPool]:
    """Open a `Database`, which always connects its whole pool first."""
    async with Database(url, pool=PoolConfig()) as database:
        yield OnDriver(database.checkout)


@asynccontextmanager
async def open_dal(url: URL, _least: int) -> AsyncGenerator[OpenPool]:
    """Open a `Database`, which always connects its whole pool first."""
    async with Database(url, pool=PoolConfig()) as database:
        yield _on_engine(database.engine)


@asynccontextmanager
async def open_nothing(url: URL, _least: int) -> AsyncGenerator[OpenPool]:
    """Give no pool: what a connection for every request costs."""
    yield OnDriver(lambda: connected(url))


POOLS: Final[dict[str, Opener]] = {
    "sqlalchemy": open_sqlalchemy,
    "asyncpg": open_asyncpg,
    "psycopg_pool": open_psycopg,
    "dal_native": open_dal_native,
    "dal": open_dal,
}


@asynccontextmanager
async def warm(opener: Opener, url: URL) -> AsyncGenerator[OpenPool]:
    """Open a pool and use all of its connections at once, until each has what it keeps between statements."""
    freeze_heap()
    async with opener(url, SIZE) as pool:
        for _ in range(_WARM_TURNS):
            await asyncio.gather(*(pool.sleep() for _ in range(SIZE)))
        yield pool


@asynccontextmanager
async def connected(url: URL) -> AsyncGenerator[Any]:
    """Give an asyncpg connection of nobody's pool."""
    connection = await asyncpg.connect(dsn(url))
    try:
        yield connection
    finally:
        await connection.close()


def dsn(url: URL) -> str:
    """Spell *url* as libpq and asyncpg read it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _on_engine(engine: AsyncEngine) -> OnEngine:
    return OnEngine(engine, engine.execution_options(isolation_level="AUTOCOMMIT"))
