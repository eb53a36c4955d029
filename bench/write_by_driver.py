"""Writes as they are written by hand on the drivers, by asyncpg's documentation and by psycopg's.

The rows come as dicts; to turn them into what a call takes is a part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from bench.write_rows import CHANGED, COLUMNS, TABLE, Rows

_TYPES: Final = {"id": "bigint", "name": "text", "quantity": "integer", "price": "numeric", "changed": "timestamptz"}
_GIVEN: Final = COLUMNS[1:]
_KEYED: Final = ("id", *CHANGED)
_STAGING: Final = f"{TABLE}_staging"
_NAMES: Final = ", ".join(COLUMNS)


def _insert(columns: Sequence[str], places: Sequence[str]) -> str:
    return f"INSERT INTO {TABLE} ({', '.join(columns)}) VALUES ({', '.join(places)})"


def _numbered(columns: Sequence[str]) -> list[str]:
    return [f"${number}" for number in range(1, len(columns) + 1)]


def _named(columns: Sequence[str]) -> list[str]:
    return [f"%({name})s" for name in columns]


def _unnest(columns: Sequence[str]) -> str:
    return f"unnest({', '.join(f'${number}::{_TYPES[name]}[]' for number, name in enumerate(columns, 1))})"


_CONFLICT: Final = "ON CONFLICT (id) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in _GIVEN)
_INSERT: Final = _insert(COLUMNS, _numbered(COLUMNS))
_INSERT_RETURNING: Final = f"{_insert(_GIVEN, _numbered(_GIVEN))} RETURNING id"
_UPSERT: Final = f"{_INSERT} {_CONFLICT}"
_UPSERT_UNNEST: Final = f"INSERT INTO {TABLE} ({_NAMES}) SELECT * FROM {_unnest(COLUMNS)} {_CONFLICT}"
_STAGE: Final = f"CREATE TEMP TABLE {_STAGING} (LIKE {TABLE}) ON COMMIT DROP"
_MERGE: Final = f"INSERT INTO {TABLE} ({_NAMES}) SELECT {_NAMES} FROM {_STAGING} {_CONFLICT}"
_UPDATE: Final = f"UPDATE {TABLE} SET quantity = $2, price = $3 WHERE id = $1"
_UPDATE_UNNEST: Final = (
    f"UPDATE {TABLE} SET quantity = due.quantity, price = due.price"
    f" FROM {_unnest(_KEYED)} AS due ({', '.join(_KEYED)}) WHERE {TABLE}.id = due.id"
)
_INSERT_NAMED: Final = _insert(COLUMNS, _named(COLUMNS))
_INSERT_NAMED_RETURNING: Final = f"{_insert(_GIVEN, _named(_GIVEN))} RETURNING id"


@dataclass(frozen=True, slots=True)
class ByAsyncpg:
    """Each method is one transaction; `executemany` and `fetchmany` are one by themselves."""

    connection: Any

    async def insert_executemany(self, rows: Rows) -> None:
        """asyncpg: `executemany` of an INSERT"""
        await self.connection.executemany(_INSERT, _tuples(rows, COLUMNS))

    async def insert_fetchmany(self, rows: Rows) -> Any:
        """asyncpg: `fetchmany` of an INSERT ... RETURNING"""
        return await self.connection.fetchmany(_INSERT_RETURNING, _tuples(rows, _GIVEN))

    async def upsert_staging_copy(self, rows: Rows) -> None:
        """asyncpg: CREATE TEMP TABLE, `copy_records_to_table`, INSERT ... SELECT ... ON CONFLICT DO UPDATE"""
        async with self.connection.transaction():
            await self.connection.execute(_STAGE)
            await self.connection.copy_records_to_table(_STAGING, records=_tuples(rows, COLUMNS), columns=COLUMNS)
            await self.connection.execute(_MERGE)

    async def upsert_unnest(self, rows: Rows) -> None:
        """asyncpg: `execute` of an INSERT ... SELECT ... FROM unnest(), one array to a column, ON CONFLICT DO UPDATE"""
        await self.connection.execute(_UPSERT_UNNEST, *_arrays(rows, COLUMNS))

    async def upsert_executemany(self, rows: Rows) -> None:
        """asyncpg: `executemany` of an INSERT ... ON CONFLICT DO UPDATE"""
        await self.connection.executemany(_UPSERT, _tuples(rows, COLUMNS))

    async def update_executemany(self, rows: Rows) -> None:
        """asyncpg: `executemany` of an UPDATE ... WHERE id = $1"""
        await self.connection.executemany(_UPDATE, _tuples(rows, _KEYED))

    async def update_unnest(self, rows: Rows) -> None:
        """asyncpg: `execute` of an UPDATE ... FROM unnest(), one array to a column"""
        await self.connection.execute(_UPDATE_UNNEST, *_arrays(rows, _KEYED))


@dataclass(frozen=True, slots=True)
class ByPsycopg:
    """`executemany` takes the dicts as they are, and sends in pipeline mode."""

    connection: Any

    async def insert_executemany(self, rows: Rows) -> None:
        """psycopg: `executemany` of an INSERT, in a transaction"""
        async with self.connection.transaction(), self.connection.cursor() as cursor:
            await cursor.executemany(_INSERT_NAMED, rows)

    async def insert_executemany_returning(self, rows: Rows) -> Any:
        """psycopg: `executemany(returning=True)` of an INSERT ... RETURNING, in a transaction"""
        async with self.connection.transaction(), self.connection.cursor() as cursor:
            await cursor.executemany(_INSERT_NAMED_RETURNING, rows, returning=True)
            return [await each.fetchone() async for each in cursor.results()]


def _tuples(rows: Rows, columns: Sequence[str]) -> Iterator[Any]:
    return map(itemgetter(*columns), rows)


def _arrays(rows: Rows, columns: Sequence[str]) -> list[list[Any]]:
    return [[row[name] for row in rows] for name in columns]
