"""`Database.run` and `@transactional` run a function again when all of it was rolled back, and only then."""

import asyncio
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from dal import Attempt, Database, Observer, Outcome, PoolConfig, Retry, UnitOfWork, transactional
from dal.errors import (
    CommitOutcomeUnknown,
    ConfigError,
    DeadlockDetected,
    LockNotAvailable,
    NotFound,
    SerializationFailure,
    UniqueViolation,
    UnitOfWorkError,
)
from tests.looking import connect, until_waiting_for_a_lock
from tests.models import Account, Bank

QUICK = Retry(attempts=4, first_pause_s=0.001, longest_pause_s=0.002)


class Listening(Observer):
    """Keeps the attempts it hears of."""

    def __init__(self):
        self.heard: list[Attempt] = []

    def attempted(self, attempt):
        self.heard.append(attempt)


@pytest.fixture
def observer():
    return Listening()


@pytest.fixture
async def bank_db(database_url, outside, observer):
    """Lend a database with two accounts of 100 each."""
    await outside.execute("INSERT INTO account VALUES (1, 'one', 100), (2, 'two', 100)")
    async with Database(database_url, pool=PoolConfig(size=3), observer=observer) as db:
        yield db


async def _balances(outside):
    return [row["balance"] for row in await outside.fetch("SELECT balance FROM account ORDER BY id")]


def _failing(error_sql, failures):
    """Make a function that takes 10 from account 1, and fails so often after that."""
    attempts = []

    async def work(bank):
        attempts.append(bank)
        account = await bank.accounts.get_one(1)
        account.balance -= 10
        await bank.session.flush()
        if len(attempts) <= failures:
            await bank.session.execute(text(error_sql))
        return account.balance

    return work, attempts


def _raise(sqlstate):
    return f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END $$"


RETRIED = [("40001", SerializationFailure), ("40P01", DeadlockDetected), ("55P03", LockNotAvailable)]


@pytest.mark.parametrize("sqlstate", [sqlstate for sqlstate, _ in RETRIED])
async def test_what_the_server_rolled_back_is_run_again_until_it_is_committed(bank_db, outside, sqlstate):
    work, attempts = _failing(_raise(sqlstate), failures=2)
    assert await bank_db.run(work, Bank, retry=QUICK) == 90
    assert (len(attempts), await _balances(outside)) == (3, [90, 100])


async def test_a_connection_that_is_lost_before_the_commit_is_run_again(bank_db, outside):
    work, attempts = _failing("SELECT pg_terminate_backend(pg_backend_pid())", failures=1)
    assert await bank_db.run(work, Bank, retry=QUICK) == 90
    assert (len(attempts), await _balances(outside)) == (2, [90, 100])


@pytest.mark.parametrize(("sqlstate", "error"), [*RETRIED, ("23505", UniqueViolation)])
async def test_the_last_error_comes_out_and_nothing_is_left(bank_db, outside, sqlstate, error):
    work, attempts = _failing(_raise(sqlstate), failures=99)
    with pytest.raises(error):
        await bank_db.run(work, Bank, retry=QUICK)
    assert (len(attempts), await _balances(outside)) == (1 if error is UniqueViolation else 4, [100, 100])


async def test_an_error_after_several_attempts_says_how_many(bank_db):
    work, _ = _failing(_raise("40001"), failures=99)
    with pytest.raises(SerializationFailure) as caught:
        await bank_db.run(work, Bank, retry=QUICK)
    [note] = caught.value.__notes__
    assert note.startswith("Attempt 4, 0.")


@pytest.mark.parametrize("error", [NotFound("no"), ZeroDivisionError(), asyncio.CancelledError()])
async def test_the_application_s_own_errors_are_not_run_again(bank_db, error):
    attempts = []

    async def work(_bank):
        attempts.append(1)
        raise error

    with pytest.raises(type(error)):
        await bank_db.run(work, Bank, retry=QUICK)
    assert attempts == [1]


async def test_an_error_that_is_asked_for_is_run_again(bank_db):
    attempts = []

    async def work(_bank):
        attempts.append(1)
        if len(attempts) == 1:
            raise NotFound("not yet")

    await bank_db.run(work, Bank, retry=Retry(on=(NotFound,), first_pause_s=0.001))
    assert attempts == [1, 1]


async def test_each_attempt_has_entities_of_its_own(bank_db):
    seen = []

    async def work(bank):
        account = await bank.accounts.get_one(1)
        seen.append((account, account.balance))
        account.balance = 0
        await bank.session.flush()
        if len(seen) == 1:
            await bank.session.execute(text(_raise("40001")))

    await bank_db.run(work, Bank, retry=QUICK)
    (first, first_balance), (second, second_balance) = seen
    assert first is not second
    assert first_balance == second_balance == 100


async def test_every_attempt_is_reported(bank_db, observer):
    work, _ = _failing(_raise("40001"), failures=1)
    await bank_db.run(work, Bank, retry=QUICK)
    first, second = observer.heard
    assert (first.number, second.number) == (1, 2)
    assert first.function.endswith("_failing.<locals>.work")
    assert isinstance(first.error, SerializationFailure)
    assert second.error is None
    assert first.pause_s is not None
    assert second.pause_s is None
    assert first.elapsed_s > 0


async def test_an_observer_that_fails_stops_nothing(bank_db, observer, caplog):
    observer.heard = None
    work, _ = _failing(_raise("40001"), failures=1)
    assert await bank_db.run(work, Bank, retry=QUICK) == 90
    assert "the observer failed at an attempt of" in caplog.text


async def test_options_hold_in_every_attempt(bank_db):
    async def work(bank):
        isolation = await bank.session.scalar(text("SHOW transaction_isolation"))
        if not again:
            again.append(isolation)
            await bank.session.execute(text(_raise("40001")))
        return isolation

    again = []
    assert await bank_db.run(work, Bank, retry=QUICK, isolation="serializable") == "serializable"
    assert again == ["serializable"]


async def test_two_that_conflict_are_both_done(bank_db, outside):
    met = asyncio.Barrier(2)
    attempts = []

    async def take(bank):
        attempts.append(1)
        account = await bank.accounts.get_one(1)
        if len(attempts) <= 2:
            await met.wait()
        account.balance -= 10

    await asyncio.gather(*(bank_db.run(take, Bank, isolation="repeatable read", retry=QUICK) for _ in range(2)))
    assert (len(attempts), await _balances(outside)) == (3, [80, 100])


async def test_a_real_deadlock_is_run_again(bank_db, outside):
    met = asyncio.Barrier(2)
    attempts = []

    async def move(bank, first, second):
        attempts.append(1)
        for key in (first, second):
            await bank.session.execute(text(f"UPDATE account SET balance = balance - 1 WHERE id = {key}"))
            if len(attempts) <= 2 and key == first:
                await met.wait()

    await asyncio.gather(
        bank_db.run(partial(move, first=1, second=2), Bank, retry=QUICK),
        bank_db.run(partial(move, first=2, second=1), Bank, retry=QUICK),
    )
    assert await _balances(outside) == [98, 98]
    # Both lose where the server looks for the second one's deadlock before the first one has let go of its locks.
    assert len(attempts) in (3, 4)


async def test_a_real_lock_that_is_not_available_is_waited_for(bank_db, outside, database_url):
    other = await connect(database_url)
    await other.execute("BEGIN; UPDATE account SET balance = 50 WHERE id = 1")

    async def take(bank):
        await bank.session.execute(text("UPDATE account SET balance = balance - 1 WHERE id = 1"))

    running = asyncio.create_task(bank_db.run(take, Bank, lock_timeout_s=0.02, retry=Retry(attempts=200)))
    await until_waiting_for_a_lock(outside)
    await other.execute("COMMIT")
    await running
    await other.close()
    assert await _balances(outside) == [49, 100]


# COMMIT.


async def _run_cut(database_url, faulty_network, *, answered, verify):
    attempts = []

    async def take(bank):
        attempts.append(bank)
        await bank.session.execute(text("UPDATE account SET balance = balance - 10 WHERE id = 1"))

    async with Database(database_url, pool=PoolConfig(size=2)) as db:
        faulty_network.cut_at("COMMIT", answered=answered)
        try:
            await db.run(take, Bank, retry=QUICK, verify_commit=verify)
        except CommitOutcomeUnknown as error:
            return attempts, error
    return attempts, None


@pytest.mark.parametrize(("answered", "expected"), [(True, 1), (False, 2)])
async def test_a_verified_commit_is_run_again_only_if_it_was_rolled_back(
    database_url, faulty_network, outside, answered, expected
):
    await outside.execute("INSERT INTO account VALUES (1, 'one', 100)")
    attempts, error = await _run_cut(database_url, faulty_network, answered=answered, verify=True)
    assert (len(attempts), error, await _balances(outside)) == (expected, None, [90])
    assert attempts[-1].outcome is Outcome.COMMITTED


@pytest.mark.parametrize("answered", [True, False])
async def test_a_commit_whose_outcome_is_unknown_is_not_run_again(database_url, faulty_network, outside, answered):
    await outside.execute("INSERT INTO account VALUES (1, 'one', 100)")
    attempts, error = await _run_cut(database_url, faulty_network, answered=answered, verify=False)
    assert (len(attempts), type(error)) == (1, CommitOutcomeUnknown)


# How long.


@given(attempts=st.integers(1, 50), elapsed_s=st.floats(0, 60), most=st.integers(1, 50))
def test_pauses_are_bounded_in_number_and_time(attempts, elapsed_s, most):
    retry = Retry(attempts=most, within_s=30, longest_pause_s=0.5)
    pause_s = retry.pause_s(attempts, elapsed_s)
    if attempts >= most or elapsed_s >= 30:
        assert pause_s is None
    assert pause_s is None or (0 <= pause_s <= 0.5 and elapsed_s + pause_s < 30)


async def test_no_attempt_begins_after_its_time(bank_db):
    work, attempts = _failing(_raise("40001"), failures=99)
    with pytest.raises(SerializationFailure):
        await bank_db.run(work, Bank, retry=Retry(attempts=10_000, within_s=0.2))
    assert 1 < len(attempts) < 1000


def test_no_attempt_at_all_is_refused():
    with pytest.raises(ConfigError, match=r"^attempts is 0; one is the least\.$"):
        Retry(attempts=0)


async def test_a_function_that_opens_a_second_unit_of_work_is_told(bank_db):
    async def work(_bank):
        await bank_db.run(work, Bank)

    with pytest.raises(UnitOfWorkError, match="would be another transaction"):
        await bank_db.run(work, Bank)


# The decorator.


@transactional(Bank, retry=QUICK, isolation="serializable")
async def transfer(bank: Bank, source: int, target: int, *, amount: int) -> str:
    """Move money."""
    giver, taker = await bank.accounts.get_one(source), await bank.accounts.get_one(target)
    giver.balance -= amount
    taker.balance += amount
    return str(await bank.session.scalar(text("SHOW transaction_isolation")))


async def test_a_transactional_function_takes_a_database(bank_db, outside):
    assert await transfer(bank_db, 1, 2, amount=30) == "serializable"
    assert await _balances(outside) == [70, 130]


async def test_a_transactional_function_takes_part_in_a_unit_of_work(bank_db, outside):
    with pytest.raises(ZeroDivisionError):
        async with Bank(bank_db) as bank:
            assert await transfer(bank, 1, 2, amount=30) == "read committed"
            raise ZeroDivisionError
    assert await _balances(outside) == [100, 100]


async def test_a_transactional_function_is_reported_by_its_name(bank_db, observer):
    await transfer(bank_db, 1, 2, amount=30)
    assert [attempt.function for attempt in observer.heard] == ["transfer"]


async def test_a_transactional_function_keeps_its_name_and_docs():
    assert (transfer.__name__, transfer.__doc__) == ("transfer", "Move money.")


async def test_a_unit_of_work_of_no_class_of_its_own_will_do(bank_db, outside):
    async def add(work):
        work.session.add(Account(id=3, owner="three", balance=0))

    await bank_db.run(add, UnitOfWork)
    assert await _balances(outside) == [100, 100, 0]


async def test_an_error_in_the_driver_s_own_statement_is_run_again(bank_db, outside):
    attempts = []

    async def work(bank):
        attempts.append(1)
        connection = await bank.session.connection()
        await connection.exec_driver_sql("UPDATE account SET balance = 1 WHERE id = 1")
        if len(attempts) == 1:
            await connection.exec_driver_sql(_raise("40001"))

    await bank_db.run(work, Bank, retry=QUICK)
    assert (len(attempts), await _balances(outside)) == (2, [1, 100])


async def test_a_server_that_refuses_new_connections_for_a_moment_is_waited_for(database_url, faulty_network, outside):
    await outside.execute("INSERT INTO account VALUES (1, 'one', 100)")

    async def take(bank):
        await bank.session.execute(text("UPDATE account SET balance = balance - 10 WHERE id = 1"))
        if faulty_network._refusing:
            faulty_network.cut()
            asyncio.get_running_loop().call_later(0.3, faulty_network.heal)
            await bank.session.execute(text("SELECT 1"))

    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        faulty_network.refuse()
        await db.run(take, Bank)
    assert await _balances(outside) == [90]
