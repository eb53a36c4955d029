"""Everything that holds records of Arrow's loads alike."""

from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from dal.copy import copy_in
from dal.copy.records import CHUNK_ROWS
from dal.demo.repositories import Regions
from tests.models import Account, Accounts
from tests.records import ACCOUNT, accounts

ROWS = 2 * CHUNK_ROWS + 1


class Stream:
    """Something that only speaks Arrow's stream protocol, as a data frame does."""

    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


def _reader(table):
    return pa.RecordBatchReader.from_batches(ACCOUNT, table.to_batches(max_chunksize=1000))


def _in_pieces(table):
    return pa.concat_tables([table.slice(0, 10), table.slice(10)])


SOURCES = {
    "table": lambda table, _: table,
    "table in pieces": lambda table, _: _in_pieces(table),
    "record batch": lambda table, _: table.combine_chunks().to_batches()[0],
    "record batch reader": lambda table, _: _reader(table),
    "stream": lambda table, _: Stream(table),
    "path": lambda _, path: path,
    "name of a file": lambda _, path: str(path),
}


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    """Lend the path of a Parquet file with all the rows."""
    path = tmp_path / "accounts.parquet"
    pq.write_table(accounts(*range(ROWS)), path)
    return path


@pytest.mark.parametrize("kind", SOURCES)
async def test_every_source_loads_all_its_rows(db, outside, parquet, kind):
    await Accounts(db).copy_in(SOURCES[kind](accounts(*range(ROWS)), parquet))
    assert await outside.fetchrow("SELECT count(*), sum(id) FROM account") == (ROWS, ROWS * (ROWS - 1) // 2)


@pytest.mark.parametrize("rows", [0, 1, CHUNK_ROWS, CHUNK_ROWS + 1])
async def test_the_report_counts_the_rows(db, rows):
    report = await Accounts(db).copy_in(accounts(*range(rows)))
    assert report.rows == rows


async def test_the_report_has_bytes_seconds_and_speed(db):
    report = await Accounts(db).copy_in(accounts(1, 2))
    assert report.sent_bytes > 19
    assert report.rows_per_s == report.rows / report.seconds


async def test_a_stream_without_batches_loads_nothing(db):
    report = await Accounts(db).copy_in(pa.RecordBatchReader.from_batches(ACCOUNT, []))
    assert report.rows == 0


async def test_the_order_of_the_columns_does_not_matter(db, outside):
    await Accounts(db).copy_in(accounts(7).select(["balance", "owner", "id"]))
    assert await outside.fetchrow("SELECT * FROM account") == (7, "owner 7", 0)


async def test_renamed_columns_load_under_the_tables_names(db, outside):
    theirs = accounts(7).rename_columns(["a_key", "a_owner", "a_balance"])
    await Accounts(db).copy_in(theirs, rename={"a_key": "id", "a_owner": "owner", "a_balance": "balance"})
    assert await outside.fetchrow("SELECT * FROM account") == (7, "owner 7", 0)


async def test_a_key_that_the_records_lack_is_numbered_by_the_server(db, outside):
    await Regions(db).copy_in(pa.table({"name": ["a", "b"], "comment": ["", ""]}))
    assert await outside.fetchval("SELECT array_agg(id ORDER BY id) FROM region") == [1, 2]


async def test_a_table_in_a_schema_of_its_own_is_found_by_the_search_path(db, outside):
    await outside.execute("CREATE SCHEMA other; CREATE TABLE other.account (LIKE public.account)")
    async with db.writing() as session:
        await session.execute(text("SET LOCAL search_path TO other"))
        await copy_in(session, Account.__table__, accounts(1))
    assert await outside.fetchval("SELECT count(*) FROM other.account") == 1


async def test_a_file_is_closed_after_it_was_loaded(db, parquet):
    await Accounts(db).copy_in(parquet)
    open_files = {file.path for file in psutil.Process().open_files()}
    assert str(parquet) not in open_files
