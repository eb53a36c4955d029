"""Graphs as Tortoise's documentation shows them: `prefetch_related`, a statement for each level.

Piccolo is not measured here: it reads what an object belongs to, but not what belongs to it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy import URL
from tortoise import fields
from tortoise.context import TortoiseContext
from tortoise.models import Model

from bench.graph_rows import DELIVERIES, LINES, ORDERS
from bench.read_by_tortoise import tortoise_config


class TortoiseOrder(Model):
    id = fields.IntField(primary_key=True)
    customer = fields.TextField()
    placed = fields.DatetimeField()
    paid = fields.BooleanField()

    class Meta:
        table = ORDERS


class TortoiseLine(Model):
    id = fields.IntField(primary_key=True)
    order = fields.ForeignKeyField("bench.TortoiseOrder", related_name="lines")
    product = fields.TextField()
    quantity = fields.IntField()
    price = fields.DecimalField(max_digits=12, decimal_places=2)

    class Meta:
        table = LINES
        ordering = ("id",)


class TortoiseDelivery(Model):
    id = fields.IntField(primary_key=True)
    line = fields.ForeignKeyField("bench.TortoiseLine", related_name="deliveries")
    carrier = fields.TextField()
    sent = fields.DatetimeField()

    class Meta:
        table = DELIVERIES
        ordering = ("id",)


class ByTortoise:
    """A query on the class, run on the connections that its context holds."""

    async def load(self, below: int) -> Sequence[TortoiseOrder]:
        """Tortoise: `Order.filter(...).prefetch_related("lines")`"""
        return await self._load(below, "lines")

    async def load_deep(self, below: int) -> Sequence[TortoiseOrder]:
        """Tortoise: `Order.filter(...).prefetch_related("lines__deliveries")`"""
        return await self._load(below, "lines__deliveries")

    async def _load(self, below: int, path: str) -> Sequence[TortoiseOrder]:
        query = TortoiseOrder.filter(id__lt=below).order_by("id")
        found: Sequence[TortoiseOrder] = await query.prefetch_related(path)
        return found


@asynccontextmanager
async def open_tortoise(url: URL) -> AsyncGenerator[ByTortoise]:
    async with TortoiseContext() as context:
        await context.init(config=tortoise_config(url, __name__))
        yield ByTortoise()
