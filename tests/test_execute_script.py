"""Several statements at once, without parameters."""

import pytest

from dal.errors import ConnectionLost, UniqueViolation
from dal.session import driver_connection
from tests.looking import count, states

TWO = "INSERT INTO account VALUES (1, 'alice', 0); INSERT INTO account VALUES (2, 'bob', 0);"


async def test_a_script_runs_every_statement(db, outside):
    await db.execute_script(TWO)
    assert await count(outside, "account") == 2


@pytest.mark.parametrize("nothing", ["", ";", "-- later\n"])
async def test_a_script_may_have_nothing_in_it(db, nothing):
    await db.execute_script(nothing)


async def test_a_script_that_fails_leaves_nothing(db, outside):
    with pytest.raises(UniqueViolation):
        await db.execute_script(TWO + TWO)
    assert await count(outside, "account") == 0


async def test_a_script_may_have_a_transaction_of_its_own(db, outside):
    await db.execute_script(f"BEGIN; {TWO} ROLLBACK;")
    assert await count(outside, "account") == 0


async def test_a_script_without_an_end_leaves_no_open_transaction(db, outside):
    await db.execute_script(f"BEGIN; {TWO}")
    assert await count(outside, "account") == 0
    assert "idle in transaction" not in await states(outside)


async def test_a_script_that_begins_and_fails_leaves_no_open_transaction(db, outside):
    with pytest.raises(UniqueViolation):
        await db.execute_script(f"BEGIN; {TWO + TWO}")
    assert set(await states(outside)) == {"idle"}


async def test_a_script_may_create_functions(db, outside):
    await db.execute_script("CREATE FUNCTION one() RETURNS int LANGUAGE sql AS $$ SELECT 0; SELECT 1; $$; SELECT one()")
    assert await outside.fetchval("SELECT one()") == 1


async def test_a_connection_that_is_dead_before_the_script_is_connection_lost(db):
    async with db.engine.connect() as connection:
        with pytest.raises(ConnectionLost):
            async with driver_connection(connection) as driver:
                driver.terminate()
                await driver.execute("SELECT 1")


async def test_a_script_on_a_dead_connection_is_connection_lost(db, outside):
    with pytest.raises(ConnectionLost):
        await db.execute_script("SELECT pg_terminate_backend(pg_backend_pid())")
