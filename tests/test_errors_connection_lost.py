"""A connection that ends under a statement becomes ConnectionLost, however it ends; the next one is a new one."""

import asyncio

import pytest
from sqlalchemy import exc, text

from dal import Database, PoolConfig, errors
from dal.errors import ConnectionLost
from tests.foreign_server import translated
from tests.looking import until, until_none_left, until_running
from tests.models import Account, Accounts, Bank

SLEEP = text("SELECT pg_sleep(30)")


async def _sleep(db):
    async with db.writing() as session:
        await session.execute(SLEEP)


async def _serves(db):
    async with db.reading() as session:
        return await session.scalar(text("SELECT 1")) == 1


async def _terminate_sleeper(db, outside):
    asleep = asyncio.create_task(_sleep(db))
    pid = await until_running(outside, "pg_sleep")
    await outside.execute("SELECT pg_terminate_backend($1)", pid)
    await asleep


async def test_a_backend_killed_in_a_statement_is_connection_lost(db, outside):
    with pytest.raises(ConnectionLost) as caught:
        await _terminate_sleeper(db, outside)
    assert caught.value.sqlstate == "57P01"


async def test_connection_lost_is_sqlalchemys_operational_error(db, outside):
    with pytest.raises(exc.OperationalError):
        await _terminate_sleeper(db, outside)


async def test_the_pool_serves_again_after_a_killed_backend(db, outside):
    with pytest.raises(ConnectionLost):
        await _terminate_sleeper(db, outside)
    assert await _serves(db)


async def test_a_backend_killed_between_two_statements_is_connection_lost(db, outside):
    with pytest.raises(ConnectionLost):
        async with db.writing() as session:
            pid = await session.scalar(text("SELECT pg_backend_pid()"))
            await outside.execute("SELECT pg_terminate_backend($1, 5000)", pid)
            await session.execute(text("SELECT 1"))


async def test_a_network_cut_in_a_statement_is_connection_lost(database_url, outside, faulty_network):
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        asleep = asyncio.create_task(_sleep(db))
        await until_running(outside, "pg_sleep")
        faulty_network.cut()
        with pytest.raises(ConnectionLost):
            await asleep


async def _stream(db):
    async with Accounts(db).stream(into=Account.id) as numbers:
        return [number async for number in numbers]


async def _projection(db):
    async with Bank(db) as bank:
        return await bank.accounts.list(into=Account.id)


async def _copy(db):
    async with Bank(db) as bank:
        return await bank.accounts.copy_in([{"id": 1, "owner": "somebody", "balance": 1}])


@pytest.mark.parametrize("door", [_sleep, _stream, _projection, _copy])
async def test_a_network_cut_at_begin_is_connection_lost(database_url, faulty_network, door):
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        cut = faulty_network.cut_at("BEGIN", answered=False)
        with pytest.raises(ConnectionLost):
            await door(db)
        assert cut.has_come
        assert await _serves(db)


async def test_the_pool_serves_again_after_a_network_cut(database_url, faulty_network):
    async with Database(database_url, pool=PoolConfig(size=2)) as db:
        faulty_network.cut()
        with pytest.raises(ConnectionLost):
            async with db.writing() as session:
                faulty_network.cut()
                await session.execute(SLEEP)
        assert await _serves(db)


async def test_a_lost_connection_is_marked_as_sqlalchemy_marks_it(db, outside):
    with pytest.raises(ConnectionLost) as caught:
        await _terminate_sleeper(db, outside)
    assert caught.value.connection_invalidated


@pytest.fixture(params=["english", "translated"])
async def url(request, database_url):
    """Lend the address of a server that speaks English, and of one that does not."""
    if request.param == "english":
        yield database_url
        return
    async with translated(database_url) as there:
        yield there


# What ends a connection that waits in a transaction, and what it becomes.
ENDED = {
    "25P03": ("SET idle_in_transaction_session_timeout = '20ms'", errors.IdleInTransactionSessionTimeout, 14),
    "25P04": ("SET transaction_timeout = '20ms'", errors.TransactionTimeout, 17),
    "57P01": ("SELECT 1", ConnectionLost, 14),
}


async def _end(outside, sqlstate):
    if sqlstate == "57P01":
        await outside.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dal' "
            "AND datname = current_database()"
        )
    await until_none_left(outside)


@pytest.mark.parametrize("sqlstate", ENDED)
async def test_why_the_server_ended_a_session_in_a_transaction_is_named(url, outside, sqlstate):
    setting, kind, since = ENDED[sqlstate]
    if outside.get_server_version().major < since:
        pytest.skip(f"PostgreSQL {since} and newer have it")
    async with Database(url, pool=PoolConfig(size=1)) as db:
        with pytest.raises(ConnectionLost) as caught:
            async with db.writing() as session:
                await session.execute(text(setting))
                await _end(outside, sqlstate)
                await session.execute(text("SELECT 1"))
        assert (type(caught.value), caught.value.sqlstate) == (kind, sqlstate)
        assert caught.value.connection_invalidated
        assert await _serves(db)


@pytest.mark.parametrize("sqlstate", [*ENDED, "57P05"])
async def test_why_the_server_ended_a_checkout_is_named(url, outside, sqlstate):
    setting, kind, since = (ENDED | {"57P05": ("SET idle_session_timeout = '20ms'", errors.IdleSessionTimeout, 14)})[
        sqlstate
    ]
    if outside.get_server_version().major < since:
        pytest.skip(f"PostgreSQL {since} and newer have it")
    async with Database(url, pool=PoolConfig(size=1)) as db:
        with pytest.raises(ConnectionLost) as caught:
            async with db.checkout() as driver:
                await driver.execute(setting if sqlstate == "57P05" else f"{setting}; BEGIN")
                await _end(outside, sqlstate)
                await until(driver.is_closed)
                await driver.fetch("SELECT 1")
        assert (type(caught.value), caught.value.sqlstate) == (kind, sqlstate)
        assert await _serves(db)


async def test_a_transaction_timeout_in_a_statement_is_named(url, outside):
    if outside.get_server_version().major < 17:
        pytest.skip("PostgreSQL 17 and newer have it")
    async with Database(url, pool=PoolConfig(size=1)) as db:
        with pytest.raises(errors.TransactionTimeout):
            async with db.writing() as session:
                await session.execute(text("SET LOCAL transaction_timeout = '20ms'"))
                await session.execute(SLEEP)


async def test_a_backend_killed_in_a_statement_is_lost_in_any_language(url, outside):
    async with Database(url, pool=PoolConfig(size=1)) as db:
        with pytest.raises(ConnectionLost) as caught:
            await _terminate_sleeper(db, outside)
        assert caught.value.connection_invalidated
        assert await _serves(db)


async def test_a_connection_that_cannot_be_had_is_named_in_any_language(url):
    with pytest.raises(errors.InvalidCatalogName) as caught:
        async with Database(url.set(database="nowhere")):
            pass
    assert caught.value.sqlstate == "3D000"
