"""The reference shop: TPC-H's eight tables with readable names. Created by the migrations in alembic/ alone."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Identity, Index, MetaData, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from dal import orm

Money = Annotated[Decimal, mapped_column(Numeric(15, 2))]
Key = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]


class Base(orm.Base):
    """The shop's own registry: another application's tables do not mix with it."""

    __abstract__ = True
    metadata = MetaData(naming_convention=orm.NAMING_CONVENTION)


class Region(Base):
    """A continent."""

    __tablename__ = "region"

    id: Mapped[Key]
    name: Mapped[str]
    comment: Mapped[str]

    nations: Mapped[list[Nation]] = relationship(back_populates="region")


class Nation(Base):
    """A nation of a region."""

    __tablename__ = "nation"

    id: Mapped[Key]
    name: Mapped[str]
    region_id: Mapped[int] = mapped_column(ForeignKey("region.id"), index=True)
    comment: Mapped[str]

    region: Mapped[Region] = relationship(back_populates="nations")
    suppliers: Mapped[list[Supplier]] = relationship(back_populates="nation")
    customers: Mapped[list[Customer]] = relationship(back_populates="nation")


class Supplier(Base):
    """Somebody who supplies parts."""

    __tablename__ = "supplier"

    id: Mapped[Key]
    name: Mapped[str]
    address: Mapped[str]
    nation_id: Mapped[int] = mapped_column(ForeignKey("nation.id"), index=True)
    phone: Mapped[str]
    balance: Mapped[Money]
    comment: Mapped[str]

    nation: Mapped[Nation] = relationship(back_populates="suppliers")
    supplies: Mapped[list[PartSupply]] = relationship(back_populates="supplier")


class Part(Base):
    """Something that can be ordered."""

    __tablename__ = "part"

    id: Mapped[Key]
    name: Mapped[str]
    manufacturer: Mapped[str]
    brand: Mapped[str]
    type: Mapped[str]
    size: Mapped[int]
    container: Mapped[str]
    retail_price: Mapped[Money]
    comment: Mapped[str]

    supplies: Mapped[list[PartSupply]] = relationship(back_populates="part")


class PartSupply(Base):
    """A part as one supplier has it in stock."""

    __tablename__ = "part_supply"

    part_id: Mapped[int] = mapped_column(ForeignKey("part.id"), primary_key=True)
    supplier_id: Mapped[int] = mapped_column(ForeignKey("supplier.id"), primary_key=True, index=True)
    available: Mapped[int]
    supply_cost: Mapped[Money]
    comment: Mapped[str]

    part: Mapped[Part] = relationship(back_populates="supplies")
    supplier: Mapped[Supplier] = relationship(back_populates="supplies")


class Customer(Base):
    """Somebody who orders; `public_id` is the number that others are shown."""

    __tablename__ = "customer"
    __table_args__ = (Index("ix_customer_public_id", "public_id", unique=True),)

    id: Mapped[Key]
    name: Mapped[str]
    address: Mapped[str]
    nation_id: Mapped[int] = mapped_column(ForeignKey("nation.id"), index=True)
    phone: Mapped[str]
    balance: Mapped[Money]
    segment: Mapped[str]
    comment: Mapped[str]
    public_id: Mapped[UUID] = mapped_column(server_default=text("gen_random_uuid()"))

    nation: Mapped[Nation] = relationship(back_populates="customers")
    orders: Mapped[list[Order]] = relationship(back_populates="customer")


class Order(Base):
    """An order of one customer."""

    __tablename__ = "orders"

    id: Mapped[Key]
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    status: Mapped[str]
    total_price: Mapped[Money]
    placed_on: Mapped[date]
    priority: Mapped[str]
    clerk: Mapped[str]
    ship_priority: Mapped[int]
    comment: Mapped[str]

    customer: Mapped[Customer] = relationship(back_populates="orders")
    lines: Mapped[list[OrderLine]] = relationship(
        back_populates="order",
        order_by="OrderLine.line_number",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )


class OrderLine(Base):
    """One line of an order: a part from a supplier, in a quantity."""

    __tablename__ = "order_line"
    __table_args__ = (
        # Part and supplier are implied: part_supply has a foreign key to each.
        ForeignKeyConstraint(["part_id", "supplier_id"], ["part_supply.part_id", "part_supply.supplier_id"]),
        Index(None, "part_id", "supplier_id"),
    )

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True)
    line_number: Mapped[int] = mapped_column(primary_key=True)
    part_id: Mapped[int] = mapped_column(BigInteger)
    supplier_id: Mapped[int] = mapped_column(BigInteger)
    quantity: Mapped[Money]
    extended_price: Mapped[Money]
    discount: Mapped[Money]
    tax: Mapped[Money]
    return_flag: Mapped[str]
    status: Mapped[str]
    shipped_on: Mapped[date]
    committed_on: Mapped[date]
    received_on: Mapped[date]
    ship_instructions: Mapped[str]
    ship_mode: Mapped[str]
    comment: Mapped[str]

    order: Mapped[Order] = relationship(back_populates="lines")
    part_supply: Mapped[PartSupply] = relationship()
    part: Mapped[Part] = relationship(
        primaryjoin="foreign(OrderLine.part_id) == Part.id",
        viewonly=True,
    )
