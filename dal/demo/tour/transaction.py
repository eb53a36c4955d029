"""Step 5: units of work that end well, fail half-way, and are cancelled half-way."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal

from dal.demo.models import Order, OrderLine, PartSupply
from dal.demo.repositories import Orders, Shop
from dal.demo.tour.place import Place
from dal.demo.tour.result import StepResult


class PaymentRefused(Exception):
    """What an application raises in the middle of an order."""


async def step(place: Place, result: StepResult) -> None:
    """Place three orders, of which only the first may be there afterwards."""
    before = await Orders(place.db).count()
    await _place_order(place)
    try:
        await _fail_half_way(place)
    except PaymentRefused:
        result.show("failed", "PaymentRefused after the order was sent: rolled back")
    await _cancel_half_way(place)
    result.show("cancelled", "the task was cancelled after the order was sent: rolled back")
    placed = await Orders(place.db).list(Order.clerk == "tour: placed")
    after = await Orders(place.db).count()
    result.check("the order that was placed is there", ok=len(placed) == 1)
    result.check("nothing of the other two is", ok=after == before + 1)
    result.check("every connection is back in the pool", ok=not place.db.pool.leases())


async def _place_order(place: Place) -> None:
    async with Shop(place.db) as shop:
        await shop.orders.add(await _new_order(shop, clerk="tour: placed"))


async def _fail_half_way(place: Place) -> None:
    async with Shop(place.db) as shop:
        await shop.orders.add(await _new_order(shop, clerk="tour: failed"))
        raise PaymentRefused


async def _cancel_half_way(place: Place) -> None:
    sent = asyncio.Event()

    async def order() -> None:
        async with Shop(place.db) as shop:
            await shop.orders.add(await _new_order(shop, clerk="tour: cancelled"))
            sent.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(order())
    await sent.wait()
    task.cancel()
    await asyncio.wait([task])


async def _new_order(shop: Shop, clerk: str) -> Order:
    [customer] = await shop.customers.list(limit=1)
    supplies = await shop.part_supplies.list(limit=3)
    lines = [_line(number, supply) for number, supply in enumerate(supplies, 1)]
    return Order(
        customer_id=customer.id,
        status="O",
        total_price=sum((line.extended_price for line in lines), Decimal(0)),
        placed_on=_today(),
        priority="1-URGENT",
        clerk=clerk,
        ship_priority=0,
        comment="",
        lines=lines,
    )


def _line(number: int, supply: PartSupply) -> OrderLine:
    return OrderLine(
        line_number=number,
        part_id=supply.part_id,
        supplier_id=supply.supplier_id,
        quantity=Decimal(1),
        extended_price=supply.supply_cost,
        discount=Decimal(0),
        tax=Decimal(0),
        return_flag="N",
        status="O",
        shipped_on=_today(),
        committed_on=_today(),
        received_on=_today(),
        ship_instructions="NONE",
        ship_mode="MAIL",
        comment="",
    )


def _today() -> date:
    return datetime.now(UTC).date()
