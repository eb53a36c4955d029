"""Reads as Tortoise's documentation shows them, on the asyncpg pool that it opens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import URL
from tortoise import fields
from tortoise.context import TortoiseContext
from tortoise.models import Model

from bench.pool_contenders import SIZE
from bench.read_rows import LIMIT, TABLE, Search


class TortoiseOrder(Model):
    """The same table, as Tortoise maps it."""

    id = fields.IntField(primary_key=True)
    customer = fields.TextField()
    total = fields.DecimalField(max_digits=12, decimal_places=2)
    placed = fields.DatetimeField()
    due = fields.DateField()
    paid = fields.BooleanField()

    class Meta:
        table = TABLE


class ByTortoise:
    """A query on the class, run on the connections that its context holds."""

    async def get(self, key: int) -> TortoiseOrder:
        """Tortoise: `Order.get(id=key)`"""
        found: TortoiseOrder = await TortoiseOrder.get(id=key)
        return found

    async def search(self, wanted: Search) -> Sequence[TortoiseOrder]:
        """Tortoise: `Order.filter(...).order_by(...).limit(...)`"""
        query = TortoiseOrder.filter(customer=wanted.customer)
        if wanted.paid is not None:
            query = query.filter(paid=wanted.paid)
        if wanted.at_least is not None:
            query = query.filter(total__gte=wanted.at_least)
        found: Sequence[TortoiseOrder] = await query.order_by("due", "id").limit(LIMIT)
        return found


@asynccontextmanager
async def open_tortoise(url: URL) -> AsyncGenerator[ByTortoise]:
    async with TortoiseContext() as context:
        await context.init(config=tortoise_config(url, __name__))
        yield ByTortoise()


def tortoise_config(url: URL, module: str) -> dict[str, Any]:
    """Say where the server is and which *module* has the models, as an application's settings do."""
    credentials = {
        "host": url.host or url.query["host"],
        "port": url.port or url.query["port"],
        "user": url.username,
        "password": url.password,
        "database": url.database,
        "minsize": SIZE,
        "maxsize": SIZE,
    }
    return {
        "connections": {"default": {"engine": "tortoise.backends.asyncpg", "credentials": credentials}},
        "apps": {"bench": {"models": [module]}},
    }
