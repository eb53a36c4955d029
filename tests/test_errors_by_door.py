"""Whatever way a statement goes to the server, its error has the same name, on a server of any language."""

from contextlib import AsyncExitStack

import asyncpg
import pytest
from sqlalchemy import text

from dal import Database, PoolConfig, errors
from tests.foreign_server import translated
from tests.sqlstates import CASES

ALICE = "INSERT INTO account VALUES (1, 'alice', 5)"


async def by_session(db, case, meanwhile):
    async with db.writing() as session:
        for statement in case.before:
            if case.fails_before:
                with pytest.raises(errors.DatabaseError):
                    await session.execute(text(statement))
            else:
                await session.execute(text(statement))
        await meanwhile()
        await session.execute(text(case.statement))


async def by_checkout(db, case, meanwhile):
    async with db.checkout() as driver, driver.transaction():
        for statement in case.before:
            if case.fails_before:
                with pytest.raises(asyncpg.PostgresError):
                    await driver.execute(statement)
            else:
                await driver.execute(statement)
        await meanwhile()
        await driver.fetch(case.statement)


async def by_script(db, case, meanwhile):
    await meanwhile()
    await db.execute_script(";\n".join(["BEGIN", *case.before, case.statement]))


DOORS = {"session": by_session, "checkout": by_checkout, "script": by_script}


@pytest.fixture(params=["english", "translated"])
async def anywhere(request, database_url, outside):
    """Lend a Database on a server that speaks English, and on one that does not; with an account of alice's."""
    await outside.execute(ALICE)
    async with AsyncExitStack() as stack:
        url = database_url
        if request.param == "translated":
            url = await stack.enter_async_context(translated(database_url))
        yield await stack.enter_async_context(Database(url, pool=PoolConfig(size=1)))


def through_doors():
    for case in CASES:
        for door in DOORS:
            # A script has no meanwhile, and ends with its first error.
            if door != "script" or not (case.fails_before or case.sqlstate == "40001"):
                yield pytest.param(case, door, id=f"{case.sqlstate}-{case.kind.__name__}-{door}")


@pytest.mark.parametrize(("case", "door"), list(through_doors()))
async def test_every_door_names_it_alike(anywhere, outside, case, door):
    if outside.get_server_version().major < case.since:
        pytest.skip(f"PostgreSQL {case.since} and newer say {case.sqlstate}")

    async def meanwhile():
        if case.outside:
            await outside.execute(case.outside)

    with pytest.raises(errors.DatabaseError) as caught:
        await DOORS[door](anywhere, case, meanwhile)
    if outside.is_in_transaction():
        await outside.execute("ROLLBACK")
    error = caught.value
    assert (type(error), error.sqlstate) == (case.kind, case.sqlstate)
    assert isinstance(error, case.sqlalchemy)
    assert f"(SQLSTATE {case.sqlstate})" in str(error)
    assert "\n" not in str(error)
    assert "alice" not in str(error)
    assert not error.connection_invalidated
    if case.named:
        assert (error.constraint, error.table, error.column) == case.named
        assert all(name in str(error) for name in case.named if name)
    async with anywhere.checkout() as driver:
        assert await driver.fetchval("SELECT 1") == 1


def test_enough_of_them_are_told_apart():
    provoked = {case.sqlstate for case in CASES if "ERRCODE" not in case.statement}
    assert len(provoked) >= 60
