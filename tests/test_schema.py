"""The shop's schema, as the server has it after the migrations."""

from collections.abc import AsyncGenerator

import asyncpg
import pytest
from sqlalchemy import URL

from dal.demo.models import Base
from tests.looking import connect

TABLES = [table.name for table in Base.metadata.sorted_tables]

# Foreign keys without an index whose leading columns are theirs, in any order.
UNINDEXED = """
    SELECT c.conname FROM pg_constraint c
    WHERE c.contype = 'f' AND c.conrelid::regclass::text = ANY($1) AND NOT EXISTS (
        SELECT FROM pg_index i
        WHERE i.indrelid = c.conrelid AND i.indpred IS NULL
        AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey
    )
"""
# Every constraint's name, and what the naming convention makes of its kind, table, columns and referred table.
CONSTRAINTS = """
    SELECT c.conname AS name, concat_ws('_',
        CASE c.contype WHEN 'p' THEN 'pk' WHEN 'f' THEN 'fk' WHEN 'u' THEN 'uq' END,
        c.conrelid::regclass,
        CASE WHEN c.contype <> 'p' THEN (
            SELECT string_agg(a.attname, '_' ORDER BY k.nth)
            FROM unnest(c.conkey) WITH ORDINALITY k(attnum, nth)
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
        ) END,
        CASE WHEN c.contype = 'f' THEN c.confrelid::regclass END
    ) AS conventional
    FROM pg_constraint c
    WHERE c.conrelid::regclass::text = ANY($1) AND c.contype IN ('p', 'f', 'u')
"""
INDEXES = """
    SELECT c.relname AS name, concat_ws('_', 'ix', i.indrelid::regclass, (
        SELECT string_agg(a.attname, '_' ORDER BY k.nth)
        FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, nth)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    )) AS conventional
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid::regclass::text = ANY($1) AND NOT i.indisprimary
"""
MONEY = """
    SELECT table_name || '.' || column_name FROM information_schema.columns
    WHERE table_name = ANY($1) AND data_type IN ('numeric', 'real', 'double precision', 'money')
    AND (numeric_precision, numeric_scale) IS DISTINCT FROM (15, 2)
"""


@pytest.fixture
async def shop(read_only_url: URL) -> AsyncGenerator[asyncpg.Connection]:
    """Look at a database that has the shop."""
    connection = await connect(read_only_url)
    yield connection
    await connection.close()


async def _names(shop, query):
    rows = await shop.fetch(query, TABLES)
    return {row["name"] for row in rows}, {row["conventional"] for row in rows}


async def test_every_foreign_key_has_an_index(shop):
    assert [row["conname"] for row in await shop.fetch(UNINDEXED, TABLES)] == []


async def test_the_shop_has_eight_foreign_keys(shop):
    references = [row["name"] for row in await shop.fetch(CONSTRAINTS, TABLES) if row["name"].startswith("fk_")]
    assert len(references) == 8


async def test_every_constraint_follows_the_naming_convention(shop):
    names, conventional = await _names(shop, CONSTRAINTS)
    assert names == conventional


async def test_every_index_follows_the_naming_convention(shop):
    names, conventional = await _names(shop, INDEXES)
    assert names == conventional


async def test_money_has_fifteen_digits_of_which_two_are_cents(shop):
    assert [row[0] for row in await shop.fetch(MONEY, TABLES)] == []
