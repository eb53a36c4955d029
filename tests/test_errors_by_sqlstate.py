"""A statement that the server refuses becomes the error of its SQLSTATE."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import exc, select, text

from dal import Database, errors
from dal.demo.models import Region
from tests.models import Account

ALICE = {"id": 1, "owner": "alice", "balance": 5}

# SQLSTATE: a statement that brings it about, dal's class, SQLAlchemy's class.
REFUSED = {
    "23505": ("INSERT INTO account VALUES (2, 'alice', 0)", errors.UniqueViolation, exc.IntegrityError),
    "23503": ("INSERT INTO entry (account_id, note) VALUES (9, '')", errors.ForeignKeyViolation, exc.IntegrityError),
    "23502": ("INSERT INTO account VALUES (2, NULL, 0)", errors.NotNullViolation, exc.IntegrityError),
    "23514": ("UPDATE account SET balance = -1", errors.CheckViolation, exc.IntegrityError),
    "23P01": (
        "INSERT INTO booking (id, hours) VALUES (1, '[9,11)'), (2, '[10,12)')",
        errors.ExclusionViolation,
        exc.IntegrityError,
    ),
    "22P02": ("SELECT cast(owner AS integer) FROM account", errors.DataException, exc.DataError),
    "22012": ("SELECT 1 / (balance - 5) FROM account", errors.DataException, exc.DataError),
    "42P01": ("SELECT * FROM nowhere", errors.UndefinedTable, exc.ProgrammingError),
    "42601": ("SELEKT", errors.StatementRefused, exc.ProgrammingError),
    "57014": ("SELECT pg_sleep(30)", errors.QueryCanceled, exc.OperationalError),
    "P0001": ("DO $$ BEGIN RAISE 'no' ; END $$", errors.DatabaseError, exc.DBAPIError),
}

# The same, where the server names what was violated.
VIOLATED = {
    "23505": ("uq_account_owner", "account", None),
    "23503": ("fk_entry_account_id_account", "entry", None),
    "23502": (None, "account", "owner"),
    "23514": ("ck_account_balance_not_negative", "account", None),
    "23P01": ("booking_one_at_a_time", "booking", None),
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


@pytest.mark.parametrize("sqlstate", REFUSED)
async def test_sqlstate_becomes_its_class(refuse, sqlstate):
    statement, kind, _ = REFUSED[sqlstate]
    error = await refuse(statement)
    assert (type(error), error.sqlstate) == (kind, sqlstate)


@pytest.mark.parametrize("sqlstate", REFUSED)
async def test_sqlalchemys_own_class_still_catches(refuse, sqlstate):
    statement, _, kind = REFUSED[sqlstate]
    assert isinstance(await refuse(statement), kind)


@pytest.mark.parametrize("sqlstate", VIOLATED)
async def test_what_was_violated_is_named(refuse, sqlstate):
    error = await refuse(REFUSED[sqlstate][0])
    assert (error.constraint, error.table, error.column) == VIOLATED[sqlstate]


@pytest.mark.parametrize("sqlstate", REFUSED)
async def test_the_message_is_one_line_with_the_sqlstate(refuse, sqlstate):
    message = str(await refuse(REFUSED[sqlstate][0]))
    assert f"(SQLSTATE {sqlstate})" in message
    assert "\n" not in message


async def test_a_missing_table_asks_for_the_migration(refuse):
    assert str(await refuse("SELECT * FROM nowhere")).endswith("Is the database migrated? alembic upgrade head")


async def test_the_servers_detail_is_kept_apart(refuse):
    error = await refuse(REFUSED["23505"][0])
    assert error.server_detail == "Key (owner)=(alice) already exists."


async def test_the_statement_is_kept(refuse):
    assert (await refuse("SELECT * FROM nowhere")).statement == "SELECT * FROM nowhere"


async def test_a_value_the_driver_refuses_is_a_data_exception(db):
    with pytest.raises(errors.DataException):
        async with db.reading() as session:
            await session.execute(text("SELECT cast(:number AS integer)"), {"number": "seven"})


async def test_a_privilege_that_is_missing(db):
    with pytest.raises(errors.InsufficientPrivilege) as caught:
        async with db.writing() as session:
            await session.execute(text("SET LOCAL ROLE pg_monitor"))
            await session.execute(select(Region))
    assert caught.value.sqlstate == "42501"


async def test_the_unit_of_the_refused_statement_is_over(refuse, outside):
    await refuse(REFUSED["23514"][0])
    assert await outside.fetchval("SELECT count(*) FROM account") == 0
