"""How rows get to the server: with the statement, or ahead of it by COPY.

Few rows are parameters of the statement, which then is one round trip. Many go into a temporary table first: COPY is
twice as fast as an array of parameters, and the server takes in what it has while the rest is still being encoded.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final

from sqlalchemy import FromClause, Table, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import CreateTable, DropTable

from dal.errors import WriteError
from dal.session import SessionSource, driver_in_transaction
from dal.telemetry import statement_sent
from dal.write.batch import Batch
from dal.write.rows import Rows
from dal.write.source import ROW, fits_arrays, inline, staging_table

# Up to here one round trip beats the staging table's eight.
INLINE_ROWS: Final = 2000
# PostgreSQL counts the parameters of a statement in 16 bits, and asyncpg with a sign.
_MOST_PARAMETERS: Final = 32_767


def is_small(rows: Rows, columns: int) -> bool:
    """Tell whether the rows go with the statement."""
    return rows.count <= INLINE_ROWS and rows.count * (columns + 1) <= _MOST_PARAMETERS


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
    await session.execute(CreateTable(table))
    await copy_rows(session, table, batch, numbered=numbered)
    yield table
    await session.execute(DropTable(table))


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
            tag = await driver.copy_records_to_table(
                table.name, schema_name=table.schema, columns=names, records=records
            )
            rows = int(tag.removeprefix("COPY "))
            if statement:
                statement.rows = rows
            return rows


async def _may_stage(session: AsyncSession, batch: Batch) -> bool:
    if await session.scalar(text("SELECT has_database_privilege(current_database(), 'TEMP')")):
        return True
    if fits_arrays(batch) or batch.count * (len(batch.sent) + 1) <= _MOST_PARAMETERS:
        return False
    raise WriteError(
        f"{batch.count} rows with a column that is no array's element need a staging table, and this role may make "
        "none: GRANT TEMPORARY ON DATABASE, or write fewer rows at a time. Nothing was written."
    )
