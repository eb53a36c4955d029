"""A read outside a unit of work begins no transaction."""

from sqlalchemy import text

from dal.demo.repositories import Regions
from dal.session import driver_connection
from tests.looking import count, states
from tests.shop_rows import region


async def test_reading_holds_no_transaction_open(db, outside):
    async with db.reading() as session:
        await session.execute(text("SELECT 1"))
        assert "idle in transaction" not in await states(outside)


async def test_each_statement_of_a_read_sees_the_newest_rows(db, outside):
    async with db.reading() as session:
        before = await session.scalar(text("SELECT count(*) FROM region"))
        await outside.execute("INSERT INTO region VALUES (1, 'a', '')")
        assert (before, await session.scalar(text("SELECT count(*) FROM region"))) == (0, 1)


async def test_a_write_outside_a_unit_of_work_commits_by_itself(db, outside):
    await Regions(db).add(region(1))
    assert await count(outside, "region") == 1


async def test_a_connection_left_in_a_transaction_serves_nobody_else(db, outside):
    async with db.reading() as session:
        connection = await session.connection()
        async with driver_connection(connection) as driver:
            await driver.execute("BEGIN; INSERT INTO region VALUES (1, '', '')")
    assert await Regions(db).count() == 0
    assert "idle in transaction" not in await states(outside)


async def test_a_read_after_a_transaction_is_autocommit_again(db, outside):
    async with db.writing() as session:
        await session.execute(text("SELECT 1"))
    for _ in range(4):
        async with db.reading() as session:
            await session.execute(text("SELECT 1"))
            assert "idle in transaction" not in await states(outside)
