"""The table that reads are measured on, what is asked of it, and the object that a row becomes.

Refuses: reading what is measured.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import URL, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from bench.pool_contenders import connected
from dal.orm import Base

TABLE: Final = "bench_read"
COLUMNS: Final = ("id", "customer", "total", "placed", "due", "paid")
ORDERS: Final = 10_000
CUSTOMERS: Final = 1_000
# What a search gives at the most, which is all that a customer has.
LIMIT: Final = 10

values_of: Final[Callable[[Any], tuple[Any, ...]]] = attrgetter(*COLUMNS)


class OrderCard(Struct):
    """What the driver's rows become, and what dal is asked for."""

    id: int
    customer: str
    total: Decimal
    placed: datetime
    due: date
    paid: bool


class Order(Base):
    """The same, as SQLAlchemy and dal map it."""

    __tablename__ = TABLE

    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str]
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    placed: Mapped[datetime]
    due: Mapped[date]
    paid: Mapped[bool]


@dataclass(frozen=True, slots=True)
class Search:
    """A customer's orders, by conditions of which each may be left out: the statement is not known before."""

    customer: str
    paid: bool | None
    at_least: Decimal | None

    @classmethod
    def drawn(cls, draw: random.Random) -> Search:
        paid, at_least = draw.choice((None, True, False)), draw.choice((None, 100, 1000))
        return cls(f"customer {draw.randrange(CUSTOMERS)}", paid, None if at_least is None else Decimal(at_least))


async def recreate_table(url: URL) -> None:
    async with connected(url) as connection:
        await connection.execute(
            f"DROP TABLE IF EXISTS {TABLE};"
            f"CREATE TABLE {TABLE} (id int PRIMARY KEY, customer text NOT NULL, total numeric(12, 2) NOT NULL,"
            " placed timestamptz NOT NULL, due date NOT NULL, paid boolean NOT NULL);"
            f"INSERT INTO {TABLE} SELECT n, 'customer ' || n % {CUSTOMERS}, n % 2000 + 0.25,"
            " '2026-01-01 08:00Z'::timestamptz + n * interval '1 minute', '2026-02-01'::date + n % 60, n % 7 = 0"
            f" FROM generate_series(0, {ORDERS - 1}) n;"
            f"CREATE INDEX ON {TABLE} (customer);"
        )
        await connection.execute(f"VACUUM ANALYZE {TABLE}")


async def drop_table(url: URL) -> None:
    async with connected(url) as connection:
        await connection.execute(f"DROP TABLE {TABLE}")


def check(name: str, given: Iterable[Any], expected: Iterable[Any]) -> None:
    """Exit with a message where *name* gives other values than everyone."""
    for one, other in zip(map(values_of, given), map(values_of, expected), strict=True):
        if one != other:
            raise SystemExit(f"{name} reads {one}, and it must be {other}")
