"""A load that commits on its way, and that can be gone on with after whatever has ended it.

Several connections stage parts at once, and publish and commit them in order: two parts may bring the same key, and
whoever had published it too early would wait for its turn, while the other waits for its COMMIT.
"""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import dataclass, replace

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.asked import Asked
from dal.copy.beside import Beside
from dal.copy.checkpoint import Checkpoint
from dal.copy.dealing import Dealer, Part, TurnLost, Turns
from dal.copy.ledger import Ledger
from dal.copy.load import SEGMENT_ROWS, Load
from dal.copy.plan import CopyPlan
from dal.copy.planning import is_staged, planned
from dal.copy.records import Records
from dal.copy.report import CopyReport
from dal.copy.rest import rest_of
from dal.copy.source import Source, open_source, positions_of
from dal.copy.stream import Stream, up_to_end
from dal.copy.workers import at_once
from dal.errors import DALError
from dal.session import SessionSource


async def copy_in_parts(database: SessionSource, table: Table, source: Source, asked: Asked) -> CopyReport:
    """Stream *source* into *table*, and commit every so many records; see `dal.copy.copy_in`.

    With a name to resume by, each commit says how far it has come: a load of this name goes on there, and one that was
    done does nothing. Without it, what is committed stays when the load fails.
    """
    started = time.perf_counter()
    async with open_source(source, positions_of(table), asked.form) as opened:
        checkpoint = Checkpoint(asked.resume)
        async with database.writing() as session:
            plan = await planned(session, table, opened, asked)
            await checkpoint.find(session, table, opened)
        if checkpoint.is_done:
            return CopyReport(0, 0, time.perf_counter() - started)
        records = rest_of(opened, checkpoint.records)
        with Ledger(records, asked, table.fullname, checkpoint.records) as ledger:
            ledger.commit(checkpoint.records)
            try:
                await _Parts(database, plan, records, asked, ledger, checkpoint).load()
            except DALError as error:  # now that all parts before have ended
                ledger.say_what_stays(error)
                raise
    return ledger.report(started)


@dataclass(frozen=True, slots=True)
class _Parts:
    database: SessionSource
    plan: CopyPlan
    records: Records
    asked: Asked
    ledger: Ledger
    checkpoint: Checkpoint

    async def load(self) -> None:
        if self.asked.workers > 1:
            await self._at_once()
        else:
            await self._one_by_one()
        async with self.database.writing() as session:
            await Load(session, self.plan, self.ledger, self.asked).end()
            await self.checkpoint.claim(session)
            await self.checkpoint.end(session)

    async def _one_by_one(self) -> None:
        stream = Stream(self.plan, self.records, rows_each=self._rows_each, numbered=self._is_staged)
        async with aclosing(stream.pieces()) as pieces:
            while (first := await anext(pieces, None)) is not None:
                async with self.database.writing() as session:
                    await self.checkpoint.claim(session)
                    before = self.ledger.inserted
                    await self._load_of(session, self.ledger).run(up_to_end(first, pieces))
                    last = self.ledger.last_record
                    await self.checkpoint.advance(session, last, self.ledger.inserted - before)
                self._committed(last)

    @property
    def _is_staged(self) -> bool:
        return is_staged(self.asked, self.plan.table)

    @property
    def _rows_each(self) -> int:
        most = self.asked.commit_every or SEGMENT_ROWS
        is_held = self.asked.rejecting is not None or self.asked.workers > 1
        return min(most, SEGMENT_ROWS) if is_held else most

    def _load_of(self, session: AsyncSession, ledger: Ledger) -> Load:
        return Load(session, self.plan, ledger, replace(self.asked, analyze=False))

    def _committed(self, last: int) -> None:
        self.checkpoint.advanced(last)
        self.ledger.commit(last)

    async def _at_once(self) -> None:
        async with Beside() as thread:
            turns = Turns()
            await self._deal(Dealer(self.records, self.plan.wanted, self._rows_each, thread), turns)
        if turns.error is not None:
            raise turns.error

    async def _deal(self, dealer: Dealer, turns: Turns) -> None:
        async def work() -> None:
            while turns.error is None:
                part = None
                try:
                    if (part := await dealer.next()) is None:
                        return
                    await self._staged(part, turns)
                except TurnLost:
                    return
                except Exception as error:  # raised when the parts before it have ended
                    # A source that fails does so behind all that was dealt meanwhile.
                    await turns.fail(dealer.dealt if part is None else part.number, error)

        await at_once(self.asked.workers, work)

    async def _staged(self, part: Part, turns: Turns) -> None:
        async with self.database.writing() as session:

            async def turn() -> None:
                await turns.wait(part.number)
                await self.checkpoint.claim(session)

            ledger = self.ledger.of_part()
            async with aclosing(Stream(self.plan, part.records, numbered=True).pieces()) as pieces:
                await self._load_of(session, ledger).run(pieces, turn)
            self.ledger.take(ledger)
            await self.ledger.settle(session)
            await self.checkpoint.advance(session, part.last_record, ledger.inserted)
        self._committed(part.last_record)
        await turns.end()
