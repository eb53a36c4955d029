"""How many values there are in each table and column, and how many of them a revision has lost.

Refuses: telling whether values that are there are right; a value that is another one is not lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from dal.database import Database
from dal.migrations.drift.catalog import is_ignored

# By table, or table and column: the rows, or the values that are not NULL.
Values: TypeAlias = Mapping[str, int]

_TABLES: Final = """
    SELECT n.nspname || '.' || c.relname AS name, format('%I.%I', n.nspname, c.relname) AS quoted,
        coalesce(array_agg(attname::text) FILTER (WHERE attname IS NOT NULL), '{}') AS names,
        coalesce(array_agg(quote_ident(attname)) FILTER (WHERE attname IS NOT NULL), '{}') AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        LEFT JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND relpersistence <> 't'
        AND nspname <> 'information_schema' AND nspname !~ '^pg_'
    GROUP BY n.nspname, c.relname
"""


async def values(db: Database, ignore: Sequence[str]) -> Values:
    """Count all values but those of what *ignore* names; a round trip for each table."""
    found: dict[str, int] = {}
    async with db.checkout() as driver:
        for name, quoted, names, columns in await driver.fetch(_TABLES):
            if not is_ignored(name, ignore):
                counted = ", ".join(f"count({column})" for column in ("*", *columns))
                row = await driver.fetchrow(f"SELECT {counted} FROM {quoted}")  # noqa: S608 # quoted by the server
                found |= zip([name, *(f"{name}.{column}" for column in names)], row or (), strict=True)
    return found


def lost(before: Values, after: Values) -> list[str]:
    """Say of what is there before and after how much of it is gone; of a table whose rows are, not also its columns."""
    fewer = {
        name: f"{before[name] - after[name]} of {before[name]}" for name in before if _is_less(name, before, after)
    }
    return [
        f"{how_many} {'values' if name.count('.') > 1 else 'rows'} of {name}"
        for name, how_many in sorted(fewer.items())
        if name.rpartition(".")[0] not in fewer
    ]


def _is_less(name: str, before: Values, after: Values) -> bool:
    return name in after and after[name] < before[name]
