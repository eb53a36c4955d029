"""The rows that loads are measured with: five columns, in every form that a load or one of its peers takes.

Refuses: knowing servers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeEngine

Record: TypeAlias = tuple[Any, ...]

METADATA: Final = MetaData()
SCHEMA: Final = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),
        ("price", pa.float64()),
        ("changed", pa.timestamp("us", "UTC")),
        ("is_open", pa.bool_()),
    ]
)
NAMES: Final[Sequence[str]] = SCHEMA.names
SHOPS: Final = 100

_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_AT_ONCE: Final = 100_000


def _columns() -> list[Column[Any]]:
    kinds: dict[str, TypeEngine[Any]] = {
        "id": BigInteger(),
        "name": Text(),
        "price": Float(53),
        "changed": DateTime(timezone=True),
        "is_open": Boolean(),
    }
    return [Column(name, kind, nullable=False, autoincrement=False) for name, kind in kinds.items()]


# Without keys and indexes: building them would be most of the time, and the server's alone.
TABLE: Final = Table("bench_copy", METADATA, *_columns())
KEYED: Final = Table("bench_copy_keyed", METADATA, *_columns(), PrimaryKeyConstraint("id"))
SHOP: Final = Table("bench_copy_shop", METADATA, Column("id", BigInteger, primary_key=True, autoincrement=False))
# What a record may violate, and no more.
STRICT: Final = Table(
    "bench_copy_strict",
    METADATA,
    *_columns(),
    Column("shop_id", BigInteger, ForeignKey(SHOP.c.id), nullable=False),
    CheckConstraint("price >= 0"),
    UniqueConstraint("id"),
)


class Base(DeclarativeBase):
    """Of the entities of a benchmark alone."""


class Reading(Base):
    """A row of the bare table, for who loads entities: these must have a key, if only in Python."""

    __table__ = TABLE
    __mapper_args__ = {"primary_key": [TABLE.c.id]}  # noqa: RUF012 # as SQLAlchemy has it


def records(count: int) -> Iterator[Record]:
    """Make them one after the other: of every ten names one has to be quoted in CSV."""
    for key in range(1, count + 1):
        name = f"reading, number {key}" if key % 10 == 0 else f"reading number {key}"
        changed = _START + timedelta(seconds=key * 61 % 31_000_000, microseconds=key * 7919 % 1_000_000)
        yield key, name, key * 104_729 % 1_000_000 / 100, changed, key % 3 == 0


def batches(rows: Iterable[Record]) -> Iterator[pa.RecordBatch]:
    """Turn *rows* into Arrow's, as many at a time as a row group is to have."""
    left = iter(rows)
    while taken := list(islice(left, _AT_ONCE)):
        columns = zip(*taken, strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def write_parquet(path: Path, count: int) -> Path:
    """Write *count* rows in groups of the same size, however many: a group is what has to be held to read from it."""
    with pq.ParquetWriter(path, SCHEMA) as writer:
        for batch in batches(records(count)):
            writer.write_batch(batch)
    return path
