"""Indexes and foreign keys that are dropped for a load and made again after it, in its transaction.

Refuses: what a record can be refused for, if records may be: unique indexes and constraints stay, and so do foreign
keys then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from time import perf_counter
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.asking import ask

# What has nothing that its definition does not say: no other tablespace, no mark of CLUSTER or of replication. Those of
# a partitioned table belong to those of its partitions.
_INDEXES: Final = """
SELECT c.relname::text AS name, pg_catalog.format('DROP INDEX %s', indexrelid::regclass) AS dropped,
    pg_catalog.pg_get_indexdef(indexrelid) AS made,
    pg_catalog.format('COMMENT ON INDEX %s IS %L', indexrelid::regclass,
        pg_catalog.obj_description(indexrelid, 'pg_class')) AS said,
    pg_catalog.obj_description(indexrelid, 'pg_class') IS NOT NULL AS is_said
FROM pg_index JOIN pg_class c ON c.oid = indexrelid
WHERE indrelid = $1::text::regclass AND NOT (indisunique OR indisexclusion OR indisclustered OR indisreplident)
    AND indisvalid AND relkind = 'i' AND reltablespace = 0
    AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = indexrelid)
ORDER BY 1
"""
_FOREIGN_KEYS: Final = """
SELECT conname::text AS name,
    pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS dropped,
    pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
        pg_catalog.pg_get_constraintdef(oid)) AS made,
    pg_catalog.format('COMMENT ON CONSTRAINT %I ON %s IS %L', conname, conrelid::regclass,
        pg_catalog.obj_description(oid, 'pg_constraint'))
        AS said,
    pg_catalog.obj_description(oid, 'pg_constraint') IS NOT NULL AS is_said
FROM pg_constraint WHERE conrelid = $1::text::regclass AND contype = 'f' AND conparentid = 0
ORDER BY 1
"""


class Rebuilding:
    """What was dropped of one table, and how it is made again."""

    def __init__(self, session: AsyncSession, target: str, *, keeps_foreign_keys: bool) -> None:
        self._session, self._target = session, target
        self._catalogs = (_INDEXES,) if keeps_foreign_keys else (_INDEXES, _FOREIGN_KEYS)
        self._dropped: Sequence[Any] = ()

    async def drop(self) -> None:
        """Drop them, one statement each; nobody can read the table until the transaction ends."""
        found = [row for catalog in self._catalogs for row in await ask(self._session, catalog, self._target)]
        for row in found:
            await ask(self._session, row["dropped"])
        self._dropped = found

    async def rebuilt(self) -> AsyncIterator[tuple[str, float]]:
        """Make them again, and give the name of each and the seconds that it took."""
        for row in self._dropped:
            started = perf_counter()
            await ask(self._session, row["made"])
            if row["is_said"]:
                await ask(self._session, row["said"])
            yield row["name"], perf_counter() - started
