"""The shop's repositories and its unit of work."""

from __future__ import annotations

from dal import Repository, UnitOfWork
from dal.demo.models import Customer, Nation, Order, OrderLine, Part, PartSupply, Region, Supplier


class Regions(Repository[Region]):
    """Continents."""


class Nations(Repository[Nation]):
    """Nations."""


class Suppliers(Repository[Supplier]):
    """Suppliers."""


class Parts(Repository[Part]):
    """Parts."""


class PartSupplies(Repository[PartSupply]):
    """Parts as suppliers have them in stock."""


class Customers(Repository[Customer]):
    """Customers."""


class Orders(Repository[Order]):
    """Orders."""


class OrderLines(Repository[OrderLine]):
    """Order lines."""


class Shop(UnitOfWork):
    """Everything in the shop, in one transaction."""

    regions: Regions
    nations: Nations
    suppliers: Suppliers
    parts: Parts
    part_supplies: PartSupplies
    customers: Customers
    orders: Orders
    order_lines: OrderLines
