"""The server under the tests: template databases, made once, and a clone of one for every test that asks.

The server is an embedded one, or that of `DAL_DATABASE_URL`, whose role must be a superuser.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Final

import asyncpg
import pytest
from sqlalchemy import URL

from dal import Database, DatabaseConfig, PoolConfig
from dal.migrations import upgrade
from tests import models
from tests.databases import Clones, Wiped, clones, unique_name, wiped
from tests.looking import connect
from tests.shop_rows import fill

ROOT: Final = Path(__file__).parent.parent
INI: Final = ROOT / "alembic.ini"


@pytest.fixture(scope="session")
def server(pg_server: URL) -> URL:
    """Lend the server's own database, to make and drop others from."""
    return pg_server


@pytest.fixture(scope="session")
def empty_clones(server: URL) -> Generator[Clones]:
    """Lend databases with nothing in them."""
    with clones(server, server.set(database="template0")) as made:
        yield made


@pytest.fixture(scope="session")
def migrated_clones(server: URL, empty_clones: Clones) -> Generator[Clones]:
    """Lend databases with the shop, migrated to head, and the tests' own tables, all empty."""
    with empty_clones.one() as template:
        asyncio.run(_migrate(template))
        with clones(server, template) as made:
            yield made


@pytest.fixture(scope="session")
def wiped_databases(migrated_clones: Clones) -> Generator[Wiped]:
    """Lend the same databases to one test after the other."""
    with migrated_clones.one() as one, migrated_clones.one() as other, wiped(one, other) as databases:
        yield databases


@pytest.fixture(scope="session")
def read_only_url(migrated_clones: Clones) -> Generator[URL]:
    """Lend one database with a few rows in the shop to all the tests that only read."""
    with migrated_clones.one() as url:
        asyncio.run(_fill(url))
        yield url


@pytest.fixture
def empty_database_url(empty_clones: Clones) -> Generator[URL]:
    """Lend a new database with nothing in it."""
    with empty_clones.one() as url:
        yield url


@pytest.fixture
def alterable_url(migrated_clones: Clones) -> Generator[URL]:
    """Lend a new database with all tables, for a test that changes more than rows."""
    with migrated_clones.one() as url:
        yield url


@pytest.fixture
def database_url(request: pytest.FixtureRequest, wiped_databases: Wiped) -> Generator[URL]:
    """Lend a database of the test's own with all tables, which have no rows."""
    if "alterable_url" in request.fixturenames:
        yield request.getfixturevalue("alterable_url")
        return
    with wiped_databases.one() as url:
        yield url


@pytest.fixture
async def db(database_url: URL) -> AsyncGenerator[Database]:
    """Lend an open `Database` with three connections."""
    async with Database(database_url, pool=PoolConfig(size=3)) as database:
        yield database


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
async def outside(database_url: URL) -> AsyncGenerator[asyncpg.Connection]:
    """Lend a connection to look at `db` from outside with."""
    connection = await connect(database_url, server_settings={"application_name": "outside"})
    yield connection
    await connection.close()


@pytest.fixture
async def role_url(database_url: URL, outside: asyncpg.Connection) -> AsyncGenerator[URL]:
    """Lend the test's database by way of a role of its own, which is no superuser."""
    role = unique_name()
    await outside.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    yield database_url.set(username=role, password="x")
    await outside.execute(f"DROP ROLE {role}")


async def _migrate(url: URL) -> None:
    async with Database(url, pool=PoolConfig(size=1)) as db:
        await upgrade(db, ini=INI)
        async with db.engine.begin() as connection:
            await connection.run_sync(models.Base.metadata.create_all)


async def _fill(url: URL) -> None:
    async with Database(url, pool=PoolConfig(size=1)) as db:
        await fill(db)
