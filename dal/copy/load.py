"""A load from the first record to the last, in a session's transaction."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import aclosing

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.encoding import encoder_of
from dal.copy.plan import plan_copy
from dal.copy.records import Broken, Records
from dal.copy.report import CopyReport, OnProgress, Progress
from dal.copy.sending import Into, send
from dal.copy.source import Source, open_source
from dal.copy.stream import Piece, Stream
from dal.errors import CopyError


async def copy_in(
    session: AsyncSession,
    table: Table,
    source: Source,
    *,
    rename: Mapping[str, str] | None = None,
    on_progress: OnProgress | None = None,
) -> CopyReport:
    """Stream *source* into *table* with one binary COPY, in the session's transaction.

    Columns are matched by name, after *rename*; the fields of plain tuples are the table's columns in their order.
    Nothing is visible to others until the caller commits. One bad record fails the whole COPY, back to a savepoint of
    its own: the caller's transaction goes on as if it had not been tried. Memory stays flat: two chunks of `CHUNK_ROWS`
    at a time. Raises `CopyError` when the records do not fit, and the errors of the server.
    """
    started = time.perf_counter()
    positions = [column.name for column in table.columns if column.computed is None]
    async with open_source(source, positions) as records:
        plan = plan_copy(table, records, rename, dialect=session.get_bind().dialect)
        teller = _Teller(records, on_progress)
        async with session.begin_nested(), aclosing(Stream(plan, records).pieces()) as pieces:
            columns = [slot.column.name for slot in plan.filled]
            into = Into(table.name, table.schema, columns, encoder_of(plan).format)
            rows, _ = await send(session, into, pieces, teller.tell)
    return CopyReport(rows, teller.sent_bytes, time.perf_counter() - started)


class _Teller:
    """Counts what is sent, and tells it; the first record that cannot be loaded ends the load."""

    def __init__(self, records: Records, on_progress: OnProgress | None) -> None:
        self.rows = self.sent_bytes = 0
        self.read_bytes: int | None = None
        self._records, self._on_progress = records, on_progress

    def tell(self, piece: Piece) -> None:
        self.sent_bytes += len(piece.data)
        fitted = piece.fitted
        if fitted is not None:
            if fitted.broken:
                raise _refusal(fitted.broken[0])
            self.rows += len(fitted.numbers)
            self.read_bytes = fitted.end_bytes
        if self._on_progress is not None and (piece.is_end or fitted is not None):
            progress = Progress(
                self.rows, self._records.total_rows, self.sent_bytes, 0, self.read_bytes, self._records.total_bytes
            )
            self._on_progress(progress)


def _refusal(broken: Broken) -> CopyError:
    column = "" if broken.column is None else f", column {broken.column!r}"
    return CopyError(f"record {broken.number:,}{column}: {broken.reason}. Nothing was loaded.")
