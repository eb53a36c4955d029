"""Reads as SQLAlchemy's documentation shows them, and those of SQLModel and advanced-alchemy, which are built on it.

A session for every call, on an `AsyncEngine` of ten connections that each has for itself.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from advanced_alchemy.base import DefaultBase
from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import URL, ColumnElement, DateTime, Numeric, Text, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Mapped, mapped_column
from sqlmodel import Field, SQLModel
from sqlmodel import select as sqlmodel_select
from sqlmodel.ext.asyncio.session import AsyncSession as SQLModelSession

from bench.pool_contenders import SIZE
from bench.read_rows import LIMIT, TABLE, Order, Search


class ModelOrder(SQLModel, table=True):  # type: ignore[call-arg] # unknown to mypy, as SQLModel is
    """The same table, as SQLModel maps it."""

    __tablename__ = TABLE

    id: int | None = Field(default=None, primary_key=True)
    customer: str = Field(sa_type=Text)
    total: Decimal = Field(max_digits=12, decimal_places=2)
    placed: datetime = Field(sa_type=DateTime(timezone=True))
    due: date
    paid: bool


class AlchemyOrder(DefaultBase):
    """The same table, mapped on advanced-alchemy's base."""

    __tablename__ = TABLE

    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str] = mapped_column(Text)
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    placed: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    due: Mapped[date]
    paid: Mapped[bool]


class AlchemyOrders(SQLAlchemyAsyncRepository[AlchemyOrder]):
    model_type = AlchemyOrder


_BY_DUE: Final = [(AlchemyOrder.due, False), (AlchemyOrder.id, False)]


@dataclass(frozen=True, slots=True)
class BySession:
    """SQLAlchemy's own."""

    sessions: async_sessionmaker[AsyncSession]

    async def get(self, key: int) -> Order | None:
        """SQLAlchemy: `session.get(Order, key)`"""
        async with self.sessions() as session:
            return await session.get(Order, key)

    async def search(self, wanted: Search) -> Sequence[Order]:
        """SQLAlchemy: `session.scalars(select(Order).where(...).order_by(...).limit(...))`"""
        async with self.sessions() as session:
            statement = select(Order).where(*_conditions(Order, wanted)).order_by(Order.due, Order.id).limit(LIMIT)
            return (await session.scalars(statement)).all()


@dataclass(frozen=True, slots=True)
class BySQLModel:
    """SQLModel's session, which SQLAlchemy's is underneath."""

    engine: AsyncEngine

    async def get(self, key: int) -> ModelOrder | None:
        """SQLModel: `session.get(Order, key)` of its AsyncSession"""
        async with SQLModelSession(self.engine) as session:
            found: ModelOrder | None = await session.get(ModelOrder, key)
            return found

    async def search(self, wanted: Search) -> Sequence[ModelOrder]:
        """SQLModel: `session.exec(select(Order).where(...).order_by(...).limit(...))`"""
        async with SQLModelSession(self.engine) as session:
            statement = sqlmodel_select(ModelOrder).where(*_conditions(ModelOrder, wanted))
            statement = statement.order_by(ModelOrder.due, ModelOrder.id).limit(LIMIT)
            found: Sequence[ModelOrder] = (await session.exec(statement)).all()
            return found


@dataclass(frozen=True, slots=True)
class ByAdvancedAlchemy:
    """Its repository, made for each session as its documentation does."""

    sessions: async_sessionmaker[AsyncSession]

    async def get(self, key: int) -> AlchemyOrder:
        """advanced-alchemy: the repository's `get(key)`"""
        async with self.sessions() as session:
            found: AlchemyOrder = await AlchemyOrders(session=session).get(key)
            return found

    async def search(self, wanted: Search) -> Sequence[AlchemyOrder]:
        """advanced-alchemy: the repository's `get_many(*where, LimitOffset(...), order_by=[...])`"""
        async with self.sessions() as session:
            conditions = _conditions(AlchemyOrder, wanted)
            page = LimitOffset(limit=LIMIT, offset=0)
            found: Sequence[AlchemyOrder] = await AlchemyOrders(session=session).get_many(
                *conditions, page, order_by=_BY_DUE
            )
            return found


@asynccontextmanager
async def open_session(url: URL) -> AsyncGenerator[BySession]:
    async with _engine(url) as engine:
        yield BySession(async_sessionmaker(engine, expire_on_commit=False))


@asynccontextmanager
async def open_sqlmodel(url: URL) -> AsyncGenerator[BySQLModel]:
    async with _engine(url) as engine:
        yield BySQLModel(engine)


@asynccontextmanager
async def open_advanced_alchemy(url: URL) -> AsyncGenerator[ByAdvancedAlchemy]:
    async with _engine(url) as engine:
        yield ByAdvancedAlchemy(async_sessionmaker(engine, expire_on_commit=False))


@asynccontextmanager
async def _engine(url: URL) -> AsyncGenerator[AsyncEngine]:
    engine = create_async_engine(url, pool_size=SIZE, max_overflow=0)
    try:
        yield engine
    finally:
        await engine.dispose()


def _conditions(mapped: Any, wanted: Search) -> list[ColumnElement[bool]]:
    conditions = [mapped.customer == wanted.customer]
    if wanted.paid is not None:
        conditions.append(mapped.paid.is_(wanted.paid))
    if wanted.at_least is not None:
        conditions.append(mapped.total >= wanted.at_least)
    return conditions
