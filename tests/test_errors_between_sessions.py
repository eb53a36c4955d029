"""What two sessions do to each other becomes the error of its SQLSTATE."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import exc, text

from dal import errors
from tests.looking import until_waiting_for_a_lock


@pytest.fixture
async def accounts(outside: asyncpg.Connection) -> None:
    """Commit two accounts."""
    await outside.execute("INSERT INTO account VALUES (1, 'alice', 0), (2, 'bob', 0)")


def _pay(account_id):
    return text(f"UPDATE account SET balance = balance + 1 WHERE id = {account_id}")


async def _change_what_another_changed(db, outside):
    async with db.writing() as session:
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        await session.execute(text("SELECT balance FROM account"))
        await outside.execute("UPDATE account SET balance = 7")
        await session.execute(_pay(1))


async def test_a_snapshot_overtaken_is_a_serialization_failure(accounts, db, outside):
    with pytest.raises(errors.SerializationFailure) as caught:
        await _change_what_another_changed(db, outside)
    assert caught.value.sqlstate == "40001"


async def test_a_serialization_failure_is_sqlalchemys_operational_error(accounts, db, outside):
    with pytest.raises(exc.OperationalError):
        await _change_what_another_changed(db, outside)


async def _embrace(db, outside):
    """Let dal and *outside* each wait for the row that the other has; dal's side looks for deadlocks sooner."""
    async with db.writing() as session, outside.transaction():
        await session.execute(text("SET LOCAL deadlock_timeout = '10ms'"))
        await outside.execute("SET LOCAL deadlock_timeout = '30s'")
        await session.execute(_pay(1))
        await outside.execute(_pay(2).text)
        waiting = asyncio.create_task(outside.execute(_pay(1).text))
        try:
            await session.execute(_pay(2))
        finally:
            await session.rollback()
            await waiting


async def test_a_deadlock_is_detected_by_name(accounts, db, outside):
    with pytest.raises(errors.DeadlockDetected) as caught:
        await _embrace(db, outside)
    assert caught.value.sqlstate == "40P01"


async def test_a_deadlock_is_a_transaction_rollback(accounts, db, outside):
    with pytest.raises(errors.TransactionRollback):
        await _embrace(db, outside)


async def test_a_lock_refused_at_once_is_lock_not_available(accounts, db, outside):
    with pytest.raises(errors.LockNotAvailable) as caught:
        async with outside.transaction(), db.writing() as session:
            await outside.execute("SELECT 1 FROM account FOR UPDATE")
            await session.execute(text("SELECT 1 FROM account FOR UPDATE NOWAIT"))
    assert caught.value.sqlstate == "55P03"


async def test_a_lock_that_takes_too_long_is_lock_not_available(accounts, db, outside):
    with pytest.raises(errors.LockNotAvailable) as caught:
        async with outside.transaction(), db.writing() as session:
            await outside.execute("LOCK TABLE account")
            await session.execute(text("SET LOCAL lock_timeout = '10ms'"))
            await session.execute(_pay(1))
    assert caught.value.sqlstate == "55P03"


async def test_a_statement_canceled_by_another_is_query_canceled(accounts, db, outside):
    async def wait_for_the_row():
        async with db.writing() as session:
            await session.execute(_pay(1))

    async with outside.transaction():
        await outside.execute("LOCK TABLE account")
        waiting = asyncio.create_task(wait_for_the_row())
        pid = await until_waiting_for_a_lock(outside)
        await outside.execute("SELECT pg_cancel_backend($1)", pid)
        with pytest.raises(errors.QueryCanceled):
            await waiting
