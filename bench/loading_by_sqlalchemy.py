"""Orders with what belongs to them by SQLAlchemy alone, whose lazy loads are a statement for each entity.

A session and a transaction for every call, on an `AsyncEngine` of ten connections.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import URL, Select, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import selectinload

from bench.loading_rows import PlainLine, PlainOrder
from bench.pool_contenders import SIZE

_ID: Final = PlainOrder.__table__.c.id


@dataclass(frozen=True, slots=True)
class BySQLAlchemy:
    """SQLAlchemy's own; what is loaded is gone through once, as the lazy ones go through it to load it."""

    sessions: async_sessionmaker[AsyncSession]

    async def deep(self, below: int) -> Sequence[PlainOrder]:
        """SQLAlchemy: `select(Order).options(selectinload(Order.lines).selectinload(Line.deliveries))`"""
        async with self.sessions.begin() as session:
            orders = (await session.scalars(self._deep(below))).all()
            for order in orders:
                for line in order.lines:
                    _ = line.deliveries
            return orders

    async def deep_awaited(self, below: int) -> Sequence[PlainOrder]:
        """SQLAlchemy: the same `selectinload`, gone through by `awaitable_attrs`"""
        async with self.sessions.begin() as session:
            orders = (await session.scalars(self._deep(below))).all()
            for order in orders:
                for line in await order.awaitable_attrs.lines:
                    await line.awaitable_attrs.deliveries
            return orders

    async def shallow(self, below: int) -> Sequence[PlainOrder]:
        """SQLAlchemy: `select(Order).options(selectinload(Order.lines))`"""
        async with self.sessions.begin() as session:
            orders = (await session.scalars(plain_orders(below).options(selectinload(PlainOrder.lines)))).all()
            for order in orders:
                _ = order.lines
            return orders

    async def lazy(self, below: int) -> Sequence[PlainOrder]:
        """SQLAlchemy: `for order in orders: await order.awaitable_attrs.lines`"""
        async with self.sessions.begin() as session:
            orders = (await session.scalars(plain_orders(below))).all()
            for order in orders:
                await order.awaitable_attrs.lines
            return orders

    @staticmethod
    def _deep(below: int) -> Select[PlainOrder]:
        return plain_orders(below).options(selectinload(PlainOrder.lines).selectinload(PlainLine.deliveries))


def plain_orders(below: int) -> Select[PlainOrder]:
    return select(PlainOrder).where(below > _ID).order_by(_ID)


@asynccontextmanager
async def open_sqlalchemy(url: URL) -> AsyncGenerator[BySQLAlchemy]:
    engine = create_async_engine(url, pool_size=SIZE, max_overflow=0)
    try:
        yield BySQLAlchemy(async_sessionmaker(engine, expire_on_commit=False))
    finally:
        await engine.dispose()
