"""The tables that graphs are read from, how they are filled, and the objects that their rows become.

Orders have lines, and lines may have deliveries. Refuses: reading what is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ForeignKey, Numeric
from sqlalchemy.orm import Mapped, mapped_column, relationship

from dal.orm import Base

ORDERS: Final = "bench_graph_order"
LINES: Final = "bench_graph_line"
DELIVERIES: Final = "bench_graph_delivery"


class Delivery(Base):
    __tablename__ = DELIVERIES

    id: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[int] = mapped_column(ForeignKey(f"{LINES}.id"), index=True)
    carrier: Mapped[str]
    sent: Mapped[datetime]


class Line(Base):
    __tablename__ = LINES

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey(f"{ORDERS}.id"), index=True)
    product: Mapped[str]
    quantity: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    deliveries: Mapped[list[Delivery]] = relationship(order_by=Delivery.id)


class Order(Base):
    __tablename__ = ORDERS

    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str]
    placed: Mapped[datetime]
    paid: Mapped[bool]
    lines: Mapped[list[Line]] = relationship(order_by=Line.id)


class DeliveryCard(Struct):
    id: int
    carrier: str
    sent: datetime


class LineCard(Struct):
    id: int
    product: str
    quantity: int
    price: Decimal


class OrderCard(Struct):
    """An order with its lines, and nothing below them."""

    id: int
    customer: str
    placed: datetime
    paid: bool
    lines: list[LineCard]


class DeepLineCard(Struct):
    id: int
    product: str
    quantity: int
    price: Decimal
    deliveries: list[DeliveryCard]


class DeepOrderCard(Struct):
    """An order with its lines and their deliveries."""

    id: int
    customer: str
    placed: datetime
    paid: bool
    lines: list[DeepLineCard]


@dataclass(frozen=True, slots=True)
class Shape:
    """So many orders, each of so many lines, each of so many deliveries."""

    orders: int
    lines: int
    deliveries: int = 0

    @property
    def name(self) -> str:
        levels = (self.orders, self.lines, self.deliveries)
        return "x".join(str(each) for each in levels if each)


async def recreate_tables(connection: Any) -> None:
    await drop_tables(connection)
    await connection.execute(
        f"CREATE TABLE {ORDERS} (id int PRIMARY KEY, customer text NOT NULL, placed timestamptz NOT NULL,"
        " paid boolean NOT NULL);"
        f"CREATE TABLE {LINES} (id int PRIMARY KEY, order_id int NOT NULL REFERENCES {ORDERS}, product text NOT NULL,"
        " quantity int NOT NULL, price numeric(12, 2) NOT NULL);"
        f"CREATE TABLE {DELIVERIES} (id int PRIMARY KEY, line_id int NOT NULL REFERENCES {LINES},"
        " carrier text NOT NULL, sent timestamptz NOT NULL);"
        f"CREATE INDEX ON {LINES} (order_id); CREATE INDEX ON {DELIVERIES} (line_id);"
    )


async def refill_tables(connection: Any, shape: Shape) -> None:
    """Empty the tables and fill them with *shape*, with keys from 0."""
    lines = shape.orders * shape.lines
    time = "'2026-01-01 08:00Z'::timestamptz + n * interval '1 minute'"
    await connection.execute(
        f"TRUNCATE {ORDERS}, {LINES}, {DELIVERIES};"
        f"INSERT INTO {ORDERS} SELECT n, 'customer ' || n % 1000, {time}, n % 7 = 0"
        f" FROM generate_series(0, {shape.orders - 1}) n;"
        f"INSERT INTO {LINES} SELECT n, n / {shape.lines}, 'product ' || n % 5000, n % 50 + 1, n % 2000 + 0.25"
        f" FROM generate_series(0, {lines - 1}) n;"
    )
    if shape.deliveries:
        await connection.execute(
            f"INSERT INTO {DELIVERIES} SELECT n, n / {shape.deliveries}, 'carrier ' || n % 20, {time}"
            f" FROM generate_series(0, {lines * shape.deliveries - 1}) n"
        )
    for table in (ORDERS, LINES, DELIVERIES):
        await connection.execute(f"VACUUM ANALYZE {table}")


async def drop_tables(connection: Any) -> None:
    await connection.execute(f"DROP TABLE IF EXISTS {DELIVERIES}, {LINES}, {ORDERS}")


def cards_of(orders: Any, *, deep: bool) -> list[OrderCard] | list[DeepOrderCard]:
    """Give anyone's objects as the structs that they are to be equal to."""
    if deep:
        return [
            DeepOrderCard(each.id, each.customer, each.placed, each.paid, [_deep_line(line) for line in each.lines])
            for each in orders
        ]
    return [
        OrderCard(each.id, each.customer, each.placed, each.paid, [_line(line) for line in each.lines])
        for each in orders
    ]


def _line(line: Any) -> LineCard:
    return LineCard(line.id, line.product, line.quantity, line.price)


def _deep_line(line: Any) -> DeepLineCard:
    deliveries = [DeliveryCard(each.id, each.carrier, each.sent) for each in line.deliveries]
    return DeepLineCard(line.id, line.product, line.quantity, line.price, deliveries)
