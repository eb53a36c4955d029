"""Looking at a database from outside: a connection that knows nothing of dal, and waiting for what it sees."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Final

import asyncpg
from sqlalchemy import URL

from dal import Database

PATIENCE_S: Final = 20.0


async def connect(url: URL, **options: Any) -> asyncpg.Connection:
    """Open a connection of asyncpg's own to *url*."""
    where: dict[str, Any] = {**url.translate_connect_args(username="user"), **url.query}
    if "port" in where:
        where["port"] = int(where["port"])
    return await asyncpg.connect(**where, **options)


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait for *condition*; the deadline is for a condition that never comes."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            truth = condition()
            if await truth if inspect.isawaitable(truth) else truth:
                return
            await asyncio.sleep(0.002)


async def count(outside: asyncpg.Connection, table: str) -> int:
    """Count the rows that others see in *table*."""
    return int(await outside.fetchval(f"SELECT count(*) FROM {table}"))


async def backends(outside: asyncpg.Connection, application_name: str = "dal") -> list[asyncpg.Record]:
    """List what the server knows of an application's connections to this database."""
    # Within a transaction, what was seen once stays so.
    await outside.execute("SELECT pg_stat_clear_snapshot()")
    rows: list[asyncpg.Record] = await outside.fetch(
        "SELECT pid, state, wait_event_type, query FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = $1 ORDER BY pid",
        application_name,
    )
    return rows


async def states(outside: asyncpg.Connection) -> list[str]:
    """List the states of dal's connections."""
    return [row["state"] for row in await backends(outside)]


async def until_waiting_for_a_lock(outside: asyncpg.Connection) -> int:
    """Wait until one of dal's connections waits for a lock; return its process id."""
    waiting: list[int] = []

    async def waits() -> bool:
        waiting.extend(row["pid"] for row in await backends(outside) if row["wait_event_type"] == "Lock")
        return bool(waiting)

    await until(waits)
    return waiting[0]


async def until_running(outside: asyncpg.Connection, words: str) -> int:
    """Wait until one of dal's connections runs a statement with *words* in it; return its process id."""

    running: list[int] = []

    async def runs() -> bool:
        active = [row for row in await backends(outside) if row["state"] == "active"]
        running.extend(row["pid"] for row in active if words in row["query"])
        return bool(running)

    await until(runs)
    return running[0]


async def until_none_left(outside: asyncpg.Connection, application_name: str = "dal") -> None:
    """Wait until the application has no connection: a server notices the end of one a moment later."""

    async def none() -> bool:
        return not await backends(outside, application_name)

    await until(none)


async def drivers(db: Database) -> list[asyncpg.Connection]:
    """List the driver's connections that the pool holds, all of them checked out for a moment."""
    async with AsyncExitStack() as stack:
        out = [await stack.enter_async_context(db.engine.connect()) for _ in range(db.config.pool.size)]
        return [(await connection.get_raw_connection()).driver_connection for connection in out]


async def until_closed(connections: list[asyncpg.Connection]) -> None:
    """Wait until the client's side has heard of the end of every one of *connections*."""
    await until(lambda: all(connection.is_closed() for connection in connections))
