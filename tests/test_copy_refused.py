"""A source that cannot be loaded is one line, and nothing of it is loaded."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dal.copy.records import CHUNK_ROWS
from dal.errors import CopyError, DataException
from tests.looking import count
from tests.models import Accounts, Everythings
from tests.records import ACCOUNT, accounts


async def _refusal(repository, source, kind=CopyError, **options):
    with pytest.raises(kind) as caught:
        await repository.copy_in(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def parquet(tmp_path: Path) -> Callable[[pa.Table], Path]:
    """Write a table to a Parquet file; return its path."""

    def write(table: pa.Table) -> Path:
        pq.write_table(table, tmp_path / "records.parquet")
        return tmp_path / "records.parquet"

    return write


async def test_a_file_that_is_not_there_is_named(db, tmp_path):
    assert await _refusal(Accounts(db), tmp_path / "no.parquet") == f"there is no file {tmp_path / 'no.parquet'}."


@pytest.mark.parametrize("content", [b"", b"id,owner\n1,alice\n", b"PAR1" + bytes(100)])
async def test_a_file_that_is_not_parquet_is_named(db, tmp_path, content):
    (tmp_path / "records.parquet").write_bytes(content)
    message = await _refusal(Accounts(db), tmp_path / "records.parquet")
    assert message.startswith(f"{tmp_path / 'records.parquet'} cannot be read as Parquet: ")


async def test_a_folder_is_no_file(db, tmp_path):
    assert str(tmp_path) in await _refusal(Accounts(db), tmp_path)


async def test_what_is_no_source_says_what_is(db):
    message = await _refusal(Accounts(db), 1)
    assert message == "an object of int is no source: give a file's path, Arrow data or an iterable."


async def test_a_file_that_was_cut_short_loads_nothing(db, outside, parquet):
    path = parquet(accounts(*range(50_000)))
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes(2000) + whole[middle + 2000 :])
    await _refusal(Accounts(db), path)
    assert await count(outside, "account") == 0


@pytest.mark.parametrize("missing", ACCOUNT.names)
async def test_a_missing_column_loads_nothing(db, outside, parquet, missing):
    message = await _refusal(Accounts(db), parquet(accounts(1).drop_columns([missing])))
    assert f"the records lack column {missing!r}" in message
    assert await count(outside, "account") == 0


async def test_an_extra_column_loads_nothing(db, outside, parquet):
    extra = accounts(1).append_column("colour", pa.array(["red"]))
    assert "a column 'colour' that the table lacks" in await _refusal(Accounts(db), parquet(extra))
    assert await count(outside, "account") == 0


async def test_a_mistyped_column_loads_nothing(db, outside, parquet):
    mistyped = accounts(1).set_column(2, "balance", pa.array(["much"]))
    message = await _refusal(Accounts(db), parquet(mistyped))
    assert "column 'balance' is string in the records and integer in the table" in message
    assert await count(outside, "account") == 0


async def test_a_duplicated_column_loads_nothing(db, outside):
    twice = accounts(1).append_column("owner", pa.array(["bob"]))
    assert "two columns of the records have the same name" in await _refusal(Accounts(db), twice)
    assert await count(outside, "account") == 0


async def test_a_wrong_rename_loads_nothing(db, outside):
    message = await _refusal(Accounts(db), accounts(1), rename={"nme": "owner"})
    assert "rename= names 'nme'" in message
    assert await count(outside, "account") == 0


def _with_balances(values):
    """Make a chunk of good accounts, and one of those whose balances are *values*."""
    good = accounts(*range(CHUNK_ROWS)).set_column(2, "balance", pa.array([0] * CHUNK_ROWS, values.type))
    bad = accounts(*range(CHUNK_ROWS, CHUNK_ROWS + len(values))).set_column(2, "balance", values)
    return pa.concat_tables([good, bad])


async def test_an_overflow_in_a_later_chunk_loads_nothing(db, outside):
    message = await _refusal(Accounts(db), _with_balances(pa.array([2**31])))
    assert message == "record 8,193, column 'balance': a value that does not fit integer. Nothing was loaded."
    assert await count(outside, "account") == 0


async def test_lost_decimal_digits_load_nothing(db, outside):
    records = pa.table({"id": [1], "money": pa.array([1.005]).cast(pa.decimal128(15, 3))})
    message = await _refusal(Everythings(db), records)
    assert message == "record 1, column 'money': a value that does not fit numeric(15, 2). Nothing was loaded."
    assert await count(outside, "everything") == 0


# What only the server can tell: a column of `everything`, and a value that it refuses.
UNFIT_FOR_THE_SERVER = {
    "too long": ("code", "nine char"),
    "no member of the enumeration": ("mood", "so so"),
    "no json": ("document", "{"),
}


@pytest.mark.parametrize("case", UNFIT_FOR_THE_SERVER)
async def test_a_value_that_the_server_refuses_is_a_data_exception(db, case):
    name, value = UNFIT_FOR_THE_SERVER[case]
    message = await _refusal(Everythings(db), pa.table({"id": [1], name: [value]}), kind=DataException)
    assert value not in message


async def test_a_source_that_fails_half_way_loads_nothing(db, outside):
    def batches():
        yield from accounts(*range(CHUNK_ROWS)).to_batches()
        raise ZeroDivisionError

    with pytest.raises(Exception, match="ZeroDivisionError"):
        await Accounts(db).copy_in(pa.RecordBatchReader.from_batches(ACCOUNT, batches()))
    assert await count(outside, "account") == 0
