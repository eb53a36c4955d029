"""SQLAlchemy's pool events are heard, whichever way a connection is checked out."""

import asyncio

import pytest
from sqlalchemy import event, exc, text

from dal import Database, PoolConfig
from tests.looking import until


async def _by_engine(db):
    async with db.engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


async def _native(db):
    async with db.checkout() as driver:
        await driver.fetchval("SELECT 1")


WAYS = pytest.mark.parametrize("use", [_by_engine, _native])


@WAYS
async def test_checkout_and_checkin_are_heard(db, use):
    heard = []
    for name in ("checkout", "checkin", "reset"):
        event.listen(db.pool, name, lambda *_, name=name: heard.append(name))
    await use(db)
    assert heard == ["checkout", "reset", "checkin"]


async def test_a_connect_in_the_background_is_heard(db):
    heard = []
    event.listen(db.pool, "connect", lambda *_: heard.append("connect"))
    db.pool.resize(4)
    await db.pool.stock.opener.done()
    assert heard == ["connect"]


@WAYS
async def test_a_listener_may_refuse_a_connection(db, use):
    refused = []

    @event.listens_for(db.pool, "checkout")
    def refuse_once(connection, record, proxied):
        if not refused:
            refused.append(record)
            raise exc.DisconnectionError

    await use(db)
    await use(db)
    assert (len(refused), db.pool.leases()) == (1, [])


async def test_a_priority_checkout_with_listeners_is_first(database_url):
    served = []

    async def use(name, *, priority):
        async with db.checkout(priority=priority):
            served.append(name)

    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        event.listen(db.pool, "checkout", lambda *_: None)
        async with db.checkout():
            ordinary = asyncio.create_task(use("ordinary", priority=False))
            await until(lambda: db.pool.status().waiting == 1)
            first = asyncio.create_task(use("first", priority=True))
            await until(lambda: db.pool.status().waiting == 2)
        await asyncio.gather(ordinary, first)
    assert served == ["first", "ordinary"]


async def test_the_close_of_an_unclean_connection_is_heard(db):
    heard = []
    event.listen(db.pool, "close", lambda *_: heard.append("close"))
    async with db.checkout() as driver:
        await driver.execute("BEGIN")
    assert heard == ["close"]


async def test_a_connection_that_a_listener_had_replaced_is_the_one_that_is_watched(db):
    await _by_engine(db)
    event.listen(db.pool, "checkout", _refuse, once=True)
    async with db.engine.connect() as connection:
        await connection.execute(text("SELECT 42"))
        [lease] = db.pool.leases()
        driver = (await connection.get_raw_connection()).driver_connection
        [slot] = [slot for slot in db.pool.stock.slots if slot.lease is lease]
        assert (slot.driver is driver, lease.in_transaction) == (True, True)


def _refuse(*_):
    raise exc.DisconnectionError
