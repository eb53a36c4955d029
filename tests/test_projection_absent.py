"""A row that is joined and not there: every column of it is NULL, also those that never are in their own table."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest
from sqlalchemy import ForeignKey, Numeric, event, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from dal import Database, Repository


class Base(DeclarativeBase):
    pass


class Rate(Base):
    __tablename__ = "absent_rate"
    id: Mapped[int] = mapped_column(primary_key=True)
    percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))


class Item(Base):
    __tablename__ = "absent_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    rate_id: Mapped[int | None] = mapped_column(ForeignKey("absent_rate.id"))
    rate: Mapped[Rate | None] = relationship()


class Items(Repository[Item]):
    pass


@dataclass
class RateCard:
    percent: Decimal


@dataclass
class ItemCard:
    id: int
    rate: RateCard | None


@pytest.fixture(params=["driver", "hooked"])
async def db(database_url, request):
    async with Database(database_url) as db:
        if request.param == "hooked":  # which sends every statement by SQLAlchemy
            event.listen(db.engine.sync_engine, "before_cursor_execute", lambda *_: None)
        async with db.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
            await connection.execute(insert(Rate), [{"id": 1, "percent": Decimal("2.50")}])
            await connection.execute(insert(Item), [{"id": 1, "rate_id": 1}, {"id": 2, "rate_id": None}])
        yield db


async def test_a_number_of_a_row_that_is_not_there_is_no_number(db):
    assert await Items(db).list(into=ItemCard, order_by=Item.id) == [
        ItemCard(1, RateCard(Decimal("2.50"))),
        ItemCard(2, None),
    ]
