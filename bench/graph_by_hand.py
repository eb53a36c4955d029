"""Graphs as a good engineer reads them by hand: a statement for each level, on asyncpg's pool, put into Structs.

The children of all parents come in one statement, by an array of the parents' keys, and are put where they belong
through one dict. A connection is checked out once for all levels, and reset once when it goes back.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import msgspec
from sqlalchemy import URL

from bench.graph_rows import (
    DELIVERIES,
    LINES,
    ORDERS,
    DeepLineCard,
    DeepOrderCard,
    DeliveryCard,
    LineCard,
    OrderCard,
)
from bench.pool_contenders import SIZE, dsn

_ORDERS: Final = f"SELECT id, customer, placed, paid FROM {ORDERS} WHERE id < $1 ORDER BY id"
_LINES: Final = f"SELECT order_id, id, product, quantity, price FROM {LINES} WHERE order_id = ANY($1) ORDER BY id"
_DELIVERIES: Final = f"SELECT line_id, id, carrier, sent FROM {DELIVERIES} WHERE line_id = ANY($1) ORDER BY id"


@dataclass(frozen=True, slots=True)
class ByHand:
    """Two statements, or three with the deliveries."""

    pool: Any

    async def load(self, below: int) -> list[OrderCard]:
        """asyncpg: `fetch` of the orders and of the lines of all, into Structs by hand"""
        orders: list[OrderCard] = []
        lines_of: dict[int, list[LineCard]] = {}
        async with self.pool.acquire() as connection:
            for key, customer, placed, paid in await connection.fetch(_ORDERS, below):
                lines: list[LineCard] = []
                lines_of[key] = lines
                orders.append(OrderCard(key, customer, placed, paid, lines))
            for order, key, product, quantity, price in await connection.fetch(_LINES, list(lines_of)):
                lines_of[order].append(LineCard(key, product, quantity, price))
        return orders

    async def load_deep(self, below: int) -> list[DeepOrderCard]:
        """asyncpg: `fetch` of the orders, of the lines of all and of their deliveries, into Structs by hand"""
        orders: list[DeepOrderCard] = []
        lines_of: dict[int, list[DeepLineCard]] = {}
        deliveries_of: dict[int, list[DeliveryCard]] = {}
        async with self.pool.acquire() as connection:
            for key, customer, placed, paid in await connection.fetch(_ORDERS, below):
                lines: list[DeepLineCard] = []
                lines_of[key] = lines
                orders.append(DeepOrderCard(key, customer, placed, paid, lines))
            for order, key, product, quantity, price in await connection.fetch(_LINES, list(lines_of)):
                deliveries: list[DeliveryCard] = []
                deliveries_of[key] = deliveries
                lines_of[order].append(DeepLineCard(key, product, quantity, price, deliveries))
            for line, key, carrier, sent in await connection.fetch(_DELIVERIES, list(deliveries_of)):
                deliveries_of[line].append(DeliveryCard(key, carrier, sent))
        return orders

    async def json(self, below: int) -> bytes:
        """asyncpg: the same, then `msgspec.json.encode`"""
        return msgspec.json.encode(await self.load(below))


@asynccontextmanager
async def open_by_hand(url: URL) -> AsyncGenerator[ByHand]:
    async with asyncpg.create_pool(dsn(url), min_size=SIZE, max_size=SIZE) as pool:
        yield ByHand(pool)
