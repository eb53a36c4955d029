"""Graphs through a repository that is bound to a `Database`, into the Structs that are filled by hand elsewhere."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import URL

from bench.graph_rows import DeepOrderCard, Order, OrderCard
from dal import Database, PoolConfig, Repository


class Orders(Repository[Order]):
    """What an application writes to have one."""


@dataclass(frozen=True, slots=True)
class ByDal:
    """Projections, whose type says what is loaded; each call stands alone."""

    orders: Orders

    async def load(self, below: int) -> Sequence[OrderCard]:
        """dal: `orders.list(..., into=OrderCard)`"""
        return await self.orders.list(Order.id < below, order_by=Order.id, into=OrderCard)

    async def load_deep(self, below: int) -> Sequence[DeepOrderCard]:
        """dal: `orders.list(..., into=DeepOrderCard)`"""
        return await self.orders.list(Order.id < below, order_by=Order.id, into=DeepOrderCard)

    async def json(self, below: int) -> bytes:
        """dal: `orders.json(..., into=OrderCard)`"""
        return await self.orders.json(Order.id < below, order_by=Order.id, into=OrderCard)


@asynccontextmanager
async def open_dal(url: URL) -> AsyncGenerator[ByDal]:
    async with Database(url, pool=PoolConfig()) as database:
        yield ByDal(Orders(database))
