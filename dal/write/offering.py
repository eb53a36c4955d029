"""How rows get to the server: with the statement, or ahead of it by COPY.

Few rows are parameters of the statement, which then is one round trip. Many go into a temporary table first: COPY is
twice as fast as an array of parameters, and the server takes in what it has while the rest is still being encoded.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final

import asyncpg
from sqlalchemy import FromClause, Table, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import CreateTable, DropTable

from dal.errors import WriteError, from_driver
from dal.session import SessionSource, driver_in_transaction
from dal.telemetry import statement_sent
from dal.write.batch import Batch
from dal.write.rows import Rows
from dal.write.source import ROW, fits_arrays, inline, staging_table

# Up to so many values one round trip beats the staging table's nine.
INLINE_VALUES: Final = 20_000
# PostgreSQL counts the parameters of a statement in 16 bits, and asyncpg with a sign.
_MOST_PARAMETERS: Final = 32_767
# What asyncpg's encoders raise for a value that is not of the column's type, during a COPY.
_MISFITS: Final = (TypeError, ValueError, ArithmeticError, AttributeError)


def is_small(rows: Rows | Batch) -> bool:
    """Tell whether the rows go with the statement."""
    columns = len(rows.values if isinstance(rows, Rows) else rows.sent)
    return rows.count * columns <= INLINE_VALUES and rows.count * (columns + 1) <= _MOST_PARAMETERS


@asynccontextmanager
async def lent(source: SessionSource, *, small: bool) -> AsyncGenerator[AsyncSession]:
    """Lend a session for one statement, or for the several of a staging table in one transaction; all flushed."""
    async with source.writing_once() if small else source.writing() as session:
        await session.flush()
        yield session


@asynccontextmanager
async def offered(session: AsyncSession, batch: Batch, *, small: bool, numbered: bool) -> AsyncGenerator[FromClause]:
    """Bring the rows to the server, or make them parameters, for one statement to select from."""
    if small or not await _may_stage(session, batch):
        yield inline(batch)
        return
    table = staging_table(batch, numbered=numbered)
    await _define(session, CreateTable(table))
    await copy_rows(session, table, batch, numbered=numbered)
    yield table
    await _define(session, DropTable(table))


async def copy_rows(session: AsyncSession, table: Table, batch: Batch, *, numbered: bool) -> int:
    """Copy the rows into *table*, in their order; returns how many the server took."""
    lists: list[Any] = [each.values for each in batch.sent]
    names = [each.column.name for each in batch.sent]
    if numbered:
        lists.append(count(1))
        names.append(ROW)
    records = zip(*lists)  # noqa: B905 # the numbers have no end
    async with driver_in_transaction(session) as driver:
        with statement_sent(f"COPY {table.fullname} FROM STDIN") as statement:
            try:
                tag = await driver.copy_records_to_table(
                    table.name, schema_name=table.schema, columns=names, records=records
                )
            except _MISFITS:
                # Their words may hold the value.
                raise from_driver(asyncpg.DataError("a value does not fit its column")) from None
            rows = int(tag.removeprefix("COPY "))
            if statement:
                statement.rows = rows
            return rows


async def _define(session: AsyncSession, definition: CreateTable | DropTable) -> None:
    """Send DDL past SQLAlchemy, which would make every connection of the engine prepare all its statements anew."""
    ddl = str(definition.compile(dialect=session.get_bind().dialect))
    async with driver_in_transaction(session) as driver:
        with statement_sent(ddl):
            await driver.execute(ddl)


async def _may_stage(session: AsyncSession, batch: Batch) -> bool:
    if await session.scalar(text("SELECT pg_catalog.has_database_privilege(current_database(), 'TEMP')")):
        return True
    if fits_arrays(batch) or batch.count * (len(batch.sent) + 1) <= _MOST_PARAMETERS:
        return False
    raise WriteError(
        f"{batch.count} rows with a column that is no array's element need a staging table, and this role may make "
        "none: GRANT TEMPORARY ON DATABASE, or write fewer rows at a time. Nothing was written."
    )
