"""A load says how far it has come."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dal.copy.records import CHUNK_ROWS
from tests.looking import count
from tests.models import Accounts
from tests.records import ACCOUNT, accounts

ROWS = 2 * CHUNK_ROWS + 1


async def _progress(db, source):
    seen = []
    report = await Accounts(db).copy_in(source, on_progress=seen.append)
    return seen, report


async def test_progress_counts_to_the_total(db):
    seen, _ = await _progress(db, accounts(*range(ROWS)))
    assert (seen[-1].rows, seen[-1].total_rows) == (ROWS, ROWS)


async def test_progress_of_a_file_knows_the_total_from_the_first(db, tmp_path):
    pq.write_table(accounts(*range(ROWS)), tmp_path / "accounts.parquet")
    seen, _ = await _progress(db, tmp_path / "accounts.parquet")
    assert {progress.total_rows for progress in seen} == {ROWS}


async def test_progress_of_a_stream_knows_no_total(db):
    reader = pa.RecordBatchReader.from_batches(ACCOUNT, accounts(*range(ROWS)).to_batches())
    seen, _ = await _progress(db, reader)
    assert (seen[-1].rows, {progress.total_rows for progress in seen}) == (ROWS, {None})


async def test_progress_never_goes_back(db):
    seen, _ = await _progress(db, accounts(*range(ROWS)))
    rows = [progress.rows for progress in seen]
    assert rows == sorted(rows)
    assert CHUNK_ROWS in rows


async def test_progress_ends_with_the_bytes_of_the_report(db):
    seen, report = await _progress(db, accounts(*range(ROWS)))
    assert seen[-1].sent_bytes == report.sent_bytes


async def test_a_progress_that_raises_undoes_the_load(db, outside):
    def fail(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Accounts(db).copy_in(accounts(1), on_progress=fail)
    assert await count(outside, "account") == 0
