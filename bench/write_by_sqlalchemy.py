"""Writes as SQLAlchemy's documentation shows them, on Core and on the ORM, and as advanced-alchemy's does.

Each call is a transaction of its own, on an `AsyncEngine` of one connection. The rows come as dicts, which Core takes
as they are; making entities of them where a call takes those is a part of that call.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from advanced_alchemy.base import DefaultBase
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import BigInteger, DateTime, Identity, Numeric, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Mapped, mapped_column

from bench.write_rows import COLUMNS, TABLE, Item, Rows, Write


class AlchemyItem(DefaultBase):
    """The same table, mapped on advanced-alchemy's base."""

    __tablename__ = TABLE

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str]
    quantity: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    changed: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class AlchemyItems(SQLAlchemyAsyncRepository[AlchemyItem]):
    model_type = AlchemyItem


_NEW: Final = postgresql.insert(Item)
_UPSERT: Final = _NEW.on_conflict_do_update(
    index_elements=[Item.id], set_={name: _NEW.excluded[name] for name in COLUMNS[1:]}
)
# The keys in the order of the rows, as every other contender gives them; without the sorting, the order is anyone's.
_INSERT_RETURNING: Final = insert(Item).returning(Item.id, sort_by_parameter_order=True)


@dataclass(frozen=True, slots=True)
class ByCore:
    """`execute(statement, rows)`: the driver's executemany, and with RETURNING a thousand rows to a statement."""

    engine: AsyncEngine

    async def insert(self, rows: Rows) -> None:
        """SQLAlchemy Core: `execute(insert(Item), rows)` in `engine.begin()`"""
        async with self.engine.begin() as connection:
            await connection.execute(insert(Item), rows)

    async def insert_returning(self, rows: Rows) -> Sequence[Any]:
        """SQLAlchemy Core: `execute(insert(Item).returning(Item.id, sort_by_parameter_order=True), rows)`"""
        async with self.engine.begin() as connection:
            return (await connection.execute(_INSERT_RETURNING, rows)).all()

    async def upsert(self, rows: Rows) -> None:
        """SQLAlchemy Core: `execute(insert(Item).on_conflict_do_update(...), rows)` in `engine.begin()`"""
        async with self.engine.begin() as connection:
            await connection.execute(_UPSERT, rows)


@dataclass(frozen=True, slots=True)
class ByOrm:
    """A session: by entities that it holds, and by its bulk update, which needs none."""

    sessions: async_sessionmaker[AsyncSession]

    @asynccontextmanager
    async def entities(self, rows: Rows) -> AsyncGenerator[Write]:
        """SQLAlchemy ORM: attributes of entities set, `commit()`; loading them before is not counted"""
        async with self.sessions() as session:
            keys = [row["id"] for row in rows]
            loaded = {item.id: item for item in await session.scalars(select(Item).where(Item.id.in_(keys)))}

            async def update(rows: Rows) -> None:
                for row in rows:
                    item = loaded[row["id"]]
                    item.quantity, item.price = row["quantity"], row["price"]
                await session.commit()

            yield update

    async def bulk_update(self, rows: Rows) -> None:
        """SQLAlchemy ORM: `execute(update(Item), rows)` in `sessions.begin()`"""
        async with self.sessions.begin() as session:
            await session.execute(update(Item), rows)


@dataclass(frozen=True, slots=True)
class ByAdvancedAlchemy:
    """Its repository, matching by the primary key, which is its default. It gives all entities back, read anew."""

    sessions: async_sessionmaker[AsyncSession]

    async def upsert(self, rows: Rows) -> None:
        """advanced-alchemy: the repository's `upsert_many` of entities made of the rows, `commit()`"""
        async with self.sessions() as session:
            await AlchemyItems(session=session).upsert_many([AlchemyItem(**row) for row in rows])
            await session.commit()
