"""`dal load`, done: from the database that is opened to the exit code."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Table, text

from dal.cli.failing import FAILED, fail, words
from dal.cli.interrupting import INTERRUPTED, Interruption, StandardInput
from dal.cli.load_asked import LoadAsked
from dal.cli.load_progress import shown
from dal.cli.load_report import show, show_json
from dal.cli.printing import printable
from dal.cli.table import reflected, refuse_unknown
from dal.cli.usage import Usage
from dal.copy import CopyOptions, CopyReport, OnProgress, Progress, copy_in
from dal.database import Database
from dal.transaction import Outcome, Transaction

REJECTED = 3


def run_load(asked: LoadAsked, *, as_json: bool) -> int:
    """Load, say what came of it, and give the exit code. Raises `Usage` for names that the database does not know."""
    with Interruption() as interruption:
        load = _Load(asked, StandardInput(interruption) if asked.paths == [Path("-")] else asked.paths)
        try:
            report, table = interruption.run(load.run())
        except asyncio.CancelledError:
            return fail(load.interrupted, INTERRUPTED)
        except Exception as error:
            if interruption.is_asked:  # whatever the cancellation has become in the source, or under SQLAlchemy
                return fail(load.interrupted, INTERRUPTED)
            if isinstance(error, Usage) or (said := words(error)) is None:
                raise
            return fail(said, FAILED)
    (show_json if as_json else show)(report, table, dry_run=asked.dry_run)
    return REJECTED if report.rejected else 0


@dataclass
class _Load:
    """One load, and what is known of it when it ends early."""

    asked: LoadAsked
    source: Any
    transaction: Transaction | None = None
    committed: int | None = None

    async def run(self) -> tuple[CopyReport, Table]:
        """Load everything."""
        asked = self.asked
        async with Database(asked.config) as db:
            table = await reflected(db, asked.table, asked.schema)
            refuse_unknown(table, "--key", asked.copy.conflict.on)
            refuse_unknown(table, "--update", asked.copy.conflict.update or ())
            refuse_unknown(table, "--rename", asked.copy.rename.values())
            with shown(printable(table.name)) as on_progress:
                return await self._load(db, table, on_progress), table

    @property
    def interrupted(self) -> str:
        """What became of a load that was interrupted."""
        if self.asked.copy.is_in_parts and self.committed is None:
            return "interrupted before it began: nothing was loaded."
        if self.asked.copy.is_in_parts:
            return f"interrupted: the first {self.committed:,} records are settled and stay."
        if self.asked.copy.workers > 1:
            return "interrupted: everything is loaded, or nothing."
        outcome = Outcome.OPEN if self.transaction is None else self.transaction.outcome
        if outcome is Outcome.COMMITTED and not self.asked.dry_run:
            return "interrupted after the COMMIT: everything is loaded."
        if outcome is Outcome.UNKNOWN:
            return "interrupted during the COMMIT: everything is loaded, or nothing."
        return "interrupted: rolled back, nothing was loaded."

    async def _load(self, db: Database, table: Table, on_progress: OnProgress) -> CopyReport:
        def told(progress: Progress) -> None:
            self.committed = progress.committed
            on_progress(progress)

        if self.asked.copy.is_in_parts or self.asked.copy.workers > 1:
            return await self._copy(db, table, told)
        self.transaction = db.begin(verify_commit=not self.asked.dry_run)
        async with self.transaction as session:
            report = await self._copy(session, table, told)
            if self.asked.dry_run:
                await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))  # what a COMMIT would find
                await session.rollback()
        return report

    async def _copy(self, target: Any, table: Table, told: OnProgress) -> CopyReport:
        options: CopyOptions = {**self.asked.options, "on_progress": told}
        return await copy_in(target, table, self.source, **options)
