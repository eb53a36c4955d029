"""Bound values and values of rows are shown by no error, unless somebody asks for them."""

import dataclasses
import pickle
import traceback

import pytest
from sqlalchemy import text

from dal import Database, DatabaseConfig, PoolConfig
from dal.errors import DatabaseError, InsufficientPrivilege, RaiseException
from tests.models import Account, Accounts

SECRET = "s3cret"
SECRET_NUMBER = 73577357

# Each sends a secret, and the server (or the driver) refuses it.
REVEALING = {
    "server conversion": ("SELECT cast(cast(:value AS text) AS integer)", {"value": SECRET}),
    "driver conversion": ("SELECT cast(:value AS integer)", {"value": SECRET}),
    "unique key": (
        "INSERT INTO account VALUES (1, cast(:value AS text), 0), (2, cast(:value AS text), 0)",
        {"value": SECRET},
    ),
    "foreign key": ("INSERT INTO entry (account_id, note) VALUES (:value, '')", {"value": SECRET_NUMBER}),
    "check": ("INSERT INTO account VALUES (1, cast(:value AS text), -1)", {"value": SECRET}),
    "name of a table": ("SELECT cast(cast(:value AS text) AS regclass)", {"value": SECRET}),
    "name of a sequence": ("SELECT nextval(cast(:value AS text))", {"value": SECRET}),
    "name of a role": ("SELECT cast(cast(:value AS text) AS regrole)", {"value": SECRET}),
    "name of a setting": ("SELECT current_setting(cast(:value AS text))", {"value": SECRET}),
    "one of a list": ("SELECT cast(name AS regclass) FROM unnest(cast(:value AS text[])) AS name", {"value": [SECRET]}),
    "value of a setting": ("SELECT set_config('work_mem', cast(:value AS text), true)", {"value": SECRET}),
    "JSON": ("SELECT cast(cast(:value AS text) AS jsonb)", {"value": SECRET}),
    "date": ("SELECT cast(cast(:value AS text) AS date)", {"value": SECRET}),
    "regular expression": ("SELECT 'a' ~ cast(:value AS text)", {"value": f"{SECRET}("}),
    "exclusion": (
        "INSERT INTO booking SELECT n, int4range(:value, NULL) FROM generate_series(1, 2) AS n",
        {"value": SECRET_NUMBER},
    ),
    "syntax": ("SELECT cast(:value AS text) FROM nowhere", {"value": SECRET}),
}


async def _refused(db, statement, values):
    with pytest.raises(DatabaseError) as caught:
        async with db.writing() as session:
            await session.execute(text(statement), values)
    return caught.value


def _reveals(shown, values):
    value = values["value"]
    return str(value[0] if isinstance(value, list) else value) in shown


@pytest.mark.parametrize("case", REVEALING)
async def test_no_bound_value_is_in_an_error(db, case):
    statement, values = REVEALING[case]
    error = await _refused(db, statement, values)
    assert not _reveals(f"{error} {error!r} {error.args}", values)


@pytest.mark.parametrize("case", REVEALING)
async def test_no_bound_value_is_in_a_logged_traceback(db, case):
    statement, values = REVEALING[case]
    error = await _refused(db, statement, values)
    assert not _reveals("".join(traceback.format_exception(error)), values)


@pytest.mark.parametrize("case", REVEALING)
async def test_no_bound_value_is_in_a_pickle(db, case):
    statement, values = REVEALING[case]
    error = await _refused(db, statement, values)
    assert not _reveals(pickle.dumps(error).decode(errors="replace"), values)


@pytest.mark.parametrize("case", REVEALING)
async def test_no_bound_value_is_in_what_is_under_an_error(db, case):
    statement, values = REVEALING[case]
    error, shown = await _refused(db, statement, values), []
    cause = error.orig
    while cause is not None:
        shown += [f"{cause} {cause!r} {vars(cause)}"]
        cause = cause.__cause__ or cause.__context__
    assert len(shown) > 1
    assert not _reveals(" ".join(shown), values)


async def test_no_row_that_a_view_does_not_let_in_is_in_an_error(db):
    with pytest.raises(DatabaseError) as caught:
        async with db.writing() as session:
            await session.execute(
                text("CREATE TEMP VIEW v AS SELECT * FROM account WHERE balance < 0 WITH CHECK OPTION")
            )
            await session.execute(text("INSERT INTO v VALUES (1, cast(:owner AS text), 1)"), {"owner": SECRET})
    shown = "".join(traceback.format_exception(caught.value)) + repr(pickle.dumps(caught.value))
    assert caught.value.sqlstate == "44000"
    assert SECRET not in shown


async def test_the_words_that_a_function_raises_are_the_applications_own(db):
    with pytest.raises(RaiseException, match="order 7 is closed") as caught:
        await db.execute_script(f"DO $$ BEGIN RAISE 'order % is closed', 7 USING DETAIL = '{SECRET}'; END $$")
    assert SECRET not in f"{caught.value} {caught.value!r}"
    assert caught.value.server_detail == SECRET


async def test_the_detail_of_a_right_that_a_function_denies_is_not_shown(db):
    with pytest.raises(InsufficientPrivilege) as caught:
        await db.execute_script(f"DO $$ BEGIN RAISE 'not yours' USING ERRCODE = '42501', DETAIL = '{SECRET}'; END $$")
    assert SECRET not in f"{caught.value} {caught.value!r}"


async def test_a_copy_reveals_no_line_of_its_source(db):
    async def source():
        yield f"1\t{SECRET}\t{SECRET}\n".encode()

    with pytest.raises(DatabaseError) as caught:
        async with db.checkout() as driver:
            await driver.copy_to_table("account", source=source())
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + str(vars(caught.value.orig))


async def test_no_value_of_an_entity_is_in_an_error(db):
    with pytest.raises(DatabaseError) as caught:
        await Accounts(db).add(Account(id=1, owner=SECRET, balance=-1))
    assert SECRET not in f"{caught.value} {caught.value!r}"


async def test_no_value_of_a_script_is_in_an_error(db):
    with pytest.raises(DatabaseError) as caught:
        await db.execute_script(f"SELECT '{SECRET}'::integer")
    assert SECRET not in f"{caught.value} {caught.value!r}"


async def test_bound_values_show_when_asked_for(database_url):
    config = DatabaseConfig.from_url(database_url, pool=PoolConfig(size=1))
    async with Database(dataclasses.replace(config, hide_parameters=False)) as db:
        error = await _refused(db, *REVEALING["server conversion"])
    assert SECRET in str(error)
