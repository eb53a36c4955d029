"""Whatever is in a table is in the file that COPY writes, and the file loads as what it was."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Float,
    LargeBinary,
    Numeric,
    Text,
    Uuid,
    func,
    literal,
    select,
)

from dal import Database, DatabaseConfig
from dal.copy import copy_batches, copy_out
from tests.models import Everything, Everythings
from tests.test_copy_round_trip import CHARACTERS, COLUMNS, FAMILIES

ANY = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
# Each says otherwise what a date, a number or a byte looks like as text.
ODD_SETTINGS = {
    "datestyle": "German, DMY",
    "intervalstyle": "sql_standard",
    "timezone": "Asia/Kolkata",
    "extra_float_digits": "-5",
    "bytea_output": "escape",
}


@pytest.fixture
async def odd(database_url):
    config = DatabaseConfig(url=database_url, server_settings=ODD_SETTINGS)
    async with Database(config) as database:
        yield database


def _records(names, rows):
    arrays = {name: pa.array([row[name] for row in rows], COLUMNS[name][0]) for name in names}
    return pa.table({"id": pa.array(range(len(rows)), pa.int64()), **arrays})


@pytest.mark.parametrize("family", FAMILIES)
@ANY
@given(data=st.data())
async def test_what_is_copied_out_is_what_was_loaded_and_loads_again(db, odd, outside, tmp_path, family, data):
    names = FAMILIES[family]
    rows = data.draw(st.lists(st.fixed_dictionaries({name: st.none() | COLUMNS[name][1] for name in names})))
    await outside.execute("TRUNCATE everything")
    await Everythings(db).copy_in(_records(names, rows))
    before = await outside.fetch("SELECT * FROM everything ORDER BY id")
    await Everythings(odd).copy_out(tmp_path / "all.parquet", order_by=Everything.id)
    if "document" not in names:  # which PostgreSQL keeps in a form of its own
        assert pq.read_table(tmp_path / "all.parquet").select(names).to_pylist() == rows
    await outside.execute("TRUNCATE everything")
    await Everythings(db).copy_in(tmp_path / "all.parquet")
    assert await outside.fetch("SELECT * FROM everything ORDER BY id") == before


TYPES = {
    "id": pa.int64(),
    **{name: kind for name, (kind, _, _) in COLUMNS.items()},
    "number": pa.decimal128(38, 18),
}


async def test_an_empty_table_is_a_file_with_its_types(db, tmp_path):
    report = await Everythings(db).copy_out(tmp_path / "none.parquet")
    found = pq.read_table(tmp_path / "none.parquet")
    assert (report.rows, found.num_rows) == (0, 0)
    assert dict(zip(found.schema.names, found.schema.types, strict=True)) == TYPES


ELEMENTS = {
    "whole": (BigInteger, st.integers(-(2**63), 2**63 - 1)),
    "decimal": (Numeric, st.decimals(-(10**9), 10**9, places=4)),
    "double": (Float(53), st.floats(allow_nan=False)),
    "text": (Text, st.text(CHARACTERS)),
    "flag": (Boolean, st.booleans()),
    "day": (Date, st.dates()),
    "moment": (DateTime(timezone=False), st.datetimes()),
    "key": (Uuid, st.uuids()),
    "raw": (LargeBinary, st.binary()),
}


@pytest.mark.parametrize("kind", ELEMENTS)
@ANY
@given(data=st.data())
async def test_lists_come_as_they_are(odd, kind, data):
    type_, values = ELEMENTS[kind]
    wanted = data.draw(st.none() | st.lists(st.none() | values, max_size=5))
    async with copy_batches(odd, select(literal(wanted, ARRAY(type_)).label("list"))) as batches:
        found = [value for batch in [each async for each in batches] for value in batch.to_pydict()["list"]]
    if kind == "key" and wanted is not None:
        wanted = [None if each is None else each.bytes for each in wanted]
    assert found == [wanted]


@ANY
@given(st.lists(st.none() | st.text(CHARACTERS | st.sampled_from("\\\t\n\r\v\b\f\ufeffNnt,\"'"), max_size=9)))
async def test_texts_come_as_they_are(db, texts):
    rows = select(literal(texts, ARRAY(Text)).label("texts")).subquery()
    async with copy_batches(db, select(func.unnest(rows.c.texts).label("text"))) as batches:
        assert [value async for each in batches for value in each.to_pydict()["text"]] == texts


async def test_a_text_at_the_beginning_may_begin_with_a_byte_order_mark(db):
    async with copy_batches(db, select(literal("\ufeffa").label("text"))) as batches:
        assert [each.to_pydict() async for each in batches] == [{"text": ["\ufeffa"]}]


async def test_a_computed_numeric_has_room_for_more_digits_than_its_columns(db, outside, tmp_path):
    await outside.execute("INSERT INTO everything (id, money) VALUES (1, 9999999999999.99), (2, 9999999999999.99)")
    await copy_out(db, select(func.sum(Everything.money).label("sum")), tmp_path / "sum.parquet")
    assert [str(each["sum"]) for each in pq.read_table(tmp_path / "sum.parquet").to_pylist()] == [
        "19999999999999.980000000000000000"
    ]
