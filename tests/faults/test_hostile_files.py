"""Files and values as no program writes them: a record is broken and the load goes on, or a file is none."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dal.copy import Csv, Rejecting, copy_in
from dal.copy.rejects import _settled_bytes
from dal.errors import CopyError
from tests.copy_texts import csv
from tests.models import Account, Everything

GOOD = {"record": 1, "end_bytes": 7}


@pytest.mark.parametrize(
    "line",
    [
        "1", "null", "[]", "{}", '{"record": 1}',
        '{"record": "1", "end_bytes": 7}', '{"record": null, "end_bytes": 7}',
        '{"record": 2, "end_bytes": []}',
        '{"record": 2, "end_bytes": -1}', '{"record": 2, "end_bytes": 1.5}', '{"record": true, "end_bytes": 7}',
        "[" * 100_000, '{"record": 1', "\udcff",
    ],
)  # fmt: skip
def test_what_is_no_reason_ends_what_was_settled(tmp_path, line):
    reasons = tmp_path / "bad.csv.reasons.ndjson"
    first = json.dumps(GOOD).encode() + b"\n"
    reasons.write_bytes(first + line.encode("utf-8", "surrogateescape") + b"\n" + first)
    assert _settled_bytes(reasons, 5) == (7, len(first))


def _nested():
    found = []
    for _ in range(990):
        found = [found]
    return found


async def test_a_value_that_is_nested_too_deeply_is_rejected_alone(db, tmp_path):
    to = tmp_path / "bad.ndjson"
    records = [{"id": 1, "document": []}, {"id": 2, "document": _nested()}, {"id": 3, "document": {}}]
    report = await copy_in(db, Everything.__table__, records, on_error=Rejecting(to))
    assert (report.rows, [each.record for each in report.rejects]) == (2, [2])


async def test_a_list_that_is_nested_too_deeply_is_no_text(db):
    with pytest.raises(CopyError, match="record 2"):
        await copy_in(db, Account.__table__, [(1, "a", 1), (2, _nested(), 1)])


@pytest.mark.parametrize("form", [Csv(), Csv(escape="\\"), Csv(quote="'")])
def test_a_line_that_is_no_text_is_shown_with_a_mark_for_each_byte(form):
    _, broken = csv(b'id,words\n\xe6\xaa"",b,c\n', form)
    assert broken[1].line == '\ufffd\ufffd"",b,c'


async def test_a_load_of_nothing_but_rubbish_names_it(db):
    for content in (b"", b"\0", b"\xff\xfe\xff", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd\0", b'"' * 100):
        with pytest.raises(CopyError):
            await copy_in(db, Account.__table__, io.BytesIO(content))


@pytest.fixture
def no_utf8(tmp_path):
    """Write a Parquet file whose second owner is no UTF-8, as a program in another encoding would."""
    owners = pa.array([b"a", b"caf\xe9", b"c"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"id": [1, 2, 3], "owner": owners, "balance": [1, 2, 3]}), tmp_path / "latin.parquet")
    return tmp_path / "latin.parquet"


@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
async def test_bytes_of_arrow_that_are_no_text_are_rejected_alone(db, no_utf8, suffix):
    to = no_utf8.with_name(f"bad.{suffix}")
    report = await copy_in(db, Account.__table__, no_utf8, on_error=Rejecting(to))
    assert (report.rows, [(each.record, each.column) for each in report.rejects]) == (2, [(2, "owner")])
    assert len(to.read_bytes().splitlines()) == (2 if suffix == "csv" else 1)


async def test_bytes_of_arrow_that_are_no_text_are_named(db, no_utf8):
    with pytest.raises(CopyError, match=r"^record 2, column 'owner': a value that does not fit text"):
        await copy_in(db, Account.__table__, no_utf8)
