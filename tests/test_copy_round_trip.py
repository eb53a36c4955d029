"""Whatever is loaded by COPY reads back as it was, for every type."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.models import Everything, Everythings

# The server's text has no null character.
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(CHARACTERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(CHARACTERS), inner, max_size=3),
    max_leaves=5,
)
MILLION_DAYS_US = 10**6 * 24 * 60 * 60 * 10**6


def _integers(bits):
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _decimals(digits, places):
    return st.integers(1 - 10**digits, 10**digits - 1).map(lambda units: Decimal(units).scaleb(-places))


# A column's type in the records, its values there, and how such a value is read back.
COLUMNS = {
    "small": (pa.int16(), _integers(16), int),
    "whole": (pa.int32(), _integers(32), int),
    "big": (pa.int64(), _integers(64), int),
    "money": (pa.decimal128(15, 2), _decimals(15, 2), Decimal),
    "number": (pa.decimal128(28, 9), _decimals(28, 9), Decimal),
    "single": (pa.float32(), st.floats(allow_nan=False, width=32), float),
    "double": (pa.float64(), st.floats(allow_nan=False), float),
    "words": (pa.string(), st.text(CHARACTERS), str),
    "code": (pa.string(), st.text(CHARACTERS, max_size=8), str),
    "mood": (pa.string(), st.sampled_from(["glad", "sad"]), str),
    "flag": (pa.bool_(), st.booleans(), bool),
    "day": (pa.date32(), st.dates(), lambda day: day),
    "moment": (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(UTC)), lambda moment: moment),
    "wall_clock": (pa.timestamp("us"), st.datetimes(), lambda moment: moment),
    "hour": (pa.time64("us"), st.times(), lambda hour: hour),
    "lapse": (
        pa.duration("us"),
        st.integers(-MILLION_DAYS_US, MILLION_DAYS_US).map(lambda us: timedelta(microseconds=us)),
        lambda lapse: lapse,
    ),
    "key": (pa.binary(16), st.binary(min_size=16, max_size=16), lambda key: UUID(bytes=key)),
    "raw": (pa.binary(), st.binary(), bytes),
    "document": (pa.string(), JSON.map(json.dumps), json.loads),
    "letter": (pa.string(), JSON.map(json.dumps), json.loads),
}


# Columns that are loaded together.
FAMILIES = {
    "whole numbers": ["small", "whole", "big"],
    "numbers": ["money", "number", "single", "double"],
    "text": ["words", "code", "mood"],
    "time": ["day", "moment", "wall_clock", "hour", "lapse"],
    "bytes": ["flag", "key", "raw"],
    "json": ["document", "letter"],
}


@pytest.fixture
async def parsed(outside: asyncpg.Connection) -> asyncpg.Connection:
    """Look from outside with JSON read as what it says."""
    for kind in ("json", "jsonb"):
        await outside.set_type_codec(kind, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    return outside


def _records(names, rows):
    keys = pa.array(range(len(rows)), pa.int64())
    return pa.table({"id": keys, **{name: pa.array([row[name] for row in rows], COLUMNS[name][0]) for name in names}})


def _as_read(row):
    return {name: None if value is None else COLUMNS[name][2](value) for name, value in row.items()}


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_values_of_every_type_read_back_as_they_were(db, parsed, family, data):
    names = FAMILIES[family]
    rows = data.draw(st.lists(st.fixed_dictionaries({name: st.none() | COLUMNS[name][1] for name in names})))
    await parsed.execute("TRUNCATE everything")
    await Everythings(db).copy_in(_records(names, rows))
    read = await parsed.fetch(f"SELECT {', '.join(names)} FROM everything ORDER BY id")
    assert [dict(row) for row in read] == [_as_read(row) for row in rows]


def test_every_column_is_tried():
    assert {"id", *(name for names in FAMILIES.values() for name in names)} == set(Everything.__table__.columns.keys())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
async def test_floats_that_are_no_numbers_read_back_as_they_were(db, outside, value):
    await Everythings(db).copy_in(pa.table({"id": [1], "double": [value]}))
    assert repr(await outside.fetchval("SELECT double FROM everything")) == repr(value)


async def test_moments_of_other_zones_read_back_as_the_same_moment(db, outside):
    noon = datetime(1996, 2, 29, 12, tzinfo=ZoneInfo("Asia/Kolkata"))
    await Everythings(db).copy_in(pa.table({"id": [1], "moment": [noon]}))
    assert await outside.fetchval("SELECT moment FROM everything") == noon
