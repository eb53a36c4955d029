"""A value that Arrow has no form for is told by its column's name, and never becomes another."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from sqlalchemy import ARRAY, Integer, Text, cast, column, literal_column, select, text

from dal import Database
from dal.copy import copy_batches, copy_out
from dal.errors import CopyError


async def _arrow(db: Database, sql: str) -> pa.Array:
    async with copy_batches(db, select(literal_column(sql).label("it"))) as batches:
        [batch] = [each async for each in batches]
        assert batch.schema == batches.schema
        return batch.column("it")


UNFIT = {
    "'infinity'::date": "an infinite date",
    "'-infinity'::date": "an infinite date",
    "'infinity'::timestamp": "an infinite timestamp",
    "'-infinity'::timestamptz": "an infinite timestamp",
    "'294276-12-31'::timestamp": "a timestamp of a later year than 294246",
    "'24:00'::time": "the time 24:00:00",
    "'1 mon'::interval": "an interval of months or years",
    "'-1 year'::interval": "an interval of months or years",
    "'178000000 years'::interval": "an interval of months or years",
    "make_interval(days => 2147483647)": "an interval of more microseconds than 64 bits hold",
    "'NaN'::numeric": "a number that has more digits than",
    "'Infinity'::numeric": "a number that has more digits than",
    "1e21::numeric": "a number that has more digits than",
    "1e-19::numeric": "a number that has more digits than",
    "'NaN'::numeric::numeric(5, 2)": "a number that has more digits than",
    "ARRAY[[1], [2]]": "an array of 2 dimensions",
    "'[0:1]={1,2}'::int[]": "an array whose first element is number 0",
    "ARRAY['infinity'::date]": "an infinite date",
    "ARRAY['NaN'::numeric]": "a number that has more digits than",
}


@pytest.mark.parametrize("sql", UNFIT)
async def test_what_arrow_has_no_form_for_names_its_column(db, sql):
    with pytest.raises(CopyError, match=rf"^column 'it' holds {UNFIT[sql]}.*cast\(.*Nothing was written\.$"):
        await _arrow(db, sql)


@pytest.mark.parametrize("sql", UNFIT)
async def test_what_arrow_has_no_form_for_comes_as_text(db, outside, sql):
    async with copy_batches(db, select(cast(literal_column(sql), Text).label("it"))) as batches:
        assert [each.to_pydict()["it"] async for each in batches] == [[await outside.fetchval(f"SELECT ({sql})::text")]]


@pytest.mark.parametrize("sql", UNFIT)
async def test_what_arrow_has_no_form_for_leaves_no_file(db, tmp_path, sql):
    with pytest.raises(CopyError):
        await copy_out(db, select(literal_column(sql).label("it")), tmp_path / "it.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sql", ["'0044-03-15 BC'::date", "'5874897-12-31'::date", "'12000-01-01'::date"])
async def test_a_date_beyond_pythons_years_is_its_number_of_days(db, outside, sql):
    days = (await _arrow(db, sql)).cast(pa.int32()).to_pylist()
    assert days == [await outside.fetchval(f"SELECT {sql} - '1970-01-01'::date")]


@pytest.mark.parametrize("sql", ["'4713-02-01 BC'::timestamp", "'12000-01-01 01:02:03.456789+05'::timestamptz"])
async def test_a_timestamp_beyond_pythons_years_is_its_number_of_microseconds(db, outside, sql):
    moments = (await _arrow(db, sql)).cast(pa.int64()).to_pylist()
    assert moments == [await outside.fetchval(f"SELECT (extract(epoch FROM {sql}) * 1000000)::bigint")]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "-0", "1e-320", "1.7976931348623157e308"])
async def test_every_float_comes(db, value):
    assert repr((await _arrow(db, f"'{value}'::float8")).to_pylist()) == repr([float(value)])


async def test_days_of_an_interval_have_24_hours(db):
    wanted = timedelta(days=-3, hours=5, microseconds=-7)
    assert (await _arrow(db, "'-3 days 5 hours -7 microseconds'::interval")).to_pylist() == [wanted]


OTHERS = [
    "'{\"a\": [1,  2]}'::json",
    "'[1,3)'::int4range",
    "'192.168.0.1/24'::inet",
    "'a'::\"char\"",
    "B'101'",
    "ROW(1, 'a')",
]


@pytest.mark.parametrize("sql", OTHERS)
async def test_other_types_come_as_their_text(db, outside, sql):
    found = await _arrow(db, sql)
    assert (found.type, found.to_pylist()) == (pa.string(), [await outside.fetchval(f"SELECT ({sql})::text")])


async def test_an_array_declared_with_dimensions_comes_as_its_text(db):
    matrix = column("it", ARRAY(Integer, dimensions=2))
    rows = text("SELECT ARRAY[[1, 2], [3, 4]] AS it").columns(matrix).subquery()
    async with copy_batches(db, select(rows)) as batches:
        assert [each.to_pydict()["it"] async for each in batches] == [["{{1,2},{3,4}}"]]


async def test_the_digits_of_a_numeric_are_those_that_are_declared(db):
    found = await _arrow(db, "ARRAY[1.5::numeric(9, 3), NULL]")
    assert found.to_pylist() == [[Decimal("1.5"), None]]
