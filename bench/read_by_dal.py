"""Reads through a repository that is bound to a `Database`, into the Struct that the drivers' rows are put into.

Lookups of concurrent tasks share a statement unless the `Database` is told otherwise: both are measured.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import URL

from bench.read_rows import LIMIT, Order, OrderCard, Search
from dal import Database, PoolConfig, Repository


class Orders(Repository[Order]):
    """What an application writes to have one."""


@dataclass(frozen=True, slots=True)
class ByDal:
    """Projections; each call stands alone."""

    orders: Orders

    async def get(self, key: int) -> OrderCard | None:
        """dal: `orders.get(key, into=OrderCard)`; the first with `coalesce=False`, the second without"""
        return await self.orders.get(key, into=OrderCard)

    async def search(self, wanted: Search) -> Sequence[OrderCard]:
        """dal: `orders.list(*where, order_by=..., limit=..., into=OrderCard)`"""
        where = [Order.customer == wanted.customer]
        if wanted.paid is not None:
            where.append(Order.paid.is_(wanted.paid))
        if wanted.at_least is not None:
            where.append(Order.total >= wanted.at_least)
        return await self.orders.list(*where, order_by=(Order.due, Order.id), limit=LIMIT, into=OrderCard)


@asynccontextmanager
async def _open(url: URL, *, coalesce: bool) -> AsyncGenerator[ByDal]:
    async with Database(url, pool=PoolConfig(), coalesce=coalesce) as database:
        yield ByDal(Orders(database))


open_dal = partial(_open, coalesce=False)
open_dal_coalesced = partial(_open, coalesce=True)
