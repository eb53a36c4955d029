"""A load that is all or nothing, over one connection."""

from __future__ import annotations

import time
from contextlib import aclosing

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.asked import Asked
from dal.copy.ledger import Ledger
from dal.copy.load import Load
from dal.copy.planning import planned
from dal.copy.report import CopyReport
from dal.copy.source import Source, open_source, positions_of
from dal.copy.stream import Stream


async def copy_in_whole(session: AsyncSession, table: Table, source: Source, asked: Asked) -> CopyReport:
    """Stream *source* into *table*, in the session's transaction; a load that fails goes back to its own savepoint."""
    started = time.perf_counter()
    async with open_source(source, positions_of(table), asked.form) as records:
        plan = await planned(session, table, records, asked)
        with Ledger(records, asked, table.fullname) as ledger:
            one = Load(session, plan, ledger, asked)
            async with session.begin_nested():
                stream = Stream(plan, records, rows_each=one.rows_each, numbered=one.is_staged)
                async with aclosing(stream.pieces()) as pieces:
                    await one.run(pieces)
    return ledger.report(started)
