"""INSERT of many rows: one statement, or one COPY straight into the table.

The rows returned come in the order of the input. An INSERT ... SELECT puts and returns rows one by one as its query
yields them; parameters are sorted by their number, and a temporary table that was filled by one COPY is read as it was
filled: it is new, so the COPY fills page after page, and a temporary table is never read from the middle on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import QueryableAttribute

from dal.errors import WriteError
from dal.session import SessionSource
from dal.write.batch import Batch, batch_of
from dal.write.decimals import decimals_as_text
from dal.write.filling import filled_for_insert
from dal.write.kept import is_keepable, kept_insertion
from dal.write.offering import copy_rows, is_small, lent, offered
from dal.write.rows import rows_of
from dal.write.source import arrays, parameters
from dal.write.statements import insertion
from dal.write.target import Target

Returning: TypeAlias = Sequence[QueryableAttribute[Any]]

_MAY_COPY: Final = text(
    "SELECT relkind IN ('r', 'p') AND NOT relhasrules AND NOT pg_catalog.row_security_active(oid) "
    "FROM pg_class WHERE oid = CAST(:it AS regclass)"
)


async def insert_rows(
    source: SessionSource, target: Target, given: Iterable[Any], returning: Returning
) -> int | Sequence[Row[Any]]:
    """Insert the rows; without *returning* give their number."""
    rows = rows_of(given, target)
    returned = target.labelled(returning)
    if not rows.count:
        return [] if returning else 0
    filled = filled_for_insert(rows, target)
    small = is_small(filled.rows)
    async with lent(source, small=small) as session:
        batch = batch_of(filled, session.get_bind().dialect)
        refuse_nothing(batch)
        if not small and not returning and await _may_copy(session, target, batch):
            return await copy_rows(session, target.table, batch, numbered=False)
        if small and is_keepable(batch):
            kept = kept_insertion(target, batch.shape, tuple(returning))
            return _written(await session.execute(kept, arrays(batch)), returning)
        batch = batch if small else decimals_as_text(batch)
        async with offered(session, batch, small=small, numbered=False) as offer:
            inserting = insertion(target, batch, offer)
            statement = inserting.returning(*returned) if returning else inserting
            return _written(await session.execute(statement, parameters(batch, offer)), returning)


def _written(result: Any, returning: Returning) -> int | Sequence[Row[Any]]:
    written: int | Sequence[Row[Any]] = result.all() if returning else result.rowcount
    return written


def refuse_nothing(batch: Batch) -> None:
    """Raise `WriteError` for rows without any value."""
    if not batch.sent:
        raise WriteError("the rows give no value to any column: give at least one attribute. Nothing was written.")


async def _may_copy(session: AsyncSession, target: Target, batch: Batch) -> bool:
    """Tell whether COPY is as good as INSERT: it knows no expressions, policies, rules or GENERATED ALWAYS."""
    plain = not batch.inlined and all(
        not each.wire.cast
        and (each.column.identity is None or not each.column.identity.always)
        and each.column.type.bind_expression(each.column) is None  # type: ignore[arg-type] # as in Sent.expression
        for each in batch.sent
    )
    connection = (await session.connection()).sync_connection
    if not plain or connection is None or connection.get_execution_options().get("schema_translate_map"):
        return False
    name = connection.dialect.identifier_preparer.format_table(target.table)
    return bool(await session.scalar(_MAY_COPY, {"it": name}))
