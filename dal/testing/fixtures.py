"""The fixtures of the pytest plugin."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, TypeVar

import pytest
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from dal.database import Database
from dal.errors import DALError
from dal.pool_config import PoolConfig
from dal.telemetry import StatementLog
from dal.testing.asynchronous import async_fixture
from dal.testing.clock import Clock
from dal.testing.embedded import EmbeddedServer
from dal.testing.kit import Kit
from dal.testing.making import Factory
from dal.testing.migrations.history import Migrations
from dal.testing.network import Network
from dal.testing.options import LOG, isolation_of, server_of, statement_timeout_s
from dal.testing.schema import Schema
from dal.testing.server import server_url, unshared_server
from dal.unit_of_work import UnitOfWork

E = TypeVar("E")
# A test has few connections: none is opened before somebody wants it.
_POOL: Final = PoolConfig(size=5, min_idle=0)
# Waits up to 5,000 ms for the end of each.
_KILL: Final = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = current_database() AND backend_type = 'client backend'
"""


@pytest.fixture(scope="session")
def pg_server(pytestconfig: pytest.Config) -> Generator[URL]:
    """Lend a server: that of `--postgres`, else `DAL_TEST_POSTGRES`, else `dal_postgres`, else an embedded one.

    Its role may create databases. A server that the kit started itself does without durability, and is gone after the
    session. Where there is none to be had, the session ends with one line that says what to do.
    """
    server = server_url("tests", server_of(pytestconfig), in_memory=True)
    try:
        url = server.__enter__()
    except DALError as error:
        pytest.exit(f"dal: {error}", returncode=pytest.ExitCode.USAGE_ERROR)
    yield url
    server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def pg_schema(pytestconfig: pytest.Config) -> Schema:
    """Say what every test's database holds: the migrations of alembic.ini in pytest's root, if there are any.

    To be overridden in a conftest.py by whoever wants tables from metadata, or rows.
    """
    ini = Path(pytestconfig.rootpath) / "alembic.ini"
    return Schema(migrations=ini if ini.exists() else None)


@pytest.fixture(scope="session")
def pg_kit(pg_server: URL, pg_schema: Schema, pytestconfig: pytest.Config) -> Generator[Kit]:
    """Lend what makes the databases; closed at the end of the session."""
    kit = Kit(pg_server, pg_schema, statement_timeout_s=statement_timeout_s(pytestconfig))
    yield kit
    kit.close()


@pytest.fixture(scope="session")
def pg_migrations(pg_schema: Schema) -> Migrations:
    """Say what the tests of `dal.testing.migrations` are about: the migrations of `pg_schema`, without seeds.

    To be overridden in a conftest.py by whoever has seeds, or revisions that nobody goes back from.
    """
    if pg_schema.migrations is None:
        pytest.fail("there is no alembic.ini: override the fixture pg_migrations.", pytrace=False)
    return Migrations(ini=pg_schema.migrations)


@async_fixture
async def empty_db(pg_kit: Kit) -> AsyncGenerator[Database]:
    """Lend a `Database` with nothing in it, for tests of migrations; connects when it is first used."""
    with pg_kit.empty_database() as url:
        database = Database(url, pool=_POOL)
        yield database
        await database.close()


@pytest.fixture
def direct_url(request: pytest.FixtureRequest, pg_kit: Kit) -> Generator[URL]:
    """Lend the address of the test's own database past the network that the test may have put before it."""
    isolation = isolation_of(request.node)
    kit = request.getfixturevalue("own_kit") if "restart_server" in request.fixturenames else pg_kit
    try:
        lent = kit.database() if isolation == "database" else kit.sandbox()
        url = lent.__enter__()
    except DALError as error:
        pytest.exit(f"dal: {error}", returncode=pytest.ExitCode.USAGE_ERROR)
    yield url
    lent.__exit__(None, None, None)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, direct_url: URL) -> URL:
    """Lend the address of the test's own database, migrated, with nothing of other tests in it.

    By marker `database`, a clone of the template; by marker `sandbox`, which is the default, a transaction that is
    rolled back. Give it to the application under test. In a test that asks for `faulty_network` or
    `assert_round_trips` it leads through the network.
    """
    if "faulty_network" in request.fixturenames:
        network: Network = request.getfixturevalue("faulty_network")
        return network.url
    return direct_url


@pytest.fixture
def faulty_network(pg_kit: Kit, direct_url: URL) -> Generator[Network]:
    """Lend a network between `database_url` and the server, to cut, slow and silence."""
    with pg_kit.network(direct_url) as network:
        yield network


@pytest.fixture
def assert_round_trips(faulty_network: Network) -> Callable[[int], AbstractContextManager[None]]:
    """Lend a context manager that counts on the wire how often the block speaks to the server and waits for it.

    BEGIN, COMMIT and the preparing of a statement count too: a first connection takes a dozen round trips, and a
    statement one more the first time. Do the work once before to count what it costs from then on.
    """

    @contextmanager
    def assert_round_trips(exactly: int) -> Generator[None]:
        before = faulty_network.round_trips
        with StatementLog(everywhere=True) as log:
            yield
        seen = faulty_network.round_trips - before
        if seen != exactly:
            raise AssertionError(f"{seen} round trips, not {exactly}. The statements among them:\n{log}")

    return assert_round_trips


@pytest.fixture
def kill_backends(request: pytest.FixtureRequest, pg_kit: Kit, direct_url: URL) -> Callable[[], None]:
    """Lend a function that ends every connection to the test's database from the server's side, as a failover does."""
    _demand_database(request, "kill_backends")
    return lambda: pg_kit.execute(direct_url, _KILL)


@pytest.fixture(scope="session")
def own_server() -> Generator[EmbeddedServer]:
    """Lend an embedded server that no other process uses."""
    with unshared_server() as server:
        yield server


@pytest.fixture(scope="session")
def own_kit(own_server: EmbeddedServer, pg_schema: Schema, pytestconfig: pytest.Config) -> Generator[Kit]:
    """Lend what makes the databases of that server."""
    kit = Kit(own_server.url, pg_schema, statement_timeout_s=statement_timeout_s(pytestconfig))
    yield kit
    kit.close()


@pytest.fixture
def restart_server(request: pytest.FixtureRequest, own_server: EmbeddedServer) -> Callable[..., None]:
    """Lend a function that restarts the server under the test, which is an embedded one of its own: others go on.

    `restart_server("immediate")` lets it crash. A server costs about a second, once for all tests that ask.
    """
    _demand_database(request, "restart_server")
    return own_server.restart


def _demand_database(request: pytest.FixtureRequest, fixture: str) -> None:
    if isolation_of(request.node) != "database":
        pytest.fail(f"{fixture} would end the sandbox itself: mark the test with pytest.mark.database.", pytrace=False)


@async_fixture
async def db(database_url: URL, pg_kit: Kit) -> AsyncGenerator[Database]:
    """Lend a `Database` of the test's own, which connects when it is first used."""
    database = pg_kit.database_at(database_url, _POOL)
    try:
        yield database
    finally:
        # What the test dropped would be ended by the garbage collector, in the middle of another test.
        database.pool.terminate_leased()
        await database.close()


@pytest.fixture
def clock(db: Database) -> Clock:
    """Lend the time of `db`'s pool: `clock.advance(1800)` ends the lifetime of all its connections."""
    return Clock(db)


@async_fixture
async def connection(db: Database) -> AsyncGenerator[AsyncConnection]:
    """Lend a connection of SQLAlchemy's; rolled back at the end."""
    async with db.engine.connect() as connection:
        yield connection


@async_fixture
async def session(db: Database) -> AsyncGenerator[AsyncSession]:
    """Lend a session; rolled back at the end."""
    async with AsyncSession(db.engine, expire_on_commit=False) as session:
        yield session


@pytest.fixture(scope="session")
def unit_of_work_class() -> type[UnitOfWork]:
    """Say which class `unit_of_work` is of; to be overridden."""
    return UnitOfWork


@async_fixture
async def unit_of_work(db: Database, unit_of_work_class: type[UnitOfWork]) -> AsyncGenerator[UnitOfWork]:
    """Lend a unit of work that has begun; rolled back at the end."""
    async with unit_of_work_class(db) as unit_of_work:
        yield unit_of_work
        await unit_of_work.session.rollback()


@pytest.fixture
def statement_log(request: pytest.FixtureRequest) -> StatementLog:
    """Lend the log of all statements that the test has sent so far, from all tasks and threads."""
    log: StatementLog = request.node.stash[LOG]
    return log


@pytest.fixture
def save(db: Database) -> Callable[[E], Awaitable[E]]:
    """Lend a function that writes one entity in a transaction of its own, and gives it back."""

    async def save(entity: E) -> E:
        async with db.writing() as session:
            session.add(entity)
        return entity

    return save


@pytest.fixture
def make() -> Factory:
    """Lend a factory of entities, with the same seed for every test: `make(Order, status="open")`."""
    return Factory()
