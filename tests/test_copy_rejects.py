"""What cannot be loaded is left out, with the server's reason for each record, and the rest is loaded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint, insert
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dal import Database, Repository, UnitOfWork
from dal.copy import Rejecting
from dal.errors import CopyError


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "reject_shelf"
    id: Mapped[int] = mapped_column(primary_key=True)


class Jar(Base):
    __tablename__ = "reject_jar"
    __table_args__ = (
        CheckConstraint("grams > 0", name="grams_are_positive"),
        UniqueConstraint("label", name="one_label"),
    )
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey(Shelf.id))
    label: Mapped[str] = mapped_column(String(10))
    grams: Mapped[int]
    note: Mapped[Any | None] = mapped_column(JSONB)


class Host(Base):
    __tablename__ = "reject_host"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    address: Mapped[Any] = mapped_column(INET)


class Jars(Repository[Jar]):
    pass


class Hosts(Repository[Host]):
    pass


class Store(UnitOfWork):
    jars: Jars


@pytest.fixture
async def db(database_url):
    async with Database(database_url) as db:
        async with db.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
            await connection.exec_driver_sql("INSERT INTO reject_shelf SELECT generate_series(1, 10)")
        yield db


def _jar(number, **more):
    return {"id": number, "shelf_id": 1, "label": f"jar {number}", "grams": 5} | more


BAD = {
    "a null": ({"label": None}, "23502", "label", None),
    "a check": ({"grams": 0}, "23514", None, "grams_are_positive"),
    "a foreign key": ({"shelf_id": 77}, "23503", None, "reject_jar_shelf_id_fkey"),
    "a unique": ({"label": "jar 1"}, "23505", None, "one_label"),
    "the key": ({"id": 2}, "23505", None, "reject_jar_pkey"),
    "too long": ({"label": "a label of more than ten"}, "22001", None, None),
    "out of range": ({"grams": 2**40}, "22003", "grams", None),
    "no number": ({"grams": "many"}, "22P02", "grams", None),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_record_is_rejected_with_the_servers_reason(db, outside, case):
    fields, sqlstate, column, constraint = BAD[case]
    records = [_jar(1), _jar(2), _jar(3, **fields), _jar(4)]
    report = await Jars(db).copy_in(records, on_error="reject")
    assert (report.rows, report.rejected) == (3, 1)
    (rejected,) = report.rejects
    assert (rejected.record, rejected.sqlstate, rejected.column, rejected.constraint) == (
        3,
        sqlstate,
        column,
        constraint,
    )
    assert await outside.fetch("SELECT id FROM reject_jar ORDER BY id") == [(1,), (2,), (4,)]


async def test_every_record_of_many_is_judged_by_itself(db, outside):
    cases = list(BAD.values())
    records = [_jar(number, **(cases[number % 8][0] if number % 50 == 3 else {})) for number in range(1, 20_001)]
    report = await Jars(db).copy_in(records, on_error="reject")
    bad = [number for number in range(1, 20_001) if number % 50 == 3]
    assert report.rows + report.rejected == 20_000
    assert report.rejected == len(bad)
    rows = await outside.fetch("SELECT id FROM reject_jar")
    assert {row["id"] for row in rows} == set(range(1, 20_001)) - set(bad)


async def test_a_unit_of_work_goes_on_after_a_rejected_load(db, outside):
    async with Store(db) as store:
        await store.jars.copy_in([_jar(1), _jar(2, grams=-1)], on_error="reject")
        await store.jars.add(Jar(**_jar(3)))
    assert await outside.fetch("SELECT id FROM reject_jar ORDER BY id") == [(1,), (3,)]


async def test_what_is_rejected_goes_to_a_file_with_its_reasons(db, tmp_path):
    to = tmp_path / "bad.csv"
    records = [_jar(1), _jar(2, grams=-1), _jar(3, label=None), (1, 2), _jar(4, grams="x,y")]
    await Jars(db).copy_in(records, on_error=Rejecting(to))
    reasons = [json.loads(line) for line in (tmp_path / "bad.csv.reasons.ndjson").read_text().splitlines()]
    assert sorted(each["record"] for each in reasons) == [2, 3, 4, 5]
    lines = to.read_text().splitlines()
    assert lines[0] == '"id","shelf_id","label","grams"'
    assert set(lines[1:]) == {'"2","1","jar 2","-1"', '"3","1",,"5"', "tuple", '"4","1","jar 4","x,y"'}


async def test_what_is_rejected_goes_to_a_table_of_the_same_transaction(db, outside):
    records = [_jar(1), _jar(2, grams=-1), _jar(4, grams="x\0y"), (1, 2)]
    with pytest.raises(RuntimeError):
        async with Store(db) as store:
            await store.jars.copy_in(records, on_error=Rejecting(table="public.reject_kept"))
            raise RuntimeError
    assert await outside.fetchval("SELECT to_regclass('reject_kept')") is None
    for _ in range(2):
        await Jars(db).copy_in(records, on_error=Rejecting(table="reject_kept"), on_conflict="skip")
    rows = await outside.fetch("SELECT *, fields::text AS said FROM reject_kept ORDER BY rejected_at, record")
    assert [row["record"] for row in rows] == [2, 3, 4] * 2
    assert (rows[0]["target"], rows[0]["constraint"], rows[0]["sqlstate"]) == (
        "reject_jar",
        "grams_are_positive",
        "23514",
    )
    assert json.loads(rows[1]["said"])["grams"] == repr("x\0y")
    assert (rows[2]["said"], rows[2]["line"]) == (None, "tuple")


async def test_files_of_an_earlier_load_are_written_anew(db, tmp_path):
    rejecting = Rejecting(tmp_path / "bad.csv")
    await Jars(db).copy_in([_jar(1), _jar(2, grams=-1)], on_error=rejecting)
    await Jars(db).copy_in([_jar(3)], on_error=rejecting)
    assert (tmp_path / "bad.csv").read_text() == '"id","shelf_id","label","grams"\n'
    assert (tmp_path / "bad.csv.reasons.ndjson").read_text() == ""


async def test_what_is_loaded_is_not_overwritten_by_what_is_rejected(db, tmp_path):
    file = tmp_path / "jars.csv"
    file.write_text("id,label,grams\n1,a,1\n")
    with pytest.raises(CopyError, match=r"rejected records would overwrite .*jars\.csv, which is loaded"):
        await Jars(db).copy_in(tmp_path / "*.csv", on_error=Rejecting(file))


async def test_more_rejects_than_may_be_fail_the_load(db, outside):
    with pytest.raises(CopyError, match="2 records were rejected, and at most 1 may be: the last is record 3"):
        await Jars(db).copy_in([_jar(1), _jar(2, grams=-1), _jar(3, grams=-1)], on_error=Rejecting(at_most=1))
    assert await outside.fetchval("SELECT count(*) FROM reject_jar") == 0


async def test_columns_without_a_binary_form_are_judged_as_texts(db, outside):
    records = [{"id": 1, "address": "10.0.0.1"}, {"id": 2, "address": "10.0.0.1000"}, {"id": 3, "address": "::1"}]
    report = await Hosts(db).copy_in(records, on_error="reject")
    assert (report.rows, report.rejected, report.rejects[0].record, report.rejects[0].column) == (2, 1, 2, "address")


async def test_a_load_that_aborts_names_the_record_the_column_and_no_value(db):
    with pytest.raises(CopyError, match=r"^record 2, column 'grams': .*22P02.*Nothing was loaded\.$") as raised:
        await Jars(db).copy_in([_jar(1), _jar(2, grams="secret")])
    assert "secret" not in str(raised.value)


class Late(Base):
    __tablename__ = "reject_late"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shelf_id: Mapped[int] = mapped_column(ForeignKey(Shelf.id, deferrable=True, initially="DEFERRED"))


class Lates(Repository[Late]):
    pass


async def test_a_constraint_that_waits_for_the_commit_rejects_and_goes_on_waiting(db, outside):
    async with UnitOfWork(db) as unit:
        report = await Lates(unit).copy_in([(1, 1), (2, 77), (3, 3)], on_error="reject")
        assert (report.rows, report.rejected, report.rejects[0].record) == (2, 1, 2)
        await Lates(unit).copy_in([(4, 500)])
        await unit.session.execute(insert(Shelf).values(id=500))
    assert [row[0] for row in await outside.fetch("SELECT id FROM reject_late ORDER BY id")] == [1, 3, 4]
