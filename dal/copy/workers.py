"""A load by several connections at once: all of it is published by one transaction, or nothing.

They share a table without a log, called `dal_load_...`, which is dropped at the end. Where the process or the server
ends in the middle, the table is left behind, and nothing of it in the target; a load an hour later drops it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing
from dataclasses import replace
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Table

from dal.copy.abandoned import drop_abandoned, new_name
from dal.copy.asked import Asked
from dal.copy.ledger import Ledger
from dal.copy.load import SEGMENT_ROWS, Load
from dal.copy.plan import CopyPlan
from dal.copy.planning import planned
from dal.copy.records import Chunk, Records
from dal.copy.report import CopyReport
from dal.copy.source import Source, open_source, positions_of
from dal.copy.staging import Staging
from dal.copy.stream import Stream
from dal.session import SessionSource, driver_in_transaction

T = TypeVar("T")


async def copy_in_by_workers(database: SessionSource, table: Table, source: Source, asked: Asked) -> CopyReport:
    """Stream *source* into *table* over several connections; each reads, fits and encodes in a thread of its own."""
    started = time.perf_counter()
    shared = new_name()
    async with open_source(source, positions_of(table), asked.form) as records:
        async with database.writing() as session:
            async with driver_in_transaction(session) as driver:
                await drop_abandoned(driver)
            plan = await planned(session, table, records, asked)
            await Staging(session, plan, shared).make_typed(shared=True)
        try:
            with Ledger(records, asked, table.fullname) as ledger:
                rows = await _fill(database, plan, _drawn_by_several(records, plan), asked, ledger, shared)
                async with database.writing() as session:
                    load = Load(session, plan, ledger, asked, shared=shared)
                    await load.begin()
                    async with load.judging():
                        await load.publish(rows)
                    await load.end()
        finally:
            await asyncio.shield(_dropped(database, shared))
    return ledger.report(started)


async def _fill(
    database: SessionSource, plan: CopyPlan, records: Records, asked: Asked, ledger: Ledger, shared: str
) -> int:
    async def work() -> int:
        async with database.writing() as session:
            load = Load(session, plan, ledger, asked, shared=shared)
            rows_each = SEGMENT_ROWS if asked.rejecting else None
            async with aclosing(Stream(plan, records, rows_each=rows_each, numbered=True).pieces()) as pieces:
                await load.take(pieces)
        return load.staged

    return sum(await at_once(asked.workers, work))


async def at_once(count: int, work: Callable[[], Coroutine[Any, Any, T]]) -> list[T]:
    """Do *work* so many times at once; raises what the first one fails of, when all of them have ended."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work()) for _ in range(count)]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _dropped(database: SessionSource, name: str) -> None:
    async with database.writing() as session:
        await (await session.connection()).exec_driver_sql(f"DROP TABLE IF EXISTS {name}")


def _drawn_by_several(records: Records, plan: CopyPlan) -> Records:
    """Have each chunk given to one of those who ask for chunks."""
    chunks = records.chunks(plan.wanted)
    if isinstance(chunks, AsyncIterator):
        turn = asyncio.Lock()
        return replace(records, chunks=lambda _: _in_turn(chunks, turn))
    drawn = _Drawn(chunks)
    return replace(records, chunks=lambda _: drawn)


async def _in_turn(chunks: AsyncIterator[Chunk], turn: asyncio.Lock) -> AsyncIterator[Chunk]:
    while True:
        async with turn:
            chunk = await anext(chunks, None)
        if chunk is None:
            return
        yield chunk


class _Drawn(Iterator[Chunk]):
    """The chunks of a source, drawn in the threads of several."""

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self._chunks, self._lock = chunks, Lock()

    def __next__(self) -> Chunk:
        with self._lock:
            return next(self._chunks)
