"""Where records come from: one shape for Parquet files and everything that speaks Arrow.

Refuses: knowing tables.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from dal.errors import CopyError

# A path of a Parquet file, a pyarrow Table or RecordBatchReader, or anything with `__arrow_c_stream__`.
Source: TypeAlias = str | os.PathLike[str] | Any

# Large enough that a chunk's fixed costs vanish, small enough that it stays in the processor's cache.
CHUNK_ROWS: Final = 8192


@dataclass(frozen=True, slots=True)
class Records:
    """An opened source. `batches(columns)` may be called once; each batch has at most `CHUNK_ROWS` rows."""

    schema: pa.Schema
    total_rows: int | None
    batches: Callable[[list[str]], Iterator[pa.RecordBatch]]


@contextmanager
def open_source(source: Source) -> Generator[Records]:
    """Open *source*; a file is closed at the end."""
    if isinstance(source, str | os.PathLike):
        with _open_parquet(Path(source)) as file:
            yield Records(
                file.schema_arrow,
                file.metadata.num_rows,
                lambda columns: _batches_of(file, columns, source),
            )
    elif isinstance(source, pa.Table):
        yield Records(source.schema, source.num_rows, lambda columns: iter(_chunks_of(source.select(columns))))
    elif hasattr(source, "__arrow_c_stream__"):
        reader = pa.RecordBatchReader.from_stream(source)
        yield Records(reader.schema, None, lambda columns: _chunks_from(reader, columns))
    else:
        raise CopyError(f"a {type(source).__name__} is no source: give a Parquet file's path, or Arrow data.")


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
