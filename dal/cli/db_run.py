"""What `dal db` does with a database: goes up and down, and writes revisions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from dal.cli.failing import carried_out
from dal.config import DatabaseConfig
from dal.database import Database
from dal.migrations import MigrationOptions, current, for_each_schema, new_revision
from dal.migrations.options import ini_of
from dal.migrations.schemas import Migration


@dataclass
class Move:
    """A way from where the database is to *revision*, in the schemas named, or in its own."""

    do: Migration
    revision: str
    config: DatabaseConfig
    options: MigrationOptions
    schemas: Sequence[str]
    run: list[str] = field(default_factory=list)

    async def go(self) -> tuple[str, ...]:
        """Go there; gives where it is then, of the last schema."""
        options: MigrationOptions = {**self.options, "on_revision": self._note}
        async with Database(self.config) as db:
            if self.schemas:
                await for_each_schema(db, self.schemas, self.do, self.revision, **options)
                return await current(db, schema=self.schemas[-1], ini=ini_of(self.options))
            await self.do(db, self.revision, **options)
            return await current(db, ini=ini_of(self.options))

    def _note(self, revision: str) -> None:
        self.run.append(revision)
        typer.echo(f"ran {revision}", err=True)


def moved(move: Move) -> None:
    """Go, and say where the database is then."""
    started = time.monotonic()
    at = carried_out(move.go(), interrupted="interrupted: what had run is committed, and the rest is rolled back.")
    where = ", ".join(at) or "base"
    typer.echo(f"at {where}; {len(move.run)} revisions in {time.monotonic() - started:.2f} s")


async def write_revision(config: DatabaseConfig | None, message: str, ini: Path, rev_id: str | None) -> list[Path]:
    """Write a revision, an empty one if there is no database to compare with."""
    if config is None:
        return await new_revision(message, ini=ini, rev_id=rev_id)
    async with Database(config) as db:
        return await new_revision(message, db, ini=ini, rev_id=rev_id)
