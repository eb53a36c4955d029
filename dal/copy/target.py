"""The table that is loaded, as the server's catalog has it: what it demands, and how it takes what is inserted."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.asking import ask
from dal.copy.suspects import CATALOG, Constraint, constraints_of
from dal.errors import CopyError

# The types of a table's columns, without lengths: to assign a value checks these, and to cast to them would cut it.
_TYPES: Final = """
SELECT attname::text AS name, pg_catalog.format_type(atttypid, -1) AS type FROM pg_attribute
WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
"""


# Of domains, what they are of; those that are read like texts are all called `text`.
_REAL: Final = """
SELECT attname::text AS name,
    CASE WHEN typtype = 'e' THEN 'enum' WHEN typcategory = 'S' THEN 'text' ELSE typname::text END AS type
FROM pg_attribute CROSS JOIN LATERAL (
    WITH RECURSIVE of AS (
        SELECT * FROM pg_type WHERE oid = atttypid
        UNION ALL SELECT t.* FROM pg_type t JOIN of ON t.oid = of.typbasetype WHERE of.typtype = 'd'
    )
    SELECT * FROM of WHERE typtype <> 'd'
) base
WHERE attrelid = pg_catalog.to_regclass($1::text) AND attnum > 0 AND NOT attisdropped
"""

# Those that may wait for the end of the transaction before they refuse a row, and those that do unless told.
_DEFERRABLE: Final = """
SELECT pg_catalog.format('%I.%I', nspname, conname) AS name, condeferred FROM pg_constraint
JOIN pg_namespace n ON n.oid = connamespace WHERE conrelid = $1::text::regclass AND condeferrable
"""

# What may make of a row something else, or nothing, when it is inserted: rules, and triggers, also of a partition.
_HABITS: Final = """
SELECT EXISTS (SELECT FROM pg_rewrite WHERE ev_class = $1::text::regclass AND ev_type = '3') AS has_rules,
    EXISTS (SELECT FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN (
        SELECT relid FROM pg_catalog.pg_partition_tree($1::text::regclass) UNION ALL SELECT $1::text::regclass
    )) AS has_triggers
"""
# Unique indexes of some columns for which NULLs are the same; there are none before version 15.
_SAME_NULLS: Final = """
SELECT 1 FROM pg_index i
WHERE indrelid = $1::text::regclass AND pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct' = 'true'
    AND $2::text[] = ARRAY(
        SELECT attname::text COLLATE "C" FROM pg_attribute
        WHERE attrelid = indrelid AND attnum = ANY (indkey) ORDER BY 1
    )
"""


async def real_types(session: AsyncSession, table: Table) -> dict[str, str]:
    """Name the types that the columns of a table have, whatever its mapping says; one round trip."""
    return {row["name"]: row["type"] for row in await ask(session, _REAL, spelt_table(table))}


class Target:
    """A table, called `name` as SQL has it; `types` and `constraints` are there when it is known."""

    def __init__(self, session: AsyncSession, table: Table) -> None:
        self.session = session
        self.name = spelt_table(table)
        self.types: dict[str, str] = {}
        self.constraints: list[Constraint] = []
        self.has_triggers = False

    async def look(self) -> None:
        """Look at how the table takes what is inserted; raises `CopyError` if COPY would do something else."""
        (habits,) = await ask(self.session, _HABITS, self.name)
        if habits["has_rules"]:
            raise CopyError(
                f"{self.name} has rules for INSERT, which COPY passes by: load into the table that they write to, or "
                "with on_error='abort' and without on_conflict= and workers=."
            )
        self.has_triggers = habits["has_triggers"]

    async def know(self) -> None:
        """Read of the catalog what the table demands."""
        self.types = {row["name"]: row["type"] for row in await ask(self.session, _TYPES, self.name)}
        self.constraints = constraints_of(await ask(self.session, CATALOG, self.name))

    async def has_distinct_nulls(self, key: Iterable[str]) -> bool:
        """Tell whether rows without a value in the *key* are never the same; so it is but for NULLS NOT DISTINCT."""
        return not (await ask(self.session, _SAME_NULLS, self.name, sorted(key)))

    @asynccontextmanager
    async def undeferred(self) -> AsyncGenerator[None]:
        """Have the constraints of the table refuse rows at once in this block; after it they are as declared.

        What the transaction has told them cannot be asked.
        """
        found = await ask(self.session, _DEFERRABLE, self.name)
        await self._set(found, "IMMEDIATE")
        yield
        await self._set([row for row in found if row["condeferred"]], "DEFERRED")

    async def _set(self, constraints: Sequence[Any], when: str) -> None:
        if constraints:
            await ask(self.session, f"SET CONSTRAINTS {', '.join(row['name'] for row in constraints)} {when}")


def spelt_table(table: Table) -> str:
    """Give the name of a table as SQL has it."""
    return postgresql.dialect().identifier_preparer.format_table(table)  # type: ignore[no-untyped-call] # SQLAlchemy's
