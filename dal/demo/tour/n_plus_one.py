"""Step 4: the same graph of customers, orders and lines, read one by one, in batches, and into types."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from sqlalchemy.orm.interfaces import ORMOption

from dal import Database, lazy
from dal.demo.models import Customer, OrderLine
from dal.demo.repositories import Customers, Shop
from dal.demo.tour.place import Place
from dal.demo.tour.result import StepResult
from dal.telemetry import StatementLog

CUSTOMERS: Final = 200
# One statement for the customers, one for their orders, and one for the lines of those.
LEVELS: Final = 3

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


async def step(place: Place, result: StepResult) -> None:
    """Read 200 customers with their orders and lines in three ways, and compare statements, time and rows."""
    with place.console.status(f"   {CUSTOMERS} customers, one by one"):
        naive, by_one = await _costed(place.db, partial(_lazily, options=[lazy("off")]))
    batched, by_batch = await _costed(place.db, _lazily)
    projected, by_type = await _costed(place.db, _into_types)
    costs = (naive, batched, projected)
    _show(result, "lines by", ["naive", "batched", "projection"])
    _show(result, "statements", [f"{cost.statements:,}" for cost in costs])
    _show(result, "ms", [f"{cost.ms:,.0f}" for cost in costs])
    result.check(f"all read the same {len(by_one):,} lines", ok=sorted(by_one) == sorted(by_batch) == sorted(by_type))
    result.check("lazy loads that batch themselves sent three statements", ok=batched.statements == LEVELS)
    result.check("types with two collections sent three statements", ok=projected.statements == LEVELS)


def _show(result: StepResult, name: str, columns: Sequence[str]) -> None:
    indent = " " * (len("statements") - len(name))
    result.show(name, indent + "".join(f"{column:>11}" for column in columns))


async def _lazily(db: Database, options: Sequence[ORMOption] = ()) -> _Graph:
    """Read as one writes it without thinking of loading."""
    graph: _Graph = []
    async with Shop(db) as shop:
        for customer in await shop.customers.list(order_by=Customer.id, limit=CUSTOMERS, options=options):
            for order in await customer.awaitable_attrs.orders:
                lines: Sequence[OrderLine] = await order.awaitable_attrs.lines
                graph += [(customer.id, line.order_id, line.line_number) for line in lines]
    return graph


async def _into_types(db: Database) -> _Graph:
    customers = await Customers(db).list(order_by=Customer.id, limit=CUSTOMERS, into=_Customer)
    return [(c.id, line.order_id, line.line_number) for c in customers for order in c.orders for line in order.lines]


async def _costed(db: Database, read: Callable[[Database], Awaitable[_Graph]]) -> tuple[_Cost, _Graph]:
    with StatementLog() as log:
        started = time.perf_counter()
        graph = await read(db)
        ms = (time.perf_counter() - started) * 1000
    return _Cost(len(log), ms), graph
