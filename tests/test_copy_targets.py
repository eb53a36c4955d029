"""Tables of every kind are loaded, merged into and rejected from: by odd names, in other schemas, in partitions."""

from __future__ import annotations

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import INET

from dal import Database
from dal.copy import Conflict, copy_in
from dal.errors import UniqueViolation

METADATA = MetaData()
ODD = Table(
    'order "by" name',
    METADATA,
    Column("select", Integer, primary_key=True, autoincrement=False),
    Column('a "quote"', Text, nullable=False),
    Column("Größe", Integer),
    Column("dal_first", Integer),
    Column("$1", Text),
    schema="Other Schema",
)
PARTS = Table(
    "target_parts",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("words", Text),
    postgresql_partition_by="RANGE (id)",
)
FILLED = Table(
    "target_filled",
    METADATA,
    Column("id", Integer, Identity(), primary_key=True),
    Column("words", Text, nullable=False),
    Column("letters", Integer, Computed("length(words)")),
    Column("state", Text, server_default="new", nullable=False),
    UniqueConstraint("words", name="one_word"),
)
TREE = Table(
    "target_tree",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("parent", ForeignKey("target_tree.id")),
)


@pytest.fixture
async def db(database_url):
    async with Database(database_url) as db:
        async with db.engine.begin() as connection:
            await connection.exec_driver_sql('CREATE SCHEMA "Other Schema"')
            await connection.run_sync(METADATA.create_all)
            await connection.exec_driver_sql(
                "CREATE TABLE target_low PARTITION OF target_parts FOR VALUES FROM (0) TO (100)"
            )
        yield db


def _odd(number, **more):
    return {"select": number, 'a "quote"': "x", "Größe": 1, "dal_first": 2, "$1": "y"} | more


@pytest.mark.parametrize("action", ["error", "skip", "update", "replace"])
@pytest.mark.parametrize("on_error", ["abort", "reject"])
async def test_names_that_need_quotes_are_quoted(db, outside, action, on_error):
    await copy_in(db, ODD, [_odd(1)])
    first = [] if action == "error" else [_odd(1, Größe=9)]
    bad = [] if on_error == "abort" else [_odd(3, **{'a "quote"': None}), _odd(4, Größe="x")]
    report = await copy_in(db, ODD, [*first, _odd(2), *bad], on_conflict=action, on_error=on_error)
    assert report.rejected == len(bad)
    rows = await outside.fetch('SELECT "select", "Größe" FROM "Other Schema"."order ""by"" name" ORDER BY 1')
    expected = {"error": [(1, 1), (2, 1)], "skip": [(1, 1), (2, 1)]}.get(action, [(1, 9), (2, 1)])
    assert [tuple(row) for row in rows] == expected


@pytest.mark.parametrize("action", ["error", "skip", "update", "replace"])
async def test_a_row_goes_to_its_partition_or_is_rejected(db, outside, action):
    records = [(5, "five"), (500, "no partition"), (6, "six")]
    report = await copy_in(db, PARTS, records, on_conflict=action, on_error="reject")
    assert (report.rows, report.rejected, report.rejects[0].record) == (2, 1, 2)
    assert "no partition" in report.rejects[0].reason
    assert [row[0] for row in await outside.fetch("SELECT id FROM target_low ORDER BY 1")] == [5, 6]


async def test_an_update_of_partitions_counts_what_was_there(db):
    await copy_in(db, PARTS, [(5, "five")])
    report = await copy_in(db, PARTS, [(5, "more"), (6, "six")], on_conflict="update")
    assert (report.rows, report.updated) == (1, 1)


@pytest.mark.parametrize("on_error", ["abort", "reject"])
async def test_what_the_server_fills_in_is_left_to_it(db, outside, on_error):
    await copy_in(db, FILLED, [{"words": "one"}, {"words": "three"}], on_error=on_error)
    rows = await outside.fetch("SELECT * FROM target_filled ORDER BY id")
    assert [tuple(row) for row in rows] == [(1, "one", 3, "new"), (2, "three", 5, "new")]


async def test_a_merge_by_another_key_leaves_the_rest_to_the_server(db, outside):
    await copy_in(db, FILLED, [{"words": "one"}])
    by_words = Conflict("skip", on=["words"])
    report = await copy_in(db, FILLED, [{"words": "one"}, {"words": "two"}], on_conflict=by_words)
    assert (report.rows, report.skipped) == (1, 1)
    assert await outside.fetchval("SELECT count(*) FROM target_filled") == 2


@pytest.mark.parametrize("parents_first", [True, False])
async def test_a_row_may_refer_to_another_of_the_same_load(db, outside, parents_first):
    records = [(n, n - 1 if n > 1 else None) for n in range(1, 200)]
    report = await copy_in(db, TREE, records if parents_first else records[::-1], on_error="reject")
    assert (report.rows, report.rejected) == (199, 0)
    report = await copy_in(db, TREE, [(500, 501), (501, None), (502, 777)], on_error="reject")
    assert (report.rows, report.rejected, report.rejects[0].record) == (2, 1, 3)
    assert await outside.fetchval("SELECT count(*) FROM target_tree") == 201


async def test_an_error_names_no_other_record_where_texts_have_lines_of_their_own(db):
    table = Table("target_lines", MetaData(), Column("words", Text), Column("address", INET, unique=True))
    async with db.begin() as session:
        await session.run_sync(lambda session: table.create(session.connection()))
        with pytest.raises(UniqueViolation) as plain:
            await copy_in(session, table, [("one", "::1"), ("two", "::2"), ("three", "::1")])
        with pytest.raises(UniqueViolation) as lines:
            await copy_in(session, table, [("one", "::1"), ("two\nlines", "::2"), ("three", "::1"), ("four", "::4")])
    assert "it is record 3" in str(plain.value)
    assert "it is record" not in str(lines.value)
