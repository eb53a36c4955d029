"""What a load does with tables of every kind, and records that are refused: nothing is lost, doubled or miscounted."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    Table,
    Text,
)

from dal import Database
from dal.copy import Conflict, Csv, Rejecting, copy_in
from dal.errors import CopyError
from tests.command import Command


def _table(name: str, *columns: Any) -> Table:
    return Table(name, MetaData(), Column("id", Integer, primary_key=True, autoincrement=False), *columns)


async def _created(db: Database, table: Table) -> Table:
    async with db.engine.begin() as connection:
        await connection.run_sync(table.metadata.create_all)
    return table


async def test_a_schema_translate_map_is_kept_to_or_refused(db, outside):
    table = await _created(db, _table("attacked_tenant"))
    await outside.execute("CREATE SCHEMA tenant; CREATE TABLE tenant.attacked_tenant (id int PRIMARY KEY)")
    async with db.begin() as session:
        await session.connection(execution_options={"schema_translate_map": {None: "tenant"}})
        with pytest.raises(CopyError, match="COPY knows no schema_translate_map"):
            await copy_in(session, table, [(1,)])
    assert await outside.fetchval("SELECT count(*) FROM public.attacked_tenant") == 0


async def test_a_file_is_not_overwritten_by_its_own_rejects(db, outside, tmp_path):
    table = await _created(db, _table("attacked_own", Column("words", Text)))
    file = tmp_path / "bad.csv"
    file.write_text("id,words\n" + "x\n" + "".join(f"{n},{'w' * 90}\n" for n in range(60_000)))
    with pytest.raises(CopyError, match=r"would overwrite .*bad\.csv, which is loaded"):
        await copy_in(db, table, file, on_error=Rejecting(file))


@pytest.mark.parametrize("name", ["state", "said", "detail", "column", "constraint"])
async def test_a_table_may_have_a_column_of_any_name_and_reject(db, tmp_path, name):
    table = await _created(db, _table("attacked_names", Column(name, Text), CheckConstraint("id > 0", name="positive")))
    to = tmp_path / "bad.ndjson"
    report = await copy_in(db, table, [{"id": 1, name: "a"}, {"id": -1, name: "b"}], on_error=Rejecting(to))
    (found,) = report.rejects
    assert (found.sqlstate, found.constraint, found.column) == ("23514", "positive", None)
    assert "violates check constraint" in found.reason
    assert json.loads(to.read_text()) == {"id": "-1", name: "b"}


@pytest.mark.parametrize("on_conflict", ["error", "skip", "update"])
async def test_an_identity_that_is_always_generated_is_loaded_every_way_or_none(db, outside, on_conflict):
    table = Table(
        "attacked_always",
        MetaData(),
        Column("id", Integer, Identity(always=True), primary_key=True),
        Column("n", Integer, CheckConstraint("n > 0")),
    )
    await _created(db, table)
    records = [{"id": 1, "n": 1}, {"id": 2, "n": -1}, {"id": 3, "n": 3}]
    report = await copy_in(db, table, records, on_conflict=on_conflict, on_error="reject")
    assert (report.rows, report.rejected) == (2, 1)


_REFUSING = """
CREATE FUNCTION attacked_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF NEW.n = 13 THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON attacked_kept FOR EACH ROW EXECUTE FUNCTION attacked_refuse()
"""


@pytest.mark.parametrize("on_error", ["abort", "reject"])
@pytest.mark.parametrize("on_conflict", ["error", "skip", "update"])
async def test_rows_that_a_trigger_leaves_out_are_not_counted(db, outside, on_conflict, on_error):
    table = await _created(db, _table("attacked_kept", Column("n", Integer)))
    await outside.execute(_REFUSING)
    report = await copy_in(db, table, [(1, 1), (2, 13), (3, 3)], on_conflict=on_conflict, on_error=on_error)
    assert report.rows == await outside.fetchval("SELECT count(*) FROM attacked_kept")


@pytest.mark.parametrize("on_error", ["abort", "reject"])
@pytest.mark.parametrize("duplicates", ["first", "last"])
async def test_which_of_the_duplicates_counts_is_settled_before_the_condition(db, outside, duplicates, on_error):
    table = await _created(db, _table("attacked_first", Column("version", Integer)))
    await copy_in(db, table, [(1, 4)])
    newer = Conflict("update", where=lambda new: new.c.version > table.c.version, duplicates=duplicates)
    await copy_in(db, table, [(1, 3), (1, 5)], on_conflict=newer, on_error=on_error)
    assert await outside.fetchval("SELECT version FROM attacked_first") == (4 if duplicates == "first" else 5)


FORMS = {
    "delimiter": (Csv(delimiter=";"), "id;words\n1;a\nx;b,c\n"),
    "ragged": (Csv(delimiter=";"), "id;words\n1;a\n2;b;c\n"),
    "null": (Csv(null="NA"), "id,words\n1,a\nx,NA\n"),
    "encoding": (Csv(encoding="cp1252"), "id,words\n1,a\nx,Größe\n"),
    "quote": (Csv(quote="'"), "id,words\n1,a\nx,'b,c'\n"),
    "header": (Csv(header=["id", "words"]), "1,a\nx,b\n"),
    "dates": (Csv(dates={"day": "%d.%m.%Y"}), "id,day\n1,01.02.2024\n-1,03.02.2024\n"),
    "moments": (Csv(dates={"moment": "%d.%m.%Y"}), "id,moment\n1,01.02.2024\n-1,03.02.2024\n"),
}


@pytest.mark.parametrize("name", FORMS)
async def test_what_is_rejected_is_in_the_form_of_the_source(db, outside, tmp_path, name):
    form, text = FORMS[name]
    table = await _created(
        db,
        _table(
            "attacked_form",
            Column("words", Text),
            Column("day", DateTime(timezone=False)),
            Column("moment", DateTime(timezone=True)),
            CheckConstraint("id > 0"),
        ),
    )
    source, bad = tmp_path / "a.csv", tmp_path / "bad.csv"
    source.write_text(text, encoding=form.encoding)
    assert (await copy_in(db, table, source, form=form, on_error=Rejecting(bad))).rejected == 1
    mended = bad.read_text(encoding=form.encoding).replace("x", "7").replace("-1", "7").replace(";c", "")
    bad.write_text(mended, encoding=form.encoding)
    report = await copy_in(db, table, bad, form=form)
    assert report.rows == 1
    words = {"delimiter": "b,c", "ragged": "b", "null": None, "encoding": "Größe", "quote": "b,c", "header": "b"}
    assert await outside.fetchval("SELECT words FROM attacked_form WHERE id <> 1") == words.get(name)


async def test_records_that_the_server_reads_are_committed_on_the_way_too(db, tmp_path):
    table = await _created(db, _table("attacked_parts", Column("moment", DateTime(timezone=True))))
    file = tmp_path / "a.csv"
    file.write_text("id,moment\n" + "".join(f"{n},2024-02-01 12:00:00\n" for n in range(60_000)))
    seen: set[int] = set()
    await copy_in(db, table, file, commit_every=10_000, on_progress=lambda progress: seen.add(progress.committed))
    assert len(seen) > 2


_PICKY = """
CREATE FUNCTION attacked_picky() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF NEW.n = 13 THEN RAISE 'not this' USING ERRCODE = '23514'; END IF; RETURN NEW; END $$;
CREATE TRIGGER picky BEFORE INSERT ON attacked_tree FOR EACH ROW EXECUTE FUNCTION attacked_picky()
"""


async def test_a_record_whose_parent_comes_later_is_not_rejected_for_anothers_fault(db, outside):
    table = _table("attacked_tree", Column("parent", Integer, ForeignKey("attacked_tree.id")), Column("n", Integer))
    await _created(db, table)
    await outside.execute(_PICKY)
    records = [(1, 4, 1), (2, None, 13), (3, None, 3), (4, None, 4)]
    report = await copy_in(db, table, records, on_error="reject")
    assert [each.record for each in report.rejects] == [2]


async def test_a_constraint_that_may_wait_and_was_told_to_rejects(db, outside):
    await outside.execute(
        "CREATE TABLE attacked_told (id int PRIMARY KEY, n int, CONSTRAINT attacked_told_n UNIQUE (n) DEFERRABLE)"
    )
    table = _table("attacked_told", Column("n", Integer))
    async with db.begin() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("SET CONSTRAINTS ALL DEFERRED")
        report = await copy_in(session, table, [(1, 1), (2, 1), (3, 3)], on_error="reject")
        assert (report.rows, report.rejected) == (2, 1)


async def test_a_reject_file_beside_its_reasons_overwrites_no_source(database_url, db, outside, tmp_path):
    await _created(db, _table("attacked_reasons", Column("record", Integer)))
    source = tmp_path / "bad.csv.reasons.ndjson"
    source.write_text('{"id": 1, "record": 1}\n{"id": "x", "record": 2}\n')
    before = source.read_text()
    Command(database_url, tmp_path)("load", source.name, "--table", "attacked_reasons", "--rejects", "bad.csv")
    assert source.read_text() == before


async def test_a_rule_does_the_same_to_every_record(db, outside):
    table = await _created(db, _table("attacked_rule", Column("n", Integer, CheckConstraint("n > 0"))))
    await outside.execute(
        "CREATE TABLE attacked_elsewhere (LIKE attacked_rule); "
        "CREATE RULE attacked_moved AS ON INSERT TO attacked_rule "
        "DO INSTEAD INSERT INTO attacked_elsewhere VALUES (NEW.*)"
    )
    with pytest.raises(CopyError, match="attacked_rule has rules for INSERT, which COPY passes by"):
        await copy_in(db, table, [(1, 1), (2, -1), (3, 3)], on_error="reject")
    assert (await copy_in(db, table, [(1, 1)])).rows == await outside.fetchval("SELECT count(*) FROM attacked_rule")


async def test_null_keys_that_are_the_same_are_duplicates(db, outside):
    if await outside.fetchval("SHOW server_version_num") < "150000":
        pytest.skip("NULLS NOT DISTINCT came with 15")
    await outside.execute("CREATE TABLE attacked_nulls (id int PRIMARY KEY, n int, UNIQUE NULLS NOT DISTINCT (n))")
    table = _table("attacked_nulls", Column("n", Integer))
    report = await copy_in(db, table, [(1, None), (2, None)], on_conflict=Conflict("update", on=["n"]))
    assert (report.rows, report.skipped) == (1, 1)


async def test_memory_stays_flat_where_the_server_reads_the_records(db, tmp_path):
    table = await _created(db, _table("attacked_flat", Column("moment", DateTime(timezone=True))))
    file = tmp_path / "a.csv"
    file.write_text("id,moment\n" + "".join(f"{n},2024-02-01 12:00:00\n" for n in range(150_000)))
    tracemalloc.start()
    try:
        await copy_in(db, table, file)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 20 << 20
