"""A row that is read with a lock is read as it is now, and nobody changes it until the unit of work is over."""

import asyncio

import asyncpg
import pytest
from sqlalchemy.orm import joinedload, selectinload

from dal.demo.models import Order
from dal.demo.repositories import Shop
from dal.errors import DeadlockDetected, LockNotAvailable, NotFound, UnitOfWorkError
from dal.testing import assert_statements
from tests.looking import until_waiting_for_a_lock
from tests.models import Account, Accounts, Bank, Entry

STRENGTHS = ["UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE"]


@pytest.fixture
async def bank_db(db):
    await Accounts(db).add(*(Account(id=key, owner=f"owner {key}", balance=100) for key in (1, 2, 3)))
    return db


async def _refused(outside, key=1):
    """List the locks on an account that somebody else is refused."""
    refused = []
    for strength in STRENGTHS:
        try:
            await outside.fetch(f"SELECT FROM account WHERE id = {key} FOR {strength} NOWAIT")
        except asyncpg.LockNotAvailableError:
            refused.append(strength)
    return refused


# PostgreSQL's table of row locks that exclude each other.
EXCLUDED = [
    ("update", ["UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE"]),
    ("no key update", ["UPDATE", "NO KEY UPDATE", "SHARE"]),
    ("share", ["UPDATE", "NO KEY UPDATE"]),
    ("key share", ["UPDATE"]),
]


@pytest.mark.parametrize(("lock", "excluded"), EXCLUDED)
async def test_each_lock_excludes_what_postgresql_says(bank_db, outside, lock, excluded):
    async with Bank(bank_db) as bank:
        await bank.accounts.get_one(1, lock=lock)
        assert await _refused(outside) == excluded


async def test_a_lock_ends_with_the_unit_of_work(bank_db, outside):
    async with Bank(bank_db) as bank:
        await bank.accounts.get_one(1, lock="update")
    assert await _refused(outside) == []


async def test_a_lock_of_list_is_on_every_row(bank_db, outside):
    async with Bank(bank_db) as bank:
        await bank.accounts.list(Account.id < 3, order_by=Account.id, lock="update")
        assert [bool(await _refused(outside, key)) for key in (1, 2, 3)] == [True, True, False]


async def test_locking_is_one_statement(bank_db):
    async with Bank(bank_db) as bank:
        with assert_statements(1):
            await bank.accounts.get_one(1, lock="update")


async def test_a_locked_row_is_read_anew(bank_db, outside):
    async with Bank(bank_db) as bank:
        account = await bank.accounts.get_one(1)
        await outside.execute("UPDATE account SET balance = 7 WHERE id = 1")
        assert await bank.accounts.get_one(1, lock="update") is account
        assert account.balance == 7


async def test_pending_changes_are_written_before_the_row_is_read_anew(bank_db):
    async with Bank(bank_db) as bank:
        account = await bank.accounts.get_one(1)
        account.balance = 5
        with bank.session.no_autoflush:
            await bank.accounts.get_one(1, lock="update")
        assert account.balance == 5


async def test_two_who_lock_before_they_change_lose_no_change(bank_db, outside):
    async def withdraw():
        async with Bank(bank_db) as bank:
            account = await bank.accounts.get_one(1, lock="update")
            await asyncio.sleep(0)
            account.balance -= 1

    await asyncio.gather(*(withdraw() for _ in range(20)))
    assert await outside.fetchval("SELECT balance FROM account WHERE id = 1") == 80


async def test_a_locked_row_is_waited_for(bank_db, outside):
    async def read():
        async with Bank(bank_db) as bank:
            return (await bank.accounts.get_one(1, lock="update")).balance

    async with outside.transaction():
        await outside.execute("UPDATE account SET balance = 9 WHERE id = 1")
        reading = asyncio.create_task(read())
        await until_waiting_for_a_lock(outside)
    assert await reading == 9


async def test_nowait_raises_when_the_row_is_locked(bank_db, outside):
    async with outside.transaction():
        await outside.execute("SELECT FROM account WHERE id = 1 FOR UPDATE")
        async with Bank(bank_db) as bank:
            for read in (bank.accounts.get, bank.accounts.get_one):
                with pytest.raises(LockNotAvailable) as caught:
                    async with bank.savepoint():
                        await read(1, lock="update", nowait=True)
                assert caught.value.sqlstate == "55P03"
            assert (await bank.accounts.get_one(2, lock="update", nowait=True)).id == 2


async def test_skip_locked_passes_a_locked_row_over(bank_db, outside):
    async with outside.transaction():
        await outside.execute("SELECT FROM account WHERE id = 1 FOR UPDATE")
        async with Bank(bank_db) as bank:
            assert await bank.accounts.get(1, lock="update", skip_locked=True) is None
            assert (await bank.accounts.get(2, lock="update", skip_locked=True)).id == 2


async def test_get_one_of_a_row_passed_over_does_not_say_that_there_is_none(bank_db, outside):
    async with outside.transaction():
        await outside.execute("SELECT FROM account WHERE id = 1 FOR UPDATE")
        async with Bank(bank_db) as bank:
            with pytest.raises(
                LockNotAvailable, match=r"^the Account with the id asked for is locked by somebody else"
            ):
                await bank.accounts.get_one(1, lock="update", skip_locked=True)
            assert await bank.accounts.count() == 3  # the transaction goes on


@pytest.mark.parametrize("how", [{}, {"skip_locked": True}, {"nowait": True}])
async def test_a_row_that_is_not_there_is_not_found(bank_db, how):
    async with Bank(bank_db) as bank:
        assert await bank.accounts.get(404, lock="update", **how) is None
        with pytest.raises(NotFound):
            await bank.accounts.get_one(404, lock="update", **how)


@pytest.mark.parametrize(
    "lock",
    [
        lambda accounts: accounts.get(1, lock="update"),
        lambda accounts: accounts.get_one(1, lock="share", skip_locked=True),
        lambda accounts: accounts.list(lock="update"),
        lambda accounts: accounts.claim(1),
    ],
)
async def test_outside_a_unit_of_work_a_lock_is_refused(bank_db, lock):
    with assert_statements(0), pytest.raises(UnitOfWorkError, match=r"^a lock on Account ends with its transaction"):
        await lock(Accounts(bank_db))


NO_LOCKS = [
    {"nowait": True},
    {"skip_locked": True},
    {"lock": "update", "nowait": True, "skip_locked": True},
    {"lock": "UPDATE"},
]


@pytest.mark.parametrize("how", NO_LOCKS)
async def test_what_makes_no_lock_is_refused(bank_db, how):
    async with Bank(bank_db) as bank:
        with assert_statements(0), pytest.raises(ValueError, match="lock"):
            await bank.accounts.get(1, **how)


async def test_rows_joined_to_the_locked_ones_are_not_locked(bank_db, outside):
    async with Bank(bank_db) as bank:
        await bank.entries.add(Entry(account_id=1, note=""))
    async with Bank(bank_db) as bank:
        [entry] = await bank.entries.list(options=[joinedload(Entry.account)], lock="update")
        assert (entry.account.id, await _refused(outside)) == (1, [])


@pytest.mark.parametrize("load", [selectinload, joinedload])
async def test_options_load_with_the_locked_row(shop_db, load):
    async with Shop(shop_db) as shop:
        order = await shop.orders.get_one(1, options=[load(Order.lines)], lock="update")
        assert [line.order_id for line in order.lines] == [1, 1]


async def test_a_limited_list_locks_with_joined_rows(shop_db, outside):
    async with Shop(shop_db) as shop:
        orders = await shop.orders.list(order_by=Order.id, limit=1, options=[joinedload(Order.lines)], lock="update")
        assert [(order.id, len(order.lines)) for order in orders] == [(1, 2)]
        with pytest.raises(asyncpg.LockNotAvailableError):
            await outside.fetch("SELECT FROM orders WHERE id = 1 FOR UPDATE NOWAIT")
        await outside.fetch("SELECT FROM orders WHERE id = 2 FOR UPDATE NOWAIT")


async def test_a_row_with_a_key_of_several_columns_is_locked(shop_db, outside):
    async with Shop(shop_db) as shop:
        await shop.order_lines.get_one((1, 2), lock="update")
        await outside.fetch("SELECT FROM order_line WHERE line_number = 1 FOR UPDATE NOWAIT")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await outside.fetch("SELECT FROM order_line WHERE line_number = 2 AND order_id = 1 FOR UPDATE NOWAIT")


async def test_two_who_lock_crosswise_are_told_of_the_deadlock(bank_db, outside):
    locked = [asyncio.Event(), asyncio.Event()]

    async def lock(mine, other, number):
        async with Bank(bank_db) as bank:
            await bank.accounts.get_one(mine, lock="update")
            locked[number].set()
            await locked[1 - number].wait()
            await bank.accounts.get_one(other, lock="update")

    ends = await asyncio.gather(lock(1, 2, 0), lock(2, 1, 1), return_exceptions=True)
    assert [type(end) for end in ends if end is not None] == [DeadlockDetected]


async def test_a_cancelled_wait_leaves_no_lock(bank_db, outside):
    async def wait():
        async with Bank(bank_db) as bank:
            await bank.accounts.get_one(2, lock="update")
            await bank.accounts.get_one(1, lock="update")

    async with outside.transaction():
        await outside.execute("SELECT FROM account WHERE id = 1 FOR UPDATE")
        waiting = asyncio.create_task(wait())
        await until_waiting_for_a_lock(outside)
        waiting.cancel()
        await asyncio.wait([waiting])
    async with Bank(bank_db) as bank:
        assert len(await bank.accounts.list(lock="update")) == 3
