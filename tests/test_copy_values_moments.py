"""A date or a moment of a format is what the same one is that PostgreSQL reads by itself."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Date, DateTime, MetaData, Table, Text

from dal.copy import Csv, Ndjson, copy_in

FORMAT = "%d.%m.%Y %H:%M:%S"


@pytest.fixture
async def table(db):
    table = Table(
        "moments",
        MetaData(),
        Column("id", Text),
        Column("moment", DateTime(timezone=True)),
        Column("wall_clock", DateTime(timezone=False)),
        Column("day", Date),
    )
    async with db.engine.begin() as connection:
        await connection.run_sync(table.metadata.create_all)
    return table


async def _load(db, zone, table, source, form=None):
    async with db.begin() as session:
        await (await session.connection()).exec_driver_sql(f"SET LOCAL timezone = '{zone}'")
        return await copy_in(session, table, source, form=form, on_error="reject")


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", "Asia/Kolkata"])
@pytest.mark.parametrize("column", ["moment", "wall_clock"])
async def test_a_moment_of_a_format_is_of_the_sessions_zone_as_every_other(db, outside, tmp_path, table, zone, column):
    (tmp_path / "iso.csv").write_text(f"id,{column}\niso,2024-07-01 12:00:00\n")
    (tmp_path / "german.csv").write_text(f"id,{column}\nger,01.07.2024 12:00:00\n")
    (tmp_path / "german.ndjson").write_text(f'{{"id": "json", "{column}": "01.07.2024 12:00:00"}}\n')
    await _load(db, zone, table, tmp_path / "iso.csv")
    await _load(db, zone, table, tmp_path / "german.csv", Csv(dates={column: FORMAT}))
    await _load(db, zone, table, tmp_path / "german.ndjson", Ndjson(dates={column: FORMAT}))
    assert await outside.fetchval(f"SELECT count(DISTINCT {column}) FROM moments") == 1
    assert await outside.fetchval("SELECT count(*) FROM moments") == 3


async def test_a_moment_of_a_format_in_a_record_that_the_server_reads_is_of_the_same_zone(db, outside, tmp_path, table):
    (tmp_path / "a.csv").write_text(
        "id,moment,day\na,01.07.2024 12:00:00,2024-01-01\nb,01.07.2024 12:00:00,1 Jan 2024\nc,x,2024-01-01\n"
    )
    report = await _load(db, "Europe/Berlin", table, tmp_path / "a.csv", Csv(dates={"moment": FORMAT}))
    assert [each.record for each in report.rejects] == [3]
    found = await outside.fetch("SELECT moment::text, day::text FROM moments")
    assert [tuple(each) for each in found] == [("2024-07-01 10:00:00+00", "2024-01-01")] * 2


@pytest.mark.parametrize("column", ["day", "wall_clock", "moment"])
async def test_a_day_of_the_year_0_is_none(db, outside, tmp_path, table, column):
    (tmp_path / "a.csv").write_text(f"id,{column}\na,01.01.0000\nb,01.01.0001\n")
    report = await _load(db, "UTC", table, tmp_path / "a.csv", Csv(dates={column: "%d.%m.%Y"}))
    assert ([each.record for each in report.rejects], report.rejects[0].column) == ([1], column)
    assert await outside.fetchval(f"SELECT {column}::date::text FROM moments") == "0001-01-01"
