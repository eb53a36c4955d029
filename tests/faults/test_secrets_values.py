"""No bound value, and no value of a row, is in what any door to the server fails of.

Each door is given the same three refusals: a key that is there, a row that a CHECK refuses, a value of another type.
What is looked at is all that is printed of an error, and of those under it: with attributes, notes and pickles.
"""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, select, text, update

from dal import Database, UnitOfWork
from dal.copy import Rejecting
from dal.errors import DALError
from dal.transaction import Retry
from tests.models import Account, Accounts

SECRET = "s3cret-of-alice"
NUMBER = 73577357
REFUSED: dict[str, dict[str, Any]] = {
    "a key that is there": {"id": 2, "owner": SECRET, "balance": 1},
    "a row that a CHECK refuses": {"id": NUMBER, "owner": f"not {SECRET}", "balance": -NUMBER},
    "a value of another type": {"id": 3, "owner": "carol", "balance": SECRET},
}
# What no row can be refused for, but a condition.
ASKED: dict[str, Any] = {"text for a number": SECRET, "too large a number": NUMBER**3}


@dataclass
class Card:
    """What is read of an account."""

    owner: str


async def _unit(db: Database, row: dict[str, Any]) -> None:
    async with UnitOfWork(db) as unit:
        unit.session.add(Account(**row))


async def _core(db: Database, row: dict[str, Any]) -> None:
    async with db.writing() as session:
        await session.execute(insert(Account), [row])


async def _driver(db: Database, row: dict[str, Any]) -> None:
    async with db.checkout() as driver:
        await driver.execute("INSERT INTO account (id, owner, balance) VALUES ($1, $2, $3)", *row.values())


async def _driver_many(db: Database, row: dict[str, Any]) -> None:
    async with db.checkout() as driver:
        await driver.executemany("INSERT INTO account (id, owner, balance) VALUES ($1, $2, $3)", [[*row.values()]])


async def _driver_copy(db: Database, row: dict[str, Any]) -> None:
    async with db.checkout() as driver:
        await driver.copy_records_to_table("account", records=[tuple(row.values())], columns=[*row])


async def _script(db: Database, row: dict[str, Any]) -> None:
    await db.execute_script(f"INSERT INTO account VALUES ({row['id']}, '{row['owner']}', '{row['balance']}')")


async def _run_again(db: Database, row: dict[str, Any]) -> None:
    async def work(unit: UnitOfWork) -> None:
        unit.session.add(Account(**row))

    await db.run(work, UnitOfWork, retry=Retry(attempts=2))


async def _savepoint(db: Database, row: dict[str, Any]) -> None:
    async with UnitOfWork(db) as unit, unit.session.begin_nested():
        await unit.session.execute(insert(Account).values(**row))


WRITES: dict[str, Callable[[Database, dict[str, Any]], Awaitable[object]]] = {
    "add": lambda db, row: Accounts(db).add(Account(**row)),
    "a unit of work": _unit,
    "a session": _core,
    "a savepoint": _savepoint,
    "db.run": _run_again,
    "insert_many": lambda db, row: Accounts(db).insert_many([row]),
    "upsert_many": lambda db, row: Accounts(db).upsert_many([row]),
    "copy_in of objects": lambda db, row: Accounts(db).copy_in([row]),
    "copy_in, upserting": lambda db, row: Accounts(db).copy_in([row], on_conflict="update"),
    "copy_in, rejecting none": lambda db, row: Accounts(db).copy_in([row], on_error=Rejecting(at_most=0)),
    "the driver": _driver,
    "the driver's executemany": _driver_many,
    "the driver's COPY": _driver_copy,
    "a script": _script,
}


async def _streamed(db: Database, value: Any) -> None:
    async with Accounts(db).stream(Account.id == value) as rows:
        async for _ in rows:
            pass


async def _fetched(db: Database, value: Any) -> None:
    async with db.checkout() as driver:
        await driver.fetch("SELECT * FROM account WHERE id = $1", value)


async def _updated(db: Database, value: Any) -> None:
    async with db.writing() as session:
        await session.execute(update(Account).where(Account.id == bindparam("which")), {"which": value, "balance": 1})


READS: dict[str, Callable[[Database, Any], Awaitable[object]]] = {
    "list": lambda db, value: Accounts(db).list(Account.id == value),
    "list into": lambda db, value: Accounts(db).list(Account.id == value, into=Card),
    "get": lambda db, value: Accounts(db).get(value),
    "get into": lambda db, value: Accounts(db).get(value, into=Card),
    "get_many into": lambda db, value: Accounts(db).get_many([value], into=Card),
    "count": lambda db, value: Accounts(db).count(Account.id == value),
    "page": lambda db, value: Accounts(db).page(Account.id == value, limit=1),
    "json": lambda db, value: Accounts(db).json(Account.id == value, into=Card),
    "stream": _streamed,
    "select_into": lambda db, value: db.select_into(int, select(Account.id).where(Account.id == value)),
    "select_into of a text": lambda db, value: db.select_into(
        int, text("SELECT id FROM account WHERE id = cast(:v AS int)"), {"v": value}
    ),
    "delete_where": lambda db, value: Accounts(db).delete_where(Account.id == value),
    "update_where": lambda db, value: Accounts(db).update_where({"balance": value}, Account.id == 1),
    "delete_many": lambda db, value: Accounts(db).delete_many([value]),
    "a session's update": _updated,
    "the driver's fetch": _fetched,
}


def _told(error: BaseException) -> str:
    told = ["".join(traceback.format_exception(error)), repr(pickle.dumps(error))]
    under, seen = [error], set()
    while under:
        each = under.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        known = {name: value for name, value in vars(each).items() if name != "server_detail" or each is not error}
        told += [str(each), repr(each), repr(each.args), repr(known), repr(getattr(each, "__notes__", ""))]
        under += [one for one in (each.__cause__, each.__context__, getattr(each, "orig", None)) if one is not None]
    return "\n".join(told)


async def _failed(doing: Awaitable[object]) -> str:
    with pytest.raises((DALError, TypeError)) as caught:  # the latter is asyncpg's own, of a COPY of one's own
        await doing
    return _told(caught.value)


@pytest.fixture
async def accounts_db(db):
    """Lend a database with an account whose owner nobody else may have."""
    async with db.writing() as session:
        await session.execute(insert(Account).values(id=1, owner=SECRET, balance=0))
    return db


@pytest.mark.parametrize("refusal", REFUSED)
@pytest.mark.parametrize("door", WRITES)
async def test_a_write_that_is_refused_tells_no_value(accounts_db, door, refusal, caplog, capfd):
    told = await _failed(WRITES[door](accounts_db, REFUSED[refusal]))
    told += caplog.text + "".join(capfd.readouterr())
    assert SECRET not in told
    assert str(NUMBER) not in told


@pytest.mark.parametrize("refusal", ASKED)
@pytest.mark.parametrize("door", READS)
async def test_a_question_that_is_refused_tells_no_value(accounts_db, door, refusal, caplog, capfd):
    told = await _failed(READS[door](accounts_db, ASKED[refusal]))
    told += caplog.text + "".join(capfd.readouterr())
    assert SECRET not in told
    assert str(NUMBER**3) not in told
