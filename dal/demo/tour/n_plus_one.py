"""Step 4: the same graph of customers, orders and lines, read one by one, eagerly, and into types."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from sqlalchemy.orm import selectinload

from dal import Database
from dal.demo.models import Customer, Order, OrderLine
from dal.demo.repositories import Customers, OrderLines, Orders, Shop
from dal.demo.tour.place import Place
from dal.demo.tour.result import StepResult
from dal.telemetry import StatementLog

CUSTOMERS: Final = 200
# One for the customers, one for their orders, and one for the lines of each 500 of some 2,000 orders; with room.
MOST_EAGER: Final = 10

# Identities of the lines, grouped as they were reached: what both ways must agree on.
_Graph: TypeAlias = list[tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class _Line:
    order_id: int
    line_number: int


@dataclass(frozen=True, slots=True)
class _Order:
    lines: list[_Line]


@dataclass(frozen=True, slots=True)
class _Customer:
    id: int
    orders: list[_Order]


@dataclass(slots=True)
class _Cost:
    statements: int
    ms: float

    def __str__(self) -> str:
        return f"{self.statements:,} statements, {self.ms:,.0f} ms"


async def step(place: Place, result: StepResult) -> None:
    """Read 200 customers with their orders and lines in three ways, and compare statements, time and rows."""
    with place.console.status(f"   {CUSTOMERS} customers, one by one"):
        naive, by_one = await _costed(place.db, _one_by_one)
    eager, by_plan = await _costed(place.db, _eagerly)
    typed, by_type = await _costed(place.db, _into_types)
    result.show("one by one", naive)
    result.show("eager", eager)
    result.show("into types", typed)
    result.show(
        "ratio", f"1 in {naive.statements / eager.statements:,.0f} statements, {naive.ms / eager.ms:.1f}x as fast"
    )
    result.check(f"all read the same {len(by_one):,} lines", ok=sorted(by_one) == sorted(by_plan) == sorted(by_type))
    result.check(f"eager loading sent at most {MOST_EAGER} statements", ok=eager.statements <= MOST_EAGER)
    result.check("types with two collections sent three statements", ok=typed.statements == 3)  # noqa: PLR2004 # as it says


async def _one_by_one(db: Database) -> _Graph:
    graph: _Graph = []
    for customer in await _first_customers(Customers(db)):
        for order in await Orders(db).list(Order.customer_id == customer.id):
            lines = await OrderLines(db).list(OrderLine.order_id == order.id)
            graph += _identities(customer, lines)
    return graph


async def _eagerly(db: Database) -> _Graph:
    async with Shop(db) as shop:
        customers = await shop.customers.list(
            order_by=Customer.id, limit=CUSTOMERS, options=[selectinload(Customer.orders).selectinload(Order.lines)]
        )
        return [identity for c in customers for order in c.orders for identity in _identities(c, order.lines)]


async def _into_types(db: Database) -> _Graph:
    customers = await Customers(db).list(order_by=Customer.id, limit=CUSTOMERS, into=_Customer)
    return [(c.id, line.order_id, line.line_number) for c in customers for order in c.orders for line in order.lines]


async def _first_customers(customers: Customers) -> Sequence[Customer]:
    return await customers.list(order_by=Customer.id, limit=CUSTOMERS)


def _identities(customer: Customer, lines: Sequence[OrderLine]) -> _Graph:
    return [(customer.id, line.order_id, line.line_number) for line in lines]


async def _costed(db: Database, read: Callable[[Database], Awaitable[_Graph]]) -> tuple[_Cost, _Graph]:
    with StatementLog() as log:
        started = time.perf_counter()
        graph = await read(db)
        ms = (time.perf_counter() - started) * 1000
    return _Cost(len(log), ms), graph
