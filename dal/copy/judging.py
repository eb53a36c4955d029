"""Rows of a staging table that are brought in one by one, by halving: those that the server refuses come back."""

# ruff: noqa: S608 # of names that are quoted

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.asking import ask
from dal.copy.publishing import REASONS, RECORD, ROW, Publication, halving
from dal.copy.records import Broken


class Published(NamedTuple):
    """How many rows were inserted, how many were written, inserted and updated, and which records were refused."""

    inserted: int
    written: int
    broken: list[Broken]


@dataclass(frozen=True, slots=True)
class Judge:
    """Halves what is refused, with a table for the refused and a function of these names, gone at the end.

    The fields of a record are the *columns*, quoted, and the source calls them *names*. A table that *refers to itself*
    may have refused a row whose parent came after it.
    """

    session: AsyncSession
    rejects: str
    function: str
    columns: Sequence[str]
    names: Sequence[str]

    async def judge(self, publication: Publication, *, refers_to_itself: bool) -> Published:
        """Bring in all rows of a staging table that the server takes."""
        (row,) = await ask(
            self.session, f"SELECT count(*) AS rows, pg_catalog.max({ROW}) AS last FROM {publication.staging}"
        )
        if not row["rows"]:
            return Published(0, 0, [])
        await ask(self.session, f"CREATE TEMPORARY TABLE {self.rejects} ({REASONS})")
        await ask(self.session, f"CREATE INDEX ON {publication.staging} ({ROW})")
        await ask(self.session, halving(self.function, publication, self.rejects))
        inserted, written = await self._halved(row["last"])
        while refers_to_itself and (again := await self._orphans(publication.staging)):
            more = await self._halved(again)
            inserted, written = inserted + more[0], written + more[1]
            if not more[1]:
                break
        broken = await self._broken(publication.staging)
        await ask(self.session, f"DROP FUNCTION pg_temp.{self.function}")
        await ask(self.session, f"DROP TABLE {self.rejects}")
        return Published(inserted, written, broken)

    async def _halved(self, last: int) -> tuple[int, int]:
        """Bring the rows up to *last* in; gives how many were inserted, and written."""
        (done,) = await ask(self.session, f"SELECT pg_temp.{self.function}(1, {last}) AS rows")
        return done["rows"][0], done["rows"][1]

    async def _orphans(self, staging: str) -> int:
        """Take back what lacked a parent that may have come after it; gives how many."""
        orphans = (
            f"SELECT {RECORD}, row_number() OVER (ORDER BY {RECORD}) AS n FROM {self.rejects} WHERE state = '23503'"
        )
        await ask(self.session, f"UPDATE {staging} SET {ROW} = 0")
        await ask(self.session, f"UPDATE {staging} s SET {ROW} = x.n FROM ({orphans}) x WHERE s.{RECORD} = x.{RECORD}")
        (found,) = await ask(
            self.session,
            f"WITH o AS (DELETE FROM {self.rejects} WHERE state = '23503' RETURNING 1) SELECT count(*) AS n FROM o",
        )
        return int(found["n"])

    async def _broken(self, staging: str) -> list[Broken]:
        fields = ", ".join(f"s.{name}::text" for name in self.columns)
        rows = await ask(
            self.session,
            f'SELECT {RECORD} AS number, r.said AS reason, r."column", r.state AS sqlstate, r."constraint", '
            f"ARRAY[{fields}] AS fields FROM {self.rejects} r JOIN {staging} s USING ({RECORD}) ORDER BY {RECORD}",
        )
        return [self._record(row) for row in rows]

    def _record(self, row: Any) -> Broken:
        fields = dict(zip(self.names, row["fields"], strict=False))
        return Broken(
            row["number"],
            row["reason"],
            fields,
            column=row["column"],
            sqlstate=row["sqlstate"],
            constraint=row["constraint"],
        )
