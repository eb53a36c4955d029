"""Statements of the loader's own, sent by the driver's word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.publishing import NOT_A_ROWS
from dal.errors import DatabaseError


async def ask(session: AsyncSession, sql: str, *values: Any) -> Sequence[Any]:
    """Run a statement; gives its rows, if it has any."""
    connection = await session.connection()
    result = await connection.exec_driver_sql(sql, values or None)
    return result.mappings().all() if result.returns_rows else ()


def is_of_a_row(error: DatabaseError) -> bool:
    """Tell whether the server refused a row, and not the load."""
    return error.sqlstate is not None and error.sqlstate[:2] not in NOT_A_ROWS
