"""Orders with what belongs to them, loaded lazily in a unit of work of dal's, or after the fact."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import selectinload

import dal
from bench.graph_rows import Line, Order
from bench.loading_rows import Ticket
from dal import Database, Lazy, PoolConfig, Repository, UnitOfWork


class Orders(Repository[Order]):
    """What an application writes to have one."""


class Tickets(Repository[Ticket]):
    """Another."""


class Shop(UnitOfWork):
    orders: Orders
    tickets: Tickets


# What `awaitable_attrs` is to a model that inherits SQLAlchemy's.
_ASYNC_ATTRS: Final[Any] = AsyncAttrs.awaitable_attrs.fget  # type: ignore[attr-defined] # mypy takes it for its value


@dataclass(frozen=True, slots=True)
class ByDal:
    """A unit of work for every call."""

    database: Database

    async def deep_batched(self, below: int) -> Sequence[Order]:
        """dal: `for line in await order.awaitable_attrs.lines: await line.awaitable_attrs.deliveries`"""
        async with Shop(self.database) as shop:
            orders = await shop.orders.list(Order.id < below, order_by=Order.id)
            for order in orders:
                for line in await order.awaitable_attrs.lines:
                    await line.awaitable_attrs.deliveries
            return orders

    async def deep_by_async_attrs(self, below: int) -> Sequence[Order]:
        """dal: the same lazy loads, by the `awaitable_attrs` of SQLAlchemy's `AsyncAttrs`, a greenlet for each"""
        async with Shop(self.database) as shop:
            orders = await shop.orders.list(Order.id < below, order_by=Order.id)
            for order in orders:
                for line in await _ASYNC_ATTRS(order).lines:
                    await _ASYNC_ATTRS(line).deliveries
            return orders

    async def deep_loaded(self, below: int) -> Sequence[Order]:
        """dal: `await dal.load(orders, Order.lines, Line.deliveries)`"""
        async with Shop(self.database) as shop:
            orders = await shop.orders.list(Order.id < below, order_by=Order.id)
            await dal.load(orders, Order.lines, Line.deliveries)
            for order in orders:
                for line in order.lines:
                    _ = line.deliveries
            return orders

    async def deep_by_options(self, below: int) -> Sequence[Order]:
        """dal: `orders.list(..., options=[selectinload(Order.lines).selectinload(Line.deliveries)])`"""
        option = selectinload(Order.lines).selectinload(Line.deliveries)
        async with Shop(self.database) as shop:
            orders = await shop.orders.list(Order.id < below, order_by=Order.id, options=[option])
            for order in orders:
                for line in order.lines:
                    _ = line.deliveries
            return orders

    async def lazy(self, below: int) -> Sequence[Order]:
        """dal: `for order in orders: await order.awaitable_attrs.lines`"""
        async with Shop(self.database) as shop:
            orders = await shop.orders.list(Order.id < below, order_by=Order.id)
            for order in orders:
                await order.awaitable_attrs.lines
            return orders


@asynccontextmanager
async def open_dal(url: URL, lazy: Lazy = "batch") -> AsyncGenerator[ByDal]:
    async with Database(url, pool=PoolConfig(), lazy=lazy) as database:
        yield ByDal(database)
