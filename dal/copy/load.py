"""A load from the first record to the last, in a session's transaction, and which way its records go.

- Straight: one COPY into the table. Where nothing is rejected and no row is there already.
- By segments: a COPY of some ten thousand records each, in a savepoint; a segment that the server refuses goes on to a
  staging table, with all that come after it until one is without fault. Where records may be rejected.
- Staged: all records into a staging table first, and from there into the table in one statement. Where a record may
  meet its row.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.again import as_texts, sent_again, texts_again
from dal.copy.asked import Action, Conflict, OnError, Rejecting, conflict_of, rejecting_of
from dal.copy.conflict import Settlement, settlement_of
from dal.copy.encoding import encoder_of
from dal.copy.fitting import Fitted, Odd
from dal.copy.ledger import Ledger
from dal.copy.plan import CopyPlan, plan_copy
from dal.copy.publishing import RECORD
from dal.copy.report import CopyReport, OnProgress
from dal.copy.sending import Into, send
from dal.copy.source import Source, open_source
from dal.copy.staging import Published, Staging, is_of_a_row
from dal.copy.stream import Piece, Stream
from dal.errors import CopyError, DatabaseError

# So many records are kept until the server has taken them, to be able to send them again.
SEGMENT_ROWS: Final = 65_536
# So many records of texts are kept until they are sent.
_ODD_AT_ONCE: Final = 16_384


async def copy_in(
    session: AsyncSession,
    table: Table,
    source: Source,
    *,
    rename: Mapping[str, str] | None = None,
    on_conflict: Action | Conflict = "error",
    on_error: OnError | Rejecting = "abort",
    on_progress: OnProgress | None = None,
) -> CopyReport:
    """Stream *source* into *table* by COPY, in the session's transaction.

    Columns are matched by name, after *rename*; the fields of plain tuples are the table's columns in their order.
    Nothing is visible to others until the caller commits. A load that fails goes back to a savepoint of its own: the
    caller's transaction goes on as if it had not been tried; `on_error="reject"` loads what can be loaded. Memory stays
    flat: a few chunks of `CHUNK_ROWS`, and `SEGMENT_ROWS` where records may be rejected. Raises `CopyError` when the
    records do not fit, and the errors of the server.
    """
    started = time.perf_counter()
    positions = [column.name for column in table.columns if column.computed is None]
    async with open_source(source, positions) as records:
        plan = plan_copy(table, records, rename, dialect=session.get_bind().dialect)
        with Ledger(records, rejecting_of(on_error), on_progress) as ledger:
            load = _Load(session, plan, ledger, conflict_of(on_conflict))
            async with session.begin_nested():
                stream = Stream(plan, records, rows_each=load.rows_each, numbered=load.is_staged)
                async with aclosing(stream.pieces()) as pieces:
                    await load.run(pieces)
    seconds = time.perf_counter() - started
    return CopyReport(
        load.inserted, ledger.sent_bytes, seconds, load.updated, load.skipped, ledger.rejected, tuple(ledger.shown)
    )


class _Load:
    """One load, and what has come of it."""

    def __init__(self, session: AsyncSession, plan: CopyPlan, ledger: Ledger, conflict: Conflict) -> None:
        self.inserted = self.updated = self.skipped = 0
        self._session, self._plan, self._ledger, self._conflict = session, plan, ledger, conflict
        self._staging = Staging(session, plan)
        self._odd: list[Odd] = []
        self._is_known = False
        self._is_refused = False  # the segment before

    @property
    def is_staged(self) -> bool:
        """Whether all records go into the staging table first."""
        return self._conflict.is_settled_by_key

    @property
    def rows_each(self) -> int | None:
        """How many records one COPY has."""
        return SEGMENT_ROWS if self._ledger.rejecting and not self.is_staged else None

    async def run(self, pieces: AsyncIterator[Piece]) -> None:
        """Load everything."""
        if self._conflict.action == "replace":
            await self._staging.ask(f"TRUNCATE {self._staging.target}")
        if self._ledger.rejecting:
            await self._staging.ask("SET CONSTRAINTS ALL IMMEDIATE")
        if self.is_staged:
            await self._by_staging(pieces)
        elif self._ledger.rejecting:
            await self._by_segments(pieces)
        else:
            self.inserted += await self._copy(self._straight, pieces, [])
            self.inserted += await self._ask_of_odd(self._staging.target)
        await self._staging.drop()

    @property
    def _straight(self) -> Into:
        table = self._plan.table
        return Into(table.name, table.schema, list(self._staging.columns), encoder_of(self._plan).format)

    @property
    def _into_typed(self) -> Into:
        return Into(self._staging.typed, None, [*self._staging.columns, RECORD], encoder_of(self._plan).format)

    async def _copy(self, into: Into, pieces: AsyncIterator[Piece], sent: list[Fitted]) -> int:
        return await send(self._session, into, pieces, sent, self._tell)

    def _tell(self, piece: Piece) -> None:
        if piece.fitted is not None:
            self._odd += piece.fitted.odd
        self._ledger.tell(piece)

    async def _by_segments(self, pieces: AsyncIterator[Piece]) -> None:
        while (first := await anext(pieces, None)) is not None:
            sent: list[Fitted] = []
            segment = _from(first, pieces)
            if self._is_refused:
                await self._drain(segment, sent)
                await self._refused(sent)
                continue
            try:
                async with self._session.begin_nested():
                    self.inserted += await self._copy(self._straight, segment, sent)
            except DatabaseError as error:
                if not is_of_a_row(error):
                    raise
                await self._drain(segment, sent)
                await self._refused(sent)
            if len(self._odd) >= _ODD_AT_ONCE:
                self.inserted += await self._ask_of_odd(self._staging.target)
        self.inserted += await self._ask_of_odd(self._staging.target)

    async def _drain(self, segment: AsyncIterator[Piece], sent: list[Fitted]) -> None:
        async for piece in segment:
            if piece.fitted is not None:
                sent.append(piece.fitted)
            self._tell(piece)

    async def _refused(self, sent: Sequence[Fitted]) -> None:
        """Load a segment of which the server refuses something."""
        await self._know()
        await self._staging.make_typed()
        try:
            async with self._session.begin_nested():
                await send(self._session, self._into_typed, sent_again(self._plan, sent), [], _silent)
            done = await self._staging.publish_typed(self._settlement)
        except DatabaseError as error:
            if not is_of_a_row(error):
                raise
            done = await self._publish_texts(as_texts(self._plan, sent), self._staging.target)
        await self._staging.drop()
        self._is_refused = bool(done.broken)
        self.inserted += done.inserted
        self._ledger.reject(done.broken)

    async def _by_staging(self, pieces: AsyncIterator[Piece]) -> None:
        await self._know()
        await self._staging.make_typed()
        await self._copy(self._into_typed, pieces, [])
        await self._ask_of_odd(self._staging.typed)
        settlement = self._settlement
        rows = await self._staging.waiting()
        await self._settle_duplicates(settlement)
        way = self._staging.publish_typed if self._ledger.rejecting else self._staging.publish_all
        done = await way(settlement)
        self.inserted += done.inserted
        self.updated += done.written - done.inserted
        self.skipped += rows - done.written - len(done.broken)
        self._ledger.reject(done.broken)

    @property
    def _settlement(self) -> Settlement:
        given = {slot.column.name: slot.column for slot in self._plan.filled}
        return settlement_of(self._conflict, self._plan.table, given, self._session.get_bind().dialect)

    async def _settle_duplicates(self, settlement: Settlement) -> None:
        typed = self._staging.typed
        if self._conflict.duplicates != "error":
            await self._staging.ask(settlement.duplicates(typed, last=self._conflict.duplicates == "last"))
            return
        for pair in await self._staging.ask(settlement.first_pair(typed)):
            raise CopyError(
                f"records {pair['one']:,} and {pair['other']:,} have the same key: give each key once, or "
                "duplicates='last' or 'first'. Nothing was loaded."
            )

    async def _ask_of_odd(self, target: str) -> int:
        """Have the server read the records that are of another form than those that are read here."""
        if not self._odd:
            return 0
        await self._know()
        odd, self._odd = self._odd, []
        done = await self._publish_texts(odd, target)
        self._ledger.reject(done.broken)
        return done.inserted

    async def _publish_texts(self, texts: Sequence[Odd], target: str) -> Published:
        staging = self._staging
        await staging.make_texts()
        into = Into(staging.texts, None, [*staging.columns, RECORD], "csv")
        await send(self._session, into, texts_again(texts), [], _silent)
        done = await staging.publish_texts(target)
        await staging.drop_texts()
        return done

    async def _know(self) -> None:
        if not self._is_known:
            await self._staging.know()
            self._is_known = True


async def _from(first: Piece, rest: AsyncIterator[Piece]) -> AsyncIterator[Piece]:
    """Give the pieces of one COPY."""
    yield first
    if not first.is_end:
        async for piece in rest:
            yield piece
            if piece.is_end:
                return


def _silent(_: Piece) -> None:
    """Tell nobody: it was told before."""
