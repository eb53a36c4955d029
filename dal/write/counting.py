"""How many rows an upsert inserted, and how many it updated.

Few rows say it themselves, by RETURNING. Of many, that would cost a fifth of the whole: there the server's own counters
of this transaction are read before and after, if nothing else can move them: they are on, and no trigger of the table's
may write to it.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.ext.asyncio import AsyncSession

from dal.write.statements import counted
from dal.write.target import Target

# A row that was inserted at the same moment as another transaction's is taken back, and counts as deleted.
_COUNTERS: Final = text("""
    SELECT sum(pg_stat_get_xact_tuples_inserted(t.oid) - pg_stat_get_xact_tuples_deleted(t.oid))::bigint
    FROM (SELECT CAST(:it AS regclass) UNION SELECT relid FROM pg_partition_tree(CAST(:it AS regclass))) AS t (oid)
    HAVING current_setting('track_counts')::bool AND bool_and(
        (SELECT relkind IN ('r', 'p') FROM pg_class AS c WHERE c.oid = t.oid)
        AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = t.oid AND NOT tgisinternal))
""")


async def count_written(session: AsyncSession, statement: Insert, target: Target, *, small: bool) -> tuple[int, int]:
    """Run the upsert; give the numbers of rows inserted and updated."""
    before = None if small else await _inserted(session, target)
    if before is None:
        server = session.get_bind().dialect.server_version_info or ()
        inserted, written = (await session.execute(counted(statement, target, server))).one()
        return inserted, written - inserted
    result: Any = await session.execute(statement)
    inserted = (await _inserted(session, target) or before) - before
    return inserted, result.rowcount - inserted


async def _inserted(session: AsyncSession, target: Target) -> int | None:
    name = session.get_bind().dialect.identifier_preparer.format_table(target.table)
    count: int | None = await session.scalar(_COUNTERS, {"it": name})
    return count
