"""What a dump has written is loaded as what it was: of every type, in every form."""

from __future__ import annotations

import json
import warnings
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    ARRAY,
    REAL,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Enum,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    Time,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import SAWarning

from dal.copy import copy_in, copy_out
from dal.copy.text.json_arrays import array_text
from dal.errors import CopyError
from tests.test_copy_round_trip import CHARACTERS

FORMS = ["csv", "tsv", "ndjson", "parquet"]
WORDS = ["''", "'NULL'", "'\\N'", "'a \"b\", c'", "E'a\\tb\\nc\\r\\\\'", "'{a}'", "'Größe 🧁'", "' '", "'[1]'"]
# Of a type, some values as SQL has them.
VALUES: dict[str, list[str]] = {
    "smallint": ["-32768", "32767"],
    "integer": ["0", "-2147483648"],
    "bigint": ["9223372036854775807", "-9223372036854775808"],
    "real": ["0.1", "1e-45", "'NaN'", "'-Infinity'", "3.4028235e38", "'-0'"],
    "double precision": ["0.1", "5e-324", "'NaN'", "'Infinity'", "1.7976931348623157e308", "'-0'"],
    "numeric(15, 2)": ["0", "-9999999999999.99", "0.10"],
    "numeric(2, 4)": ["0.0099"],
    "numeric": ["0", "-12345678901234567890.123456789", "0.5"],
    "text": WORDS,
    "varchar(20)": WORDS,
    "char(12)": ["'a'", "''"],
    "name": ["'a'"],
    '"char"': ["'a'"],
    "back_mood": ["'glad'", "'very sad'"],
    "boolean": ["true", "false"],
    "date": ["'0001-01-01'", "'2024-02-29'", "'9999-12-31'"],
    "time": ["'00:00'", "'23:59:59.999999'"],
    "timetz": ["'12:00+05:30'"],
    "interval": ["'-1 day'", "'3 days -00:00:00.000001'", "'0'"],
    "interval(0)": ["'1 day 2 s'"],
    "timestamp": ["'0001-01-01'", "'2024-02-29 12:00:00.000001'"],
    "timestamp(3)": ["'2024-02-29 12:00:00.001'"],
    "timestamptz": ["'2024-02-29 12:00:00.000001+05:30'", "'0001-01-01 00:00+00'"],
    "bytea": ["''", "'\\x00ff5c'"],
    "uuid": ["'123e4567-e89b-12d3-a456-426614174000'"],
    "json": ["'{\"a\": [1.50, null]}'", "'[]'", "'[\"x\"]'", "'1.0'", "'true'"],
    "jsonb": ["'{\"a\": [1.50, null]}'", "'[]'", "'[\"x\"]'", "'1.0'", "'true'"],
    "inet": ["'::1'", "'10.0.0.1/8'"],
    "cidr": ["'10.0.0.0/8'"],
    "macaddr": ["'08:00:2b:01:02:03'"],
    "int4range": ["'[1,5)'", "'empty'", "'(,)'"],
    "tstzrange": ["'[2024-01-01 00:00+00,)'"],
    "bit(4)": ["B'1010'"],
    "varbit": ["B'101'"],
    "money": ["'-1.50'"],
    "oid": ["4294967295"],
    "point": ["'(1,2)'"],
    "tsvector": ["'a:1 b:2'"],
    "integer[]": ["'{}'", "'{1,NULL,-3}'"],
    "text[]": ["'{}'", '\'{NULL,"NULL","","a,b","\\"","{}","\\\\"," "}\''],
    "varchar(5)[]": ["'{abc}'"],
    "numeric(10, 2)[]": ["'{1.50,NULL}'"],
    "double precision[]": ["'{0.1,NaN,Infinity}'"],
    "boolean[]": ["'{t,f,NULL}'"],
    "date[]": ["'{2024-02-29,NULL}'"],
    "time[]": ["'{12:00:00.000001}'"],
    "timestamp[]": ["'{2024-02-29 12:00:00}'"],
    "timestamptz[]": ["'{2024-02-29 12:00:00+05:30}'"],
    "interval[]": ["'{-1 day,00:00:01}'"],
    "uuid[]": ["'{123e4567-e89b-12d3-a456-426614174000,NULL}'"],
    "bytea[]": ["'{\"\\\\\\\\x00ff\",NULL}'"],
    "back_mood[]": ["'{glad,\"very sad\"}'"],
    "jsonb[]": ['\'{"{\\"a\\": 1}","\\"x\\"",1.50}\''],
    "inet[]": ["'{::1}'"],
}
# A text is the only form of these that Parquet has, or that a list has not.
NESTED: dict[str, list[str]] = {
    "integer[][]": ["'{{1,2},{3,NULL}}'"],
    "text[][]": ['\'{{a,NULL},{"NULL",""}}\''],
    "date": ["'infinity'", "'0044-03-15 BC'"],
    "timestamptz": ["'-infinity'", "'12024-01-01 00:00+00'"],
    "interval": ["'1 mon'", "'-1 year 2 days'"],
    "numeric": ["'NaN'", "1e40"],
    "time": ["'24:00'"],
}
MODELS: dict[str, Any] = {
    "bigint": BigInteger,
    "double precision": Double,
    "numeric(15, 2)": Numeric(15, 2),
    "numeric": Numeric,
    "text": Text,
    "varchar(20)": String(20),
    "back_mood": Enum("glad", "very sad", name="back_mood"),
    "boolean": Boolean,
    "date": Date,
    "time": Time,
    "timetz": Time(timezone=True),
    "interval": Interval,
    "timestamp": DateTime(timezone=False),
    "timestamptz": DateTime(timezone=True),
    "bytea": LargeBinary,
    "uuid": Uuid,
    "jsonb": JSONB,
    "integer[]": ARRAY(Integer),
    "text[]": ARRAY(Text),
    "numeric(10, 2)[]": ARRAY(Numeric(10, 2)),
    "uuid[]": ARRAY(Uuid),
    "interval[]": ARRAY(Interval),
    "back_mood[]": ARRAY(Enum("glad", "very sad", name="back_mood")),
}
_OTHER = "({0} EXCEPT ALL {1}) UNION ALL ({1} EXCEPT ALL {0})"
# The same value may have more zeros, or its days in hours, in Parquet.
_BY_VALUE = ("numeric", "interval")


async def _filled(db, outside, kind, values):
    """Fill a table, and give it as the database has it, with an empty one beside it."""
    await outside.execute("CREATE TYPE back_mood AS ENUM ('glad', 'very sad')")
    await outside.execute(f"CREATE TABLE back (id int PRIMARY KEY, value {kind}); CREATE TABLE back_again (LIKE back)")
    for n, value in enumerate([*values, "NULL"]):
        await outside.execute(f"INSERT INTO back VALUES ({n}, {value})")
    async with db.engine.connect() as connection:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # a type that SQLAlchemy does not know
            return await connection.run_sync(
                lambda sync: [Table(name, MetaData(), autoload_with=sync) for name in ("back", "back_again")]
            )


async def _other(outside, kind):
    value = "value" if kind.startswith(_BY_VALUE) else "value::text"
    one, other = (f"SELECT id, {value} FROM {table}" for table in ("back", "back_again"))
    return await outside.fetch(_OTHER.format(one, other))


async def _out_and_in(db, table, again, file):
    await copy_out(db, table, file)
    await copy_in(db, again, file, on_conflict="replace")


@pytest.mark.parametrize("kind", VALUES)
async def test_what_was_dumped_is_loaded_as_it_was(db, outside, tmp_path, kind):
    table, again = await _filled(db, outside, kind, VALUES[kind])
    for form in FORMS:
        await _out_and_in(db, table, again, tmp_path / f"back.{form}")
        assert await _other(outside, kind) == [], form


@pytest.mark.parametrize("kind", NESTED)
async def test_what_was_dumped_as_text_is_loaded_as_it_was(db, outside, tmp_path, kind):
    table, again = await _filled(db, outside, kind, NESTED[kind])
    for form in ("csv", "tsv", "ndjson"):
        await _out_and_in(db, table, again, tmp_path / f"back.{form}")
        assert await _other(outside, kind) == [], form


@pytest.mark.parametrize("kind", MODELS)
async def test_what_was_dumped_is_loaded_as_it_was_into_a_table_of_the_applications(db, outside, tmp_path, kind):
    await _filled(db, outside, kind, VALUES[kind])
    table, again = (
        Table(name, MetaData(), Column("id", Integer), Column("value", MODELS[kind])) for name in ("back", "back_again")
    )
    for form in FORMS:
        await _out_and_in(db, table, again, tmp_path / f"back.{form}")
        assert await _other(outside, kind) == [], form


ARRAYS = st.none() | st.lists(
    st.none() | st.text(CHARACTERS) | st.sampled_from(["", "NULL", "[", '"', "\\", "{}", ","])
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(ARRAYS, min_size=1), spaced=st.booleans())
async def test_a_json_array_is_the_array(db, outside, tmp_path, rows, spaced):
    await outside.execute("CREATE TABLE IF NOT EXISTS lists (id int, value text[]); TRUNCATE lists")
    table = Table("lists", MetaData(), Column("id", Integer), Column("value", ARRAY(Text)))
    separators = (" , ", " : ") if spaced else (",", ":")
    lines = [json.dumps({"id": n, "value": row}, separators=separators) for n, row in enumerate(rows)]
    (tmp_path / "a.ndjson").write_text("\n".join(lines))
    await copy_in(db, table, tmp_path / "a.ndjson")
    assert [each["value"] for each in await outside.fetch("SELECT value FROM lists ORDER BY id")] == rows


@pytest.mark.parametrize(
    "text", ["[0:1]={1,2}", "[1", "[1,]", "[1] 2", "[1 2]", "[1,,2]", "[" * 10_000, "[", "[,1]", "[x]", "{1,2}", ""]
)
def test_what_is_no_json_array_stays_for_the_server_to_judge(text):
    assert array_text(text, of_json=False) == text


async def test_an_array_of_a_record_that_the_server_reads_is_the_same(db, outside, tmp_path):
    await outside.execute("CREATE TABLE lists (id int, value numeric(4, 1)[])")
    table = Table("lists", MetaData(), Column("id", Integer), Column("value", ARRAY(Numeric(4, 1))))
    lines = ['{"id": 1, "value": [1.5, null]}', '{"id": "x", "value": [1.5]}', '{"id": 3, "value": ["y"]}']
    (tmp_path / "a.ndjson").write_text("\n".join(lines))
    report = await copy_in(db, table, tmp_path / "a.ndjson", on_error="reject")
    assert [(each.record, each.column) for each in report.rejects] == [(2, "id"), (3, "value")]
    assert await outside.fetchval("SELECT value::text FROM lists") == "{1.5,NULL}"


LISTS = {
    "other elements": (ARRAY(Integer), pa.array([["a"]])),
    "lists of lists": (ARRAY(Integer), pa.array([[[1]]])),
    "no list": (ARRAY(Integer), pa.array([1])),
    "a list for a text": (Text, pa.array([["a"]])),
    "wider elements": (ARRAY(REAL), pa.array([[0.5]])),
}


@pytest.mark.parametrize("case", LISTS)
async def test_a_list_that_does_not_fit_is_refused(db, case):
    kind, values = LISTS[case]
    table = Table("lists", MetaData(), Column("value", kind))
    with pytest.raises(CopyError, match=r"column 'value' is .* in the records and .* in the table"):
        await copy_in(db, table, pa.table({"value": values}))


CUT = {
    "an overflow": (ARRAY(Integer), pa.array([[2**31]])),
    "digits": (ARRAY(Numeric(4, 1)), pa.array([[Decimal("0.15")]])),
    "nanoseconds": (ARRAY(DateTime(timezone=False)), pa.array([[1]], pa.list_(pa.timestamp("ns")))),
}


@pytest.mark.parametrize("case", CUT)
async def test_an_element_that_would_be_cut_is_refused(db, outside, case):
    kind, values = CUT[case]
    table = Table("lists", MetaData(), Column("value", kind))
    async with db.engine.begin() as connection:
        await connection.run_sync(table.metadata.create_all)
    with pytest.raises(CopyError, match=r"^record 1, column 'value': "):
        await copy_in(db, table, pa.table({"value": values}))
