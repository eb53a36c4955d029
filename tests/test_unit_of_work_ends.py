"""What a unit of work tells at its end, and what it may do halfway: callbacks, deadlines, a pause."""

import asyncio
import logging

import pytest
from sqlalchemy import text

from dal import Database, Outcome, PoolConfig
from dal.demo.repositories import Shop
from dal.errors import QueryCanceled, UnitOfWorkError, UnitOfWorkTimeout
from tests.looking import count, states, until, until_running, until_waiting_for_a_lock
from tests.shop_rows import region
from tests.test_unit_of_work_cancelled import SLOW_COMMIT

SLEEP = text("SELECT pg_sleep(30)")

# Callbacks.


async def _called(db, *, error=None):
    called = []

    async def later():
        await asyncio.sleep(0)
        called.append("committed, awaited")

    try:
        async with Shop(db) as shop:
            shop.after_commit(lambda: called.append("committed"))
            shop.after_commit(later)
            shop.after_rollback(lambda: called.append("rolled back"))
            await shop.regions.add(region(1))
            if error:
                raise error
    except ZeroDivisionError:
        pass
    return called


async def test_callbacks_of_a_commit_are_called_in_order(db):
    assert await _called(db) == ["committed", "committed, awaited"]


async def test_callbacks_of_a_rollback_are_called_then_only(db):
    assert await _called(db, error=ZeroDivisionError()) == ["rolled back"]


async def test_a_callback_sees_what_was_committed_and_holds_no_connection(db, outside):
    seen = []

    async def look():
        seen.append((await count(outside, "region"), db.pool.leases()))

    async with Shop(db) as shop:
        await shop.regions.add(region(1))
        shop.after_commit(look)
    assert seen == [(1, [])]


async def test_a_callback_may_open_a_unit_of_work(db, outside):
    async def add():
        async with Shop(db) as another:
            await another.regions.add(region(2))

    async with Shop(db) as shop:
        await shop.regions.add(region(1))
        shop.after_commit(add)
    assert await count(outside, "region") == 2


async def test_a_callback_that_fails_is_logged_and_keeps_none_from_being_called(db, outside, caplog):
    called = []
    async with Shop(db) as shop:
        await shop.regions.add(region(1))
        shop.after_commit(lambda: 1 / 0)
        shop.after_commit(lambda: called.append("next"))
    assert (called, await count(outside, "region")) == (["next"], 1)
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "a callback failed after a transaction was committed"


async def test_a_commit_that_was_cancelled_calls_back_all_the_same(db, outside):
    called = []

    async def work():
        async with Shop(db) as shop:
            await shop.regions.add(region(1))
            shop.after_commit(lambda: called.append("committed"))

    await outside.execute(SLOW_COMMIT)
    await outside.execute("SELECT pg_advisory_lock(1)")
    task = asyncio.create_task(work())
    await until_waiting_for_a_lock(outside)
    task.cancel()
    await outside.execute("SELECT pg_advisory_unlock(1)")
    await asyncio.wait([task])
    assert (called, task.cancelled()) == (["committed"], True)


# A deadline for the whole.


async def _times_out(db, statement=SLEEP, **options):
    shop = Shop(db, **options)
    with pytest.raises(UnitOfWorkTimeout) as caught:
        async with shop:
            await shop.regions.add(region(1))
            await shop.session.execute(statement)
    assert shop.outcome is Outcome.ROLLED_BACK
    return caught.value


async def test_a_statement_that_runs_into_the_deadline_ends_by_the_server_and_keeps_its_connection(db, outside):
    before = db.pool.status().totals.opened
    error = await _times_out(db, timeout_s=0.3)
    assert isinstance(error.__cause__, QueryCanceled)
    assert str(error).startswith("the transaction took 0.")
    assert db.pool.status().totals.opened == before
    assert await count(outside, "region") == 0


async def test_a_deadline_between_statements_rolls_back(db, outside):
    shop = Shop(db, timeout_s=0.1)
    with pytest.raises(UnitOfWorkTimeout, match=r"its timeout_s is 0.1: it was rolled back"):
        async with shop:
            await shop.regions.add(region(1))
            await asyncio.Event().wait()
    assert (shop.outcome, await count(outside, "region"), set(await states(outside))) == ("rolled back", 0, {"idle"})


async def test_a_deadline_in_a_later_statement_counts_from_the_beginning(db):
    with pytest.raises(UnitOfWorkTimeout):
        async with Shop(db, timeout_s=0.4) as shop:
            await shop.session.execute(text("SELECT pg_sleep(0.2)"))
            await shop.session.execute(text("SELECT pg_sleep(0.3)"))


async def test_a_deadline_while_waiting_for_a_connection(db):
    async with db.checkout(), db.checkout(), db.checkout():
        with pytest.raises(UnitOfWorkTimeout):
            async with Shop(db, timeout_s=0.05) as shop:
                await shop.regions.count()


async def test_a_timeout_of_a_statement_s_own_is_the_server_s_error(db):
    with pytest.raises(QueryCanceled):
        async with Shop(db, timeout_s=20, statement_timeout_s=0.05) as shop:
            await shop.session.execute(SLEEP)


async def test_a_cancellation_from_outside_is_not_taken_for_the_deadline(db, outside):
    async def work():
        async with Shop(db, timeout_s=20) as shop:
            await shop.session.execute(SLEEP)

    task = asyncio.create_task(work())
    await until_running(outside, "pg_sleep")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_outer_timeout_is_the_outer_one_s(db):
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.1):
            async with Shop(db, timeout_s=20) as shop:
                await shop.session.execute(SLEEP)
    assert not isinstance(caught.value, UnitOfWorkTimeout)


async def test_a_deadline_that_passes_in_a_rollback_covers_no_error(database_url, faulty_network):
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        with pytest.raises(ZeroDivisionError):
            async with Shop(db, timeout_s=0.2) as shop:
                await shop.regions.count()
                faulty_network.delay(0.4)
                raise ZeroDivisionError


async def test_a_cancellation_in_a_rollback_leaves_no_deadline_behind(database_url, faulty_network):
    async def work():
        async with Shop(db, timeout_s=0.3) as shop:
            await shop.regions.count()
            faulty_network.delay(0.2)
            leaving.set()
            raise ZeroDivisionError

    leaving = asyncio.Event()
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        task = asyncio.create_task(_then_rest(work()))
        await leaving.wait()
        task.cancel()
        assert await task == "rested"


async def _then_rest(work):
    with pytest.raises(asyncio.CancelledError):
        await work
    await asyncio.sleep(0.5)
    return "rested"


async def test_work_that_is_done_in_time_is_committed_and_its_task_goes_on(db, outside):
    async with Shop(db, timeout_s=0.2) as shop:
        await shop.regions.add(region(1))
    await asyncio.sleep(0.3)
    assert await count(outside, "region") == 1


# Giving the connection back halfway.


async def test_detached_holds_no_connection(db):
    async with Shop(db) as shop:
        await shop.regions.count()
        async with shop.detached():
            assert db.pool.leases() == []
        assert await shop.regions.count() == 0


async def test_what_is_written_after_detached_is_committed(db, outside):
    async with Shop(db, settings={"app.tenant": "42"}) as shop:
        await shop.regions.count()
        async with shop.detached():
            pass
        await shop.regions.add(region(1))
        assert await shop.session.scalar(text("SELECT current_setting('app.tenant')")) == "42"
    assert await count(outside, "region") == 1


async def test_entities_stay_in_their_session_through_detached(shop_db, outside):
    async with Shop(shop_db) as shop:
        found = await shop.orders.get_one(1)
        async with shop.detached():
            before = found.ship_priority
        found.ship_priority = before + 1
    assert await outside.fetchval("SELECT ship_priority FROM orders WHERE id = 1") == before + 1


async def test_detached_before_the_first_statement_costs_nothing(db):
    async with Shop(db) as shop:
        async with shop.detached():
            pass
        assert await shop.regions.count() == 0


HELD = [
    ("INSERT INTO region VALUES (1, '', '')", "written to, or locked: region"),
    ("SELECT 1 FROM region FOR UPDATE", "written to, or locked: region"),
    ("SELECT pg_advisory_xact_lock(1)", "written to, or locked: an advisory lock"),
    ("LOCK TABLE part", "written to, or locked: part"),
]


@pytest.mark.parametrize(("statement", "words"), HELD)
@pytest.mark.parametrize("verify", [True, False])
async def test_a_unit_of_work_that_has_written_or_locked_cannot_be_detached(db, statement, words, verify):
    async with Shop(db, verify_commit=verify) as shop:
        await shop.session.execute(text(statement))
        with pytest.raises(UnitOfWorkError, match=words):
            await shop.detached().__aenter__()


async def test_a_number_taken_from_a_sequence_is_no_reason_not_to_be_detached(db, outside):
    await outside.execute("CREATE SEQUENCE ticket")
    async with Shop(db) as shop:
        assert await shop.session.scalar(text("SELECT nextval('ticket')")) == 1
        async with shop.detached():
            pass


async def test_changes_that_are_not_written_yet_cannot_be_detached(shop_db):
    async with Shop(shop_db) as shop:
        (await shop.orders.get_one(1)).ship_priority += 1
        with pytest.raises(UnitOfWorkError, match=r"^1 changed entities are not written yet"):
            await shop.detached().__aenter__()


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
async def test_one_snapshot_cannot_be_detached(db, isolation):
    async with Shop(db, isolation=isolation) as shop:
        await shop.regions.count()
        with pytest.raises(UnitOfWorkError, match=f"the transaction is {isolation}"):
            await shop.detached().__aenter__()


async def test_use_while_detached_names_both_lines(db):
    async with Shop(db) as shop, shop.detached():
        with pytest.raises(UnitOfWorkError, match=r"^this Shop has no connection since test_.*, and is used at test_"):
            await shop.regions.count()


async def test_an_error_while_detached_rolls_back(db):
    shop = Shop(db)
    with pytest.raises(ZeroDivisionError):
        async with shop:
            await shop.regions.count()
            async with shop.detached():
                raise ZeroDivisionError
    assert shop.outcome is Outcome.ROLLED_BACK
    await until(lambda: db.pool.leases() == [])
