"""No connection is lost from the pool's book, whatever ends it, and a missing one is opened at once."""

import asyncio
import dataclasses
import time

import asyncpg
import pytest

from dal import Database, PoolConfig
from dal.errors import CannotConnect, PoolMisused, PoolTimeout
from dal.pool.admission import Admission
from tests.cancelling import serves
from tests.looking import until, until_none_left

TWO = PoolConfig(size=2)


async def _unclean(db):
    async with db.checkout() as driver:
        await driver.execute("BEGIN")


async def _invalidated(db):
    async with db.engine.connect() as connection:
        await connection.invalidate()


async def _expired(db):
    async with db.checkout():
        db.pool.expire(0)


@pytest.mark.parametrize("ended", [_unclean, _invalidated, _expired])
async def test_a_connection_that_was_closed_is_missed_at_once(database_url, ended):
    waits = []
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        for _ in range(3):
            await ended(db)
            started = time.monotonic()
            assert await serves(db)
            waits.append(time.monotonic() - started)
    assert sorted(waits)[1] < 0.5  # the upkeep, which would find it too, looks every second


@pytest.mark.parametrize("error", [asyncpg.InternalClientError, asyncpg.InterfaceError, ConnectionResetError])
async def test_a_ping_that_fails_in_any_way_costs_only_its_connection(database_url, monkeypatch, error):
    async def fails(_):
        raise error("going")

    async with Database(database_url, pool=TWO) as db:
        with monkeypatch.context() as patch:
            patch.setattr("dal.pool.recycling._settle", fails)
            db.pool.stock.suspect()
            await db.pool.stock.recycler.done()
        await until(lambda: db.pool.status().idle == 2)
        assert len(db.pool.stock.slots) == 2


async def test_a_server_that_is_not_there_is_not_asked_all_the_time():
    db = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(CannotConnect):
        await serves(db)
    await asyncio.sleep(0.3)  # that it is quiet shows in no state
    assert db.pool.status().totals.failed < 20
    await db.close()


@pytest.mark.parametrize("recycling", ["verified", "clean"])
async def test_a_connection_on_its_way_back_is_closed_too(database_url, outside, recycling):
    async with Database(database_url, pool=dataclasses.replace(TWO, recycling=recycling)) as db, db.checkout():
        pass
    assert (len(db.pool.stock.slots), db.pool.status().opening) == (0, 0)
    await until_none_left(outside)


async def test_a_drain_waits_for_nobody_who_is_not_there(database_url):
    db = Database(database_url, pool=dataclasses.replace(TWO, recycling="verified"))
    await db.open()
    async with db.checkout():
        pass
    async with asyncio.timeout(5):
        assert await db.pool.drain(deadline_s=60) == 0


async def test_room_to_wait_is_for_those_who_are_opened_for_too(database_url):
    everybody = asyncio.Barrier(3)

    async def hold():
        async with db.checkout():
            await everybody.wait()

    async with Database(database_url, pool=PoolConfig(size=3, min_idle=0, max_waiting=0)) as db:
        await asyncio.gather(*(hold() for _ in range(3)))
        assert db.pool.status().totals.shed == 0


async def test_a_copy_that_runs_at_checkin_ends_its_connection(database_url, outside):
    async def rows():
        await asyncio.Event().wait()
        yield b""

    await outside.execute("CREATE TABLE heap (n int)")
    async with Database(database_url, pool=TWO) as db:
        async with db.checkout() as driver:
            copying = asyncio.create_task(driver.copy_to_table("heap", source=rows()))
            await until(lambda: db.pool.leases()[0].running)
        assert db.pool.status().totals.unclean == 1
        copying.cancel()
        await asyncio.wait([copying])


async def test_whoever_listens_after_a_reset_is_told(database_url, outside):
    heard = asyncio.Event()
    async with Database(database_url, pool=PoolConfig(size=1, recycling="clean")) as db:
        async with db.checkout() as driver:
            await driver.add_listener("news", lambda *_: None)
        async with db.checkout() as driver:
            await driver.add_listener("news", lambda *_: heard.set())
            await outside.execute("NOTIFY news")
            async with asyncio.timeout(5):
                await heard.wait()
            await driver.execute("UNLISTEN *")


async def test_opening_a_database_that_is_busy_leaves_it_open(database_url):
    pool = PoolConfig(size=1, checkout_timeout_s=0.1)
    async with Database(database_url, pool=pool) as db:
        async with db.checkout():
            with pytest.raises(PoolTimeout):
                await db.open()
        assert await serves(db)


async def test_a_checkout_is_entered_once(db):
    checkout = db.checkout()
    async with checkout:
        with pytest.raises(PoolMisused, match="has its connection already"):
            await checkout.__aenter__()
    assert db.pool.leases() == []


async def test_an_observer_that_raises_takes_no_connection_with_it(database_url):
    class Raises:
        def record(self, metric, value):
            raise ZeroDivisionError

    async with Database(database_url, pool=TWO, observer=Raises()) as db:
        for _ in range(3):
            assert await serves(db)
        assert db.pool.status().idle == 2


async def test_expire_makes_no_life_longer(db):
    assert await serves(db)
    before = {slot: slot.expires_at for slot in db.pool.stock.slots}
    db.pool.expire(1e9)
    assert all(slot.expires_at <= at for slot, at in before.items())


def test_an_overload_whose_connections_stop_is_none_any_more():
    @dataclasses.dataclass(eq=False)
    class Waiter:
        since: float

    line = Admission(2, target_s=0.05, max_waiting=10)
    line.overloaded = True
    line.join(Waiter(0.0))
    assert line.shed(now=10.0) == []
    assert (line.overloaded, len(line)) == (False, 1)
