"""Graphs of entities by `selectinload`, as SQLAlchemy's documentation shows it and as advanced-alchemy's does.

A session for every call, on an `AsyncEngine` of ten connections. SQLModel's session and loader options are
SQLAlchemy's own, so it is not measured apart. The JSON is what a FastAPI handler sends of such entities: what they are
declared to be answered with, `response_model=list[OrderOut]`, is read from their attributes and encoded by pydantic,
by the two calls that FastAPI makes for it, without the HTTP around them.
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
from pydantic import BaseModel, TypeAdapter
from sqlalchemy import URL, DateTime, ForeignKey, Numeric, Text, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Mapped, mapped_column, relationship, selectinload

from bench.graph_rows import DELIVERIES, LINES, ORDERS, Line, Order
from bench.pool_contenders import SIZE


class AlchemyDelivery(DefaultBase):
    __tablename__ = DELIVERIES

    id: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[int] = mapped_column(ForeignKey(f"{LINES}.id"), index=True)
    carrier: Mapped[str] = mapped_column(Text)
    sent: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class AlchemyLine(DefaultBase):
    __tablename__ = LINES

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey(f"{ORDERS}.id"), index=True)
    product: Mapped[str] = mapped_column(Text)
    quantity: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    deliveries: Mapped[list[AlchemyDelivery]] = relationship(order_by=AlchemyDelivery.id)


class AlchemyOrder(DefaultBase):
    """The same tables, mapped on advanced-alchemy's base."""

    __tablename__ = ORDERS

    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str] = mapped_column(Text)
    placed: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    paid: Mapped[bool]
    lines: Mapped[list[AlchemyLine]] = relationship(order_by=AlchemyLine.id)


class AlchemyOrders(SQLAlchemyAsyncRepository[AlchemyOrder]):
    model_type = AlchemyOrder


class LineOut(BaseModel):
    id: int
    product: str
    quantity: int
    price: Decimal


class OrderOut(BaseModel):
    """What a handler declares that it answers with."""

    id: int
    customer: str
    placed: datetime
    paid: bool
    lines: list[LineOut]


_ANSWER: Final = TypeAdapter(list[OrderOut])


@dataclass(frozen=True, slots=True)
class BySelectinload:
    """SQLAlchemy's own."""

    sessions: async_sessionmaker[AsyncSession]

    async def load(self, below: int) -> Sequence[Order]:
        """SQLAlchemy: `select(Order).options(selectinload(Order.lines))`"""
        return await self._load(below, selectinload(Order.lines))

    async def load_deep(self, below: int) -> Sequence[Order]:
        """SQLAlchemy: `select(Order).options(selectinload(Order.lines).selectinload(Line.deliveries))`"""
        return await self._load(below, selectinload(Order.lines).selectinload(Line.deliveries))

    async def json(self, below: int) -> bytes:
        """FastAPI: entities by `selectinload`, pydantic's `validate_python(from_attributes=True)` and `dump_json`"""
        async with self.sessions() as session:
            statement = select(Order).where(Order.id < below).order_by(Order.id)
            found = await session.scalars(statement.options(selectinload(Order.lines)))
            return _ANSWER.dump_json(_ANSWER.validate_python(found.all(), from_attributes=True))

    async def _load(self, below: int, option: Any) -> Sequence[Order]:
        async with self.sessions() as session:
            statement = select(Order).where(Order.id < below).order_by(Order.id).options(option)
            return (await session.scalars(statement)).all()


@dataclass(frozen=True, slots=True)
class ByAdvancedAlchemy:
    """Its repository, made for each session as its documentation does."""

    sessions: async_sessionmaker[AsyncSession]

    async def load(self, below: int) -> Sequence[AlchemyOrder]:
        """advanced-alchemy: the repository's `get_many(..., load=[selectinload(Order.lines)])`"""
        return await self._load(below, selectinload(AlchemyOrder.lines))

    async def load_deep(self, below: int) -> Sequence[AlchemyOrder]:
        """advanced-alchemy: the same, with `.selectinload(Line.deliveries)`"""
        return await self._load(below, selectinload(AlchemyOrder.lines).selectinload(AlchemyLine.deliveries))

    async def _load(self, below: int, option: Any) -> Sequence[AlchemyOrder]:
        async with self.sessions() as session:
            found: Sequence[AlchemyOrder] = await AlchemyOrders(session=session).get_many(
                AlchemyOrder.id < below, load=[option], order_by=[(AlchemyOrder.id, False)]
            )
            return found


@asynccontextmanager
async def open_selectinload(url: URL) -> AsyncGenerator[BySelectinload]:
    async with _sessions(url) as sessions:
        yield BySelectinload(sessions)


@asynccontextmanager
async def open_advanced_alchemy(url: URL) -> AsyncGenerator[ByAdvancedAlchemy]:
    async with _sessions(url) as sessions:
        yield ByAdvancedAlchemy(sessions)


@asynccontextmanager
async def _sessions(url: URL) -> AsyncGenerator[async_sessionmaker[AsyncSession]]:
    engine = create_async_engine(url, pool_size=SIZE, max_overflow=0)
    try:
        yield async_sessionmaker(engine, expire_on_commit=False)
    finally:
        await engine.dispose()
