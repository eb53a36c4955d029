"""Where texts come from: files, patterns, streams, packed or not; how far they are read, and what that costs."""

import gzip
import io
import os
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from dal.copy.records import CHUNK_ROWS
from dal.copy.text import Csv, inputs, open_csv, open_ndjson, resolve, suffix_of
from dal.errors import CopyError
from tests.copy_texts import chunks

TEXT = b"a,b\n" + b"".join(b"%d,name %d\n" % (number, number * 7919) for number in range(50_000))
ROWS = 50_000


def _zstd(data):
    return pa.Codec("zstd").compress(data, asbytes=True)


PACKED = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "zstd": _zstd,
    "gzip of several": lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:]),
    "zstd of several": lambda data: _zstd(data[:1000]) + _zstd(data[1000:]),
}


def _rows(opened):
    return sum(chunk.batch.num_rows for chunk in chunks(opened))


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.zst"])
def test_packing_is_known_by_the_first_bytes(tmp_path, kind, name):
    (path := tmp_path / name).write_bytes(PACKED[kind](TEXT))
    got = chunks(open_csv([path]))
    assert [value for chunk in got for value in chunk.batch["a"].to_pylist()] == list(map(str, range(ROWS)))


@pytest.mark.parametrize("kind", PACKED)
def test_end_bytes_rise_to_the_size_of_all_files(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(inputs, "BLOCK_BYTES", 1 << 16)
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_bytes(PACKED[kind](TEXT))
    with open_csv(paths) as records:
        ends = [chunk.end_bytes for chunk in records.chunks(records.schema)]
        assert records.total_bytes == sum(path.stat().st_size for path in paths) == ends[-1]
    assert ends[0] < ends[-1] // 2 < ends[-2]
    assert all(one <= two for one, two in pairwise(ends))


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_packed_file_that_is_cut_off_is_told(tmp_path, kind):
    (path := tmp_path / "a.csv").write_bytes(PACKED[kind](TEXT)[:-20])
    with pytest.raises(CopyError, match=r"a\.csv cannot be read to its end: ") as caught:
        chunks(open_csv([path]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", PACKED)
def test_a_stream_is_read_and_stays_open(kind):
    stream = io.BytesIO(PACKED[kind](TEXT))
    with open_csv([stream]) as records:
        assert records.total_bytes is None
        assert sum(chunk.batch.num_rows for chunk in records.chunks(records.schema)) == ROWS
    assert not stream.closed


def test_a_stream_may_give_less_than_was_asked_for():
    class Pipe(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 777))

    assert _rows(open_csv([Pipe(gzip.compress(TEXT))])) == _rows(open_csv([Pipe(TEXT)])) == ROWS


def test_a_dash_is_the_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT)))
    assert _rows(open_csv(resolve("-"))) == ROWS


def test_a_stream_of_text_is_told():
    with pytest.raises(CopyError, match="the stream gives str, no bytes: open it in binary mode"):
        chunks(open_csv([io.StringIO("a,b\n")]))


@pytest.mark.parametrize("head", [b"", gzip.compress(TEXT)[:5000]])
def test_a_stream_that_fails_is_told(head):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            if part := super().read(size):
                return part
            raise OSError

    with pytest.raises(CopyError, match="the stream cannot be read to its end: OSError"):
        chunks(open_ndjson([Failing(head)]))


def test_a_file_that_is_gone_is_told(tmp_path):
    with pytest.raises(CopyError, match=r"there is no file .*gone"):
        chunks(open_csv([tmp_path / "gone"]))
    with pytest.raises(CopyError, match="cannot be opened: Is a directory"):
        chunks(open_csv([tmp_path]))


def test_files_are_closed_when_the_source_is_left_halfway(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "BLOCK_BYTES", 100)
    opened = []
    monkeypatch.setattr(inputs, "_opened", lambda path: opened.append(path.open("rb")) or opened[-1])
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"a,b\n1,2\n")
    with open_csv([tmp_path / "a", tmp_path / "b"]) as records:
        drawn = records.chunks(records.schema)
        next(drawn)
        next(drawn)
    assert [stream.closed for stream in opened] == [True, True]


@pytest.mark.parametrize("name", ["a.tsv", "a.TSV.gz", "a.tab"])
def test_a_suffix_tells_a_tsv(tmp_path, name):
    (path := tmp_path / name).write_bytes(b"a\tb\n1,1\t2\n")
    assert chunks(open_csv([path]))[0].batch.to_pylist() == [{"a": "1,1", "b": "2"}]


def test_a_form_is_stronger_than_a_suffix(tmp_path):
    (path := tmp_path / "a.tsv").write_bytes(b"a,b\n1,2\n")
    assert chunks(open_csv([path], Csv()))[0].batch.to_pylist() == [{"a": "1", "b": "2"}]


def test_suffixes_of_packing_are_passed_over():
    names = {"a.csv.gz": ".csv", "a.b.NDJSON.zst": ".ndjson", "a.gz": "", "a": "", "x.parquet": ".parquet"}
    assert {name: suffix_of(Path(name)) for name in names} == names


def test_patterns_stand_for_their_files_sorted(tmp_path, monkeypatch):
    for name in ("b.csv", "a.csv", "in/c.csv", "in/d.txt", "[a].csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.csv").mkdir()
    assert resolve(tmp_path / "*.csv") == [tmp_path / name for name in ("[a].csv", "a.csv", "b.csv")]
    assert resolve(f"{tmp_path}/**/?.csv") == [tmp_path / name for name in ("a.csv", "b.csv", "in/c.csv")]
    assert resolve(tmp_path / "[a].csv") == [tmp_path / "[a].csv"]
    monkeypatch.chdir(tmp_path)
    assert resolve("in/*") == [Path("in/c.csv"), Path("in/d.txt")]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("*.csv", r"no file is named like .*\*\.csv"),
        ("a.csv", r"there is no file .*a\.csv"),
        ("", r"is a folder: give a pattern such as .*\*\.csv"),
        ("a**b", "is no pattern of files"),
    ],
)
def test_a_name_without_files_is_told(tmp_path, name, message):
    with pytest.raises(CopyError, match=message):
        resolve(tmp_path / name)


def test_a_named_pipe_is_a_file(tmp_path):
    os.mkfifo(path := tmp_path / "pipe")
    with ThreadPoolExecutor() as threads:
        written = threads.submit(path.write_bytes, gzip.compress(TEXT))
        assert _rows(open_csv(resolve(path))) == ROWS
        assert written.result() > 0


def test_objects_come_in_chunks_too():
    got = chunks(open_ndjson([io.BytesIO(b'{"a":1}\n' * (2 * CHUNK_ROWS) + b"x\n")]))
    assert [len(chunk.numbers) for chunk in got] == [CHUNK_ROWS, CHUNK_ROWS, 0]
    assert [one.number for one in got[-1].broken] == [2 * CHUNK_ROWS + 1]


@pytest.mark.parametrize("block_bytes", [1 << 12, 1 << 20])
def test_chunks_hold_so_many_numbers(monkeypatch, block_bytes):
    monkeypatch.setattr(inputs, "BLOCK_BYTES", block_bytes)
    rows = [b"x" if number % 1000 == 7 else b"%d,%d" % (number, number) for number in range(1, 2 * CHUNK_ROWS + 2)]
    got = chunks(open_csv([io.BytesIO(b"a,b\n" + b"\n".join(rows))]))
    if len(rows) * 20 < inputs.BLOCK_BYTES:
        assert [len(chunk.numbers) + len(chunk.broken) for chunk in got] == [CHUNK_ROWS, CHUNK_ROWS, 1]
    numbers = [number for chunk in got for number in chunk.numbers]
    assert numbers == [number for number in range(1, len(rows) + 1) if number % 1000 != 7]
    assert [value for chunk in got for value in chunk.batch["a"].to_pylist()] == list(map(str, numbers))


class Endless(io.RawIOBase):
    """As many records as are wanted, made while they are read."""

    def __init__(self, head, line, size):
        self._data = head + line * ((1 << 16) // len(line))
        self._line = line * ((1 << 16) // len(line))
        self._left = size

    def read(self, size=-1):
        part, self._data = self._data[:size], self._data[size:] or self._line
        self._left -= len(part)
        return part if self._left > 0 else b""


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_memory_does_not_grow_with_the_file(monkeypatch, kind):
    monkeypatch.setattr(inputs, "BLOCK_BYTES", 1 << 16)
    head, line = (b"a,b\n", b'1,"some\ntext"\n') if kind == "csv" else (b"", b'{"a":1,"b":"some text"}\n')
    opened = open_csv if kind == "csv" else open_ndjson

    def peak(size):
        tracemalloc.start()
        arrow = 0
        with opened([Endless(head, line, size)]) as records:
            for _ in records.chunks(records.schema):
                arrow = max(arrow, pa.total_allocated_bytes())
        traced = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return traced + arrow

    peak(1 << 18)
    assert peak(1 << 22) < 1.5 * peak(1 << 20)
