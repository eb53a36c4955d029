"""SQLAlchemy's pool events are heard, whichever way a connection is checked out."""

import pytest
from sqlalchemy import event, exc, text


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


async def test_a_priority_checkout_with_listeners_is_first(db):
    event.listen(db.pool, "checkout", lambda *_: None)
    async with db.checkout(priority=True) as driver:
        assert await driver.fetchval("SELECT 1") == 1
