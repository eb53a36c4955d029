"""Records that meet the rows that they are about: refused, skipped, or the rows updated or replaced."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import CheckConstraint, Column, Integer, MetaData, String, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dal import Database, Repository
from dal.copy import Conflict, copy_in
from dal.errors import CheckViolation, CopyError, UniqueViolation


class Base(DeclarativeBase):
    pass


class Price(Base):
    __tablename__ = "merge_price"
    __table_args__ = (UniqueConstraint("code", name="one_code"), CheckConstraint("cents >= 0", name="not_negative"))
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    code: Mapped[str | None]
    cents: Mapped[int]
    version: Mapped[int] = mapped_column(default=1)
    touched: Mapped[int] = mapped_column(server_default="0", onupdate=7)


class Prices(Repository[Price]):
    pass


@pytest.fixture
async def db(database_url):
    async with Database(database_url) as db:
        async with db.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
            await connection.exec_driver_sql(
                "INSERT INTO merge_price (id, code, cents, version) "
                "SELECT n, 'c' || n, 10 * n, 1 FROM generate_series(1, 3) n"
            )
        yield db


def _price(number, cents, **more):
    return {"id": number, "code": f"c{number}", "cents": cents} | more


async def _cents(outside):
    return {row["id"]: row["cents"] for row in await outside.fetch("SELECT id, cents FROM merge_price")}


async def test_a_row_that_is_there_fails_the_load(db, outside):
    with pytest.raises(UniqueViolation, match="it is record 2"):
        await Prices(db).copy_in([_price(9, 1), _price(1, 1)])
    assert await _cents(outside) == {1: 10, 2: 20, 3: 30}


async def test_a_row_that_is_there_may_stay(db, outside):
    report = await Prices(db).copy_in([_price(9, 1), _price(1, 1)], on_conflict="skip")
    assert (report.rows, report.updated, report.skipped) == (1, 0, 1)
    assert await _cents(outside) == {1: 10, 2: 20, 3: 30, 9: 1}


async def test_a_row_that_is_there_may_take_the_records_values(db, outside):
    report = await Prices(db).copy_in([_price(9, 1), _price(1, 1)], on_conflict="update")
    assert (report.rows, report.updated, report.skipped) == (1, 1, 0)
    assert await _cents(outside) == {1: 1, 2: 20, 3: 30, 9: 1}


async def test_only_the_columns_that_are_named_are_updated_and_those_that_say_so_themselves(db, outside):
    await Prices(db).copy_in([_price(1, 1, version=5)], on_conflict=Conflict("update", update=["cents"]))
    row = await outside.fetchrow("SELECT cents, version, touched FROM merge_price WHERE id = 1")
    assert tuple(row) == (1, 1, 7)


async def test_rows_of_which_the_condition_is_not_true_are_left_alone(db, outside):
    newer = Conflict("update", where=lambda new: new.c.version > Price.version)
    records = [_price(1, 1, version=2), _price(2, 2, version=1), _price(9, 9, version=1)]
    report = await Prices(db).copy_in(records, on_conflict=newer)
    assert (report.rows, report.updated, report.skipped) == (1, 1, 1)
    assert await _cents(outside) == {1: 1, 2: 20, 3: 30, 9: 9}


async def test_another_unique_key_may_decide(db, outside):
    report = await Prices(db).copy_in([{"id": 50, "code": "c2", "cents": 5}], on_conflict=Conflict("skip", on=["code"]))
    assert (report.rows, report.skipped) == (0, 1)
    by_code = Conflict("update", on=["code"], update=["cents"])
    await Prices(db).copy_in([{"id": 50, "code": "c2", "cents": 5}], on_conflict=by_code)
    assert await _cents(outside) == {1: 10, 2: 5, 3: 30}


@pytest.mark.parametrize(("duplicates", "cents"), [("last", 3), ("first", 1)])
@pytest.mark.parametrize("action", ["skip", "update"])
async def test_of_records_with_one_key_one_counts(db, outside, action, duplicates, cents):
    records = [_price(9, 1), _price(8, 5), _price(9, 2), _price(9, 3)]
    report = await Prices(db).copy_in(records, on_conflict=Conflict(action, duplicates=duplicates))
    assert (report.rows, report.skipped) == (2, 2)
    assert (await _cents(outside))[9] == cents


async def test_two_records_with_one_key_may_fail_the_load(db, outside):
    with pytest.raises(CopyError, match="records 1 and 3 have the same key"):
        await Prices(db).copy_in(
            [_price(9, 1), _price(8, 5), _price(9, 2)], on_conflict=Conflict("update", duplicates="error")
        )
    assert await _cents(outside) == {1: 10, 2: 20, 3: 30}


async def test_keys_that_are_null_are_not_the_same(db, outside):
    records = [{"id": 7, "code": None, "cents": 1}, {"id": 8, "code": None, "cents": 2}]
    report = await Prices(db).copy_in(records, on_conflict=Conflict("update", on=["code"]))
    assert report.rows == 2
    assert len(await _cents(outside)) == 5


async def test_a_merge_may_reject(db, outside):
    records = [_price(1, -1), _price(2, 5), _price(9, 9), _price(10, "x"), {"id": 11, "code": "c3", "cents": 1}]
    report = await Prices(db).copy_in(records, on_conflict="update", on_error="reject")
    assert (report.rows, report.updated, report.rejected) == (1, 1, 3)
    found = {each.record: (each.sqlstate, each.constraint) for each in report.rejects}
    assert found == {1: ("23514", "not_negative"), 4: ("22P02", None), 5: ("23505", "one_code")}
    assert await _cents(outside) == {1: 10, 2: 5, 3: 30, 9: 9}


async def test_a_table_is_replaced_and_nobody_sees_it_empty(db, outside):
    await outside.execute("SELECT 1")
    seen = []

    async def look():
        while True:
            seen.append(await outside.fetchval("SELECT count(*) FROM merge_price"))

    looking = asyncio.create_task(look())
    await Prices(db).copy_in([_price(number, 1) for number in range(1, 2001)], on_conflict="replace")
    count = await outside_count(looking, seen)
    assert set(seen) <= {3, 2000}
    assert count == 2000


async def outside_count(looking, seen):
    """Wait for one more look, and give what was seen last."""
    before = len(seen)
    while len(seen) < before + 2:  # noqa: ASYNC110 # the task that looks is not to be told of it
        await asyncio.sleep(0)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    return seen[-1]


async def test_a_replacement_that_fails_leaves_what_was_there(db, outside):
    with pytest.raises(CopyError):
        await Prices(db).copy_in([_price(1, "x")], on_conflict="replace")
    assert await _cents(outside) == {1: 10, 2: 20, 3: 30}


REFUSED = {
    "an action": (lambda: "merge", "on_conflict= is one of error, skip, update, replace, append_only_new, not 'merge'"),
    "what to update": (lambda: Conflict("skip", update=["cents"]), "update= and where= are for on_conflict='update'"),
    "duplicates": (lambda: Conflict("update", duplicates="any"), "duplicates= is one of last"),  # type: ignore[arg-type] # wrong
    "an unknown key": (lambda: Conflict("update", on=["colour"]), "name 'colour', which the records do not bring"),
    "a column that is not brought": (
        lambda: Conflict("update", update=["touched"]),
        "name 'touched', which the records",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_asked_is_refused(db, case):
    make, message = REFUSED[case]
    with pytest.raises(CopyError, match=message):
        await Prices(db).copy_in([_price(1, 1)], on_conflict=make())


async def test_a_table_without_a_key_says_so(db):
    table = Table("keyless", MetaData(), Column("id", Integer))
    async with db.begin() as session:
        await session.run_sync(lambda session: table.create(session.connection()))
        with pytest.raises(CopyError, match="has no primary key: name the columns"):
            await copy_in(session, table, [(1,)], on_conflict="skip")


RECORDS = st.lists(st.tuples(st.integers(1, 6), st.integers(-2, 30)), max_size=30)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=RECORDS, action=st.sampled_from(["skip", "update"]), duplicates=st.sampled_from(["last", "first"]))
async def test_a_merge_is_what_one_insert_after_the_other_gives(db, records, action, duplicates):
    """Keep a dict as the table, and do to it what is asked."""
    async with db.engine.begin() as connection:
        await connection.exec_driver_sql("TRUNCATE merge_price")
        await connection.exec_driver_sql("INSERT INTO merge_price (id, cents, version) VALUES (1, 100, 1), (2, 200, 1)")
    chosen = dict(records if duplicates == "last" else reversed(records))
    good = {key: cents for key, cents in chosen.items() if cents >= 0}
    before = {1: 100, 2: 200}
    sources = [{"id": key, "cents": cents} for key, cents in records]
    conflict = Conflict(action, duplicates=duplicates)
    # A CHECK is looked at before it is known that the row is there.
    if len(good) < len(chosen):
        with pytest.raises(CheckViolation):
            await Prices(db).copy_in(sources, on_conflict=conflict)
    report = await Prices(db).copy_in(sources, on_conflict=conflict, on_error="reject")
    assert report.rows + report.updated + report.skipped + report.rejected == len(records)
    assert report.rejected == len(chosen) - len(good)
    async with db.engine.begin() as connection:
        rows = (await connection.exec_driver_sql("SELECT id, cents FROM merge_price")).all()
    assert dict(map(tuple, rows)) == (before | good if action == "update" else good | before)


class Host(Base):
    __tablename__ = "merge_host"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    address: Mapped[Any] = mapped_column(INET)
    name: Mapped[str | None] = mapped_column(String(5))


class Hosts(Repository[Host]):
    pass


async def test_a_merge_of_columns_without_a_binary_form_may_reject(db, outside):
    await Hosts(db).copy_in([(1, "10.0.0.1", None)])
    records = [(1, "10.0.0.2", "a"), (2, "10.0.0", None), (3, "::1", "too long"), (4, "::2", "b")]
    report = await Hosts(db).copy_in(records, on_conflict="update", on_error="reject")
    assert (report.rows, report.updated, report.rejected) == (1, 1, 2)
    assert [(each.record, each.sqlstate, each.column) for each in report.rejects] == [
        (2, "22P02", "address"),
        (3, "22001", None),
    ]
    assert [row[0] for row in await outside.fetch("SELECT id FROM merge_host ORDER BY id")] == [1, 4]


async def test_a_merge_of_texts_that_are_too_long_may_reject(db):
    records = [{"id": 1, "address": "::1", "name": "four"}, {"id": 2, "address": "::1", "name": "fiveandmore"}]
    report = await Hosts(db).copy_in(records, on_conflict="skip", on_error="reject")
    assert (report.rows, report.rejected) == (1, 1)


async def test_the_report_is_a_table_of_what_was_done_and_where_the_time_went(db):
    records = [_price(1, 1), _price(9, 9), _price(10, "x")]
    report = await Prices(db).copy_in(records, on_conflict="update", on_error="reject")
    assert set(report.phases) == {"copy", "judge", "publish"}
    assert sum(report.phases.values()) <= report.seconds
    lines = str(report).splitlines()
    assert lines[0].split() == ["rows", "1"]
    assert lines[1].split() == ["updated", "1"]
    assert lines[-1].startswith("record 3: ")
