"""A statement that the server refuses becomes the error of its SQLSTATE."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select, text

from dal import Database, errors
from dal.demo.models import Region
from tests.models import Account

ALICE = {"id": 1, "owner": "alice", "balance": 5}

# SQLSTATE: a statement that brings it about.
REFUSED = {
    "23505": "INSERT INTO account VALUES (2, 'alice', 0)",
    "23502": "INSERT INTO account VALUES (2, NULL, 0)",
    "23514": "UPDATE account SET balance = -1",
    "42703": "SELECT owner, nothing FROM account",
}


@pytest.fixture
def refuse(db: Database) -> Callable[[str], Awaitable[errors.DatabaseError]]:
    """Run a statement beside an account of alice's; return the error it raises."""

    async def run(statement: str) -> errors.DatabaseError:
        with pytest.raises(errors.DatabaseError) as caught:
            async with db.writing() as session:
                session.add(Account(**ALICE))
                await session.flush()
                await session.execute(text("SET LOCAL statement_timeout = '20ms'"))
                await session.execute(text(statement))
        return caught.value

    return run


async def test_a_unique_violation_names_table_and_constraint(refuse):
    message = str(await refuse(REFUSED["23505"]))
    assert "uq_account_owner" in message
    assert message.endswith("(SQLSTATE 23505): table public.account")


async def test_a_not_null_violation_names_table_and_column(refuse):
    error = await refuse(REFUSED["23502"])
    assert (error.schema, error.table, error.column) == ("public", "account", "owner")
    assert "table public.account" in str(error)


async def test_the_place_in_the_statement_is_known(refuse):
    statement = REFUSED["42703"]
    assert (await refuse(statement)).position == statement.index("nothing") + 1


async def test_a_missing_right_names_its_object_and_what_to_do(db):
    with pytest.raises(errors.InsufficientPrivilege, match=r"region .*\. GRANT the role"):
        async with db.writing() as session:
            await session.execute(text("SET LOCAL ROLE pg_monitor"))
            await session.execute(select(Region))


async def test_a_missing_attribute_of_a_role_is_named(db, outside):
    if outside.get_server_version().major < 16:
        pytest.skip("PostgreSQL 16 and newer name it")
    with pytest.raises(errors.InsufficientPrivilege, match="CREATEROLE"):
        async with db.writing() as session:
            await session.execute(text("SET LOCAL ROLE pg_monitor"))
            await session.execute(text("CREATE ROLE another"))


async def test_a_missing_table_asks_for_the_migration(refuse):
    assert str(await refuse("SELECT * FROM nowhere")).endswith("Is the database migrated? alembic upgrade head")


async def test_the_servers_detail_is_kept_apart(refuse):
    error = await refuse(REFUSED["23505"])
    assert "(owner)=(alice)" in str(error.server_detail)


async def test_the_statement_is_kept(refuse):
    assert (await refuse("SELECT * FROM nowhere")).statement == "SELECT * FROM nowhere"


async def test_a_value_the_driver_refuses_is_a_data_exception(db):
    with pytest.raises(errors.DataException):
        async with db.reading() as session:
            await session.execute(text("SELECT cast(:number AS integer)"), {"number": "seven"})


async def test_the_unit_of_the_refused_statement_is_over(refuse, outside):
    await refuse(REFUSED["23514"])
    assert await outside.fetchval("SELECT count(*) FROM account") == 0


async def test_an_application_names_its_own_sqlstate(refuse):
    class Overbooked(errors.RaiseException, sqlstates=("BK001",)):
        """The application's own."""

    assert type(await refuse("DO $$ BEGIN RAISE 'full' USING ERRCODE = 'BK001'; END $$")) is Overbooked


def test_a_sqlstate_has_one_class():
    with pytest.raises(TypeError, match="23505 is UniqueViolation already"):
        type("Another", (errors.DatabaseError,), {}, sqlstates=("23505",))


async def test_an_error_in_the_middle_of_streamed_rows_is_named(db):
    with pytest.raises(errors.DivisionByZero):
        async with db.writing() as session:
            async for _ in await session.stream(text("SELECT 1 / (500 - n) FROM generate_series(1, 1000) AS n")):
                pass


async def test_a_constraint_that_waits_for_the_commit_is_named(db):
    with pytest.raises(errors.ForeignKeyViolation) as caught:
        async with db.writing() as session:
            await session.execute(
                text("ALTER TABLE entry ALTER CONSTRAINT fk_entry_account_id_account DEFERRABLE INITIALLY DEFERRED")
            )
            await session.execute(text("INSERT INTO entry (account_id, note) VALUES (9, '')"))
    assert caught.value.constraint == "fk_entry_account_id_account"
