"""What has to be known before the first record is sent: the plan of the columns, and whether all records wait."""

from __future__ import annotations

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.asked import Asked
from dal.copy.plan import CopyPlan, plan_copy
from dal.copy.records import Records
from dal.copy.target import real_types
from dal.copy.translation import refuse_translation


async def planned(session: AsyncSession, table: Table, records: Records, asked: Asked) -> CopyPlan:
    """Plan a load over the session's connection; raises `CopyError` if its tables have other names there."""
    await refuse_translation(session)
    real = await real_types(session, table)
    return plan_copy(table, records, asked.rename, session.get_bind().dialect, real)


def is_staged(asked: Asked, table: Table) -> bool:
    """Tell whether all records must be there before the first is settled.

    So it is, too, where some may be rejected for a parent that comes later.
    """
    refers_to_itself = any(key.column.table is table for key in table.foreign_keys)
    return asked.workers > 1 or asked.conflict.is_staged or (asked.rejecting is not None and refers_to_itself)
