"""The sandbox, where the protocol's corners are: what a driver says, leaves unsaid, or says at the wrong time."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import Integer, bindparam, select, text

from dal import Database, PoolConfig
from dal.demo.repositories import Regions
from dal.errors import DataException, LockNotAvailable
from tests.looking import connect, until
from tests.shop_rows import region

pytestmark = pytest.mark.sandbox
TOO_BIG = select(bindparam("n", 2**40, Integer))


@pytest.mark.parametrize("begins", ["begin", "connect"])
async def test_a_value_that_cannot_be_encoded_leaves_the_sandbox_usable(kit_db, begins):
    with pytest.raises(DataException):
        async with getattr(kit_db.engine, begins)() as connection:
            await connection.execute(TOO_BIG)
    assert await Regions(kit_db).count() == 0


async def test_a_statement_that_was_only_prepared_holds_up_nobody(kit_db, database_url):
    driver = await connect(database_url)
    prepared = await driver.prepare("SELECT 7")
    assert await Regions(kit_db).count() == 0
    assert await prepared.fetchval() == 7
    await driver.close()


async def test_two_clients_may_give_their_statements_the_same_name(database_url):
    drivers = [await connect(database_url) for _ in range(2)]
    prepared = [await driver.prepare(f"SELECT {number}", name="same") for number, driver in enumerate(drivers)]
    assert [await each.fetchval() for each in prepared] == [0, 1]
    for driver in drivers:
        await driver.close()


async def test_settings_of_one_client_are_not_those_of_another(database_url):
    one = await connect(database_url, server_settings={"work_mem": "5MB", "application_name": "it's"})
    other = await connect(database_url)
    assert await one.fetchval("SHOW work_mem") == "5MB"
    assert await other.fetchval("SHOW work_mem") != "5MB"
    assert await one.fetchval("SHOW application_name") == "it's"
    for driver in (one, other):
        await driver.close()


async def test_a_role_set_in_a_transaction_is_gone_after_it(kit_db):
    async with kit_db.writing() as session:
        await session.execute(text("SET LOCAL ROLE pg_read_all_data"))
    async with kit_db.reading() as session:
        assert await session.scalar(text("SELECT current_user")) != "pg_read_all_data"


async def test_a_client_that_vanishes_in_a_transaction_leaves_nothing(kit_db, database_url):
    driver = await connect(database_url)
    await driver.execute("BEGIN")
    await driver.execute("INSERT INTO region VALUES (1, 'a', 'b')")
    driver.terminate()
    assert await Regions(kit_db).count() == 0


async def test_a_client_that_vanishes_in_a_copy_leaves_nothing(kit_db, database_url):
    driver = await connect(database_url)
    sending = asyncio.Event()

    async def rows():
        yield b"1\ta\tb\n"
        sending.set()
        await asyncio.Event().wait()

    copying = asyncio.create_task(driver.copy_to_table("region", source=rows()))
    await sending.wait()
    driver.terminate()
    copying.cancel()
    await asyncio.wait([copying])
    assert await Regions(kit_db).count() == 0


async def test_a_statement_that_runs_is_stopped_with_its_client(kit_db, database_url, pg_server):
    outside, driver = await connect(pg_server), await connect(database_url)
    running = "SELECT count(*) = 1 FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(61)'"
    sleeping = asyncio.create_task(driver.execute("SELECT pg_sleep(61)"))
    await until(lambda: outside.fetchval(running))
    driver.terminate()
    await asyncio.wait([sleeping])
    assert sleeping.exception()
    assert await Regions(kit_db).count() == 0
    assert not await outside.fetchval(running)
    await outside.close()


async def test_a_cancelled_statement_is_stopped_and_its_sandbox_goes_on(kit_db):
    async with asyncio.timeout(10):
        with pytest.raises(TimeoutError):
            async with kit_db.writing() as session, asyncio.timeout(0.1):
                await session.execute(text("SELECT pg_sleep(60)"))
        assert await Regions(kit_db).count() == 0


async def test_a_transaction_that_waits_for_its_own_task_is_refused_with_the_way_out(kit_db):
    async with kit_db.writing() as session:
        await session.execute(text("SELECT 'outer'"))
        with pytest.raises(LockNotAvailable, match=r"since \"SELECT 'outer'\".*pytest\.mark\.database"):
            await Regions(kit_db).count()
    assert await Regions(kit_db).count() == 0


async def test_commits_of_one_client_are_seen_by_another(kit_db, database_url):
    await Regions(kit_db).add(region(1))
    async with Database(database_url, pool=PoolConfig(size=3)) as other:
        assert await Regions(other).count() == 1


async def test_an_error_in_a_script_undoes_the_whole_script(kit_db):
    with pytest.raises(Exception, match="division by zero"):
        await kit_db.execute_script("INSERT INTO region VALUES (1, 'a', 'b'); SELECT 1 / 0")
    assert await Regions(kit_db).count() == 0


async def test_statements_after_a_begin_or_commit_in_one_message_run_too(database_url, kit_db):
    driver = await connect(database_url)
    await driver.execute("BEGIN; INSERT INTO region VALUES (1, 'a', 'b')")
    await driver.execute("COMMIT; INSERT INTO region VALUES (2, 'a', 'b')")
    await driver.close()
    assert await Regions(kit_db).count() == 2


async def test_a_commit_of_a_failed_transaction_is_a_rollback(database_url):
    driver = await connect(database_url)
    await driver.execute("BEGIN")
    with pytest.raises(asyncpg.UndefinedTableError):
        await driver.execute("SELECT * FROM nowhere")
    assert await driver.execute("COMMIT") == "ROLLBACK"
    assert await driver.fetchval("SELECT 1") == 1
    await driver.close()


async def test_rolling_back_to_a_savepoint_keeps_the_transaction(database_url, kit_db):
    driver = await connect(database_url)
    await driver.execute("BEGIN")
    await driver.execute("INSERT INTO region VALUES (1, 'a', 'b')")
    await driver.execute("SAVEPOINT here")
    await driver.execute("INSERT INTO region VALUES (2, 'a', 'b')")
    await driver.execute("ROLLBACK TO SAVEPOINT here")
    await driver.execute("COMMIT")
    await driver.close()
    assert await Regions(kit_db).count() == 1
