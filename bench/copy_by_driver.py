"""Loads as the documentation of the drivers shows them: asyncpg's, psycopg's, and ADBC's.

Refuses: measuring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.copy_rows import KEYED, NAMES, TABLE, Record

_STAGING: Final = "bench_copy_staging"
_COLUMNS: Final = ", ".join(NAMES)
_STAGE: Final = f"CREATE TEMP TABLE {_STAGING} (LIKE {KEYED}) ON COMMIT DROP"
_MERGE: Final = (
    f"INSERT INTO {KEYED} ({_COLUMNS}) SELECT {_COLUMNS} FROM {_STAGING} ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in NAMES[1:])
)
_COPY: Final = f"COPY {TABLE} ({_COLUMNS}) FROM STDIN (FORMAT BINARY)"
_TYPES: Final = ("int8", "text", "float8", "timestamptz", "bool")


@dataclass(frozen=True, slots=True)
class ByAsyncpg:
    """A COPY of its own is a transaction."""

    connection: Any

    async def load(self, rows: Sequence[Record]) -> None:
        """asyncpg: `copy_records_to_table(table, records=tuples, columns=names)`"""
        await self.connection.copy_records_to_table(TABLE.name, records=rows, columns=NAMES)

    async def upsert(self, rows: Sequence[Record]) -> None:
        """asyncpg: CREATE TEMP TABLE, `copy_records_to_table`, INSERT ... SELECT ... ON CONFLICT DO UPDATE"""
        async with self.connection.transaction():
            await self.connection.execute(_STAGE)
            await self.connection.copy_records_to_table(_STAGING, records=rows, columns=NAMES)
            await self.connection.execute(_MERGE)


@dataclass(frozen=True, slots=True)
class ByPsycopg:
    """In its C implementation."""

    connection: Any

    async def load(self, rows: Sequence[Record]) -> None:
        """psycopg: `cursor.copy("COPY ... (FORMAT BINARY)")`, `set_types`, `write_row(tuple)` for each, `commit()`"""
        async with self.connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.set_types(_TYPES)
            for row in rows:
                await copy.write_row(row)
        await self.connection.commit()


@dataclass(frozen=True, slots=True)
class ByAdbc:
    """Synchronous, as all of it is: nothing else of this process runs meanwhile."""

    connection: Any

    async def load(self, rows: Any) -> None:
        """adbc_driver_postgresql: `cursor.adbc_ingest(table, arrow_table, mode="append")`, `commit()`"""
        with self.connection.cursor() as cursor:
            cursor.adbc_ingest(TABLE.name, rows, mode="append")
        self.connection.commit()
