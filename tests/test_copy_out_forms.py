"""Each form has what the server says, under the names of the columns, also compressed and into a stream."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import ARRAY, Column, Integer, MetaData, Table, Text, func, literal, literal_column, select

from dal.copy import CsvOut, NdjsonOut, ParquetOut, copy_out
from dal.copy.out.files import Counted
from dal.copy.out.forms import writer_of
from dal.errors import CopyError
from tests.models import Account, Accounts, Contract, Everything, Everythings
from tests.test_copy_round_trip import CHARACTERS

ROWS = [{"id": 1, "owner": "ann", "balance": 10}, {"id": 2, "owner": 'b "ob",\n', "balance": 0}]
CSV = 'id,owner,balance\n1,ann,10\n2,"b ""ob"",\n",0\n'
NDJSON = '{"id":1,"owner":"ann","balance":10}\n{"id":2,"owner":"b \\"ob\\",\\n","balance":0}\n'


@pytest.fixture
async def accounts(db):
    await Accounts(db).add(*(Account(**row) for row in ROWS))
    return Accounts(db)


def _csv_of(path):
    return list(csv.reader(io.StringIO(path.read_text())))


def _zstd(path):
    return pa.input_stream(str(path), compression="zstd").read().decode()


READERS = {
    "it.csv": lambda path: path.read_text() == CSV,
    "it.CSV": lambda path: path.read_text() == CSV,
    "it.tsv": lambda path: (
        path.read_text() == CSV.replace('"b ""ob"",', '"b ""ob"";').replace(",", "\t").replace(";", ",")
    ),
    "it.csv.gz": lambda path: gzip.decompress(path.read_bytes()).decode() == CSV,
    "it.csv.zst": lambda path: _zstd(path) == CSV,
    "it.ndjson": lambda path: path.read_text() == NDJSON,
    "it.jsonl": lambda path: path.read_text() == NDJSON,
    "it.jsonl.gz": lambda path: gzip.decompress(path.read_bytes()).decode() == NDJSON,
    "it.ndjson.zst": lambda path: _zstd(path) == NDJSON,
    "it.parquet": lambda path: pq.read_table(path).to_pylist() == ROWS,
}


@pytest.mark.parametrize("name", READERS)
async def test_a_file_is_what_its_suffix_says(accounts, tmp_path, name):
    report = await accounts.copy_out(tmp_path / name, order_by=Account.id)
    assert READERS[name](tmp_path / name)
    assert (report.rows, report.bytes) == (2, (tmp_path / name).stat().st_size)
    assert report.rows_per_s > 0


@pytest.mark.parametrize("name", READERS)
async def test_no_rows_are_a_whole_file(db, tmp_path, name):
    assert (await Accounts(db).copy_out(tmp_path / name)).rows == 0
    if name == "it.parquet":
        assert pq.read_schema(tmp_path / name).names == ["id", "owner", "balance"]
    elif name == "it.csv":
        assert (tmp_path / name).read_text() == "id,owner,balance\n"


FORMS = [(CsvOut(), CSV.encode()), (NdjsonOut(), NDJSON.encode()), (CsvOut(header=False), CSV[17:].encode())]


@pytest.mark.parametrize(("form", "wanted"), FORMS)
async def test_a_stream_gets_the_same_and_stays_open(accounts, form, wanted):
    stream = io.BytesIO()
    report = await accounts.copy_out(stream, order_by=Account.id, form=form)
    assert (stream.getvalue(), report.bytes) == (wanted, len(wanted))


async def test_a_stream_takes_parquet(accounts):
    stream = io.BytesIO()
    await accounts.copy_out(stream, form=ParquetOut(group_rows=1, compression="none"))
    assert pq.ParquetFile(stream).metadata.num_row_groups == 2


class Dribble(io.RawIOBase):
    """A stream that takes three bytes at a time."""

    def __init__(self):
        self.taken = b""

    def writable(self):
        return True

    def write(self, data):
        self.taken += bytes(data[:3])
        return len(data[:3])


async def test_a_stream_that_takes_a_part_at_a_time_gets_all(accounts):
    stream = Dribble()
    await accounts.copy_out(stream, order_by=Account.id, form=CsvOut())
    assert stream.taken.decode() == CSV


async def test_a_csv_is_as_its_form_says(accounts, tmp_path):
    form = CsvOut(delimiter=";", quote="'", escape="\\", null="-", header=False, encoding="LATIN1")
    statement = select(
        literal("é'\\;").label("text"), literal_column("NULL::text").label("none"), literal("-").label("dash")
    )
    await copy_out(accounts._source, statement, tmp_path / "it.csv", form=form)
    assert (tmp_path / "it.csv").read_bytes() == "'é\\'\\\\;';-;'-'\n".encode("latin1")


WRONG = {"delimiter": ["", "ab", "\n", "é"], "quote": ["", "''"], "escape": ["", "\r"]}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_csv_that_cannot_be_is_refused(name, value):
    with pytest.raises(CopyError, match=f"^{name}="):
        CsvOut(**{name: value})


def test_empty_row_groups_are_refused():
    with pytest.raises(CopyError, match="group_rows=0"):
        ParquetOut(group_rows=0)


@pytest.mark.parametrize("name", ["it", "it.xlsx", "it.gz", "it.parquet.gz", "csv"])
async def test_a_name_that_says_no_form_is_refused(db, tmp_path, name):
    with pytest.raises(CopyError, match="does not end in"):
        await Accounts(db).copy_out(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", [io.StringIO(), 3, None])
async def test_what_is_no_target_is_refused(db, target):
    with pytest.raises(CopyError, match="is no target"):
        await Accounts(db).copy_out(target, form=CsvOut())


async def test_a_stream_without_a_form_is_refused(db):
    with pytest.raises(CopyError, match="form="):
        await Accounts(db).copy_out(io.BytesIO())


TEXTS = st.lists(st.none() | st.text(CHARACTERS | st.sampled_from(',"\\\n\r\t')), min_size=1, max_size=8)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=TEXTS)
async def test_lines_of_json_read_back_as_they_were(db, texts):
    stream, rows = io.BytesIO(), select(literal(texts, ARRAY(Text)).label("texts")).subquery()
    await copy_out(db, select(func.unnest(rows.c.texts).label("text")), stream, form=NdjsonOut())
    assert [json.loads(line)["text"] for line in stream.getvalue().split(b"\n")[:-1]] == texts


async def test_a_json_with_ends_of_lines_is_one_line(db):
    stream = io.BytesIO()
    document = literal_column('E\'{"a":\\r\\n ["\\\\n"\\n]}\'::json').label("document")
    await copy_out(db, select(document), stream, form=NdjsonOut())
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [{"document": {"a": ["\n"]}}]


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=TEXTS, escape=st.sampled_from([None, "\\"]))
async def test_progress_of_a_csv_counts_records_and_not_lines(db, texts, escape, monkeypatch):
    monkeypatch.setattr("dal.copy.out.sending.BLOCK_BYTES", 1)
    stream, seen = io.BytesIO(), []
    rows = select(literal(texts, ARRAY(Text)).label("texts")).subquery()
    statement = select(func.unnest(rows.c.texts).label("text"), literal(1).label("one"))
    await copy_out(db, statement, stream, form=CsvOut(escape=escape), on_progress=seen.append)
    writer = writer_of(CsvOut(escape=escape), (), Counted(io.BytesIO()))
    for line in stream.getvalue().splitlines(keepends=True):
        writer.write(line)
    assert (seen[-1].rows, writer.rows, seen[-1].bytes) == (len(texts), len(texts), len(stream.getvalue()))
    if escape is None:
        [_, *read] = csv.reader(io.StringIO(stream.getvalue().decode(), newline=""))
        assert [row[0] for row in read] == [each or "" for each in texts]


async def test_progress_goes_on_to_the_report(accounts, tmp_path, monkeypatch):
    monkeypatch.setattr("dal.copy.out.sending.BLOCK_BYTES", 1)
    seen = []
    report = await accounts.copy_out(tmp_path / "it.parquet", on_progress=seen.append)
    assert [each.rows for each in seen] == sorted(each.rows for each in seen)
    assert (seen[-1].rows, seen[-1].bytes) == (report.rows, report.bytes)


async def test_names_that_need_quotes_are_kept_in_every_form(db, outside, tmp_path):
    await outside.execute(
        'CREATE SCHEMA "a b"; CREATE TABLE "a b"."T "".x" ("A ""b"" c" int, "select" int, "é,$1%" int)'
    )
    await outside.execute('INSERT INTO "a b"."T "".x" VALUES (1, 2, 3)')
    names = ['A "b" c', "select", "é,$1%"]
    table = Table('T ".x', MetaData(), *(Column(name, Integer) for name in names), schema="a b")
    for name in ("it.parquet", "it.ndjson", "it.csv"):
        await copy_out(db, select(table).where(table.c.select == 2), tmp_path / name)
    assert pq.read_table(tmp_path / "it.parquet").to_pylist() == [dict(zip(names, [1, 2, 3], strict=True))]
    assert json.loads((tmp_path / "it.ndjson").read_text()) == dict(zip(names, [1, 2, 3], strict=True))
    assert _csv_of(tmp_path / "it.csv")[0] == names


async def test_a_partitioned_table_comes_whole(db, outside, tmp_path):
    await outside.execute("CREATE TABLE split (id int) PARTITION BY RANGE (id)")
    await outside.execute("CREATE TABLE split_1 PARTITION OF split FOR VALUES FROM (0) TO (10)")
    await outside.execute("CREATE TABLE split_2 PARTITION OF split DEFAULT")
    await outside.execute("INSERT INTO split SELECT generate_series(0, 19)")
    await copy_out(db, Table("split", MetaData(), Column("id", Integer)), tmp_path / "it.parquet")
    assert sorted(pq.read_table(tmp_path / "it.parquet")["id"].to_pylist()) == list(range(20))


async def test_columns_are_called_as_in_the_database_and_expressions_by_their_labels(db, tmp_path):
    statement = select(Contract, (Contract.id + 1).label("next"))
    await copy_out(db, statement, tmp_path / "it.parquet")
    names = pq.read_schema(tmp_path / "it.parquet").names
    assert (set(names), names[-1]) == ({"id", "folder_id", "kind", "title", "party", "version", "next"}, "next")


async def test_two_columns_of_a_name_are_refused(db, tmp_path):
    statement = select(literal_column("1 AS it"), literal_column("2 AS it"))
    with pytest.raises(CopyError, match=r"called it: give each a name of its own by label\(\)"):
        await copy_out(db, statement, tmp_path / "it.csv")


async def test_conditions_and_order_are_those_of_a_list(accounts, tmp_path):
    await accounts.copy_out(tmp_path / "it.csv", Account.balance >= 0, order_by=Account.id.desc())
    assert [line[0] for line in _csv_of(tmp_path / "it.csv")] == ["id", "2", "1"]


async def test_a_repository_lends_batches(accounts):
    async with accounts.copy_batches(Account.id > 1) as batches:
        assert batches.schema.names == ["id", "owner", "balance"]
        assert [row for batch in [each async for each in batches] for row in batch.to_pylist()] == ROWS[1:]


async def test_the_columns_of_every_type_of_a_class_are_all_there(db, tmp_path):
    await copy_out(db, Everything, tmp_path / "it.csv")
    await Everythings(db).copy_out(tmp_path / "same.csv")
    assert (tmp_path / "it.csv").read_text() == (tmp_path / "same.csv").read_text()
    assert (tmp_path / "it.csv").read_text().strip().split(",") == list(Everything.__table__.columns.keys())


@pytest.mark.parametrize("name", ["it.csv", "it.ndjson", "it.parquet"])
@pytest.mark.parametrize("kind", ["smallint", "record_of_s"])
@pytest.mark.parametrize("called", ["s", "c0"])
async def test_a_column_may_have_any_name(db, outside, tmp_path, name, kind, called):
    value = "5" if kind == "smallint" else "ROW('High St')"
    await outside.execute(
        f"CREATE TYPE record_of_s AS (street text); CREATE TABLE named (id int, {called} {kind}); "
        f"INSERT INTO named VALUES (1, {value})"
    )
    table = Table("named", MetaData(), Column("id", Integer), Column(called, Text))
    assert (await copy_out(db, table, tmp_path / name)).rows == 1
    written = (tmp_path / name).read_bytes()
    if name == "it.ndjson":
        assert set(json.loads(written)) == {"id", called}
    elif name == "it.csv":
        assert written.splitlines()[0].decode() == f"id,{called}"
    else:
        assert pq.read_schema(tmp_path / name).names == ["id", called]
