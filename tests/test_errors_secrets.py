"""Bound values and values of rows are shown by no error, unless somebody asks for them."""

import dataclasses
import traceback

import pytest
from sqlalchemy import text

from dal import Database, DatabaseConfig, PoolConfig
from dal.errors import DatabaseError
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
    "syntax": ("SELECT cast(:value AS text) FROM nowhere", {"value": SECRET}),
}


async def _refused(db, statement, values):
    with pytest.raises(DatabaseError) as caught:
        async with db.writing() as session:
            await session.execute(text(statement), values)
    return caught.value


def _reveals(shown, values):
    return str(values["value"]) in shown


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
