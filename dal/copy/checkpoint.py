"""How far a load has come that commits on its way: a row in the database, written with the records themselves.

So a load that is killed goes on exactly where its last commit was, whatever became of that commit's answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, DateTime, MetaData, Table, Text, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.asking import ask
from dal.copy.making import make
from dal.copy.records import Records
from dal.errors import CopyError

# The name of the table, which is made when it is first needed and stays: the loads that ended are in it, too.
CHECKPOINTS: Final = "dal_loads"

_TABLE: Final = Table(
    CHECKPOINTS,
    MetaData(),
    Column("name", Text, primary_key=True),
    Column("target", Text, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("total_rows", BigInteger),
    Column("total_bytes", BigInteger),
    Column("is_done", Boolean, nullable=False),
    Column("written_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
)

# Of one name there may be several: another search path leads to another table.
_PLACE: Final = """
SELECT pg_catalog.format('%I.%I', nspname, relname) AS place FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE pg_class.oid = pg_catalog.to_regclass($1::text)
"""


@dataclass(slots=True)
class Checkpoint:
    """Where the load called *name* is: so many `records` of the source are settled, loaded or rejected.

    One without a name is remembered nowhere.
    """

    name: str | None
    records: int = 0
    is_done: bool = False

    async def find(self, session: AsyncSession, table: Table, records: Records) -> None:
        """Read where it is, or note that it begins; raises `CopyError` if the name is another load's.

        Waits for a part that is under way: its COMMIT may come after whoever began it has gone, and what it has
        rejected must not be taken for something that came to nothing.
        """
        if self.name is None:
            return
        await make(session, _TABLE)
        place = await _place_of(session, table)
        own = {"target": place, "total_rows": records.total_rows, "total_bytes": records.total_bytes}
        here = select(_TABLE).where(_TABLE.c.name == self.name).with_for_update()
        found = (await session.execute(here)).first()
        if found is None:
            values = {"name": self.name, "records": 0, "rows": 0, "is_done": False}
            # Somebody may begin it at the same time: `claim` tells who goes on.
            await session.execute(insert(_TABLE).values(values | own).on_conflict_do_nothing())
            found = (await session.execute(here)).one()
        for what, value in own.items():
            known = getattr(found, what)
            if known != value:
                raise CopyError(
                    f"the load {self.name!r} has {what} {known}, and this one {value}: it is of another "
                    f"source or table. Take another name, or delete its row of {CHECKPOINTS}."
                )
        self.records, self.is_done = found.records, found.is_done

    async def claim(self, session: AsyncSession) -> None:
        """Keep others from going on with it until this transaction ends; raises `CopyError` if somebody has done so."""
        if self.name is None:
            return
        here = select(_TABLE.c.records).where(_TABLE.c.name == self.name).with_for_update()
        if await session.scalar(here) != self.records:
            raise CopyError(f"the load {self.name!r} is gone on with by somebody else. This part was not loaded.")

    async def advance(self, session: AsyncSession, to: int, rows: int) -> None:
        """Note that so many records are settled, in the transaction that settles them and that has claimed it."""
        await self._note(session, {"records": to, "rows": _TABLE.c.rows + rows})

    async def end(self, session: AsyncSession) -> None:
        """Note that this was all."""
        await self._note(session, {"is_done": True})

    async def _note(self, session: AsyncSession, values: Mapping[str, Any]) -> None:
        if self.name is not None:
            noted = {**values, "written_at": func.now()}
            await session.execute(update(_TABLE).where(_TABLE.c.name == self.name).values(noted))

    def advanced(self, to: int) -> None:
        """Remember it, after the commit."""
        self.records = to


async def _place_of(session: AsyncSession, table: Table) -> str:
    name = session.get_bind().dialect.identifier_preparer.format_table(table)
    return next((str(row["place"]) for row in await ask(session, _PLACE, name)), table.fullname)
