"""A mapping that says another type than the table has damages nothing: the server reads the values as texts."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from dal.copy import copy_in
from dal.errors import DatabaseError

CASES = {
    "integer, real": (Integer(), "real", 7, 7.0),
    "integer, bigint": (Integer(), "bigint", 7, 7),
    "bigint, smallint": (BigInteger(), "smallint", 7, 7),
    "smallint, domain": (SmallInteger(), "other_domain", 7, 7),
    "float, numeric": (Float(), "numeric", 1.5, Decimal("1.5")),
    "numeric, double": (Numeric(10, 2), "double precision", Decimal("1.50"), 1.5),
    "json, jsonb": (JSON(), "jsonb", {"a": 1}, '{"a": 1}'),
    "jsonb, json": (JSONB(), "json", {"a": 1}, '{"a": 1}'),
    "text, enum": (Text(), "other_mood", "glad", "glad"),
    "naive, zoned": (
        DateTime(),
        "timestamptz",
        dt.datetime(2026, 1, 1, 12),  # noqa: DTZ001 # of the session's zone
        dt.datetime(2026, 1, 1, 11, tzinfo=dt.UTC),
    ),
}
REFUSED = {
    "integer, date": (Integer(), "date", 7),
    "bigint, timestamp": (BigInteger(), "timestamp", 7),
    "text, uuid": (Text(), "uuid", "no uuid"),
    "uuid, bytea": (Uuid(), "date", "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
}


async def _table(outside, mapped, real):
    await outside.execute(
        "CREATE TYPE other_mood AS ENUM ('glad'); CREATE DOMAIN other_domain AS smallint CHECK (VALUE > 0); "
        f"CREATE TABLE otherwise (id int PRIMARY KEY, value {real})"
    )
    return Table("otherwise", MetaData(), Column("id", Integer, primary_key=True), Column("value", mapped))


@pytest.mark.parametrize("name", CASES)
async def test_a_value_is_the_same_in_a_column_of_another_type(db, outside, name):
    mapped, real, value, expected = CASES[name]
    table = await _table(outside, mapped, real)
    async with db.begin(settings={"timezone": "Europe/Berlin"}) as session:
        await copy_in(session, table, [(1, value)])
    assert await outside.fetchval("SELECT value FROM otherwise") == expected


@pytest.mark.parametrize("name", REFUSED)
async def test_a_value_that_a_column_of_another_type_cannot_have_is_refused(db, outside, name):
    mapped, real, value = REFUSED[name]
    table = await _table(outside, mapped, real)
    with pytest.raises(DatabaseError):
        await copy_in(db, table, [(1, value)])
    assert await outside.fetchval("SELECT count(*) FROM otherwise") == 0


async def test_arrow_goes_as_text_too(db, outside):
    table = await _table(outside, Integer(), "real")
    await copy_in(db, table, pa.table({"id": [1, 2], "value": pa.array([7, None], pa.int32())}))
    assert [row[0] for row in await outside.fetch("SELECT value FROM otherwise ORDER BY id")] == [7.0, None]


async def test_bytes_are_bytes(db, outside):
    table = await _table(outside, LargeBinary(), "bytea")
    await copy_in(db, table, [(1, b"\x00\\x")])
    assert await outside.fetchval("SELECT value FROM otherwise") == b"\x00\\x"
