"""A type is what it is on PostgreSQL: variants, decorators, and what stands in for a native type."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from sqlalchemy import (
    ARRAY,
    JSON,
    REAL,
    BigInteger,
    Column,
    Enum,
    Float,
    Integer,
    Interval,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    Time,
    TypeDecorator,
    Uuid,
)
from sqlalchemy.dialects.postgresql import INET, JSONB

from dal import Database
from dal.copy import copy_in
from dal.errors import CopyError


class Document(TypeDecorator[Any]):
    impl = JSONB
    cache_ok = True


class Titled(TypeDecorator[Any]):
    """Decorates what is decorated already."""

    impl = Document
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return {"title": value}


class Wide(TypeDecorator[int]):
    """Is a bigint, whatever it says."""

    impl = Integer
    cache_ok = True

    def load_dialect_impl(self, dialect):
        return dialect.type_descriptor(BigInteger())


class Short(TypeDecorator[float]):
    impl = REAL
    cache_ok = True


KEY = UUID(int=7)
DOCUMENT = {"a": 1}
WIDE = 2**40
VARIANTS: dict[str, tuple[Any, Any, str]] = {
    "decorated": (Document(), DOCUMENT, '{"a": 1}'),
    "decorated twice": (Titled(), "x", '{"title": "x"}'),
    "jsonb": (JSON().with_variant(JSONB(), "postgresql"), DOCUMENT, '{"a": 1}'),
    "another server's": (JSONB().with_variant(Text(), "sqlite"), DOCUMENT, '{"a": 1}'),
    "a decorator": (Integer().with_variant(Document(), "postgresql"), DOCUMENT, '{"a": 1}'),
    "bigint": (Integer().with_variant(BigInteger(), "postgresql"), WIDE, str(WIDE)),
    "by its dialect": (Wide(), WIDE, str(WIDE)),
    "uuid": (Uuid(native_uuid=False), KEY, KEY.hex),
    "uuid as text": (Uuid(native_uuid=False, as_uuid=False), str(KEY), KEY.hex),
    "interval": (Interval(native=False), timedelta(days=1), "1970-01-02 00:00:00"),
    "numeric": (Float().with_variant(Numeric(10, 2), "postgresql"), 1.5, "1.50"),
    "text": (String(10).with_variant(Text(), "postgresql"), "a" * 11, "a" * 11),
    "real": (Float().with_variant(REAL(), "postgresql"), 0.1, "0.1"),
    "decorated real": (Short(), 0.1, "0.1"),
    "no enum": (Enum("a", "b", native_enum=False), "b", "b"),
    "array": (ARRAY(Wide()), [WIDE, None], f"{{{WIDE},NULL}}"),
}


async def _created(db: Database, *columns: Column[Any]) -> Table:
    table = Table("variant", MetaData(), Column("id", Integer, primary_key=True, autoincrement=False), *columns)
    async with db.engine.begin() as connection:
        await connection.run_sync(table.metadata.create_all)
    return table


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("others", [(), ("host",)], ids=["as it is", "as text"])
async def test_a_type_is_what_it_is_on_postgresql(db, outside, name, others):
    kind, value, text = VARIANTS[name]
    table = await _created(db, Column("value", kind), *(Column(each, INET) for each in others))
    await copy_in(db, table, [{"id": 1, "value": value, **dict.fromkeys(others)}])
    assert await outside.fetchval("SELECT value::text FROM variant") == text


@pytest.mark.parametrize("name", VARIANTS)
async def test_a_record_that_the_server_reads_has_the_same_value(db, outside, name):
    kind, value, text = VARIANTS[name]
    table = await _created(db, Column("value", kind), Column("count", Integer))
    await copy_in(db, table, [{"id": 1, "value": value, "count": 7}, {"id": 2, "value": value, "count": "7"}])
    assert await outside.fetchval("SELECT array_agg(value::text) FROM variant") == [text, text]


@pytest.mark.parametrize("name", VARIANTS)
async def test_a_file_has_the_same_value_or_is_refused(db, outside, tmp_path, name):
    kind, _, text = VARIANTS[name]
    table = await _created(db, Column("value", kind))
    (tmp_path / "a.ndjson").write_text(json.dumps({"id": 1, "value": text}) + "\n")
    try:
        await copy_in(db, table, tmp_path / "a.ndjson")
    except CopyError as error:
        assert "which takes Python's values only" in str(error)  # noqa: PT017 # either will do
        return
    assert await outside.fetchval("SELECT value::text FROM variant") == text


async def test_jsonb_of_a_variant_is_loaded_from_arrow(db, outside):
    table = await _created(db, Column("value", JSON().with_variant(JSONB(), "postgresql")))
    await copy_in(db, table, pa.table({"id": [1], "value": ['{"a": 1}']}))
    assert await outside.fetchval("SELECT value::text FROM variant") == '{"a": 1}'


async def test_a_time_without_a_zone_is_none_with_one(db):
    table = await _created(db, Column("value", Time(timezone=True)))
    with pytest.raises(CopyError, match=r"column 'value' is time64\[us\] in the records and time with time zone in"):
        await copy_in(db, table, pa.table({"id": [1], "value": pa.array([1], pa.time64("us"))}))


@pytest.mark.parametrize(
    ("value", "text"), [(1 + 2**-24, "1"), (1 + 3 * 2**-24, "1.0000002"), (2**25, "3.3554432e+07")]
)
@pytest.mark.parametrize("others", [(), ("host",)], ids=["as it is", "as text"])
async def test_a_real_is_rounded_once(db, outside, value, text, others):
    table = await _created(db, Column("value", REAL), *(Column(each, INET) for each in others))
    await copy_in(db, table, [{"id": 1, "value": value, **dict.fromkeys(others)}])
    assert await outside.fetchval("SELECT value::text FROM variant") == text


@pytest.mark.parametrize("others", [(), ("host",)], ids=["as it is", "as text"])
async def test_a_whole_number_that_a_real_cannot_hold_is_refused(db, others):
    table = await _created(db, Column("value", REAL), *(Column(each, INET) for each in others))
    with pytest.raises(CopyError, match=r"column 'value': a whole number of more digits than a real has\."):
        await copy_in(db, table, [{"id": 1, "value": 2**24 + 1, **dict.fromkeys(others)}])
