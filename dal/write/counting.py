"""How many rows an upsert inserted, and how many it updated.

Few rows say it themselves, by RETURNING. Of many, that would cost a fifth of the whole: there the server's own counters
of this transaction are read before and after, if nothing else can move them: they are on, and no trigger of the table's
may write to it.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.ext.asyncio import AsyncSession

from dal.write.statements import counted
from dal.write.target import Target

_MAY_COUNT: Final = text("""
    SELECT pg_catalog.current_setting('track_counts')::bool AND pg_catalog.bool_and(
        (SELECT relkind IN ('r', 'p') FROM pg_class WHERE pg_class.oid = tree.oid)
        AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = tree.oid AND NOT tgisinternal))
    FROM (
        SELECT CAST(:it AS regclass) UNION SELECT relid FROM pg_catalog.pg_partition_tree(CAST(:it AS regclass))
    ) AS tree (oid)
""")
# A row that was inserted at the same moment as another transaction's is taken back, and counts as deleted.
_COUNTER: Final = text("""
    SELECT pg_catalog.sum(
        pg_catalog.pg_stat_get_xact_tuples_inserted(tree.oid) - pg_catalog.pg_stat_get_xact_tuples_deleted(tree.oid)
    )::bigint
    FROM (
        SELECT CAST(:it AS regclass) UNION SELECT relid FROM pg_catalog.pg_partition_tree(CAST(:it AS regclass))
    ) AS tree (oid)
""")


async def count_written(
    session: AsyncSession, statement: Insert, target: Target, values: dict[str, Any], *, small: bool
) -> tuple[int, int]:
    """Run the upsert; give the numbers of rows inserted and updated."""
    if small or not await _asked(session, _MAY_COUNT, target):
        server = session.get_bind().dialect.server_version_info or ()
        inserted, written = (await session.execute(counted(statement, target, server), values)).one()
        return inserted, written - inserted
    before = await _asked(session, _COUNTER, target)
    result: Any = await session.execute(statement, values)
    inserted = await _asked(session, _COUNTER, target) - before
    return inserted, result.rowcount - inserted


async def _asked(session: AsyncSession, question: TextClause, target: Target) -> Any:
    name = session.get_bind().dialect.identifier_preparer.format_table(target.table)
    return await session.scalar(question, {"it": name})
