"""Work that is never the same twice: new types, texts, lists, orderings. What is kept of it must have an end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import make_dataclass
from itertools import combinations, count
from typing import Any, Final, TypeAlias

from sqlalchemy import literal, select, text

from bench.soak_rows import AllBooked, Booked, Purse, Purses
from dal import Database, UnitOfWork

Churn: TypeAlias = Callable[[Database, int], Awaitable[Any]]

_names: Final = count()
_COLUMNS: Final = ("owner", "balance", "touched", "note")


async def new_type(db: Database, number: int) -> None:
    """Read into a type that was made for this read alone, with a collection of another such type."""
    await Purses(db).list(Purse.id == _key(number), into=type_of(number))
    await Purses(db).get(_key(number), into=type_of(number))


async def new_json(db: Database, number: int) -> None:
    """Read JSON of a type that was made for this read alone."""
    await Purses(db).json(Purse.id == _key(number), into=type_of(number))


async def new_text(db: Database, number: int) -> None:
    """Send a text that was never sent before, on both ways."""
    await db.select_into(int, text(f"SELECT {number} + count(*) FROM soak_purse WHERE id < 3"))
    async with db.reading() as session:
        await session.execute(text(f"SELECT 1 AS column_{number}"))
    async with db.checkout() as driver:
        await driver.fetch(f"SELECT 2 AS column_{number}")


async def new_select(db: Database, number: int) -> None:
    """Build a statement with a label that was never there before."""
    await db.select_into(int, select(literal(number).label(f"label_{number}")))
    async with UnitOfWork(db) as unit:
        await unit.session.execute(select(Purse.id.label(f"key_{number}")).limit(1))


async def new_list(db: Database, number: int) -> None:
    """Ask by an IN of another length than before, and for rows by another number of keys."""
    keys = [_key(number + each) for each in range(1 + number % 700)]
    await Purses(db).list(Purse.id.in_(keys), limit=3)
    await Purses(db).get_many(keys, into=type_of(number % 50))


async def new_ordering(db: Database, number: int) -> None:
    """Page by an ordering that is built anew, and go on by its bookmark."""
    orders = [pair for size in (1, 2, 3) for pair in combinations(_COLUMNS, size)]
    names = orders[number % len(orders)]
    order_by = [getattr(Purse, name).desc() if number % 2 else getattr(Purse, name) for name in names]
    page = await Purses(db).page(order_by=order_by, limit=2 + number % 20)
    await Purses(db).page(order_by=order_by, limit=2 + number % 20, after=page.last)


async def new_expression(db: Database, number: int) -> None:
    """Read an expression, and write with a condition, that were made for this call alone."""
    await Purses(db).list(Purse.id == 1, into=Purse.balance + number)
    await Purses(db).update_where({"note": f"{number}"}, Purse.id == _key(number), literal(number) >= 0)
    await AllBooked(db).delete_where(Booked.id == -number)


CHURNS: Final[tuple[Churn, ...]] = (
    new_type, new_json, new_text, new_select, new_list, new_ordering, new_expression,
)  # fmt: skip


def type_of(number: int) -> type[Any]:
    """Make a type with some of the columns, and booked of a type of their own."""
    entry = make_dataclass(f"Booked{number}_{next(_names)}", [("id", int), ("amount", int)])
    columns: list[tuple[str, Any]] = [("id", int), ("owner", str)]
    return make_dataclass(f"Purse{number}_{next(_names)}", [*columns, ("booked", list[entry])])  # type: ignore[valid-type] # a type that is made here


def _key(number: int) -> int:
    return 1 + number % 1000
