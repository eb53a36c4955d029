"""The rows that loads are measured with: TPC-H's lineitem, as the shop's order lines in a bare table."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv
from sqlalchemy import Column, MetaData, Table, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from dal import Database
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
    """A file of order lines, and what the table must hold when it is loaded."""

    parquet: Path
    rows: int
    extended_price: Decimal


def generate_lines(scale: float, folder: Path) -> Lines:
    """Make the order lines of *scale* under *folder*."""
    parquet = generate(scale, folder) / _LINES.file
    prices = pq.read_table(parquet, columns=["l_extendedprice"]).column(0)
    return Lines(parquet, len(prices), pc.sum(prices).as_py())


def write_csv(parquet: Path, path: Path) -> None:
    """Write the rows of *parquet* as COPY takes them: the table's columns in its order, without a heading."""
    names = {ours: theirs for theirs, ours in _LINES.rename.items()}
    rows = pq.read_table(parquet).select([names[column.name] for column in TABLE.columns])
    schema = pa.schema([field.with_type(_known_to_csv(field.type)) for field in rows.schema])
    csv.write_csv(rows.cast(schema), path, csv.WriteOptions(include_header=False))


async def recreate_table(database: Database) -> None:
    create = CreateTable(TABLE).compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call] # SQLAlchemy's
    # Autovacuum would wake in the middle of one round and not of another.
    await database.execute_script(f"DROP TABLE IF EXISTS {TABLE}; {create} WITH (autovacuum_enabled = off)")


async def empty_table(database: Database) -> None:
    """Empty the table, and have the server write out now what it would else write during the next load."""
    await database.execute_script(f"TRUNCATE {TABLE}")
    await database.execute_script("CHECKPOINT")


async def load(database: Database, parquet: Path) -> None:
    """Load *parquet* through dal, in a committed transaction of its own."""
    async with database.writing() as session:
        await copy_in(session, TABLE, parquet, rename=_LINES.rename)


async def check_table(database: Database, lines: Lines) -> None:
    """Exit with a message unless the table holds exactly *lines*."""
    found = select(func.count(), func.sum(TABLE.c.extended_price))
    async with database.reading() as session:
        rows, extended_price = (await session.execute(found)).one()
    if (rows, extended_price) != (lines.rows, lines.extended_price):
        raise SystemExit(
            f"the table holds {rows} rows worth {extended_price}, the file {lines.rows} worth {lines.extended_price}"
        )


def _known_to_csv(kind: Any) -> Any:
    return pa.string() if pa.types.is_string_view(kind) else kind
