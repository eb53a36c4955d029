"""COPY takes part in the transaction of its unit of work, from the first act to the last."""

import asyncio

import pyarrow as pa
import pytest
from sqlalchemy import text

from dal.errors import CheckViolation, CopyError, NotNullViolation, UniqueViolation
from dal.session import driver_in_transaction
from tests.looking import count, states
from tests.models import Account, Accounts, Bank
from tests.records import accounts


class Stop(Exception):
    """What an application raises for reasons of its own."""


async def _owners(outside):
    return [row["owner"] for row in await outside.fetch("SELECT owner FROM account ORDER BY id")]


async def test_a_copy_outside_a_unit_of_work_commits_by_itself(db, outside):
    await Accounts(db).copy_in(accounts(1, 2))
    assert await count(outside, "account") == 2


async def test_a_copy_commits_with_its_unit_of_work(db, outside):
    async with Bank(db) as bank:
        await bank.accounts.copy_in(accounts(1, 2))
    assert await count(outside, "account") == 2


async def test_an_uncommitted_copy_is_seen_by_nobody(db, outside):
    async with Bank(db) as bank:
        await bank.accounts.copy_in(accounts(1, 2))
        assert await count(outside, "account") == 0


async def test_an_uncommitted_copy_is_seen_by_its_unit_of_work(db):
    async with Bank(db) as bank:
        await bank.accounts.copy_in(accounts(1, 2))
        assert await bank.accounts.count() == 2


async def test_a_copy_as_the_first_act_leaves_no_rows_when_its_unit_of_work_raises(db, outside):
    with pytest.raises(Stop):
        async with Bank(db) as bank:
            await bank.accounts.copy_in(accounts(1, 2))
            raise Stop
    assert await count(outside, "account") == 0


async def test_driver_work_as_the_first_act_leaves_no_rows_when_its_session_raises(db, outside):
    with pytest.raises(Stop):
        async with db.writing() as session:
            async with driver_in_transaction(session) as driver:
                await driver.copy_records_to_table("account", records=[(1, "alice", 0)])
            raise Stop
    assert await count(outside, "account") == 0


async def test_driver_work_as_the_first_act_of_every_session_leaves_no_rows(db, outside):
    for _ in range(4):
        with pytest.raises(Stop):
            async with db.writing() as session, driver_in_transaction(session) as driver:
                await driver.execute("INSERT INTO account VALUES (1, 'alice', 0)")
                raise Stop
    assert await count(outside, "account") == 0


async def test_driver_work_sees_what_was_added_before_it(db):
    async with db.writing() as session:
        session.add(Account(id=1, owner="alice", balance=0))
        async with driver_in_transaction(session) as driver:
            assert await driver.fetchval("SELECT owner FROM account") == "alice"


async def test_driver_work_commits_with_its_session(db, outside):
    async with db.writing() as session, driver_in_transaction(session) as driver:
        await driver.execute("INSERT INTO account VALUES (1, 'alice', 0)")
    assert await count(outside, "account") == 1


async def test_a_copy_sees_what_was_added_before_it(db, outside):
    async with Bank(db) as bank:
        bank.session.add(Account(id=1, owner="alice", balance=0))
        await bank.accounts.copy_in(accounts(2))
    assert await _owners(outside) == ["alice", "owner 2"]


# Records that the server refuses, and its error.
REFUSED = {
    "duplicate key": (accounts(2, 3, 2), UniqueViolation),
    "key that is there": (accounts(2, 1), UniqueViolation),
    "check": (accounts(2, balance=-1), CheckViolation),
    "not null": (accounts(2).set_column(1, "owner", pa.array([None], pa.string())), NotNullViolation),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_copy_that_the_server_refuses_leaves_the_unit_of_work_usable(db, outside, case):
    records, error = REFUSED[case]
    async with Bank(db) as bank:
        await bank.accounts.add(Account(id=1, owner="before", balance=0))
        with pytest.raises(error):
            await bank.accounts.copy_in(records)
        await bank.accounts.add(Account(id=9, owner="after", balance=0))
    assert await _owners(outside) == ["before", "after"]


async def test_a_copy_that_is_refused_as_the_first_act_leaves_the_unit_of_work_usable(db, outside):
    async with Bank(db) as bank:
        with pytest.raises(UniqueViolation):
            await bank.accounts.copy_in(accounts(1, 1))
        await bank.accounts.copy_in(accounts(2))
    assert await _owners(outside) == ["owner 2"]


async def test_a_copy_that_does_not_fit_leaves_the_unit_of_work_usable(db, outside):
    async with Bank(db) as bank:
        await bank.accounts.add(Account(id=1, owner="before", balance=0))
        with pytest.raises(CopyError):
            await bank.accounts.copy_in(accounts(2).drop_columns(["owner"]))
    assert await _owners(outside) == ["before"]


async def test_a_copy_in_a_savepoint_is_undone_with_it(db, outside):
    async with Bank(db) as bank:
        await bank.accounts.copy_in(accounts(1))
        with pytest.raises(Stop):
            async with bank.savepoint():
                await bank.accounts.copy_in(accounts(2))
                raise Stop
    assert await _owners(outside) == ["owner 1"]


async def test_a_refused_copy_outside_a_unit_of_work_holds_no_connection(db, outside):
    with pytest.raises(UniqueViolation):
        await Accounts(db).copy_in(accounts(1, 1))
    assert (db.pool.leases(), set(await states(outside))) == ([], {"idle"})


async def test_what_a_refused_copy_says_is_named_as_a_statements_error_is(db):
    with pytest.raises(UniqueViolation) as caught:
        await Accounts(db).copy_in(accounts(1, 1))
    error = caught.value
    assert (error.sqlstate, error.constraint, error.table) == ("23505", "pk_account", "account")


async def test_copies_of_many_tasks_do_not_mix(db, outside):
    await asyncio.gather(*(Accounts(db).copy_in(accounts(*range(n * 100, n * 100 + 100))) for n in range(6)))
    assert await count(outside, "account") == 600


async def test_a_statement_after_a_copy_in_one_session_runs(db):
    async with Bank(db) as bank:
        await bank.accounts.copy_in(accounts(1))
        assert await bank.session.scalar(text("SELECT sum(balance) FROM account")) == 0
