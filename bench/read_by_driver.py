"""Reads as they are written by hand on the drivers, by asyncpg's documentation and by psycopg's, into a Struct.

Every search spells its SQL anew from the conditions that it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
from psycopg.rows import args_row
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import URL

from bench.pool_contenders import SIZE, connected, dsn
from bench.read_rows import COLUMNS, LIMIT, TABLE, OrderCard, Search

_SELECT: Final = f"SELECT {', '.join(COLUMNS)} FROM {TABLE} WHERE "
_GET: Final = f"{_SELECT}id = $1"
_END: Final = f" ORDER BY due, id LIMIT {LIMIT}"


@dataclass(frozen=True, slots=True)
class ByAsyncpgPool:
    """`pool.fetchrow` and `pool.fetch`, which check a connection out and reset it by a round trip of its own."""

    pool: Any

    async def get(self, key: int) -> OrderCard:
        """asyncpg: `pool.fetchrow(sql, key)`"""
        return OrderCard(*await self.pool.fetchrow(_GET, key))

    async def search(self, wanted: Search) -> Sequence[OrderCard]:
        """asyncpg: `pool.fetch(sql, *values)`"""
        where: list[str] = ["customer = $1"]
        values: list[Any] = [wanted.customer]
        for condition, value in (("paid = ", wanted.paid), ("total >= ", wanted.at_least)):
            if value is not None:
                values.append(value)
                where.append(f"{condition}${len(values)}")
        rows = await self.pool.fetch(f"{_SELECT}{' AND '.join(where)}{_END}", *values)
        return [OrderCard(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class ByHeldStatement:
    """The limit of the driver: a statement prepared on each of ten connections, and no pool.

    As many tasks as connections read at a time; a free one is taken from a list, without a word to the server.
    """

    free: asyncio.LifoQueue[Any]

    async def get(self, key: int) -> OrderCard:
        """asyncpg: `fetchrow(key)` of a statement that was prepared on a connection that is kept"""
        statement = await self.free.get()
        try:
            return OrderCard(*await statement.fetchrow(key))
        finally:
            self.free.put_nowait(statement)


@dataclass(frozen=True, slots=True)
class ByPsycopgPool:
    """psycopg's pool, with `autocommit`; it prepares a statement itself when that has run five times."""

    pool: Any

    async def get(self, key: int) -> OrderCard | None:
        """psycopg: `execute(sql, (key,))` on a cursor with `args_row(OrderCard)`"""
        async with self.pool.connection() as connection, connection.cursor(row_factory=args_row(OrderCard)) as cursor:
            found: OrderCard | None = await (await cursor.execute(f"{_SELECT}id = %s", (key,))).fetchone()
            return found

    async def search(self, wanted: Search) -> Sequence[OrderCard]:
        """psycopg: `execute(sql, values)` on a cursor with `args_row(OrderCard)`"""
        where: list[str] = ["customer = %s"]
        values: list[Any] = [wanted.customer]
        for condition, value in (("paid = %s", wanted.paid), ("total >= %s", wanted.at_least)):
            if value is not None:
                values.append(value)
                where.append(condition)
        async with self.pool.connection() as connection, connection.cursor(row_factory=args_row(OrderCard)) as cursor:
            await cursor.execute(f"{_SELECT}{' AND '.join(where)}{_END}", values)
            found: Sequence[OrderCard] = await cursor.fetchall()
            return found


@asynccontextmanager
async def open_asyncpg_pool(url: URL) -> AsyncGenerator[ByAsyncpgPool]:
    async with asyncpg.create_pool(dsn(url), min_size=SIZE, max_size=SIZE) as pool:
        yield ByAsyncpgPool(pool)


@asynccontextmanager
async def open_held(url: URL) -> AsyncGenerator[ByHeldStatement]:
    free: asyncio.LifoQueue[Any] = asyncio.LifoQueue()
    async with AsyncExitStack() as stack:
        for _ in range(SIZE):
            connection = await stack.enter_async_context(connected(url))
            free.put_nowait(await connection.prepare(_GET))
        yield ByHeldStatement(free)


@asynccontextmanager
async def open_psycopg_pool(url: URL) -> AsyncGenerator[ByPsycopgPool]:
    pool = AsyncConnectionPool(dsn(url), min_size=SIZE, max_size=SIZE, kwargs={"autocommit": True}, open=False)
    async with pool:
        await pool.wait()
        yield ByPsycopgPool(pool)
