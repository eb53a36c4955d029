"""The shop's models, as they are today."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from sqlalchemy import BigInteger, CheckConstraint, Enum, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Key = Annotated[int, mapped_column(BigInteger, primary_key=True)]


class Base(DeclarativeBase):
    """The models that env.py gives to Alembic."""


class Status(StrEnum):
    """What becomes of an order."""

    OPEN = "open"
    SHIPPED = "shipped"


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[Key]
    name: Mapped[str | None] = mapped_column(index=True)
    email: Mapped[str | None]
    phone: Mapped[str | None]


class Order(Base):
    __tablename__ = "order"
    __table_args__ = (CheckConstraint("due > '2000-01-01'", name="ck_order_due"),)
    id: Mapped[Key]
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id), index=True)
    status: Mapped[Status] = mapped_column(Enum(Status, name="order_status"))
    note: Mapped[str | None]
    total: Mapped[Decimal | None]
    due: Mapped[date | None]
    placed: Mapped[datetime | None]


class Line(Base):
    __tablename__ = "line"
    id: Mapped[Key]
    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id, ondelete="CASCADE"), index=True)
    price: Mapped[Decimal | None]


class Ticket(Base):
    __tablename__ = "ticket"
    id: Mapped[Key]
    title: Mapped[str | None] = mapped_column(unique=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey(Customer.id), index=True)
    opener_id: Mapped[int | None] = mapped_column(ForeignKey(Customer.id), index=True)
    agent_id: Mapped[int | None] = mapped_column(ForeignKey(Customer.id))
    order_id: Mapped[int | None] = mapped_column(ForeignKey(Order.id))


class TicketTag(Base):
    __tablename__ = "ticket_tag"
    ticket_id: Mapped[int] = mapped_column(ForeignKey(Ticket.id), primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True)


class Country(Base):
    __tablename__ = "country"
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str | None]


class Basket(Base):
    __tablename__ = "basket"
    id: Mapped[Key]
