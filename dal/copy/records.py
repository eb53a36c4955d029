"""What every source is turned into: chunks of records, in the shape that Arrow has for them.

Refuses: knowing files, tables and servers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

import pyarrow as pa

# Large enough that a chunk's fixed costs vanish, small enough that it stays in the processor's cache.
CHUNK_ROWS: Final = 8192


class Broken(NamedTuple):
    """A record that cannot be loaded, as its source has it: the texts of its fields, or, of what has none, the line."""

    number: int
    reason: str
    fields: Mapping[str, str | None] | None = None
    line: str | None = None
    column: str | None = None
    sqlstate: str | None = None
    constraint: str | None = None


# Of a source of Python's values: a list for each column.
Values: TypeAlias = list[list[Any]]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Up to `CHUNK_ROWS` records; `numbers` counts them from 1, also those that are broken, over the whole source.

    `end_bytes` is how far into its file the source is after them, where that is known.
    """

    batch: pa.RecordBatch | Values
    numbers: Sequence[int]
    broken: Sequence[Broken] = ()
    end_bytes: int | None = None


# Gives the records' columns that the plan names, in its order.
Chunks: TypeAlias = Callable[[pa.Schema], Iterator[Chunk] | AsyncIterator[Chunk]]


@dataclass(frozen=True, slots=True)
class Records:
    """An opened source; its `chunks` may be asked for once.

    `schema` has a type for each column: null if `is_values`, that is Python's, and string if `is_text`: then the texts
    are what PostgreSQL takes for a value, but for the columns that have `formats`, of `strptime`, and are dates or
    timestamps of those; if it `is_json`, arrays may be JSON's. If it `is_held`, all of it is in memory already, as
    Python has it.
    """

    schema: pa.Schema
    chunks: Chunks
    total_rows: int | None = None
    total_bytes: int | None = None
    is_text: bool = False
    is_json: bool = False
    is_values: bool = False
    is_held: bool = False
    formats: Mapping[str, Sequence[str]] = field(default_factory=dict)
