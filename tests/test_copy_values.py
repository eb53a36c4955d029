"""Python's values, and texts as PostgreSQL writes them, read back as they were: of every type, as COPY takes them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv6Network
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import ARRAY, Integer, Numeric, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import BIT, CIDR, INET, INT4RANGE, MACADDR, TSTZRANGE, Range
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dal import Database, Repository, UnitOfWork
from dal.errors import CopyError
from tests.models import Account, Accounts, Everything, Everythings, Mood
from tests.test_copy_round_trip import CHARACTERS, JSON, MILLION_DAYS_US


class Base(DeclarativeBase):
    pass


class Shouting(TypeDecorator[str]):
    """Writes capitals."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return value and value.upper()


class Odd(Base):
    """Types that are sent as text, and one of the application's."""

    __tablename__ = "values_odd"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digits: Mapped[Decimal | None] = mapped_column(Numeric)
    numbers: Mapped[list[int | None] | None] = mapped_column(ARRAY(Integer))
    texts: Mapped[list[str | None] | None] = mapped_column(ARRAY(Text))
    address: Mapped[Any | None] = mapped_column(INET)
    network: Mapped[Any | None] = mapped_column(CIDR)
    card: Mapped[str | None] = mapped_column(MACADDR)
    between: Mapped[Range[int] | None] = mapped_column(INT4RANGE)
    during: Mapped[Range[datetime] | None] = mapped_column(TSTZRANGE)
    bits: Mapped[Any | None] = mapped_column(BIT(4))
    name: Mapped[str | None] = mapped_column(Shouting)


class Odds(Repository[Odd]):
    pass


@pytest.fixture
async def odds(database_url):
    async with Database(database_url) as db:
        async with db.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
            await connection.exec_driver_sql("CREATE TABLE values_odd_again (LIKE values_odd)")
            await connection.exec_driver_sql("CREATE TABLE everything_again (LIKE everything)")
        yield db


def _integers(bits):
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


VALUES = {
    "small": _integers(16),
    "whole": _integers(32),
    "big": _integers(64),
    "money": st.integers(1 - 10**15, 10**15 - 1).map(lambda units: Decimal(units).scaleb(-2)) | st.integers(-99, 99),
    "single": st.floats(width=32),
    "double": st.floats(),
    "words": st.text(CHARACTERS) | st.sampled_from(["", "\\N", "\\.", "\n", "\r\n", '"', ",", "\t", "NULL", "🧁", " "]),
    "code": st.text(CHARACTERS, max_size=8),
    "mood": st.sampled_from(Mood),
    "flag": st.booleans(),
    "day": st.dates(),
    "moment": st.datetimes(timezones=st.just(UTC) | st.timezones()),
    "wall_clock": st.datetimes().map(lambda moment: moment.replace(fold=0)),
    "hour": st.times().map(lambda hour: hour.replace(fold=0)),
    "lapse": st.integers(-MILLION_DAYS_US, MILLION_DAYS_US).map(lambda us: timedelta(microseconds=us)),
    "key": st.uuids(),
    "raw": st.binary(),
    "document": JSON,
    "letter": JSON,
}
PROPERTY = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def _rows(values):
    return st.lists(st.fixed_dictionaries({name: st.none() | kind for name, kind in values.items()}), max_size=12)


async def _same_by_csv(db, outside, tmp_path, table):
    """Have the server write the table as CSV, load that, and compare."""
    path = tmp_path / "again.csv"
    with path.open("wb") as file:
        await outside.copy_from_table(table, output=file, format="csv", header=True)
    columns = ", ".join(column.name for column in Base.metadata.tables.get(table, Everything.__table__).columns)
    await outside.execute(f"TRUNCATE {table}_again; INSERT INTO {table}_again SELECT * FROM {table}; TRUNCATE {table}")
    repository = Odds(db) if table == "values_odd" else Everythings(db)
    await repository.copy_in(path)
    text = f"SELECT ({columns})::text FROM"
    query = (
        f"({text} {table} EXCEPT ALL {text} {table}_again) UNION ALL ({text} {table}_again EXCEPT ALL {text} {table})"
    )
    assert await outside.fetch(query) == []


@PROPERTY
@given(rows=_rows(VALUES))
async def test_values_of_every_type_read_back_as_they_were(odds, outside, tmp_path, rows):
    await outside.execute("TRUNCATE everything")
    await Everythings(odds).copy_in([{"id": n, **row} for n, row in enumerate(rows)])
    async with UnitOfWork(odds) as unit:
        found = await Everythings(unit).list(order_by=Everything.id)
    for one, row in zip(found, rows, strict=True):
        for name, value in row.items():
            assert _plain(getattr(one, name)) == _plain(_read_as(name, value))
    await _same_by_csv(odds, outside, tmp_path, "everything")


def _plain(value):
    """Tell NaN, and -0.0 from 0.0, but not the order of JSON's keys."""
    return repr(value) if isinstance(value, float) else value


def _read_as(name, value):
    if name == "money" and value is not None:
        return Decimal(value).quantize(Decimal("0.01"))
    if name == "moment" and value is not None:
        return value.astimezone(UTC)
    return value


ODD = {
    "digits": st.integers(-(10**1000), 10**1000).map(Decimal)
    | st.decimals(allow_nan=False, allow_infinity=False, places=30),
    "numbers": st.lists(st.none() | _integers(32)),
    "texts": st.lists(st.none() | st.text(CHARACTERS) | st.sampled_from(["", "NULL", "null", '"', "\\", "{}", ","])),
    "address": st.ip_addresses(v=4) | st.ip_addresses(v=6),
    "network": st.sampled_from([IPv6Network("::/0"), IPv6Network("fe80::/10")]),
    "card": st.sampled_from(["08:00:2b:01:02:03"]),
    "between": st.tuples(_integers(30), _integers(30)).map(lambda ends: Range(min(ends), max(ends) + 1)),
    "bits": st.sampled_from(["0000", "1010"]),
}


@PROPERTY
@given(rows=_rows(ODD))
async def test_values_that_are_sent_as_texts_read_back_as_they_were(odds, outside, tmp_path, rows):
    await outside.execute("TRUNCATE values_odd")
    await Odds(odds).copy_in([{"id": n, **row} for n, row in enumerate(rows)])
    found = await outside.fetch("SELECT * FROM values_odd ORDER BY id")
    for one, row in zip(found, rows, strict=True):
        for name in ("digits", "numbers", "texts", "network", "card"):
            assert one[name] == row[name]
        assert one["address"] == row["address"]
        assert row["between"] is None or (one["between"].lower, one["between"].upper) == (
            row["between"].lower,
            row["between"].upper,
        )
        assert one["bits"] is None or one["bits"].as_string().replace(" ", "") == row["bits"]


def _ends(between):
    return between and (between.lower, between.upper)


MOMENTS = Range(datetime(2026, 1, 1, tzinfo=UTC), None, bounds="[)")


async def test_ranges_of_moments_and_empty_ones_are_sent(odds, outside):
    await Odds(odds).copy_in([{"id": 1, "during": MOMENTS}, {"id": 2, "during": Range(empty=True)}])
    one, two = await outside.fetch("SELECT during FROM values_odd ORDER BY id")
    assert (one[0].lower, one[0].upper, two[0].isempty) == (MOMENTS.lower, None, True)


async def test_ranges_of_the_drivers_are_sent(odds, outside):
    await Odds(odds).copy_in([{"id": 1, "between": asyncpg.Range(1, 5)}])
    assert await outside.fetchval("SELECT between FROM values_odd") == asyncpg.Range(1, 5)


async def test_a_type_of_the_applications_has_its_way(odds, outside):
    await Odds(odds).copy_in([{"id": 1, "name": "quiet"}, {"id": 2, "name": None}])
    assert [row[0] for row in await outside.fetch("SELECT name FROM values_odd ORDER BY id")] == ["QUIET", None]


class Owner(msgspec.Struct):
    id: int
    owner: str
    balance: int


KINDS = {
    "tuples": (1, "a", 2),
    "lists": [1, "a", 2],
    "mappings": {"balance": 2, "id": 1, "owner": "a"},
    "structs": Owner(1, "a", 2),
    "entities": Account(id=1, owner="a", balance=2),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_records_of_every_kind_are_loaded(db, outside, kind, is_async):
    async def give():
        yield KINDS[kind]

    await Accounts(db).copy_in(give() if is_async else iter([KINDS[kind]]))
    assert tuple(await outside.fetchrow("SELECT id, owner, balance FROM account")) == (1, "a", 2)


async def test_no_records_are_none(db, outside):
    for source in ([], iter(()), ()):
        report = await Accounts(db).copy_in(source)
        assert report.rows == 0


# A column, a value that it would have to cut or guess at, and what is said.
LOSSY = {
    "a time without a zone": ("moment", datetime(2026, 1, 1), "without a time zone"),  # noqa: DTZ001 # that is it
    "a time with one": ("wall_clock", datetime(2026, 1, 1, tzinfo=UTC), "with a time zone"),
    "a timestamp for a date": ("day", datetime(2026, 1, 1, 5), "a timestamp in the place of a date"),  # noqa: DTZ001
    "digits": ("money", Decimal("1.005"), "more than the 2 digits after the point"),
    "an hour with a zone": ("hour", time(1, tzinfo=UTC), "with a time zone"),
    "a NUL": ("words", "a\0b", "NUL"),
    "half a character": ("words", "\ud800", "half a character"),
    "no value": ("whole", object(), "object in the place of int"),
    "a fraction": ("whole", 1.5, "SQLSTATE 22P02"),
    "out of range": ("small", 2**15, "SQLSTATE 22003"),
    "too much for a real": ("single", 1e300, "SQLSTATE 22003"),
}


@pytest.mark.parametrize("case", LOSSY)
async def test_a_value_that_would_be_cut_is_refused(db, outside, case):
    name, value, words = LOSSY[case]
    with pytest.raises(CopyError, match=rf"^record 2, column '{name}': .*{words}.* Nothing was loaded\.$"):
        await Everythings(db).copy_in([{"id": 1, name: None}, {"id": 2, name: value}])
    assert await outside.fetchval("SELECT count(*) FROM everything") == 0


# What is not read here, PostgreSQL reads.
LENIENT = {
    "a date for a timestamp": ("wall_clock", date(2026, 1, 1), datetime(2026, 1, 1)),  # noqa: DTZ001
    "a text for a number": ("whole", "12", 12),
    "a float that is whole": ("whole", 12.0, 12),
    "a label": ("mood", "glad", "glad"),
    "a text for a uuid": ("key", "d84ec885-6a07-41bd-8d53-39d97e7d406a", UUID("d84ec885-6a07-41bd-8d53-39d97e7d406a")),
    "bytes": ("raw", bytearray(b"\0\xff"), b"\0\xff"),
    "no number": ("number", Decimal("NaN"), Decimal("NaN")),
}


@pytest.mark.parametrize("case", LENIENT)
async def test_what_postgresql_reads_is_loaded(db, outside, case):
    name, value, expected = LENIENT[case]
    await Everythings(db).copy_in([{"id": 1, name: value}])
    assert repr(await outside.fetchval(f"SELECT {name} FROM everything")) == repr(expected)


TEXTS = {
    "a date before Christ": ("day", "0044-03-15 BC", "0044-03-15 BC"),
    "a date after 9999": ("day", "12026-01-01", "12026-01-01"),
    "infinity": ("moment", "infinity", "infinity"),
    "a boolean": ("flag", "on", "true"),
    "spaces": ("whole", " 7 ", "7"),
    "no number": ("money", "NaN", "NaN"),
    "an interval": ("lapse", "1 mon 2 days", "1 mon 2 days"),
    "bytes": ("raw", "\\x00ff", "\\x00ff"),
}


@pytest.mark.parametrize("case", TEXTS)
async def test_a_text_is_what_postgresql_takes_it_for(db, outside, tmp_path, case):
    name, text, expected = TEXTS[case]
    (tmp_path / "one.csv").write_text(f"id,{name}\n1,{text}\n")
    await Everythings(db).copy_in(tmp_path / "one.csv")
    assert await outside.fetchval(f"SELECT {name}::text FROM everything") == expected


async def test_ndjson_of_every_json_type_is_loaded(db, outside, tmp_path):
    record = {
        "id": 1,
        "whole": 2,
        "double": 0.5,
        "flag": True,
        "words": "a\n🧁",
        "document": {"a": [1, None]},
        "day": None,
    }
    (tmp_path / "one.ndjson").write_text(json.dumps(record) + "\n")
    await Everythings(db).copy_in(tmp_path / "one.ndjson")
    row = await outside.fetchrow("SELECT whole, double, flag, words, document::text, day FROM everything")
    assert tuple(row) == (2, 0.5, True, "a\n🧁", '{"a": [1, null]}', None)
