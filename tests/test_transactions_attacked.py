"""Transactions under an application that is hostile, or has bad luck."""

import asyncio
import gc
import math
import weakref
from contextlib import suppress

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from dal import Database, Outcome, PoolConfig
from dal.demo.repositories import Shop
from dal.errors import ConfigError, ConnectionLost, DALError, UnitOfWorkError
from dal.transaction.options import opening
from tests.looking import count, until
from tests.shop_rows import region

HELD = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE datname = current_database() AND locktype = 'advisory'
"""


@pytest.mark.parametrize(("verify", "told"), [(False, Outcome.UNKNOWN), (True, Outcome.COMMITTED)])
async def test_an_unanswered_commit_is_told_truly_when_every_task_is_cancelled(
    database_url, faulty_network, outside, verify, told
):
    """As asyncio.run does at its end to all that is left."""
    async with Database(database_url, pool=PoolConfig(size=1)) as far:
        shop, called = Shop(far, verify_commit=verify), []

        async def work():
            async with shop:
                shop.after_rollback(lambda: called.append("rolled back"))
                await shop.regions.add(region(1))
                await shop.session.flush()
                faulty_network.delay(0.4)

        task = asyncio.create_task(work())

        async def committed():
            return await count(outside, "region") == 1

        await until(committed)
        for each in asyncio.all_tasks() - {asyncio.current_task()}:
            each.cancel()
        await asyncio.wait([task])
        faulty_network.heal()
        assert (shop.outcome, called) == (told, [])


async def test_a_listener_that_fails_after_commit_does_not_make_it_a_rollback(db, outside):
    def fail(session):
        raise RuntimeError("listener")

    shop = Shop(db)
    event.listen(Session, "after_commit", fail)
    try:
        with pytest.raises(RuntimeError):
            async with shop:
                await shop.regions.add(region(1))
    finally:
        event.remove(Session, "after_commit", fail)
    assert (shop.outcome, await count(outside, "region")) == (Outcome.COMMITTED, 1)


async def test_a_unit_that_was_never_left_is_not_kept_for_ever(db):
    async def forget():
        shop = Shop(db)
        await shop.__aenter__()
        return weakref.ref(shop)

    ref = await asyncio.create_task(forget())
    for _ in range(3):
        gc.collect()
        await asyncio.sleep(0)
    assert ref() is None


@pytest.mark.parametrize("options", [{"settings": {"app.x": "\ud800secret"}}, {"role": "\ud800"}])
async def test_an_option_that_cannot_be_encoded_does_not_poison_the_connection(database_url, outside, options):
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        for _ in range(3):
            with pytest.raises(ConfigError):
                async with Shop(db, **options) as shop:
                    await shop.regions.count()
            async with Shop(db) as shop:
                await shop.regions.count()
        async with Shop(db) as shop:
            await shop.regions.add(region(1))
        assert await count(outside, "region") == 1


async def test_a_callback_that_awaits_something_cancelled_goes_no_further(db):
    called = []
    never = asyncio.get_running_loop().create_future()
    never.cancel()
    async with Shop(db) as shop:
        await shop.regions.add(region(1))

        async def first():
            await never

        shop.after_commit(first)
        shop.after_commit(lambda: called.append("second"))
    assert called == ["second"]


async def test_every_callback_is_called_whatever_the_cancellations(db):
    called = []

    async def work():
        async with Shop(db) as shop:
            await shop.regions.add(region(1))

            async def slow():
                started.set()
                await asyncio.sleep(60)

            shop.after_commit(slow)
            shop.after_commit(lambda: called.append("second"))

    started = asyncio.Event()
    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    await asyncio.wait([task])
    assert called == ["second"]


async def test_a_lost_connection_that_was_swallowed_is_not_called_a_failed_flush(db, outside):
    shop = Shop(db)
    with pytest.raises(ConnectionLost, match=r"^nothing was committed: the connection had been lost"):
        async with shop:
            await shop.regions.add(region(1))
            pid = await shop.session.scalar(text("SELECT pg_backend_pid()"))
            await outside.execute("SELECT pg_terminate_backend($1)", pid)
            with pytest.raises(ConnectionLost):
                while True:
                    await shop.regions.count()
    assert shop.outcome is Outcome.ROLLED_BACK


async def test_a_unit_whose_savepoint_ran_out_of_time_goes_on_or_says_so(db, outside):
    shop = Shop(db)
    with suppress(DALError):
        async with shop:
            await shop.regions.add(region(1))
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2), shop.savepoint():
                    await shop.session.execute(text("SELECT pg_sleep(5)"))
            await shop.regions.add(region(2))
    assert await count(outside, "region") == (2 if shop.outcome is Outcome.COMMITTED else 0)


async def test_detached_in_a_savepoint_is_refused(db, outside):
    async with Shop(db) as shop:
        await shop.regions.count()
        async with shop.savepoint():
            with pytest.raises(UnitOfWorkError, match="inside a savepoint"):
                await shop.detached().__aenter__()
        await shop.regions.add(region(1))
    assert await count(outside, "region") == 1


async def test_run_tries_again_what_a_task_group_raised(db):
    tries = []

    async def work(shop):
        tries.append(1)

        async def child():
            await shop.regions.count()
            if len(tries) == 1:
                await shop.session.execute(text("DO $$BEGIN RAISE 'x' USING ERRCODE = '40001'; END$$"))

        async with asyncio.TaskGroup() as group:
            group.create_task(child())

    await db.run(work, Shop)
    assert len(tries) == 2


@pytest.mark.parametrize("options", [{"settings": {"app." + "x" * 70: "1"}}, {"timeout_s": math.inf}])
def test_what_the_server_would_cut_or_cannot_count_is_refused(options):
    with pytest.raises(ConfigError):
        opening(options)


async def test_a_lock_s_connection_is_not_given_back_with_the_lock_on_it(database_url, outside):
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        inside = asyncio.Event()
        locks = []

        async def holder():
            async with db.advisory_lock("x") as lock:
                locks.append(lock)
                inside.set()
                await go.wait()

        go = asyncio.Event()
        task = asyncio.create_task(holder())
        await inside.wait()

        async def checker():
            await locks[0].check()
            task.cancel()

        check = asyncio.create_task(checker())
        await asyncio.sleep(0)
        go.set()
        await asyncio.wait([task, check])

        async def freed():
            return not await outside.fetchval(HELD)

        async with asyncio.timeout(1):
            await until(freed)
