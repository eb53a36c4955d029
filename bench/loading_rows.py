"""The classes whose relationships are loaded, and how they look when they are.

Orders with lines and deliveries are those of `bench.graph_rows`; tickets have three relationships. Each is mapped once
more for SQLAlchemy by itself, on the same tables, in a registry that no repository of dal's ever reads from. Refuses:
reading what is measured.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, TypeAlias, cast

from sqlalchemy import ForeignKey, Table
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from bench.graph_rows import Delivery, Line, Order
from dal.orm import Base

PEOPLE: Final = "bench_loading_person"
TICKETS: Final = "bench_loading_ticket"
REPLIES: Final = "bench_loading_reply"

# An order's key, with those of its lines, each with those of its deliveries.
Tree: TypeAlias = list[tuple[int, list[tuple[int, list[int]]]]]


class Person(Base):
    __tablename__ = PEOPLE

    id: Mapped[int] = mapped_column(primary_key=True)


class Reply(Base):
    __tablename__ = REPLIES

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey(f"{TICKETS}.id"), index=True)


class Ticket(Base):
    __tablename__ = TICKETS

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey(f"{PEOPLE}.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey(f"{TICKETS}.id"), index=True)
    title: Mapped[str]
    opened: Mapped[datetime]
    person: Mapped[Person] = relationship()
    replies: Mapped[list[Reply]] = relationship()
    children: Mapped[list[Ticket]] = relationship()


class Plain(AsyncAttrs, DeclarativeBase):
    """What SQLAlchemy's documentation has models inherit that are used by an `AsyncSession`."""


def _plain(model: type[Base]) -> Any:
    return cast("Table", model.__table__).to_metadata(Plain.metadata)


class PlainDelivery(Plain):
    __table__ = _plain(Delivery)


class PlainLine(Plain):
    __table__ = _plain(Line)

    deliveries: Mapped[list[PlainDelivery]] = relationship(order_by=lambda: PlainDelivery.__table__.c.id)


class PlainOrder(Plain):
    __table__ = _plain(Order)

    lines: Mapped[list[PlainLine]] = relationship(order_by=lambda: PlainLine.__table__.c.id)


class PlainPerson(Plain):
    __table__ = _plain(Person)


class PlainReply(Plain):
    __table__ = _plain(Reply)


class PlainTicket(Plain):
    __table__ = _plain(Ticket)

    person: Mapped[PlainPerson] = relationship()
    replies: Mapped[list[PlainReply]] = relationship()
    children: Mapped[list[PlainTicket]] = relationship()


async def recreate_tickets(connection: Any, tickets: int) -> None:
    """Make the tables of tickets anew, with so many in them."""
    await drop_tickets(connection)
    await connection.execute(
        f"CREATE TABLE {PEOPLE} (id int PRIMARY KEY);"
        f"CREATE TABLE {TICKETS} (id int PRIMARY KEY, person_id int NOT NULL REFERENCES {PEOPLE},"
        f" parent_id int REFERENCES {TICKETS}, title text NOT NULL, opened timestamptz NOT NULL);"
        f"CREATE TABLE {REPLIES} (id int PRIMARY KEY, ticket_id int NOT NULL REFERENCES {TICKETS});"
        f"CREATE INDEX ON {TICKETS} (parent_id); CREATE INDEX ON {REPLIES} (ticket_id);"
        f"INSERT INTO {PEOPLE} SELECT generate_series(0, 99);"
        f"INSERT INTO {TICKETS} SELECT n, n % 100, nullif(n / 10, 0), 'ticket ' || n, now()"
        f" FROM generate_series(0, {tickets - 1}) n;"
        f"INSERT INTO {REPLIES} SELECT n, n / 2 FROM generate_series(0, {2 * tickets - 1}) n;"
    )
    for table in (PEOPLE, TICKETS, REPLIES):
        await connection.execute(f"VACUUM ANALYZE {table}")


async def drop_tickets(connection: Any) -> None:
    await connection.execute(f"DROP TABLE IF EXISTS {REPLIES}, {TICKETS}, {PEOPLE}")


def tree(orders: Any, *, deep: bool) -> Tree:
    """Give anyone's orders as what they are to be equal to."""
    return [
        (order.id, [(line.id, [each.id for each in line.deliveries] if deep else []) for line in order.lines])
        for order in orders
    ]
