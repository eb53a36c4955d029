"""A database for the migrations to be run in: made beside the live one and dropped again, or an empty one that is lent.

Whatever becomes of the task, it is dropped, or left as empty as it was; one whose name begins with `dal_drift_` and
whose process was killed is dropped by the next.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import asyncpg
from sqlalchemy import URL

from dal.config import DatabaseConfig, parse_url
from dal.database import Database
from dal.errors import InsufficientPrivilege, MigrationError, ReadOnlySQLTransaction, driver_errors_named
from dal.migrations.drift.abandoned import drop_abandoned, hold
from dal.migrations.drift.emptying import extensions, objects, statements_to_empty
from dal.pool_config import PoolConfig
from dal.transaction.finishing import finished

# A server that has not dropped a database by then is not there.
_PATIENCE_S: Final = 30.0
_PREFIX: Final = "dal_drift_"

_MAKE: Final = """
    SELECT pg_catalog.format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L', $1::text,
        pg_catalog.pg_encoding_to_char(encoding), datcollate, datctype)
    FROM pg_database WHERE datname = current_database()
"""
_MISSING: Final = """
    SELECT pg_catalog.format('CREATE SCHEMA %I', $1::text)
    WHERE $1 IS NOT NULL AND NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)
"""
_PATH: Final = "SELECT pg_catalog.current_setting('search_path') AS path, current_schema() AS schema"


@asynccontextmanager
async def scratch_database(live: Database, lent: URL | None) -> AsyncGenerator[Database]:
    """Lend an open database that is empty, and has the encoding, the locale and the search path of *live*.

    One that is *lent* has its own encoding and locale. Raises `MigrationError` if the role may create none, or if the
    one that is lent is not empty.
    """
    async with _asked(live) as driver:
        (found,) = await driver.fetch(_PATH)
    settings = {**live.config.server_settings, "search_path": found["path"]}
    config = replace(live.config, pool=PoolConfig(size=2, min_idle=0), server_settings=settings)
    lending = _made(live, config) if lent is None else _lent(replace(config, url=parse_url(lent), password=None))
    async with lending as empty:
        await _have_schema(empty, found["schema"])
        async with Database(empty) as database:
            yield database


async def _have_schema(empty: DatabaseConfig, schema: str | None) -> None:
    """Make the schema that the migrations find made, before anybody asks which it is."""
    async with Database(empty) as database, _asked(database) as driver:
        missing = await driver.fetch(_MISSING, schema)
        for (statement,) in missing:
            await driver.execute(statement)


@asynccontextmanager
async def _made(live: Database, config: DatabaseConfig) -> AsyncGenerator[DatabaseConfig]:
    name = f"{_PREFIX}{secrets.token_hex(6)}"
    administering = replace(live.config, pool=PoolConfig(size=2, min_idle=0), application_name="dal drift")
    async with Database(administering) as admin, _asked(admin) as holding:
        await drop_abandoned(holding, _PREFIX)
        await hold(holding, name)
        try:
            await _to_its_end(_create(admin, name), admin)
        except asyncio.CancelledError:
            await _to_its_end(_drop(admin, name), admin)
            raise
        try:
            yield replace(config, url=config.url.set(database=name))
        finally:
            await _to_its_end(_drop(admin, name), admin)


async def _create(admin: Database, name: str) -> None:
    try:
        async with _asked(admin) as driver:
            await driver.execute(str(await driver.fetchval(_MAKE, name)))
    except (InsufficientPrivilege, ReadOnlySQLTransaction) as error:
        raise MigrationError(
            f"no scratch database could be made beside {admin.config.where}: {error}. Give scratch= the URL of an "
            "empty database, or the role CREATEDB"
        ) from error


async def _drop(admin: Database, name: str) -> None:
    async with _asked(admin) as driver:
        await driver.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@asynccontextmanager
async def _lent(config: DatabaseConfig) -> AsyncGenerator[DatabaseConfig]:
    async with Database(config) as database:
        await _refuse(database)
        async with _asked(database) as driver:
            before = await extensions(driver)
        try:
            yield config
        finally:
            await _to_its_end(_empty(database, before), database)


async def _refuse(lent: Database) -> None:
    async with _asked(lent) as driver:
        found = await objects(driver)
    if found:
        raise MigrationError(
            f"the scratch database {lent.config.where} is not empty: it has {len(found)} objects, such as "
            f"{' '.join(found[0])}. Give one that is: all that is in it is dropped at the end"
        )


async def _empty(database: Database, before: list[str]) -> None:
    async with _asked(database) as driver:
        await driver.execute(await statements_to_empty(driver, before))


@asynccontextmanager
async def _asked(database: Database) -> AsyncGenerator[asyncpg.Connection]:
    async with database.checkout() as driver:
        with driver_errors_named(driver=driver):
            yield driver


async def _to_its_end(work: Coroutine[Any, Any, None], database: Database) -> None:
    """Run *work* also if this task is cancelled: a CREATE that is given up may still be done by the server."""
    end: Callable[[], None] = database.pool.terminate_leased
    await finished(work, give_up=end, patience_s=_PATIENCE_S)
