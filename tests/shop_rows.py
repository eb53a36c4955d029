"""A few rows of the shop: two regions, two customers, an order of two lines each."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from dal import Database
from dal.demo.models import Customer, Nation, Order, OrderLine, Part, PartSupply, Region, Supplier
from dal.demo.repositories import Shop

DAY = date(1996, 2, 29)


async def fill(db: Database) -> None:
    """Insert the rows, and commit them."""
    async with Shop(db) as shop:
        await shop.regions.add(region(1), region(2))
        await shop.nations.add(nation(1, region_id=1), nation(2, region_id=2))
        await shop.suppliers.add(supplier(1))
        await shop.parts.add(part(1), part(2))
        await shop.part_supplies.add(part_supply(1), part_supply(2))
        await shop.customers.add(customer(1), customer(2))
        await shop.orders.add(order(1, customer_id=1), order(2, customer_id=2))
        await shop.order_lines.add(*(order_line(order_id, number) for order_id in (1, 2) for number in (1, 2)))


def region(key: int) -> Region:
    """Make a region."""
    return Region(id=key, name=f"region {key}", comment="")


def nation(key: int, *, region_id: int) -> Nation:
    """Make a nation."""
    return Nation(id=key, name=f"nation {key}", region_id=region_id, comment="")


def supplier(key: int) -> Supplier:
    """Make a supplier in the first nation."""
    return Supplier(id=key, name="s", address="", nation_id=1, phone="", balance=Decimal("1.50"), comment="")


def part(key: int) -> Part:
    """Make a part."""
    return Part(
        id=key, name=f"part {key}", manufacturer="", brand="", type="", size=1, container="",
        retail_price=Decimal("9.99"), comment="",
    )  # fmt: skip


def part_supply(part_id: int, available: int = 5) -> PartSupply:
    """Make the first supplier's stock of a part."""
    return PartSupply(
        part_id=part_id, supplier_id=1, available=available, supply_cost=Decimal("2.00"), comment=""
    )  # fmt: skip


def customer(key: int) -> Customer:
    """Make a customer in the first nation."""
    return Customer(
        id=key, name=f"customer {key}", address="", nation_id=1, phone="", balance=Decimal("0.00"), segment="",
        comment="",
    )  # fmt: skip


def order(key: int | None = None, *, customer_id: int, status: str = "O") -> Order:
    """Make an order without lines."""
    return Order(
        id=key, customer_id=customer_id, status=status, total_price=Decimal("20.00"), placed_on=DAY, priority="",
        clerk="", ship_priority=0, comment="",
    )  # fmt: skip


def order_line(order_id: int, number: int) -> OrderLine:
    """Make a line of an order: the part of the line's own number."""
    return OrderLine(
        order_id=order_id, line_number=number, part_id=number, supplier_id=1, quantity=Decimal("1.00"),
        extended_price=Decimal("10.00"), discount=Decimal("0.00"), tax=Decimal("0.00"), return_flag="N", status="O",
        shipped_on=DAY, committed_on=DAY, received_on=DAY, ship_instructions="", ship_mode="", comment="",
    )  # fmt: skip
