"""One holds a lock by name at a time; and however the holding ends, the lock is free and the pool's connections are."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from contextlib import suppress

import pytest
from sqlalchemy import event, text

from dal import Database, PoolConfig
from dal.demo.repositories import Shop
from dal.errors import ConnectionLost, DeadlockDetected, LockNotAvailable
from dal.telemetry import StatementLog
from dal.testing import assert_statements
from tests.cancelling import AT_ONCE_S, cancelled_on_every_tick, cancelled_once, serves, ticks
from tests.looking import until, until_waiting_for_a_lock
from tests.shop_rows import region

KEYS = ["billing", 7, -(2**63), (1, -2)]


# Of this test's database only: others run on the same server.
GRANTED = """
    FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def _locks(outside):
    return await outside.fetchval(f"SELECT count(*) {GRANTED}")


async def _until_free(outside):
    async def free():
        return await _locks(outside) == 0

    await until(free)


async def _is_free(db, name, *, shared=False):
    try:
        async with db.advisory_lock(name, wait=False, shared=shared):
            return True
    except LockNotAvailable:
        return False


async def _hold(db, entered, name="billing"):
    async with db.advisory_lock(name):
        entered.set()
        await asyncio.Event().wait()


async def _end(outside, pid):
    """End a process of the server's, and wait until it is gone."""
    assert await outside.fetchval("SELECT pg_terminate_backend($1, 10000)", pid)


async def _holder(outside):
    return await outside.fetchval(f"SELECT pid {GRANTED}")


@pytest.mark.parametrize("name", KEYS)
async def test_a_lock_excludes_others_until_its_end(db, name):
    async with db.advisory_lock(name):
        assert not await _is_free(db, name)
    assert await _is_free(db, name)


async def test_locks_of_other_names_are_free(db):
    async with db.advisory_lock("billing"), db.advisory_lock((0, 1)):
        assert await _is_free(db, "shipping")
        assert await _is_free(db, 1)


async def test_a_shared_lock_excludes_those_that_are_not_shared(db):
    async with db.advisory_lock("billing", shared=True):
        assert await _is_free(db, "billing", shared=True)
        assert not await _is_free(db, "billing")
    assert await _is_free(db, "billing")


async def test_a_lock_excludes_shared_ones(db):
    async with db.advisory_lock("billing"):
        assert not await _is_free(db, "billing", shared=True)


async def test_a_lock_lasts_over_transactions_on_other_connections(db):
    async with db.advisory_lock("billing"):
        async with Shop(db) as shop:
            await shop.regions.add(region(1))
        assert not await _is_free(db, "billing")


async def test_who_waits_gets_it_when_it_is_free(db):
    entered, order = asyncio.Event(), []

    async def second():
        await entered.wait()
        async with db.advisory_lock("billing"):
            order.append("second")

    waiting = asyncio.create_task(second())
    async with db.advisory_lock("billing"):
        entered.set()
        for _ in range(20):
            await asyncio.sleep(0)
        order.append("first")
    await waiting
    assert order == ["first", "second"]


async def test_never_two_at_once(db):
    inside, most = 0, 0

    async def work():
        nonlocal inside, most
        async with db.advisory_lock("billing"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(8)))
    assert most == 1


async def test_those_who_wait_keep_no_connection_that_the_holder_needs(database_url, outside):
    async with Database(database_url, pool=PoolConfig(size=2)) as db, db.advisory_lock("billing"):
        waiting = [asyncio.create_task(_hold(db, asyncio.Event())) for _ in range(5)]
        for number in range(20):
            async with Shop(db) as shop:
                await shop.regions.add(region(number))
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
    await _until_free(outside)


async def test_a_timeout_names_who_holds_it(db, outside):
    started = time.monotonic()
    await outside.execute("SELECT pg_advisory_lock(7), 'a value'")
    with pytest.raises(LockNotAvailable) as caught:
        async with db.advisory_lock(7, timeout_s=0.2):
            pass
    assert 0.2 <= time.monotonic() - started < AT_ONCE_S
    assert caught.value.sqlstate == "55P03"
    assert re.fullmatch(
        r"the advisory lock asked for was not free within 0\.[2-9]\d s\. "
        rf"Held by process {outside.get_server_pid()} of "
        r"'outside', idle for \d\.\d\d s\. Wait for longer, or look at what keeps the holder\.",
        str(caught.value),
    )


async def test_a_holder_in_a_transaction_is_named_with_its_age(db, outside):
    async with outside.transaction():
        await outside.execute("SELECT pg_advisory_xact_lock(7)")
        with pytest.raises(LockNotAvailable, match=r"is not free\. Held by process \d+ of 'outside', in a transaction"):
            async with db.advisory_lock(7, wait=False):
                pass


async def test_many_holders_are_counted(db):
    async with db.advisory_lock("billing", shared=True), db.advisory_lock("billing", shared=True):
        with pytest.raises(LockNotAvailable, match=r"'billing' is not free\. Held by process \d+ .*; process \d+ "):
            async with db.advisory_lock("billing", wait=False):
                pass


async def test_an_error_of_the_block_comes_out_and_the_lock_is_free(db):
    for error in (ZeroDivisionError, ConnectionError, KeyboardInterrupt):
        with pytest.raises(error) as caught:
            async with db.advisory_lock("billing"):
                raise error
        assert type(caught.value) is error
        assert await _is_free(db, "billing")


async def test_a_lock_is_seen_in_the_log_of_statements(db):
    with StatementLog() as log:
        async with db.advisory_lock("billing"):
            pass
    assert [statement.text for statement in log] == [
        "SELECT pg_try_advisory_lock($1::bigint)",
        "SELECT pg_advisory_unlock($1::bigint)",
    ]


async def test_the_connection_goes_back_as_it_was(db, outside):
    before = {slot.driver for slot in db.pool.stock.slots}
    async with db.advisory_lock("billing"):
        pass
    assert (db.pool.leases(), {slot.driver for slot in db.pool.stock.slots}) == ([], before)


@pytest.mark.parametrize("cancelled", [cancelled_once, cancelled_on_every_tick])
async def test_a_cancelled_holder_holds_nothing(db, outside, cancelled):
    entered = asyncio.Event()
    assert isinstance(await cancelled(_hold(db, entered), entered.wait), asyncio.CancelledError)
    await _until_free(outside)
    assert await serves(db)


async def test_cancelled_at_any_moment_a_lock_is_free_and_the_pool_whole(db, outside):
    async def work():
        async with db.advisory_lock("billing"):
            await asyncio.sleep(0)

    for number in range(40):
        for cancelled in (cancelled_once, cancelled_on_every_tick):
            await cancelled(work(), ticks(number))
        await _until_free(outside)
    assert db.pool.leases() == []
    assert await serves(db)


async def test_cancelled_while_waiting_nothing_is_held(db, outside):
    async with db.advisory_lock("billing"):
        await cancelled_once(_hold(db, asyncio.Event()), ticks(30))
        assert len(db.pool.leases()) == 1
    assert await _locks(outside) == 0


async def test_a_lost_lock_is_told_at_the_end(db, outside):
    with pytest.raises(ConnectionLost, match=r"^the advisory lock 'billing' was lost with its connection"):
        async with db.advisory_lock("billing"):
            await _end(outside, await _holder(outside))
    assert await _is_free(db, "billing")
    assert await serves(db)


async def test_a_lost_lock_is_known_before_the_end(db, outside):
    with suppress(ConnectionLost):
        async with db.advisory_lock("billing") as lock:
            assert lock.is_held
            await lock.check()
            await _end(outside, await _holder(outside))
            with pytest.raises(ConnectionLost):
                await lock.check()
            await until(lambda: not lock.is_held)


async def test_a_lock_is_not_held_after_its_end(db):
    async with db.advisory_lock("billing") as lock:
        pass
    assert not lock.is_held
    with pytest.raises(ConnectionLost):
        await lock.check()


async def test_an_error_is_not_covered_by_a_lost_lock(db, outside):
    with pytest.raises(ZeroDivisionError) as caught:
        async with db.advisory_lock("billing"):
            await _end(outside, await _holder(outside))
            raise ZeroDivisionError
    assert "was lost with its connection" in caught.value.__notes__[0]


async def test_a_lock_that_somebody_else_freed_is_told_at_the_end(db):
    with pytest.raises(ConnectionLost):
        async with db.advisory_lock("billing"):
            [lease] = [slot for slot in db.pool.stock.slots if slot.lease is not None]
            await lease.driver.execute("SELECT pg_advisory_unlock_all()")


async def test_an_unlock_without_an_answer_ends_the_connection(database_url, outside, faulty_network, monkeypatch):
    monkeypatch.setattr("dal.locks.of_session.UNLOCK_S", 0.1)
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        with pytest.raises(ConnectionLost):
            async with db.advisory_lock("billing"):
                faulty_network.black_hole()
        faulty_network.heal()
        await _until_free(outside)
        assert await serves(db)


async def test_an_end_beside_a_check_without_an_answer_frees_the_lock(
    database_url, outside, faulty_network, monkeypatch
):
    monkeypatch.setattr("dal.locks.of_session.UNLOCK_S", 0.1)
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        with pytest.raises(ConnectionLost):
            async with db.advisory_lock("billing") as lock:
                faulty_network.black_hole()
                checking = asyncio.create_task(lock.check())
                await asyncio.sleep(0)
        faulty_network.heal()
        await asyncio.wait([checking])
        assert isinstance(checking.exception(), ConnectionLost)
        await _until_free(outside)
        assert await serves(db)


async def test_who_waits_does_not_keep_an_index_from_being_built(db, outside):
    entered = asyncio.Event()
    async with db.advisory_lock("billing"):
        waiting = asyncio.create_task(_hold(db, entered))
        await asyncio.sleep(0)
        async with asyncio.timeout(AT_ONCE_S):
            await outside.execute("CREATE INDEX CONCURRENTLY slowly ON region (comment)")
    await entered.wait()
    waiting.cancel()
    await asyncio.wait([waiting])


# In a unit of work.


async def test_in_a_unit_of_work_a_lock_lasts_until_its_end(db, outside):
    async with Shop(db) as shop:
        await shop.advisory_lock("billing")
        assert not await _is_free(db, "billing")
        await shop.regions.add(region(1))
        assert not await _is_free(db, "billing")
    assert await _is_free(db, "billing")


async def test_a_rollback_frees_the_lock(db):
    with suppress(ZeroDivisionError):
        async with Shop(db) as shop:
            await shop.advisory_lock("billing")
            raise ZeroDivisionError
    assert await _is_free(db, "billing")


@pytest.mark.parametrize("name", KEYS)
async def test_units_of_work_exclude_each_other_by_every_kind_of_name(db, name):
    async with Shop(db) as one, Shop(db, independent=True) as two:
        await one.advisory_lock(name)
        with pytest.raises(LockNotAvailable):
            await two.advisory_lock(name, wait=False)
        await two.advisory_lock("another", wait=False)


async def test_shared_locks_of_units_of_work_stand_each_other(db):
    async with Shop(db) as one, Shop(db, independent=True) as two:
        await one.advisory_lock("billing", shared=True)
        await two.advisory_lock("billing", shared=True, wait=False)
        assert not await _is_free(db, "billing")


@pytest.mark.parametrize("how", [{}, {"wait": False}, {"timeout_s": 1}])
async def test_a_free_lock_is_one_statement(db, how):
    async with Shop(db) as shop:
        with assert_statements(1):
            await shop.advisory_lock("billing", **how)


async def test_pending_changes_are_not_flushed_by_a_lock(db):
    async with Shop(db) as shop:
        shop.session.add(region(1))
        with assert_statements(1):
            await shop.advisory_lock("billing")


async def test_a_unit_of_work_waits_for_the_lock(db, outside):
    async def work():
        async with Shop(db) as shop:
            await shop.advisory_lock("billing", timeout_s=AT_ONCE_S)
            return await shop.session.scalar(text("SHOW lock_timeout"))

    async with db.advisory_lock("billing"):
        working = asyncio.create_task(work())
        await until_waiting_for_a_lock(outside)
    assert await working == "0"  # as it was


@pytest.mark.parametrize("how", [{"wait": False}, {"timeout_s": 0.05}])
async def test_without_the_lock_the_unit_of_work_can_go_on(db, outside, how):
    async with db.advisory_lock("billing"), Shop(db) as shop:
        await shop.regions.add(region(1))
        with pytest.raises(LockNotAvailable, match=r"'billing' .* Held by process \d+ of 'dal', idle for"):
            await shop.advisory_lock("billing", **how)
        assert await shop.session.scalar(text("SHOW lock_timeout")) == "0"
    assert await outside.fetchval("SELECT count(*) FROM region") == 1


async def test_a_deadlock_of_locks_by_name_is_detected(db):
    taken = [asyncio.Event(), asyncio.Event()]

    async def work(names, number):
        async with Shop(db) as shop:
            await shop.advisory_lock(names[0])
            taken[number].set()
            await taken[1 - number].wait()
            await shop.advisory_lock(names[1])

    ends = await asyncio.gather(work(("a", "b"), 0), work(("b", "a"), 1), return_exceptions=True)
    assert [type(end) for end in ends if end is not None] == [DeadlockDetected]


@pytest.fixture
async def heard(db: Database) -> AsyncGenerator[Database]:
    """Lend a database whose pool has a listener, so that connections are checked out as SQLAlchemy does."""

    def listen(*_):
        """Hear of it."""

    event.listen(db.engine.sync_engine, "checkout", listen)
    yield db
    event.remove(db.engine.sync_engine, "checkout", listen)


async def test_with_pool_events_a_lock_is_freed_on_every_path_too(heard, outside):
    async with heard.advisory_lock("billing"):
        pass
    entered = asyncio.Event()
    await cancelled_once(_hold(heard, entered), entered.wait)
    with pytest.raises(ConnectionLost):
        async with heard.advisory_lock("billing"):
            await _end(outside, await _holder(outside))
    await _until_free(outside)
    assert await serves(heard)
