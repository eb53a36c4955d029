"""What may be asked for around a load: indexes made again at the end, statistics, and what is new only."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Column, DateTime, ForeignKey, Index, Integer, MetaData, Table, Text, text

from dal import Database
from dal.copy import Conflict, copy_in
from dal.errors import CopyError, ForeignKeyViolation
from dal.telemetry import StatementLog

METADATA = MetaData()
TOWN = Table("rebuilt_town", METADATA, Column("id", Integer, primary_key=True, autoincrement=False))
STREET = Table(
    "rebuilt_street",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("town_id", ForeignKey(TOWN.c.id, name="fk street")),
    Column("name", Text, unique=True),
    Column("seen_at", DateTime(timezone=True)),
    Index("ix name", text("lower(name)"), postgresql_where=text("id > 0")),
    Index("ix_rebuilt_street_seen_at", "seen_at", postgresql_using="brin", postgresql_with={"pages_per_range": 16}),
)
MADE = """
SELECT indexdef AS made, obj_description(format('%I', indexname)::regclass) AS said
FROM pg_indexes WHERE tablename = 'rebuilt_street'
UNION ALL
SELECT pg_get_constraintdef(oid), obj_description(oid) FROM pg_constraint WHERE conrelid = 'rebuilt_street'::regclass
ORDER BY 1
"""


@pytest.fixture
async def db(database_url):
    async with Database(database_url) as db:
        async with db.begin() as session:
            await session.run_sync(lambda session: METADATA.create_all(session.connection()))
            await session.execute(text("""COMMENT ON INDEX "ix name" IS 'it''s theirs'"""))
            await session.execute(text("""COMMENT ON CONSTRAINT "fk street" ON rebuilt_street IS 'why'"""))
            await session.execute(TOWN.insert().values(id=1))
        yield db


def _streets(count, town_id=1):
    return [(number, town_id, f"street {number}", None) for number in range(1, count + 1)]


async def test_indexes_and_foreign_keys_are_made_again_as_they_were(db, outside):
    before = await outside.fetch(MADE)
    report = await copy_in(db, STREET, _streets(1_000), rebuild=True)
    assert list(report.rebuilt) == ["ix name", "ix_rebuilt_street_seen_at", "fk street"]
    assert report.phases["rebuild"] >= sum(report.rebuilt.values()) > 0
    assert "ix name" in str(report)
    assert await outside.fetch(MADE) == before
    assert len(before) == 8


async def test_records_are_copied_while_the_indexes_are_gone(db):
    with StatementLog() as log:
        await copy_in(db, STREET, _streets(3), rebuild=True)
    words = [each.text.split()[0] for each in log if "SELECT" not in each.text]
    assert words == ["DROP", "DROP", "ALTER", "COPY", "CREATE", "COMMENT", "CREATE", "ALTER", "COMMENT"]


async def test_a_source_that_breaks_leaves_the_indexes_of_a_unit_of_work(db):
    async with db.begin() as session:
        with pytest.raises(RuntimeError, match="in the middle"):
            await copy_in(session, STREET, _broken(), rebuild=True)
        assert len((await session.scalars(text(f"SELECT made FROM ({MADE}) m"))).all()) == 8


def _broken():
    yield (7, 1, "seven", None)
    raise RuntimeError("in the middle")


async def test_a_foreign_key_that_does_not_hold_fails_the_load_and_leaves_all_as_it_was(db, outside):
    before = await outside.fetch(MADE)
    with pytest.raises(ForeignKeyViolation):
        await copy_in(db, STREET, _streets(10, town_id=2), rebuild=True)
    assert await outside.fetch(MADE) == before
    assert await outside.fetchval("SELECT count(*) FROM rebuilt_street") == 0


async def test_foreign_keys_stay_where_records_may_be_rejected(db, outside):
    bad = [(11, 2, "nowhere", None)]
    report = await copy_in(db, STREET, _streets(10) + bad, rebuild=True, on_error="reject", on_conflict="replace")
    assert list(report.rebuilt) == ["ix name", "ix_rebuilt_street_seen_at"]
    assert (report.rows, report.rejects[0].constraint) == (10, "fk street")


async def test_several_workers_rebuild_once(db, outside):
    before = await outside.fetch(MADE)
    report = await copy_in(db, STREET, _streets(20_000), rebuild=True, workers=2, analyze=True)
    assert (report.rows, len(report.rebuilt)) == (20_000, 3)
    assert await outside.fetch(MADE) == before
    assert await outside.fetchval("SELECT reltuples FROM pg_class WHERE relname = 'rebuilt_street'") == 20_000


async def test_parts_do_not_rebuild_and_analyze_once(db, outside):
    with pytest.raises(CopyError, match="rebuild= is one transaction"):
        await copy_in(db, STREET, _streets(10), rebuild=True, commit_every=5)
    report = await copy_in(db, STREET, _streets(20_000), commit_every=5_000, analyze=True)
    assert report.phases["analyze"] > 0
    assert await outside.fetchval("SELECT reltuples FROM pg_class WHERE relname = 'rebuilt_street'") == 20_000


async def test_a_report_knows_statements_and_memory(db):
    report = await copy_in(db, STREET, _streets(10))
    assert report.statements == 2  # what types the table has, and COPY
    assert report.peak_bytes is not None
    assert 2**24 < report.peak_bytes < 2**36
    assert (await copy_in(db, STREET, _streets(10), on_conflict="skip")).statements > 3


async def test_only_what_is_behind_the_watermark_is_new(db, outside):
    new = Conflict("append_only_new", on=["id"])
    report = await copy_in(db, STREET, _streets(5), on_conflict=new)
    assert (report.rows, report.skipped) == (5, 0)
    changed = [(number, 1, f"new name {number}", None) for number in (3, 5, 7, 6)]
    report = await copy_in(db, STREET, changed, on_conflict="append_only_new")
    assert (report.rows, report.skipped) == (2, 2)
    names = await outside.fetch("SELECT name FROM rebuilt_street WHERE id >= 5 ORDER BY id")
    assert [row["name"] for row in names] == ["street 5", "new name 6", "new name 7"]


async def test_what_has_no_value_to_go_by_is_not_new(db):
    new = Conflict("append_only_new", on=["seen_at"])
    moments = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", None]
    first = [(number, 1, f"a {number}", moment) for number, moment in enumerate(moments[:2])]
    assert (await copy_in(db, STREET, first, on_conflict=new)).rows == 2
    second = [(number, 1, f"b {number}", moment) for number, moment in enumerate([*moments, "2026-01-03T00:00:00Z"], 5)]
    report = await copy_in(db, STREET, second, on_conflict=new, on_error="reject")
    assert (report.rows, report.skipped, report.rejected) == (1, 3, 0)


async def test_loads_of_what_is_new_wait_for_each_other(db, outside):
    async def load():
        return await copy_in(db, STREET, _streets(3_000), on_conflict="append_only_new")

    reports = await asyncio.gather(load(), load(), load())
    assert sorted((report.rows, report.skipped) for report in reports) == [(0, 3_000), (0, 3_000), (3_000, 0)]


async def test_a_watermark_is_one_column_and_one_transaction(db):
    with pytest.raises(CopyError, match="goes by one column, not by id, name"):
        await copy_in(db, STREET, _streets(1), on_conflict=Conflict("append_only_new", on=["id", "name"]))
    with pytest.raises(CopyError, match="'append_only_new' is one transaction"):
        await copy_in(db, STREET, _streets(1), on_conflict="append_only_new", commit_every=1)
