"""Reads as Piccolo's documentation shows them, on the asyncpg pool that its engine opens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from piccolo.columns import Boolean, Date, Integer, Numeric, Text, Timestamptz
from piccolo.engine.postgres import PostgresEngine
from piccolo.table import Table
from sqlalchemy import URL

from bench.pool_contenders import SIZE, dsn
from bench.read_rows import LIMIT, TABLE, Search


class PiccoloOrder(Table, tablename=TABLE):  # type: ignore[call-arg] # unknown to mypy, as Piccolo is
    """The same table, as Piccolo maps it."""

    id = Integer(primary_key=True)
    customer = Text()
    total = Numeric(digits=(12, 2))
    placed = Timestamptz()
    due = Date()
    paid = Boolean()


class ByPiccolo:
    """A query on the class, run on its engine's pool."""

    async def get(self, key: int) -> PiccoloOrder | None:
        """Piccolo: `Order.objects().get(Order.id == key)`"""
        found: PiccoloOrder | None = await PiccoloOrder.objects().get(PiccoloOrder.id == key)
        return found

    async def search(self, wanted: Search) -> Sequence[PiccoloOrder]:
        """Piccolo: `Order.objects().where(...).order_by(...).limit(...)`"""
        query = PiccoloOrder.objects().where(PiccoloOrder.customer == wanted.customer)
        if wanted.paid is not None:
            query = query.where(PiccoloOrder.paid == wanted.paid)
        if wanted.at_least is not None:
            query = query.where(PiccoloOrder.total >= wanted.at_least)
        found: Sequence[PiccoloOrder] = await query.order_by(PiccoloOrder.due, PiccoloOrder.id).limit(LIMIT)
        return found


@asynccontextmanager
async def open_piccolo(url: URL) -> AsyncGenerator[ByPiccolo]:
    """Give the class its engine, which an application names in its `piccolo_conf.py`, before it knows the server."""
    engine = PostgresEngine(config={"dsn": dsn(url)})
    PiccoloOrder._meta.db = engine  # noqa: SLF001 # what Piccolo calls the public part of a class's settings
    await engine.start_connection_pool(min_size=SIZE, max_size=SIZE)
    try:
        yield ByPiccolo()
    finally:
        await engine.close_connection_pool()
