"""Databases for a run of tests, on any server whose role may create them: made from a template, and dropped again.

A run holds an advisory lock for as long as it lives, and its databases carry the lock's number in their names. So what
a killed run left behind is known by a lock that nobody holds, on whichever machine it ran, and the next run drops it.
A template carries the key of its schema in its name and is kept for the runs to come.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
from sqlalchemy import URL

from dal.config import DatabaseConfig
from dal.connecting import open_driver, password_of, refuse_old_server
from dal.database import Database
from dal.errors import driver_errors_named
from dal.pool_config import PoolConfig
from dal.testing.schema import Schema

_RUN_LOCKS: Final = 0x64616C01
_TEMPLATE_LOCKS: Final = 0x64616C02
_OLD: Final = timedelta(days=14)
# The first version with CREATE DATABASE ... STRATEGY.
_STRATEGIES_SINCE: Final = 15
_STRATEGIES: Final = ("WAL_LOG", "FILE_COPY")
_ROUNDS: Final = 4


class Databases:
    """Makes databases on *server* and drops them; to be used in one loop, and closed.

    Every database gets a `statement_timeout`, so that a test that waits for ever in the server ends with an error.
    """

    def __init__(self, server: URL, *, statement_timeout_s: float) -> None:
        self._server = server
        self._timeout_ms = round(statement_timeout_s * 1000)
        self._run = secrets.randbits(31)
        self._numbers = itertools.count(1)
        self._made: set[str] = set()
        self._strategies: dict[str, str | None] = {}
        self._busy = asyncio.Lock()
        self._admin: asyncpg.Connection | None = None

    async def template(self, schema: Schema) -> str:
        """Name the template that holds *schema*; make it if no run has made it before.

        Of several runs at once one makes it, and the others wait.
        """
        async with self._administering() as admin:
            name = f"dal_template_{schema.key(await _server_of(admin))}"
            lock = int(name[-8:], 16) - (1 << 31)
            await admin.execute("SELECT pg_advisory_lock($1, $2)", _TEMPLATE_LOCKS, lock)
            try:
                strategy = await _strategy_of(admin, name) or await self._make_template(admin, name, schema)
                await _remember(admin, name, strategy)
            finally:
                await admin.execute("SELECT pg_advisory_unlock($1, $2)", _TEMPLATE_LOCKS, lock)
            return name

    async def make(self, template: str = "template0") -> URL:
        """Clone *template*: its URL; tens of milliseconds."""
        async with self._administering() as admin:
            if template not in self._strategies:
                self._strategies[template] = await _strategy_of(admin, template)
            return self._server.set(database=await self._create(admin, template, self._strategies[template]))

    async def drop(self, url: URL) -> None:
        """Drop a database; whoever is connected to it is thrown out."""
        async with self._administering() as admin:
            await self._drop(admin, str(url.database))

    async def cancel(self, pid: int) -> None:
        """Cancel what the server's process *pid* runs."""
        await execute(self._server, f"SELECT pg_cancel_backend({pid})")

    async def close(self) -> None:
        """Drop what is left of this run."""
        if self._made:
            async with self._administering() as admin:
                for name in list(self._made):
                    await self._drop(admin, name)
        if self._admin is not None:
            await self._admin.close()

    @asynccontextmanager
    async def _administering(self) -> AsyncGenerator[asyncpg.Connection]:
        async with self._busy:
            with driver_errors_named():
                yield await self._connection()

    async def _connection(self) -> asyncpg.Connection:
        if self._admin is None or self._admin.is_closed():  # the server may have been restarted
            self._admin = await connect(self._server)
            refuse_old_server(self._admin.get_server_version(), DatabaseConfig(url=self._server).where)
            await self._admin.execute("SELECT pg_advisory_lock($1, $2)", _RUN_LOCKS, self._run)
            await self._sweep(self._admin)
        return self._admin

    async def _sweep(self, admin: asyncpg.Connection) -> None:
        rows = await admin.fetch("SELECT datname FROM pg_database WHERE datname ~ '^dal_test_[0-9a-f]{8}_'")
        for (name,) in rows:
            run = int(name.split("_")[2], 16)
            if run != self._run and await admin.fetchval("SELECT pg_try_advisory_lock($1, $2)", _RUN_LOCKS, run):
                await self._drop(admin, name)
                await admin.execute("SELECT pg_advisory_unlock($1, $2)", _RUN_LOCKS, run)
        for name in await _old_templates(admin):
            await self._drop(admin, name)

    async def _make_template(self, admin: asyncpg.Connection, name: str, schema: Schema) -> str:
        making = await self._create(admin, "template0", "")
        config = DatabaseConfig(url=self._server.set(database=making), pool=PoolConfig(size=1))
        async with Database(config) as db:
            await schema.apply(db)
        await admin.execute(f"ALTER DATABASE {making} ALLOW_CONNECTIONS false")
        strategy = await self._faster(admin, making)
        await admin.execute(f"ALTER DATABASE {making} RENAME TO {name}")
        self._made.discard(making)
        return strategy

    async def _faster(self, admin: asyncpg.Connection, template: str) -> str:
        if admin.get_server_version().major < _STRATEGIES_SINCE:
            return ""
        took: dict[str, list[float]] = {strategy: [] for strategy in _STRATEGIES}
        for _, strategy in itertools.product(range(_ROUNDS), _STRATEGIES):
            started = time.monotonic()
            name = await self._create(admin, template, strategy)
            took[strategy].append(time.monotonic() - started)
            await self._drop(admin, name)
        return min(took, key=lambda strategy: min(took[strategy]))

    async def _create(self, admin: asyncpg.Connection, template: str, strategy: str | None) -> str:
        name = f"dal_test_{self._run:08x}_{next(self._numbers)}"
        self._made.add(name)
        how = f" STRATEGY {strategy}" if strategy else ""
        # A clone has its template's encoding anyway; template0 lets it be chosen where the server has another.
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'{how}")
        await admin.execute(f"ALTER DATABASE {name} SET statement_timeout = {self._timeout_ms}")
        return name

    async def _drop(self, admin: asyncpg.Connection, name: str) -> None:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._made.discard(name)


async def connect(url: URL, **options: Any) -> asyncpg.Connection:
    """Open a connection of asyncpg's own to *url*; raises `dal.errors` like a `Database`."""
    config = DatabaseConfig(url=url)
    where: dict[str, Any] = {**url.translate_connect_args(username="user"), **url.query, **password_of(config)}
    if "port" in where:
        where["port"] = int(where["port"])
    return await open_driver(config.where, {**where, **options})


async def execute(url: URL, statement: str) -> None:
    """Run *statement* at *url*, on a connection of its own."""
    connection = await connect(url)
    try:
        with driver_errors_named():
            await connection.execute(statement)
    finally:
        await connection.close()


async def _server_of(connection: asyncpg.Connection) -> str:
    """Say what a template depends on beside the schema: the server's version, and the role that owns it."""
    version = connection.get_server_version()
    return f"{version.major}.{version.minor} {await connection.fetchval('SELECT current_user')}"


async def _strategy_of(admin: asyncpg.Connection, template: str) -> str | None:
    """Read from the comment of one of our templates how it is cloned fastest; None if it is none of ours."""
    comment = await admin.fetchval(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database "
        "WHERE datname = $1 AND datname ~ '^dal_template_'",
        template,
    )
    return str(comment).split(" ")[2] if comment else None


async def _remember(admin: asyncpg.Connection, template: str, strategy: str) -> None:
    today = datetime.now(UTC).date().isoformat()
    await admin.execute(f"COMMENT ON DATABASE {template} IS 'dal {today} {strategy}'")


async def _old_templates(admin: asyncpg.Connection) -> list[str]:
    oldest = (datetime.now(UTC).date() - _OLD).isoformat()
    rows = await admin.fetch(
        "SELECT datname FROM pg_database WHERE datname ~ '^dal_template_[0-9a-f]{16}$' "
        "AND split_part(shobj_description(oid, 'pg_database'), ' ', 2) < $1",
        oldest,
    )
    return [name for (name,) in rows]
