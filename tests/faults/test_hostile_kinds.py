"""Files of kinds that no load can read, and those that name no column."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dal.copy import Ndjson, copy_in
from dal.errors import CopyError, DatabaseError
from tests.copy_texts import ndjson
from tests.models import Account


def test_an_object_without_keys_names_no_column():
    assert ndjson(b'{}\n{"id": 1}\n{}\n') == ({1: (None,), 2: ("1",), 3: (None,)}, {})


async def test_a_file_of_objects_without_keys_names_no_column(db):
    with pytest.raises(CopyError, match="line 2 has an object without keys"):
        await copy_in(db, Account.__table__, io.BytesIO(b"{}\n{}\n"), form=Ndjson())


@pytest.mark.parametrize("seed", range(8))
async def test_a_parquet_file_of_which_bits_are_others_is_no_source_or_one(db, tmp_path, seed):
    table = pa.table({"id": [1, 2], "owner": ["a", "b"], "balance": [1, 2]})
    pq.write_table(table, sink := io.BytesIO())
    data, path = sink.getvalue(), tmp_path / "odd.parquet"
    for at in range(seed, len(data), 24):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x94]) + data[at + 1 :])
        try:
            await copy_in(db, Account.__table__, path, on_conflict="update")
        except (CopyError, DatabaseError):  # a balance that is another may be negative
            continue
