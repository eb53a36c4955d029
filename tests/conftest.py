"""The databases under the tests: clones of one template with the shop and the tests' own tables.

The server is an embedded one, or that of `--postgres` or `DAL_DATABASE_URL`, whose role must be a superuser.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Final
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import URL

from dal import Database, DatabaseConfig, PoolConfig
from dal.testing import Kit, Schema
from tests import models, write_models
from tests.looking import connect
from tests.operation_worlds import World, lent, populate
from tests.shop_rows import fill

pytest_plugins = ["tests.secret_watch"]

ROOT: Final = Path(__file__).parent.parent
INI: Final = ROOT / "alembic.ini"


@pytest.fixture(scope="session")
def pg_schema() -> Schema:
    """Say what the template holds: the shop, migrated to head, and the tests' own tables, all empty."""
    return Schema(migrations=INI, metadata=[models.Base.metadata])


@pytest.fixture(scope="session")
def read_only_url(pg_kit: Kit) -> Generator[URL]:
    """Lend one database with a few rows in the shop to all the tests that only read."""
    with pg_kit.database() as url:
        asyncio.run(_fill(url))
        yield url


@pytest.fixture
def empty_database_url(pg_kit: Kit) -> Generator[URL]:
    """Lend a new database with nothing in it."""
    with pg_kit.empty_database() as url:
        yield url


@pytest.fixture
async def empty(empty_database_url: URL) -> AsyncGenerator[Database]:
    """Lend an open `Database` with nothing in it."""
    async with Database(empty_database_url, pool=PoolConfig(size=2)) as database:
        yield database


@pytest.fixture
async def look(empty_database_url: URL) -> AsyncGenerator[asyncpg.Connection]:
    """Lend a connection to look at `empty` from outside with."""
    connection = await connect(empty_database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def db(database_url: URL) -> AsyncGenerator[Database]:
    """Lend an open `Database` with three connections."""
    async with Database(database_url, pool=PoolConfig(size=3)) as database:
        yield database


@pytest.fixture
async def kit_db(database_url: URL, pg_kit: Kit) -> AsyncGenerator[Database]:
    """Lend the kit's own `db`, which connects when it is first used."""
    database = pg_kit.database_at(database_url, PoolConfig(size=3))
    yield database
    await database.close()


@pytest.fixture
async def shop_db(db: Database) -> Database:
    """Lend the open `Database` with a few rows in the shop."""
    await fill(db)
    return db


@pytest.fixture
async def read_only(read_only_url: URL) -> AsyncGenerator[Database]:
    """Lend an open `Database` with a few rows in the shop, which refuses every write."""
    settings = {"default_transaction_read_only": "on"}
    config = DatabaseConfig(url=read_only_url, pool=PoolConfig(size=2), server_settings=settings)
    async with Database(config) as database:
        yield database


@pytest.fixture
async def outside(direct_url: URL) -> AsyncGenerator[asyncpg.Connection]:
    """Lend a connection to look at `db` from outside with."""
    connection = await connect(direct_url, server_settings={"application_name": "outside"})
    yield connection
    await connection.close()


@pytest.fixture
async def tables(db: Database) -> Database:
    """Lend `db` with the tables for writes in sets, all empty."""
    await write_models.create(db)
    return db


@pytest.fixture
async def world(empty_database_url: URL, tmp_path: Path) -> AsyncGenerator[World]:
    """Lend a populated table in a database of its own, with revisions to write."""
    async with (
        Database(empty_database_url, pool=PoolConfig(size=1)) as database,
        lent(empty_database_url, "outside") as outside,
        lent(empty_database_url, "writer") as other,
    ):
        await populate(outside)
        yield World(database, outside, other, tmp_path)


@pytest.fixture(params=["inline", "staged"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Send rows with the statement, and by COPY ahead of it, however many they are."""
    monkeypatch.setattr("dal.write.offering.INLINE_VALUES", 0 if request.param == "staged" else 100_000)
    return str(request.param)


@pytest.fixture
async def role_url(direct_url: URL, outside: asyncpg.Connection) -> AsyncGenerator[URL]:
    """Lend the test's database by way of a role of its own, which is no superuser."""
    role = f"dal_test_{uuid4().hex}"
    await outside.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    yield direct_url.set(username=role, password="x")
    await outside.execute(f"DROP ROLE {role}")


async def _fill(url: URL) -> None:
    async with Database(url, pool=PoolConfig(size=1)) as db:
        await fill(db)
