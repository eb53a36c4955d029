"""A load that commits on its way, and that can be gone on with after whatever has ended it."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace

import pyarrow as pa
from sqlalchemy import Table

from dal.copy.asked import Asked
from dal.copy.checkpoint import Checkpoint
from dal.copy.ledger import Ledger
from dal.copy.load import SEGMENT_ROWS, Load, report_of
from dal.copy.plan import CopyPlan, plan_copy
from dal.copy.records import Chunk, Chunks, Records
from dal.copy.report import CopyReport
from dal.copy.source import Source, open_source, positions_of
from dal.copy.stream import Stream, up_to_end
from dal.errors import DatabaseError
from dal.session import SessionSource


async def copy_in_parts(database: SessionSource, table: Table, source: Source, asked: Asked) -> CopyReport:
    """Stream *source* into *table*, and commit every so many records; see `dal.copy.copy_in`.

    With a name to resume by, each commit says how far it has come: a load of this name goes on there, and one that was
    done does nothing. Without it, what is committed stays when the load fails.
    """
    started = time.perf_counter()
    async with open_source(source, positions_of(table), asked.form) as opened:
        checkpoint = None if asked.resume is None else Checkpoint(asked.resume)
        async with database.writing() as session:
            dialect = session.get_bind().dialect
            if checkpoint is not None:
                await checkpoint.find(session, table.fullname, opened)
        records = opened if checkpoint is None else replace(opened, chunks=_after(opened.chunks, checkpoint.records))
        plan = plan_copy(table, records, asked.rename, dialect)
        if checkpoint is not None and checkpoint.is_done:
            return CopyReport(0, 0, time.perf_counter() - started)
        with Ledger(records, asked, table.fullname, 0 if checkpoint is None else checkpoint.records) as ledger:
            try:
                await _load(database, plan, records, asked, ledger, checkpoint)
            except DatabaseError as error:
                if ledger.committed:
                    error.add_detail(ledger.fate)
                raise
    return report_of(ledger, started)


async def _load(
    database: SessionSource,
    plan: CopyPlan,
    records: Records,
    asked: Asked,
    ledger: Ledger,
    checkpoint: Checkpoint | None,
) -> None:
    most = asked.commit_every or SEGMENT_ROWS
    rows_each = most if asked.rejecting is None else min(most, SEGMENT_ROWS)
    stream = Stream(plan, records, rows_each=rows_each, numbered=asked.conflict.is_staged)
    async with aclosing(stream.pieces()) as pieces:
        while (first := await anext(pieces, None)) is not None:
            async with database.writing() as session:
                if checkpoint is not None:
                    await checkpoint.claim(session)
                before = ledger.inserted
                load = Load(session, plan, ledger, replace(asked, analyze=False))
                await load.run(up_to_end(first, pieces))
                if checkpoint is not None:
                    await checkpoint.advance(session, ledger.last_record, ledger.inserted - before)
            ledger.commit()
            if checkpoint is not None:
                checkpoint.advanced(ledger.last_record)
    if asked.analyze:
        async with database.writing() as session:
            await Load(session, plan, ledger, asked).end()
    if checkpoint is not None:
        async with database.writing() as session:
            await checkpoint.claim(session)
            await checkpoint.advance(session, checkpoint.records, 0, is_done=True)


def _after(chunks: Chunks, done: int) -> Chunks:
    """Leave out the records that are settled."""

    def rest(wanted: pa.Schema) -> Iterator[Chunk] | AsyncIterator[Chunk]:
        given = chunks(wanted)
        if isinstance(given, AsyncIterator):
            return _rest_async(given, done)
        return (left for each in given if (left := _left(each, done)) is not None)

    return rest


async def _rest_async(given: AsyncIterator[Chunk], done: int) -> AsyncIterator[Chunk]:
    async for each in given:
        left = _left(each, done)
        if left is not None:
            yield left


def _left(chunk: Chunk, done: int) -> Chunk | None:
    broken = [each for each in chunk.broken if each.number > done]
    at = bisect_right(chunk.numbers, done)
    if at == len(chunk.numbers) and not broken:
        return None
    batch = [each[at:] for each in chunk.batch] if isinstance(chunk.batch, list) else chunk.batch.slice(at)
    return Chunk(batch, chunk.numbers[at:], broken, chunk.end_bytes)
