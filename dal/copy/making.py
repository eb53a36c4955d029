"""Tables of dal's own, made when they are first needed."""

from __future__ import annotations

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import CreateTable

from dal.errors import DuplicateTable, UniqueViolation


async def make(session: AsyncSession, table: Table) -> None:
    """Make *table* unless it is there: then it takes one round trip, and no right to create anything.

    Of two that make it at once PostgreSQL refuses one, in spite of IF NOT EXISTS: that one tries again.
    """
    name = session.get_bind().dialect.identifier_preparer.format_table(table)
    if await session.scalar(select(func.pg_catalog.to_regclass(name))) is not None:
        return
    try:
        await _create(session, table)
    except (UniqueViolation, DuplicateTable):
        await _create(session, table)


async def _create(session: AsyncSession, table: Table) -> None:
    async with session.begin_nested():
        await session.execute(CreateTable(table, if_not_exists=True))
