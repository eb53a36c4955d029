"""Whatever happens to a COMMIT, the caller knows what became of the transaction, or that nobody can know."""

import asyncio

import pytest

from dal import Database, Outcome, PoolConfig
from dal.demo.repositories import Regions, Shop
from dal.errors import CommitOutcomeUnknown, ConnectionLost
from dal.pool import TransactionNumber
from dal.testing.server import unshared_server
from dal.transaction.outcome import ask
from tests.looking import count, states, until, until_waiting_for_a_lock
from tests.shop_rows import region
from tests.test_unit_of_work_cancelled import SLOW_COMMIT

NUMBER = """
    SELECT pg_current_xact_id()::text, extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time())::text,
           pg_backend_pid()
"""


@pytest.fixture
async def far(database_url, faulty_network):
    """Lend a database behind a faulty network."""
    async with Database(database_url, pool=PoolConfig(size=2)) as db:
        yield db


async def _number(driver):
    return TransactionNumber(*await driver.fetchrow(NUMBER))


async def _add(db, key=1, **options):
    shop = Shop(db, **options)
    try:
        async with shop:
            await shop.regions.add(region(key))
    except BaseException as error:
        return shop.outcome, error
    return shop.outcome, None


async def _all_is_well(db, outside):
    async def idle():
        return set(await states(outside)) <= {"idle"}

    await until(idle)
    assert db.pool.leases() == []
    assert await Regions(db).count() == await count(outside, "region")
    return True


# A network that is cut.


async def test_a_commit_that_gets_no_answer_is_unknown(far, faulty_network, outside):
    faulty_network.cut_at("COMMIT", answered=True)
    outcome, error = await _add(far)
    assert (outcome, type(error)) == (Outcome.UNKNOWN, CommitOutcomeUnknown)
    assert await count(outside, "region") == 1
    assert await _all_is_well(far, outside)


async def test_a_verified_commit_that_gets_no_answer_is_committed(far, faulty_network, outside):
    faulty_network.cut_at("COMMIT", answered=True)
    assert await _add(far, verify_commit=True) == (Outcome.COMMITTED, None)
    assert await count(outside, "region") == 1
    assert await _all_is_well(far, outside)


async def test_a_verified_commit_that_never_arrived_is_rolled_back(far, faulty_network, outside):
    faulty_network.cut_at("COMMIT", answered=False)
    outcome, error = await _add(far, verify_commit=True)
    assert (outcome, type(error)) == (Outcome.ROLLED_BACK, ConnectionLost)
    assert await count(outside, "region") == 0
    assert await _all_is_well(far, outside)


@pytest.mark.parametrize("answered", [True, False])
async def test_a_commit_is_verified_by_a_pool_of_one(database_url, faulty_network, outside, answered):
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        faulty_network.cut_at("COMMIT", answered=answered)
        outcome, _ = await _add(db, verify_commit=True)
    assert outcome is (Outcome.COMMITTED if answered else Outcome.ROLLED_BACK)
    assert await count(outside, "region") == answered


async def test_a_connection_lost_before_the_commit_is_plainly_lost(far, faulty_network, outside):
    shop = Shop(far)
    with pytest.raises(ConnectionLost):
        async with shop:
            await shop.regions.add(region(1))
            faulty_network.cut()
            await shop.regions.count()
    assert (shop.outcome, await count(outside, "region")) == (Outcome.ROLLED_BACK, 0)


async def test_a_connection_known_to_be_lost_before_the_commit_is_plainly_lost(far, outside):
    shop = Shop(far)
    with pytest.raises(ConnectionLost):
        async with shop:
            await shop.regions.add(region(1))
            (await (await shop.session.connection()).get_raw_connection()).driver_connection.terminate()
    assert (shop.outcome, await count(outside, "region")) == (Outcome.ROLLED_BACK, 0)


async def test_the_driver_s_own_transaction_has_the_same_outcomes(far, faulty_network, outside):
    faulty_network.cut_at("COMMIT", answered=True)
    with pytest.raises(CommitOutcomeUnknown):
        async with far.checkout() as driver, driver.transaction():
            await driver.execute("INSERT INTO region VALUES (1, '', '')")
    assert await count(outside, "region") == 1


async def test_the_driver_s_own_transaction_says_that_it_had_failed(db, outside):
    with pytest.raises(Exception, match="nothing was committed") as caught:
        async with db.checkout() as driver, driver.transaction():
            await driver.execute("INSERT INTO region VALUES (1, '', '')")
            with pytest.raises(Exception, match="division by zero"):
                await driver.execute("SELECT 1 / 0")
    assert (caught.value.sqlstate, await count(outside, "region")) == ("25P02", 0)


@pytest.mark.parametrize("answered", [True, False])
async def test_the_outcome_of_an_earlier_transaction_is_told_of_no_other(
    database_url, faulty_network, outside, answered
):
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        assert await _add(db, 1, verify_commit=True) == (Outcome.COMMITTED, None)
        faulty_network.cut_at("COMMIT", answered=answered)
        outcome, error = await _add(db, 2)
    assert (outcome, type(error)) == (Outcome.UNKNOWN, CommitOutcomeUnknown)
    assert await count(outside, "region") == 1 + answered


# A backend that is killed, and a task that is cancelled, while COMMIT runs.


async def _committing(db, outside, **options):
    """Begin a COMMIT that waits for a lock of *outside*'s; gives its task and its backend."""
    await outside.execute(SLOW_COMMIT)
    await outside.execute("SELECT pg_advisory_lock(1)")
    task = asyncio.create_task(_add(db, **options))
    return task, await until_waiting_for_a_lock(outside)


@pytest.mark.parametrize(
    ("verify", "expected", "error"),
    [(False, Outcome.UNKNOWN, CommitOutcomeUnknown), (True, Outcome.ROLLED_BACK, ConnectionLost)],
)
async def test_a_backend_killed_in_a_commit(db, outside, verify, expected, error):
    task, backend = await _committing(db, outside, verify_commit=verify)
    await outside.execute(f"SELECT pg_terminate_backend({backend})")
    outcome, raised = await task
    assert (outcome, type(raised)) == (expected, error)
    assert await count(outside, "region") == 0
    assert await _all_is_well(db, outside)


async def test_a_commit_that_is_cancelled_is_finished_and_says_so(db, outside):
    task, _ = await _committing(db, outside)
    task.cancel()
    await outside.execute("SELECT pg_advisory_unlock(1)")
    outcome, error = await task
    assert (outcome, type(error)) == (Outcome.COMMITTED, asyncio.CancelledError)
    assert error.__notes__ == ["The transaction's outcome: committed."]
    assert await count(outside, "region") == 1


@pytest.mark.parametrize("verify", [True, False])
async def test_a_commit_that_does_not_end_after_a_cancellation_is_given_up(db, outside, monkeypatch, verify):
    monkeypatch.setattr("dal.transaction.transaction.COMMIT_PATIENCE_S", 0.05)
    task, _ = await _committing(db, outside, verify_commit=verify)
    task.cancel()
    outcome, error = await task
    assert (outcome, type(error)) == (Outcome.ROLLED_BACK if verify else Outcome.UNKNOWN, asyncio.CancelledError)
    assert error.__notes__ == [f"The transaction's outcome: {outcome}."]
    await outside.execute("SELECT pg_advisory_unlock_all()")
    if verify:
        assert await count(outside, "region") == 0
    assert await _all_is_well(db, outside)


async def test_a_commit_past_the_deadline_is_given_up(db, outside, monkeypatch):
    monkeypatch.setattr("dal.transaction.transaction.COMMIT_PATIENCE_S", 0.05)
    # Not by the server's own timeout, which ends the trigger's statement.
    monkeypatch.setattr("dal.transaction.transaction.server_timeout_s", lambda _: None)
    task, _ = await _committing(db, outside, verify_commit=True, timeout_s=0.3)
    outcome, error = await task
    assert (outcome, type(error)) == (Outcome.ROLLED_BACK, ConnectionLost)
    assert await _all_is_well(db, outside)


async def test_a_commit_that_ends_after_the_deadline_is_committed(db, outside):
    task, _ = await _committing(db, outside, timeout_s=0.5, statement_timeout_s=20)

    async def late():
        return await outside.fetchval("SELECT now() - min(xact_start) > '0.6 s' FROM pg_stat_activity")

    await until(late)
    await outside.execute("SELECT pg_advisory_unlock(1)")
    assert await task == (Outcome.COMMITTED, None)


# What the server is asked.


async def test_an_open_transaction_whose_client_is_gone_is_ended_and_rolled_back(db, outside):
    await outside.execute("BEGIN; INSERT INTO region VALUES (1, '', '')")
    number = await _number(outside)
    assert await ask(db.checkout, number) is Outcome.ROLLED_BACK
    await until(outside.is_closed)


async def test_a_backend_that_does_something_else_by_now_is_left_alone(db, outside):
    async with db.checkout() as driver:
        await driver.execute("BEGIN; INSERT INTO region VALUES (1, '', '')")
        number = (await _number(driver))._replace(backend=outside.get_server_pid())
        asking = asyncio.create_task(ask(db.checkout, number))
        done, _ = await asyncio.wait([asking], timeout=0.5)
        assert not done
        assert await outside.fetchval("SELECT 1") == 1
        await driver.execute("COMMIT")
        assert await asking is Outcome.COMMITTED


async def test_a_number_that_the_server_has_not_reached_is_rolled_back(db):
    assert await ask(db.checkout, TransactionNumber("4000000000", "0", 0)) is Outcome.ROLLED_BACK


async def test_a_server_that_does_not_answer_leaves_it_unknown(database_url, monkeypatch):
    monkeypatch.setattr("dal.transaction.outcome.VERIFY_S", 0.3)
    async with Database(database_url, pool=PoolConfig(size=1)) as db, db.checkout():
        assert await ask(db.checkout, TransactionNumber("1", "0", 0)) is Outcome.UNKNOWN


@pytest.mark.parametrize(("mode", "outcome"), [("fast", Outcome.COMMITTED), ("immediate", Outcome.UNKNOWN)])
def test_a_committed_number_counts_only_if_the_server_has_not_crashed_since(mode, outcome):
    async def commit():
        async with Database(server.url, pool=PoolConfig(size=1)) as db, db.checkout() as driver, driver.transaction():
            await driver.execute("SET LOCAL synchronous_commit = on; COMMENT ON DATABASE postgres IS 'written'")
            return await _number(driver)

    async def look(number):
        async with Database(server.url, pool=PoolConfig(size=1)) as db:
            return await ask(db.checkout, number)

    with unshared_server() as server:
        told = asyncio.run(commit())
        server.restart(mode)
        assert asyncio.run(look(told)) is outcome


# What it costs.


@pytest.mark.parametrize("verify", [True, False])
async def test_verifying_costs_no_round_trip(far, assert_round_trips, verify):
    await _add(far, 1, verify_commit=verify)
    await _add(far, 2, verify_commit=verify)
    with assert_round_trips(3):
        assert await _add(far, 3, verify_commit=verify) == (Outcome.COMMITTED, None)


async def test_a_transaction_that_only_reads_is_not_numbered(db):
    async with Shop(db, verify_commit=True, read_only=True) as shop:
        await shop.regions.count()
        driver = (await (await shop.session.connection()).get_raw_connection()).driver_connection
        assert driver.number is None
