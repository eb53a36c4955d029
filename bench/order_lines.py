"""The rows that loads are measured with: TPC-H's lineitem, as the shop's order lines in a bare table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv
from sqlalchemy import URL, Column, MetaData, Table

from dal import Database, PoolConfig
from dal.copy import copy_in
from dal.demo.data import TABLES, generate
from dal.demo.models import OrderLine

_LINES: Final = next(table for table in TABLES if table.repository == "order_lines")

# Without keys and indexes: building them would be most of the time, and the server's alone.
TABLE: Final = Table(
    "order_line_bench",
    MetaData(),
    *(Column(column.name, column.type, nullable=False) for column in OrderLine.__table__.columns),
)


@dataclass(frozen=True, slots=True)
class Lines:
    """A file of order lines, and how many there are."""

    parquet: Path
    rows: int


def generate_lines(scale: float, folder: Path) -> Lines:
    """Make the order lines of *scale* under *folder*."""
    parquet = generate(scale, folder) / _LINES.file
    return Lines(parquet, pq.read_metadata(parquet).num_rows)


def write_csv(parquet: Path, path: Path) -> None:
    """Write the rows of *parquet* as COPY takes them: the table's columns in its order, without a heading."""
    names = {ours: theirs for theirs, ours in _LINES.rename.items()}
    rows = pq.read_table(parquet).select([names[column.name] for column in TABLE.columns])
    schema = pa.schema([field.with_type(_known_to_csv(field.type)) for field in rows.schema])
    csv.write_csv(rows.cast(schema), path, csv.WriteOptions(include_header=False))


async def load(database: Database, parquet: Path) -> None:
    """Load *parquet* through dal, in a committed transaction of its own."""
    await copy_in(database, TABLE, parquet, rename=_LINES.rename)


async def load_opening(url: URL, parquet: Path) -> None:
    """Load *parquet* through a `Database` that is opened for it alone."""
    async with Database(url, pool=PoolConfig(size=1)) as database:
        await load(database, parquet)


def _known_to_csv(kind: Any) -> Any:
    return pa.string() if pa.types.is_string_view(kind) else kind
