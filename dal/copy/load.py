"""A load from the first record to the last, in a session's transaction, and which way its records go.

- Straight: one COPY into the table. Where nothing is rejected and no row is there already.
- By segments: a COPY of some ten thousand records each, in a savepoint; a segment that the server refuses goes on to a
  staging table, with all that come after it until one is without fault. Where records may be rejected.
- Staged: all records into a staging table first, and from there into the table in one statement. Where a record may
  meet its row.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.again import as_texts, sent_again, texts_again
from dal.copy.asked import Asked, Conflict
from dal.copy.asking import ask, is_of_a_row
from dal.copy.conflict import Settlement, settlement_of
from dal.copy.encoding import encoder_of
from dal.copy.fitting import Fitted, Odd
from dal.copy.judging import Published
from dal.copy.ledger import NOTHING, Ledger
from dal.copy.plan import CopyPlan
from dal.copy.planning import is_staged
from dal.copy.publishing import RECORD
from dal.copy.rebuilding import Rebuilding
from dal.copy.sending import Into, send
from dal.copy.staging import Staging
from dal.copy.stream import ODD_EACH, Piece, up_to_end
from dal.errors import CardinalityViolation, CopyError, DatabaseError

# So many records are kept until the server has taken them, to be able to send them again.
SEGMENT_ROWS: Final = 65_536
# Two loads that look for what is new would each find what the other one brings.
_ONE_BY_ONE: Final = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1::text, 0))"


class Load:
    """One load, and what has come of it."""

    def __init__(
        self, session: AsyncSession, plan: CopyPlan, ledger: Ledger, asked: Asked, *, shared: str | None = None
    ) -> None:
        self._session, self._plan, self._ledger, self._asked = session, plan, ledger, asked
        self._conflict = asked.conflict
        # Where several connections load, they share a staging table, which has this name.
        self._is_shared = shared is not None
        self.is_staged = is_staged(asked, plan.table)
        self.staging = Staging(session, plan, shared)
        self.staged = 0
        # A shared table is filled by several, and what was odd comes last.
        self._is_in_order = not self._is_shared
        self._rebuilding = Rebuilding(
            session, self.staging.target.name, keeps_foreign_keys=ledger.rejecting is not None
        )
        self._odd: list[Odd] = []
        self._is_known = False
        self._is_refused = False  # the segment before

    @property
    def _is_judged(self) -> bool:
        """Whether rows are inserted, too, and not only copied."""
        return self.is_staged or self._ledger.rejecting is not None

    @property
    def rows_each(self) -> int | None:
        """How many records one COPY has."""
        return SEGMENT_ROWS if self._ledger.rejecting else None

    async def run(self, pieces: AsyncIterator[Piece], turn: Callable[[], Awaitable[None]] | None = None) -> None:
        """Load everything; what is staged is published after its *turn*."""
        await self.begin()
        if self.is_staged:
            await self.staging.make_typed()
        async with self.judging():
            await self.take(pieces)
            if turn is not None:
                await turn()
            if self.is_staged:
                await self.publish(self.staged)
        await self.staging.drop()
        await self.end()

    async def take(self, pieces: AsyncIterator[Piece]) -> None:
        """Bring all records to where they go first."""
        if self._ledger.rejecting:
            await self._by_segments(pieces)
        else:
            while (first := await anext(pieces, None)) is not None:
                self._count(await self._fill(up_to_end(first, pieces), self._tell))
                await self._ask_of_odd(ODD_EACH)
            await self._ask_of_odd()

    async def begin(self) -> None:
        """Look at the table; empty it, if it is replaced, and drop what is made again at the end."""
        if self._is_judged:
            await self.staging.target.look()
        if self._conflict.action == "replace":
            await ask(self._session, f"TRUNCATE {self.staging.target.name}")
        if self._asked.rebuild:
            await self._rebuilding.drop()

    async def end(self) -> None:
        """Make again what was dropped, and keep what was rejected."""
        with self._ledger.phase("rebuild") if self._asked.rebuild else nullcontext():
            async for name, seconds in self._rebuilding.rebuilt():
                self._ledger.rebuilt[name] = seconds
        if self._asked.analyze:
            with self._ledger.phase("analyze"):
                await ask(self._session, f"ANALYZE {self.staging.target.name}")
        await self._ledger.settle(self._session)

    def judging(self) -> AbstractAsyncContextManager[None]:
        """Have the server refuse records at once, where some may be rejected."""
        return self.staging.target.undeferred() if self._ledger.rejecting else nullcontext()

    async def _fill(self, pieces: AsyncIterator[Piece], tell: Callable[[Piece], None]) -> int:
        into = self._into_typed if self.is_staged else self._straight
        with self._ledger.phase("copy"):
            return await send(self._session, into, pieces, tell)

    @property
    def _straight(self) -> Into:
        table = self._plan.table
        return Into(table.name, table.schema, list(self.staging.columns), encoder_of(self._plan).format)

    @property
    def _into_typed(self) -> Into:
        return Into(self.staging.typed, None, [*self.staging.columns, RECORD], encoder_of(self._plan).format)

    def _tell(self, piece: Piece) -> None:
        if piece.fitted is not None:
            self._odd += piece.fitted.odd
        self._ledger.tell(piece)

    def _count(self, rows: int) -> None:
        """Count rows that have come to where they go first."""
        if self.is_staged:
            self.staged += rows
        else:
            self._ledger.inserted += rows

    async def _by_segments(self, pieces: AsyncIterator[Piece]) -> None:
        while (first := await anext(pieces, None)) is not None:
            await self._segment(up_to_end(first, pieces))
            await self._ask_of_odd(ODD_EACH)
            if not self._is_shared:
                await self._ledger.settle(self._session)
        await self._ask_of_odd()

    async def _segment(self, segment: AsyncIterator[Piece]) -> None:
        sent: list[Fitted] = []

        def keep(piece: Piece) -> None:
            if piece.fitted is not None:
                sent.append(piece.fitted)
            self._tell(piece)

        if not self._is_refused:
            try:
                async with self._session.begin_nested():
                    rows = await self._fill(segment, keep)
            except DatabaseError as error:
                if not is_of_a_row(error):
                    raise
            else:
                self._count(rows)
                return
        async for piece in segment:
            keep(piece)
        with self._ledger.phase("judge"):
            done = await self._refused(sent)
        self._is_refused = bool(done.broken)
        self._count(done.inserted)
        self._ledger.reject(done.broken)

    async def _refused(self, sent: Sequence[Fitted]) -> Published:
        """Load a segment of which the server refuses something."""
        await self._know()
        if self.is_staged:
            return await self._publish_texts(as_texts(self._plan, sent), self.staging.typed)
        try:
            async with self._session.begin_nested():
                await self.staging.make_typed()
                await send(self._session, self._into_typed, sent_again(self._plan, sent), _silent)
                done = await self.staging.publish_typed(self._settlement, is_ordered=False)
                await self.staging.drop()
                return done
        except DatabaseError as error:
            if not is_of_a_row(error):
                raise
        self.staging.forget()
        return await self._publish_texts(as_texts(self._plan, sent), self.staging.target.name)

    async def publish(self, rows: int) -> None:
        """Bring the *rows* of the staging table into the table."""
        settlement = self._settlement
        if settlement.watermark is not None:
            await ask(self._session, _ONE_BY_ONE, f"dal append {self._plan.table.fullname}")
            await ask(self._session, settlement.not_new(self.staging.typed, self.staging.target.name))
        if self._conflict.duplicates == "error":
            await self._refuse_duplicates(settlement)
        with self._ledger.phase("publish"):
            done = await self._merged(settlement)
        self._ledger.inserted += done.inserted
        self._ledger.updated += done.written - done.inserted
        self._ledger.skipped += rows - done.written - len(done.broken)
        self._ledger.reject(done.broken)

    async def _merged(self, settlement: Settlement) -> Published:
        if self._ledger.rejecting:
            await self._know()
            await self._leave_out_duplicates(settlement)
            return await self.staging.publish_typed(settlement, is_ordered=not self._is_in_order)
        if _counts_otherwise(self._conflict):
            await self._leave_out_duplicates(settlement)
        try:
            async with self._session.begin_nested():
                return await self.staging.publish_all(settlement, is_ordered=not self._is_in_order)
        except CardinalityViolation:
            await self._leave_out_duplicates(settlement)
            return await self.staging.publish_all(settlement, is_ordered=not self._is_in_order)

    async def _leave_out_duplicates(self, settlement: Settlement) -> None:
        if settlement.key:
            last = self._conflict.duplicates == "last"
            is_known = await self.staging.target.has_distinct_nulls(settlement.key)
            await ask(self._session, settlement.duplicates(self.staging.typed, last=last, is_known=is_known))

    @property
    def _settlement(self) -> Settlement:
        given = {slot.column.name: slot.column for slot in self._plan.filled}
        return settlement_of(self._conflict, self._plan.table, given, self._session.get_bind().dialect)

    async def _refuse_duplicates(self, settlement: Settlement) -> None:
        if not settlement.key:
            return
        is_known = await self.staging.target.has_distinct_nulls(settlement.key)
        for pair in await ask(self._session, settlement.first_pair(self.staging.typed, is_known=is_known)):
            raise CopyError(
                f"records {pair['one']:,} and {pair['other']:,} have the same key: give each key once, or "
                f"duplicates='last' or 'first'. {NOTHING}"
            )

    async def _ask_of_odd(self, at_least: int = 1) -> None:
        """Have the server read the records that are of another form than those that are read here."""
        if len(self._odd) < at_least:
            return
        await self._know()
        odd, self._odd, self._is_in_order = self._odd, [], False
        with self._ledger.phase("judge"):
            done = await self._publish_texts(odd, self.staging.typed if self.is_staged else self.staging.target.name)
        self._ledger.reject(done.broken)
        self._count(done.inserted)

    async def _publish_texts(self, texts: Sequence[Odd], target: str) -> Published:
        staging = self.staging
        await staging.make_texts()
        into = Into(staging.texts, None, [*staging.columns, RECORD], "csv")
        await send(self._session, into, texts_again(texts), _silent)
        done = await staging.publish_texts(target)
        await staging.drop_texts()
        return done

    async def _know(self) -> None:
        if not self._is_known:
            await self.staging.target.know()
            self._is_known = True


def _counts_otherwise(conflict: Conflict) -> bool:
    """Tell whether the server might take another one of those with the same key, and say nothing.

    Of those that are skipped it keeps the first, and it goes on to the next where a condition does not hold.
    """
    return conflict.where is not None or (conflict.action == "skip" and conflict.duplicates == "last")


def _silent(_: Piece) -> None:
    """Tell nobody: it was told before."""
