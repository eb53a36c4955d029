"""Where records come from: files, everything that speaks Arrow, and what Python holds.

Refuses: knowing tables.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Table

from dal.copy.records import CHUNK_ROWS, Chunk, Records
from dal.copy.rows import rows_of, rows_of_async
from dal.errors import CopyError

# A path of a file, anything with `__arrow_c_stream__`, or anything that gives records, also asynchronously.
Source: TypeAlias = str | os.PathLike[str] | Iterable[Any] | AsyncIterable[Any] | Any


@asynccontextmanager
async def open_source(source: Source, positions: Sequence[str]) -> AsyncGenerator[Records]:
    """Open *source*; a file is closed at the end. *positions* are the names of the fields of plain tuples."""
    if isinstance(source, str | os.PathLike):
        with _open_parquet(Path(source)) as file:
            batches = lambda wanted: _numbered(_batches_of(file, wanted.names, source))  # noqa: E731
            yield Records(file.schema_arrow, batches, file.metadata.num_rows)
    elif isinstance(source, pa.Table):
        table: Any = source
        yield Records(table.schema, lambda wanted: _numbered(_chunks_of(table.select(wanted.names))), table.num_rows)
    elif hasattr(source, "__arrow_c_stream__"):
        reader = pa.RecordBatchReader.from_stream(source)
        yield Records(reader.schema, lambda wanted: _numbered(_chunks_from(reader, wanted.names)))
    elif isinstance(source, AsyncIterable):
        yield await rows_of_async(source, positions)
    elif isinstance(source, Iterable) and not isinstance(source, bytes | bytearray):
        yield rows_of(source, positions)
    else:
        raise CopyError(
            f"an object of {type(source).__name__} is no source: give a file's path, Arrow data or an iterable."
        )


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
    except (pa.ArrowInvalid, OSError) as error:
        raise CopyError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error


def _batches_of(file: Any, columns: list[str], path: str | os.PathLike[str]) -> Iterator[pa.RecordBatch]:
    try:
        # Arrow's own threads would each keep memory of their own, and the server is the slower side anyway.
        yield from file.iter_batches(batch_size=CHUNK_ROWS, columns=columns, use_threads=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise CopyError(f"{os.fspath(path)} cannot be read to its end: {str(error).splitlines()[0]}") from error


def _chunks_of(table: pa.Table) -> list[pa.RecordBatch]:
    return table.to_batches(max_chunksize=CHUNK_ROWS)  # type: ignore[no-any-return] # pyarrow ships no types


def _chunks_from(reader: pa.RecordBatchReader, columns: list[str]) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        yield from _chunks_of(pa.Table.from_batches([batch.select(columns)]))
