"""What the doors to a server have in common: a database to play in, and which errors may come out of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Final

import asyncpg
from sqlalchemy import URL, BigInteger, Column, DateTime, Float, MetaData, Numeric, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dal import Database, Repository, UnitOfWork, orm
from dal.errors import ConnectionLost, DALError, InternalError, PoolError, StatementSyntaxError
from tests.faults.hostile.canary import SETUP
from tests.faults.hostile.drawing import Draw
from tests.faults.hostile.part import known

# Of the documented tree, and yet each of them would say that an input was taken for something else than a value, or
# that it has broken what others share.
NEVER: Final = (StatementSyntaxError, InternalError, ConnectionLost, PoolError)


class Base(orm.AwaitableAttrs, DeclarativeBase):
    """A registry of its own."""

    metadata = MetaData(naming_convention=orm.NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {str: Text, datetime: DateTime(timezone=True)}


class Note(Base):
    """Is read only."""

    __tablename__ = "note"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(unique=True)
    body: Mapped[str | None]
    amount: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    moment: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    document: Mapped[Any | None] = mapped_column(JSONB)
    score: Mapped[float | None] = mapped_column(Float(53))
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))


class Sheet(Base):
    """Is written to."""

    __tablename__ = "sheet"
    __table_args__ = {"schema": "play"}  # noqa: RUF012 # as SQLAlchemy types it

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    words: Mapped[str | None]
    amount: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    moment: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    document: Mapped[Any | None] = mapped_column(JSONB)


# As somebody calls his tables: what is between the quotes is a name, and nothing else.
ODD_NAME: Final = '"; DELETE FROM vault.canary; --%s $1 :x {}'


class Odd(Base):
    """Has names that would be SQL."""

    __table__ = Table(
        ODD_NAME,
        Base.metadata,
        Column("'; DROP TABLE vault.canary; --", BigInteger, primary_key=True, autoincrement=False, key="id"),
        Column('a"b%(c)s:d$1{}é', Text, key="words"),
        Column("select", Text, key="select"),
        schema="play",
    )


class Notes(Repository[Note]):
    """Notes."""


class Sheets(Repository[Sheet]):
    """Sheets."""


class Odds(Repository[Odd]):
    """Odd ones."""


class Desk(UnitOfWork):
    """All of them in one transaction."""

    notes: Notes
    sheets: Sheets
    odds: Odds


@dataclass(slots=True)
class World:
    """A database, looked at from outside, and a folder for files."""

    db: Database
    url: URL
    outside: asyncpg.Connection
    folder: Path


@dataclass(frozen=True, slots=True)
class Door:
    """A function of a world and a draw; `misuse` are errors that tell a caller what he did wrong, as documented."""

    name: str
    enter: Callable[[World, Draw], Awaitable[None]]
    share: int
    misuse: tuple[type[BaseException], ...] = ()

    def expects(self, error: BaseException) -> bool:
        """Tell whether *error* is a documented answer."""
        return type(error) in self.misuse or (not isinstance(error, NEVER) and known(error, [DALError, *self.misuse]))


async def furnish(db: Database, outside: asyncpg.Connection) -> None:
    """Make the tables, and the rows that are read."""
    await outside.execute(SETUP + "DROP TABLE IF EXISTS note, dal_loads")
    async with db.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await outside.execute(
        "INSERT INTO note SELECT n, 'note ' || n, repeat('x', n % 7), n, "
        "'2024-01-01'::timestamptz + n * '1 day'::interval, jsonb_build_object('n', n), n / 3.0, "
        "ARRAY['a', 'b'] FROM generate_series(1, 60) n"
    )
    await outside.execute(
        "CREATE TABLE dal_loads (name text PRIMARY KEY, target text NOT NULL, records bigint NOT NULL, "
        "rows bigint NOT NULL, total_rows bigint, total_bytes bigint, is_done boolean NOT NULL, "
        "written_at timestamptz NOT NULL DEFAULT now())"
    )
