"""Where records come from: files, everything that speaks Arrow, and what Python holds.

Refuses: knowing tables.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from io import BufferedIOBase, RawIOBase
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Table

from dal.copy.records import CHUNK_ROWS, Chunk, Records
from dal.copy.rows import rows_of, rows_of_async
from dal.copy.text import Csv, Input, Ndjson, open_csv, open_ndjson, resolve, suffix_of
from dal.errors import CopyError

# A path of a file or a list of such, anything with `__arrow_c_stream__`, or anything that gives records, also
# asynchronously.
Source: TypeAlias = str | os.PathLike[str] | Iterable[Any] | AsyncIterable[Any] | Any

Format: TypeAlias = Literal["csv", "tsv", "ndjson", "parquet"]

# Of a file's suffix; every other one is Parquet.
_FORMATS: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
}


# What Arrow says of a file that is none, or of kinds that it does not know; of names that are no UTF-8 Python does.
_UNREADABLE: Final = (pa.ArrowException, OSError, UnicodeError)


@asynccontextmanager
async def open_source(source: Source, positions: Sequence[str], form: Csv | Ndjson | None) -> AsyncGenerator[Records]:
    """Open *source*; a file is closed at the end.

    *positions* are the names of the fields of plain tuples, *form* is how a text file is written.
    """
    given: Any = source
    if files := files_of(source):
        with _opened(files, form) as records:
            yield records
    elif isinstance(source, RawIOBase | BufferedIOBase):
        with _texts([given], form or Csv()) as records:
            yield records
    elif isinstance(source, pa.Table):
        yield Records(given.schema, lambda wanted: _numbered(_chunks_of(given.select(wanted.names))), given.num_rows)
    elif hasattr(source, "__arrow_c_stream__"):
        reader = pa.RecordBatchReader.from_stream(given)
        yield Records(reader.schema, lambda wanted: _numbered(_chunks_from(reader, wanted.names)))
    elif isinstance(source, AsyncIterable):
        yield await rows_of_async(source, positions)
    elif isinstance(source, Iterable) and not isinstance(source, bytes | bytearray):
        yield rows_of(source, positions)
    else:
        raise CopyError(
            f"an object of {type(source).__name__} is no source: give a file's path, Arrow data or an iterable."
        )


def format_of(path: Path) -> Format:
    """Tell by its name what a file is; the standard input is CSV."""
    return "csv" if str(path) == "-" else _FORMATS.get(suffix_of(path), "parquet")


def files_of(source: Source) -> list[Path]:
    """Name the files that a source stands for; none if it is something else."""
    given: Any = source
    if isinstance(source, str | os.PathLike):
        return resolve(source)
    is_files = isinstance(source, list | tuple) and all(isinstance(each, Path) for each in given)
    return [path for each in given for path in resolve(each)] if is_files else []


def _opened(paths: Sequence[Path], form: Csv | Ndjson | None) -> AbstractContextManager[Records]:
    named = format_of(paths[0])
    if form is None and named == "parquet":
        return _open_parquets(paths)
    return _texts(paths, Ndjson() if form is None and named == "ndjson" else form)


def _texts(inputs: Sequence[Input], form: Csv | Ndjson | None) -> AbstractContextManager[Records]:
    if isinstance(form, Ndjson):
        return open_ndjson(inputs, form.dates)
    return open_csv(inputs, form)


@contextmanager
def _open_parquets(paths: Sequence[Path]) -> Generator[Records]:
    with ExitStack() as stack:
        files = [stack.enter_context(_open_parquet(path)) for path in paths]
        schemas = [_schema_of(file, path) for path, file in zip(paths, files, strict=True)]
        schema = schemas[0]
        for path, each in zip(paths, schemas, strict=True):
            if not each.equals(schema):
                raise CopyError(f"{path} has other columns than {paths[0]}: load files of one kind at a time.")
        total = sum(file.metadata.num_rows for file in files)

        def batches(wanted: pa.Schema) -> Iterator[pa.RecordBatch]:
            for path, file in zip(paths, files, strict=True):
                yield from _batches_of(file, wanted.names, path)

        yield Records(schema, lambda wanted: _numbered(batches(wanted)), total)


def positions_of(table: Table) -> list[str]:
    """Name the fields of plain tuples: the table's columns in their order, but for those that the server computes."""
    return [column.name for column in table.columns if column.computed is None]


def _numbered(batches: Iterable[pa.RecordBatch]) -> Iterator[Chunk]:
    done = 0
    for batch in batches:
        yield Chunk(batch, range(done + 1, done + 1 + batch.num_rows))
        done += batch.num_rows


def _open_parquet(path: Path) -> Any:
    try:
        # Pre-buffering keeps what it has read, in the end the whole file.
        return pq.ParquetFile(path, pre_buffer=False)
    except FileNotFoundError as error:
        raise CopyError(f"there is no file {path}.") from error
    except _UNREADABLE as error:
        raise _no_parquet(path, error) from error


def _schema_of(file: Any, path: Path) -> pa.Schema:
    try:
        return file.schema_arrow
    except _UNREADABLE as error:
        raise _no_parquet(path, error) from error


def _no_parquet(path: Path, error: Exception) -> CopyError:
    return CopyError(f"{path} cannot be read as Parquet: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _batches_of(file: Any, columns: list[str], path: str | os.PathLike[str]) -> Iterator[pa.RecordBatch]:
    try:
        # Arrow's own threads would each keep memory of their own, and the server is the slower side anyway.
        yield from file.iter_batches(batch_size=CHUNK_ROWS, columns=columns, use_threads=False)
    except _UNREADABLE as error:
        raise CopyError(f"{os.fspath(path)} cannot be read to its end: {_first_line(error)}") from error


def _chunks_of(table: pa.Table) -> list[pa.RecordBatch]:
    return table.to_batches(max_chunksize=CHUNK_ROWS)  # type: ignore[no-any-return] # pyarrow ships no types


def _chunks_from(reader: pa.RecordBatchReader, columns: list[str]) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        yield from _chunks_of(pa.Table.from_batches([batch.select(columns)]))
