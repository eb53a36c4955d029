"""What one event loop has opened is refused in every other one, whatever it is, and is none the worse for it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import pytest
from sqlalchemy import select, text

from dal import Database, PoolConfig, UnitOfWork
from dal.errors import InFailedSQLTransaction, PoolMisused
from tests.cancelling import serves
from tests.faults.forked_holds import Named
from tests.looking import until
from tests.models import Account, Accounts

TOLD = "from another event loop or thread.*through dal.blocking"


async def _elsewhere(work):
    """Run *work*, which makes a coroutine, in a loop of its own in another thread."""
    return await asyncio.to_thread(lambda: asyncio.run(work()))


async def _by_session(db):
    async with db.begin() as session:
        await session.execute(text("SELECT 1"))
        yield lambda: session.execute(text("SELECT 2"))


async def _by_what_is_prepared(db):
    async with db.begin() as session:
        await session.execute(select(Account))
        yield lambda: session.execute(select(Account))


async def _by_commit(db):
    async with db.begin() as session:
        await session.execute(text("SELECT 1"))
        yield session.commit


async def _by_unit_of_work(db):
    async with UnitOfWork(db) as unit:
        accounts = Accounts(unit)
        await accounts.count()
        yield lambda: accounts.list(into=Named)


async def _by_driver(db):
    async with db.checkout() as driver:
        yield lambda: driver.execute("SELECT 1")


async def _by_statement(db):
    async with db.checkout() as driver:
        statement = await driver.prepare("SELECT 1")
        yield statement.fetch


async def _by_copy(db):
    async with db.checkout() as driver:
        yield lambda: driver.copy_records_to_table("account", records=[(1, "a", 1)])


async def _by_cursor(db):
    async with db.checkout() as driver, driver.transaction():
        cursor = await driver.cursor("SELECT generate_series(1, 10)")
        yield lambda: cursor.fetch(2)


async def _by_lock(db):
    async with db.advisory_lock("held") as lock:
        yield lock.check


async def _by_closing(db):
    async with db.checkout():
        yield db.close


async def _by_disposing(db):
    async with db.checkout():
        yield db.engine.dispose


async def _by_draining(db):
    async with db.checkout():
        yield lambda: db.pool.drain(1)


WAYS = [
    _by_session, _by_what_is_prepared, _by_commit, _by_unit_of_work, _by_driver, _by_statement, _by_copy, _by_cursor,
    _by_lock, _by_closing, _by_disposing, _by_draining,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_held_is_refused_in_another_thread(db, way):
    held = way(db)
    work = await anext(held)

    async def misuse():
        await work()

    with pytest.raises(PoolMisused, match=TOLD):
        await _elsewhere(misuse)
    with suppress(InFailedSQLTransaction):  # a COMMIT that was refused was not made
        await anext(held, None)
    assert await serves(db)


@pytest.mark.parametrize("way", [_by_session, _by_driver])
def test_what_is_held_is_refused_in_another_loop_of_the_thread(database_url, way):
    db = Database(database_url, pool=PoolConfig(size=1))
    with asyncio.Runner() as first, asyncio.Runner() as second:
        held = way(db)
        work = first.run(_next(held))

        async def misuse():
            await work()

        with pytest.raises(PoolMisused, match=TOLD):
            second.run(misuse())
        first.run(_next(held))
        assert first.run(serves(db))
        first.run(db.close())


async def _next(held):
    return await anext(held, None)


async def test_a_session_that_is_closed_in_another_thread_comes_back(database_url):
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        session = await _opened(db)

        async def close():
            await session.close()

        await _elsewhere(close)
        await until(lambda: not db.pool.leases())
        assert await serves(db)


async def _opened(db):
    session = await db.reading().__aenter__()
    await session.connection()
    return session


async def test_a_transaction_that_is_closed_in_another_thread_ends_for_those_who_wait(database_url):
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        session = await db.begin().__aenter__()
        await session.execute(text("SELECT 1"))
        waiting = asyncio.create_task(Accounts(db).count())
        await until(lambda: db.pool.status().waiting == 1)

        async def close():
            await session.close()

        await _elsewhere(close)
        async with asyncio.timeout(5):
            assert await waiting == 0
        assert len(db.pool.stock.slots) == 1


async def test_threads_may_look_at_a_pool_while_it_works(db):
    """As those that serve metrics do."""
    over, failures = threading.Event(), []

    def look():
        try:
            while not over.is_set():
                db.pool.status()
                [str(lease) for lease in db.pool.leases()]
        except Exception as error:
            failures.append(error)

    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(20):
        await asyncio.gather(*(Accounts(db).count() for _ in range(6)))
        db.pool.expire(spread_s=0)
    over.set()
    await asyncio.to_thread(looking.join)
    assert not failures
