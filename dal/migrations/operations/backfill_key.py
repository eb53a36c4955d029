"""The key by which a backfill goes through its table: of columns that are never NULL and together unique."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from dal.errors import MigrationError
from dal.migrations.operations.sql import connection_of

_KEYS: Final = text("""
    SELECT pg_catalog.array_agg(CAST(attname AS text) ORDER BY place),
        pg_catalog.array_agg(pg_catalog.format_type(atttypid, atttypmod) ORDER BY place)
    FROM pg_index CROSS JOIN pg_catalog.unnest(indkey) WITH ORDINALITY AS of_index (attnum, place)
        JOIN pg_attribute a ON a.attrelid = indrelid AND a.attnum = of_index.attnum
    WHERE indrelid = pg_catalog.to_regclass(:table) AND place <= indnkeyatts
        AND indisunique AND indisvalid AND indimmediate AND indpred IS NULL AND indexprs IS NULL
    GROUP BY indexrelid, indisprimary HAVING pg_catalog.bool_and(attnotnull) AND (indisprimary OR NOT :only_primary)
    ORDER BY indisprimary DESC
""")


class KeyColumn(NamedTuple):
    """A column of a key, and its type as the server writes it."""

    name: str
    type: str


def find_key(context: MigrationContext, table: str, wanted: Sequence[str] | None) -> Sequence[KeyColumn]:
    """Find the primary key of *table*, or the unique index of the *wanted* columns; one round trip.

    Raises `MigrationError` if there is none whose columns are NOT NULL.
    """
    parameters = {"table": table, "only_primary": wanted is None}
    for names, types in connection_of(context).execute(_KEYS, parameters).all():
        if wanted is None or sorted(names) == sorted(wanted):
            return [KeyColumn(*column) for column in zip(names, types, strict=True)]
    said = "a primary key" if wanted is None else f"a unique index on ({', '.join(wanted)}) whose columns are NOT NULL"
    raise MigrationError(f"cannot backfill {table} in batches: it has not {said}. Give key= of one that it has.")
